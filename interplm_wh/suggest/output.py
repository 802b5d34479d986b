"""Suggestions for people, programs and genome browsers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Literal

from interplm_wh.ask.query import write_rows
from interplm_wh.store.files import write_whole
from interplm_wh.suggest import gff3
from interplm_wh.suggest.run import SuggestReport

Form = Literal["table", "csv", "json", "gff3"]


def write_suggestions(report: SuggestReport, to: Path | IO[bytes], *, form: Form = "table") -> None:
    """Write what `suggest` returned.

    Parameters
    ----------
    to : Path or binary file
        A file is replaced.
    form : {'table', 'csv', 'json', 'gff3'}
        'table' is for people: the best rows, and counts. 'json' is one object per line.
    """
    if isinstance(to, Path):
        whole = io.BytesIO()
        write_suggestions(report, whole, form=form)
        write_whole(to, whole.getvalue())
    elif form in ("table", "gff3"):
        lines = report.lines() if form == "table" else gff3.lines(report.rows.to_pylist())
        to.write("".join(f"{line}\n" for line in lines).encode())
    else:
        write_rows(report.rows, to, form=form)  # type: ignore[arg-type]
