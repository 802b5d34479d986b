"""Proteins as tracks: a strip coloured by activation, and beneath it what is annotated."""

from __future__ import annotations

import math

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import (
    PLAIN,
    activation_colour,
    by_category,
    columns_of,
    kinds_of,
    letter_colour,
    literal,
)

_STRIP, _LANE, _GAP = 0.42, 0.09, 0.02
"""Heights, in rows of one protein each."""
ROW = 50
"""Pixels of a row."""
_ABOVE, _AXIS, _BELOW, _ENTRY = 80, 66, 66, 30
"""Pixels of the scale of activations, of the axis, and of the legend below: its title, each of its lines."""
_ENTRY_WIDTH = 150
_ENTRIES = 4
"""Entries of a line of the legend, for the height that it is given; a narrow window has fewer."""
PICK = "picked"
_FRAME = "#D55E00"
_OF_RESIDUES = [
    alt.Tooltip("accession:N", title="protein"),
    alt.Tooltip("start:Q", title="from residue", format="d"),
    alt.Tooltip("stop:Q", title="to residue", format="d"),
    alt.Tooltip("activation:Q", title="activation", format=".3f"),
]


def strips(
    proteins: pl.DataFrame,
    cells: pl.DataFrame,
    annotations: pl.DataFrame,
    *,
    kinds: list[str],
    chosen: str | None,
    dark: bool,
) -> ChartType:
    """Draw whole proteins, one above the other, in the order of `proteins`; `PICK` selects one.

    Parameters
    ----------
    proteins : DataFrame
        accession, length.
    cells : DataFrame
        Of the macro `feature_strips`.
    annotations : DataFrame
        Of the macro `annotations_of`.
    kinds : list of str
        Categories that have a colour of their own, in the order of the colours.
    chosen : str, optional
        Accession of the one that is framed.
    dark : bool
        Whether the page is dark.
    """
    rows = _placed(proteins)
    x = alt.X("left:Q", title="Residue", scale=alt.Scale(domainMin=0, nice=False))
    whole = rows.select("row", "accession", left=pl.lit(0.5), right=pl.col("length") + 0.5)
    grounds = (
        alt.Chart(whole)
        .mark_rect(color=PLAIN, opacity=0.18, cursor="pointer")
        .encode(
            x=x,
            x2="right:Q",
            y=_y("row", rows),
            y2="foot:Q",
            tooltip=[alt.Tooltip("accession:N", title="protein")],
        )
        .transform_calculate(foot=f"datum.row + {_STRIP}")
        .add_params(alt.selection_point(name=PICK, fields=["accession"], on="click", empty=False))
    )
    active = cells.join(rows, on="accession").select(
        "row",
        "accession",
        "start",
        "stop",
        "activation",
        left=pl.col("start") - 0.5,
        right=pl.col("stop") + 0.5,
    )
    bars = (
        alt.Chart(active)
        .mark_rect(cursor="pointer")
        .encode(
            x=x,
            x2="right:Q",
            y=_y("row", rows),
            y2="foot:Q",
            color=activation_colour(dark=dark),
            tooltip=_OF_RESIDUES,
        )
        .transform_calculate(foot=f"datum.row + {_STRIP}")
    )
    frame = (
        alt.Chart(whole.filter(pl.col("accession") == (chosen or "")))
        .mark_rect(filled=False, stroke=_FRAME, strokeWidth=2)
        .encode(x=x, x2="right:Q", y=_y("row", rows), y2="foot:Q")
        .transform_calculate(foot=f"datum.row + {_STRIP}")
    )
    placed = annotations.with_columns(left=pl.col("start") - 0.5, right=pl.col("stop") + 0.5)
    return _stacked(
        [grounds, bars, frame, *_lanes(placed, rows, x, kinds)], rows, kinds_of(placed["category"])
    )


