"""Rewritings of weights that leave reconstructions as they are, exactly but for rounding."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from interplm_wh.sae.gated import GATE, MAGNITUDE
from interplm_wh.sae.jumprelu import THRESHOLD
from interplm_wh.sae.linear import CENTRE, DECODER, DECODER_BIAS, ENCODER, ENCODER_BIAS

Tensors = dict[str, Tensor]
_ENCODER_BIASES = (ENCODER_BIAS, GATE, MAGNITUDE)


def bias_name(*, is_centred: bool) -> str:
    """Return our name of the bias [d] that is added to the output: centred, the input loses it first."""
    return CENTRE if is_centred else DECODER_BIAS


def with_features_scaled(tensors: Mapping[str, Tensor], factor: Tensor) -> Tensors:
    """Multiply every feature's activation by a factor [F], and divide its decoder column.

    A threshold per feature is multiplied too; one for all features is left: it is in the new units.
    Where the factor is 0 the feature never fires, and its column stays.
    """
    alive = torch.where(factor == 0, 1.0, factor)
    changed = {**tensors, ENCODER: tensors[ENCODER] * factor[:, None], DECODER: tensors[DECODER] / alive}
    for name in _ENCODER_BIASES:
        if name in tensors:
            changed[name] = tensors[name] * factor
    if THRESHOLD in tensors and tensors[THRESHOLD].ndim:
        changed[THRESHOLD] = tensors[THRESHOLD] * factor
    return changed


def with_input_scaled(tensors: Mapping[str, Tensor], factor: float | Tensor) -> Tensors:
    """Take in that the input was multiplied by a factor [], and the output divided by it."""
    changed = {
        **tensors,
        ENCODER: tensors[ENCODER] * factor,
        DECODER: tensors[DECODER] / factor,
    }
    return changed | {name: tensors[name] / factor for name in (CENTRE, DECODER_BIAS) if name in tensors}


def with_biases_scaled(tensors: Mapping[str, Tensor], factor: float) -> Tensors:
    """Multiply biases and thresholds: what was trained on x / factor then reads x and writes x."""
    scaled = (*_ENCODER_BIASES, CENTRE, DECODER_BIAS)
    changed = {**tensors, **{name: tensors[name] * factor for name in scaled if name in tensors}}
    if THRESHOLD in tensors:
        threshold = tensors[THRESHOLD]
        is_unset = (threshold < 0) & (threshold.ndim == 0)
        changed[THRESHOLD] = torch.where(is_unset, threshold, threshold * factor)
    return changed


def centred(tensors: Mapping[str, Tensor]) -> Tensors:
    """Subtract the output's bias from the input, which the encoder's bias makes up for."""
    return _moved(tensors, DECODER_BIAS, CENTRE, sign=1.0)


def uncentred(tensors: Mapping[str, Tensor]) -> Tensors:
    """Subtract nothing from the input, which the encoder's bias makes up for."""
    return _moved(tensors, CENTRE, DECODER_BIAS, sign=-1.0)


def _moved(tensors: Mapping[str, Tensor], old: str, new: str, *, sign: float) -> Tensors:
    if old not in tensors:
        return dict(tensors)
    shift = sign * (tensors[ENCODER].double() @ tensors[old].double()).float()  # [F]
    return {
        **{name: tensor for name, tensor in tensors.items() if name != old},
        ENCODER_BIAS: tensors[ENCODER_BIAS] + shift,
        new: tensors[old],
    }
