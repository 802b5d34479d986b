"""Gated sparse autoencoder: one path says whether a feature is active, another how much.

p = (x - b) Wₑᵀ; f = relu(exp(r) p + b_mag) where p + b_gate > 0, else 0; x̂ = f W_dᵀ + b. The penalty and an
auxiliary error train the gate. Source: Rajamanoharan et al., "Improving dictionary learning with gated
sparse autoencoders" (2024), sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.sae.linear import CENTRE, DECODER, ENCODER, LinearSAE
from interplm_wh.sae.objective import Objective, Terms, error_of, rectify, terms_of
from interplm_wh.sae.selected import Select, Selected, encode_selected, positive

GATE, MAGNITUDE, STRETCH = "gate_bias", "mag_bias", "r_mag"


class GatedSAE(LinearSAE):
    """Tensors: of a linear SAE, but ``gate_bias``, ``mag_bias``, ``r_mag`` [F] for the encoder's bias."""

    architecture = "gated"
    settings = ("l1",)
    shapes: ClassVar[Mapping[str, str]] = {
        ENCODER: "Fd", GATE: "F", MAGNITUDE: "F", STRETCH: "F", DECODER: "dF", "bias|decoder.bias": "d",
    }  # fmt: skip

    @classmethod
    def extras(cls, n_features: int, groups: tuple[int, ...]) -> dict[str, Tensor]:
        """Return biases of 0 and paths of equal strength."""
        return {name: torch.zeros(n_features) for name in (GATE, MAGNITUDE, STRETCH)}

    def _paths(self, x: Tensor, features: slice) -> tuple[Tensor, Tensor]:
        """Return the gate before its step and the magnitude before its ReLU, [n, n_chosen]."""
        product = (self.tensors[ENCODER][features] @ self.centre(x).T).T  # [n, F]
        stretch = self.tensors[STRETCH][features].exp()
        magnitude = product * stretch + self.tensors[MAGNITUDE][features]
        return product + self.tensors[GATE][features], magnitude

    def selected(self, x: Tensor, features: slice | Tensor, select: Select) -> Selected:
        """Encode normalised input [n, d] for some features, and select among their gates."""
        weight, bias = self.tensors[ENCODER][features], self.tensors[GATE][features]
        return encode_selected(x, centre=self.tensors.get(CENTRE), weight=weight, bias=bias, select=select)

    def _encode(self, x: Tensor, features: slice) -> Tensor:
        gate, magnitude = self._paths(x, features)
        return torch.where(gate > 0, magnitude, 0.0).relu_()

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return the error, the gate's L1 penalty, and the error of what the gate alone explains."""
        if self.is_sparse:
            return self._sparse_terms(x, objective)
        gate, magnitude = self._paths(x, slice(0, self.n_features))
        f = torch.where(gate > 0, magnitude, 0.0).relu_()
        opened, sums = rectify(gate)  # [n, F]
        penalty = objective.l1 * (sums @ self.decoder.norm(dim=0)) / len(x)
        alone = opened @ self.decoder.detach().T + self.output_bias.detach()
        auxiliary = error_of(alone - x, objective.error)
        return terms_of(
            self.decode(f) - x,
            objective.error,
            penalty=penalty,
            auxiliary=auxiliary,
            n_active=torch.count_nonzero(f),
            fired=f.detach().any(dim=0),
        )

    def _sparse_terms(self, x: Tensor, objective: Objective) -> Terms:
        opened = self.selected(x, slice(None), positive)
        product = opened.values - self.tensors[GATE][opened.features]
        stretch = self.tensors[STRETCH].exp()[opened.features]
        active = opened.valued((product * stretch + self.tensors[MAGNITUDE][opened.features]).relu())
        alone = opened.write(self.decoder.detach().T.contiguous()) + self.output_bias.detach()
        return terms_of(
            self.residual(x, active),
            objective.error,
            penalty=objective.l1 * self.length_of(opened),
            auxiliary=error_of(alone - x, objective.error),
            n_active=torch.count_nonzero(active.values),
            fired=active.among(active.values.detach() > 0).fired(self.n_features),
        )

    @torch.no_grad()
    def revive(self, features: Tensor, directions: Tensor, bias: Tensor, *, strength: float) -> None:
        """Give features a new start, both paths alike."""
        self.tensors[ENCODER][features] = directions * strength
        self.tensors[DECODER][:, features] = directions.T
        self.tensors[GATE][features] = self.tensors[MAGNITUDE][features] = bias * strength
        self.tensors[STRETCH][features] = 0
