"""Variants: what mutants change in the features of a protein."""

from interplm_wh.variants.report import VariantsReport
from interplm_wh.variants.run import variants
from interplm_wh.variants.stale import outdated

__all__ = ["VariantsReport", "outdated", "variants"]
