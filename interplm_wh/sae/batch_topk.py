"""BatchTopK sparse autoencoder: k activations per residue on average over a batch.

In training the k·n highest activations of n residues; then those above one threshold, the mean of
the smallest activation that training selected, so that a residue's features do not depend on the
residues beside it. Source: Bussmann et al., "BatchTopK sparse autoencoders" (2024), section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.base import FACTOR
from interplm_wh.sae.linear import AFFINE
from interplm_wh.sae.objective import Terms
from interplm_wh.sae.selected import Select, per_batch
from interplm_wh.sae.selecting import SelectingSAE

THRESHOLD = "threshold"
UNSET = -1.0
"""A threshold that no batch has set: every positive activation passes."""
_MEMORY = 0.95
"""Weight of the past in the running mean of the threshold: about twenty steps, so that it does not lag."""


class BatchTopKSAE(SelectingSAE):
    """Tensors: as `TopKSAE`, and ``threshold`` []."""

    architecture = "batch_topk"
    shapes: ClassVar[Mapping[str, str]] = {**AFFINE, THRESHOLD: ""}
    fixed: ClassVar[Collection[str]] = (FACTOR, THRESHOLD)

    @classmethod
    def extras(cls, n_features: int, groups: tuple[int, ...]) -> dict[str, Tensor]:
        """Return a threshold that is not set yet."""
        return {THRESHOLD: torch.tensor(UNSET)}

    @property
    def select(self) -> Select:
        """The k·n highest of the batch."""
        return per_batch(self.k or 0)

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        f = self.pre_activations(x, features).relu_()
        return torch.where(f > self.tensors[THRESHOLD], f, 0.0)

    @torch.no_grad()
    def observe(self, terms: Terms) -> None:
        """Move the threshold towards the smallest activation that was selected."""
        super().observe(terms)
        if terms.smallest is None:
            return
        threshold = self.tensors[THRESHOLD]
        moved = _MEMORY * threshold + (1 - _MEMORY) * terms.smallest
        threshold.copy_(torch.where(threshold < 0, terms.smallest, moved))
