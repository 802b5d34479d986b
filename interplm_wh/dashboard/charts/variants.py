"""What variants change: by position and letter, along the sequence, and beside what was measured."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import KINDS, ONE, PLAIN, activation_stops

PICK = "variant"
LETTERS = "GAVLIMCFYWPSTNQHKRDE"
"""Small, aliphatic, aromatic, polar, charged: what is alike stands together."""
_ROW = 14
"""Pixels of a letter's row."""
_AROUND = 165
"""Pixels of the axis and the legend, which the height of a chart by itself holds as well."""
_LOSS, _GAIN = KINDS[1], KINDS[0]


def _signed(most: float, *, dark: bool) -> alt.Scale:
    """Return the scale of changes with a sign: the background is no change."""
    middle = "#262730" if dark else "#f4f4f4"
    return alt.Scale(domain=[-most, 0, most], range=[_LOSS, middle, _GAIN], interpolate="rgb")


def _unsigned(most: float, *, dark: bool) -> alt.Scale:
    stops = activation_stops(dark=dark)
    places = [most * i / (len(stops) - 1) for i in range(len(stops))]
    return alt.Scale(domain=places, range=list(stops), clamp=True, interpolate="rgb")


def scan_map(cells: pl.DataFrame, sequence: str, *, is_signed: bool, dark: bool) -> ChartType:
    """Draw single substitutions by position and letter; a dot is the wild type; `PICK` selects one.

    Parameters
    ----------
    cells : DataFrame
        variant, position, mutant, change.
    sequence : str
        The wild type.
    is_signed : bool
        Whether a change has a sign.
    dark : bool
        Whether the page is dark.
    """
    first, last = int(cells["position"].min()), int(cells["position"].max())  # type: ignore[arg-type]
    most = float(cells["change"].abs().max() or 0) or 1.0  # type: ignore[arg-type]
    scale = _signed(most, dark=dark) if is_signed else _unsigned(most, dark=dark)
    x_scale = alt.Scale(domain=[first - 0.5, last + 0.5], nice=False)
    y = alt.Y(
        "mutant:N",
        title=None,
        scale=alt.Scale(domain=list(LETTERS)),
        axis=alt.Axis(ticks=False, labelOverlap=False, labelFlush=False, labelFont="monospace"),
    )
    shown = cells.with_columns(left=pl.col("position") - 0.5, right=pl.col("position") + 0.5)
    title = "Change of the feature" if is_signed else "Total change"
    squares = (
        alt.Chart(shown)
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", title="Residue", scale=x_scale, axis=alt.Axis(format="d", grid=False)),
            x2="right:Q",
            y=y,
            color=alt.Color("change:Q", scale=scale, legend=alt.Legend(title=title, orient="bottom")),
            tooltip=[alt.Tooltip("variant:N"), alt.Tooltip("change:Q", title=title, format=".3f")],
        )
        .add_params(
            alt.selection_interval(bind="scales", encodings=["x"], name="zoom"),
            alt.selection_point(name=PICK, fields=["variant"], on="click", empty=False),
        )
    )
    own = pl.DataFrame(
        {"position": range(first, last + 1), "mutant": list(sequence[first - 1 : last])}
    ).filter(pl.col("mutant").is_in(list(LETTERS)))
    dots = (
        alt.Chart(own)
        .mark_point(filled=True, size=12, opacity=1, color="#DDDDDD" if dark else "#333333", clip=True)
        .encode(
            x=alt.X("position:Q", scale=x_scale),
            y=y,
            tooltip=[
                alt.Tooltip("mutant:N", title="wild type"),
                alt.Tooltip("position:Q", title="residue", format="d"),
            ],
        )
    )
    chart: ChartType = alt.layer(squares, dots).properties(height=_ROW * len(LETTERS) + _AROUND)
    return chart


