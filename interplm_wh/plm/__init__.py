"""Protein language models: `load_plm` returns one, `PLM` (in `base`) is what a new one implements."""

from interplm_wh.plm.load import load_plm, plm_slug

__all__ = ["load_plm", "plm_slug"]
