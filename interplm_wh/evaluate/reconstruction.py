"""What an SAE keeps of hidden states, residue by residue: streamed, so that nothing dense is held."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh.encode.explained import Sums
from interplm_wh.sae.base import SAE
from interplm_wh.sae.sparse import CHUNK_RESIDUES, CHUNK_VALUES


def chunks(sae: SAE, x: Tensor) -> Iterator[slice]:
    """Yield slices of rows of `x` [n, d_model] whose features fit into memory together."""
    width = max(1, min(CHUNK_RESIDUES, CHUNK_VALUES // sae.n_features))
    for start in range(0, len(x), width):
        yield slice(start, start + width)


@torch.inference_mode()
def reconstruct(sae: SAE, x: Tensor) -> Tensor:
    """Return the reconstruction in the units of `x`, float32 [n, d_model], a chunk at a time."""
    found = torch.empty_like(x)
    for chunk in chunks(sae, x):
        found[chunk] = sae.reconstruct(x[chunk])
    return found


class Reconstruction:
    """What was counted of one SAE so far.

    Attributes
    ----------
    sums : Sums
    """

    def __init__(self, sae: SAE) -> None:
        self._sae = sae
        self.sums = Sums()
        self._n_firing: Tensor | None = None

    @torch.inference_mode()
    def add(self, x: Tensor) -> None:
        """Count residues by their hidden states, float32 [n, d_model]."""
        for chunk in chunks(self._sae, x):
            fires = (self._sae.encode(x[chunk]) > 0).sum(dim=0)  # [F]
            self._n_firing = fires if self._n_firing is None else self._n_firing + fires
            self.sums.add(x[chunk], self._sae.reconstruct(x[chunk]))

    @property
    def n_firing(self) -> NDArray[np.int64]:
        """Residues on which each feature is above 0, int64 [n_features]."""
        if self._n_firing is None:
            return np.zeros(self._sae.n_features, np.int64)
        counts: NDArray[np.int64] = self._n_firing.cpu().numpy()
        return counts
