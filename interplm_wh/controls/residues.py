"""Controls that are made from residues alone: SQL over `residues` in place of a PLM and an SAE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interplm_wh import __version__, progress, sqlfile, store
from interplm_wh.controls.kinds import RULES
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction
from interplm_wh.store.rows import value

BLOCK_RESIDUES = 4_000_000
"""Residues whose rows are held in memory together."""


@dataclass(frozen=True)
class Taken:
    """What a control took in: proteins, residues, activations, and proteins that it had before."""

    n_proteins: int
    n_residues: int
    n_activations: int
    n_present: int


def encode_rules(
    warehouse: str | Path, controls: Mapping[str, str], *, like: str | None = None, wait_seconds: float = 60.0
) -> dict[str, Taken]:
    """Write the activations of controls for the proteins that they lack, all at once.

    Parameters
    ----------
    warehouse : str or Path
    controls : mapping of str to str
        Role by name.
    like : str, optional
        Only proteins that this SAE has encoded; by default all of the warehouse.
    wait_seconds : float
        How long to wait for another writer.

    Raises
    ------
    LockedError
        If another process still writes after that.
    """
    if not controls:
        return {}
    settings = {"saes": list(controls), "like": like}
    with store.write(warehouse, command="encode", settings=settings, wait_seconds=wait_seconds) as tx:
        found = {name: take_in(tx, name, role, like=like) for name, role in controls.items()}
        if any(one.n_proteins for one in found.values()):
            tx.publish()
    return found


def take_in(tx: Transaction, control: str, role: str, *, like: str | None) -> Taken:
    """Write the activations of one control for the proteins that it lacks, in the working copy."""
    n_present = int(value(tx.con, "select count(*) from encodings where sae = ?", [control]))
    _make(tx, "control_blocks", {"control": control, "like_sae": like, "block_residues": BLOCK_RESIDUES})
    blocks = [
        block
        for (block,) in tx.con.execute("select distinct block from control_blocks order by block").fetchall()
    ]
    if not blocks:
        return Taken(0, 0, 0, n_present)
    folder = tx.new_folder("activations", sae=control)
    activations = sqlfile.load("controls", f"{role}_activations")
    tx.con.execute("create or replace temp table control_counts (protein_id integer, n_activations bigint)")
    with progress.track(f"writing {control}", total=len(blocks), unit="parts") as bar:
        for block in blocks:
            tx.con.execute(
                f"create or replace temp table control_rows as {activations.sql}",
                activations.bind({"block": block}),
            )
            tx.write_query(folder, "from control_rows", name=f"part-{block:05d}.parquet")
            tx.con.execute(
                "insert into control_counts select protein_id, count(*) from control_rows group by protein_id"
            )
            bar.advance(1)
    encodings = tx.new_folder("encodings", sae=control)
    select = sqlfile.load("controls", "control_encodings")
    values = {"folder": tx.staging.final_name(folder), "package_version": __version__}
    tx.write_query(encodings, select.sql, select.bind(values))
    tx.append(folder)
    tx.append(encodings)
    counts = tx.con.execute("select count(*), sum(length)::bigint from control_blocks").fetchall()[0]
    n_activations = int(value(tx.con, "select coalesce(sum(n_activations), 0)::bigint from control_counts"))
    for name in ("control_rows", "control_counts", "control_blocks"):
        tx.con.execute(f"drop table temp.{quote_identifier(name)}")
    return Taken(int(counts[0]), int(counts[1]), n_activations, n_present)


def register(tx: Transaction, name: str, role: str, *, control_of: str) -> None:
    """Write the row of a control into the working copy."""
    tx.con.execute(
        "insert into saes by name select $sae as sae, $role as role, $role as architecture, "
        "$n::integer as n_features, 'none' as input_norm, $control_of as control_of, 'residues' as source, "
        "0.0::double as min_value, false as is_forced",
        {"sae": name, "role": role, "n": RULES[role], "control_of": control_of},
    )


def _make(tx: Transaction, name: str, values: Mapping[str, object]) -> None:
    file = sqlfile.load("controls", name)
    tx.con.execute(f"create or replace temp table {quote_identifier(name)} as {file.sql}", file.bind(values))
