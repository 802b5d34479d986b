"""What was measured in one run as rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh import __version__
from interplm_wh.steer import positions as places
from interplm_wh.steer.copies import LETTERS
from interplm_wh.steer.measure import Compared, Effects
from interplm_wh.steer.moved import Seen
from interplm_wh.steer.plan import Plan, Target
from interplm_wh.steer.sample import Sampled


def run_row(
    name: str, plan: Plan, target: Target, *, dtype: str, n_passes: int, started: datetime, seconds: float
) -> pa.Table:
    """Return the row of `steering_runs`."""
    asked, row = plan.asked, plan.steered.row
    is_sampled = asked.n_samples > 0
    cells = {
        "run": name,
        "features": ",".join(map(str, asked.features)),
        "feature": asked.features[0] if len(asked.features) == 1 else None,
        "max_activations": ",".join(f"{value:.9g}" for value in plan.max_activations),
        "how": asked.how,
        "doses": ",".join(f"{dose:g}" for dose in asked.doses),
        "accession": target.accession,
        "is_private": target.is_private,
        "sequence": target.sequence,
        "length": len(target.sequence),
        "positions": places.write(target.touched),
        "n_touched": len(target.touched),
        "mask": "each" if plan.is_masked else "none",
        "measured": places.write(target.measured),
        "watched": places.write(target.watched) if plan.controls else None,
        "n_live": plan.n_live,
        "n_controls": len(plan.controls),
        "read_saes": ",".join(one.row.sae for one in plan.readers) or None,
        "n_samples": asked.n_samples,
        "n_sweeps": asked.n_sweeps if is_sampled else None,
        "temperature": asked.temperature if is_sampled else None,
        "resampled": places.write(target.resampled) if is_sampled else None,
        "seed": asked.seed,
        "plm": row.plm,
        "layer": row.layer,
        "dtype": dtype,
        "n_passes": n_passes,
        "seconds": seconds,
        "started": started,
        "package_version": __version__,
    }
    return pa.table({key: [value] for key, value in cells.items()})


def effects(name: str, doses: Sequence[float], target: Target, found: Effects, seen: Seen) -> pa.Table:
    """Return rows of `steering_effects`."""
    at = np.array(found.positions) - 1
    n_doses, n_positions = found.kl.shape
    letters = np.array(list(LETTERS))

    def each_dose(values: object) -> NDArray[Any]:
        return np.tile(np.asarray(values), n_doses)

    return pa.table(
        {
            "run": [name] * found.kl.size,
            "dose": np.repeat(np.array(doses), n_positions),
            "position": each_dose(found.positions),
            "amino_acid": each_dose(list(target.sequence)).reshape(n_doses, -1)[:, at].ravel().tolist(),
            "is_touched": each_dose(np.isin(found.positions, target.touched)),
            "kl": found.kl.ravel(),
            "p_true_before": each_dose(found.true_before),
            "p_true_after": found.true_after.ravel(),
            "entropy_before": each_dose(found.entropy_before),
            "entropy_after": found.entropy_after.ravel(),
            "top_before": each_dose(letters[found.letters_before.argmax(axis=1)]).tolist(),
            "top_after": letters[found.letters_after.argmax(axis=2)].ravel().tolist(),
            "activation": each_dose(seen.activation[at]),
            "delta_norm": seen.delta_norm[:, at].ravel(),
            "state_norm": each_dose(seen.state_norm[at]),
        }
    )


def probabilities(name: str, doses: Sequence[float], found: Effects) -> pa.Table:
    """Return rows of `steering_probabilities`."""
    n_doses, n_positions, n_letters = found.letters_after.shape
    return pa.table(
        {
            "run": [name] * found.letters_after.size,
            "dose": np.repeat(np.array(doses), n_positions * n_letters),
            "position": np.tile(np.repeat(np.array(found.positions), n_letters), n_doses),
            "letter": list(LETTERS) * (n_doses * n_positions),
            "p_before": np.tile(found.letters_before.ravel(), n_doses),
            "p_after": found.letters_after.ravel(),
        }
    )


def controls(name: str, plan: Plan, target: Target, found: Compared | None) -> pa.Table:
    """Return rows of `steering_controls`; none without controls."""
    if found is None:
        return pa.table({})
    n_doses, n_sides, n_positions = found.kl.shape
    features = [None, *plan.controls]
    letters = [target.sequence[p - 1] for p in found.positions]
    times = n_doses * n_sides
    return pa.table(
        {
            "run": [name] * found.kl.size,
            "dose": np.repeat(np.array(plan.asked.doses), n_sides * n_positions),
            "control": np.tile(np.repeat(np.arange(n_sides), n_positions), n_doses),
            "feature": pa.array([f for f in features for _ in range(n_positions)] * n_doses, pa.int32()),
            "position": list(found.positions) * times,
            "amino_acid": letters * times,
            "is_touched": np.isin(found.positions, target.touched).tolist() * times,
            "kl": found.kl.ravel(),
            "p_true_before": found.true_before.tolist() * times,
            "p_true_after": found.true_after.ravel(),
            "delta_norm": found.delta_norm.ravel(),
        }
    )


def samples(name: str, plan: Plan, target: Target, found: Sequence[Sampled]) -> pa.Table:
    """Return rows of `steering_samples`; none without samples."""
    return pa.Table.from_pylist([row for one in found for row in _sample_rows(name, plan, target, one)])


def _sample_rows(name: str, plan: Plan, target: Target, one: Sampled) -> list[dict[str, object]]:
    return [
        {
            "run": name,
            "dose": one.dose,
            "sample": i + 1,
            "feature": feature,
            "is_steered": one.dose is not None,
            "sequence": text,
            "n_changed": sum(a != b for a, b in zip(text, target.sequence, strict=True)),
            "pseudo_perplexity": float(one.pseudo_perplexity[i]),
            "max_activation": float(one.max_activation[i, j]),
            "mean_activation": float(one.mean_activation[i, j]),
        }
        for i, text in enumerate(one.sequences)
        for j, feature in enumerate(plan.asked.features)
    ]