def windows(
    proteins: pl.DataFrame,
    residues: pl.DataFrame,
    annotations: pl.DataFrame,
    *,
    kinds: list[str],
    dark: bool,
) -> ChartType:
    """Draw the residues around each protein's maximum, letter by letter.

    Parameters
    ----------
    proteins : DataFrame
        accession, length.
    residues : DataFrame
        Of the macro `feature_windows`.
    annotations : DataFrame
        Of the macro `annotations_of`.
    kinds : list of str
        Categories that have a colour of their own, in the order of the colours.
    dark : bool
        Whether the page is dark.
    """
    rows = _placed(proteins)
    shown = residues.join(rows, on="accession").with_columns(
        left=pl.col("away") - 0.5, right=pl.col("away") + 0.5, start="position", stop="position"
    )
    base = alt.Chart(shown).transform_calculate(
        foot=f"datum.row + {_STRIP}", middle=f"datum.row + {_STRIP / 2}"
    )
    x = alt.X("left:Q", title="Residues from the strongest one", scale=alt.Scale(nice=False))
    tips = [alt.Tooltip("amino_acid:N", title="amino acid"), *_OF_RESIDUES]
    grounds = base.mark_rect(color=PLAIN, opacity=0.18).encode(
        x=x, x2="right:Q", y=_y("row", rows), y2="foot:Q", tooltip=tips
    )
    cells = (
        base.transform_filter(alt.datum.activation > 0)
        .mark_rect()
        .encode(
            x=x,
            x2="right:Q",
            y=_y("row", rows),
            y2="foot:Q",
            color=activation_colour(dark=dark),
            tooltip=tips,
        )
    )
    letters = base.mark_text(fontSize=10, font="monospace").encode(
        x=alt.X("away:Q"),
        y=_y("middle", rows),
        text="amino_acid:N",
        tooltip=tips,
        color=letter_colour(dark=dark),
    )
    pick = alt.selection_point(name=PICK, fields=["accession"], on="click", empty=False)
    placed = _within(annotations, residues)
    lanes = _lanes(placed, rows, x, kinds)
    return _stacked([grounds.add_params(pick), cells, letters, *lanes], rows, kinds_of(placed["category"]))


def _within(annotations: pl.DataFrame, residues: pl.DataFrame) -> pl.DataFrame:
    """Return the pieces of annotations that lie in windows, placed by the distance from the maximum."""
    frames = residues.group_by("accession").agg(
        centre=(pl.col("position") - pl.col("away")).first(),
        low=pl.col("away").min() - 0.5,
        high=pl.col("away").max() + 0.5,
    )
    placed = annotations.join(frames, on="accession").with_columns(
        left=pl.max_horizontal(pl.col("start") - pl.col("centre") - 0.5, "low"),
        right=pl.min_horizontal(pl.col("stop") - pl.col("centre") + 0.5, "high"),
    )
    return placed.filter(pl.col("left") < pl.col("right"))


def _placed(proteins: pl.DataFrame) -> pl.DataFrame:
    return (
        proteins.select("accession", "length")
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Float64))
    )


def _y(field: str, rows: pl.DataFrame) -> alt.Y:
    """Return the shared vertical axis: one unit per protein, its accession beside its strip."""
    names = literal(rows["accession"].to_list())
    axis = alt.Axis(
        values=[i + _STRIP / 2 for i in range(len(rows))],
        labelExpr=f"{names}[floor(datum.value)]",
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        labelLimit=160,
    )
    scale = alt.Scale(domain=[0, len(rows)], reverse=True, nice=False)
    return alt.Y(f"{field}:Q", axis=axis, scale=scale)


def _lanes(annotations: pl.DataFrame, rows: pl.DataFrame, x: alt.X, kinds: list[str]) -> list[alt.Chart]:
    if not len(annotations):
        return []
    coloured, scale = by_category(annotations, kinds)
    shown = (
        coloured.join(rows, on="accession")
        .with_columns(
            head=pl.col("row") + _STRIP + _GAP + (pl.col("lane") - 1) * (_LANE + _GAP),
        )
        .with_columns(foot=pl.col("head") + _LANE)
    )
    return [
        alt.Chart(shown)
        .mark_rect(strokeWidth=1.5)  # a single residue is seen as well
        .encode(
            x=x,
            x2="right:Q",
            y=_y("head", rows),
            y2="foot:Q",
            color=alt.Color(
                "category:N",
                scale=scale,
                legend=alt.Legend(
                    title="Annotated",
                    orient="bottom",
                    columns=columns_of(_ENTRY_WIDTH),
                    symbolType="square",
                    values=_drawn(scale, shown),
                ),
            ),
            stroke=alt.Stroke("category:N", scale=scale, legend=None),
            tooltip=[
                alt.Tooltip("accession:N", title="protein"),
                alt.Tooltip("concept:N"),
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
            ],
        )
    ]


def _drawn(scale: alt.Scale, shown: pl.DataFrame) -> list[str]:
    """Return the categories of a scale that are there, in its order."""
    there = set(shown["category"])
    return [kind for kind in scale.domain if kind in there]


def _stacked(layers: list[alt.Chart], rows: pl.DataFrame, kinds: list[str]) -> ChartType:
    """Put layers over each other, each with colours of its own; a row is as high however few there are."""
    chart: ChartType = alt.layer(*layers)
    # What stands around the rows is a part of a chart's height on a page.
    below = _BELOW + _ENTRY * math.ceil(len(kinds) / _ENTRIES) if kinds else 0
    height = ROW * len(rows) + _ABOVE + _AXIS + below
    chart = chart.resolve_scale(color="independent", stroke="independent").properties(height=height)
    chart = chart.configure_view(strokeWidth=0).configure_axisX(grid=False)
    return chart
