"""Effects with their intervals, about a line at 0."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import ONE, PLAIN


def effects(rows: pl.DataFrame) -> ChartType:
    """Draw mean differences of activation, one below the other.

    Parameters
    ----------
    rows : DataFrame
        With what, effect, low, high, q; the first is drawn on top.
    """
    names = alt.Y(
        "what:N", sort=rows["what"].to_list(), title=None, axis=alt.Axis(labelLimit=260, labelFlush=False)
    )
    tooltip = [
        alt.Tooltip("what:N", title="effect"),
        alt.Tooltip("effect:Q", format="+.3f", title="mean"),
        alt.Tooltip("low:Q", format="+.3f", title="95 % from"),
        alt.Tooltip("high:Q", format="+.3f", title="to"),
        alt.Tooltip("q:Q", format=".2g"),
    ]
    about = alt.Chart(rows)
    zero = alt.Chart(pl.DataFrame({"effect": [0.0]})).mark_rule(color=PLAIN, strokeDash=[4, 4])
    chart: ChartType = (
        zero.encode(x="effect:Q")
        + about.mark_rule(color=ONE, strokeWidth=3).encode(
            x=alt.X("low:Q", title="Difference of mean activation"), x2="high:Q", y=names, tooltip=tooltip
        )
        + about.mark_point(color=ONE, filled=True, size=110, opacity=1).encode(
            x="effect:Q", y=names, tooltip=tooltip
        )
    ).properties(height=150)
    return chart
