"""Structural or sequential: whether features follow what is near in space, or near in the sequence."""

from interplm_wh.structural.report import StructureReport
from interplm_wh.structural.run import structure

__all__ = ["StructureReport", "structure"]
