"""JumpReLU sparse autoencoder: an activation counts where it passes the feature's own threshold.

a = x Wₑᵀ + bₑ, f = a where a > θ, else 0; x̂ = f W_dᵀ + b. θ is learnt by straight-through estimates with
a rectangular kernel. Source: Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with
JumpReLU sparse autoencoders" (2024), sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.linear import AFFINE, LinearSAE
from interplm_wh.sae.objective import Objective, Terms, terms_of
from interplm_wh.sae.selected import above

THRESHOLD = "threshold"
_START = 0.001


class _JumpRelu(torch.autograd.Function):
    """Activations [n, F] and how often each feature fires [F]; derivatives for thresholds are estimates."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
        fires = pre > threshold  # [n, F]
        ctx.save_for_backward(pre, threshold, fires)
        ctx.bandwidth = bandwidth
        return torch.where(fires, pre, 0.0), fires.sum(dim=0).float()

    @staticmethod
    def backward(ctx: Any, by_value: Tensor, by_count: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, threshold, fires = ctx.saved_tensors
        half = ctx.bandwidth / 2
        near = ((pre > threshold - half) & (pre < threshold + half)).nonzero()  # [m, 2]: few
        rows, features = near.unbind(1)
        slope = threshold[features] * by_value[rows, features] + by_count[features]
        by_threshold = torch.zeros_like(threshold).index_add_(0, features, -slope / ctx.bandwidth)
        return torch.where(fires, by_value, 0.0), by_threshold, None


class JumpReluSAE(LinearSAE):
    """Tensors: those of a linear SAE and ``threshold`` [F], none below 0 once trained here."""

    architecture = "jumprelu"
    settings = ("target_l0", "l0", "bandwidth")
    needs_whole_batch = True
    shapes: ClassVar[Mapping[str, str]] = {**AFFINE, THRESHOLD: "F"}
    centred = False

    @classmethod
    def extras(cls, n_features: int, groups: tuple[int, ...]) -> dict[str, Tensor]:
        """Return low thresholds."""
        return {THRESHOLD: torch.full((n_features,), _START)}

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        pre = self.pre_activations(x, features)
        return torch.where(pre > self.tensors[THRESHOLD][features], pre, 0.0).relu_()

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return the error, and the square of how far L0 is from its target, relative to it."""
        if self.is_sparse:
            return self._sparse_terms(x, objective)
        pre = self.pre_activations(x, slice(0, self.n_features))
        threshold = self.tensors[THRESHOLD]
        f, counts = _JumpRelu.apply(pre, threshold, objective.bandwidth)  # type: ignore[no-untyped-call]
        penalty = objective.l0 * (counts.sum() / len(x) / objective.target_l0 - 1).square()
        return terms_of(
            self.decode(f) - x,
            objective.error,
            penalty=penalty,
            n_active=counts.detach().sum(),
            fired=counts.detach() > 0,
        )

    def _sparse_terms(self, x: Tensor, objective: Objective) -> Terms:
        threshold = self.tensors[THRESHOLD]
        near = self.selected(x, slice(None), above(threshold.detach() - objective.bandwidth / 2))
        values, fires = _JumpRelu.apply(  # type: ignore[no-untyped-call]
            near.values[None], threshold[near.features], objective.bandwidth
        )
        # Those just below their threshold write nothing, but their derivatives move it.
        written = near.valued(values[0])
        penalty = objective.l0 * (fires.sum() / len(x) / objective.target_l0 - 1).square()
        return terms_of(
            self.residual(x, written),
            objective.error,
            penalty=penalty,
            n_active=fires.detach().sum(),
            fired=near.among(fires.detach() > 0).fired(self.n_features),
        )

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep thresholds at or above 0."""
        self.tensors[THRESHOLD].clamp_(min=0)

    @torch.no_grad()
    def revive(self, features: Tensor, directions: Tensor, bias: Tensor, *, strength: float) -> None:
        """Give features a new start, with a low threshold."""
        super().revive(features, directions, bias, strength=strength)
        self.tensors[THRESHOLD][features] = _START
