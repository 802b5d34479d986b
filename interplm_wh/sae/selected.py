"""Training where only a few features per residue are active: their products are sparse.

The encoder's product is dense, since any feature may be active. Everything after it, the decoder and
all gradients, touches the active pairs alone, which makes a step about three times cheaper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

Select = Callable[[Tensor], Tensor]
"""Takes pre-activations [n, F], returns flat indices of those that take part, ascending."""


@dataclass(frozen=True)
class Selected:
    """The selected pairs of a batch in the order of residues.

    Attributes
    ----------
    values : Tensor
        float32 [m], with a gradient.
    rows, features : Tensor
        int64 [m].
    n_rows : int
    """

    values: Tensor
    rows: Tensor
    features: Tensor
    n_rows: int

    def valued(self, values: Tensor) -> Selected:
        """Return the same pairs with other values [m]."""
        return Selected(values, self.rows, self.features, self.n_rows)

    def among(self, keep: Tensor) -> Selected:
        """Return the pairs for which `keep`, bool [m], holds."""
        return Selected(self.values[keep], self.rows[keep], self.features[keep], self.n_rows)

    def write(self, directions: Tensor) -> Tensor:
        """Return the sum of each residue's features, [n_rows, d], from `directions` [F, d]."""
        counts = torch.bincount(self.rows, minlength=self.n_rows)
        starts = counts.cumsum(0) - counts  # [n_rows]
        written: Tensor = embedding_bag(
            self.features, directions, starts, per_sample_weights=self.values, mode="sum"
        )
        return written

    def fired(self, n_features: int) -> Tensor:
        """Return which features are active at all, bool [n_features]."""
        found = torch.zeros(n_features, dtype=torch.bool, device=self.rows.device)
        found[self.features] = True
        return found


def positive(pre: Tensor) -> Tensor:
    """Select what is above 0."""
    return (pre.flatten() > 0).nonzero().squeeze(1)


def above(threshold: Tensor) -> Select:
    """Select what is above each feature's threshold [F]."""

    def select(pre: Tensor) -> Tensor:
        return (pre > threshold).flatten().nonzero().squeeze(1)

    return select


def per_row(k: int) -> Select:
    """Select the k highest of each residue, if they are above 0."""

    def select(pre: Tensor) -> Tensor:
        n, width = pre.shape
        columns = pre.topk(min(k, width), dim=1, sorted=False).indices.sort(dim=1).values
        index = (columns + width * torch.arange(n, device=pre.device)[:, None]).flatten()
        return index[pre.flatten()[index] > 0]

    return select


def per_batch(k: int) -> Select:
    """Select the k·n highest of the batch, whichever residues they belong to, if they are above 0."""

    def select(pre: Tensor) -> Tensor:
        flat = pre.flatten()
        index = largest(flat, min(k * len(pre), flat.numel()))
        return index[flat[index] > 0]

    return select


_SMALL = 1 << 18
_STRIDES = (97, 101)


def largest(values: Tensor, n: int) -> Tensor:
    """Return the indices of the n largest values, ascending.

    A sample tells about how high the n-th is; only what lies above a cautious guess is ordered,
    which takes a fifth of the time of ordering all.

    Parameters
    ----------
    values : Tensor
        [m].
    n : int
    """
    if len(values) > _SMALL:
        sample = values[:: next(s for s in _STRIDES if len(values) % s)]
        rank = min(len(sample), 64 + (3 * n * len(sample)) // (2 * len(values)))
        floor = sample.topk(rank, sorted=False).values.min()
        above = (values > floor).nonzero().squeeze(1)
        if len(above) >= n:
            return above[values[above].topk(n, sorted=False).indices].sort().values
    return values.topk(n, sorted=False).indices.sort().values


class _Encode(torch.autograd.Function):
    """Pre-activations (x - centre) Wᵀ + b of selected pairs, with gradients of those alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, centre: Tensor | None, weight: Tensor, bias: Tensor, select: Select
    ) -> tuple[Tensor, Tensor, Tensor]:
        centred = x if centre is None else x - centre
        pre = torch.addmm(bias, centred, weight.T).float()  # [n, F]
        index = select(pre)
        values = pre.flatten()[index]
        rows, features = index // pre.shape[1], index % pre.shape[1]
        ctx.save_for_backward(centred, weight, rows, features)
        ctx.has_centre = centre is not None
        ctx.mark_non_differentiable(rows, features)
        return values, rows, features

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor, _rows: None, _features: None
    ) -> tuple[None, Tensor | None, Tensor, Tensor, None]:
        centred, weight, rows, features = ctx.saved_tensors
        pairs = torch.sparse_coo_tensor(
            torch.stack([features, rows]), grad, (len(weight), len(centred)), check_invariants=False
        )
        by_bias = torch.zeros(len(weight), device=grad.device).index_add_(0, features, grad)  # [F]
        by_centre = -(by_bias @ weight) if ctx.has_centre else None
        return None, by_centre, torch.sparse.mm(pairs, centred), by_bias, None


def encode_selected(
    x: Tensor, *, centre: Tensor | None, weight: Tensor, bias: Tensor, select: Select
) -> Selected:
    """Encode a batch [n, d] and select; gradients reach `centre`, `weight` [F, d] and `bias` [F]."""
    values, rows, features = _Encode.apply(x, centre, weight, bias, select)  # type: ignore[no-untyped-call]
    return Selected(values, rows, features, len(x))
