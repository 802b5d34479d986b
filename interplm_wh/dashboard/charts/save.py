"""A chart as a file of its own."""

from __future__ import annotations

import io
from typing import Literal

from altair.typing import ChartType


def saved(chart: ChartType, form: Literal["svg", "png"]) -> bytes:
    """Return a chart as the bytes of a picture; a PNG has two pixels for each one on the page."""
    wide = chart.properties(width=800)
    if form == "png":
        picture = io.BytesIO()
        wide.save(picture, format=form, scale_factor=2)
        return picture.getvalue()
    text = io.StringIO()
    wide.save(text, format=form)
    return text.getvalue().encode()
