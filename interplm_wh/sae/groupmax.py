"""GroupMax sparse autoencoder: the highest activation of each of k equal groups of features.

As `sparsify` offers it beside TopK. Read, not trained here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import Weights
from interplm_wh.sae.linear import LinearSAE


class GroupMaxSAE(LinearSAE):
    """Tensors: those of a linear SAE; the features are k groups, one after the other."""

    architecture = "groupmax"
    needs_k = True
    is_rowwise = True

    def __init__(self, weights: Weights, *, revision: str | None = None) -> None:
        super().__init__(weights, revision=revision)
        if self.n_features % (self.k or 1):
            raise ModelError(
                f"{weights.origin} (groupmax): {self.n_features:,} features are not {self.k} equal groups; "
                "check where the weights come from"
            )

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        f = self.pre_activations(x, slice(0, self.n_features)).relu_().reshape(len(x), self.k or 1, -1)
        highest = f.max(dim=2, keepdim=True)  # [n, k, 1]
        kept = torch.zeros_like(f).scatter(2, highest.indices, highest.values)  # [n, k, F / k]
        return kept.reshape(len(x), self.n_features)[:, features]
