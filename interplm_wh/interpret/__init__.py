"""What a feature is in words: from a language model, or a plain sentence from the tables; scored alike."""

from interplm_wh.interpret.cost import Cost
from interplm_wh.interpret.describe import DescribeReport, describe
from interplm_wh.interpret.report import DryRun, InterpretReport
from interplm_wh.interpret.run import interpret
from interplm_wh.interpret.stale import outdated
from interplm_wh.interpret.verdict import VerdictReport, verdict

__all__ = [
    "Cost", "DescribeReport", "DryRun", "InterpretReport", "VerdictReport", "describe", "interpret",
    "outdated", "verdict",
]  # fmt: skip
