"""Steer a PLM along features of an SAE, and keep what happened."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interplm_wh import hub, progress, store
from interplm_wh.errors import InputError
from interplm_wh.steer import keep, prepare
from interplm_wh.steer.plan import Asked, Plan, Target
from interplm_wh.steer.report import SteerReport

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM
    from interplm_wh.steer.work import Done

N_CONTROLS = 100
LAST_WAIT_SECONDS = 86_400.0


def steer(
    warehouse: str | Path,
    sae: str,
    *,
    features: Sequence[int] = (),
    features_sql: str | None = None,
    clamp: Sequence[float] = (),
    scale: Sequence[float] = (),
    proteins: Sequence[str] = (),
    sequence: str | None = None,
    positions: str | None = None,
    mask: str = "all",
    watch: str | None = None,
    n_controls: int = N_CONTROLS,
    read: Sequence[str] = (),
    n_samples: int = 0,
    n_sweeps: int = 1,
    temperature: float = 1.0,
    resample: str | None = None,
    seed: int = 0,
    device: str | None = None,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    skip_done: bool = False,
) -> SteerReport:
    """Set features of an SAE inside the PLM, let the rest of it run, and keep what happened.

    Each protein is a run of its own. Asked for again, a run takes its own place.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    features : sequence of int
        0-based; those of `features_sql`, one SELECT with a column `feature`, are added.
    clamp, scale : sequence of float
        Doses, of one of them: a feature is set to the dose times its scale, or times what it was.
    proteins : sequence of str
        Accessions; or `sequence`, letters, of which spaces and a stop at the end are left out.
    positions : str, optional
        What is edited, such as '1-5,9': 1-based, ends included. All residues by default.
    mask : str
        'all': each residue is masked in a pass of its own and measured; positions: these alone; 'none': the
        PLM sees all residues, in one pass.
    watch : str, optional
        Positions at which controls are compared; by default up to 8 touched and 8 untouched ones.
    n_controls : int
        At least 100, or 0 for none. Fewer are taken where the SAE has no more live features.
    read : sequence of str
        SAEs of the same layer or later ones in which the moves of other features are read.
    n_samples, n_sweeps, temperature, resample
        Sequences sampled per dose; how often each position is drawn anew, at which temperature, and which
        positions: all by default.
    seed : int
        Of controls, watched positions and samples.
    device, dtype
        Of the PLM.
    skip_done : bool
        Leave runs alone that are there already.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or it has no scale.
    InputError
        If features, positions, proteins or numbers cannot be steered; all faults are in one message.
    MismatchError
        If predictions are not finite, or the warehouse changed meanwhile.
    ModelError
        If the PLM has no masked-token head.
    """
    started = time.monotonic()
    if bool(clamp) == bool(scale):
        raise InputError("give doses with either --clamp or --scale")
    chosen = [*features, *_chosen(warehouse, features_sql)]
    asked = Asked(
        sae=sae,
        features=tuple(dict.fromkeys(chosen)),
        how="clamp" if clamp else "scale",
        doses=tuple(sorted({float(dose) + 0.0 for dose in (clamp or scale)})),
        proteins=tuple(dict.fromkeys(proteins)),
        sequence=None if sequence is None else "".join(sequence.split()).upper().rstrip("*"),
        positions=positions,
        mask=mask,
        watch=watch,
        n_controls=n_controls,
        read=tuple(dict.fromkeys(read)),
        n_samples=n_samples,
        n_sweeps=n_sweeps,
        temperature=temperature,
        resample=resample,
        seed=seed,
    )
    with store.open(warehouse) as wh:
        plan = prepare.prepare(wh, asked)
        runs = _named(wh, plan, dtype=dtype)
        left = _left(wh, sae, runs) if skip_done else runs
        done = _work(wh, plan, left, device=device, dtype=dtype) if left else []
    settings = {
        "sae": sae, "features": list(asked.features), asked.how: list(asked.doses),
        "proteins": list(asked.proteins), "runs": [one.run for one in done], "seed": seed,
    }  # fmt: skip
    if done:
        with store.write(warehouse, command="steer", settings=settings, wait_seconds=LAST_WAIT_SECONDS) as tx:
            keep.require_same(tx, plan, done)
            for one in done:
                keep.keep(tx, sae, plan, one)
            tx.publish()
    names = list(runs)
    with store.open(warehouse) as wh:
        rows = wh.sql(
            "from steering_summary($sae) where list_contains($runs, run)", {"sae": sae, "runs": names}
        )
        worth = wh.sql(
            "from steering_worth($sae) where list_contains($runs, run)", {"sae": sae, "runs": names}
        )
    return SteerReport(
        sae, tuple(names), len(done), tuple(rows.to_pylist()), tuple(worth.to_pylist()), n_controls,
        len(plan.controls),
        time.monotonic() - started,
    )  # fmt: skip


def _named(wh: store.Warehouse, plan: Plan, *, dtype: str) -> dict[str, Target]:
    """Return what is steered by the name of the run."""
    from interplm_wh.encode.models import plm_row

    plm = plm_row(wh, plan.steered.row.plm)
    revision = plm.revision if plm is not None else None
    return {plan.run_id(target, dtype=dtype, revision=revision): target for target in plan.targets}


def _left(wh: store.Warehouse, sae: str, runs: Mapping[str, Target]) -> dict[str, Target]:
    """Return those that are not there yet."""
    there = set(wh.sql("select run from steering_runs where sae = ?", [sae])["run"].to_pylist())
    return {run: target for run, target in runs.items() if run not in there}


def _chosen(warehouse: str | Path, sql: str | None) -> list[int]:
    """Return the features that a SELECT names."""
    if sql is None:
        return []
    from interplm_wh.ask import query

    needed = "give one SELECT with a column feature of whole numbers, and one row at least"
    try:
        rows = query(warehouse, sql)
    except InputError as error:
        raise InputError(f"--feature-sql: {error}; {needed}") from None
    if "feature" not in rows.column_names:
        raise InputError(f"--feature-sql has the columns {', '.join(rows.column_names)}; {needed}")
    values = rows["feature"].to_pylist()
    if wrong := [value for value in values if not isinstance(value, int)]:
        raise InputError(f"--feature-sql: {wrong[0]!r} is no feature; {needed}")
    if not values:
        raise InputError(f"--feature-sql finds no row; {needed}")
    return [int(value) for value in values]


def _work(
    wh: store.Warehouse, plan: Plan, runs: Mapping[str, Target], *, device: str | None, dtype: str
) -> list[Done]:
    """Measure every sequence, outside the lock."""
    with hub.extra_needed():
        from interplm_wh.encode.models import open_plm, open_sae
        from interplm_wh.steer import work
    plm = open_plm(wh, plan.steered.row.plm, device=device, dtype=dtype)
    plm.require_head()
    _require_readable(plm, plan)
    sae = open_sae(wh, plan.steered.row, plm=plm)
    readers = [
        work.readable(
            one.row.sae, one.row.layer, open_sae(wh, one.row, plm=plm), one.max_activations, plm=plm
        )
        for one in plan.readers
    ]
    total = sum(work.n_passes(plan, target) for target in runs.values())
    with progress.track(f"steering {plan.asked.sae}", total=total, unit="passes") as bar:
        return [
            work.run(plm, sae, readers, plan, target, name=run, advance=bar.advance)
            for run, target in runs.items()
        ]


def _require_readable(plm: PLM, plan: Plan) -> None:
    plm.check_letters({one.name: one.sequence for one in plan.targets})
    if long := [
        f"{one.name} ({len(one.sequence):,})" for one in plan.targets if len(one.sequence) > plm.window
    ]:
        raise InputError(
            f"{plm.name} reads at most {plm.window:,} residues at once: {', '.join(long)}; steer a part of "
            "it with --sequence"
        )
