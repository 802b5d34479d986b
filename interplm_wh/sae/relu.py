"""ReLU sparse autoencoder.

f = relu((x - bias) Wₑᵀ + bₑ), x̂ = f W_dᵀ + bias; an L1 penalty keeps f sparse. Source: Bricken et
al., "Towards monosemanticity" (2023); InterPLM, Nature Methods (2025), Methods.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interplm_wh.sae.linear import LinearSAE
from interplm_wh.sae.objective import Objective, Terms, rectify, terms_of
from interplm_wh.sae.selected import positive


class ReluSAE(LinearSAE):
    """Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.weight`` [d, F], ``bias`` [d]."""

    architecture = "relu"
    settings = ("l1",)

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        return self.pre_activations(x, features).relu_()

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return error and L1 penalty, each activation weighted by the length of what it writes."""
        if self.is_sparse:
            return self._sparse_terms(x, objective)
        f, sums = rectify(self.pre_activations(x, slice(0, self.n_features)))  # [n, F]
        return terms_of(
            self.decode(f) - x,
            objective.error,
            penalty=objective.l1 * (sums @ self.decoder.norm(dim=0)) / len(x),
            n_active=torch.count_nonzero(f),
            fired=sums.detach() > 0,
        )

    def _sparse_terms(self, x: Tensor, objective: Objective) -> Terms:
        active = self.selected(x, slice(None), positive)
        return terms_of(
            self.residual(x, active),
            objective.error,
            penalty=objective.l1 * self.length_of(active),
            n_active=torch.tensor(len(active.values), device=x.device),
            fired=active.fired(self.n_features),
        )
