"""One protein: its features along the sequence, and what is annotated above them."""

from __future__ import annotations

import json

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import ACTIVATION, drawable, kind_scale, kinds_of

PICK = "cell"
_CELL, _LANE = 15, 15
"""Pixels of a feature's row, and of a lane of annotations."""


def heatmap(cells: pl.DataFrame, annotations: pl.DataFrame, *, length: int) -> ChartType:
    """Draw features below lanes of annotations, on one axis of residues; `PICK` selects a cell.

    Parameters
    ----------
    cells : DataFrame
        Of the macro `protein_heatmap`.
    annotations : DataFrame
        Of the macro `annotations_of`.
    length : int
        Residues of the protein.
    """
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
                    labelExpr=f"({json.dumps(labels)})[datum.value]",
                    labelLimit=220,
                    labelOverlap=False,
                    ticks=False,
                ),
            ),
            color=alt.Color(
                "activation:Q", scale=ACTIVATION, legend=alt.Legend(title="Activation", orient="bottom")
            ),
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
    parts = [*_annotated(annotations, scale), features]
    chart: ChartType = alt.vconcat(*parts, spacing=4)
    chart = chart.resolve_scale(x="shared", color="independent", y="independent")
    return chart


def _annotated(annotations: pl.DataFrame, scale: alt.Scale) -> list[alt.Chart]:
    if not len(annotations):
        return []
    annotations = drawable(annotations, "concept", "category")
    kinds = kinds_of(annotations["category"])
    shown = annotations.with_columns(
        left=pl.col("start") - 0.5,
        right=pl.col("stop") + 0.5,
        category=pl.when(pl.col("category").is_in(kinds)).then("category").otherwise(pl.lit("other")),
    )
    order = annotations.unique("lane", maintain_order=True).sort("lane")["concept"].to_list()
    others = ("other",) if (shown["category"] == "other").any() else ()
    return [
        alt.Chart(shown)
        .mark_rect(height={"band": 0.7})
        .encode(
            x=alt.X("left:Q", title=None, axis=None, scale=scale),
            x2="right:Q",
            y=alt.Y(
                "concept:N",
                sort=order,
                title=None,
                axis=alt.Axis(labelLimit=220, labelOverlap=False, ticks=False),
            ),
            color=alt.Color("category:N", scale=kind_scale(kinds, others=others), legend=None),
            tooltip=[
                alt.Tooltip("concept:N"),
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
            ],
        )
        .properties(height=_LANE * len(order))
    ]
