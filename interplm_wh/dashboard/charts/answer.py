"""The answer to a question in SQL: columns whose names and values may be anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import ONE, drawable, kind_scale, kinds_of

Mark = Literal["bars", "line", "points"]
MARKS: tuple[Mark, ...] = get_args(Mark)
MOST_ROWS = 5000
_MOST_UPRIGHT = 8
"""Names of places that stand upright below an axis."""
_MOST_BARS = 60
"""Numbers that are drawn as so many bars side by side, and not along a scale."""
OTHERS = "all others"


@dataclass(frozen=True)
class Drawn:
    """A chart, and what of the rows is in it.

    Attributes
    ----------
    chart : ChartType
    n_rows : int
        Rows that are drawn.
    n_left_out : int
        Rows without a finite number where one is needed, or beyond `MOST_ROWS`.
    repeats : bool
        Whether several rows have one place across.
    """

    chart: ChartType
    n_rows: int
    n_left_out: int
    repeats: bool


def across_columns(data: pl.DataFrame) -> list[str]:
    """Return the columns that can be drawn along an axis: numbers, texts and booleans."""
    return [
        name for name, kind in data.schema.items() if kind.is_numeric() or kind in (pl.String, pl.Boolean)
    ]


def number_columns(data: pl.DataFrame) -> list[str]:
    """Return the columns of numbers that have one."""
    return [
        name
        for name, kind in data.schema.items()
        if kind.is_numeric() and data[name].null_count() < len(data)
    ]


def natural_mark(column: pl.Series) -> Mark:
    """Return what a column is mostly drawn as: bars where each place is a name of its own, else points."""
    return "bars" if column.dtype == pl.String and column.is_unique().all() else "points"


def answer(data: pl.DataFrame, *, across: str, up: str, mark: Mark, colour: str | None = None) -> Drawn:
    """Draw one column over another.

    Parameters
    ----------
    across, colour : str
        Of `across_columns`.
    up : str
        Of `number_columns`.
    """
    # A name with a dot, a bracket or a colon is a path or a type to Vega: it is given as a title alone.
    names = {"x": across, "y": up} | ({"c": colour} if colour else {})
    shown = data.select(_usable(data[name]).alias(key) for key, name in names.items())
    numbers = [key for key in ("x", "y") if shown[key].dtype == pl.Float64]
    shown = drawable(shown, *(key for key, kind in shown.schema.items() if kind == pl.String))
    shown = shown.filter(pl.all_horizontal(pl.col(key).is_finite() for key in numbers)).head(MOST_ROWS)
    if colour and shown["c"].dtype == pl.String:
        commonest = pl.col("c").is_in(kinds_of(shown["c"]))
        shown = shown.with_columns(c=pl.when(commonest).then("c").otherwise(pl.lit(OTHERS)))
    repeats = shown["x"].n_unique() < len(shown)
    base = alt.Chart(shown)
    drawn = {"bars": base.mark_bar, "line": base.mark_line, "points": base.mark_circle}[mark]()
    encoded = drawn.encode(
        x=_along(shown["x"], across, mark=mark),
        y=alt.Y("y:Q", title=up, axis=alt.Axis(titleLimit=300), stack="zero" if mark == "bars" else None),
        color=_coloured(shown["c"], colour) if colour else alt.value(ONE),
        tooltip=[alt.Tooltip(f"{key}:{_kind(shown[key])}", title=_tip(name)) for key, name in names.items()],
    )
    if mark == "line" and "x" in numbers:
        encoded = encoded.encode(order="x:Q")
    return Drawn(encoded.properties(height=420), len(shown), len(data) - len(shown), repeats)


def _usable(column: pl.Series) -> pl.Series:
    """Return numbers as floats, all else as text."""
    return column.cast(pl.Float64 if column.dtype.is_numeric() else pl.String)


def _kind(column: pl.Series) -> str:
    return "Q" if column.dtype == pl.Float64 else "N"


def _along(column: pl.Series, name: str, *, mark: Mark) -> alt.X:
    """Return the horizontal axis; what is no number stands in the order of the rows."""
    axis = alt.Axis(labelLimit=160, titleLimit=500, labelOverlap=True)
    if _kind(column) == "Q":
        discrete = mark == "bars" and column.n_unique() <= _MOST_BARS
        return alt.X("x:O" if discrete else "x:Q", title=name, axis=axis)
    if column.n_unique() <= _MOST_UPRIGHT:
        axis.labelAngle = 0
    return alt.X("x:N", title=name, sort=None, axis=axis)


def _coloured(column: pl.Series, name: str) -> alt.Color:
    legend = alt.Legend(title=name, titleLimit=200, labelLimit=200)
    if _kind(column) == "Q":
        return alt.Color("c:Q", scale=alt.Scale(scheme="viridis"), legend=legend)
    kinds = [kind for kind in kinds_of(column) if kind != OTHERS]
    others = (OTHERS,) if (column == OTHERS).any() else ()
    return alt.Color("c:N", scale=kind_scale(kinds, others=others), legend=legend)


def _tip(name: str) -> str:
    # Vega's tooltips load what stands under the name "image" as a picture, and set "title" apart.
    return f"{name} " if name in ("image", "title") else name
