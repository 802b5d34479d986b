"""Divide proteins into splits so that relatives stand on one side."""

from interplm_wh.split.run import SplitReport, split

__all__ = ["SplitReport", "split"]
