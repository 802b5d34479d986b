"""What is drawn of a structure file: a few atoms per residue, and how residues follow each other.

A viewer in the browser would read the file a second time and otherwise: 3Dmol.js 2.5 takes all models
of an mmCIF file as one and knows none of its insertion codes. It is given atoms instead.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interplm_wh.structures import chains, geometry
from interplm_wh.structures.file import Format

Kind = Literal["protein", "nucleic", "other"]
Fold = Literal["h", "s", "c"]
Key = tuple[str, int, str]
"""Chain, number and insertion code, as the author gives them."""

_EMPTY = ("?", ".", "", " ")
_WATER = ("HOH", "DOD", "WAT", "SOL", "TIP", "TIP3")
_NUCLEOTIDES = ("A", "C", "G", "U", "I", "DA", "DC", "DG", "DT", "DU")
# What a cartoon goes through, by the kind of residue; of others every atom is drawn.
_BACKBONE: dict[str, tuple[str, ...]] = {
    "protein": ("CA", "O"),
    "nucleic": ("P", "OP2", "O5'", "C5'", "C1'", "O3'", "N1", "N3"),
}
_MIDDLE = {"protein": "CA", "nucleic": "C1'", "other": ""}
_NEXT = {"protein": 4.5, "nucleic": 9.0, "other": 0.0}
"""Å between neighbours at most."""
_FOLDS: dict[str, Fold] = {"H": "h", "E": "s", "C": "c"}


@dataclass(frozen=True)
class DrawnResidue:
    """One residue of a model.

    Attributes
    ----------
    key : tuple
        Chain, number and insertion code.
    name : str
    kind : {'protein', 'nucleic', 'other'}
    fold : {'h', 's', 'c'}
        Helix, strand or neither; of protein.
    order : int
        One more than that of the residue before it where the chain is whole between the two.
    """

    key: Key
    name: str
    kind: Kind
    fold: Fold
    order: int


@dataclass(frozen=True)
class Drawing:
    """The first model of a structure file.

    Attributes
    ----------
    residues : tuple of DrawnResidue
        In the order of the file, without water.
    owners : int32 array [n_atoms]
        Index of each atom's residue.
    names, elements : tuple of str [n_atoms]
    xyz : float32 array [n_atoms, 3]
        In Å.
    """

    residues: tuple[DrawnResidue, ...]
    owners: NDArray[np.int32]
    names: tuple[str, ...]
    elements: tuple[str, ...]
    xyz: NDArray[np.float32]


def read_drawing(text: str, form: Format, *, name: str) -> Drawing:
    """Read what is drawn of the first model; of alternative locations the most occupied.

    Parameters
    ----------
    text : str
    form : {'pdb', 'mmcif'}
    name : str
        Of the file, for what is said of it.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    chains.require_extra()
    with chains.parsing(Path(name)):
        return _drawn(_first_model(text, form))


def _first_model(text: str, form: Format) -> Any:
    if form == "pdb":
        from biotite.structure.io.pdb import PDBFile

        return PDBFile.read(io.StringIO(text)).get_structure(model=1, altloc="occupancy")
    from biotite.structure.io import pdbx

    return pdbx.get_structure(
        pdbx.CIFFile.read(io.StringIO(text)).block, model=1, altloc="occupancy", extra_fields=["occupancy"]
    )


def _drawn(array: Any) -> Drawing:
    codes = ["" if str(code) in _EMPTY else str(code) for code in array.ins_code]
    keys: list[Key] = list(zip(map(str, array.chain_id), map(int, array.res_id), codes, strict=True))
    names, atoms = [str(v) for v in array.res_name], [str(v) for v in array.atom_name]
    skipped = np.isin(array.res_name, _WATER) | np.isin(array.element, ("H", "D"))
    skipped |= ~np.isfinite(array.coord).all(axis=1)
    found: dict[Key, dict[str, int]] = {}
    first: dict[Key, str] = {}
    for i in np.flatnonzero(~skipped).tolist():
        # Of two residues at one place the first stands for both, and of two atoms of a name.
        if first.setdefault(keys[i], names[i]) == names[i]:
            found.setdefault(keys[i], {}).setdefault(atoms[i], i)
    kinds = {key: _kind(first[key], of, array) for key, of in found.items()}
    residues = _ordered(found, first, kinds, array)
    kept = [
        (at, i)
        for at, residue in enumerate(residues)
        for atom, i in found[residue.key].items()
        if residue.kind == "other" or atom in _BACKBONE[residue.kind]
    ]
    which = [i for _, i in kept]
    return Drawing(
        tuple(_folded(residues, found, array)),
        np.array([at for at, _ in kept], dtype=np.int32),
        tuple(atoms[i] for i in which),
        tuple(str(array.element[i]) for i in which),
        np.asarray(array.coord[which], dtype=np.float32).reshape(-1, 3),
    )


def _kind(name: str, atoms: Mapping[str, int], array: Any) -> Kind:
    if name in _NUCLEOTIDES and "C1'" in atoms:
        return "nucleic"
    at = atoms.get("CA")
    if at is None or array.element[at] not in ("C", ""):  # calcium is CA, too
        return "other"
    known = chains.is_amino_acid(name)
    return "protein" if known or (known is None and not array.hetero[at]) else "other"


def _ordered(
    found: Mapping[Key, Mapping[str, int]], first: Mapping[Key, str], kinds: Mapping[Key, Kind], array: Any
) -> list[DrawnResidue]:
    residues: list[DrawnResidue] = []
    order = 0
    before: tuple[str, Kind, int] | None = None
    for key, atoms in found.items():
        kind = kinds[key]
        middle = atoms.get(_MIDDLE[kind], next(iter(atoms.values())))
        joined = before is not None and before[:2] == (key[0], kind)
        if joined and before is not None:
            distance = np.linalg.norm(array.coord[middle] - array.coord[before[2]])
            joined = bool(distance <= _NEXT[kind])
        order += 1 if joined else 2
        residues.append(DrawnResidue(key, first[key], kind, "c", order))
        before = (key[0], kind, middle)
    orders = {residue.order for residue in residues}
    return [
        replace(residue, kind="other")
        if residue.kind == "protein" and not {residue.order - 1, residue.order + 1} & orders
        else residue
        for residue in residues
    ]


def _folded(
    residues: list[DrawnResidue], found: Mapping[Key, Mapping[str, int]], array: Any
) -> list[DrawnResidue]:
    """Give residues of protein their fold."""
    of_protein = [i for i, residue in enumerate(residues) if residue.kind == "protein"]
    alphas = array.coord[[found[residues[i].key]["CA"] for i in of_protein]].reshape(-1, 3)
    folds = geometry.folds(alphas, [residues[i].order for i in of_protein])
    known = {i: _FOLDS[fold] for i, fold in zip(of_protein, folds, strict=True)}
    return [replace(residue, fold=known.get(i, "c")) for i, residue in enumerate(residues)]
