"""How the largest table is written to Parquet."""

from __future__ import annotations

from typing import Any

# Rows of a row group: what DuckDB reads at once, and the finest unit that it can skip.
ROW_GROUP_ROWS = 122_880


def activation_writer_options() -> dict[str, Any]:
    """Return the pyarrow writer options of `activations`, ordered by (protein_id, feature, position)."""
    return {
        "compression": "zstd",
        "compression_level": 3,
        "row_group_size": ROW_GROUP_ROWS,
        "use_dictionary": False,
        "column_encoding": {
            "protein_id": "DELTA_BINARY_PACKED",
            "feature": "DELTA_BINARY_PACKED",
            "position": "DELTA_BINARY_PACKED",
            "value": "BYTE_STREAM_SPLIT",
        },
        "write_statistics": True,
    }
