"""Compare variants of a protein with the wild type, feature by feature and residue by residue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interplm_wh import hub, progress, store
from interplm_wh.encode import models
from interplm_wh.encode.blocks import blocks
from interplm_wh.store import Warehouse
from interplm_wh.store.staging import Staging
from interplm_wh.variants import asked, given, measured, stale
from interplm_wh.variants.file import writing
from interplm_wh.variants.given import Measured
from interplm_wh.variants.notation import Variant
from interplm_wh.variants.report import VariantsReport, made_report
from interplm_wh.variants.write import Made, Target, register

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM


@dataclass(frozen=True)
class _How:
    """How variants are compared.

    Attributes
    ----------
    scale : float32 array [n_features]
    min_change : float
    dtype : str
    device : str or None
    """

    scale: NDArray[np.float32]
    min_change: float
    dtype: str
    device: str | None


def variants(
    warehouse: str | Path,
    sae: str,
    protein: str,
    *,
    mutations: Sequence[str] = (),
    file: str | Path | None = None,
    scan: str | None = None,
    effects: str | Path | None = None,
    column: str = given.MEASURED,
    features: Sequence[int] = (),
    min_change: float | None = None,
    dtype: str = "float32",
    device: str | None = None,
) -> VariantsReport:
    """Compare variants of a protein with the wild type, and rank them by what they change.

    Writes `variants` and `variant_changes`; with measured effects also `variant_measurements` and
    `variant_correlations`. What is there already, made from the same weights, scale and sequence, is not
    computed again; what was made from others is replaced.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
        An SAE with a scale; the protein need not be encoded.
    protein : str
        Accession.
    mutations : sequence of str
        Variants such as A12V, p.Ala12Val or A12V:G20D (positions 1-based).
    file : str or Path, optional
        CSV, TSV or Parquet with variants in a column mutant, mutation or variant.
    scan : str, optional
        All single substitutions of a stretch such as 10-40, or 'all'. Of these three give at most one;
        without any, those of `effects` are taken, else those that are there.
    effects : str or Path, optional
        Such a file with a measured effect of each variant.
    column : str
        Its column with the effect.
    features : sequence of int
        Rank by the change of these features alone.
    min_change : float, optional
        Changes of normalised activation up to this are left out; by default as before for this protein,
        and 0.05 at first.
    dtype : {'float32', 'bfloat16', 'float16'}
        Number format of the PLM.
    device : str, optional

    Raises
    ------
    NotThereError
        If there is no such warehouse, SAE, protein or feature.
    InputError
        If a variant is none of the protein, a feature is dead, or a number is out of range: all faults of
        one input in one message.
    MismatchError
        If hidden states are not finite.
    """
    started = time.monotonic()
    root = Path(warehouse).resolve()
    with store.open(root) as wh:
        target, scale = asked.find_target(wh, sae, protein)
        asked.check_features(sae, features, scale)
        found = asked.read_effects(effects, target, column)
        wanted = asked.find_variants(wh, target, mutations=mutations, file=file, scan=scan, effects=found)
        how = _How(scale, asked.find_floor(wh, target, wanted, min_change), dtype, device)
        made_from = stale.dump(target.state, dtype=dtype)
        there = stale.current_names(wh.con, sae, target.accession, made_from)
        kept = there if asked.floor_of(wh, target) == how.min_change else set()
        missing = sorted((v for v in wanted if v.name not in kept), key=lambda v: v.name)
        said = {"scan": scan, "n_variants": len(wanted)}
        inputs = [Path(path) for path in (file, effects) if path is not None]
        unscaled = _make(wh, target, how, missing, found, inputs=inputs, said=said)
    return made_report(
        root,
        target,
        asked=[variant.name for variant in wanted],
        n_made=len(missing),
        features=features,
        effects=found,
        n_unscaled=unscaled,
        seconds=time.monotonic() - started,
    )


def _make(
    wh: Warehouse,
    target: Target,
    how: _How,
    missing: Sequence[Variant],
    effects: Measured | None,
    *,
    inputs: Sequence[Path],
    said: Mapping[str, object],
) -> int:
    """Compare what is missing and register it; returns how many features without a scale were active."""
    if not missing and effects is None:
        return 0
    with store.stage(wh.path) as staging, hub.extra_needed():
        plm = models.open_plm(wh, target.row.plm, device=how.device, dtype=how.dtype)
        plm.check_letters({target.accession: target.sequence})
        made, unscaled = _compared(wh, target, how, missing, plm=plm, staging=staging)
        odds = measured.log_odds(plm, target.sequence, effects.effects) if effects else None
        settings = {
            "sae": target.row.sae, "protein": target.accession, "min_change": how.min_change,
            "dtype": how.dtype, "measured": effects.name if effects else None, **said,
        }  # fmt: skip
        register(staging, target, made=made, effects=effects, odds=odds, inputs=inputs, settings=settings)
    return unscaled


def _compared(
    wh: Warehouse,
    target: Target,
    how: _How,
    missing: Sequence[Variant],
    *,
    plm: PLM,
    staging: Staging,
) -> tuple[Made | None, int]:
    """Encode the wild type once and the variants block by block, and write what they change."""
    from interplm_wh.encode.encoder import check_finite
    from interplm_wh.variants.difference import WildType

    if not missing:
        return None, 0
    sae, layer, length = target.row.sae, target.row.layer, len(target.sequence)
    model = models.open_sae(wh, target.row, plm=plm)
    first = plm.hidden_states([target.sequence], [layer])
    check_finite(plm, first, layer=layer, accessions=[target.accession])
    wild = WildType.of(model, first.states[layer], scale=how.scale, min_change=how.min_change)
    folder = staging.new_folder(stale.CHANGES, sae=sae)
    n_residues = len(missing) * length
    with (
        progress.track(f"variants of {target.accession}", total=n_residues, unit="residues") as bar,
        writing(folder / "part-0.parquet", target.protein_id) as writer,
    ):
        for block in blocks([length] * len(missing)):
            chosen = missing[block.start : block.stop]
            hidden = plm.hidden_states([variant.of(target.sequence) for variant in chosen], [layer])
            accessions = [f"{target.accession} {variant.name}" for variant in chosen]
            check_finite(plm, hidden, layer=layer, accessions=accessions)
            writer.add(wild.changes(hidden.states[layer]), [variant.name for variant in chosen])
            bar.advance(len(chosen) * length)
    return Made(missing, folder, how.min_change, how.dtype), len(wild.unscaled)
