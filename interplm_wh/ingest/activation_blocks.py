"""Judge a file of activations and cut it into blocks of whole proteins, in bounded memory.

The input is read three times at most, never held: once for its profile (a row per protein), once to
scatter its rows over scratch files, one folder per block, and once more to name what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplm_wh import sqlfile
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers
from interplm_wh.quote import quote_literal
from interplm_wh.store import Transaction
from interplm_wh.store.rows import value

COLUMNS = ("accession", "position", "feature", "value")
BLOCK_ROWS = 4_000_000
# Rows of a block that wait in memory, per thread, before they go to its scratch file.
_FLUSH_ROWS = 65_536
_NO_ROWS = (
    "select null::integer as protein_id, null::integer as position, null::integer as feature, "
    "null::float as value where false"
)


def make(tx: Transaction, name: str, values: dict[str, Any] | None = None) -> None:
    """Make the temporary table that a file of `sql/ingest/` describes."""
    select = sqlfile.load("ingest", name)
    tx.con.execute(f"create temp table {select.output} as {select.sql}", select.bind(values or {}))


def profile(tx: Transaction, file: readers.DataFile) -> None:
    """Lay `activation_judged`, a view of the file, and make `activation_profile` from it."""
    is_native = file.format == "parquet"
    with readers.reading(tx.con, file, in_order=False):
        readers.create_view(tx.con, file, "activation_source", required=COLUMNS, as_text=not is_native)
        for name in ("activations_native" if is_native else "activations_text", "activations_judged"):
            select = sqlfile.load("ingest", name)
            tx.con.execute(f"create temp view {select.output} as {select.sql}")
        make(tx, "activations_profile")
    if not value(tx.con, "select count(*) from activation_profile"):
        raise InputError(f"{file.path} has no rows; give a file with activations")


def scatter(tx: Transaction, file: readers.DataFile) -> list[int]:
    """Write what can be taken to scratch files by `activation_blocks`; returns the blocks in order."""
    select = sqlfile.load("ingest", "activations_scattered").sql
    tx.con.execute("set partitioned_write_flush_threshold = ?", [_FLUSH_ROWS])
    with readers.reading(tx.con, file, in_order=False):
        tx.con.execute(
            f"copy ({select}) to {quote_literal(str(_scratch(tx)))} "
            "(format parquet, partition_by (block), compression zstd)"
        )
    rows = tx.con.execute("select distinct block from activation_blocks order by block").fetchall()
    return [block for (block,) in rows]


def _scratch(tx: Transaction) -> Path:
    return tx.staging.scratch / "blocks"


def block_folder(tx: Transaction, block: int) -> Path:
    """Return the scratch folder of a block; absent where none of its proteins has a row."""
    return _scratch(tx) / f"block={block}"


def lay_block(tx: Transaction, block: int) -> None:
    """Let the view `activation_block` hold the rows of one block."""
    folder = block_folder(tx, block)
    files = quote_literal(f"{folder}/*.parquet")
    select = f"from read_parquet({files}, hive_partitioning = false)" if folder.is_dir() else _NO_ROWS
    tx.con.execute(f"create or replace temp view activation_block as {select}")


def refuse_faults(tx: Transaction, file: readers.DataFile, n_features: int, blocks: Sequence[int]) -> None:
    """Raise with everything that is wrong in the file.

    Raises
    ------
    InputError
        One fault per kind, with how many rows and the first of them; one per unknown accession; one
        per repeated (protein, position, feature).
    """
    faults = [*_row_faults(tx, file, n_features), *_repetitions(tx, blocks)]
    if faults:
        raise InputError(faults_message(str(file.path), faults, "mend the file; nothing was added"))


def _row_faults(tx: Transaction, file: readers.DataFile, n_features: int) -> list[str]:
    bad = "select sum(n_bad) > 0 or coalesce(max(max_feature), 0) >= ? from activation_profile"
    if not value(tx.con, bad, [n_features]):
        return []
    with readers.reading(tx.con, file):
        rows = tx.con.execute(
            sqlfile.load("ingest", "activations_faults").sql, {"n_features": n_features}
        ).fetchall()
    return [_sentence(row, n_features) for row in rows]


def _sentence(row: tuple[Any, ...], n_features: int) -> str:
    reason, n_rows, first, accession, position, feature, number, length = row
    where = f"{n_rows:,} rows, the first is row {first}" if n_rows > 1 else f"row {first}"
    residues = f" of {length}" if length is not None else ""
    return (
        f"{reason} ({where}: {accession}, position {position}{residues}, "
        f"feature {feature} of {n_features}, value {number})"
    )


def _repetitions(tx: Transaction, blocks: Sequence[int]) -> list[str]:
    repeated = sqlfile.load("ingest", "activations_repeated")
    found: list[str] = []
    for block in blocks:
        lay_block(tx, block)
        tx.con.execute(f"create or replace temp view {repeated.output} as {repeated.sql}")
        rows = tx.con.execute(
            "select b.accession, r.position, r.feature, r.n_rows from activation_repeated as r "
            "inner join activation_blocks as b on r.protein_id = b.protein_id order by all"
        ).fetchall()
        found += [f"{a}, position {p}, feature {f} stands {n:,} times" for a, p, f, n in rows]
    return found
