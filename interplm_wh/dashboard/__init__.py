"""The dashboard: pages over a published warehouse, which they only read."""

from interplm_wh.dashboard.serve import serve

__all__ = ["serve"]
