"""What steering did: by position, by amino acid, and by dose beside the controls."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import KINDS, PLAIN

_SIDES = ["edited", "not edited"]
_COLOURS = alt.Scale(domain=_SIDES, range=[KINDS[1], KINDS[0]])
# Source: ColorBrewer's PuOr, its middle near the page's own background on light and on dark.
_LESS, _MORE = "#b35806", "#542788"
_LESS_ON_DARK, _MORE_ON_DARK = "#fdb863", "#b2abd2"
_MIDDLE, _MIDDLE_ON_DARK = "#f7f7f7", "#1c1f26"
_LETTER, _AROUND = 16, 110
"""Pixels of an amino acid's row, and of the axis and the legend."""


def _sided(rows: pl.DataFrame) -> pl.DataFrame:
    side = pl.when("is_touched").then(pl.lit(_SIDES[0])).otherwise(pl.lit(_SIDES[1]))
    return rows.with_columns(side=side)


def _legend() -> alt.Legend:
    return alt.Legend(title="Positions", orient="top")


def by_position(rows: pl.DataFrame, *, length: int) -> ChartType:
    """Draw the divergence at each measured position.

    Parameters
    ----------
    rows : DataFrame
        Of `steering_effects`, of one run and dose.
    length : int
        Residues of the sequence.
    """
    scale = alt.Scale(domain=[0.5, length + 0.5], nice=False)
    positive = rows.filter(pl.col("kl") > 0)["kl"]
    most = float(positive.max() or 1)  # type: ignore[arg-type]
    # A logarithmic axis has no 0, and what is far below the rest is rounding.
    foot = max(float(positive.min() or most), most * 1e-6) / 2  # type: ignore[arg-type]
    shown = _sided(rows).with_columns(
        left=pl.col("position") - 0.45,
        right=pl.col("position") + 0.45,
        top=pl.col("kl").clip(lower_bound=foot),
        foot=pl.lit(foot),
    )
    chart: ChartType = (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X("left:Q", title="Residue", scale=scale),
            x2="right:Q",
            y=alt.Y(
                "top:Q",
                scale=alt.Scale(type="log", domain=[foot, max(most, foot * 2)], nice=False),
                title="Divergence (nats, log)",
            ),
            y2="foot:Q",
            color=alt.Color("side:N", scale=_COLOURS, legend=_legend()),
            tooltip=[
                alt.Tooltip("position:Q", format="d"),
                alt.Tooltip("amino_acid:N", title="residue"),
                alt.Tooltip("side:N", title="this position was"),
                alt.Tooltip("kl:Q", title="divergence", format=".4g"),
                alt.Tooltip("p_true_before:Q", title="P of the residue before", format=".3f"),
                alt.Tooltip("p_true_after:Q", title="after", format=".3f"),
                alt.Tooltip("top_before:N", title="likeliest before"),
                alt.Tooltip("top_after:N", title="after"),
                alt.Tooltip("activation:Q", title="activation before", format=".3f"),
            ],
        )
        .properties(height=300)
    )
    return chart


def by_letter(rows: pl.DataFrame, *, length: int, dark: bool) -> ChartType:
    """Draw how the probability of each amino acid changed at each measured position.

    Parameters
    ----------
    rows : DataFrame
        Of `steering_probabilities`, of one run and dose.
    length : int
        Residues of the sequence.
    dark : bool
        Whether the page is dark.
    """
    shown = rows.with_columns(
        change=pl.col("p_after") - pl.col("p_before"),
        left=pl.col("position") - 0.5,
        right=pl.col("position") + 0.5,
    )
    most = max(float(shown["change"].abs().max() or 0), 1e-6)  # type: ignore[arg-type]
    ends = (_LESS_ON_DARK, _MIDDLE_ON_DARK, _MORE_ON_DARK) if dark else (_LESS, _MIDDLE, _MORE)
    colour = alt.Color(
        "change:Q",
        scale=alt.Scale(domain=[-most, 0, most], range=list(ends), interpolate="rgb"),
        legend=alt.Legend(title="Change in probability", orient="top", format="+.2g", gradientLength=200),
    )
    letters = rows["letter"].unique().len()
    chart: ChartType = (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X("left:Q", title="Residue", scale=alt.Scale(domain=[0.5, length + 0.5], nice=False)),
            x2="right:Q",
            y=alt.Y("letter:N", title=None, axis=alt.Axis(ticks=False, labelOverlap=False, labelFlush=False)),
            color=colour,
            tooltip=[
                alt.Tooltip("position:Q", format="d"),
                alt.Tooltip("letter:N", title="amino acid"),
                alt.Tooltip("p_before:Q", title="before", format=".3f"),
                alt.Tooltip("p_after:Q", title="after", format=".3f"),
                alt.Tooltip("change:Q", format="+.3f"),
            ],
        )
        .properties(height=_LETTER * letters + _AROUND)
    )
    return chart


def by_dose(rows: pl.DataFrame) -> ChartType:
    """Draw the effect at each dose, and the band in which nine of ten controls lie.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `steering_curve` or `steering_summary`, of one run and one kind of position: those that
        were edited move so much more that the others could not be seen beside them.
    """
    # At the watched positions, where controls were measured as well; at all where there are none.
    shown = _sided(rows).with_columns(effect=pl.coalesce("watched_kl", "kl"))
    title_of_x, doses = "Dose (1: the feature's scale, or what it was)", shown["dose"].unique().to_list()
    x = alt.X("dose:Q", title=title_of_x)
    if len(doses) == 1:  # neither an area nor a line has one point
        scale = alt.Scale(domain=[doses[0] - 1, doses[0] + 1])
        x = alt.X("dose:Q", title=title_of_x, scale=scale, axis=alt.Axis(values=doses, format="g"))
    title = "Divergence (nats)"
    parts: list[alt.Chart] = []
    if rows["control_low"].drop_nulls().len():
        base = alt.Chart(shown.filter(pl.col("control_low").is_not_null()))
        band = alt.Tooltip("control_low:Q", title="controls from", format=".3g")
        wide = base.mark_area(opacity=0.25) if len(doses) > 1 else base.mark_bar(opacity=0.25, size=60)
        middle = base.mark_line(strokeDash=[4, 3], color=PLAIN)
        if len(doses) == 1:
            middle = base.mark_tick(color=PLAIN, size=60, orient="horizontal")
        parts += [
            wide.encode(
                x=x,
                y=alt.Y("control_low:Q", title=title),
                y2="control_high:Q",
                color=alt.Color("side:N", scale=_COLOURS, legend=None),
                tooltip=[band, alt.Tooltip("control_high:Q", title="to", format=".3g")],
            ),
            middle.encode(x=x, y="control_median:Q", detail="side:N"),
        ]
    lines = (
        alt.Chart(shown)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=x,
            y=alt.Y("effect:Q", title=title),
            color=alt.Color("side:N", scale=_COLOURS, legend=None),
            tooltip=[
                alt.Tooltip("dose:Q", format="g"),
                alt.Tooltip("side:N", title="positions"),
                alt.Tooltip("effect:Q", title="divergence", format=".4g"),
                alt.Tooltip("kl_percentile:Q", title="percentile among controls", format=".1f"),
                alt.Tooltip("n_controls:Q", title="controls", format=","),
            ],
        )
    )
    each = [alt.layer(*parts, lines)]
    chart: ChartType = alt.layer(*each).properties(height=280)
    return chart
