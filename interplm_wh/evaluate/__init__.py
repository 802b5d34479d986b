"""Evaluation: how sparse an SAE is, and how much of what its PLM knows survives in its features."""

from interplm_wh.evaluate.report import EvaluateReport
from interplm_wh.evaluate.run import evaluate

__all__ = ["EvaluateReport", "evaluate"]
