"""The pairs of SAEs and controls that are laid side by side: under their own scale, and one of valid alone.

For the second, everything is counted once more, with the same SQL, in a working copy that is never
published: the scale of the SAE stays what it is, and only the pairs are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from interplm_wh import progress, schema, sqlfile, store
from interplm_wh.build import blocks, marts, plan, run
from interplm_wh.build.derived import Outdated
from interplm_wh.build.make import DuckDB
from interplm_wh.build.scale import TABLE as SCALE
from interplm_wh.build.scale import fix
from interplm_wh.controls.kinds import RULES
from interplm_wh.errors import NotThereError
from interplm_wh.store import Staging, Transaction, Warehouse
from interplm_wh.store.rows import first_row, value

TABLE = "compared_pairs"
_PAIRS = "heldout_pairs"
_WAIT_SECONDS = 86_400.0


def made_from(con: duckdb.DuckDBPyConnection, sae: str) -> str | None:
    """Return the folder of `heldout_pairs` that a build made last of an SAE; None where there is none."""
    folders = plan.folders_of(con, _PAIRS, sae)
    return folders[0][0] if folders else None


def are_current(con: duckdb.DuckDBPyConnection, sae: str) -> bool:
    """Whether the pairs of an SAE were counted since its last build."""
    now = made_from(con, sae)
    return now is not None and [seen for _, seen in plan.folders_of(con, TABLE, sae)] == [now]


def outdated(wh: Warehouse) -> list[Outdated]:
    """Return the SAEs and controls whose pairs were counted before their last build."""
    counted = wh.con.execute(
        "select distinct f.sae, case when s.role = 'sae' then s.sae else coalesce(s.control_of, s.sae) end "
        "from folders as f inner join saes as s on f.sae = s.sae "
        "where f.is_current and f.table_name = $table order by f.sae",
        {"table": TABLE},
    ).fetchall()
    return [Outdated(sae, TABLE, f"controls {of}") for sae, of in counted if not are_current(wh.con, sae)]


def count_pairs(warehouse: str | Path, saes: Sequence[str]) -> tuple[str, ...]:
    """Count the pairs of SAEs and controls that were built since; returns which.

    The lock is held only while they are registered. Counting costs about as much as the build of the
    tables about concepts.

    Raises
    ------
    NotThereError
        If an SAE was not built, or was built anew or removed meanwhile.
    """
    counted = []
    for sae in saes:
        with store.open(warehouse) as wh:
            root, before, is_current = wh.path, made_from(wh.con, sae), are_current(wh.con, sae)
        if is_current:
            continue
        if before is None:
            raise NotThereError(f"{sae}: nothing was built yet; run: interplm-wh build")
        with store.stage(root) as staging:
            folder = _counted(root, staging, sae)
            settings = {"sae": sae, "table": TABLE}
            with store.write(
                root, command="controls", settings=settings, staging=staging, wait_seconds=_WAIT_SECONDS
            ) as tx:
                if made_from(tx.con, sae) != before:
                    raise NotThereError(f"{sae} was built anew meanwhile; run the same command again")
                tx.replace(TABLE, [folder], sae=sae, fingerprint=before)
                tx.publish()
        counted.append(sae)
    return tuple(counted)


def _counted(root: Path, staging: Staging, sae: str) -> Path:
    """Write the pairs of one SAE into a staged folder; nothing else of the working copy outlives this."""
    tx = Transaction(root, staging, command="controls", settings={})
    try:
        row = first_row(tx.con, "select role, architecture, d_model from saes where sae = ?", [sae])
        if row is None:
            raise NotThereError(f"{sae} was removed meanwhile; see: interplm-wh info")
        role, architecture, d_model = row
        sets = {"all": None, "published": d_model} if role == "neurons" and d_model else {"all": None}
        tx.con.execute(f"create temp table counted_pairs as {schema.table(TABLE).empty_select}")
        for name in ("own", "valid"):
            if name == "valid" and architecture not in RULES and not _scale_by_valid(tx, sae):
                continue
            for feature_set, n_features in sets.items():
                with _only(tx, sae, n_features):
                    _choose(tx, sae, scale_name=name, feature_set=feature_set)
        folder = tx.new_folder(TABLE, sae=sae)
        tx.write_query(folder, "from counted_pairs")
        return folder
    finally:
        tx.close()


def _scale_by_valid(tx: Transaction, sae: str) -> bool:
    """Count again under the maxima over valid, as far as pairs need it; False where valid is empty."""
    n_valid = value(
        tx.con,
        "select count(*) from encodings as e inner join proteins as p on e.protein_id = p.protein_id "
        "where e.sae = ? and p.split = 'valid'",
        [sae],
    )
    if not n_valid:
        return False
    features = next(mart for mart in marts.ordered() if mart.name == SCALE)
    blocks.focus(tx, sae)
    try:
        with progress.track(f"{sae}: scale of valid") as bar:
            fix(tx, features, sae, source="valid", engine=DuckDB(), bar=bar)
    finally:
        blocks.release(tx)
    run(tx, marts.with_ancestors({_PAIRS}) - {_PAIRS}, saes=[sae])
    return True


@contextmanager
def _only(tx: Transaction, sae: str, n_features: int | None) -> Iterator[None]:
    """Let tables hold one SAE, and `concept_f1` its first features alone where that is asked for."""
    blocks.focus(tx, sae)
    try:
        if n_features is not None:
            every = sqlfile.load("marts", "concept_f1").sql
            first = f"create or replace temp table concept_f1 as select * from ({every}) where feature < $n"  # noqa: S608
            tx.con.execute(first, {"n": n_features})
        yield
    finally:
        tx.con.execute("drop table if exists temp.concept_f1")
        blocks.release(tx)


def _choose(tx: Transaction, sae: str, *, scale_name: str, feature_set: str) -> None:
    """Choose on valid and read on test what the tables hold now."""
    pairs = sqlfile.load("marts", _PAIRS)
    tx.con.execute(f"create or replace temp table chosen_pairs as {pairs.sql}", pairs.bind({"sae": sae}))
    found = sqlfile.load("controls", TABLE)
    values = {"sae": sae, "scale": scale_name, "feature_set": feature_set}
    tx.con.execute(f"insert into counted_pairs by name {found.sql}", found.bind(values))
