"""Structures from ideal geometry: helices of all atoms, packed side by side, written by biotite."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
HELIX, STRAND = (-57.0, -47.0), (-119.0, 113.0)
LOOP = 4
"""Residues between two helices, which are missing from the model."""


def place(a: Floats, b: Floats, c: Floats, bond: float, angle: float, torsion: float) -> Floats:
    """Return the atom that follows a, b and c, from internal coordinates (Å and degrees)."""
    angle, torsion = np.radians(180 - angle), np.radians(torsion)
    along = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal)
    across = np.cross(normal, along)
    parts = np.cos(angle), np.sin(angle) * np.cos(torsion), np.sin(angle) * np.sin(torsion)
    return c + bond * (parts[0] * along + parts[1] * across + parts[2] * normal)  # type: ignore[no-any-return]


@cache
def backbone(n: int, angles: tuple[float, float] = HELIX) -> Floats:
    """Return N, CA, C and O of residues with the same phi and psi, centred, along z: [n, 4, 3]."""
    phi, psi = angles
    atoms = [np.zeros(3), np.array([1.458, 0, 0]), np.array([1.458 + 1.525 * 0.358, 1.525 * 0.934, 0])]
    oxygens = []
    for i in range(n):
        n_atom, alpha, carbon = atoms[3 * i : 3 * i + 3]
        oxygens.append(place(n_atom, alpha, carbon, 1.231, 120.1, psi + 180))
        atoms.append(place(n_atom, alpha, carbon, 1.329, 117.2, psi))
        atoms.append(place(alpha, carbon, atoms[-1], 1.458, 121.7, 180))
        atoms.append(place(carbon, atoms[-2], atoms[-1], 1.525, 111.0, phi))
    xyz = np.concatenate([np.array(atoms[: 3 * n]).reshape(n, 3, 3), np.array(oxygens)[:, None]], axis=1)
    xyz -= xyz.mean(axis=(0, 1))
    axes = np.linalg.svd(xyz[:, 1])[2]
    turned = xyz @ np.array([axes[1], axes[2], axes[0]]).T
    return turned if np.linalg.det(np.array([axes[1], axes[2], axes[0]])) > 0 else turned * [1, -1, 1]


@cache
def side_chain(name: str) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return names and places of the atoms of a side chain, and N, CA and C of the same residue."""
    from biotite.structure import info

    residue = info.residue(name)
    residue = residue[residue.element != "H"]
    own = {str(a): np.asarray(x, float) for a, x in zip(residue.atom_name, residue.coord, strict=True)}
    kept = tuple(atom for atom in own if atom not in ("N", "CA", "C", "O", "OXT"))
    places = np.array([own[atom] for atom in kept]).reshape(-1, 3)
    return kept, places, np.array([own[a] for a in ("N", "CA", "C")])


@cache
def three(letter: str) -> str:
    """Return the name of a residue, for instance ALA."""
    from biotite.sequence import ProteinSequence

    return str(ProteinSequence.convert_letter_1to3(letter))


def frame(atoms: Floats) -> Floats:
    """Return the axes of N, CA and C."""
    x = atoms[0] - atoms[1]
    z = np.cross(x, atoms[2] - atoms[1])
    x, z = x / np.linalg.norm(x), z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])


def bundle(
    rng: np.random.Generator,
    n_helices: int,
    length: int,
    *,
    angles: tuple[float, float] = HELIX,
    apart: float = 8.5,
    b_factor: float = 90.0,
    side_chains: bool = True,
) -> tuple[Any, str]:
    """Return helices side by side on a square lattice, up and down, with missing loops, and the sequence.

    The first residue of helix k is number k (length + LOOP) + 1. With other angles they are strands.
    """
    width = int(np.ceil(np.sqrt(n_helices)))
    sites = rng.permutation(width * width)[:n_helices]
    letters = rng.choice(list(LETTERS), n_helices * (length + LOOP) - LOOP)
    atoms: list[tuple[int, str, str, Floats]] = []
    for k, site in enumerate(sites.tolist()):
        turn = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        flip = np.diag([1.0, -1.0, -1.0]) if k % 2 else np.eye(3)
        where = [apart * (site // width), apart * (site % width), rng.uniform(-3, 3)]
        xyz = backbone(length, angles) @ (flip @ spin).T + np.array(where)
        for i in range(length):
            at = k * (length + LOOP) + i
            atoms += _residue(at + 1, three(letters[at]), xyz[i], side_chains)
    return _array(atoms, b_factor), "".join(letters)


def _residue(number: int, name: str, xyz: Floats, side_chains: bool) -> list[tuple[int, str, str, Floats]]:
    if not side_chains:
        return [(number, name, "CA", xyz[1]), (number, name, "O", xyz[3])]
    kept, places, own = side_chain(name)
    moved = (places - own[1]) @ frame(own).T @ frame(xyz[:3]) + xyz[1]
    named = [*zip(("N", "CA", "C", "O"), xyz, strict=True), *zip(kept, moved, strict=True)]
    return [(number, name, atom, point) for atom, point in named]


def _array(atoms: list[tuple[int, str, str, Floats]], b_factor: float) -> Any:
    import biotite.structure as struc

    array = struc.AtomArray(len(atoms))
    array.coord = np.array([point for *_, point in atoms], dtype=np.float32)
    array.chain_id[:] = "A"
    array.res_id = np.array([number for number, *_ in atoms])
    array.res_name = np.array([name for _, name, *_ in atoms])
    array.atom_name = np.array([atom for _, _, atom, _ in atoms])
    array.element = np.array([atom[0] for _, _, atom, _ in atoms])
    array.set_annotation("b_factor", np.full(len(atoms), b_factor))
    array.set_annotation("occupancy", np.ones(len(atoms)))
    return array


def write(path: Path, array: Any, sequence: str, *, title: str = "") -> Path:
    """Write a PDB or mmCIF file that lists the whole sequence, by its ending; a PDB file may have a title."""
    if path.suffix == ".pdb":
        from biotite.structure.io.pdb import PDBFile

        names = [three(one) for one in sequence]
        rows = [names[i : i + 13] for i in range(0, len(names), 13)]
        listed = [f"SEQRES {i:>3} A {len(names):>4}  {' '.join(row)}" for i, row in enumerate(rows, start=1)]
        file = PDBFile()
        file.set_structure(array)
        head = [f"TITLE     {title}"] if title else []
        path.write_text("\n".join([*head, *listed, str(file), "END", ""]))
    else:
        from biotite.structure.io import pdbx

        cif = pdbx.CIFFile()
        pdbx.set_structure(cif, array, data_block="model")
        names = [three(one) for one in sequence]
        cif.block["entity_poly_seq"] = pdbx.CIFCategory(
            {"entity_id": ["1"] * len(names), "num": list(range(1, len(names) + 1)), "mon_id": names}
        )
        site = cif.block["atom_site"]
        site["label_seq_id"] = site["auth_seq_id"]
        site["label_entity_id"] = ["1"] * array.array_length()
        cif.write(path)
    return path
