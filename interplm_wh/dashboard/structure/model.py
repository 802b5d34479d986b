"""The structure that a panel shows: of the warehouse, or AlphaFold's model from the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard.reading import Reader
from interplm_wh.errors import InterplmError
from interplm_wh.structures import (
    Drawing,
    Fetched,
    PlacedResidue,
    StructureView,
    read_drawing,
    view_file,
    view_structure,
)

_KEPT = 20
_MACROS = ("protein_structures", "structure_positions")
_FILES = {"pdb": "a PDB file", "mmcif": "an mmCIF file"}
_COLUMNS = {
    "position": pl.Int32,
    "chain": pl.String,
    "residue_number": pl.Int32,
    "insertion_code": pl.String,
    "amino_acid": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
    "z": pl.Float64,
    "b_factor": pl.Float64,
}


@dataclass(frozen=True)
class Model:
    """One chain of a structure, on the protein.

    Attributes
    ----------
    name : str
        Names the structure among all; another one for another publish or file.
    about : str
        Where it is from and how good it is, in words.
    residues : DataFrame
        position, chain, residue_number, insertion_code, amino_acid, x, y, z (Å; null where the residue
        is missing from the model), b_factor; in the order of positions.
    drawing : Drawing or None
        What the viewer draws; None where the file cannot be shown.
    fault : str
        Why, else ''.
    """

    name: str
    about: str
    residues: pl.DataFrame
    drawing: Drawing | None
    fault: str = ""


def known_structures(reader: Reader, accession: str) -> list[dict[str, Any]]:
    """Return the rows of `protein_structures`; none in a warehouse that an older version published."""
    macros = reader.rows(
        "select distinct function_name from duckdb_functions() where list_contains($names, function_name)",
        {"names": _MACROS},
    )
    if len(macros) < len(_MACROS):
        return []
    return reader.rows("from protein_structures($protein) order by rank", {"protein": accession}).to_dicts()


def stored_model(reader: Reader, accession: str, row: dict[str, Any]) -> Model:
    """Return a structure of the warehouse; where its file is gone, what the tables know of it."""
    positions = reader.rows(
        "from structure_positions($protein) where structure = $structure order by position",
        {"protein": accession, "structure": row["structure"]},
    )
    residues = positions.with_columns(pl.col("insertion_code").fill_null("")).select(
        pl.col(name).cast(kind) for name, kind in _COLUMNS.items()
    )
    name = f"{row['sha256']}:{row['structure']}:{accession}"
    try:
        drawing = _stored_drawing(str(reader.path), name, accession, row["structure"], reader)
    except InterplmError as error:
        return Model(name, _about_row(row), residues, None, str(error))
    return Model(name, _about_row(row), residues, drawing)


@st.cache_resource(max_entries=_KEPT, show_spinner="Reading the structure")
def _stored_drawing(path: str, name: str, accession: str, structure: str, _reader: Reader) -> Drawing:
    return _drawing(view_structure(_reader.warehouse, accession, structure=structure))


def fetched_model(fetched: Fetched, sequence: str) -> Model:
    """Return AlphaFold's model from the cache.

    Raises
    ------
    InputError
        If the file cannot be read, or is of another sequence.
    """
    return _fetched_model(fetched, fetched.path.stat().st_mtime_ns, sequence)


@st.cache_resource(max_entries=_KEPT, show_spinner="Reading the structure")
def _fetched_model(fetched: Fetched, changed: int, sequence: str) -> Model:
    view = view_file(fetched.path, sequence)
    residues = pl.DataFrame([_row(view.chain, r) for r in view.residues], schema=_COLUMNS, orient="row")
    version = f", version {fetched.version}" if fetched.version is not None else ""
    plddt = residues.drop_nulls("x")["b_factor"].mean()
    quality = f", mean pLDDT {plddt:.1f}" if isinstance(plddt, float) else ""
    about = f"{fetched.entry or fetched.path.stem}{version}: a prediction of AlphaFold{quality}"
    return Model(f"{fetched.path}:{changed}", about, residues, _drawing(view))


def _row(chain: str, r: PlacedResidue) -> tuple[Any, ...]:
    x, y, z = r.ca or (None, None, None)
    return r.position, chain, r.residue_number, r.insertion_code, r.amino_acid, x, y, z, r.b_factor


def _drawing(view: StructureView) -> Drawing:
    return read_drawing(view.text, view.format, name=view.structure)


def _about_row(row: dict[str, Any]) -> str:
    chain = f", chain {row['chain']}" if row["chain"] else ""
    file = row["structure"].removesuffix(f":{row['chain']}")
    source = "a prediction of AlphaFold" if row["source"] == "alphafold" else f"from {_FILES[row['format']]}"
    facts = [f"{file}{chain}: {source}"]
    if row["mean_plddt"] is not None:
        facts.append(f"mean pLDDT {row['mean_plddt']:.1f}")
    if row["resolution"] is not None:
        facts.append(f"resolution {row['resolution']:.2f} Å")
    facts.append(f"{row['pct_identity']:.1f} % identical to the sequence")
    return ", ".join(facts)
