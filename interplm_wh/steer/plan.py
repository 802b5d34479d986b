"""What `steer` is asked for, and what it is going to do: names and numbers, no models."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from interplm_wh.encode.models import SaeRow
from interplm_wh.steer import positions as places

How = Literal["clamp", "scale"]


@dataclass(frozen=True)
class Asked:
    """What `steer` is called with, as words and numbers.

    Attributes
    ----------
    how : {'clamp', 'scale'}
    doses : tuple of float
        Ascending, each once.
    positions, measured, watch, resample : str or None
        Positions as written; None for the default of each.
    """

    sae: str
    features: tuple[int, ...]
    how: How
    doses: tuple[float, ...]
    proteins: tuple[str, ...]
    sequence: str | None
    positions: str | None
    mask: str
    watch: str | None
    n_controls: int
    read: tuple[str, ...]
    n_samples: int
    n_sweeps: int
    temperature: float
    resample: str | None
    seed: int


@dataclass(frozen=True)
class Scaled:
    """An SAE with the scale of its features, raw units; float32 values, 0 where a feature is dead."""

    row: SaeRow
    max_activations: tuple[float, ...]


@dataclass(frozen=True)
class Target:
    """One sequence, and what is done where; positions are 1-based.

    Attributes
    ----------
    accession : str or None
    sequence : str
    is_private : bool
    touched, measured, watched, resampled : tuple of int
    """

    accession: str | None
    sequence: str
    is_private: bool
    touched: tuple[int, ...]
    measured: tuple[int, ...]
    watched: tuple[int, ...]
    resampled: tuple[int, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.accession or "the sequence"


@dataclass(frozen=True)
class Plan:
    """What is going to be done.

    Attributes
    ----------
    asked : Asked
    steered : Scaled
    controls : tuple of int
        Features whose directions are the controls, in the order of the draw.
    n_live : int
        Live features among which they were drawn.
    readers : tuple of Scaled
    targets : tuple of Target
    """

    asked: Asked
    steered: Scaled
    controls: tuple[int, ...]
    n_live: int
    readers: tuple[Scaled, ...]
    targets: tuple[Target, ...]

    @property
    def is_masked(self) -> bool:
        """Whether measured residues are masked, each in a pass of its own."""
        return self.asked.mask != places.NONE

    @property
    def max_activations(self) -> tuple[float, ...]:
        """The scale of each steered feature, raw units."""
        return tuple(self.steered.max_activations[f] for f in self.asked.features)

    def run_id(self, target: Target, *, dtype: str, revision: str | None) -> str:
        """Return the name of one run: the same for the same question to the same models."""
        asked = {
            name: value
            for name, value in asdict(self.asked).items()
            if name not in ("proteins", "positions", "watch", "resample")
        }
        everything = {
            "asked": asked, "target": asdict(target), "dtype": dtype, "revision": revision,
            "weights": [one.row.sha256 for one in (self.steered, *self.readers)],
            "scales": self.max_activations, "controls": self.controls,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]
