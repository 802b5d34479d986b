"""ReLU sparse autoencoder whose decoder is the encoder's transpose.

f = relu(x Wᵀ + bₑ), x̂ = f W + b. Source: Cunningham et al., "Sparse autoencoders find highly
interpretable features in language models" (2023), section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.linear import DECODER_BIAS, ENCODER, ENCODER_BIAS
from interplm_wh.sae.relu import ReluSAE


class TiedReluSAE(ReluSAE):
    """Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.bias`` [d]."""

    architecture = "relu_tied"
    shapes: ClassVar[Mapping[str, str]] = {ENCODER: "Fd", ENCODER_BIAS: "F", DECODER_BIAS: "d"}
    centred = False

    @property
    def decoder(self) -> Tensor:
        """The encoder's rows as columns, [d, F]."""
        return self.tensors[ENCODER].T

    @torch.no_grad()
    def revive(self, features: Tensor, directions: Tensor, bias: Tensor, *, strength: float) -> None:
        """Give features a new start; their one matrix keeps the length of a decoder's column."""
        self.tensors[ENCODER][features] = directions
        self.tensors[ENCODER_BIAS][features] = bias
