"""Runs in the tables: kept in the place of those that they had, and taken out with their proteins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interplm_wh import sqlfile
from interplm_wh.errors import MismatchError
from interplm_wh.steer.plan import Plan
from interplm_wh.store import Transaction
from interplm_wh.store.rows import first_row

if TYPE_CHECKING:
    from interplm_wh.steer.work import Done

_ACTIVATIONS = "read_activations"


def require_same(tx: Transaction, plan: Plan, done: Sequence[Done]) -> None:
    """Refuse to keep what was measured of models or proteins that are there no more."""
    for one in (plan.steered, *plan.readers):
        row = first_row(tx.con, "select sha256 from saes where sae = ?", [one.row.sae])
        if row is None or row[0] != one.row.sha256:
            raise MismatchError(
                f"{one.row.sae} was replaced or removed meanwhile; nothing was kept, steer again"
            )
    same = "from proteins where accession = ? and sequence = ? and is_private = ?"
    for target in (one.target for one in done):
        given = [target.accession, target.sequence, target.is_private]
        if target.accession is not None and first_row(tx.con, same, given) is None:
            raise MismatchError(
                f"{target.accession} was replaced or removed meanwhile; nothing was kept, steer again"
            )


def keep(tx: Transaction, sae: str, plan: Plan, one: Done) -> None:
    """Put the rows of one run in the place of those that it had."""
    _drop(tx, sae, one.run)
    for name, rows in one.tables.items():
        if rows.num_rows:
            folder = tx.new_folder(name, sae=sae)
            tx.con.register("given", rows)
            tx.write_query(folder, "from given")
            tx.con.unregister("given")
            tx.append(folder, source=one.run)
    if plan.readers:
        file = sqlfile.load("steer", "steering_features")
        tx.con.register(_ACTIVATIONS, one.activations)
        folder = tx.new_folder("steering_features", sae=sae)
        n_touched = len(one.target.touched)
        n_untouched = len(one.target.sequence) - n_touched
        bound = {"run": one.run, "n_touched": n_touched, "n_untouched": n_untouched}
        tx.write_query(folder, file.sql, file.bind(bound))
        tx.con.unregister(_ACTIVATIONS)
        tx.append(folder, source=one.run)


def _drop(tx: Transaction, sae: str, run: str) -> None:
    """Take the rows of a run out of the tables that have some."""
    there = tx.con.execute(
        "select distinct table_name from folders where is_current and sae = ? and source = ?", [sae, run]
    ).fetchall()
    for (table,) in there:
        tx.drop(table, sae=sae, source=run)


def forget(tx: Transaction, accessions: Sequence[str]) -> None:
    """Take out the runs of proteins that go."""
    rows = tx.con.execute(
        "select distinct sae, run from steering_runs where list_contains($gone::varchar[], accession)",
        {"gone": list(accessions)},
    ).fetchall()
    for sae, run in rows:
        _drop(tx, sae, run)
