"""Proteins as tracks: a strip coloured by activation, and beneath it what is annotated."""

from __future__ import annotations

import json

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import ACTIVATION, drawable, kind_scale, kinds_of

_STRIP, _LANE, _GAP = 0.42, 0.09, 0.02
"""Heights, in rows of one protein each."""
ROW = 64
"""Pixels of a row."""
_COLOUR = alt.Color("activation:Q", scale=ACTIVATION, legend=alt.Legend(title="Activation", orient="top"))
_OF_RESIDUES = [
    alt.Tooltip("accession:N", title="protein"),
    alt.Tooltip("start:Q", title="from residue", format="d"),
    alt.Tooltip("stop:Q", title="to residue", format="d"),
    alt.Tooltip("activation:Q", title="activation", format=".3f"),
]


def strips(proteins: pl.DataFrame, cells: pl.DataFrame, annotations: pl.DataFrame) -> ChartType:
    """Draw whole proteins, one above the other, in the order of `proteins`.

    Parameters
    ----------
    proteins : DataFrame
        accession, length.
    cells : DataFrame
        Of the macro `feature_strips`.
    annotations : DataFrame
        Of the macro `annotations_of`.
    """
    rows = _placed(proteins)
    x = alt.X("left:Q", title="Residue", scale=alt.Scale(domainMin=0, nice=False))
    ground = alt.Chart(rows.select("row", "accession", left=pl.lit(0.5), right=pl.col("length") + 0.5))
    grounds = (
        ground.mark_rect(color="#8A8F98", opacity=0.18)
        .encode(
            x=x,
            x2="right:Q",
            y=_y("row", rows),
            y2="foot:Q",
            tooltip=[alt.Tooltip("accession:N", title="protein")],
        )
        .transform_calculate(foot=f"datum.row + {_STRIP}")
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
        .mark_rect()
        .encode(x=x, x2="right:Q", y=_y("row", rows), y2="foot:Q", color=_COLOUR, tooltip=_OF_RESIDUES)
        .transform_calculate(foot=f"datum.row + {_STRIP}")
    )
    layers = [grounds, bars, *_lanes(annotations, rows, x)]
    return _stacked(layers, rows)


def windows(proteins: pl.DataFrame, residues: pl.DataFrame) -> ChartType:
    """Draw the residues around each protein's maximum, letter by letter.

    Parameters
    ----------
    proteins : DataFrame
        accession, length.
    residues : DataFrame
        Of the macro `feature_windows`.
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
    cells = base.mark_rect().encode(
        x=x, x2="right:Q", y=_y("row", rows), y2="foot:Q", color=_COLOUR, tooltip=tips
    )
    letters = base.mark_text(fontSize=10, font="monospace").encode(
        x=alt.X("away:Q"),
        y=_y("middle", rows),
        text="amino_acid:N",
        tooltip=tips,
        color=alt.condition(alt.datum.activation > 0.55, alt.value("#111111"), alt.value("#FFFFFF")),
    )
    return _stacked([cells, letters], rows)


def _placed(proteins: pl.DataFrame) -> pl.DataFrame:
    return (
        proteins.select("accession", "length")
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Float64))
    )


def _y(field: str, rows: pl.DataFrame) -> alt.Y:
    """Return the shared vertical axis: one unit per protein, its accession beside its strip."""
    names = json.dumps(rows["accession"].to_list())  # quoted: an accession from a file may hold anything
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


def _lanes(annotations: pl.DataFrame, rows: pl.DataFrame, x: alt.X) -> list[alt.Chart]:
    if not len(annotations):
        return []
    annotations = drawable(annotations, "category")
    kinds = kinds_of(annotations["category"])
    shown = (
        annotations.join(rows, on="accession")
        .with_columns(
            left=pl.col("start") - 0.5,
            right=pl.col("stop") + 0.5,
            head=pl.col("row") + _STRIP + _GAP + (pl.col("lane") - 1) * (_LANE + _GAP),
            category=pl.when(pl.col("category").is_in(kinds)).then("category").otherwise(pl.lit("other")),
        )
        .with_columns(foot=pl.col("head") + _LANE)
    )
    others = ("other",) if (shown["category"] == "other").any() else ()
    return [
        alt.Chart(shown)
        .mark_rect(opacity=0.95, stroke="#FFFFFF", strokeWidth=0.4)
        .encode(
            x=x,
            x2="right:Q",
            y=_y("head", rows),
            y2="foot:Q",
            color=alt.Color(
                "category:N",
                scale=kind_scale(kinds, others=others),
                legend=alt.Legend(title="Annotated", orient="top", columns=6, symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("accession:N", title="protein"),
                alt.Tooltip("concept:N"),
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
            ],
        )
    ]


def _stacked(layers: list[alt.Chart], rows: pl.DataFrame) -> ChartType:
    """Put layers over each other, each with colours of its own."""
    chart: ChartType = alt.layer(*layers)
    chart = chart.resolve_scale(color="independent").properties(height=ROW * len(rows) + 20)
    chart = chart.configure_view(strokeWidth=0).configure_axisX(grid=False)
    return chart
