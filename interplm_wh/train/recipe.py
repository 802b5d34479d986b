"""What is trained and how: plain values, checked as a whole before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from interplm_wh import names
from interplm_wh.sae.options import ERRORS, INPUT_NORMS, ErrorKind, InputNorm

# What each architecture cannot be trained without, of the settings that not all of them have.
REQUIRED = {"k": "the number of active features per residue", "l1": "the weight of the L1 penalty",
             "target_l0": "the number of active features per residue that is aimed at",
             "groups": "the shares of the nested groups of features"}  # fmt: skip
OPTIONAL = ("l0", "bandwidth", "auxk")
MAX_FEATURES = 1_048_576
MAX_SEED = 2**31 - 1


def unknown_choice(name: str, value: str, known: Sequence[str]) -> Iterator[str]:
    """Yield the fault of a value that is none of those known."""
    if value not in known:
        yield f"{name} is {value!r}; it is one of {', '.join(known)}"


@dataclass(frozen=True)
class Ramp:
    """A value that rises linearly, stays, and falls linearly.

    Attributes
    ----------
    peak : float
    warmup : int
        Steps until the peak; 0: from the start.
    decay_from : int or None
        Step from which it falls; None: never.
    final : float
        Share of the peak that is left at the end.
    """

    peak: float
    warmup: int = 0
    decay_from: int | None = None
    final: float = 0.0

    def at(self, step: int, steps: int) -> float:
        """Return the value for a step, 0-based, of `steps`."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.decay_from is None or step < self.decay_from:
            return self.peak * rise
        left = (steps - step) / (steps - self.decay_from)
        return self.peak * rise * (self.final + (1 - self.final) * left)

    def faults(self, what: str, steps: int) -> Iterator[str]:
        """Yield what is wrong with it for a training of `steps`."""
        if not (math.isfinite(self.peak) and self.peak >= 0):
            yield f"{what} is {self.peak}; give a number that is not below 0"
        if not 0 <= self.warmup <= steps:
            yield f"{what}: its warm-up of {self.warmup} steps is not within the {steps} steps"
        if self.decay_from is not None and not self.warmup <= self.decay_from < steps:
            yield f"{what}: decay from step {self.decay_from} is not between its warm-up and step {steps}"
        if not 0 <= self.final <= 1:
            yield f"{what}: the final share {self.final} is not between 0 and 1"


_TYPES: tuple[tuple[tuple[str, ...], tuple[type, ...], str], ...] = (
    (("layer", "n_features", "k", "dead_after", "resample_every", "seed"), (int,), "whole number"),
    (("target_l0", "bandwidth", "auxk", "clip"), (int, float), "number"),
    (("learning_rate", "l1", "l0"), (Ramp,), "Ramp"),
    (("name", "architecture", "input_norm", "error"), (str,), "text"),
    (("groups",), (tuple,), "tuple of shares"),
)
"""Settings that must have a type, the types, and their name in words."""


