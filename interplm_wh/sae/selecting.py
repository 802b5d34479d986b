"""What TopK, BatchTopK and Matryoshka share: features compete, and dead ones learn from what is left."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.linear import LinearSAE
from interplm_wh.sae.objective import Objective, Terms, error_of
from interplm_wh.sae.selected import Select, Selected, per_row


class SelectingSAE(LinearSAE):
    """An SAE that keeps a fixed number of activations in training."""

    needs_k = True
    settings: ClassVar[Sequence[str] | None] = ("k", "auxk")
    needs_whole_batch = True

    @property
    @abstractmethod
    def select(self) -> Select:
        """What training selects."""

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return the error, and AuxK's where features are dead."""
        selected = self.selected(x, slice(None), self.select)
        error, residual = self._error(x, selected, objective)
        return Terms(
            error=error,
            penalty=x.new_zeros(()),
            auxiliary=self._auxiliary(x, residual.detach(), objective),
            squares=residual.detach().square().sum(),
            n_active=torch.tensor(len(selected.values), device=x.device),
            n_pairs=len(x) * self.n_features,
            fired=selected.fired(self.n_features),
            smallest=selected.values.detach().min() if len(selected.values) else None,
        )

    def _error(self, x: Tensor, selected: Selected, objective: Objective) -> tuple[Tensor, Tensor]:
        """Return the error and the residual [n, d]."""
        residual = self.residual(x, selected)
        return error_of(residual, objective.error), residual

    def _auxiliary(self, x: Tensor, residual: Tensor, objective: Objective) -> Tensor:
        """Return the share of the error that dead features leave unexplained, weighted.

        The share is taken of the batch's variance, so that the weight means the same whatever the units of
        the hidden states. Source: Gao et al., "Scaling and evaluating sparse autoencoders" (2024), appendix
        A.2; as many dead features per residue as half the width.
        """
        if objective.dead is None or not objective.auxk or not bool(objective.dead.any()):
            return x.new_zeros(())
        dead = objective.dead.nonzero().squeeze(1)
        selected = self.selected(x, dead, per_row(max(1, min(self.d_model // 2, len(dead)))))
        explained = selected.write(self.decoder.T[dead])  # [n, d]
        missed = (residual + explained).square().sum(dim=1).mean()
        spread = _variance(residual).clamp_min(torch.finfo(residual.dtype).tiny)
        units = _variance(x) if objective.error == "squared" else _variance(x).sqrt()
        return objective.auxk * units * missed / spread


def _variance(x: Tensor) -> Tensor:
    """Return the mean squared distance of rows [n, d] from their mean, []."""
    return (x - x.mean(dim=0)).square().sum(dim=1).mean()
