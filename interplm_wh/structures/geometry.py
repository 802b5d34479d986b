"""Secondary structure and exposure of the residues of one chain, from its own atoms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from interplm_wh.errors import InputError
from interplm_wh.structures.chains import Residue

N_POINTS = 200
"""On each atom; the areas of a protein's residues are then within 2 % of those of 1,000 points."""
_LETTERS = {"a": "H", "b": "E", "c": "C"}
_JOINED = 4.5  # Å between neighbouring C-alphas at most, as where chains are cut
_NO_RADIUS = 1.8  # Å, as biotite takes for an atom of no known kind
_CELL, _MOST_CELLS = 6.0, 8_000_000
# Å² in Gly-X-Gly (theoretical), and heavy atoms without the terminal oxygen.
_WHOLE = {
    "A": (129, 5), "R": (274, 11), "N": (195, 8), "D": (193, 8), "C": (167, 6), "Q": (225, 9), "E": (223, 9),
    "G": (104, 4), "H": (224, 10), "I": (197, 8), "L": (201, 8), "K": (236, 9), "M": (224, 8), "F": (240, 11),
    "P": (159, 7), "S": (155, 6), "T": (172, 7), "W": (285, 14), "Y": (263, 12), "V": (174, 7),
}  # fmt: skip


def folds(alphas: NDArray[np.float32], order: Sequence[int]) -> list[str]:
    """Return the class of each residue of a chain by P-SEA, which looks at C-alphas alone: H, E or C.

    Parameters
    ----------
    alphas : float32 array [n, 3]
        C-alphas, in Å.
    order : sequence of int [n]
        One more than the one before where the chain is whole between the two.

    Raises
    ------
    InputError
        If they lie further apart than those of any protein.

    Source: Labesse et al., Comput. Appl. Biosci. 13, 291 (1997), as biotite has it.
    """
    from biotite.structure import AtomArray, annotate_sse

    if not len(alphas):
        return []
    _refuse_spread(alphas)
    array = AtomArray(len(alphas))
    array.coord = alphas
    array.res_id = np.array(order, dtype=int)
    array.res_name[:] = "ALA"
    array.atom_name[:] = "CA"
    with np.errstate(all="ignore"):  # C-alphas on a line have no angle
        return [_LETTERS.get(str(fold), "C") for fold in annotate_sse(array)]


def secondary_structure(residues: Sequence[Residue]) -> list[str | None]:
    """Return the class of each residue: H, helix; E, strand; C, neither; None without a C-alpha.

    Raises
    ------
    InputError
        As `folds` does.
    """
    there = [i for i, residue in enumerate(residues) if residue.ca is not None]
    alphas = np.array([residues[i].ca for i in there], dtype=np.float32).reshape(-1, 3)
    apart = np.linalg.norm(np.diff(alphas, axis=0), axis=1) > _JOINED
    order = np.arange(len(there)) + np.concatenate([[0], np.cumsum(apart)])[: len(there)]
    found: list[str | None] = [None] * len(residues)
    for i, fold in zip(there, folds(alphas, order.tolist()), strict=True):
        found[i] = fold
    return found


def relative_exposure(residues: Sequence[Residue], letters: str) -> list[float | None]:
    """Return the share of each residue's surface that a probe of 1.4 Å reaches, of the chain alone.

    Parameters
    ----------
    residues : sequence of Residue
        Of one chain.
    letters : str
        One for each.

    Returns
    -------
    list of float or None
        Area over the largest that the amino acid can have: 0, buried, to about 1; None where an atom of
        the residue is missing, for instance because the model has C-alphas alone.

    Raises
    ------
    InputError
        If the atoms lie further apart than those of any protein.

    Source: areas, Shrake and Rupley, J. Mol. Biol. 79, 351 (1973), with the radii of Tsai et al., J. Mol.
    Biol. 290, 253 (1999), as biotite has them; the largest areas, Tien et al., PLoS ONE 8, e80635 (2013).
    """
    found: list[float | None] = [None] * len(residues)
    whole = [i for i, residue in enumerate(residues) if _is_whole(residue, letters[i])]
    if whole:
        areas = _areas(residues)
        for i in whole:
            found[i] = float(areas[i]) / _WHOLE[letters[i]][0]
    return found


def _is_whole(residue: Residue, letter: str) -> bool:
    """Whether a model has as many atoms of a residue as its amino acid has."""
    if residue.heavy is None or residue.ca is None or letter not in _WHOLE:
        return False
    return len(set(residue.heavy.names) - {"OXT"}) >= _WHOLE[letter][1]


def _areas(residues: Sequence[Residue]) -> NDArray[np.float64]:
    """Return the accessible area of each residue, in Å²."""
    from biotite.structure import AtomArray, sasa

    atoms = [residue.heavy for residue in residues if residue.heavy is not None]
    owners = np.repeat(
        [i for i, residue in enumerate(residues) if residue.heavy is not None], [len(a.names) for a in atoms]
    )
    array = AtomArray(len(owners))
    array.coord = np.concatenate([a.xyz for a in atoms])
    _refuse_spread(array.coord)
    array.res_name[:] = "ALA"  # radii are given, and nothing here is water
    radii = np.array(
        [
            _radius(residue.name, name)
            for residue in residues
            if residue.heavy is not None
            for name in residue.heavy.names
        ],
        dtype=np.float32,
    )
    areas = sasa(array, vdw_radii=radii, point_number=N_POINTS)
    return np.bincount(owners, weights=areas, minlength=len(residues)).astype(np.float64)


@cache
def _radius(residue: str, atom: str) -> float:
    from biotite.structure import info

    try:
        found = info.vdw_radius_protor(residue, atom)
    except KeyError:  # a component that biotite does not know, or one of its atoms
        found = None
    return _NO_RADIUS if found is None else float(found)


def _refuse_spread(xyz: NDArray[np.float32]) -> None:
    """Refuse what no protein fills: biotite lays cells over all of it."""
    extent = np.ptp(xyz.astype(np.float64), axis=0)
    if float(np.prod(extent / _CELL + 1)) > _MOST_CELLS:
        box = " x ".join(f"{side:,.0f}" for side in extent)
        raise InputError(
            f"its atoms are spread over {box} Å, which no protein chain is; mend its coordinates"
        )
