"""How much of the variance of hidden states a reconstruction explains: the one definition of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Sums:
    """Running sums over the residues of one layer, float64.

    Attributes
    ----------
    n : int
        Residues.
    squares, residual : float
        Sums of the squares of the hidden states and of what their reconstruction misses.
    total : Tensor or None
        float64 [d_model]: the sum of the hidden states.
    """

    n: int = 0
    squares: float = 0.0
    residual: float = 0.0
    total: Tensor | None = None

    def add(self, x: Tensor, reconstruction: Tensor) -> None:
        """Add residues, both float32 [n, d_model]."""
        x64 = x.double()
        self.n += len(x)
        self.squares += float(x64.square().sum())
        self.residual += float((x64 - reconstruction.double()).square().sum())
        self.total = x64.sum(dim=0) if self.total is None else self.total + x64.sum(dim=0)

    @property
    def explained(self) -> float:
        """1 - residual / variance; -inf where there is no variance to explain, or no finite answer."""
        if self.total is None:
            return -math.inf
        variance = self.squares - float(self.total.square().sum()) / self.n
        found = 1 - self.residual / variance if variance > 0 else -math.inf
        return found if math.isfinite(found) else -math.inf

    @property
    def mse(self) -> float:
        """The mean of the squares of what the reconstruction misses, per element; NaN without residues."""
        return math.nan if self.total is None else self.residual / (self.n * len(self.total))
