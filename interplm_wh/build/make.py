"""Make one mart of one SAE: at once, block by block, or merged from blocks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import schema
from interplm_wh.build import blocks, marts, plan
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import Transaction


def parameters(con: duckdb.DuckDBPyConnection, sae: str) -> dict[str, Any]:
    """Return the values that the SQL files of the marts may ask for."""
    settings = dict(con.execute("from settings").fetchall())
    return {"sae": sae, "presence": float(settings["presence"]), "seed": settings["seed"]}


def make(tx: Transaction, step: plan.Step, values: Mapping[str, Any]) -> None:
    """Do what a step says, in the working copy."""
    mart, sae = step.mart, step.sae
    if not mart.is_per_block:
        folder = tx.new_folder(mart.name, sae=sae)
        tx.write_query(folder, mart.final.sql, mart.final.bind(values))
        made = plan.Made(step.recipe, step.merge, (), plan.digest([]))
        tx.replace(mart.name, [folder], sae=sae, fingerprint=made.dump())
    elif mart.is_appended:
        _make_appended(tx, step, values)
    else:
        make_merged(tx, step, values)


def each_block(
    tx: Transaction,
    sae: str,
    folders: Sequence[str],
    values: Mapping[str, Any],
    do: Callable[[int, dict[str, Any]], None],
) -> int:
    """Call `do` with a number and the parameters of each block, while the tables hold only it."""
    cut = blocks.blocks(tx, sae, folders)
    for number, block in enumerate(cut):
        blocks.restrict(tx, sae, block)
        do(number, {**values, "first_protein": block.first_protein, "last_protein": block.last_protein})
    blocks.focus(tx, sae, only=["activations", "encodings"])
    return len(cut)


def _make_appended(tx: Transaction, step: plan.Step, values: Mapping[str, Any]) -> None:
    mart, sae = step.mart, step.sae
    folder = tx.new_folder(mart.name, sae=sae)

    def do(number: int, bound: dict[str, Any]) -> None:
        tx.write_query(folder, mart.final.sql, mart.final.bind(bound), name=f"part-{number}.parquet")

    each_block(tx, sae, step.fresh, values, do)
    if step.action == "rebuild":
        tx.drop(mart.name, sae=sae)
    made = plan.Made(step.recipe, step.merge, step.fresh, plan.content(tx.con, mart, sae, step.fresh))
    tx.append(folder, fingerprint=made.dump())


def partial_view(
    tx: Transaction, mart: marts.Mart, sae: str, old: Sequence[Path], new: Sequence[Path]
) -> None:
    """Lay the relation ``X_partial`` over the rows made per block and, for an append, the old X."""
    table = schema.table(mart.name)
    names_of_files = ", ".join(quote_identifier(c.name) for c in table.file_columns)
    patterns = [*(f"{folder}/*.parquet" for folder in old), *map(str, new)]
    listed = ", ".join(quote_literal(p) for p in patterns)
    select = (
        f"select {quote_literal(sae)} as sae, {names_of_files} "  # noqa: S608
        f"from read_parquet([{listed}], hive_partitioning = false)"
        if patterns
        else table.empty_select
    )
    tx.con.execute(f"create or replace temp view {quote_identifier(mart.name + marts.PARTIAL)} as {select}")


def make_merged(tx: Transaction, step: plan.Step, values: Mapping[str, Any]) -> None:
    """Make a mart from the additive rows of its new blocks and, for an append, the old ones."""
    mart, sae = step.mart, step.sae
    assert mart.partial is not None
    partial = mart.partial
    old = tx.folder_paths(mart.name, sae=sae) if step.action == "append" else []
    scratch = tx.staging.scratch / mart.name
    scratch.mkdir()
    new: list[Path] = []

    def do(number: int, bound: dict[str, Any]) -> None:
        new.append(write_partial(tx, mart, partial.bind(bound), scratch / f"{number}.parquet"))

    each_block(tx, sae, step.fresh, values, do)
    partial_view(tx, mart, sae, old, new)
    folder = tx.new_folder(mart.name, sae=sae)
    tx.write_query(folder, mart.final.sql, mart.final.bind(values))
    seen = (*step.seen, *step.fresh)
    made = plan.Made(step.recipe, step.merge, seen, plan.content(tx.con, mart, sae, seen))
    tx.replace(mart.name, [folder], sae=sae, fingerprint=made.dump())
    tx.con.execute(f"drop view temp.{quote_identifier(mart.name + marts.PARTIAL)}")
    shutil.rmtree(scratch)


def write_partial(tx: Transaction, mart: marts.Mart, bound: Mapping[str, Any], path: Path) -> Path:
    """Write the additive rows of the block that the tables hold now."""
    assert mart.partial is not None
    columns = ", ".join(
        f"{quote_identifier(c.name)}::{c.sql_type} as {quote_identifier(c.name)}"
        for c in schema.table(mart.name).file_columns
    )
    tx.con.execute(
        f"copy (select {columns} from ({mart.partial.sql})) to {quote_literal(str(path))} "  # noqa: S608
        "(format parquet, compression zstd)",
        dict(bound),
    )
    return path
