"""The kinds of controls: what they are called, and which are made from residues alone."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Kind = Literal["neurons", "shuffled", "amino_acid", "position"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SUFFIXES: dict[Kind, str] = {
    "neurons": "-neurons",
    "shuffled": "-shuffled",
    "amino_acid": "-amino-acids",
    "position": "-position",
}
TITLES: dict[str, str] = {
    "neurons": "raw neurons",
    "shuffled": "PLM with shuffled weights",
    "amino_acid": "amino-acid identity",
    "position": "position in the sequence",
}
"""Roles in words."""
RULES: dict[str, int] = {"amino_acid": 20, "position": 10}
"""Controls that `sql/controls/` makes from residues, with their numbers of features. No model is behind
them: role and architecture are the same word, the scale is 1, and PLM and layer are NULL."""
_MOST = 64


def default_name(sae: str, kind: Kind) -> str:
    """Return the name of an SAE's control.

    Where it would be longer than a name may be, the end of the SAE's name gives way to a checksum of it.
    """
    suffix = SUFFIXES[kind]
    if len(sae) + len(suffix) <= _MOST:
        return sae + suffix
    digest = hashlib.sha256(sae.encode()).hexdigest()[:8]
    return f"{sae[: _MOST - len(suffix) - len(digest) - 1]}-{digest}{suffix}"
