"""One run: all that is measured of one sequence, as rows of the tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import torch

from interplm_wh.plm.base import PLM
from interplm_wh.sae.base import SAE
from interplm_wh.steer import measure, moved, rows
from interplm_wh.steer import sample as sampling
from interplm_wh.steer.edit import Edit, unit_directions
from interplm_wh.steer.measure import Advance, Compared
from interplm_wh.steer.moved import Readable
from interplm_wh.steer.plan import Plan, Target
from interplm_wh.steer.sample import Sampled


@dataclass(frozen=True)
class Done:
    """What was measured in one run.

    Attributes
    ----------
    run : str
    target : Target
    tables : dict of str to Table
        Rows of each table by its name, less `steering_features`, which SQL makes of `activations`.
    activations : pa.Table
        What other SAEs read; see `moved.Seen`.
    """

    run: str
    target: Target
    tables: dict[str, pa.Table]
    activations: pa.Table


def n_passes(plan: Plan, target: Target) -> int:
    """Return how many copies of the sequence go through the PLM, less the few that are only read."""
    n_doses, length = len(plan.asked.doses), len(target.sequence)
    n_measured = len(target.measured) if plan.is_masked else 1
    n_watched = 0 if not plan.controls else len(target.watched) if plan.is_masked else 1
    draws = len(target.resampled) * plan.asked.n_sweeps + length
    return (
        n_measured * (1 + n_doses)
        + n_watched * (1 + n_doses * (1 + len(plan.controls)))
        + plan.asked.n_samples * (1 + n_doses) * draws
    )


def run(
    plm: PLM,
    sae: SAE,
    readers: Sequence[Readable],
    plan: Plan,
    target: Target,
    *,
    name: str,
    advance: Advance,
) -> Done:
    """Measure one sequence; `name` is that of the run."""
    started, began = datetime.now(UTC).replace(tzinfo=None), time.monotonic()
    asked, layer = plan.asked, plan.steered.row.layer
    edits = [Edit(sae, asked.features, plan.max_activations, asked.how, dose) for dose in asked.doses]
    found = measure.effects(plm, layer, edits, target, is_masked=plan.is_masked, advance=advance)
    seen = moved.see(plm, layer, edits, readers, target)
    tables = {
        "steering_effects": rows.effects(name, asked.doses, target, found, seen),
        "steering_probabilities": rows.probabilities(name, asked.doses, found),
        "steering_controls": rows.controls(
            name, plan, target, _controls(plm, sae, edits, plan, target, advance)
        ),
        "steering_samples": rows.samples(name, plan, target, _samples(plm, edits, plan, target, advance)),
    }
    tables["steering_runs"] = rows.run_row(
        name, plan, target, dtype=plm.dtype, n_passes=n_passes(plan, target), started=started,
        seconds=time.monotonic() - began,
    )  # fmt: skip
    return Done(name, target, tables, seen.activations)


def _controls(
    plm: PLM, sae: SAE, edits: Sequence[Edit], plan: Plan, target: Target, advance: Advance
) -> Compared | None:
    """Measure the controls; None where there are none."""
    if not plan.controls:
        return None
    units = unit_directions(sae, plan.controls, device=plm.device)
    return measure.compare(
        plm, plan.steered.row.layer, edits, units, target, is_masked=plan.is_masked, advance=advance
    )


def _samples(plm: PLM, edits: Sequence[Edit], plan: Plan, target: Target, advance: Advance) -> list[Sampled]:
    """Sample without steering, then under every dose."""
    asked, layer = plan.asked, plan.steered.row.layer
    if not asked.n_samples:
        return []
    draw = sampling.Draw(asked.n_samples, asked.n_sweeps, asked.temperature, asked.seed)
    plain = sampling.sample(plm, layer, edits[0], target, draw, is_steered=False, advance=advance)
    steered = [
        sampling.sample(plm, layer, one, target, draw, is_steered=True, advance=advance) for one in edits
    ]
    return [plain, *steered]


def readable(name: str, layer: int, sae: SAE, scale: Sequence[float], *, plm: PLM) -> Readable:
    """Return an SAE that reads along, on the device of the PLM."""
    return Readable(name, layer, sae, torch.tensor(scale, dtype=torch.float32, device=plm.device))
