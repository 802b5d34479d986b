"""SAEs as InterPLM publishes and saves them: ReLU, tied ReLU, TopK, BatchTopK, JumpReLU.

Published files have the scale baked into the weights (`ae_normalized.pt`) or no scale
(`ae_unnormalized.pt`). Files saved by InterPLM 1.0 keep the weights and add the buffers
`activation_rescale_factor` (highest activation per feature, 0 where dead) and `normalize_to_sqrt_d`.
Where its `encode` and its `forward` disagree, `forward` is what was trained and what is read here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

import torch
from torch import Tensor

from interplm_wh.sae.base import Weights
from interplm_wh.sae.batch_topk import THRESHOLD
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.folding import Tensors, bias_name
from interplm_wh.sae.formats.inspection import Inspection
from interplm_wh.sae.linear import CENTRE, DECODER, DECODER_BIAS, ENCODER, ENCODER_BIAS

NAME = "InterPLM"
EXPECTED = (
    "encoder.weight [F, d], encoder.bias [F], decoder.weight [d, F], and bias [d] (ReLU), decoder.bias [d] "
    "(tied ReLU; with threshold [F]: JumpReLU), or b_dec [d], k [], threshold [] (TopK, BatchTopK: which "
    "of them says config.yaml)"
)
SCALE, SQRT_D, K, B_DEC = "activation_rescale_factor", "normalize_to_sqrt_d", "k", "b_dec"
NORMALISED, UNSCALED, UNNORMALISED = "ae_normalized.pt", "ae.pt", "ae_unnormalized.pt"
_FILES = (NORMALISED, UNSCALED, UNNORMALISED)
_AFFINE: Mapping[str, str] = {ENCODER: "Fd", ENCODER_BIAS: "F", DECODER: "dF"}
_BUFFERS: Mapping[str, str] = {SCALE: "F", SQRT_D: ""}
_NEEDED: Mapping[str, Mapping[str, str]] = {
    "ReLU": {**_AFFINE, CENTRE: "d"},
    "tied ReLU": {**_AFFINE, DECODER_BIAS: "d"},
    "JumpReLU": {**_AFFINE, DECODER_BIAS: "d", THRESHOLD: "F"},
    "TopK": {**_AFFINE, B_DEC: "d", K: "", THRESHOLD: ""},
    "BatchTopK": {**_AFFINE, B_DEC: "d", K: "", THRESHOLD: ""},
}


def place(path: PurePosixPath) -> Place | None:
    """Return what ``layer_{L}/ae_normalized.pt`` and its like say."""
    if path.name not in _FILES or path.parent.name.startswith("trainer_"):
        return None
    layer = re.fullmatch(r"layer_(\d{1,4})", path.parent.name)
    return Place(_FILES.index(path.name), int(layer[1]) if layer else None)


def claims(config: Config) -> bool:
    """Whether a configuration is of one of InterPLM's training runs."""
    return isinstance(config.get("trainer_cfg"), dict)


def fits(names: Collection[str]) -> bool:
    """Whether these tensors are InterPLM's, be it that one lacks; TopK's without buffers may be another's."""
    there = set(names)
    is_selecting = bool({B_DEC, K} & there)
    known = {name for needed in _NEEDED.values() for name in needed} | set(_BUFFERS)
    enough = len(set(_AFFINE) & there) > 1 and there <= known
    return enough and (not is_selecting or bool(there & set(_BUFFERS)))


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    trainer = found.config.get("trainer_cfg")
    trainer = trainer if isinstance(trainer, dict) else {}
    look = Inspection(found, EXPECTED)
    kind = _kind(found, trainer)
    look.tensors(_NEEDED[kind or "TopK"], _BUFFERS)
    if kind is None:
        look.faults.append(
            "TopK and BatchTopK have the same tensors; put InterPLM's config.yaml beside the file (its "
            "trainer_cfg has trainer_name: TopKTrainer for TopK)"
        )
    scale = found.tensors.get(SCALE)
    if scale is not None and bool((scale < 0).any()):
        look.faults.append(f"{SCALE} holds negative values")
    k = look.k(look.stored_whole(K), is_fixed=kind in ("TopK", "BatchTopK", None))
    is_centred = look.flag("apply_b_dec_to_input", default=False, config=trainer)
    look.finish()
    tensors, architecture = _tensors(look, str(kind), is_centred=is_centred)
    weights = Weights(
        architecture,
        look.d_model,
        look.n_features,
        tensors,
        input_norm="sqrt_d" if SQRT_D in found.tensors and bool(found.tensors[SQRT_D]) else "none",
        k=k,
        checkpoint_scale=_scale(found, tensors),
        origin=str(found.path),
    )
    return Reading(weights, NAME, str(kind), _notes(weights))


def _kind(found: Checkpoint, trainer: Config) -> str | None:
    """Tell by the tensors, and TopK from BatchTopK by the configuration; None where nothing tells."""
    names = found.tensors.keys()
    if DECODER_BIAS in names:
        return "JumpReLU" if THRESHOLD in names else "tied ReLU"
    if not {B_DEC, K} & set(names):
        return "ReLU"
    if trainer.get("trainer_name") == "TopKTrainer":
        return "TopK"
    return "BatchTopK" if {"auxk_alpha", "dead_feature_threshold"} & set(trainer) else None


def _tensors(look: Inspection, kind: str, *, is_centred: bool) -> tuple[Tensors, str]:
    tensors = {name: look.get(name) for name in _AFFINE}
    if kind == "ReLU":
        return {**tensors, CENTRE: look.get(CENTRE)}, "relu"
    if kind == "JumpReLU":
        bias = {bias_name(is_centred=is_centred): look.get(DECODER_BIAS)}
        return {**tensors, **bias, THRESHOLD: look.get(THRESHOLD)}, "jumprelu"
    if kind == "tied ReLU":
        tensors[DECODER_BIAS] = look.get(DECODER_BIAS)
        # Both matrices are saved; with the scale baked in they are no longer each other's transpose.
        if torch.equal(tensors[DECODER], tensors[ENCODER].T):
            return {name: tensor for name, tensor in tensors.items() if name != DECODER}, "relu_tied"
        return tensors, "relu"
    tensors[CENTRE] = look.get(B_DEC)
    if kind == "TopK":
        return tensors, "topk"
    return {**tensors, THRESHOLD: look.get(THRESHOLD)}, "batch_topk"


def _scale(found: Checkpoint, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """Return the checkpoint's scale; a buffer of ones alone says that nobody has set it."""
    if SCALE in found.tensors:
        scale = found.tensors[SCALE].float()
        return None if bool((scale == 1).all()) else scale.clone()
    if found.path.name != NORMALISED:
        return None
    is_dead = (tensors[ENCODER] == 0).all(dim=1) & (tensors[ENCODER_BIAS] <= 0)
    return torch.where(is_dead, 0.0, 1.0)


def _notes(weights: Weights) -> tuple[str, ...]:
    notes: list[str] = []
    if weights.architecture == "topk":
        notes.append("its threshold is left out: TopK keeps the k highest activations")
    if weights.architecture == "batch_topk" and float(weights.tensors[THRESHOLD]) < 0:
        notes.append("its threshold was never set: every positive activation counts")
    return tuple(notes)
