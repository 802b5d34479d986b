"""SAEs of SAELens: ``<sae_id>/cfg.json`` and ``<sae_id>/sae_weights.safetensors``.

Trained BatchTopK and Matryoshka SAEs are saved as JumpReLU with one threshold for all features; their
training checkpoints, which keep the names `batchtopk` and `matryoshka_batchtopk`, are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import torch
from torch import Tensor

from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.folding import Tensors, bias_name, with_features_scaled, with_input_scaled
from interplm_wh.sae.formats.inspection import Inspection, shown
from interplm_wh.sae.gated import GATE, MAGNITUDE, STRETCH
from interplm_wh.sae.jumprelu import THRESHOLD
from interplm_wh.sae.linear import DECODER, ENCODER, ENCODER_BIAS
from interplm_wh.sae.matryoshka import GROUPS
from interplm_wh.sae.options import InputNorm

NAME = "SAELens"
EXPECTED = (
    "W_enc [d, F], W_dec [F, d], b_dec [d], b_enc [F] (gated: b_gate, b_mag, r_mag [F]; jumprelu: threshold "
    "[F]), beside a cfg.json with architecture, d_in, d_sae"
)
WEIGHTS_FILE, CONFIG_FILE = "sae_weights.safetensors", "cfg.json"
NORMS: Mapping[str, InputNorm] = {
    "none": "none",
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "sqrt_d",
    "expected_average_only_in": "none",  # its factor is folded into the weights, or there is none
}
FACTOR_KEY = "norm_scaling_factor"
_BASE: Mapping[str, str] = {"W_enc": "dF", "W_dec": "Fd", "b_dec": "d"}
_NEEDED: Mapping[str, Mapping[str, str]] = {
    "standard": {**_BASE, "b_enc": "F"},
    "topk": {**_BASE, "b_enc": "F"},
    "jumprelu": {**_BASE, "b_enc": "F", "threshold": "F"},
    "gated": {**_BASE, "b_gate": "F", "b_mag": "F", "r_mag": "F"},
    "batchtopk": {**_BASE, "b_enc": "F", "topk_threshold": ""},
    "matryoshka_batchtopk": {**_BASE, "b_enc": "F", "topk_threshold": ""},
}
_OURS = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "batch_topk",
    "matryoshka_batchtopk": "matryoshka",
}
_WITH_K = ("topk", "batchtopk", "matryoshka_batchtopk")
_HOOK = re.compile(r"blocks\.(\d{1,4})\.hook_resid_(pre|post)")


def place(path: PurePosixPath) -> Place | None:
    """Return what ``<sae_id>/sae_weights.safetensors`` says; the output of block n is hidden state n + 1."""
    if path.name != WEIGHTS_FILE:
        return None
    hook = _HOOK.search(path.parent.as_posix())
    return Place(layer=int(hook[1]) + (hook[2] == "post") if hook else None)


def claims(config: Config) -> bool:
    """Whether a configuration is of an SAE of SAELens."""
    return {"d_in", "d_sae"} <= set(config)


def fits(names: Collection[str]) -> bool:
    """Whether these tensors may be SAELens's."""
    return (
        {"W_enc", "b_dec"} <= set(names)
        and bool({"b_enc", "b_gate", "b_mag"} & set(names))
        and GROUPS not in names
    )


@dataclass(frozen=True)
class _Settings:
    """What a configuration says of the weights beside it."""

    architecture: str
    k: int | None
    norm: str
    factor: float | None
    is_centred: bool
    is_rescaled: bool
    groups: Tensor | None


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    look = Inspection(found, EXPECTED)
    settings = _settings(look, found)
    look.finish()
    tensors, notes = _folded(look, settings)
    weights = Weights(
        _OURS[settings.architecture], look.d_model, look.n_features, tensors,
        input_norm=NORMS[settings.norm], k=settings.k, origin=str(found.path),
    )  # fmt: skip
    return Reading(weights, NAME, settings.architecture, tuple(notes))


def _settings(look: Inspection, found: Checkpoint) -> _Settings:
    architecture = _architecture(look, found)
    look.tensors(_NEEDED.get(architecture, _BASE), _optional(found))
    look.missing_config([CONFIG_FILE], "it says the architecture and how the input is normalised")
    look.same_size("d_in", look.d_model)
    look.same_size("d_sae", look.n_features)
    is_selecting = architecture in _WITH_K
    rescales = look.flag("rescale_acts_by_decoder_norm", default=is_selecting and architecture != "topk")
    return _Settings(
        architecture,
        k=look.k(_k(look, found), is_fixed=is_selecting),
        norm=_norm(look, found),
        factor=look.number(FACTOR_KEY),
        is_centred=look.flag("apply_b_dec_to_input", default=True),
        is_rescaled=is_selecting and rescales,
        groups=_groups(look, found) if architecture == "matryoshka_batchtopk" else None,
    )


