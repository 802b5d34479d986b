"""The steps of a training, with metrics and checkpoints on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from interplm_wh import progress
from interplm_wh.errors import TrainingError
from interplm_wh.train import checkpoint, metrics
from interplm_wh.train.checkpoint import Checkpoint
from interplm_wh.train.plan import TrainingPlan
from interplm_wh.train.stream import Stream
from interplm_wh.train.trainer import SaeTrainer


@dataclass
class Run:
    """A training at work.

    Attributes
    ----------
    plan : TrainingPlan
    folder : Path
        Of its checkpoints.
    trainers : list of SaeTrainer
        In the order of the plan's SAEs.
    checkpoint : Checkpoint
        The last one: where it goes on from.
    """

    plan: TrainingPlan
    folder: Path
    trainers: list[SaeTrainer]
    checkpoint: Checkpoint


def take_steps(run: Run, stream: Stream, sink: metrics.Sink) -> None:
    """Take the steps that are left; `run.checkpoint` is then of the last one.

    Raises
    ------
    TrainingError
        If a loss, a gradient or a weight is not finite; the last checkpoint stays.
    """
    plan, start = run.plan, run.checkpoint
    windows = [metrics.Window(**start.windows.get(t.recipe.name, {})) for t in run.trainers]
    rows = list(start.metrics)
    seconds, waited = start.seconds, start.waited
    logged = (start.step, seconds, waited)
    batches = stream.batches(start.place)
    with progress.track(f"training {plan.name}", total=plan.steps, done=start.step) as bar:
        for number in range(start.step, plan.steps):
            began = time.perf_counter()
            batch = next(batches)
            got = time.perf_counter()
            _step(run, number, batch.states, windows)
            ended = time.perf_counter()
            seconds, waited = seconds + ended - began, waited + got - began
            step = number + 1
            bar.advance(1)
            if step % plan.log_every == 0 or step == plan.steps:
                spent = max(seconds - logged[1], 1e-9)
                rate, share = (step - logged[0]) * plan.batch / spent, (waited - logged[2]) / spent
                fresh = [
                    window.row(trainer, step=step, batch=plan.batch, rate=rate, waited=share)
                    for window, trainer in zip(windows, run.trainers, strict=True)
                ]
                logged = (step, seconds, waited)
                rows += fresh
                sink.send(fresh)
                bar.describe(f"{metrics.summary(fresh)}; {rate:,.0f} residues/s, {share:.0%} waiting")
            if step % plan.checkpoint_every == 0 or step == plan.steps:
                sums = {t.recipe.name: asdict(w) for t, w in zip(run.trainers, windows, strict=True)}
                spent_so_far = replace(
                    start, step=step, place=batch.following, seconds=seconds, waited=waited
                )
                _save(run, replace(spent_so_far, metrics=list(rows), windows=sums))


def _step(run: Run, number: int, states: Mapping[int, Tensor], windows: Sequence[metrics.Window]) -> None:
    for trainer, window in zip(run.trainers, windows, strict=True):
        x = states[trainer.recipe.layer]
        try:
            window.add(trainer.step(number, x), metrics.variance(trainer, x))
        except TrainingError as error:
            raise TrainingError(f"{error}; {_last_good(run)}") from None


def _last_good(run: Run) -> str:
    step = run.checkpoint.step
    kept = (
        f"the checkpoint of step {step:,} is kept in {run.folder}" if step else "there is no checkpoint yet"
    )
    return f"{kept}; lower the learning rate or clip gradients, and train again with --restart"


def _save(run: Run, state: Checkpoint) -> None:
    """Write a checkpoint, unless a weight is not finite.

    Raises
    ------
    TrainingError
        If one is.
    """
    for trainer in run.trainers:
        bad = [name for name, tensor in trainer.sae.tensors.items() if not bool(tensor.isfinite().all())]
        if bad:
            named = f"{', '.join(bad)} hold values that are not finite"
            raise TrainingError(f"{trainer.recipe.name}: {named} after step {state.step}; {_last_good(run)}")
    saes = {trainer.recipe.name: trainer.state() for trainer in run.trainers}
    run.checkpoint = replace(state, saes=saes)
    checkpoint.save(run.folder, run.checkpoint)
