"""Formats of published checkpoints: a new one is a file here that recognises and reads it.

A reader has ``recognises(names) -> bool``, told by the names of the tensors, and
``read(tensors, where) -> Weights``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats import interplm


class Reader(Protocol):
    """What a format's module has."""

    def recognises(self, names: Collection[str]) -> bool:
        """Whether a file with these tensors is of the format."""

    def read(self, tensors: Mapping[str, Tensor], where: Path) -> Weights:
        """Read the tensors."""


READERS: tuple[Reader, ...] = (interplm,)


def read(tensors: Mapping[str, Tensor], where: Path) -> Weights:
    """Read named tensors in whichever format they are.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    where : Path
        The file: named in errors; its name may say whether the scale is baked in.

    Raises
    ------
    ModelError
        If no format has these tensors, or their shapes or values do not belong together.
    """
    for reader in READERS:
        if reader.recognises(tensors.keys()):
            return reader.read(tensors, where)
    found = ", ".join(f"{name} {list(t.shape)}" for name, t in sorted(tensors.items())) or "nothing"
    raise ModelError(f"{where}: not an SAE format that is supported; it holds {found}; {interplm.EXPECTED}")