def _folded(look: Inspection, settings: _Settings) -> tuple[Tensors, list[str]]:
    """Return our tensors, with what SAELens does besides folded in."""
    tensors = _tensors(look, settings)
    notes: list[str] = []
    if settings.factor is not None and settings.norm == "expected_average_only_in":
        tensors = _with_factor(tensors, settings.factor, is_rescaled=settings.is_rescaled)
        notes.append(f"the input's factor ({FACTOR_KEY} {settings.factor:g}) is folded into the weights")
    if settings.is_rescaled:
        tensors = with_features_scaled(tensors, tensors[DECODER].norm(dim=0))
        notes.append("rescale_acts_by_decoder_norm is folded into encoder and decoder")
    return tensors, notes


def _with_factor(tensors: Tensors, factor: float, *, is_rescaled: bool) -> Tensors:
    """Fold the factor of the input as SAELens does; thresholds in units of the decoder's norm follow it."""
    scaled = with_input_scaled(tensors, factor)
    if is_rescaled and THRESHOLD in scaled:
        scaled[THRESHOLD] = scaled[THRESHOLD] / factor
    return scaled


def _architecture(look: Inspection, found: Checkpoint) -> str:
    """Return the architecture; older configurations say it by the activation function."""
    named = look.word("architecture", default="standard")
    older = found.config.get("activation_fn", found.config.get("activation_fn_str"))
    if older == "topk" and named == "standard":
        return "topk"
    if found.config and named not in _NEEDED:
        known = ", ".join(_NEEDED)
        why = "; it predicts another module's output" if "transcoder" in named else ""
        look.faults.append(f"the architecture {shown(named)} is not supported{why}; known: {known}")
    if older not in (None, "relu", "topk") and found.config:
        look.faults.append(f"the activation function {shown(older)} is not supported")
    return named


def _optional(found: Checkpoint) -> Mapping[str, str]:
    """Return tensors that say nothing: a scaling factor of ones, of a time when it was always saved."""
    factor = found.tensors.get("scaling_factor")
    is_idle = factor is not None and bool((factor == 1).all())
    return {"scaling_factor": "F"} if is_idle else {}


def _k(look: Inspection, found: Checkpoint) -> int | None:
    older: Any = found.config.get("activation_fn_kwargs")
    if "k" not in found.config and isinstance(older, dict):
        return look.whole("k", config=older)
    return look.whole("k")


def _norm(look: Inspection, found: Checkpoint) -> str:
    """Return how the input is normalised; a reshaped input is no hidden state."""
    value = found.config.get("normalize_activations")
    norm = str(value)
    if value is None or isinstance(value, bool):  # as older versions wrote it
        norm = "expected_average_only_in" if value else "none"
    if norm not in NORMS:
        look.faults.append(
            f"normalize_activations {shown(value)} is not supported; known: {', '.join(NORMS)} "
            "(SAELens folds covariance_whitening when training ends: give the final SAE)"
        )
        return "none"
    if norm == "expected_average_only_in" and FACTOR_KEY not in found.config:
        look.faults.append(
            "normalize_activations is expected_average_only_in, and the factor is not in the file; write it "
            f"into {CONFIG_FILE} as {FACTOR_KEY} (SAELens's directory of releases has it under this name)"
        )
    if look.word("reshape_activations", default="none") != "none" or _hook(found).endswith("hook_z"):
        look.faults.append("it reads the heads of an attention (hook_z), the warehouse reads hidden states")
    return norm


def _hook(found: Checkpoint) -> str:
    """Return what the SAE reads; newer configurations say it in their metadata."""
    metadata: Any = found.config.get("metadata")
    newer = metadata.get("hook_name") if isinstance(metadata, dict) else None
    return str(newer or found.config.get("hook_name") or "")


def _groups(look: Inspection, found: Checkpoint) -> Tensor | None:
    """Return the sizes of the groups from the widths that SAELens counts from the start."""
    widths: Any = found.config.get("matryoshka_widths")
    if not isinstance(widths, list) or not all(isinstance(w, int) and 0 < w < 1 << 31 for w in widths):
        look.faults.append(f"matryoshka_widths is {shown(widths)}, expected a list of whole numbers")
        return None
    ends = [*widths, *([] if widths and widths[-1] == look.n_features else [look.n_features])]
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(sizes, default=0) < 1:
        look.faults.append(f"matryoshka_widths do not grow up to the {look.n_features:,} features")
        return None
    return torch.tensor(sizes)


def _tensors(look: Inspection, settings: _Settings) -> Tensors:
    tensors = {
        ENCODER: look.get("W_enc").T,
        DECODER: look.get("W_dec").T,
        bias_name(is_centred=settings.is_centred): look.get("b_dec"),
    }
    if settings.architecture == "gated":
        return tensors | {GATE: look.get("b_gate"), MAGNITUDE: look.get("b_mag"), STRETCH: look.get("r_mag")}
    tensors[ENCODER_BIAS] = look.get("b_enc")
    if settings.architecture == "jumprelu":
        tensors[THRESHOLD] = look.get("threshold")
    if settings.architecture in ("batchtopk", "matryoshka_batchtopk"):
        tensors[THRESHOLD] = look.get("topk_threshold")
    if settings.groups is not None:
        tensors[GROUPS] = settings.groups
    return tensors
