"""Writing an SAE as SAELens reads it: ``cfg.json`` and ``sae_weights.safetensors``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save

from interplm_wh import __version__
from interplm_wh.errors import ModelError
from interplm_wh.sae.base import FACTOR, Weights
from interplm_wh.sae.formats import saelens
from interplm_wh.sae.formats.folding import Tensors, with_input_scaled
from interplm_wh.sae.gated import GATE, MAGNITUDE, STRETCH
from interplm_wh.sae.jumprelu import THRESHOLD
from interplm_wh.sae.linear import CENTRE, DECODER, DECODER_BIAS, ENCODER, ENCODER_BIAS
from interplm_wh.sae.options import InputNorm

_VERSION = "6.0.0"  # of SAELens, from which on it reads configurations as they are
_ARCHITECTURES: Mapping[str, str] = {
    "relu": "standard",
    "relu_tied": "standard",
    "topk": "topk",
    "batch_topk": "jumprelu",
    "matryoshka": "jumprelu",
    "jumprelu": "jumprelu",
    "gated": "gated",
}
_NORMS: Mapping[InputNorm, str] = {
    "none": "none",
    "unit_mean_norm": "none",  # its factor is folded into the weights
    "sqrt_d": "constant_norm_rescale",
    "layer_norm": "layer_norm",
}


def write(weights: Weights, *, about: Mapping[str, Any]) -> tuple[dict[str, bytes], list[str]]:
    """Return the files by name, and what was changed on the way.

    Parameters
    ----------
    weights : Weights
    about : mapping
        What `cfg.json` keeps as metadata.

    Raises
    ------
    ModelError
        If SAELens has no such architecture.
    """
    if weights.architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise ModelError(
            f"SAELens has no architecture for {weights.architecture} SAEs; those that it can read: {known}"
        )
    tensors, notes = _plain(weights)
    architecture = _ARCHITECTURES[weights.architecture]
    if architecture == "jumprelu" and weights.architecture != "jumprelu":
        notes.append(f"{weights.architecture} is written as jumprelu with one threshold for all features")
    config = {
        "architecture": architecture,
        "d_in": weights.d_model,
        "d_sae": weights.n_features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": CENTRE in tensors,
        "normalize_activations": _NORMS[weights.input_norm],
        "reshape_activations": "none",
        **({"k": weights.k, "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}),
        "metadata": {"sae_lens_version": _VERSION, "written_by": f"interplm-wh {__version__}", **about},
    }
    files = {
        saelens.CONFIG_FILE: json.dumps(config, indent=2).encode(),
        saelens.WEIGHTS_FILE: save(_renamed(tensors, weights, architecture)),
    }
    return files, notes


def _plain(weights: Weights) -> tuple[Tensors, list[str]]:
    """Return tensors with a decoder of their own, and the factor of the input folded in."""
    tensors = {name: tensor.float() for name, tensor in weights.tensors.items()}
    tensors.setdefault(DECODER, tensors[ENCODER].T)
    factor = tensors.pop(FACTOR, None)
    if factor is None:
        return tensors, []
    return with_input_scaled(tensors, factor), ["the factor of the input is folded into the weights"]


def _renamed(tensors: Tensors, weights: Weights, architecture: str) -> Tensors:
    found = {
        "W_enc": tensors[ENCODER].T,
        "W_dec": tensors[DECODER].T,
        "b_dec": tensors[CENTRE] if CENTRE in tensors else tensors[DECODER_BIAS],
    }
    if architecture == "gated":
        found |= {"b_gate": tensors[GATE], "b_mag": tensors[MAGNITUDE], "r_mag": tensors[STRETCH]}
    else:
        found["b_enc"] = tensors[ENCODER_BIAS]
    if architecture == "jumprelu":
        found["threshold"] = tensors[THRESHOLD] * torch.ones(weights.n_features)
    return {name: tensor.contiguous() for name, tensor in found.items()}
