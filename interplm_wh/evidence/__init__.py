"""Evidence for pairs of a concept and a feature: what chance would give, and how sure the numbers are."""

from interplm_wh.evidence.adhoc import lines as score_sql_lines
from interplm_wh.evidence.adhoc import score_sql
from interplm_wh.evidence.score import ScoreReport, score, unweighed

__all__ = ["ScoreReport", "score", "score_sql", "score_sql_lines", "unweighed"]
