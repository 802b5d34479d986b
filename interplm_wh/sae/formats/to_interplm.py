"""Writing an SAE as InterPLM reads it: ``ae.pt`` or ``ae_normalized.pt``, and ``config.yaml``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
import yaml
from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import FACTOR, Weights
from interplm_wh.sae.formats import interplm
from interplm_wh.sae.formats.folding import (
    Tensors,
    centred,
    uncentred,
    with_features_scaled,
    with_input_scaled,
)
from interplm_wh.sae.jumprelu import THRESHOLD
from interplm_wh.sae.linear import CENTRE, DECODER, DECODER_BIAS, ENCODER, ENCODER_BIAS

CONFIG = "config.yaml"
_UNSET = -1.0
_KINDS: Mapping[str, str] = {
    "relu": "ReLU",
    "relu_tied": "ReLU",
    "jumprelu": "JumpReLU",
    "topk": "TopK",
    "batch_topk": "BatchTopK",
    "matryoshka": "BatchTopK",
}
_BAKED = ("relu", "relu_tied", "jumprelu")


def write(weights: Weights, *, scale: Tensor | None, is_baked: bool) -> tuple[dict[str, bytes], list[str]]:
    """Return the files by name, and what was changed on the way.

    Parameters
    ----------
    weights : Weights
    scale : Tensor or None
        float32 [n_features], the highest activation of each feature, 0 where dead.
    is_baked : bool
        Divide activations by the scale in the weights themselves, as InterPLM's published
        ``ae_normalized.pt``; else the scale is kept as the buffer of its version 1.

    Raises
    ------
    ModelError
        If InterPLM has no such architecture or normalisation, or the scale cannot be baked in.
    """
    _check(weights, scale, is_baked=is_baked)
    tensors, notes = _tensors(weights)
    if is_baked and scale is not None:
        tensors = with_features_scaled(tensors, torch.where(scale > 0, 1 / scale, 0.0))
        notes.append(
            "the scale is baked into the weights: activations are those of the warehouse, normalised"
        )
    kind = _KINDS[weights.architecture]
    if weights.architecture == "relu_tied":
        notes.append("the decoder is written beside the encoder, whose transpose it is")
    if weights.architecture == "matryoshka":
        notes.append("matryoshka is written as BatchTopK, which encodes alike; the groups are left out")
    state = _renamed(tensors, weights, kind)
    state[interplm.SQRT_D] = torch.tensor(weights.input_norm == "sqrt_d")
    if not is_baked:
        state[interplm.SCALE] = torch.ones(weights.n_features) if scale is None else scale
    if not is_baked and scale is None:
        notes.append(f"{interplm.SCALE} is 1 everywhere: the warehouse has no scale of it yet")
    content = io.BytesIO()
    torch.save(state, content)
    name = interplm.NORMALISED if is_baked else interplm.UNSCALED
    return {name: content.getvalue(), CONFIG: _config(weights, kind).encode()}, notes


def _check(weights: Weights, scale: Tensor | None, *, is_baked: bool) -> None:
    if weights.architecture not in _KINDS:
        known = ", ".join(_KINDS)
        raise ModelError(
            f"InterPLM has no architecture for {weights.architecture} SAEs; those that it can read: {known}"
        )
    if weights.input_norm == "layer_norm":
        raise ModelError("InterPLM does not normalise its input by layer_norm; write it for SAELens")
    if is_baked and weights.architecture not in _BAKED:
        raise ModelError(
            f"a scale per feature would change which features a {weights.architecture} SAE selects; leave "
            "--normalised out: the scale is then written beside the weights"
        )
    if is_baked and scale is None:
        raise ModelError(
            "the warehouse has no scale of this SAE yet; encode and build first, or leave --normalised out"
        )


def _tensors(weights: Weights) -> tuple[Tensors, list[str]]:
    """Return tensors with a decoder of their own and the bias where InterPLM's class has it."""
    tensors = {name: tensor.float() for name, tensor in weights.tensors.items()}
    notes: list[str] = []
    tensors.setdefault(DECODER, tensors[ENCODER].T)
    factor = tensors.pop(FACTOR, None)
    if factor is not None:
        tensors = with_input_scaled(tensors, factor)
        notes.append("the factor of the input is folded into the weights")
    move = uncentred if weights.architecture == "jumprelu" else centred
    moved = move(tensors)
    if moved.keys() != tensors.keys():
        notes.append("the bias of the encoder makes up for where InterPLM applies the other bias")
    return moved, notes


def _renamed(tensors: Tensors, weights: Weights, kind: str) -> dict[str, Tensor]:
    found = {name: tensors[name] for name in (ENCODER, ENCODER_BIAS, DECODER)}
    if kind == "ReLU":
        found[CENTRE] = tensors[CENTRE]
    elif kind == "JumpReLU":
        found |= {DECODER_BIAS: tensors[DECODER_BIAS], THRESHOLD: tensors[THRESHOLD]}
    else:
        found[interplm.B_DEC] = tensors[CENTRE]
        found[interplm.K] = torch.tensor(weights.k, dtype=torch.int32)
        found[THRESHOLD] = tensors.get(THRESHOLD, torch.tensor(_UNSET))
    return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def _config(weights: Weights, kind: str) -> str:
    """Return InterPLM's configuration of a run, by whose trainer it knows the class of the file."""
    own: Mapping[str, dict[str, Any]] = {
        "ReLU": {"l1_penalty": 0.0, "l1_penalty_warmup_steps": None},
        "JumpReLU": {"bandwidth": 0.001},
        "TopK": {"k": weights.k, "trainer_name": "TopKTrainer"},
        "BatchTopK": {"k": weights.k, "auxk_alpha": 0.0},
    }
    trainer = {
        "expansion_factor": None,
        "dictionary_size": weights.n_features,
        "lr": 0.0,
        "activation_dim": weights.d_model,
        "epochs": None,
        "steps": 1,
        "warmup_steps": None,
        "decay_start": None,
        "resample_steps": None,
        "normalize_to_sqrt_d": weights.input_norm == "sqrt_d",
        "grad_clip_norm": None,
        **own[kind],
    }
    sections = {
        "dataloader_cfg": {"plm_embd_dir": "unused", "batch_size": 1, "seed": 0},
        "trainer_cfg": trainer,
        "eval_cfg": {},
        "wandb_cfg": {"use_wandb": False},
        "checkpoint_cfg": {"save_dir": "unused"},
    }
    return yaml.safe_dump(sections, sort_keys=False)
