"""Writing generated proteins as a UniProtKB TSV export."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from pathlib import Path

from interplm_wh.demo.generator import Annotation, DemoProtein

EXPORT_COLUMNS: tuple[str, ...] = (
    "Entry", "Reviewed", "Protein names", "Length", "Sequence", "EC number", "Active site", "Binding site",
    "Cofactor", "Disulfide bond", "Glycosylation", "Lipidation", "Modified residue", "Signal peptide",
    "Transit peptide", "Helix", "Turn", "Beta strand", "Coiled coil", "Domain [CC]", "Compositional bias",
    "Domain [FT]", "Motif", "Region", "Zinc finger", "AlphaFoldDB",
)  # fmt: skip
"""Columns of a UniProtKB TSV export, in the order of the fields that InterPLM asks for."""

LIGAND_IDS: Mapping[str, str] = {"ATP": "ChEBI:CHEBI:30616", "Ca(2+)": "ChEBI:CHEBI:29108"}


def feature_text(annotation: Annotation) -> str:
    """Return an annotation as UniProt writes it: `KEY start..stop; /note="…"; /evidence="…"`."""
    mark = annotation.mark
    end = f"..{annotation.stop}" if annotation.stop > annotation.start else ""
    fields = [f"{mark.key} {annotation.start}{end}"]
    if mark.note:
        fields.append(f'/note="{mark.note}"')
    if mark.ligand:
        fields += [f'/ligand="{mark.ligand}"', f'/ligand_id="{LIGAND_IDS[mark.ligand]}"']
    return "; ".join([*fields, '/evidence="ECO:0000255"'])


def _row(protein: DemoProtein) -> str:
    cells = dict.fromkeys(EXPORT_COLUMNS, "")
    cells |= {
        "Entry": protein.accession,
        "Reviewed": "reviewed",
        "Protein names": protein.name,
        "Length": str(len(protein.sequence)),
        "Sequence": protein.sequence,
        "EC number": protein.ec,
        "Cofactor": protein.cofactor,
    }
    for annotation in protein.annotations:
        column, text = annotation.mark.column, feature_text(annotation)
        cells[column] = f"{cells[column]}; {text}" if cells[column] else text
    return "\t".join(cells.values())


def write_export(proteins: Iterable[DemoProtein], path: str | Path) -> Path:
    """Write proteins as a UniProtKB TSV export; the same proteins give the same bytes.

    Parameters
    ----------
    proteins : iterable of DemoProtein
    path : str or Path
        A name ending in `.gz` is compressed.
    """
    path = Path(path)
    with path.open("wb") as raw:
        packed = gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        with TextIOWrapper(packed, encoding="utf-8", newline="") as out:
            out.write("\t".join(EXPORT_COLUMNS) + "\n")
            for protein in proteins:
                out.write(_row(protein) + "\n")
    return path
