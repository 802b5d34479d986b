"""One feature along one protein, residue by residue, above what is annotated there."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.lanes import lanes
from interplm_wh.dashboard.charts.look import activation_scale, letter_colour

_LETTER = 16
"""Pixels of the row of letters."""


def track(
    cells: pl.DataFrame,
    annotations: pl.DataFrame,
    letters: pl.DataFrame,
    *,
    kinds: list[str],
    length: int,
    dark: bool,
) -> ChartType:
    """Draw the activation of a feature as bars over the residues of a protein.

    Parameters
    ----------
    cells : DataFrame
        Of the macro `feature_strips`, of one protein.
    annotations : DataFrame
        Of the macro `annotations_of`, of one protein.
    letters : DataFrame
        Of the macro `feature_windows`: what the axis is narrowed to, with its letters; none for the whole
        protein.
    kinds : list of str
        Categories that have a colour of their own, in the order of the colours.
    length : int
        Residues of the protein.
    dark : bool
        Whether the page is dark.
    """
    positions = letters["position"].to_list() or [1, length]
    first, last = min(positions), max(positions)
    scale = alt.Scale(domain=[first - 0.5, last + 0.5], nice=False)
    within = (pl.col("stop") >= first) & (pl.col("start") <= last)
    bars = _bars(cells.filter(within), scale, dark=dark)
    parts = [
        bars,
        *_letters(letters, scale, dark=dark),
        *lanes(annotations.filter(within), scale, kinds, most=130),
    ]
    chart: ChartType = alt.vconcat(*parts, spacing=4)
    chart = chart.resolve_scale(x="shared", color="independent", y="independent")
    return chart


def _bars(cells: pl.DataFrame, scale: alt.Scale, *, dark: bool) -> ChartType:
    top = max([1.0, *cells["activation"].to_list()])
    shown = cells.with_columns(left=pl.col("start") - 0.5, right=pl.col("stop") + 0.5, foot=pl.lit(0.0))
    bars: ChartType = (
        alt.Chart(shown)
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", title="Residue", scale=scale, axis=alt.Axis(format="d", grid=False)),
            x2="right:Q",
            y=alt.Y("activation:Q", title="Activation", scale=alt.Scale(domain=[0, top])),
            y2="foot:Q",
            color=alt.Color("activation:Q", scale=activation_scale(dark=dark), legend=None),
            tooltip=[
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
                alt.Tooltip("activation:Q", title="activation", format=".3f"),
            ],
        )
        .add_params(alt.selection_interval(bind="scales", encodings=["x"], name="zoom"))
        .properties(height=150)
    )
    return bars


def _letters(letters: pl.DataFrame, scale: alt.Scale, *, dark: bool) -> list[ChartType]:
    if not len(letters):
        return []
    shown = letters.with_columns(left=pl.col("position") - 0.5, right=pl.col("position") + 0.5)
    base = alt.Chart(shown)
    tips = [
        alt.Tooltip("amino_acid:N", title="amino acid"),
        alt.Tooltip("position:Q", title="residue", format="d"),
        alt.Tooltip("activation:Q", title="activation", format=".3f"),
    ]
    cells = (
        base.transform_filter(alt.datum.activation > 0)
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", title=None, axis=None, scale=scale),
            x2="right:Q",
            color=alt.Color("activation:Q", scale=activation_scale(dark=dark), legend=None),
            tooltip=tips,
        )
    )
    text = base.mark_text(fontSize=10, font="monospace", clip=True).encode(
        x=alt.X("position:Q", title=None, axis=None, scale=scale),
        text="amino_acid:N",
        color=letter_colour(dark=dark),
        tooltip=tips,
    )
    layered: ChartType = alt.layer(cells, text).properties(height=_LETTER)
    return [layered]
