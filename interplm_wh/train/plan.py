"""One training as a whole: which SAEs, on which residues, for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from interplm_wh import names
from interplm_wh.errors import InputError, faults_message
from interplm_wh.train.recipe import MAX_SEED, SaeRecipe, unknown_choice

MAX_STEPS = 1_000_000_000

Source = Literal["plm", "embeddings"]
SOURCES: tuple[Source, ...] = ("plm", "embeddings")
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainingPlan:
    """One training: several SAEs on one stream of residues.

    Attributes
    ----------
    name : str
        Name of its folder in ``training/`` of the warehouse, which an interrupted one goes on from.
    plm : str
        Hub id or local folder of the PLM, or the name of one that is registered.
    saes : tuple of SaeRecipe
    steps, batch : int
        Optimiser steps, and residues in each.
    splits : tuple of str
        Splits of the warehouse whose proteins are read; none given and no files: train.
    files : tuple of str
        FASTA files that are read beside them, without becoming part of the warehouse.
    max_length : int or None
        Longer proteins are left out.
    source : {'plm', 'embeddings'}
        Hidden states straight from the PLM, or from ``lake/embeddings``, written first.
    buffer : int
        Residues that are shuffled together.
    seed : int
        Of the order of proteins and residues.
    precision : {'float32', 'bfloat16'}
        Number format of the products; weights stay float32.
    log_every, checkpoint_every : int
        Steps.
    wandb : str or None
        Project of Weights & Biases that metrics are sent to as well.
    """

    name: str
    plm: str
    saes: tuple[SaeRecipe, ...]
    steps: int
    batch: int = 2048
    splits: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    max_length: int | None = None
    source: Source = "plm"
    buffer: int = 131_072
    seed: int = 0
    precision: Precision = "float32"
    log_every: int = 100
    checkpoint_every: int = 1000
    wandb: str | None = None

    def __post_init__(self) -> None:
        """Take the split `train` where neither splits nor files are given."""
        if not self.splits and not self.files:
            object.__setattr__(self, "splits", ("train",))

    @property
    def layers(self) -> list[int]:
        """The hidden states that its SAEs read."""
        return sorted({sae.layer for sae in self.saes})

    def check(self) -> None:
        """Refuse a plan that cannot be carried out.

        Raises
        ------
        InputError
            With every fault.
        """
        faults = [*self._type_faults()]
        if not faults:
            faults = [*self._faults()]
            for sae in self.saes:
                faults += [f"{sae.name}: {fault}" for fault in sae.faults(self.steps)]
        if faults:
            raise InputError(faults_message(f"training {self.name}", faults, "mend these settings"))

    def _type_faults(self) -> Iterator[str]:
        """Yield values of another type than they must have."""
        for name in ("steps", "batch", "buffer", "log_every", "checkpoint_every", "seed"):
            if not isinstance(getattr(self, name), int):
                yield f"{name} is {getattr(self, name)!r}; give a whole number from 1 to {MAX_STEPS:,}"
        if self.max_length is not None and not isinstance(self.max_length, int):
            yield f"max_length is {self.max_length!r}; give a whole number"
        for name, kind in (("saes", SaeRecipe), ("splits", str), ("files", str)):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(one, kind) for one in value):
                yield f"{name} is {value!r}; give a tuple of {'text' if kind is str else kind.__name__}"

    def _faults(self) -> Iterator[str]:
        taken: list[str] = []
        for name, what in [(self.name, "training"), *((sae.name, "SAE") for sae in self.saes)]:
            try:
                names.check_name(name, what=what)
            except InputError as error:
                yield str(error)
            if what == "SAE" and name.lower() in taken:
                yield f"the name {name!r} stands twice (case does not count)"
            taken += [name.lower()] if what == "SAE" else []
        if not self.saes:
            yield "there is no SAE to train"
        for name in ("steps", "batch", "buffer", "log_every", "checkpoint_every"):
            if not 1 <= getattr(self, name) <= MAX_STEPS:
                yield f"{name} is {getattr(self, name)}; give a whole number from 1 to {MAX_STEPS:,}"
        if not 0 <= self.seed <= MAX_SEED:
            yield f"seed is {self.seed}; give 0 to {MAX_SEED:,}"
        yield from unknown_choice("source", self.source, SOURCES)
        yield from unknown_choice("precision", self.precision, PRECISIONS)
        if self.buffer < self.batch:
            yield f"buffer is {self.buffer} residues, less than a batch of {self.batch}"
        for file in self.files:
            if not Path(file).is_file():
                yield f"there is no file {file}"
        for split in self.splits:
            if split not in ("train", "valid", "test"):
                yield f"{split!r} is no split; there are train, valid and test"

    def settings(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)
