"""Spark beside DuckDB: the same SQL, and the same encoding, on many machines."""
