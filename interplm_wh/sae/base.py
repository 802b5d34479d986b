"""What the warehouse asks of a sparse autoencoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor

from interplm_wh.errors import MismatchError, ModelError, faults_message
from interplm_wh.sae.norm import Normalisation, normalisation
from interplm_wh.sae.options import InputNorm

if TYPE_CHECKING:
    from interplm_wh.sae.objective import Objective, Terms

FACTOR = "input_factor"
"""Tensor [] that ``unit_mean_norm`` multiplies hidden states by."""


@dataclass(frozen=True)
class Weights:
    """The tensors of an SAE under the names of its architecture, and what goes with them.

    Attributes
    ----------
    architecture : str
        Key of `registry.ARCHITECTURES`.
    d_model, n_features : int
    tensors : dict of str to Tensor
        float32, but for ``group_sizes`` (int64).
    input_norm : {'none', 'sqrt_d', 'layer_norm', 'unit_mean_norm'}
    k : int or None
        Active features per residue, where the architecture fixes it.
    checkpoint_scale : Tensor or None
        float32 [n_features]: the highest activation of each feature that the checkpoint knows of;
        1.0 where the scale is baked into the weights, 0.0 where the feature is dead. None where the
        checkpoint has no scale.
    origin : str
        Where the weights come from, as errors name it.
    """

    architecture: str
    d_model: int
    n_features: int
    tensors: Mapping[str, Tensor]
    input_norm: InputNorm = "none"
    k: int | None = None
    checkpoint_scale: Tensor | None = field(default=None)
    origin: str = "SAE"


class SAE(ABC):
    """A sparse autoencoder. A new architecture is one subclass in one file, and a line in `registry`.

    Parameters
    ----------
    weights : Weights
    revision : str, optional
        Revision on the hub that the weights came from.

    Raises
    ------
    ModelError
        If tensors are missing, of another shape, or not finite; all faults are in one message.
    """

    architecture: ClassVar[str]
    shapes: ClassVar[Mapping[str, str]]
    """Tensors that it needs: their axes, ``d`` for d_model, ``F`` for features, ``G`` for any length."""
    needs_k: ClassVar[bool] = False
    is_rowwise: ClassVar[bool] = False
    """Whether a feature's value depends on the other features of the residue."""
    settings: ClassVar[Sequence[str] | None] = None
    """What a recipe of training sets, of what not all architectures have; None where there is no training."""
    needs_whole_batch: ClassVar[bool] = False
    """Whether the loss of a batch is not the mean of the losses of its parts."""
    fixed: ClassVar[Collection[str]] = (FACTOR,)
    """Tensors that no gradient reaches."""

    def __init__(self, weights: Weights, *, revision: str | None = None) -> None:
        check_weights(weights, self.needed(weights), needs_k=self.needs_k)
        self.revision = revision
        self.d_model, self.n_features = weights.d_model, weights.n_features
        self.input_norm, self.k = weights.input_norm, weights.k
        self.checkpoint_scale = weights.checkpoint_scale
        # Copies are aligned and whole in memory: the last bits of a product depend on it.
        self.tensors = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in weights.tensors.items()
        }

    @classmethod
    def needed(cls, weights: Weights) -> dict[str, str]:
        """Return the tensors that these weights must have, and their axes."""
        return {**cls.shapes, **({FACTOR: ""} if weights.input_norm == "unit_mean_norm" else {})}

    @abstractmethod
    def _encode(self, x: Tensor, features: slice) -> Tensor:
        """Encode normalised input [n, d_model] to the features of a slice [n, n_chosen].

        Values are not negative. The result may be the transpose of a contiguous tensor, which is
        what the writer of sparse rows reads fastest.
        """

    @abstractmethod
    def decode(self, f: Tensor) -> Tensor:
        """Decode features [n, n_features] to [n, d_model], in the space of the normalised input."""

    @abstractmethod
    def directions(self, features: Tensor) -> Tensor:
        """Return what one unit of each feature adds to the reconstruction, float32 [k, d_model].

        Parameters
        ----------
        features : Tensor
            int64 [k].
        """

    @property
    @abstractmethod
    def decoder_norm(self) -> Tensor:
        """Euclidean norm of each feature's decoder column, float32 [n_features]."""

    def terms(self, x: Tensor, objective: Objective) -> Terms:
        """Return what one training step minimises, for normalised input [n, d_model].

        Raises
        ------
        ModelError
            If the architecture has nothing to train.
        """
        raise ModelError(f"an SAE of architecture {self.architecture} cannot be trained")

    def normalisation(self, x: Tensor) -> Normalisation:
        """Return how hidden states [n, d_model] are brought to the SAE's units."""
        return normalisation(x, self.input_norm, factor=self.tensors.get(FACTOR))

    def encode(self, x: Tensor, *, features: slice | None = None) -> Tensor:
        """Return what the features say about hidden states.

        Parameters
        ----------
        x : Tensor
            float32 [n, d_model], as a PLM gives it; the input normalisation is applied here.
        features : slice, optional
            The features to return; all by default.

        Returns
        -------
        Tensor
            float32 [n, n_features], raw activations, none below 0.
        """
        self._check_width(x)
        return self._encode(self.normalisation(x).apply(x), features or slice(0, self.n_features))

    def encode_few(self, x: Tensor, features: Sequence[int]) -> Tensor:
        """Return what `encode` says of a few features, float32 [n, k], at little more than their own cost.

        Parameters
        ----------
        x : Tensor
            float32 [n, d_model], as `encode` takes it.
        features : sequence of int
            0-based.
        """
        self._check_width(x)
        return self._encode_few(self.normalisation(x).apply(x), features)

    def _encode_few(self, x: Tensor, features: Sequence[int]) -> Tensor:
        if self.is_rowwise:
            return self._encode(x, slice(0, self.n_features))[:, list(features)]
        return torch.cat([self._encode(x, slice(j, j + 1)) for j in features], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``decode(encode(x))``, float32 [n, d_model], in the space of the normalised input."""
        return self.decode(self.encode(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the reconstruction in the units of `x`, float32 [n, d_model]."""
        return self.normalisation(x).undo(self.forward(x))

    def to(self, device: torch.device) -> Self:
        """Move the tensors to a device; returns the SAE itself."""
        self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return self

    @property
    def weights(self) -> Weights:
        """The tensors as they are now, and what goes with them."""
        return Weights(
            self.architecture,
            self.d_model,
            self.n_features,
            {name: tensor.detach() for name, tensor in self.tensors.items()},
            input_norm=self.input_norm,
            k=self.k,
            checkpoint_scale=self.checkpoint_scale,
        )

    def _check_width(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.d_model:
            raise MismatchError(
                f"the SAE reads hidden states of width {self.d_model}, not a tensor of shape "
                f"{tuple(x.shape)}; use the PLM and layer that it was trained on"
            )


def check_weights(weights: Weights, needed: Mapping[str, str], *, needs_k: bool) -> None:
    """Refuse weights that do not belong together.

    Parameters
    ----------
    weights : Weights
    needed : mapping of str to str
        Axes of each tensor; a name may offer two spellings, as in ``bias|decoder.bias``.

    Raises
    ------
    ModelError
        With every fault.
    """
    sizes = {"d": weights.d_model, "F": weights.n_features}
    faults: list[str] = []
    for spellings, axes in needed.items():
        found = [name for name in spellings.split("|") if name in weights.tensors]
        if len(found) != 1:
            faults.append(f"{spellings.replace('|', ' or ')} is {'missing' if not found else 'there twice'}")
        for name in found:
            faults += tensor_faults(name, weights.tensors[name], axes, sizes)
    if weights.k is None and needs_k:
        faults.append("k is missing")
    elif weights.k is not None and not 1 <= weights.k <= weights.n_features:
        faults.append(f"k is {weights.k}, expected 1 to {weights.n_features} (the number of features)")
    if weights.checkpoint_scale is not None:
        faults += tensor_faults("the scale", weights.checkpoint_scale, "F", sizes)
        if bool((weights.checkpoint_scale < 0).any()):
            faults.append("the scale holds negative values")
    if faults:
        where = f"{weights.origin} ({weights.architecture})"
        raise ModelError(faults_message(where, faults, "download it again"))


def tensor_faults(name: str, tensor: Tensor, axes: str, sizes: Mapping[str, int]) -> list[str]:
    """Say what is wrong with the shape or the values of a tensor; axes without a size may have any."""
    found = (*tensor.shape, *[0] * len(axes))
    expected = tuple(sizes.get(axis, found[i]) for i, axis in enumerate(axes))
    if tuple(tensor.shape) != expected:
        return [f"{name} has the shape {list(tensor.shape)}, expected {list(expected)}"]
    if not bool(torch.isfinite(tensor.float()).all()):
        n_bad = int((~torch.isfinite(tensor.float())).sum())
        return [f"{name} holds values that are not finite ({n_bad:,} of {tensor.numel():,})"]
    return []
