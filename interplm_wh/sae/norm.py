"""Normalisations of an SAE's input, applied wherever the SAE reads hidden states."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from interplm_wh.sae.options import InputNorm

_SQRT_D_EPSILON = 1e-8
_LAYER_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Normalisation:
    """How a batch was brought to the SAE's units, so that a reconstruction can be brought back.

    Attributes
    ----------
    shift : Tensor or None
        Subtracted from every value of a row, [n, 1]; None where nothing is.
    scale : Tensor or None
        What is multiplied then, [n, 1] or []; None where nothing is.
    """

    shift: Tensor | None = None
    scale: Tensor | None = None

    def apply(self, x: Tensor) -> Tensor:
        """Return hidden states [n, d] in the SAE's units."""
        centred = x if self.shift is None else x - self.shift
        return centred if self.scale is None else centred * self.scale

    def undo(self, y: Tensor) -> Tensor:
        """Return what is in the SAE's units [n, d] in those of the hidden states."""
        spread = y if self.scale is None else y / self.scale
        return spread if self.shift is None else spread + self.shift

    def undo_change(self, change: Tensor) -> Tensor:
        """Return a difference of two rows in the SAE's units [n, d] in those of the hidden states."""
        return change if self.scale is None else change / self.scale


def normalisation(x: Tensor, norm: InputNorm, *, factor: Tensor | None = None) -> Normalisation:
    """Return what is done to hidden states before an SAE reads them.

    ``sqrt_d`` brings every row to the length √d. ``layer_norm`` takes the mean of every row and
    divides by its unbiased standard deviation, without learnt weights. ``unit_mean_norm``
    multiplies by one number for all rows: the one that made the mean squared norm of the training
    data 1.

    Parameters
    ----------
    x : Tensor
        float32 [n, d_model].
    norm : {'none', 'sqrt_d', 'layer_norm', 'unit_mean_norm'}
    factor : Tensor, optional
        [], needed for ``unit_mean_norm``.
    """
    if norm == "none":
        return Normalisation()
    if norm == "unit_mean_norm":
        return Normalisation(scale=factor)
    if norm == "sqrt_d":
        d_model = x.shape[-1]
        return Normalisation(scale=d_model**0.5 / (x.norm(dim=-1, keepdim=True) + _SQRT_D_EPSILON))
    shift = x.mean(dim=-1, keepdim=True)  # [n, 1]
    return Normalisation(shift, 1 / (x.std(dim=-1, keepdim=True) + _LAYER_NORM_EPSILON))
