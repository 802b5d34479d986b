"""Make the marts of one SAE: count its blocks once for all of them, then merge."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import schema
from interplm_wh.build import blocks, marts, plan
from interplm_wh.build.engine import Engine
from interplm_wh.progress import Bar
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.sqlfile import SqlFile
from interplm_wh.store import Transaction
from interplm_wh.store.rows import value

# Settings of DuckDB for single tables. block_letters has a row for nearly every key (a letter and a feature):
# an array over the keys is faster than a hash table, as it is for no other. heldout_pairs reads scores on
# valid and test: what the two have in common would be kept on disk, which takes longer than to make it twice.
_SETTINGS = {
    "block_letters": ("perfect_ht_threshold", "22"),
    "heldout_pairs": ("disabled_optimizers", "'common_subplan'"),
}
_OPTIMIZERS = "select count(*) from duckdb_optimizers() where name = 'common_subplan'"

# What a chunk takes, in tables that are merged.
_STEPS_OF_A_CHUNK = 5


def parameters(con: duckdb.DuckDBPyConnection, sae: str) -> dict[str, Any]:
    """Return the values that the SQL files of the marts may ask for."""
    settings = dict(con.execute("from settings").fetchall())
    weights = value(con, "select coalesce(max(sha256), '') from saes where sae = ?", [sae])
    return {
        "sae": sae,
        "presence": float(settings["presence"]),
        "seed": settings["seed"],
        "weights": weights,
    }


@dataclass(frozen=True)
class DuckDB:
    """The engine in this process: one block after the other, each in chunks that fit into memory."""

    def count_blocks(
        self, tx: Transaction, steps: Sequence[plan.Step], values: Mapping[str, Any], bar: Bar
    ) -> dict[str, list[Path]]:
        """Count blocks; see `Engine`."""
        return _count_blocks(tx, steps, values, bar)

    def merge(
        self,
        tx: Transaction,
        mart: marts.Mart,
        values: Mapping[str, Any],
        folder: Path,
        *,
        old: Sequence[Path] = (),
        written: Sequence[Path] = (),
    ) -> None:
        """Write all rows of a mart; see `Engine`."""
        merge = mart.final.sql, mart.final.bind(values)
        if mart.partial is not None:
            rows = _lay_partial(
                tx, mart, values["sae"], [*(f"{f}/*.parquet" for f in old), *map(str, written)]
            )
            if mart.is_sum and len(written) == 1 and not old:
                merge = f"from {rows}", {}
        with _tuned(tx, mart.name):
            tx.write_query(folder, *merge)
        if mart.partial is not None:
            tx.con.execute(f"drop view temp.{quote_identifier(mart.name + marts.PARTIAL)}")


def _count_blocks(
    tx: Transaction, steps: Sequence[plan.Step], values: Mapping[str, Any], bar: Bar
) -> dict[str, list[Path]]:
    written: dict[str, list[Path]] = {step.mart.name: [] for step in steps}
    sae = values["sae"]
    wanted = plan.passes(steps)
    cut = {one: blocks.blocks(tx, sae, one.folders) for one in wanted}
    n_chunks = sum(len(block.chunks) for found in cut.values() for block in found)
    numbers, reached = iter(range(n_chunks)), -1
    bar.expect(_STEPS_OF_A_CHUNK * n_chunks)
    for one, wanting in wanted.items():
        folders = {mart.name: block_folder(tx, mart, sae) for mart in wanting}
        with blocks.only_sources(tx, one.sources):
            for block in cut[one]:
                for mart, number, bound in _count_block(tx, block, wanting, values, numbers, one.sources):
                    path = folders[mart.name] / f"part-{number}.parquet"
                    written[mart.name].append(_write_block(tx, mart, bound, path))
                    bar.describe(f"{sae}: counting activations, part {number + 1} of {n_chunks}")
                    bar.advance(_STEPS_OF_A_CHUNK * (number - reached))
                    reached = number
        blocks.focus(tx, sae, only=["activations", "encodings"])
    return written


def _count_block(
    tx: Transaction,
    block: blocks.Block,
    wanting: Sequence[marts.Mart],
    values: Mapping[str, Any],
    numbers: Iterator[int],
    sources: Sequence[str] | None,
) -> Iterator[tuple[marts.Mart, int, dict[str, Any]]]:
    """Yield each mart, while the tables hold what it has to count, with the values of its parameters."""
    phases = marts.phases(wanting)

    def restrict(chunk: blocks.Chunk) -> dict[str, Any]:
        """Let the tables hold one block or chunk only, and return the values of parameters for it."""
        # Of proteins in which new sources did not look there is nothing to count.
        blocks.restrict(tx, values["sae"], chunk, is_covered=sources is not None)
        return {**values, "first_protein": chunk.first_protein, "last_protein": chunk.last_protein}

    with _temporary(tx, phases):
        _create(tx, phases.before.tables, restrict(block))
        for chunk in block.chunks:
            number = next(numbers)
            bound = restrict(chunk)
            _add_chunk(tx, phases.chunk.tables, bound, is_first=chunk is block.chunks[0])
            for mart in phases.chunk.marts:
                yield mart, number, bound
        bound = restrict(block)
        _create(tx, phases.after.tables, bound)
        for mart in phases.after.marts:
            yield mart, number, bound


def block_folder(tx: Transaction, mart: marts.Mart, sae: str) -> Path:
    """Return where a mart's blocks are written: where they stay, or where they wait to be merged."""
    if mart.is_appended:
        return tx.new_folder(mart.name, sae=sae)
    folder = tx.staging.scratch / mart.name
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def _temporary(tx: Transaction, phases: marts.Phases) -> Iterator[None]:
    """Drop the tables of a block when it is done."""
    try:
        yield
    finally:
        for file in (*phases.before.tables, *phases.chunk.tables, *phases.after.tables):
            tx.con.execute(f"drop table if exists temp.{quote_identifier(file.name)}")


