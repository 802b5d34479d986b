"""Missing annotations: where a feature tied to a concept fires and the concept is not annotated."""

from interplm_wh.suggest.output import write_suggestions
from interplm_wh.suggest.run import SuggestReport, suggest
from interplm_wh.suggest.trial import TrialReport, measure_suggestions

__all__ = ["SuggestReport", "TrialReport", "measure_suggestions", "suggest", "write_suggestions"]
