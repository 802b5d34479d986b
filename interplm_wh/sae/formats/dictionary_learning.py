"""SAEs of dictionary_learning and of those who train with it: ``trainer_{i}/ae.pt`` and ``config.json``.

Its `scale_biases` is applied before a file is saved, which then reads hidden states as they are.
Reticular's files (``3b-l36-matry-k-64-….ckpt``) are its Matryoshka SAEs without a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch

from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.folding import Tensors, with_biases_scaled, with_features_scaled
from interplm_wh.sae.formats.inspection import Inspection, shown
from interplm_wh.sae.gated import GATE, MAGNITUDE, STRETCH
from interplm_wh.sae.jumprelu import THRESHOLD
from interplm_wh.sae.linear import CENTRE, DECODER, DECODER_BIAS, ENCODER, ENCODER_BIAS
from interplm_wh.sae.matryoshka import GROUPS

NAME = "dictionary_learning"
CONFIG = "config.json"
_LINEAR: Mapping[str, str] = {ENCODER: "Fd", ENCODER_BIAS: "F", DECODER: "dF"}
_SELECTING: Mapping[str, str] = {**_LINEAR, "b_dec": "d"}
_MATRICES: Mapping[str, str] = {"W_enc": "dF", "W_dec": "Fd", "b_enc": "F", "b_dec": "d"}


@dataclass(frozen=True)
class _Class:
    """One of its classes: our architecture, tensors that it has and may have, and ours made from them."""

    architecture: str
    needed: Mapping[str, str]
    optional: Mapping[str, str]
    convert: Callable[[Inspection], Tensors]


def _linear(look: Inspection) -> Tensors:
    return {name: look.get(name) for name in _LINEAR}


def _auto(look: Inspection) -> Tensors:
    return {**_linear(look), CENTRE: look.get("bias")}


def _auto_new(look: Inspection) -> Tensors:
    return {**_linear(look), DECODER_BIAS: look.get("decoder.bias")}


def _gated(look: Inspection) -> Tensors:
    kept = {name: look.get(name) for name in (ENCODER, DECODER, GATE, MAGNITUDE, STRETCH)}
    return {**kept, CENTRE: look.get("decoder_bias")}


def _topk(look: Inspection) -> Tensors:
    return {**_linear(look), CENTRE: look.get("b_dec")}


def _batch_topk(look: Inspection) -> Tensors:
    return {**_topk(look), THRESHOLD: look.get("threshold")}


def _matrices(look: Inspection) -> Tensors:
    return {ENCODER: look.get("W_enc").T, ENCODER_BIAS: look.get("b_enc"), DECODER: look.get("W_dec").T}


def _matryoshka(look: Inspection) -> Tensors:
    groups = look.found.tensors["group_sizes"].long()
    threshold = look.get("threshold")
    return {**_matrices(look), CENTRE: look.get("b_dec"), THRESHOLD: threshold, GROUPS: groups}


def _jumprelu(look: Inspection) -> Tensors:
    return {**_matrices(look), DECODER_BIAS: look.get("b_dec"), THRESHOLD: look.get("threshold")}


_GATE: Mapping[str, str] = {
    "decoder_bias": "d",
    ENCODER: "Fd",
    DECODER: "dF",
    GATE: "F",
    MAGNITUDE: "F",
    STRETCH: "F",
}
_GROUPED: Mapping[str, str] = {**_MATRICES, "threshold": "", "group_sizes": "G"}
_SCALARS: Mapping[str, str] = {"k": "", "threshold": ""}
CLASSES: Mapping[str, _Class] = {
    "AutoEncoder": _Class("relu", {**_LINEAR, "bias": "d"}, {}, _auto),
    "AutoEncoderNew": _Class("relu", {**_LINEAR, "decoder.bias": "d"}, {}, _auto_new),
    "GatedAutoEncoder": _Class("gated", _GATE, {}, _gated),
    "AutoEncoderTopK": _Class("topk", _SELECTING, _SCALARS, _topk),
    "BatchTopKSAE": _Class("batch_topk", {**_SELECTING, "threshold": ""}, {"k": ""}, _batch_topk),
    "MatryoshkaBatchTopKSAE": _Class("matryoshka", _GROUPED, {"k": ""}, _matryoshka),
    "JumpReluAutoEncoder": _Class("jumprelu", {**_MATRICES, "threshold": "F"}, {}, _jumprelu),
}
_FACTOR_LACKS = (
    f"biases and threshold still lack the factor of the inputs (norm_factor {{:g}} of {CONFIG}), and were "
    "multiplied by it; where they have it already, take the key away"
)
_UNMISTAKABLE = ("GatedAutoEncoder", "MatryoshkaBatchTopKSAE")
EXPECTED = (
    f"the tensors of a class of dictionary_learning ({', '.join(CLASSES)}), beside a {CONFIG} that names it"
)


def place(path: PurePosixPath) -> Place | None:
    """Return what ``trainer_{i}/ae.pt`` says, or a file of Reticular; block n writes hidden state n + 1."""
    if path.suffix == ".ckpt":
        layer = re.search(r"(?:^|-)l(\d{1,4})-", path.name)
        return Place(layer=int(layer[1]) if layer else None)
    if path.name != "ae.pt" or not re.fullmatch(r"trainer_\d+", path.parent.name):
        return None
    block = re.fullmatch(r"resid_post_layer_(\d{1,4})", path.parent.parent.name)
    return Place(layer=int(block[1]) + 1 if block else None)


def claims(config: Config) -> bool:
    """Whether a configuration is of one of its training runs."""
    trainer = config.get("trainer")
    return isinstance(trainer, dict) and "dict_class" in trainer


def fits(names: Collection[str]) -> bool:
    """Whether these tensors may be its own; plain ReLU ones equal InterPLM's and are left to it."""
    if {"activation_rescale_factor", "normalize_to_sqrt_d"} & set(names):
        return False
    kinds = {name for name, kind in CLASSES.items() if set(kind.needed) <= set(names)}
    return bool(kinds - {"AutoEncoder", "AutoEncoderNew"})


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    trainer = found.config.get("trainer")
    trainer = trainer if isinstance(trainer, dict) else {}
    look = Inspection(found, EXPECTED)
    name = _class_name(look, found, trainer)
    kind = CLASSES[name]
    look.tensors(kind.needed, kind.optional)
    look.same_size("activation_dim", look.d_model, config=trainer)
    look.same_size("dict_size", look.n_features, config=trainer)
    needs_k = kind.architecture in ("topk", "batch_topk", "matryoshka")
    k = look.k(_k(look, trainer), is_fixed=needs_k)
    _check_groups(look, found)
    factor = look.number("norm_factor", config=trainer)
    look.finish()
    tensors = kind.convert(look)
    notes: list[str] = []
    if name == "AutoEncoder":
        tensors, notes = _with_unit_columns(tensors)
    if name == "AutoEncoderTopK" and "threshold" in found.tensors:
        notes = ["its threshold is left out: TopK keeps the k highest activations"]
    assumed: tuple[str, ...] = ()
    if factor is not None:
        tensors = with_biases_scaled(tensors, factor)
        assumed = (_FACTOR_LACKS.format(factor),)
    weights = Weights(kind.architecture, look.d_model, look.n_features, tensors, k=k, origin=str(found.path))
    return Reading(weights, NAME, name, tuple(notes), assumed)


