"""Which statements a console runs: one SELECT that only reads, down to the last subquery."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from typing import Any

import duckdb

from interplm_wh.errors import InputError

_EXPLAIN = re.compile(r"\s*(explain\s+(?:analyze\s+)?)(.*)", re.IGNORECASE | re.DOTALL)

# All other kinds of query nodes write: COPY_QUERY_NODE, INSERT_QUERY_NODE, …
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}

# A list of what may be called, because each version of DuckDB brings new ones; `query` and
# `json_execute_serialized_sql` would hide a statement in a text that nobody has looked through.
TABLE_FUNCTIONS = {
    *("generate_series", "range", "repeat", "repeat_row", "unnest", "json_each", "json_tree", "summary"),
    *("histogram", "histogram_values", "test_all_types", "icu_calendar_names", "pg_timezone_names"),
    *("glob", "read_parquet", "parquet_scan", "parquet_metadata", "parquet_full_metadata"),
    *("parquet_file_metadata", "parquet_kv_metadata", "parquet_schema", "parquet_bloom_probe"),
    *("duckdb_columns", "duckdb_constraints", "duckdb_functions", "duckdb_indexes", "duckdb_keywords"),
    *("duckdb_schemas", "duckdb_tables", "duckdb_types", "duckdb_views"),
    *("pragma_collations", "pragma_show", "pragma_storage_info", "pragma_table_info", "pragma_version"),
}
# What else somebody may call who has the rights of this process anyway: it reads, and writes nothing.
FILE_FUNCTIONS = {
    *("read_csv", "read_csv_auto", "sniff_csv", "read_text", "read_blob", "read_duckdb"),
    *("read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto"),
    *("read_ndjson", "read_ndjson_auto", "read_ndjson_objects"),
    *("duckdb_databases", "duckdb_extensions", "duckdb_memory", "duckdb_settings", "duckdb_variables"),
}
# The package's own lie over those of the catalogue.
_MACROS = """
select function_name
from duckdb_functions()
where database_name in ($catalogue, 'temp') and not internal
"""


def admit(
    con: duckdb.DuckDBPyConnection, sql: str, *, catalogue: str, functions: Set[str] = TABLE_FUNCTIONS
) -> str:
    """Return the statement to run.

    Parameters
    ----------
    sql : str
        What somebody typed.
    catalogue : str
        The name under which the warehouse is attached; its macros may be called.
    functions : set of str
        The table functions that may be called besides.

    Raises
    ------
    InputError
        If it is not one SELECT, or an EXPLAIN of one, that only reads.
    """
    statement = _only_statement(con, sql)
    explained = _EXPLAIN.match(statement.query) if statement.type == duckdb.StatementType.EXPLAIN else None
    select = explained[2] if explained else statement.query
    if explained:
        statement = _only_statement(con, select)
    if statement.type == duckdb.StatementType.MULTI:
        raise InputError("a PIVOT is read with its values listed: pivot … on column in ('a', 'b') using …")
    if statement.type != duckdb.StatementType.SELECT:
        kind = statement.type.name.replace("_", " ")
        raise InputError(f"this is {kind}, and only SELECT (or EXPLAIN of one) can be asked here")
    macros = {name for (name,) in con.execute(_MACROS, {"catalogue": catalogue}).fetchall()}
    if faults := list(_faults(_tree(con, select), functions | macros)):
        raise InputError("; ".join(dict.fromkeys(faults)))
    return explained[1] + select if explained else select


def _only_statement(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Parse one statement, without the semicolon that ends it: what is run may stand in brackets."""
    for text in (sql, _before_semicolon(sql)):
        statements = con.extract_statements(text)
        if len(statements) != 1:
            raise InputError(f"these are {len(statements)} statements; ask one SELECT at a time")
    return statements[0]


def _before_semicolon(sql: str) -> str:
    raw = sql.encode()
    for offset, kind in duckdb.tokenize(sql):  # offsets in bytes
        if kind == duckdb.token_type.operator and raw[offset : offset + 1] == b";":
            return raw[:offset].decode()
    return sql


def _tree(con: duckdb.DuckDBPyConnection, select: str) -> dict[str, Any]:
    """Return how DuckDB parses a SELECT."""
    text = con.execute("select json_serialize_sql(?)", [select]).fetchall()[0][0]
    try:
        tree: dict[str, Any] = json.loads(text)
    except RecursionError as error:
        raise InputError("this SELECT is nested too deeply") from error
    if tree["error"]:
        raise InputError(f"only a SELECT can be asked here ({tree.get('error_message', 'it is none')})")
    return tree


def _faults(tree: Any, functions: Set[str]) -> Iterator[str]:
    """Yield what a parsed SELECT does besides reading."""
    left = [tree]
    while left:  # no recursion: people who want to break this nest deeply
        node = left.pop()
        if isinstance(node, list):
            left += node
        if not isinstance(node, dict):
            continue
        left += node.values()
        kind = str(node.get("type", ""))
        if "info_type" in node or (kind.endswith("_NODE") and kind not in _READING_NODES):
            what = kind.removesuffix("_NODE").removesuffix("_QUERY").replace("_", " ") or "a statement"
            yield f"{what} inside a SELECT writes, and only reading is possible here"
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in functions:
                yield (
                    f"{name or 'this'} cannot be called here; "
                    "read tables, views and macros of the warehouse, or its files with read_parquet"
                )
