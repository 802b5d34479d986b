"""What is asked for: the protein, its variants, and what was measured of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplm_wh import names
from interplm_wh.encode import models
from interplm_wh.errors import InputError, NotThereError, faults_message
from interplm_wh.store import Warehouse
from interplm_wh.variants import given, notation, stale
from interplm_wh.variants.given import Measured
from interplm_wh.variants.notation import Variant
from interplm_wh.variants.write import Target

MIN_CHANGE = 0.05
"""Changes of normalised activation up to this are left out unless somebody says otherwise: as low as what
`build` counts as present, and far above what a batch does to the last digits."""


def find_target(wh: Warehouse, sae: str, protein: str) -> tuple[Target, NDArray[np.float32]]:
    """Look up the SAE, its scale and the protein."""
    row = models.sae_rows(wh, [sae])[0]
    found = wh.sql(
        "select protein_id, sequence, is_private from proteins where accession = ?", [protein]
    ).to_pylist()
    if not found:
        known = wh.sql("select accession from proteins order by accession")["accession"].to_pylist()
        near = names.nearest(protein, known)
        hint = f"did you mean {near}?" if near else "add it with: interplm-wh add proteins"
        raise NotThereError(f"there is no protein {protein!r} in {wh.path}; {hint}")
    table = wh.sql("select max_activation from features where sae = ? order by feature", [sae])
    if not table.num_rows:
        raise InputError(
            f"{sae} has no scale yet, by which changes are measured; run: interplm-wh encode, then build"
        )
    scale: NDArray[np.float32] = np.nan_to_num(table["max_activation"].to_numpy()).astype(np.float32)
    state = stale.state(wh.con, sae, protein)
    return Target(
        row, found[0]["protein_id"], protein, found[0]["sequence"], found[0]["is_private"], state
    ), scale


def check_features(sae: str, features: Sequence[int], scale: NDArray[np.float32]) -> None:
    faults = [
        f"{feature}: there is no such feature; {sae} has features 0 to {len(scale) - 1:,}"
        if not 0 <= feature < len(scale)
        else f"{feature}: the feature is dead: it was never active where the scale was taken"
        for feature in features
        if not 0 <= feature < len(scale) or scale[feature] == 0
    ]
    if faults:
        raise InputError(faults_message("--feature", faults, "nothing was changed; choose others"))


def read_effects(path: str | Path | None, target: Target, column: str) -> Measured | None:
    return None if path is None else given.of_measured(Path(path), target.sequence, column=column)


def find_variants(
    wh: Warehouse,
    target: Target,
    *,
    mutations: Sequence[str],
    file: str | Path | None,
    scan: str | None,
    effects: Measured | None,
) -> list[Variant]:
    """Return the variants that are asked for, each once."""
    if bool(mutations) + (file is not None) + (scan is not None) > 1:
        raise InputError("give one of --mutation, --mutations and --scan")
    found: Iterable[Variant]
    if mutations:
        found = given.of_words(mutations, target.sequence)
    elif file is not None:
        found = given.of_file(Path(file), target.sequence)
    elif scan is not None:
        found = notation.scan(target.sequence, scan)
    elif effects is not None:
        found = effects.effects
    else:
        rows = wh.sql(
            "select variant from variants where sae = ? and accession = ?", [target.row.sae, target.accession]
        )
        found = [notation.parse(name) for name in rows["variant"].to_pylist()]
        if not found:
            raise InputError(
                f"no variants of {target.accession} were compared yet; give --mutation, --mutations FILE, "
                "--scan or --measured FILE"
            )
    return list(found)


def floor_of(wh: Warehouse, target: Target) -> float | None:
    """Return the floor of the variants that are there; None without any."""
    found = wh.sql(
        "select min(min_change) as floor from variants where sae = ? and accession = ?",
        [target.row.sae, target.accession],
    )
    floor: float | None = found["floor"].to_pylist()[0]
    return floor


def find_floor(wh: Warehouse, target: Target, wanted: Sequence[Variant], min_change: float | None) -> float:
    """Return the floor, one for all variants of a protein, so that they can be ranked."""
    if min_change is not None and not (math.isfinite(min_change) and min_change >= 0):
        raise InputError(f"--min-change {min_change}: give a number that is not below 0")
    before = floor_of(wh, target)
    if min_change is None or min_change == before:
        return before if before is not None else MIN_CHANGE
    rows = wh.sql(
        "select variant from variants where sae = ? and accession = ?", [target.row.sae, target.accession]
    )
    others = set(rows["variant"].to_pylist()) - {variant.name for variant in wanted}
    if others:
        again = stale.command(target.row.sae, target.accession)
        raise InputError(
            f"--min-change {min_change:g}: {len(others):,} other variants of {target.accession} were "
            f"compared with {before:g}, and would not be comparable; give the same, or make all of them "
            f"anew: interplm-wh {again} --min-change {min_change:g}"
        )
    return min_change
