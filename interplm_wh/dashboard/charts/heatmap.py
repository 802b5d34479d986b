"""One protein: its features along the sequence, and what is annotated above them."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.lanes import lanes
from interplm_wh.dashboard.charts.look import activation_colour, kinds_of, literal

PICK = "cell"
_CELL = 15
"""Pixels of a feature's row."""


def heatmap(cells: pl.DataFrame, annotations: pl.DataFrame, *, length: int, dark: bool) -> ChartType:
    """Draw features below lanes of annotations, on one axis of residues; `PICK` selects a cell.

    Parameters
    ----------
    cells : DataFrame
        Of the macro `protein_heatmap`.
    annotations : DataFrame
        Of the macro `annotations_of`.
    length : int
        Residues of the protein.
    dark : bool
        Whether the page is dark.
    """
    kinds = kinds_of(annotations["category"]) if len(annotations) else []
    zoom = alt.selection_interval(bind="scales", encodings=["x"], name="zoom")
    scale = alt.Scale(domain=[0.5, length + 0.5], nice=False)
    pick = alt.selection_point(name=PICK, fields=["feature", "start"], on="click", empty=False)
    shown = cells.with_columns(left=pl.col("start") - 0.5, right=pl.col("stop") + 0.5)
    names = cells.unique("rank", maintain_order=True).select("rank", "feature", "concept").to_dicts()
    labels = {
        str(row["rank"]): str(row["feature"]) + (f"  {row['concept']}" if row["concept"] else "")
        for row in names
    }
    features = (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=alt.X("left:Q", title="Residue", scale=scale),
            x2="right:Q",
            y=alt.Y(
                "rank:O",
                title=None,
                axis=alt.Axis(
                    labelExpr=f"({literal(labels)})[datum.value]",
                    labelLimit=220,
                    labelOverlap=False,
                    labelFlush=False,
                    ticks=False,
                ),
            ),
            color=activation_colour(dark=dark, orient="bottom"),
            tooltip=[
                alt.Tooltip("feature:Q", format="d"),
                alt.Tooltip("concept:N", title="finds"),
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
                alt.Tooltip("activation:Q", format=".3f"),
            ],
        )
        .add_params(zoom, pick)
        .properties(height=_CELL * max(len(names), 1))
    )
    parts = [*lanes(annotations, scale, kinds), features]
    chart: ChartType = alt.vconcat(*parts, spacing=4)
    chart = chart.resolve_scale(x="shared", color="independent", y="independent")
    return chart
