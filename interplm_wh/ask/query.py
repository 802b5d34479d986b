"""Questions in SQL, and the shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Literal

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from interplm_wh import store
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.quote import quote_literal
from interplm_wh.store import layout

Format = Literal["table", "csv", "json", "parquet"]


def query(warehouse: str | Path, sql: str) -> pa.Table:
    """Run one SELECT over a warehouse and return its rows.

    Parameters
    ----------
    warehouse : str or Path
    sql : str
        A single statement that only reads; it may read other files, so that they can be joined.

    Raises
    ------
    InputError
        If it is not one reading statement, or DuckDB refuses it.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InputError(f"this is not SQL that DuckDB reads: {error}") from error
    if len(statements) != 1 or statements[0].type not in (
        duckdb.StatementType.SELECT,
        duckdb.StatementType.EXPLAIN,
    ):
        raise InputError("query takes one SELECT (or EXPLAIN); for more, use: interplm-wh shell")
    with store.open(warehouse) as wh:
        try:
            return wh.sql(sql)
        except duckdb.Error as error:
            raise InputError(str(error)) from error


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
        pyarrow.csv.write_csv(rows, to)
    elif form == "parquet":
        pq.write_table(rows, to, compression="zstd")
    elif form == "json":
        import polars

        frame = polars.from_arrow(rows)
        assert isinstance(frame, polars.DataFrame)
        to.write(frame.write_ndjson().encode())
    else:
        with duckdb.connect() as con:
            con.register("answer", rows)
            to.write(f"{con.sql('from answer')}\n".encode())


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
    root = Path(warehouse).resolve()
    with store.open(root):
        pass
    beside = Path(sys.executable).with_name("duckdb")
    program = str(beside) if beside.exists() else shutil.which("duckdb")
    if program is None:
        raise NotThereError("there is no duckdb program; install it with: pip install duckdb-cli")
    start = f"set file_search_path = {quote_literal(str(root))}"
    command = [program, "-readonly", "-cmd", start, str(root / layout.CATALOGUE)]
    return subprocess.run(command, check=False).returncode
