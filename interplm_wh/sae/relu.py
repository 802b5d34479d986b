"""ReLU sparse autoencoder.

f = relu((x - bias) Wₑᵀ + bₑ), x̂ = f W_dᵀ + bias; an L1 penalty keeps f sparse. Source: Bricken et
al., "Towards monosemanticity" (2023); InterPLM, Nature Methods (2025), Methods.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interplm_wh.sae.linear import LinearSAE
from interplm_wh.sae.objective import Objective, Terms, rectify, terms_of


class ReluSAE(LinearSAE):
    """Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.weight`` [d, F], ``bias`` [d]."""

    architecture = "relu"
    settings = ("l1",)

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        return self.pre_activations(x, features).relu_()

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return error and L1 penalty, each activation weighted by the length of what it writes."""
        f, sums = rectify(self.pre_activations(x, slice(0, self.n_features)))  # [n, F]
        return terms_of(
            self.decode(f) - x,
            objective.error,
            penalty=objective.l1 * (sums @ self.decoder.norm(dim=0)) / len(x),
            n_active=torch.count_nonzero(f),
            fired=sums.detach() > 0,
        )
