"""The architectures that the warehouse knows: a new one is a file beside this and a line below."""

from __future__ import annotations

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import SAE, Weights
from interplm_wh.sae.batch_topk import BatchTopKSAE
from interplm_wh.sae.gated import GatedSAE
from interplm_wh.sae.groupmax import GroupMaxSAE
from interplm_wh.sae.identity import IdentitySAE
from interplm_wh.sae.jumprelu import JumpReluSAE
from interplm_wh.sae.matryoshka import MatryoshkaSAE
from interplm_wh.sae.relu import ReluSAE
from interplm_wh.sae.relu_tied import TiedReluSAE
from interplm_wh.sae.topk import TopKSAE

ARCHITECTURES: dict[str, type[SAE]] = {
    "identity": IdentitySAE,
    "relu": ReluSAE,
    "relu_tied": TiedReluSAE,
    "topk": TopKSAE,
    "batch_topk": BatchTopKSAE,
    "jumprelu": JumpReluSAE,
    "gated": GatedSAE,
    "matryoshka": MatryoshkaSAE,
    "groupmax": GroupMaxSAE,
}


def make(weights: Weights, *, revision: str | None = None) -> SAE:
    """Make the SAE that the weights are of.

    Raises
    ------
    ModelError
        If the architecture is not known.
    """
    try:
        architecture = ARCHITECTURES[weights.architecture]
    except KeyError:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ModelError(
            f"SAEs of architecture {weights.architecture!r} are not supported; known: {known}"
        ) from None
    return architecture(weights, revision=revision)
