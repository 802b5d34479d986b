"""Train SAEs side by side on one stream of residues, go on where a training stopped, and register them."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from interplm_wh import hub, store
from interplm_wh.errors import InputError, MismatchError
from interplm_wh.store import layout, lock
from interplm_wh.train.plan import TrainingPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interplm_wh.plm.base import PLM
    from interplm_wh.train import loop
    from interplm_wh.train.checkpoint import Checkpoint
    from interplm_wh.train.sources import Sequences
    from interplm_wh.train.stream import HiddenStateSource, Stream
    from interplm_wh.train.trainer import SaeTrainer

_PLAN, _LOCK, _SENT, _CHECKPOINTS = "plan.json", "lock", "wandb", "checkpoints"
# What may change between a training and its continuation: none of it changes a weight.
_FREE = frozenset({"wandb", "checkpoint_every"})


@dataclass(frozen=True)
class TrainReport:
    """What a training did.

    Attributes
    ----------
    plan : TrainingPlan
    last : tuple of dict
        The last row of `training_metrics` of each SAE.
    n_proteins, n_residues : int
        What was learnt from; 0 where nothing was left to do.
    resumed_from : int
        Step that it went on from; 0 where it began.
    seconds : float
        Of all steps, those before an interruption included.
    pct_waiting : float
        Share of them spent on getting hidden states.
    is_new : bool
        False where all SAEs were there already, made by the same plan.
    """

    plan: TrainingPlan
    last: tuple[Mapping[str, Any], ...]
    n_proteins: int
    n_residues: int
    resumed_from: int
    seconds: float
    pct_waiting: float
    is_new: bool

    def lines(self) -> list[str]:
        """Describe it for people."""
        names = ", ".join(sae.name for sae in self.plan.saes)
        if not self.is_new:
            return [f"{names}: there already, trained by the same plan; nothing was changed"]
        began = f", gone on from step {self.resumed_from:,}" if self.resumed_from else ""
        said = [
            f"trained {names} on {self.n_proteins:,} proteins ({self.n_residues:,} residues): "
            f"{self.plan.steps:,} steps of {self.plan.batch:,} in {self.seconds:,.0f} s{began}, "
            f"{self.pct_waiting:.0f} % of it waiting for hidden states"
        ]
        for row in self.last:
            share = row["variance_explained"]
            explains = "" if share is None else f"explains {share:.3f} of the variance, "
            said.append(
                f"  {row['sae']}: {explains}L0 {row['l0']:.1f}, {row['pct_dead']:.1f} % of features dead"
            )
        return [*said, f"next: interplm-wh encode {' '.join(f'--sae {sae.name}' for sae in self.plan.saes)}"]


def train(
    warehouse: str | Path,
    plan: TrainingPlan,
    *,
    device: str | None = None,
    dtype: str = "float32",
    restart: bool = False,
    control_of: str | None = None,
) -> TrainReport:
    """Train the SAEs of a plan, or go on with it, and register them.

    A training that was cut off, however it ended, goes on from its last checkpoint. On a CPU it ends with
    the weights of one that was not, bit for bit, on the same machine with the same number of threads; on a
    GPU sums are taken in no fixed order, and the last bits differ.

    Parameters
    ----------
    warehouse : str or Path
    plan : TrainingPlan
    device : str, optional
        ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : {'float32', 'bfloat16', 'float16'}
        Number format of the PLM.
    restart : bool
        Forget what an interrupted training has done.
    control_of : str, optional
        Register them as controls of this SAE, made from a PLM with shuffled weights.

    Raises
    ------
    InputError
        With every fault of the plan; or where there is no protein, a sequence has a letter that the PLM
        does not know, or another plan has the name.
    MismatchError
        If the PLM lacks a layer, or hidden states are not finite.
    TrainingError
        If a loss or a gradient is not finite; the last checkpoint stays.
    """
    with hub.extra_needed():
        plan.check()
        from interplm_wh.encode.models import open_source
        from interplm_wh.train import register
        from interplm_wh.train.data import read_sequences
    root = Path(warehouse).resolve()
    with store.open(root) as wh:
        plm = open_source(wh, plan.plm, device=device, dtype=dtype)
        _check_layers(plan, plm)
        sequences = read_sequences(wh, plan)
        is_there = register.are_there(wh, plan, plm, sequences)
        checked_on = register.check_proteins(wh, plm, sequences)
    folder = root / layout.TRAINING / plan.name
    if is_there:
        shutil.rmtree(folder, ignore_errors=True)  # what a process left that ended after registering them
        return TrainReport(plan, (), 0, 0, 0, 0.0, 0.0, is_new=False)
    _check_letters(plm, sequences)
    with _only_one(folder):
        _take_plan(folder, plan, plm, sequences, restart=restart)
        run, resumed = _prepare(root, folder, plan, plm, sequences)
        checkpoint = run.checkpoint
        n_residues = int(sequences.lengths.sum())
        register.register(
            root, plan, plm, sequences, run.trainers, checkpoint, checked_on=checked_on, control_of=control_of
        )
        shutil.rmtree(folder)
    last = tuple(checkpoint.metrics[-len(plan.saes) :])
    waited = 100 * checkpoint.waited / checkpoint.seconds if checkpoint.seconds else 0.0
    return TrainReport(
        plan, last, len(sequences.lengths), n_residues, resumed, checkpoint.seconds, waited, is_new=True
    )


def _check_layers(plan: TrainingPlan, plm: PLM) -> None:
    for sae in plan.saes:
        try:
            plm.check_layers([sae.layer])
        except MismatchError as error:
            raise MismatchError(f"{sae.name}: {error}") from error


def _check_letters(plm: PLM, sequences: Sequences) -> None:
    """Refuse letters that the PLM does not know before anything is computed."""
    unknown = f"[^{''.join(sorted(plm.alphabet))}]"
    bad = pc.indices_nonzero(pc.match_substring_regex(sequences.texts, unknown))[:1000]
    if len(bad):
        names = sequences.accessions.take(bad).to_pylist()
        plm.check_letters(dict(zip(names, sequences.texts.take(bad).to_pylist(), strict=True)))


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with lock.hold(folder / _LOCK, f"train {folder.name}"):
        yield


def _take_plan(folder: Path, plan: TrainingPlan, plm: PLM, sequences: Sequences, *, restart: bool) -> None:
    """Write the plan down, or see that it is the one that was begun.

    Raises
    ------
    InputError
        If another one was.
    """
    settings = {key: value for key, value in plan.settings().items() if key not in _FREE}
    mine = {
        **settings,
        "plm": [plm.name, plm.revision, plm.dtype],
        "sequences": sequences.fingerprint,
    }
    mine = json.loads(json.dumps(mine))
    path = folder / _PLAN
    if restart:
        shutil.rmtree(folder / _CHECKPOINTS, ignore_errors=True)
        (folder / _SENT).unlink(missing_ok=True)
    elif path.is_file() and any((folder / _CHECKPOINTS).glob("step-*")):
        begun = json.loads(path.read_text(encoding="utf-8"))
        if other := [key for key in sorted({*mine, *begun}) if mine.get(key) != begun.get(key)]:
            raise InputError(
                f"training {plan.name} was begun with other settings ({', '.join(other)}); go on with those, "
                "give this one another name, or forget what was done with --restart"
            )
    fresh = path.with_name(f".{_PLAN}")
    fresh.write_text(json.dumps(mine, indent=1), encoding="utf-8")
    fresh.replace(path)


def _prepare(
    root: Path, folder: Path, plan: TrainingPlan, plm: PLM, sequences: Sequences
) -> tuple[loop.Run, int]:
    """Open the stream, make or restore the trainers, and train."""
    from interplm_wh.train import checkpoint, loop, metrics
    from interplm_wh.train.stream import Stream

    source = _source(root, plan, plm, sequences)
    stream = Stream(source, batch=plan.batch, buffer=plan.buffer, seed=plan.seed)
    trainers = _trainers(plan, stream)
    begun = checkpoint.latest(folder / _CHECKPOINTS)
    for trainer in trainers if begun is not None else ():
        trainer.load(begun.saes[trainer.recipe.name])  # type: ignore[union-attr]
    run = loop.Run(plan, folder / _CHECKPOINTS, trainers, begun or _beginning())
    resumed = run.checkpoint.step
    sink = metrics.Sink(plan.wandb, name=plan.name, run=_sent_as(folder), settings=plan.settings())
    try:
        loop.take_steps(run, stream, sink)
    finally:
        sink.close()
    return run, resumed


def _sent_as(folder: Path) -> str:
    """Return the id of the run at Weights & Biases, which ends with the training's folder or a restart."""
    path = folder / _SENT
    if not path.is_file():
        path.write_text(uuid.uuid4().hex, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _beginning() -> Checkpoint:
    from interplm_wh.train.checkpoint import Checkpoint
    from interplm_wh.train.stream import Place

    return Checkpoint(0, Place(), 0.0, 0.0, [], {}, {})


def _source(root: Path, plan: TrainingPlan, plm: PLM, sequences: Sequences) -> HiddenStateSource:
    from interplm_wh.train import sources

    if plan.source == "plm":
        return sources.PlmSource(plm, sequences, layers=plan.layers)
    folders = sources.write_embeddings(root, plm, sequences, layers=plan.layers)
    return sources.EmbeddingsSource(folders, device=plm.device)


def _trainers(plan: TrainingPlan, stream: Stream) -> list[SaeTrainer]:
    import torch

    from interplm_wh.train.trainer import SaeTrainer

    states = stream.first_chunk()
    precision = torch.bfloat16 if plan.precision == "bfloat16" else torch.float32
    return [
        SaeTrainer.start(
            recipe, states[recipe.layer], steps=plan.steps, batch=plan.batch, precision=precision
        )
        for recipe in plan.saes
    ]
