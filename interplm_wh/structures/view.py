"""What a viewer needs: the file, and where each position of the protein stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interplm_wh import store
from interplm_wh.errors import CheckError, InputError, NotThereError
from interplm_wh.store import layout
from interplm_wh.structures import chains, place, rows
from interplm_wh.structures import file as files
from interplm_wh.structures.file import Format
from interplm_wh.structures.rows import PlacedResidue

_STRUCTURES = "from protein_structures($accession) order by rank"
_POSITIONS = "from structure_positions($accession) where structure = $structure order by position"


@dataclass(frozen=True)
class StructureView:
    """One chain of a structure file, placed on a protein.

    Attributes
    ----------
    structure : str
    text : str
        The file.
    format : {'pdb', 'mmcif'}
    chain : str
        As its author names it; '' where it has no name.
    source : {'alphafold', 'file'}
    residues : tuple of PlacedResidue
        In the order of positions; none where the chain has no residue for a position.
    """

    structure: str
    text: str
    format: Format
    chain: str
    source: str
    residues: tuple[PlacedResidue, ...]


def view_structure(wh: store.Warehouse, accession: str, *, structure: str | None = None) -> StructureView:
    """Return what a viewer needs to show a structure of a protein.

    Parameters
    ----------
    wh : Warehouse
    accession : str
    structure : str, optional
        One of the protein's; the one with most of its residues by default.

    Raises
    ------
    NotThereError
        If the protein has no structure, or not that one.
    CheckError
        If the file is gone or was changed.
    """
    known = wh.sql(_STRUCTURES, {"accession": accession}).to_pylist()
    wanted = [row for row in known if structure is None or row["structure"] == structure]
    if not wanted:
        there = (
            ", ".join(row["structure"] for row in known) or "none; add one with: interplm-wh add structures"
        )
        raise NotThereError(f"{accession} has no structure {structure or ''}: there is {there}")
    row = wanted[0]
    path = layout.structure_file(wh.path, row["file"])
    if path is None or not path.is_file():
        raise CheckError(f"{row['file']} is missing; add the structure again")
    file = files.read(path)
    if file.sha256 != row["sha256"]:
        raise CheckError(f"{row['file']} was changed; add the structure again")
    placed = wh.sql(_POSITIONS, {"accession": accession, "structure": row["structure"]}).to_pylist()
    residues = tuple(
        PlacedResidue(
            position=r["position"],
            residue_number=r["residue_number"],
            insertion_code=r["insertion_code"] or "",
            amino_acid=r["amino_acid"],
            ca=None if r["x"] is None else (r["x"], r["y"], r["z"]),
            b_factor=r["b_factor"],
        )
        for r in placed
    )
    return StructureView(row["structure"], file.text, file.format, row["chain"], row["source"], residues)


def view_file(path: str | Path, sequence: str) -> StructureView:
    """Return what a viewer needs to show a file that is in no warehouse, such as one just downloaded.

    Parameters
    ----------
    path : str or Path
    sequence : str
        Of the protein; the chain with most identical residues is placed on it.

    Raises
    ------
    InputError
        If the file cannot be read, or no chain of it fits.
    """
    chains.require_extra()
    path = Path(path)
    file = files.read(path)
    model = chains.read_model(file, path)
    fits: list[tuple[chains.Chain, place.Fit]] = []
    faults: list[str] = []
    for chain in model.chains:
        try:
            fit = place.fit(chain, sequence)
        except InputError as error:
            faults.append(f"chain {chain.name}: {error}")
            continue
        if fault := fit.fault(chain, sequence):
            faults.append(f"chain {chain.name}: {fault}")
        else:
            fits.append((chain, fit))
    if not fits:
        raise InputError(f"{path}: no chain fits the sequence: {'; '.join(faults)}")
    chain, fit = max(fits, key=lambda pair: pair[1].n_identical)
    residues = tuple(rows.placed(chain, fit))
    name = rows.structure_id(file.name, chain.name)
    return StructureView(name, file.text, file.format, chain.name, model.source, residues)
