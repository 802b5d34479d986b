"""What one training step minimises, and what it says of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from interplm_wh.sae.options import ErrorKind


@dataclass(frozen=True)
class Objective:
    """What a step asks of an architecture; each reads the numbers that it knows.

    Attributes
    ----------
    error : {'squared', 'norm'}
        Per residue: squared distance of the reconstruction, or the distance itself.
    l1 : float
        Weight of the activations' sum, after warm-up.
    target_l0, l0 : float
        Active features per residue that are aimed at, and the weight of missing them.
    bandwidth : float
        Width of the kernel that stands for the derivative of a step (`jumprelu`).
    dead : Tensor or None
        bool [n_features]: features that have not fired for long; None where none is revived.
    auxk : float
        Weight of the error that dead features explain.
    """

    error: ErrorKind = "squared"
    l1: float = 0.0
    target_l0: float = 0.0
    l0: float = 0.0
    bandwidth: float = 0.001
    dead: Tensor | None = None
    auxk: float = 0.0


@dataclass(frozen=True)
class Terms:
    """The loss of one batch, in three parts, and what was seen.

    Attributes
    ----------
    error, penalty, auxiliary : Tensor
        [], means over residues, weighted; their sum is minimised.
    squares : Tensor
        [], sum of squared residuals, without a gradient.
    n_active : Tensor
        [], active (residue, feature) pairs.
    n_pairs : int
        All (residue, feature) pairs.
    fired : Tensor
        bool [n_features].
    smallest : Tensor or None
        [], the smallest value that was selected, where an architecture selects.
    """

    error: Tensor
    penalty: Tensor
    auxiliary: Tensor
    squares: Tensor
    n_active: Tensor
    n_pairs: int
    fired: Tensor
    smallest: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """What is minimised, []."""
        return self.error + self.penalty + self.auxiliary


def error_of(residual: Tensor, kind: ErrorKind) -> Tensor:
    """Return the mean error of residuals [n, d], []."""
    per_residue: Tensor = residual.norm(dim=1) if kind == "norm" else residual.square().sum(dim=1)
    return per_residue.mean()


def terms_of(
    residual: Tensor,
    kind: ErrorKind,
    *,
    penalty: Tensor,
    n_active: Tensor,
    fired: Tensor,
    auxiliary: Tensor | None = None,
) -> Terms:
    """Return the terms of a batch with residuals [n, d]."""
    return Terms(
        error=error_of(residual, kind),
        penalty=penalty,
        auxiliary=residual.new_zeros(()) if auxiliary is None else auxiliary,
        squares=residual.detach().square().sum(),
        n_active=n_active,
        n_pairs=len(residual) * len(fired),
        fired=fired,
    )


class _Rectify(torch.autograd.Function):
    """relu(a) and its sums per feature, which a penalty reads: one pass over the gradient, not three."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor) -> tuple[Tensor, Tensor]:
        f = pre.relu()
        ctx.save_for_backward(f)
        return f, f.sum(dim=0)

    @staticmethod
    def backward(ctx: Any, by_value: Tensor, by_sum: Tensor) -> Tensor:
        (f,) = ctx.saved_tensors
        return torch.where(f > 0, by_value + by_sum, 0.0)


def rectify(pre: Tensor) -> tuple[Tensor, Tensor]:
    """Return relu of pre-activations [n, F] and its sums [F]."""
    f, sums = _Rectify.apply(pre)  # type: ignore[no-untyped-call]
    return f, sums