def _class_name(look: Inspection, found: Checkpoint, trainer: Config) -> str:
    """Return the class: as the configuration says, else the only one that the tensors allow."""
    if "dict_class" in trainer:
        named = trainer["dict_class"]
        if not isinstance(named, str) or named not in CLASSES:
            look.refuse(f"the class {shown(named)} is not supported; known: {', '.join(CLASSES)}")
        return named
    possible = [name for name, kind in CLASSES.items() if set(kind.needed) <= set(found.tensors)]
    for name in _UNMISTAKABLE:
        if name in possible:
            return name
    look.refuse(
        f"it may be {' or '.join(possible)}; put the {CONFIG} of the training run beside it, or write one: "
        f'{{"trainer": {{"dict_class": "{possible[0]}"}}}}'
    )


def _k(look: Inspection, trainer: Config) -> int | None:
    stored = look.stored_whole("k")
    if stored is None:
        return look.whole("k", config=trainer)
    look.same_size("k", stored, config=trainer)
    return stored


def _check_groups(look: Inspection, found: Checkpoint) -> None:
    sizes = found.tensors.get("group_sizes")
    if sizes is not None and (bool((sizes < 1).any()) or bool(sizes.sum() != look.n_features)):
        look.faults.append(f"group_sizes are not positive numbers that add up to {look.n_features:,}")


def _with_unit_columns(tensors: Tensors) -> tuple[Tensors, list[str]]:
    """Bring decoder columns to unit length, as the package does when it loads a file."""
    norms = tensors[DECODER].norm(dim=0)  # [F]
    if torch.allclose(norms, torch.ones_like(norms)):
        return tensors, []
    scaled = with_features_scaled(tensors, torch.where(norms == 0, 1.0, norms))
    return scaled, ["decoder columns are brought to unit length, as dictionary_learning does on loading"]
