"""ReLU sparse autoencoder.

f = relu((x - bias) Wₑᵀ + bₑ), x̂ = f W_dᵀ + bias. Source: Bricken et al., "Towards
monosemanticity" (2023); InterPLM, Nature Methods (2025), Methods.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interplm_wh.sae.base import SAE


class ReluSAE(SAE):
    """Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.weight`` [d, F], ``bias`` [d]."""

    architecture = "relu"

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        centred = (x - self.tensors["bias"]).T  # [d, n]
        weight = self.tensors["encoder.weight"][features]  # [F, d]
        bias = self.tensors["encoder.bias"][features, None]  # [F, 1]
        f: Tensor = torch.addmm(bias, weight, centred).relu_().T  # [n, F]
        return f

    def decode(self, f: Tensor) -> Tensor:
        """Decode features; see `SAE.decode`."""
        x: Tensor = f @ self.tensors["decoder.weight"].T + self.tensors["bias"]  # [n, d]
        return x

    @property
    def decoder_norm(self) -> Tensor:
        """Euclidean norm of each decoder column, float32 [n_features]."""
        norm: Tensor = self.tensors["decoder.weight"].norm(dim=0)  # [F]
        return norm
