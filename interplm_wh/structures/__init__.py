"""Structures of proteins: files placed on sequences, what a viewer needs, and models of AlphaFold DB."""

from interplm_wh.structures.add import AddStructuresReport, add_structures
from interplm_wh.structures.alphafold import cached_alphafold, fetch_alphafold, is_accession
from interplm_wh.structures.alphafold_cache import Fetched
from interplm_wh.structures.drawing import Drawing, read_drawing
from interplm_wh.structures.rows import PlacedResidue
from interplm_wh.structures.view import StructureView, view_file, view_structure

__all__ = [
    "AddStructuresReport",
    "Drawing",
    "Fetched",
    "PlacedResidue",
    "StructureView",
    "add_structures",
    "cached_alphafold",
    "fetch_alphafold",
    "is_accession",
    "read_drawing",
    "view_file",
    "view_structure",
]
