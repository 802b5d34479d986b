"""What every format's reader is given and what it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from torch import Tensor

from interplm_wh.sae.base import Weights

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights as it lies there.

    Attributes
    ----------
    path : Path
        The file: named in errors; its name may say whether the scale is baked in.
    tensors : mapping of str to Tensor
    config : mapping
        What the configuration beside it says; empty where there is none.
    config_path : Path or None
    k : int or None
        What the user says, for a format that does not store it.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    config: Config = field(default_factory=dict)
    config_path: Path | None = None
    k: int | None = None


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes
    ----------
    weights : Weights
    format : str
        Name of the format.
    kind : str
        The architecture as the format calls it.
    notes : tuple of str
        What was folded into the weights or left out, so that activations stay those of the format.
    assumed : tuple of str
        What the file does not say and was taken to be so.
    """

    weights: Weights
    format: str
    kind: str
    notes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Place:
    """What the path of a file in a repository says of it.

    Attributes
    ----------
    rank : int
        Which of several files in one folder is meant: the lowest.
    layer : int or None
        Hidden state that the name speaks of; None where it says nothing.
    """

    rank: int = 0
    layer: int | None = None


class Format(Protocol):
    """What a format's module has."""

    NAME: str
    EXPECTED: str
    """Tensors and configuration that it needs, for people."""

    def place(self, path: PurePosixPath) -> Place | None:
        """Return what a path in the format's layout says; None where it is not of the layout."""

    def claims(self, config: Config) -> bool:
        """Whether a configuration is of the format."""

    def fits(self, names: Collection[str]) -> bool:
        """Whether a file with these tensors may be of the format, if no configuration says so."""

    def read(self, found: Checkpoint) -> Reading:
        """Read a file of the format; ModelError with all of its faults."""
