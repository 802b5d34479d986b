"""Take the first rows of an answer, in a form that every reader of Arrow has."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from interplm_wh.errors import InputError
from interplm_wh.quote import quote_identifier

_BATCH_ROWS = 2048  # one vector of DuckDB: no row is made that is not asked for

_PLAIN = {
    *("boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"),
    *("float", "double", "decimal", "varchar"),
}
_WIDE = {"hugeint", "uhugeint"}


def first_rows(
    con: duckdb.DuckDBPyConnection, sql: str, *, max_rows: int, max_bytes: int
) -> tuple[pa.Table, bool, list[int]]:
    """Run a SELECT until enough rows are there.

    Numbers of up to 64 bits, decimals, booleans and texts, and lists and structs of them, keep their
    form. All else (dates and times too: DuckDB's go beyond Python's) comes as the text that DuckDB gives.

    Returns
    -------
    rows : pa.Table
        At most `max_rows` rows and `max_bytes` bytes.
    is_truncated : bool
        Whether there are more.
    wide : list of int
        The columns, from 0, that are text for 128-bit integers.

    Raises
    ------
    InputError
        If the first row alone is larger than `max_bytes`.
    """
    relation = con.sql(sql)
    if relation is None:
        raise InputError("this statement has no rows to return; a warehouse is read with SELECT")
    kinds = list(relation.types)
    if not all(map(_is_plain, kinds)):
        # By position, because two columns may have one name.
        columns = ", ".join(
            f"#{i}" if _is_plain(kind) else f"#{i}::varchar as {quote_identifier(name)}"
            for i, (kind, name) in enumerate(zip(kinds, relation.columns, strict=True), start=1)
        )
        relation = con.sql(f"select {columns} from (\n{sql}\n)")  # noqa: S608
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    rows, is_truncated = _taken(reader, max_rows=max_rows, max_bytes=max_bytes)
    return rows, is_truncated, [i for i, kind in enumerate(kinds) if kind.id in _WIDE]


def _is_plain(kind: object) -> bool:
    """Whether Arrow, and what reads it, has a form for a type all the way down."""
    if not isinstance(kind, DuckDBPyType):
        return False
    if kind.id in ("list", "array"):
        return all(_is_plain(inner) for name, inner in kind.children if name == "child")  # and "size"
    if kind.id in ("struct", "tuple"):
        return all(_is_plain(field) for _, field in kind.children)
    return kind.id in _PLAIN


def _taken(reader: pa.RecordBatchReader, *, max_rows: int, max_bytes: int) -> tuple[pa.Table, bool]:
    taken: list[pa.RecordBatch] = []
    n_rows, n_bytes = 0, 0
    for batch in reader:
        fitting = min(max_rows - n_rows, _n_fitting(batch, max_bytes - n_bytes))
        if fitting < batch.num_rows:
            if fitting == 0 and n_rows == 0:
                raise InputError(
                    f"one row of the answer is larger than {max_bytes:,} bytes; select less of it"
                )
            taken.append(batch.slice(0, fitting))
            return pa.Table.from_batches(taken, reader.schema), True
        taken.append(batch)
        n_rows, n_bytes = n_rows + batch.num_rows, n_bytes + batch.nbytes
    return pa.Table.from_batches(taken, reader.schema), False


def _n_fitting(batch: pa.RecordBatch, n_bytes: int) -> int:
    """Return how many of the first rows of a batch have at most so many bytes."""
    if batch.nbytes <= n_bytes:
        return int(batch.num_rows)
    low, high = 0, int(batch.num_rows)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if batch.slice(0, middle).nbytes <= n_bytes else (low, middle)
    return low
