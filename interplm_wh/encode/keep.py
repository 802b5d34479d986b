"""What the warehouse keeps of an encoding beside its parts: which proteins are meant, and which failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from interplm_wh import __version__
from interplm_wh.encode.outcome import Failure
from interplm_wh.store import Transaction, Warehouse
from interplm_wh.store.rows import first_row

PLANS, FAILURES = "encoding_plans", "encoding_failures"

_OLD_PLAN = "select like_sae, n_proteins from encoding_plans where sae = ?"
_NEW_PLAN = "select $sae as sae, $like as like_sae, $n_proteins as n_proteins"
# Those that were encoded since are no failures any more; of two reasons the newer one stays.
_FAILURES = """
create or replace temp table new_failures as
with
candidates as (
    select sae, protein_id, reason, n_tries, package_version, 1 as rank from given_failures
    union all
    select sae, protein_id, reason, n_tries, package_version, 2 from encoding_failures
)

select b.sae, b.protein_id, b.reason, b.n_tries, b.package_version
from candidates as b
anti join encodings as e on b.sae = e.sae and b.protein_id = e.protein_id
semi join proteins as p on b.protein_id = p.protein_id
qualify row_number() over (partition by b.sae, b.protein_id order by b.rank) = 1
"""
_CHANGED = """
with
old as (select sae, protein_id, reason, n_tries, package_version from encoding_failures),

changed as (
    (from old except from new_failures)
    union all
    (from new_failures except from old)
)

select distinct sae from changed order by sae
"""


@dataclass(frozen=True)
class Plan:
    """Which proteins an encoding means.

    Attributes
    ----------
    like : str or None
        Those that this SAE has encoded; None: all.
    n_proteins : int
        Proteins of the warehouse: those with a lower protein_id are meant.
    """

    like: str | None
    n_proteins: int

    def with_earlier(self, like: str | None, n_proteins: int) -> Plan:
        """Return the plan that takes nothing back of an earlier one."""
        return Plan(self.like if like is not None else None, max(self.n_proteins, n_proteins))


def is_planned(warehouse: Warehouse, saes: Sequence[str], plan: Plan) -> bool:
    """Whether the warehouse says already that a plan is meant, or more."""
    rows = warehouse.sql("select sae, like_sae, n_proteins from encoding_plans").to_pylist()
    known = {row["sae"]: (row["like_sae"], row["n_proteins"]) for row in rows}
    return all(sae in known and plan.with_earlier(*known[sae]) == Plan(*known[sae]) for sae in saes)


def plans(tx: Transaction, saes: Sequence[str], plan: Plan) -> bool:
    """Write which proteins are meant, in the working copy; returns whether that is new."""
    is_new = False
    for sae in saes:
        old = first_row(tx.con, _OLD_PLAN, [sae])
        new = plan if old is None else plan.with_earlier(*old)
        if old != (new.like, new.n_proteins):
            write_plan(tx, sae, new)
            is_new = True
    return is_new


def write_plan(tx: Transaction, sae: str, plan: Plan) -> None:
    """Put a plan in the place of that of an SAE."""
    folder = tx.new_folder(PLANS, sae=sae)
    values = {"sae": sae, "like": plan.like, "n_proteins": plan.n_proteins}
    tx.write_query(folder, _NEW_PLAN, values)
    tx.replace(PLANS, [folder], sae=sae)


def failures(tx: Transaction, failed: Sequence[Failure]) -> bool:
    """Write which proteins failed, in the working copy; returns whether that is new."""
    rows = [
        {"sae": sae, "protein_id": one, "reason": failure.reason, "n_tries": failure.n_tries}
        for failure in failed
        for sae in failure.saes
        for one in failure.ids
    ]
    fields = [
        ("sae", pa.string()), ("protein_id", pa.int32()), ("reason", pa.string()), ("n_tries", pa.int32()),
    ]  # fmt: skip
    given = pa.Table.from_pylist(rows, schema=pa.schema(fields))
    versions = pa.array([__version__] * len(rows), pa.string())
    tx.con.register("given_failures", given.append_column("package_version", versions))
    tx.con.execute(_FAILURES)
    tx.con.unregister("given_failures")
    changed = [sae for (sae,) in tx.con.execute(_CHANGED).fetchall()]
    for sae in changed:
        folder = tx.new_folder(FAILURES, sae=sae)
        tx.write_query(folder, "from new_failures where sae = $sae", {"sae": sae})
        tx.replace(FAILURES, [folder], sae=sae)
    return bool(changed)
