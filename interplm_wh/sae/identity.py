"""The raw neurons as features: the control that every SAE stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.base import SAE, Weights


class IdentitySAE(SAE):
    """2d features without weights: feature j is max(x_j, 0), feature d + j is max(-x_j, 0)."""

    architecture = "identity"
    shapes: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def of_width(cls, d_model: int) -> IdentitySAE:
        """Make the one for a PLM of this width."""
        return cls(Weights("identity", d_model, 2 * d_model, {}))

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        start, stop, _ = features.indices(self.n_features)
        signs = (
            x[:, start : min(stop, self.d_model)],
            -x[:, max(start - self.d_model, 0) : max(stop - self.d_model, 0)],
        )
        return torch.cat([half.T for half in signs]).relu_().T  # [n, F]

    def decode(self, f: Tensor) -> Tensor:
        """Return the difference of the two signs, which is the input itself."""
        return f[:, : self.d_model] - f[:, self.d_model :]

    def directions(self, features: Tensor) -> Tensor:
        """Return axes, with either sign."""
        rows = torch.eye(self.d_model, device=features.device)[features % self.d_model]  # [k, d]
        return torch.where(features[:, None] < self.d_model, rows, -rows)

    @property
    def decoder_norm(self) -> Tensor:
        """All ones, float32 [n_features]."""
        return torch.ones(self.n_features)
