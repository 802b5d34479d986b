"""Variants on their way into the warehouse: a Parquet file, and its registration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import __version__, schema, store
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.register import LAST_WAIT_SECONDS
from interplm_wh.errors import NotThereError
from interplm_wh.store import Transaction, layout
from interplm_wh.store.rows import value
from interplm_wh.store.staging import Staging
from interplm_wh.variants import measured, stale
from interplm_wh.variants.given import Measured
from interplm_wh.variants.notation import Variant

if TYPE_CHECKING:
    pass

_OVERLAP = (
    "select count(*) from variants as v semi join given_variants as g on v.variant = g.variant "
    "where v.sae = $sae and v.protein_id = $protein_id"
)
_KEPT = "select t.* from ({rows}) as t anti join given_variants as g on t.variant = g.variant"


@dataclass(frozen=True)
class Target:
    """The protein whose variants are compared, with one SAE.

    Attributes
    ----------
    row : SaeRow
    protein_id : int
    accession, sequence : str
    is_private : bool
    state : str
        What the comparison depends on, see `stale`.
    """

    row: SaeRow
    protein_id: int
    accession: str
    sequence: str
    is_private: bool
    state: str


@dataclass(frozen=True)
class Made:
    """Variants that were compared and that no catalogue names yet.

    Attributes
    ----------
    variants : sequence of Variant
        In the order of their names.
    folder : Path
        The staged folder of their changes.
    min_change : float
    dtype : str
    """

    variants: Sequence[Variant]
    folder: Path
    min_change: float
    dtype: str


def register(
    staging: Staging,
    target: Target,
    *,
    made: Made | None,
    effects: Measured | None,
    odds: Mapping[Variant, float] | None,
    inputs: Sequence[Path],
    settings: Mapping[str, Any],
) -> None:
    """Put variants and measured effects into the warehouse, and correlate anew.

    Raises
    ------
    LockedError
        If another process writes for a day.
    NotThereError
        If the SAE, its scale or the protein is another one by now.
    """
    with store.write(
        staging.root,
        command="variants",
        settings=settings,
        staging=staging,
        wait_seconds=LAST_WAIT_SECONDS,
    ) as tx:
        if stale.state(tx.con, target.row.sae, target.accession) != target.state:
            raise NotThereError(
                f"{target.row.sae}, its scale or {target.accession} was changed or removed meanwhile; "
                "nothing was registered; run it again"
            )
        for path in inputs:
            tx.fingerprint_input(path)
        if made is not None:
            _write_variants(tx, target, made)
        if effects is not None:
            _write_effects(tx, target, effects, odds or {})
        _correlate(tx, target)
        tx.publish()


def _write_variants(tx: Transaction, target: Target, made: Made) -> None:
    sae, accession = target.row.sae, target.accession
    tx.con.register("given_variants", _rows(target, made))
    asked = {"sae": sae, "protein_id": _protein_id(tx, target)}
    if value(tx.con, _OVERLAP, asked):
        for table in (stale.VARIANTS, stale.CHANGES):
            _take_out(tx, table, sae=sae, accession=accession)
    fingerprint = stale.dump(target.state, dtype=made.dtype)
    tx.append(made.folder, source=accession, fingerprint=fingerprint)
    folder = tx.new_folder(stale.VARIANTS, sae=sae)
    tx.write_query(folder, "from given_variants")
    tx.append(folder, source=accession, fingerprint=fingerprint)
    tx.con.unregister("given_variants")


def _protein_id(tx: Transaction, target: Target) -> int:
    """Return the number of the protein, which is what it was unless proteins were removed meanwhile."""
    found = int(value(tx.con, "select protein_id from proteins where accession = ?", [target.accession]))
    if found != target.protein_id:
        raise NotThereError(
            f"{target.accession}: proteins were removed meanwhile; nothing was registered; run it again"
        )
    return found


def _rows(target: Target, made: Made) -> pa.Table:
    """Return the rows of `variants`."""
    first = [variant.substitutions for variant in made.variants]
    n = len(first)
    return pa.table(
        {
            "protein_id": pa.array([target.protein_id] * n, pa.int32()),
            "accession": pa.array([target.accession] * n),
            "variant": pa.array([variant.name for variant in made.variants]),
            "n_mutations": pa.array([len(parts) for parts in first], pa.int32()),
            "position": pa.array([parts[0].position for parts in first], pa.int32()),
            "wild_type": pa.array(["".join(one.wild_type for one in parts) for parts in first]),
            "mutant": pa.array(["".join(one.mutant for one in parts) for parts in first]),
            "is_private": pa.array([target.is_private] * n),
            "min_change": pa.array([made.min_change] * n, pa.float64()),
            "dtype": pa.array([made.dtype] * n),
            "package_version": pa.array([__version__] * n),
        }
    )


def _take_out(tx: Transaction, table: str, *, sae: str, accession: str) -> None:
    """Write the folders of a protein's variants anew, without those that are given."""
    folders = tx.con.execute(
        "select folder, fingerprint from folders where is_current and table_name = ? and sae = ? "
        "and source = ? order by rank",
        [table, sae, accession],
    ).fetchall()
    tx.drop(table, sae=sae, source=accession)
    for old, fingerprint in folders:
        rows = _KEPT.format(rows=layout.view_select(schema.table(table), [tx.locate(old)]))
        folder = tx.new_folder(table, sae=sae)
        path = tx.write_query(folder, rows)
        if pq.read_metadata(path).num_rows:
            tx.append(folder, source=accession, fingerprint=fingerprint)


def _write_effects(tx: Transaction, target: Target, effects: Measured, odds: Mapping[Variant, float]) -> None:
    rows = pa.table(
        {
            "protein_id": pa.array([_protein_id(tx, target)] * len(effects.effects), pa.int32()),
            "measurement": pa.array([effects.name] * len(effects.effects)),
            "variant": pa.array([variant.name for variant in effects.effects]),
            "measured": pa.array(list(effects.effects.values()), pa.float64()),
            "log_odds": pa.array([odds.get(variant) for variant in effects.effects], pa.float64()),
        }
    )
    tx.con.register("given_effects", rows)
    folder = tx.new_folder(stale.MEASUREMENTS, sae=target.row.sae)
    tx.write_query(folder, "from given_effects")
    tx.con.unregister("given_effects")
    source = json.dumps([target.accession, effects.name])
    tx.replace(stale.MEASUREMENTS, [folder], sae=target.row.sae, source=source)


def _correlate(tx: Transaction, target: Target) -> None:
    """Correlate every measured effect of the protein with its variants as they are now."""
    sae, accession = target.row.sae, target.accession
    measurements = tx.con.execute(
        "select distinct measurement from variant_measurements where sae = ? and protein_id = ? order by all",
        [sae, target.protein_id],
    ).fetchall()
    if not measurements:
        return
    tx.lay_macros()  # the ranking is correlated
    found = [
        measured.correlations(
            tx.con, sae=sae, accession=accession, protein_id=target.protein_id, measurement=name
        )
        for (name,) in measurements
    ]
    tx.con.register("given_correlations", pa.concat_tables(found))
    folder = tx.new_folder(stale.CORRELATIONS, sae=sae)
    tx.write_query(folder, "from given_correlations")
    tx.con.unregister("given_correlations")
    tx.replace(stale.CORRELATIONS, [folder], sae=sae, source=accession)
