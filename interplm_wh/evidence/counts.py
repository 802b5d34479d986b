"""Counts of one pair, and the F1 that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
LEAST_CLUSTERS = 10
"""Clusters of test that carry a concept, from which it can be claimed; as in `pair_evidence.sql`."""
HALF = 32
"""Bits of each of two counts that are kept in one number."""


@dataclass(frozen=True)
class Spans:
    """Spans of one concept on one protein.

    Attributes
    ----------
    start, stop : int64 [n]
        1-based, inclusive.
    instance : int64 [n]
        Which instance each span is a part of: 0, 1, 2 and so on.
    """

    start: Ints
    stop: Ints
    instance: Ints

    @property
    def n_instances(self) -> int:
        """Number of instances."""
        return int(self.instance.max()) + 1 if len(self.instance) else 0

    @property
    def residues(self) -> Ints:
        """Residues, each once, in order; 1-based."""
        parts = [np.arange(a, b + 1) for a, b in zip(self.start, self.stop, strict=True)]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def f1(
    n_tp: Ints | Floats, n_fired: Ints | Floats | int, n_hit: Ints | Floats, n_to_find: Ints | Floats | int
) -> Floats:
    """Return F1 from counts, elementwise.

    Parameters
    ----------
    n_tp, n_fired : int
        Residues of the concept where the feature fires, and all where it fires.
    n_hit, n_to_find : int
        Instances that are hit, of all; or, at level 'residue', `n_tp` and the residues of the concept.

    Returns
    -------
    float64
        Harmonic mean of precision and recall; 0 where nothing is right.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.divide(n_tp, n_fired, dtype=np.float64)
        recall = np.divide(n_hit, n_to_find, dtype=np.float64)
        found = 2 * precision * recall / (precision + recall)
    clean: Floats = np.nan_to_num(found, nan=0.0, posinf=0.0)
    return clean
