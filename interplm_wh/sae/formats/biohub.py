"""TopK SAEs of ESM-C as Biohub publishes them: ``config.json`` and one ``layer_{i}.safetensors`` per layer.

z = (x - mean) / (std + 1e-5) per token, unbiased; a = topk(relu((z - b_dec) W_enc)); the reconstruction is
in the space of z.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

import torch

from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.inspection import Inspection
from interplm_wh.sae.linear import CENTRE, DECODER, ENCODER, ENCODER_BIAS

NAME = "Biohub"
EXPECTED = (
    "W_enc [d, C], W_dec [C, d], b_dec [d], perhaps idf [C] and max [C], beside a config.json with k and "
    "codebook_dim"
)
_NEEDED: Mapping[str, str] = {"W_enc": "dF", "W_dec": "Fd", "b_dec": "d"}
_OPTIONAL: Mapping[str, str] = {"idf": "F", "max": "F"}


def place(path: PurePosixPath) -> Place | None:
    """Return what ``layer_{i}.safetensors`` says."""
    match = re.fullmatch(r"layer_(\d{1,4})\.safetensors", path.name)
    return Place(layer=int(match[1])) if match else None


def claims(config: Config) -> bool:
    """Whether a configuration is of an SAE of Biohub."""
    return "codebook_dim" in config


def fits(names: Collection[str]) -> bool:
    """Whether these tensors are Biohub's: no bias of the encoder."""
    return {"W_enc", "W_dec"} <= set(names) <= {*_NEEDED, *_OPTIONAL}


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    look = Inspection(found, EXPECTED)
    look.tensors(_NEEDED, _OPTIONAL)
    look.same_size("d_model", look.d_model)
    look.same_size("codebook_dim", look.n_features)
    k = look.k(look.whole("k"))
    highest = found.tensors.get("max")
    if highest is not None and bool((highest < 0).any()):
        look.faults.append("max holds negative values")
    look.finish()
    tensors = {
        ENCODER: look.get("W_enc").T,
        ENCODER_BIAS: torch.zeros(look.n_features),
        DECODER: look.get("W_dec").T,
        CENTRE: look.get("b_dec"),
    }
    has_scale = highest is not None and not bool((highest == 1).all())
    weights = Weights(
        "topk",
        look.d_model,
        look.n_features,
        tensors,
        input_norm="layer_norm",
        k=k,
        checkpoint_scale=look.get("max").clone() if has_scale else None,
        origin=str(found.path),
    )
    notes = ["idf is left out: it weighs features in a search, activations are without it"] * (
        "idf" in found.tensors
    )
    notes += ["max is taken as the scale"] * has_scale
    notes += ["max is 1 everywhere, which is no scale"] * (highest is not None and not has_scale)
    return Reading(weights, NAME, "TopK", tuple(notes))