def _create(tx: Transaction, files: Sequence[SqlFile], bound: Mapping[str, Any]) -> None:
    """Make temporary tables that several marts read."""
    for file in files:
        name = quote_identifier(file.name)
        with _tuned(tx, file.name):
            tx.con.execute(f"create or replace temp table {name} as {_typed(file)}", file.bind(bound))


def _add_chunk(
    tx: Transaction, files: Sequence[SqlFile], bound: Mapping[str, Any], *, is_first: bool
) -> None:
    """Make the tables of a chunk anew, and add its rows to those of its block."""
    for file in files:
        if is_first or schema.table(file.name).storage == "chunk":
            _create(tx, [file], bound)
        else:
            name = quote_identifier(file.name)
            with _tuned(tx, file.name):
                tx.con.execute(f"insert into temp.{name} {_typed(file)}", file.bind(bound))


@contextmanager
def _tuned(tx: Transaction, name: str) -> Iterator[None]:
    """Set what suits one table, while it is made."""
    setting, wanted = _SETTINGS.get(name, ("", ""))
    if not setting or (setting == "disabled_optimizers" and not value(tx.con, _OPTIMIZERS)):
        yield
        return
    tx.con.execute(f"set {setting} = {wanted}")
    try:
        yield
    finally:
        tx.con.execute(f"reset {setting}")


def _typed(file: SqlFile) -> str:
    return f"select {_typed_columns(schema.table(file.name))} from ({file.sql})"  # noqa: S608


def _typed_columns(table: schema.Table) -> str:
    return ", ".join(
        f"{quote_identifier(c.name)}::{c.sql_type} as {quote_identifier(c.name)}" for c in table.file_columns
    )


def _write_block(tx: Transaction, mart: marts.Mart, bound: Mapping[str, Any], path: Path) -> Path:
    """Write the rows that a mart has of the block that the tables hold now."""
    if mart.partial is None:
        return tx.write_query(path.parent, mart.final.sql, mart.final.bind(bound), name=path.name)
    columns = _typed_columns(schema.table(mart.name))
    tx.con.execute(
        f"copy (select {columns} from ({mart.partial.sql})) to {quote_literal(str(path))} "  # noqa: S608
        "(format parquet, compression zstd)",
        mart.partial.bind(bound),
    )
    return path


def finish(
    tx: Transaction,
    planner: plan.Planner,
    step: plan.Step,
    values: Mapping[str, Any],
    written: Sequence[Path],
    *,
    engine: Engine,
) -> None:
    """Put a mart in its place: made at once, or from the blocks that the engine has counted."""
    mart, sae = step.mart, step.sae
    seen = (*step.seen, *step.fresh)
    if mart.is_appended:
        if step.action == "rebuild":
            tx.drop(mart.name, sae=sae)
        for folder in dict.fromkeys(path.parent for path in written):
            tx.append(folder, fingerprint=planner.made(step, step.fresh).dump())
        return
    folder = tx.new_folder(mart.name, sae=sae)
    adds_up = mart.partial is not None and step.action == "append"
    old = tx.folder_paths(mart.name, sae=sae) if adds_up else []
    engine.merge(tx, mart, values, folder, old=old, written=written)
    tx.replace(mart.name, [folder], sae=sae, fingerprint=planner.made(step, seen).dump())
    shutil.rmtree(tx.staging.scratch / mart.name, ignore_errors=True)


def _lay_partial(tx: Transaction, mart: marts.Mart, sae: str, patterns: Sequence[str]) -> str:
    """Lay the relation ``X_partial`` over rows made per block and, for an append, the old X.

    Returns
    -------
    str
        Its name, quoted.
    """
    table = schema.table(mart.name)
    names = ", ".join(quote_identifier(c.name) for c in table.file_columns)
    listed = ", ".join(quote_literal(p) for p in patterns)
    select = (
        f"select {quote_literal(sae)} as sae, {names} "  # noqa: S608
        f"from read_parquet([{listed}], hive_partitioning = false)"
        if patterns
        else table.empty_select
    )
    name = quote_identifier(mart.name + marts.PARTIAL)
    tx.con.execute(f"create or replace temp view {name} as {select}")
    return name
