"""Questions in SQL, and the shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from interplm_wh import store
from interplm_wh.console.admit import FILE_FUNCTIONS, TABLE_FUNCTIONS, admit
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import layout

Format = Literal["table", "csv", "json", "parquet"]


def query(warehouse: str | Path, sql: str) -> pa.Table:
    """Run one SELECT over a warehouse and return its rows.

    It has the rights of whoever runs it, and no limits of time or memory: the console has those. It
    reads what they may read and writes nothing, whatever stands in its subqueries.

    Parameters
    ----------
    warehouse : str or Path
        A folder, or the address of a published one.
    sql : str
        A single statement that only reads; it may read other files, so that they can be joined.

    Raises
    ------
    InputError
        If it is not one reading statement, or DuckDB refuses it.
    """
    with store.open_anywhere(warehouse) as wh:
        try:
            return wh.sql(admit(wh.con, sql, catalogue="wh", functions=TABLE_FUNCTIONS | FILE_FUNCTIONS))
        except InputError as error:
            raise InputError(f"{error}; for more, use: interplm-wh shell") from error
        except duckdb.Error as error:
            damaged = f"; to see whether it is damaged: interplm-wh -w {warehouse} verify"
            hint = damaged if str(wh.path / layout.LAKE) in str(error) else ""
            raise InputError(f"{error}{hint}") from error


def write_rows(rows: pa.Table, to: IO[bytes], *, form: Format) -> None:
    """Write rows to a binary stream.

    Parameters
    ----------
    form : {'table', 'csv', 'json', 'parquet'}
        'json' is one object per line.
    """
    if form != "table" and len(set(rows.column_names)) < rows.num_columns:
        raise InputError(f"two columns have one name ({', '.join(rows.column_names)}); name them with AS")
    if form == "csv":
        pyarrow.csv.write_csv(_as_text(rows, lambda kind: not _is_plain(kind)), to)
    elif form == "parquet":
        pq.write_table(_as_text(rows, pa.types.is_interval), to, compression="zstd")
    elif form == "json":
        import polars

        frame = polars.from_arrow(_as_text(rows, lambda kind: not (_is_plain(kind) or _is_nested(kind))))
        assert isinstance(frame, polars.DataFrame)
        to.write(frame.write_ndjson().encode())
    else:
        with duckdb.connect() as con:
            con.register("answer", rows)
            to.write(f"{con.sql('from answer')}\n".encode())


def _is_plain(kind: pa.DataType) -> bool:
    known = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean,
        pa.types.is_string, pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp,
    )  # fmt: skip
    return any(is_known(kind) for is_known in known)


def _is_nested(kind: pa.DataType) -> bool:
    """Whether it is a list or struct of plain values all the way down."""
    if pa.types.is_list(kind):
        return _is_plain(kind.value_type) or _is_nested(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_plain(field.type) or _is_nested(field.type) for field in kind)
    return False


def _as_text(rows: pa.Table, is_foreign: Callable[[pa.DataType], bool]) -> pa.Table:
    """Return rows with the columns that a format has no form for as the text that DuckDB gives."""
    foreign = [field.name for field in rows.schema if is_foreign(field.type)]
    if not foreign:
        return rows
    cast = ", ".join(f"{quote_identifier(name)}::varchar as {quote_identifier(name)}" for name in foreign)
    with duckdb.connect() as con:
        con.register("answer", rows)
        return con.sql(f"select * replace ({cast}) from answer").to_arrow_table()  # noqa: S608


def shell(warehouse: str | Path) -> int:
    """Open the DuckDB shell on a warehouse, read-only.

    Returns
    -------
    int
        The shell's exit code.

    Raises
    ------
    NotThereError
        If there is no warehouse, or no `duckdb` program.
    """
    with store.open(warehouse) as wh:
        root = wh.path
    beside = Path(sys.executable).with_name("duckdb")
    program = str(beside) if beside.exists() else shutil.which("duckdb")
    if program is None:
        raise NotThereError("there is no duckdb program; install it with: pip install duckdb-cli")
    start = f"set file_search_path = {quote_literal(str(root))}"
    command = [program, "-readonly", "-cmd", start, str(root / layout.CATALOGUE)]
    return subprocess.run(command, check=False).returncode
