"""TopK SAEs of InterProt: one safetensors file per layer, without a configuration.

Per token x = LN(x) without learnt weights, unbiased standard deviation; latents = topk((x - b_pre) w_enc +
b_enc), none below 0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from interplm_wh.sae.base import Weights
from interplm_wh.sae.formats.base import Checkpoint, Config, Place, Reading
from interplm_wh.sae.formats.inspection import Inspection
from interplm_wh.sae.linear import CENTRE, DECODER, ENCODER, ENCODER_BIAS

NAME = "InterProt"
EXPECTED = "w_enc [d, F], w_dec [F, d], b_enc [F], b_pre [d]"
DEFAULT_K = 128
_NEEDED: Mapping[str, str] = {"w_enc": "dF", "w_dec": "Fd", "b_enc": "F", "b_pre": "d"}
_OPTIONAL: Mapping[str, str] = {"stats_last_nonzero": "F"}
_FILE = re.compile(r"esm2_plm\d+_l(\d{1,4})_sae\d+.*\.safetensors")


def place(path: PurePosixPath) -> Place | None:
    """Return what ``esm2_plm1280_l{L}_sae4096.safetensors`` says."""
    match = _FILE.fullmatch(path.name)
    return Place(layer=int(match[1])) if match else None


def claims(config: Config) -> bool:
    """There is no configuration."""
    return False


def fits(names: Collection[str]) -> bool:
    """Whether these tensors are InterProt's, be it that one lacks."""
    return len(set(_NEEDED) & set(names)) >= len(_NEEDED) - 1


def read(found: Checkpoint) -> Reading:
    """Read a file; see `formats.base.Format`."""
    look = Inspection(found, EXPECTED)
    look.tensors(_NEEDED, _OPTIONAL)
    k = look.k(None, default=DEFAULT_K)
    look.finish()
    tensors = {
        ENCODER: look.get("w_enc").T,
        ENCODER_BIAS: look.get("b_enc"),
        DECODER: look.get("w_dec").T,
        CENTRE: look.get("b_pre"),
    }
    weights = Weights(
        "topk", look.d_model, look.n_features, tensors, input_norm="layer_norm", k=k, origin=str(found.path)
    )
    assumed = f"k = {DEFAULT_K}, InterProt's default, for the file does not say; give --k where it is another"
    return Reading(weights, NAME, "TopK", assumed=() if found.k is not None else (assumed,))
