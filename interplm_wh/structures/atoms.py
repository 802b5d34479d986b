"""C-alphas and heavy atoms of what biotite has read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)
Place = tuple[tuple[float, float, float], float | None]
_HYDROGEN = ("H", "D")


@dataclass(frozen=True, eq=False)
class HeavyAtoms:
    """Atoms of one residue other than hydrogen, each once.

    Attributes
    ----------
    names : tuple of str [n]
    xyz : float32 array [n, 3]
        In Å.
    """

    names: tuple[str, ...]
    xyz: NDArray[np.float32]


def alpha_carbons(
    keys: Sequence[Key],
    coordinates: NDArray[np.float32],
    b_factors: NDArray[np.float64] | None,
    occupancies: NDArray[np.float64] | None,
    which: Iterable[int],
) -> dict[Key, Place]:
    """Return the C-alpha of each residue; of alternative locations the most occupied, the first on a tie.

    Parameters
    ----------
    keys : sequence [n_atoms]
        What tells the residues apart.
    coordinates : float32 array [n_atoms, 3]
        In Å; an atom without finite ones is left out.
    b_factors, occupancies : float64 array [n_atoms] or None
    which : iterable of int
        Indices of the atoms that are C-alphas.
    """
    found: dict[Key, Place] = {}
    best: dict[Key, float] = {}
    for i in which:
        if not np.isfinite(coordinates[i]).all():
            continue
        occupancy = 1.0 if occupancies is None else float(occupancies[i])
        if keys[i] in found and occupancy <= best[keys[i]]:
            continue
        x, y, z = (float(v) for v in coordinates[i])
        b_factor = None if b_factors is None or not np.isfinite(b_factors[i]) else float(b_factors[i])
        found[keys[i]], best[keys[i]] = ((x, y, z), b_factor), occupancy
    return found


def heavy_atoms(
    keys: Sequence[Key], array: Any, occupancies: NDArray[np.float64] | None, which: Iterable[int]
) -> dict[Key, HeavyAtoms]:
    """Return the heavy atoms of each residue; of alternative locations as `alpha_carbons` does.

    Parameters
    ----------
    keys : sequence [n_atoms]
        What tells the residues apart.
    array : AtomArray
    occupancies : float64 array [n_atoms] or None
    which : iterable of int
        Indices of the atoms of residues.
    """
    names, elements = array.atom_name.tolist(), array.element.tolist()
    is_finite = np.isfinite(array.coord).all(axis=1).tolist()
    weights = [1.0] * len(names) if occupancies is None else occupancies.tolist()
    best: dict[Key, dict[str, int]] = {}
    for i in which:
        if elements[i] in _HYDROGEN or not is_finite[i]:
            continue
        of = best.setdefault(keys[i], {})
        if names[i] not in of or weights[i] > weights[of[names[i]]]:
            of[names[i]] = i
    return {key: HeavyAtoms(tuple(of), array.coord[list(of.values())]) for key, of in best.items()}
