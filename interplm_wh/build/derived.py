"""Tables that a command of their own makes from what a build made: how, and whether they are out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from interplm_wh import sqlfile
from interplm_wh.build import plan
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction, Warehouse


@dataclass(frozen=True)
class Derived:
    """How a table is made.

    Attributes
    ----------
    command : str
        The verb of the command line.
    folder : str
        Where its SQL lies in `sql/`.
    reads_controls : bool
        Whether it puts the SAE beside its controls, so that their tables count, too.
    inputs : tuple of str
        The tables that it is made from.
    """

    command: str
    folder: str
    reads_controls: bool = False
    inputs: tuple[str, ...] = (
        "activations", "annotations", "concept_support", "coverage", "encodings", "features",
        "heldout_pairs", "proteins",
    )  # fmt: skip


TABLES = {
    "control_excess": Derived("score", "evidence", reads_controls=True),
    "feature_structure": Derived(
        "structure",
        "structural",
        inputs=("activations", "encodings", "features", "proteins", "structure_residues", "structures"),
    ),
    "feature_rules": Derived("rules", "rules"),
    "pair_evidence": Derived("score", "evidence"),
    "suggestion_counts": Derived("suggest", "suggest"),
    "suggestions": Derived("suggest", "suggest"),
}
_CONTROLS = "select control from sae_controls where sae = $sae order by control"


@dataclass(frozen=True)
class Outdated:
    """One part of an SAE's tables that is damaged, or older than what it was made from.

    Attributes
    ----------
    sae : str
    what : str
        The table, for people.
    command : str
        What makes it anew.
    """

    sae: str
    what: str
    command: str


def lay(con: duckdb.DuckDBPyConnection, folder: str, names: Sequence[str], values: Mapping[str, Any]) -> None:
    """Make the temporary tables of some files of a folder of `sql/`, in the order of `names`.

    Parameters
    ----------
    values : mapping
        Values of the parameters of all of them.
    """
    for name in names:
        file = sqlfile.load(folder, name)
        con.execute(
            f"create or replace temp table {quote_identifier(file.output)} as {file.sql}", file.bind(values)
        )


def recipe(con: duckdb.DuckDBPyConnection, table: str, sae: str) -> str:
    """Return the checksum of all that a table of an SAE is made from.

    Parameters
    ----------
    table : str
        A key of `TABLES`.
    """
    how = TABLES[table]
    texts = {name: file.sql for name, file in sqlfile.load_folder(how.folder).items()}
    beside = _CONTROLS if how.reads_controls else "select $sae where false"
    saes = [sae, *(name for (name,) in con.execute(beside, {"sae": sae}).fetchall())]
    folders = [
        [one, name, [folder for folder, _ in plan.folders_of(con, name, one)]]
        for one in saes
        for name in how.inputs
    ]
    return plan.digest(texts, folders)


def is_current(wh: Warehouse, table: str, sae: str) -> bool:
    """Whether a table of an SAE is there, whole, and made from what is there now."""
    return _is_current(wh.con, wh.path.joinpath, table, sae)


def _is_current(con: duckdb.DuckDBPyConnection, locate: plan.Locate, table: str, sae: str) -> bool:
    made = plan.folders_of(con, table, sae)
    files = plan.Planner(con, locate)
    is_there = all(files.is_whole(folder) for folder, _ in made)
    return is_there and [text for _, text in made] == [recipe(con, table, sae)]


def outdated(wh: Warehouse) -> list[Outdated]:
    """Return the tables that are there and not current, by SAE."""
    return _outdated(wh.con, wh.path.joinpath)


def _outdated(con: duckdb.DuckDBPyConnection, locate: plan.Locate) -> list[Outdated]:
    made = con.execute(
        "select distinct sae, table_name from folders where is_current and list_contains($t, table_name) "
        "order by all",
        {"t": list(TABLES)},
    ).fetchall()
    return [
        Outdated(sae, table, f"{TABLES[table].command} --sae {sae}")
        for sae, table in made
        if not _is_current(con, locate, table, sae)
    ]


def take_out_outdated(tx: Transaction) -> list[Outdated]:
    """Drop what is not current, so that numbers of two states never stand side by side.

    Returns
    -------
    list of Outdated
        What was dropped, with what makes it anew.
    """
    found = _outdated(tx.con, tx.locate)
    for one in found:
        tx.drop(one.what, sae=one.sae)
    return found


def again(what: str, found: Sequence[Outdated]) -> list[str]:
    """Say which tables something holds of, and how they are made anew: one line per command."""
    by_command: dict[str, list[str]] = {}
    for one in found:
        by_command.setdefault(one.command, []).append(f"{one.what} of {one.sae}")
    return [
        f"{what}: {', '.join(tables)}; make anew with: interplm-wh {command}"
        for command, tables in by_command.items()
    ]
