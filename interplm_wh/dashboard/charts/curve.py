"""How well features find a concept: precision against recall at each threshold."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import KINDS

_F1 = (0.3, 0.5, 0.7, 0.9)


def curves(rows: pl.DataFrame) -> ChartType:
    """Draw one line per feature over lines of equal F1.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `concept_curve`, of one split.
    """
    order = [str(feature) for feature in rows["feature"].unique(maintain_order=True)]
    shown = rows.with_columns(pl.col("feature").cast(pl.String))
    x = alt.X("recall_per_domain:Q", title="Recall: share of instances hit", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("precision:Q", title="Precision: share of residues right", scale=alt.Scale(domain=[0, 1]))
    same = (
        alt.Chart(_equal_f1())
        .mark_line(strokeDash=[3, 3], opacity=0.45, color="#8A8F98")
        .encode(x=alt.X("recall:Q"), y=alt.Y("precision:Q"), detail="f1:N")
    )
    names = alt.Chart(_equal_f1().group_by("f1").agg(pl.all().sort_by("recall").last()))
    labels = names.mark_text(align="right", dx=-2, dy=8, color="#8A8F98", fontSize=10).encode(
        x="recall:Q", y="precision:Q", text=alt.Text("label:N")
    )
    scale = alt.Scale(domain=order, range=[KINDS[i % len(KINDS)] for i in range(len(order))])
    lines = (
        alt.Chart(shown)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=x,
            y=y,
            order="threshold:Q",
            color=alt.Color("feature:N", scale=scale, legend=alt.Legend(title="Feature", orient="right")),
            tooltip=[
                alt.Tooltip("feature:N"),
                alt.Tooltip("threshold:Q", format=".2f"),
                alt.Tooltip("precision:Q", format=".3f"),
                alt.Tooltip("recall_per_domain:Q", title="recall", format=".3f"),
                alt.Tooltip("f1_per_domain:Q", title="F1", format=".3f"),
                alt.Tooltip("tp:Q", title="residues right", format=","),
                alt.Tooltip("fp:Q", title="residues wrong", format=","),
            ],
        )
    )
    chart: ChartType = alt.layer(same, labels, lines).properties(height=360)
    return chart


def _equal_f1() -> pl.DataFrame:
    """Return points of equal F1: precision = F1 recall / (2 recall - F1)."""
    points = [
        {"f1": f1, "label": f"F1 {f1}", "recall": r / 100, "precision": f1 * r / (2 * r - 100 * f1)}
        for f1 in _F1
        for r in range(1, 101)
        if 2 * r > 100 * f1 and f1 * r / (2 * r - 100 * f1) <= 1
    ]
    return pl.DataFrame(points)
