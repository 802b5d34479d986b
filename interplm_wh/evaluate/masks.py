"""Which residues are masked: the same ones on every machine, in every batch, for every SAE."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

MASKED_PERCENT = 15
"""Of the residues of a protein, as in the training of ESM-2."""


def masked_residues(accession: str, length: int) -> NDArray[np.bool_]:
    """Choose the residues of a protein that are masked.

    Those with the lowest md5 of ``accession:position`` (1-based): 15 % of them, rounded half up, and
    at least one.

    Returns
    -------
    bool array [length]
    """
    digests = [hashlib.md5(f"{accession}:{i + 1}".encode()).digest() for i in range(length)]
    n_masked = max(1, (MASKED_PERCENT * length + 50) // 100)
    masked = np.zeros(length, np.bool_)
    masked[sorted(range(length), key=digests.__getitem__)[:n_masked]] = True
    return masked
