"""SAEs of EleutherAI's sparsify: ``<hookpoint>/cfg.json`` and ``<hookpoint>/sae.safetensors``.

Not read, because the warehouse could not check them by reconstruction: transcoders, which read the input
of a module and write its output, and skip connections, which explain the input beside the features.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.inspection import Inspection, shown
from interplm_wh.sae.linear import CENTRE, DECODER, ENCODER, ENCODER_BIAS

NAME = "sparsify"
EXPECTED = (
    "encoder.weight [F, d], encoder.bias [F], W_dec [F, d], b_dec [d], beside a cfg.json with d_in and k"
)
SKIP = "W_skip"
_NEEDED: Mapping[str, str] = {"encoder.weight": "Fd", "encoder.bias": "F", "W_dec": "Fd", "b_dec": "d"}
_DEFAULT_K = 32  # of its configuration, where cfg.json does not name k


def place(path: PurePosixPath) -> Place | None:
    """Return what ``<hookpoint>/sae.safetensors`` says; the output of block n is hidden state n + 1."""
    if path.name != "sae.safetensors":
        return None
    block = re.fullmatch(r"(?:.*\.)?layers?\.(\d{1,4})", path.parent.name)
    if block:
        return Place(layer=int(block[1]) + 1)
    return Place(layer=0 if path.parent.name.endswith("embed_tokens") else None)


def claims(config: Config) -> bool:
    """Whether a configuration is of a sparse coder of sparsify."""
    return "d_in" in config and bool({"num_latents", "expansion_factor"} & set(config))


def fits(names: Collection[str]) -> bool:
    """Whether these tensors are sparsify's."""
    return {"encoder.weight", "W_dec"} <= set(names)


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    look = Inspection(found, EXPECTED)
    look.tensors(_NEEDED, {SKIP: "GG"})
    look.missing_config(["cfg.json"], "it says k and the activation")
    look.same_size("d_in", look.d_model)
    if look.whole("num_latents", low=0):
        look.same_size("num_latents", look.n_features)
    k = look.k(look.whole("k") or (_DEFAULT_K if found.config else None))
    activation = look.word("activation", default="topk")
    if activation not in ("topk", "groupmax"):
        look.faults.append(f"the activation {shown(activation)} is not supported, topk and groupmax are")
    if activation == "groupmax" and k and look.n_features % k:
        look.faults.append(f"{look.n_features:,} features are not {k} equal groups")
    if look.flag("transcode", default=False):
        look.faults.append(
            "it is a transcoder, which reads the input of a module and predicts its output; the warehouse "
            "reads hidden states"
        )
    _check_skip(look, found)
    look.finish()
    tensors = {
        ENCODER: look.get("encoder.weight"),
        ENCODER_BIAS: look.get("encoder.bias"),
        DECODER: look.get("W_dec").T,
        CENTRE: look.get("b_dec"),
    }
    weights = Weights(activation, look.d_model, look.n_features, tensors, k=k, origin=str(found.path))
    notes = ("W_skip is left out: it is 0 everywhere",) if SKIP in found.tensors else ()
    return Reading(weights, NAME, activation, notes)


def _check_skip(look: Inspection, found: Checkpoint) -> None:
    skip = found.tensors.get(SKIP)
    if skip is not None and bool((skip != 0).any()):
        look.faults.append(
            "it has a skip connection (W_skip), which explains the input beside the features: their "
            "reconstruction alone cannot be checked"
        )
