"""What all architectures share that read and write hidden states by one matrix each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from interplm_wh.sae.base import FACTOR, SAE, Weights
from interplm_wh.sae.objective import Terms
from interplm_wh.sae.options import InputNorm
from interplm_wh.sae.selected import Select, Selected, encode_selected

ENCODER, ENCODER_BIAS, DECODER = "encoder.weight", "encoder.bias", "decoder.weight"
CENTRE, DECODER_BIAS = "bias", "decoder.bias"
SPARSE = 0.04
"""Share of active pairs under which sparse products are cheaper."""
AFFINE: Mapping[str, str] = {ENCODER: "Fd", ENCODER_BIAS: "F", DECODER: "dF", "bias|decoder.bias": "d"}


class LinearSAE(SAE):
    """f = activate((x - b) Wₑᵀ + bₑ), x̂ = f W_dᵀ + b.

    Tensors: ``encoder.weight`` [F, d], ``encoder.bias`` [F], ``decoder.weight`` [d, F], and b [d] as
    ``bias``; or as ``decoder.bias``, which is added to the output and not subtracted from the input.
    """

    shapes: ClassVar[Mapping[str, str]] = AFFINE
    centred: ClassVar[bool] = True
    """Whether a new one subtracts its bias from the input."""
    is_sparse = False
    """Whether so few features were active in the batch before that sparse products are cheaper."""

    @classmethod
    def initial(
        cls,
        d_model: int,
        n_features: int,
        *,
        generator: torch.Generator,
        mean: Tensor,
        k: int | None = None,
        groups: tuple[int, ...] = (),
        input_norm: InputNorm = "none",
        factor: Tensor | None = None,
    ) -> Self:
        """Make an untrained one: random unit directions, the encoder in the decoder's directions.

        Where nothing is selected, half of the features are active at first, and together would write F / 2d
        times what they read: the encoder's rows are shorter by that factor.

        Parameters
        ----------
        generator : torch.Generator
        mean : Tensor
            [d_model], mean of normalised hidden states: where the bias starts.
        k : int, optional
        groups : tuple of int
            Sizes of nested groups of features (`matryoshka`).
        factor : Tensor, optional
            [], for ``unit_mean_norm``.
        """
        decoder = torch.randn(d_model, n_features, generator=generator)
        decoder /= decoder.norm(dim=0)
        overlaps = not cls.needs_k and DECODER in cls.shapes
        strength = min(1.0, 2 * d_model / n_features) if overlaps else 1.0
        tensors = {
            ENCODER: (decoder.T * strength).contiguous(),
            ENCODER_BIAS: torch.zeros(n_features),
            DECODER: decoder,
            CENTRE if cls.centred else DECODER_BIAS: mean.clone(),
            **cls.extras(n_features, groups),
            **({} if factor is None else {FACTOR: factor}),
        }
        allowed = {FACTOR, *(spelling for spellings in cls.shapes for spelling in spellings.split("|"))}
        chosen = {name: tensor for name, tensor in tensors.items() if name in allowed}
        return cls(Weights(cls.architecture, d_model, n_features, chosen, input_norm=input_norm, k=k))

    @classmethod
    def extras(cls, n_features: int, groups: tuple[int, ...]) -> dict[str, Tensor]:
        """Return the tensors of a new one that this architecture has beside the affine ones."""
        return {}

    @property
    def trained(self) -> dict[str, Tensor]:
        """The tensors that gradients reach."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in self.fixed}

    @property
    def output_bias(self) -> Tensor:
        """What is added to the output, [d]."""
        return self.tensors[CENTRE] if CENTRE in self.tensors else self.tensors[DECODER_BIAS]

    @property
    def decoder(self) -> Tensor:
        """One column per feature, [d, F]."""
        return self.tensors[DECODER]

    def centre(self, x: Tensor) -> Tensor:
        """Subtract what is subtracted from normalised input."""
        return x - self.tensors[CENTRE] if CENTRE in self.tensors else x

    def pre_activations(self, x: Tensor, features: slice) -> Tensor:
        """Return what goes into the activation function, [n, n_chosen], a transpose in memory."""
        weight, bias = self.tensors[ENCODER][features], self.tensors[ENCODER_BIAS][features, None]
        pre: Tensor = torch.addmm(bias, weight, self.centre(x).T)  # [F, n]
        return pre.T

    def _encode_few(self, x: Tensor, features: Sequence[int]) -> Tensor:
        if not self.is_rowwise:
            return super()._encode_few(x, features)
        # Only what is above 0 can be selected, so that all features are needed of few rows.
        alone = torch.cat([self.pre_activations(x, slice(j, j + 1)) for j in features], dim=1)  # [n, k]
        rows = (alone > 0).any(dim=1).nonzero().squeeze(1)
        found = torch.zeros_like(alone)
        found[rows] = self._compete(x[rows], features)
        return found

    def _compete(self, x: Tensor, features: Sequence[int]) -> Tensor:
        """Return a few features [n, k] that compete with all others."""
        return super()._encode_few(x, features)

    def decode(self, f: Tensor) -> Tensor:
        """Decode features; see `SAE.decode`."""
        x: Tensor = f @ self.decoder.T + self.output_bias  # [n, d]
        return x

    def directions(self, features: Tensor) -> Tensor:
        """Return rows of the decoder; see `SAE.directions`."""
        rows: Tensor = self.decoder.T[features]  # [k, d]
        return rows

    @property
    def decoder_norm(self) -> Tensor:
        """Euclidean norm of each decoder column, float32 [n_features]."""
        norm: Tensor = self.decoder.detach().norm(dim=0)  # [F]
        return norm

    @torch.no_grad()
    def observe(self, terms: Terms) -> None:
        """Take note of what a step saw."""
        is_on_cpu = terms.n_active.device.type == "cpu"  # a GPU multiplies faster than it gathers
        self.is_sparse = is_on_cpu and bool(terms.n_active < SPARSE * terms.n_pairs)

    def selected(self, x: Tensor, features: slice | Tensor, select: Select) -> Selected:
        """Encode normalised input [n, d] for some features, and select among their pre-activations."""
        weight, bias = self.tensors[ENCODER][features], self.tensors[ENCODER_BIAS][features]
        return encode_selected(x, centre=self.tensors.get(CENTRE), weight=weight, bias=bias, select=select)

    def residual(self, x: Tensor, selected: Selected) -> Tensor:
        """Return what the reconstruction from selected pairs is off by, [n, d]."""
        return selected.write(self.decoder.T.contiguous()) + self.output_bias - x

    def length_of(self, selected: Selected) -> Tensor:
        """Return the sum over all pairs of value times length of the decoder's column, per residue, []."""
        lengths: Tensor = selected.values * self.decoder.norm(dim=0)[selected.features]  # [m]
        return lengths.sum() / selected.n_rows

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring tensors back into their range after an optimiser's step."""

    @torch.no_grad()
    def revive(self, features: Tensor, directions: Tensor, bias: Tensor, *, strength: float) -> None:
        """Give features a new start.

        Parameters
        ----------
        features : Tensor
            int64 [m].
        directions : Tensor
            float32 [m, d], of unit length: what they are to find.
        bias : Tensor
            float32 [m], of the encoder, for rows of unit length.
        strength : float
            Length of the encoder's rows.
        """
        self.tensors[ENCODER][features] = directions * strength
        self.tensors[ENCODER_BIAS][features] = bias * strength
        self.tensors[DECODER][:, features] = directions.T
