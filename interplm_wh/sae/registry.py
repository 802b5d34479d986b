"""The architectures that the warehouse knows: a new one is a file beside this and a line below."""

from __future__ import annotations

from interplm_wh.errors import ModelError
from interplm_wh.sae.base import SAE, Weights
from interplm_wh.sae.identity import IdentitySAE
from interplm_wh.sae.relu import ReluSAE

ARCHITECTURES: dict[str, type[SAE]] = {
    "identity": IdentitySAE,
    "relu": ReluSAE,
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
