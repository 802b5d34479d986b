"""Matryoshka sparse autoencoder: BatchTopK whose first features must do by themselves.

Features come in groups; the loss is the mean of the errors of the first group, of the first two, and
so on, so that the first features stay general. Source: Bussmann et al., "Learning multi-level features
with Matryoshka sparse autoencoders" (2025), section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import FACTOR, Weights
from interplm_wh.sae.batch_topk import THRESHOLD, BatchTopKSAE
from interplm_wh.sae.objective import Objective, error_of
from interplm_wh.sae.selected import Selected

GROUPS = "group_sizes"


class MatryoshkaSAE(BatchTopKSAE):
    """Tensors: as `BatchTopKSAE`, and ``group_sizes`` int64 [n_groups], which add up to n_features."""

    architecture = "matryoshka"
    settings = ("k", "groups", "auxk")
    shapes: ClassVar[Mapping[str, str]] = {**BatchTopKSAE.shapes, GROUPS: "G"}
    fixed: ClassVar[Collection[str]] = (FACTOR, THRESHOLD, GROUPS)

    def __init__(self, weights: Weights, *, revision: str | None = None) -> None:
        super().__init__(weights, revision=revision)
        sizes: list[int] = self.tensors[GROUPS].tolist()
        if sum(sizes) != self.n_features or min(sizes) < 1:
            raise ModelError(
                f"{weights.origin} (matryoshka): group_sizes are not positive numbers that add up to the "
                f"{self.n_features:,} features; check where the weights come from"
            )

    @classmethod
    def extras(cls, n_features: int, groups: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the threshold, and the sizes of the groups."""
        return {**super().extras(n_features, groups), GROUPS: torch.tensor(groups or (n_features,))}

    def _error(self, x: Tensor, selected: Selected, objective: Objective) -> tuple[Tensor, Tensor]:
        directions = self.decoder.T.contiguous()  # [F, d]
        residual = self.output_bias - x
        errors: list[Tensor] = []
        start = 0
        for size in self.tensors[GROUPS].tolist():
            inside = (selected.features >= start) & (selected.features < start + size)
            residual = residual + selected.among(inside).write(directions)
            errors.append(error_of(residual, objective.error))
            start += size
        return torch.stack(errors).mean(), residual
