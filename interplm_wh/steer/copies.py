"""Copies of one sequence that go through the PLM together, as it is and steered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh.errors import MismatchError
from interplm_wh.plm.base import PLM, Look
from interplm_wh.steer.edit import Change, put

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """A batch of copies of one sequence, and where its predictions are read.

    The plain pass and the steered ones have the same tokens in the same batch, so that they differ by the
    edit alone: a batch of another size has other last bits.

    Attributes
    ----------
    plm : PLM
    texts : list of str
    layer : int
        The hidden state that is edited.
    masked : Tensor or None
        bool [B, T]: what is read as the mask token.
    touched : Tensor
        bool [B, T]: the tokens that are edited.
    rows, columns : Tensor
        int64 [m]: the tokens whose predictions are read.
    """

    plm: PLM
    texts: list[str]
    layer: int
    masked: Tensor | None
    touched: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def masking(
        cls, plm: PLM, sequence: str, positions: Sequence[int], *, layer: int, touched: Sequence[int]
    ) -> Copies:
        """Make one copy per position, 1-based, which is masked in it and read."""
        copies, columns = cls._of(plm, [sequence] * len(positions), layer=layer, touched=touched)
        rows = torch.arange(len(positions), device=plm.device)
        read = columns[torch.tensor(positions, device=plm.device) - 1]
        masked = torch.zeros_like(copies.touched)
        masked[rows, read] = True
        return cls(plm, copies.texts, layer, masked, copies.touched, rows, read)

    @classmethod
    def seeing(
        cls, plm: PLM, sequence: str, positions: Sequence[int], *, layer: int, touched: Sequence[int]
    ) -> Copies:
        """Make one copy without a mask, which is read at all of these positions."""
        copies, columns = cls._of(plm, [sequence], layer=layer, touched=touched)
        read = columns[torch.tensor(positions, device=plm.device) - 1]
        return cls(plm, copies.texts, layer, None, copies.touched, torch.zeros_like(read), read)

    @classmethod
    def _of(cls, plm: PLM, texts: list[str], *, layer: int, touched: Sequence[int]) -> tuple[Copies, Tensor]:
        is_residue = plm.tokens(texts).is_residue
        columns = is_residue[0].nonzero().squeeze(1)  # [L]
        chosen = torch.zeros_like(is_residue)
        chosen[:, columns[torch.tensor(touched, device=columns.device) - 1]] = True
        none = columns[:0]
        return cls(plm, texts, layer, None, chosen, none, none), columns

    def plain(self, looks: Mapping[int, Look] = MappingProxyType({})) -> tuple[Float64, Tensor]:
        """Run the PLM as it is.

        Returns
        -------
        float64 [m, V]
            Logarithms of probabilities where they are read.
        Tensor
            float32 [n, d_model]: the hidden states that would be edited.
        """
        kept: list[Tensor] = []

        def keep(states: Tensor) -> None:
            kept.append(states[self.touched])

        both = {**looks, self.layer: _each(keep, looks.get(self.layer))}
        said = self.plm.predict(self.texts, masked=self.masked, looks=both)
        return self._read(said.logits), kept[0]

    def steered(self, change: Change, looks: Mapping[int, Look] = MappingProxyType({})) -> Float64:
        """Run the PLM with the touched states moved; returns as the first of `plain`."""
        said = self.plm.predict(
            self.texts,
            masked=self.masked,
            layer=self.layer,
            patch=lambda states, _is_residue: put(states, self.touched, change),
            looks=looks,
        )
        return self._read(said.logits)

    def _read(self, logits: Tensor) -> Float64:
        found = torch.log_softmax(logits[self.rows, self.columns].double(), dim=1)  # [m, V]
        if not bool(torch.isfinite(found).all()):
            step = "use --dtype float32" if self.plm.dtype != "float32" else "take a smaller dose"
            raise MismatchError(f"{self.plm.name}: its predictions are not finite; {step}")
        read: Float64 = found.cpu().numpy()
        return read


def _each(first: Look, second: Look | None) -> Look:
    def look(states: Tensor) -> None:
        first(states)
        if second is not None:
            second(states)

    return look


def token_ids(plm: PLM, letters: str) -> Int64:
    """Return the id of each letter's token, int64 [n]."""
    tokens = plm.tokens([letters])
    ids: Int64 = tokens.ids[0][tokens.is_residue[0]].cpu().numpy()
    return ids
