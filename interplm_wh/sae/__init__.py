"""Sparse autoencoders: `load_sae` returns one, `SAE` (in `base`) is what an architecture implements."""

from interplm_wh.sae.add import add_sae
from interplm_wh.sae.add_report import AddSaeReport
from interplm_wh.sae.export import ExportReport, export_sae
from interplm_wh.sae.load import load_sae

__all__ = ["AddSaeReport", "ExportReport", "add_sae", "export_sae", "load_sae"]
