"""Rules: two or three features that find a concept together better than the best one alone."""

from interplm_wh.rules.run import RulesReport, rules

__all__ = ["RulesReport", "rules"]
