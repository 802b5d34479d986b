"""Steering: features are set inside the PLM, the rest of it runs, and what changes is measured."""

from interplm_wh.steer.report import SteerReport
from interplm_wh.steer.run import steer

__all__ = ["SteerReport", "steer"]
