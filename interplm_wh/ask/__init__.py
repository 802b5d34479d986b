"""Ask a warehouse: compare, report, info, verify, query, shell."""

from interplm_wh.ask.compare import Comparison, compare
from interplm_wh.ask.compare_controls import ControlComparison, compare_controls
from interplm_wh.ask.info import Info, info
from interplm_wh.ask.query import query, shell, write_rows
from interplm_wh.ask.report import Report, report
from interplm_wh.ask.verify import VerifyReport, verify

__all__ = [
    "Comparison",
    "ControlComparison",
    "Info",
    "Report",
    "VerifyReport",
    "compare",
    "compare_controls",
    "info",
    "query",
    "report",
    "shell",
    "verify",
    "write_rows",
]