@dataclass(frozen=True)
class SaeRecipe:
    """One SAE to train.

    Attributes
    ----------
    name : str
        Name that it gets in the warehouse.
    architecture : str
        Key of `interplm_wh.sae.registry.ARCHITECTURES`.
    layer : int
        Index of the hidden state.
    n_features : int
    learning_rate : Ramp
    l1, target_l0 : Ramp or None
        Weight of the L1 penalty (`relu`, `relu_tied`, `gated`); active features per residue that are
        aimed at (`jumprelu`; the ramp is of the weight `l0`).
    l0 : float
        Weight of missing `target_l0`.
    bandwidth : float
        Width of the kernel that estimates derivatives of thresholds (`jumprelu`).
    k : int or None
        Active features per residue (`topk`, `batch_topk`, `matryoshka`).
    groups : tuple of float
        Shares of the features, which add up to 1 (`matryoshka`).
    auxk : float
        Weight of the error that dead features are to explain (`topk`, `batch_topk`, `matryoshka`).
    input_norm : {'none', 'sqrt_d', 'layer_norm', 'unit_mean_norm'}
    error : {'squared', 'norm'}
        Per residue: squared distance of the reconstruction, or the distance itself.
    clip : float or None
        Largest norm of the gradient of all weights.
    unit_decoder : bool
        Whether decoder columns keep the length 1, and lose the gradient along themselves.
    dead_after : int or None
        Residues without firing after which a feature is dead; None: a twentieth of the training, but at
        least 50 steps and at most 10 million residues.
    resample_every : int or None
        Steps between new starts of dead features; None: never.
    seed : int
    """

    name: str
    architecture: str
    layer: int
    n_features: int
    learning_rate: Ramp
    l1: Ramp | None = None
    target_l0: float | None = None
    l0: Ramp = field(default_factory=lambda: Ramp(1.0))
    bandwidth: float = 0.001
    k: int | None = None
    groups: tuple[float, ...] = ()
    auxk: float = 1 / 32
    input_norm: InputNorm = "none"
    error: ErrorKind = "squared"
    clip: float | None = 1.0
    unit_decoder: bool = True
    dead_after: int | None = None
    resample_every: int | None = None
    seed: int = 0

    def faults(self, steps: int) -> Iterator[str]:
        """Yield what is wrong with it for a training of `steps`; imports PyTorch."""
        from interplm_wh.sae.registry import ARCHITECTURES

        if faults := [*self._type_faults()]:
            yield from faults
            return
        kind = ARCHITECTURES.get(self.architecture)
        trainable = sorted(name for name, one in ARCHITECTURES.items() if one.settings is not None)
        if kind is None or kind.settings is None:
            near = names.nearest(self.architecture, trainable)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(trainable)}"
            yield f"no architecture {self.architecture!r} can be trained{hint}"
        else:
            yield from self._setting_faults(kind.settings)
        if not 1 <= self.n_features <= MAX_FEATURES:
            yield f"n_features is {self.n_features}; give 1 to {MAX_FEATURES:,}"
        if self.k is not None and not 1 <= self.k <= self.n_features:
            yield f"k is {self.k}, but there are {self.n_features} features"
        if self.groups and not (min(self.groups) > 0 and math.isclose(sum(self.groups), 1, abs_tol=1e-6)):
            yield f"groups {list(self.groups)} are not positive shares that add up to 1"
        yield from self.learning_rate.faults("lr", steps)
        if self.learning_rate.peak == 0:
            yield "lr is 0.0; nothing would be learnt"
        yield from self.l0.faults("l0", steps)
        if self.l1 is not None:
            yield from self.l1.faults("l1", steps)
        for name in ("clip", "bandwidth", "target_l0", "dead_after", "resample_every"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                yield f"{name} is {value}; give a number above 0"
        if not 0 <= self.auxk < math.inf:
            yield f"auxk is {self.auxk}; give a number that is not below 0"
        if not 0 <= self.seed <= MAX_SEED:
            yield f"seed is {self.seed}; give 0 to {MAX_SEED:,}"
        for name, known in (("input_norm", INPUT_NORMS), ("error", ERRORS)):
            yield from unknown_choice(name, getattr(self, name), known)

    def _type_faults(self) -> Iterator[str]:
        """Yield values of another type than they must have."""
        may_lack = {"l1", "target_l0", "k", "clip", "dead_after", "resample_every"}
        for names_, kinds, what in _TYPES:
            for name in names_:
                value = getattr(self, name)
                is_missing = value is None and name in may_lack
                if not is_missing and (isinstance(value, bool) or not isinstance(value, kinds)):
                    such = (
                        f", such as Ramp({value!r})" if kinds == (Ramp,) and isinstance(value, float) else ""
                    )
                    yield f"{name} is {value!r}; give a {what}{such}"

    def _setting_faults(self, settings: Sequence[str]) -> Iterator[str]:
        given = {"k": self.k, "l1": self.l1, "target_l0": self.target_l0, "groups": self.groups or None}
        for name, what in REQUIRED.items():
            if name in settings and given[name] is None:
                yield f"{name} is missing: {what}"
            if name not in settings and given[name] is not None:
                yield f"{name} is no setting of {self.architecture}, which has {', '.join(settings)}"

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Features of each group; the last one has what is left over."""
        if not self.groups:
            return ()
        first = [max(1, int(share * self.n_features)) for share in self.groups[:-1]]
        return (*first, self.n_features - sum(first))
