"""Ask a warehouse: compare, report, info, verify, query, shell."""

from interplm_wh.ask.compare import Comparison, compare
from interplm_wh.ask.info import Info, info
from interplm_wh.ask.query import query, shell, write_rows
from interplm_wh.ask.report import Report, report
from interplm_wh.ask.verify import VerifyReport, verify

__all__ = [
    "Comparison",
    "Info",
    "Report",
    "VerifyReport",
    "compare",
    "info",
    "query",
    "report",
    "shell",
    "verify",
    "write_rows",
]
