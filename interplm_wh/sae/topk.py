"""TopK sparse autoencoder: the k highest activations of each residue.

f = topk(relu((x - bias) Wₑᵀ + bₑ), k), x̂ = f W_dᵀ + bias. Source: Gao et al., "Scaling and
evaluating sparse autoencoders" (2024), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from interplm_wh.sae.linear import ENCODER, ENCODER_BIAS
from interplm_wh.sae.selected import Select, per_row
from interplm_wh.sae.selecting import SelectingSAE


class TopKSAE(SelectingSAE):
    """Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.weight`` [d, F], ``bias`` [d]."""

    architecture = "topk"
    is_rowwise = True

    @property
    def select(self) -> Select:
        """The k highest of each residue."""
        return per_row(self.k or 0)

    def _compete(self, x: Tensor, features: Sequence[int]) -> Tensor:
        # Counting what is higher takes half the time of selecting; where features are equal at the bound,
        # which trained ones are not, it keeps both.
        f = torch.addmm(self.tensors[ENCODER_BIAS], self.centre(x), self.tensors[ENCODER].T)  # [n, F]
        own = f[:, list(features)]  # [n, k]
        higher = torch.stack([(f > own[:, [i]]).sum(dim=1) for i in range(len(features))], dim=1)
        return own.relu().where(higher < (self.k or 0), 0.0)

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        weight, bias = self.tensors[ENCODER], self.tensors[ENCODER_BIAS]
        f = torch.addmm(bias, self.centre(x), weight.T).relu_()  # [n, F]
        highest = f.topk(self.k or 0, dim=1, sorted=False)
        return torch.zeros_like(f).scatter(1, highest.indices, highest.values)[:, features]
