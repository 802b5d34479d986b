"""The panel that shows a protein's structure coloured by a feature."""

from interplm_wh.dashboard.structure.panel import panel

__all__ = ["panel"]
