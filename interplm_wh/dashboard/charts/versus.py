"""Two SAEs, concept by concept."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import PLAIN, by_category, kinds_of

PICK = "pick"


def versus(rows: pl.DataFrame, *, left: str, right: str) -> ChartType:
    """Draw one point per concept: F1 on test of either SAE, 0 where it has no feature; `PICK` selects one.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `saes_side_by_side`.
    """
    coloured, scale = by_category(rows, kinds_of(rows["category"]))
    shown = coloured.with_columns(pl.col("left_f1").fill_null(0), pl.col("right_f1").fill_null(0))
    unit = alt.Scale(domain=[0, 1])
    line = (
        alt.Chart(pl.DataFrame({"f1": [0.0, 1.0]}))
        .mark_line(color=PLAIN, strokeDash=[4, 4])
        .encode(x=alt.X("f1:Q", scale=unit), y=alt.Y("f1:Q", scale=unit))
    )
    pick = alt.selection_point(name=PICK, fields=["concept"], nearest=True, empty=False)
    points = (
        alt.Chart(shown)
        .mark_circle(size=90, opacity=0.8)
        .encode(
            x=alt.X("left_f1:Q", title=f"F1 of {left}", scale=unit),
            y=alt.Y("right_f1:Q", title=f"F1 of {right}", scale=unit),
            color=alt.Color(
                "category:N",
                scale=scale,
                legend=alt.Legend(title="Annotated as", orient="right"),
            ),
            tooltip=[
                alt.Tooltip("concept:N"),
                alt.Tooltip("left_f1:Q", title=left, format=".2f"),
                alt.Tooltip("right_f1:Q", title=right, format=".2f"),
                alt.Tooltip("left_feature:Q", title=f"feature of {left}", format="d"),
                alt.Tooltip("right_feature:Q", title=f"feature of {right}", format="d"),
            ],
        )
        .add_params(pick)
    )
    chart: ChartType = alt.layer(line, points).properties(height=420)
    return chart