def moved_track(track: pl.DataFrame, *, length: int, dark: bool) -> ChartType:
    """Draw one feature along the wild type, and what variants add and take away on the mean.

    Parameters
    ----------
    track : DataFrame
        Of the macro `variant_tracks`, of one feature.
    length : int
        Residues of the protein.
    dark : bool
        Whether the page is dark.
    """
    scale = alt.Scale(domain=[0.5, length + 0.5], nice=False)
    shown = track.with_columns(
        left=pl.col("position") - 0.5, right=pl.col("position") + 0.5, foot=pl.lit(0.0)
    )
    changes = shown.unpivot(
        ["mean_gain", "mean_loss"],
        index=["position", "left", "right", "foot", "n_variants"],
        value_name="mean",
    ).filter(pl.col("mean") != 0)
    across = {
        "x": alt.X("left:Q", title="Residue", scale=scale, axis=alt.Axis(format="d", grid=False)),
        "x2": "right:Q",
        "y2": "foot:Q",
    }
    wild = (
        alt.Chart(shown)
        .mark_rect(clip=True, color=PLAIN)
        .encode(
            **across,
            y=alt.Y("wild_type_activation:Q", title="Wild type"),
            tooltip=[
                alt.Tooltip("position:Q", title="residue", format="d"),
                alt.Tooltip("wild_type_activation:Q", title="wild type", format=".3f"),
            ],
        )
        .properties(height=90)
    )
    kinds = alt.Scale(domain=["mean_gain", "mean_loss"], range=[_GAIN, _LOSS])
    bars = (
        alt.Chart(changes)
        .mark_rect(clip=True)
        .encode(
            **across,
            y=alt.Y("mean:Q", title="Mean change"),
            color=alt.Color("variable:N", scale=kinds, legend=None),
            tooltip=[
                alt.Tooltip("position:Q", title="residue", format="d"),
                alt.Tooltip("mean:Q", title="mean change over variants", format=".4f"),
                alt.Tooltip("n_variants:Q", title="variants that change it", format="d"),
            ],
        )
        .properties(height=110)
    )
    chart: ChartType = alt.vconcat(wild, bars, spacing=6)
    chart = chart.resolve_scale(x="shared", color="independent", y="independent")
    return chart


def residue_map(cells: pl.DataFrame, *, length: int, dark: bool) -> ChartType:
    """Draw what one variant changes: features by residues, with the sign.

    Parameters
    ----------
    cells : DataFrame
        Of the macro `variant_residues`.
    """
    names = [str(feature) for feature in cells["feature"].unique(maintain_order=True).to_list()]
    most = float(cells["change"].abs().max() or 0) or 1.0  # type: ignore[arg-type]
    shown = cells.with_columns(
        left=pl.col("position") - 0.5,
        right=pl.col("position") + 0.5,
        name=pl.col("feature").cast(pl.String),
    )
    cells_of: ChartType = (
        alt.Chart(shown)
        .mark_rect(clip=True)
        .encode(
            x=alt.X(
                "left:Q",
                title="Residue",
                scale=alt.Scale(domain=[0.5, length + 0.5], nice=False),
                axis=alt.Axis(format="d", grid=False),
            ),
            x2="right:Q",
            y=alt.Y(
                "name:N",
                title="Feature",
                sort=names,
                axis=alt.Axis(ticks=False, labelOverlap=False, labelFlush=False),
            ),
            color=alt.Color(
                "change:Q",
                scale=_signed(most, dark=dark),
                legend=alt.Legend(title="Change of activation", orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("feature:Q", format="d"),
                alt.Tooltip("position:Q", title="residue", format="d"),
                alt.Tooltip("wild_type_activation:Q", title="wild type", format=".3f"),
                alt.Tooltip("mutant_activation:Q", title="mutant", format=".3f"),
                alt.Tooltip("change:Q", format=".3f"),
            ],
        )
        .properties(height=16 * max(len(names), 2))
    )
    chart: ChartType = alt.vconcat(cells_of)
    return chart


def beside_measured(points: pl.DataFrame, *, what: str, dark: bool) -> ChartType:
    """Draw variants by their measured effect and by what they change.

    Parameters
    ----------
    points : DataFrame
        variant, measured, change, and perhaps log_odds.
    what : str
        Title of the axis of changes.
    """
    tips = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("measured:Q", format=".3f"),
        alt.Tooltip("change:Q", title=what, format=".3f"),
        alt.Tooltip("log_odds:Q", title="log-odds of the PLM", format=".2f"),
    ]
    chart: ChartType = (
        alt.Chart(points)
        .mark_point(filled=True, size=28, opacity=0.6, color=KINDS[5] if dark else ONE)
        .encode(
            x=alt.X("measured:Q", title="Measured effect", scale=alt.Scale(zero=False)),
            y=alt.Y("change:Q", title=what),
            tooltip=tips,
        )
        .properties(height=320)
        .interactive()
    )
    return chart
