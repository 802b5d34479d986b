"""What the warehouse asks of a sparse autoencoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from interplm_wh.errors import MismatchError
from interplm_wh.sae.norm import InputNorm, input_scale


@dataclass(frozen=True)
class Weights:
    """The tensors of an SAE under the names of its architecture, and what goes with them.

    Attributes
    ----------
    architecture : str
        Key of `registry.ARCHITECTURES`.
    d_model, n_features : int
    tensors : dict of str to Tensor
        float32.
    input_norm : {'none', 'sqrt_d'}
    k : int or None
        Active features per residue, where the architecture fixes it.
    checkpoint_scale : Tensor or None
        float32 [n_features]: the highest activation of each feature that the checkpoint knows of;
        1.0 where the scale is baked into the weights, 0.0 where the feature is dead. None where the
        checkpoint has no scale.
    """

    architecture: str
    d_model: int
    n_features: int
    tensors: Mapping[str, Tensor]
    input_norm: InputNorm = "none"
    k: int | None = None
    checkpoint_scale: Tensor | None = None


class SAE(ABC):
    """A sparse autoencoder. A new architecture is one subclass in one file, and a line in `registry`.

    Parameters
    ----------
    weights : Weights
    revision : str, optional
        Revision on the hub that the weights came from.
    """

    architecture: ClassVar[str]

    def __init__(self, weights: Weights, *, revision: str | None = None) -> None:
        self.weights = weights
        self.revision = revision
        self.d_model, self.n_features = weights.d_model, weights.n_features
        self.input_norm, self.k = weights.input_norm, weights.k
        self.checkpoint_scale = weights.checkpoint_scale
        # copies are aligned in memory, mapped files may not be: the last bits of a product depend on it
        self.tensors = {name: tensor.clone() for name, tensor in weights.tensors.items()}

    @abstractmethod
    def _encode(self, x: Tensor, features: slice) -> Tensor:
        """Encode normalised input [n, d_model] to the features of a slice [n, n_chosen].

        Values are not negative. The result may be the transpose of a contiguous tensor, which is
        what the writer of sparse rows reads fastest.
        """

    @abstractmethod
    def decode(self, f: Tensor) -> Tensor:
        """Decode features [n, n_features] to [n, d_model], in the space of the normalised input."""

    @property
    @abstractmethod
    def decoder_norm(self) -> Tensor:
        """Euclidean norm of each feature's decoder column, float32 [n_features]."""

    @torch.inference_mode()
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
        scale = input_scale(x, self.input_norm)
        return self._encode(x if scale is None else x * scale, features or slice(0, self.n_features))

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        """Return ``decode(encode(x))``, float32 [n, d_model], in the space of the normalised input."""
        return self.decode(self.encode(x))

    @torch.inference_mode()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the reconstruction in the units of `x`, float32 [n, d_model]."""
        decoded = self.forward(x)
        scale = input_scale(x, self.input_norm)
        return decoded if scale is None else decoded / scale

    def to(self, device: torch.device) -> SAE:
        """Move the tensors to a device; returns the SAE itself."""
        self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return self

    def _check_width(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.d_model:
            raise MismatchError(
                f"the SAE reads hidden states of width {self.d_model}, not a tensor of shape "
                f"{tuple(x.shape)}; use the PLM and layer that it was trained on"
            )
