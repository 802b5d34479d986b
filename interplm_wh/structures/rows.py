"""A placed chain as rows of `structures` and `structure_residues`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interplm_wh.errors import InputError
from interplm_wh.store import layout
from interplm_wh.structures import geometry
from interplm_wh.structures.chains import Chain, Model
from interplm_wh.structures.file import EXTENSIONS, StructureFile
from interplm_wh.structures.match import Match
from interplm_wh.structures.place import Fit


@dataclass(frozen=True)
class PlacedResidue:
    """One position of a protein as a structure numbers it.

    Attributes
    ----------
    position : int
        1-based.
    residue_number : int or None
        The author's; None where the residue is missing and the file gives it none.
    insertion_code : str
        '' where there is none.
    amino_acid : str
        Of the structure.
    ca : tuple of float or None
        x, y, z in Å; None where the residue is missing from the model.
    b_factor : float or None
        Å², or pLDDT of a prediction of AlphaFold.
    """

    position: int
    residue_number: int | None
    insertion_code: str
    amino_acid: str
    ca: tuple[float, float, float] | None
    b_factor: float | None


def structure_id(name: str, chain: str) -> str:
    """Return the name of one chain of one file; a colon stands in no name of a file."""
    return f"{name}:{chain}" if chain else name


def file_path(file: StructureFile) -> str:
    """Return where a file is kept, in the warehouse."""
    return layout.structure_name(file.name, file.sha256, EXTENSIONS[file.format])


def placed(chain: Chain, fit: Fit) -> list[PlacedResidue]:
    """Return the residues of a chain that have a position, in the order of positions."""
    letters = chain.letters
    found = [
        PlacedResidue(
            int(at) + 1, residue.number, residue.insertion, letters[i], residue.ca, residue.b_factor
        )
        for i, (residue, at) in enumerate(zip(chain.residues, fit.index, strict=True))
        if at >= 0
    ]
    return sorted(found, key=lambda residue: residue.position)


def residue_rows(file: StructureFile, model: Model, match: Match) -> list[dict[str, Any]]:
    """Return rows of `structure_residues`.

    Raises
    ------
    InputError
        If the atoms of the chain lie further apart than those of any protein.
    """
    chain = match.chain
    letters = chain.letters
    folds = geometry.secondary_structure(chain.residues)
    exposures = geometry.relative_exposure(chain.residues, letters)
    is_plddt = _is_plddt(model, match)
    rows = []
    for i, (residue, at) in enumerate(zip(chain.residues, match.fit.index, strict=True)):
        if at < 0:
            continue
        x, y, z = residue.ca or (None, None, None)
        rows.append(
            {
                "structure": structure_id(file.name, chain.name),
                "protein_id": match.protein.protein_id,
                "position": int(at) + 1,
                "chain": chain.name,
                "residue_number": residue.number,
                "insertion_code": residue.insertion or None,
                "residue_name": residue.name,
                "amino_acid": letters[i],
                "x": x,
                "y": y,
                "z": z,
                "b_factor": residue.b_factor,
                "secondary_structure": folds[i],
                "relative_exposure": exposures[i],
                "plddt": residue.b_factor if is_plddt else None,
            }
        )
    return rows


def _require_places(chain: Chain, alphas: Sequence[tuple[float, float, float] | None]) -> None:
    """Refuse a chain of which nothing is known but its sequence."""
    if not alphas:
        raise InputError(
            f"chain {chain.name} has no C-alpha with coordinates at a residue of the protein; mend or leave "
            "it out"
        )
    if len(alphas) > 2 * len(set(alphas)):
        raise InputError(
            f"chain {chain.name} has {len(alphas):,} C-alphas at {len(set(alphas)):,} places, which no "
            "protein has; mend its coordinates"
        )


def _is_plddt(model: Model, match: Match) -> bool:
    """Whether what a file gives as B-factors is pLDDT: of a prediction of AlphaFold, within its bounds."""
    here = [r for r in placed(match.chain, match.fit) if r.ca is not None]
    plddt = [r.b_factor for r in here if r.b_factor is not None]
    return model.source == "alphafold" and bool(plddt) and all(0 <= value <= 100 for value in plddt)


def structure_row(file: StructureFile, model: Model, match: Match) -> dict[str, Any]:
    """Return the row of `structures`.

    Raises
    ------
    InputError
        If no residue of the protein has a place of its own.
    """
    here = [r for r in placed(match.chain, match.fit) if r.ca is not None]
    _require_places(match.chain, [r.ca for r in here])
    plddt = [r.b_factor for r in here if r.b_factor is not None]
    return {
        "structure": structure_id(file.name, match.chain.name),
        "name": file.name,
        "chain": match.chain.name,
        "protein_id": match.protein.protein_id,
        "file": file_path(file),
        "format": file.format,
        "sha256": file.sha256,
        "n_bytes": len(file.data),
        "source": model.source,
        "matched_by": match.rule,
        "fit": match.fit.how,
        "n_residues": len(match.chain.residues),
        "n_residues_aligned": match.fit.n_aligned,
        "n_residues_matched": len(here),
        "pct_identity": match.fit.pct_identity,
        "pct_coverage": 100 * len(here) / len(match.protein.sequence),
        "resolution": model.resolution,
        "mean_plddt": sum(plddt) / len(plddt) if _is_plddt(model, match) else None,
    }
