"""Single rows and values of a query, with the result read to its end.

DuckDB refuses other work on a connection whose last result was not read to the end, as `fetchone`
leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb


def first_row(
    con: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | Sequence[Any] | None = None
) -> tuple[Any, ...] | None:
    """Return the first row of a query, or None where there is none."""
    rows = con.execute(sql, params).fetchall()
    return rows[0] if rows else None


def dictionaries(
    con: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | Sequence[Any] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    rows = con.execute(sql, params)
    names = [column[0] for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def value(
    con: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | Sequence[Any] | None = None
) -> Any:
    """Return the first value of the first row; the query must have one."""
    row = first_row(con, sql, params)
    assert row is not None
    return row[0]
