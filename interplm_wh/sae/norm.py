"""Normalisations of an SAE's input, applied wherever the SAE reads hidden states."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

InputNorm = Literal["none", "sqrt_d"]
INPUT_NORMS: tuple[InputNorm, ...] = ("none", "sqrt_d")
_EPSILON = 1e-8


def input_scale(x: Tensor, norm: InputNorm) -> Tensor | None:
    """Return what hidden states are multiplied by, float32 [n, 1], or None where nothing is done.

    ``sqrt_d`` brings every row to the length √d; a row of zeros stays one.
    """
    if norm == "none":
        return None
    d_model = x.shape[-1]
    scale: Tensor = d_model**0.5 / (x.norm(dim=-1, keepdim=True) + _EPSILON)  # [n, 1]
    return scale
