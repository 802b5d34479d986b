"""Ask a warehouse: report, info, verify, query, shell."""

from interplm_wh.ask.info import Info, info
from interplm_wh.ask.query import query, shell, write_rows
from interplm_wh.ask.report import Report, report
from interplm_wh.ask.verify import VerifyReport, verify

__all__ = ["Info", "Report", "VerifyReport", "info", "query", "report", "shell", "verify", "write_rows"]
