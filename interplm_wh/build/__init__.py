"""From activations to marts, by the SQL in `sql/marts/`."""

from interplm_wh.build.rescale import ScaleReport, scale
from interplm_wh.build.run import BuildReport, build, run, stale

__all__ = ["BuildReport", "ScaleReport", "build", "run", "scale", "stale"]
