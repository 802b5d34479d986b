"""The landscape of features: which lie close to each other, and which of two SAEs are the same."""

from interplm_wh.landscape.report import ClusterReport
from interplm_wh.landscape.run import cluster
from interplm_wh.landscape.stale import outdated

__all__ = ["ClusterReport", "cluster", "outdated"]
