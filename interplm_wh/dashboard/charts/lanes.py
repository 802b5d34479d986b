"""What is annotated on one protein: a lane per concept, its name beside it."""

from __future__ import annotations

import altair as alt
import polars as pl

from interplm_wh.dashboard.charts.look import by_category, drawable

_LANE = 17
"""Pixels of a lane."""


def lanes(
    annotations: pl.DataFrame, scale: alt.Scale, kinds: list[str], *, most: int = 220
) -> list[alt.Chart]:
    """Draw annotations over an axis of residues; nothing where there are none.

    Parameters
    ----------
    annotations : DataFrame
        Of the macro `annotations_of`, of one protein.
    scale : Scale
        Of residues.
    kinds : list of str
        Categories that have a colour of their own, in the order of the colours.
    most : int
        Pixels of a name.
    """
    if not len(annotations):
        return []
    annotations = drawable(annotations, "concept")
    coloured, colours = by_category(annotations, kinds)
    shown = coloured.with_columns(left=pl.col("start") - 0.5, right=pl.col("stop") + 0.5)
    order = annotations.unique("lane", maintain_order=True).sort("lane")["concept"].to_list()
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
                axis=alt.Axis(
                    labelLimit=most, labelOverlap=False, labelFlush=False, labelFontSize=11, ticks=False
                ),
            ),
            color=alt.Color("category:N", scale=colours, legend=None),
            tooltip=[
                alt.Tooltip("concept:N"),
                alt.Tooltip("start:Q", title="from residue", format="d"),
                alt.Tooltip("stop:Q", title="to residue", format="d"),
            ],
        )
        .properties(height=_LANE * len(order))
    ]
