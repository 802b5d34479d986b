"""ReLU SAEs as InterPLM publishes and saves them.

Published files have the scale baked into the weights (`ae_normalized.pt`) or no scale
(`ae_unnormalized.pt`). Files saved by InterPLM 1.0 keep the weights and add the buffers
`activation_rescale_factor` (highest activation per feature, 0 where dead) and `normalize_to_sqrt_d`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from interplm_wh.errors import ModelError, faults_message
from interplm_wh.sae.base import Weights
from interplm_wh.sae.options import InputNorm

WEIGHTS = frozenset({"bias", "encoder.weight", "encoder.bias", "decoder.weight"})
SCALE = "activation_rescale_factor"
SQRT_D = "normalize_to_sqrt_d"
NORMALISED, UNNORMALISED = "ae_normalized.pt", "ae_unnormalized.pt"
EXPECTED = (
    "expected an InterPLM ReLU SAE: bias [d], encoder.weight [F, d], encoder.bias [F], decoder.weight [d, F]"
)


def recognises(names: Collection[str]) -> bool:
    """Whether a file with these tensors is a ReLU SAE of InterPLM."""
    return set(names) >= WEIGHTS and set(names) <= WEIGHTS | {SCALE, SQRT_D}


def published_file(layer: int, *, file: str | None = None) -> str:
    """Return the path in InterPLM's repositories of the SAE for one layer."""
    return f"layer_{layer}/{file or NORMALISED}"


def read(tensors: Mapping[str, Tensor], where: Path) -> Weights:
    """Read the tensors of one file; see `formats.read`."""
    _check(tensors, where)
    weights = {name: tensors[name].float().contiguous() for name in sorted(WEIGHTS)}
    n_features, d_model = weights["encoder.weight"].shape
    sqrt_d = SQRT_D in tensors and bool(tensors[SQRT_D])
    norm: InputNorm = "sqrt_d" if sqrt_d else "none"
    scale = _scale(tensors, weights, baked=where.name == NORMALISED)
    return Weights("relu", d_model, n_features, weights, input_norm=norm, checkpoint_scale=scale)


def _check(tensors: Mapping[str, Tensor], where: Path) -> None:
    """Name every tensor whose shape or values do not belong to the others."""
    faults: list[str] = []
    encoder = tensors["encoder.weight"]
    n_features, d_model = encoder.shape if encoder.ndim == 2 else (0, 0)
    shapes = {
        "bias": (d_model,),
        "encoder.weight": (n_features, d_model),
        "encoder.bias": (n_features,),
        "decoder.weight": (d_model, n_features),
        SCALE: (n_features,),
        SQRT_D: (),
    }
    for name, tensor in sorted(tensors.items()):
        if tuple(tensor.shape) != shapes[name]:
            faults.append(f"{name} has the shape {list(tensor.shape)}, expected {list(shapes[name])}")
        elif not bool(torch.isfinite(tensor.float()).all()):
            faults.append(f"{name} holds values that are not finite")
    if SCALE in tensors and bool((tensors[SCALE] < 0).any()):
        faults.append(f"{SCALE} holds negative values")
    if faults:
        raise ModelError(faults_message(str(where), faults, f"{EXPECTED}; download the file again"))


def _scale(tensors: Mapping[str, Tensor], weights: Mapping[str, Tensor], *, baked: bool) -> Tensor | None:
    """Return the checkpoint's scale; a buffer of ones alone says that nobody has set it."""
    if SCALE in tensors:
        scale = tensors[SCALE].float()
        return None if bool((scale == 1).all()) else scale.clone()
    if not baked:
        return None
    is_dead = (weights["encoder.weight"] == 0).all(dim=1) & (weights["encoder.bias"] <= 0)
    return torch.where(is_dead, 0.0, 1.0)
