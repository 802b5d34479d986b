"""All features of an SAE: how common each is, or where it lies on the map of decoder directions."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import KINDS, NO_KIND, PLAIN, columns_of, drawable, kinds_of

PICK = "pick"
_OTHER = "another category"
_KINDS = 7
_LABELS = 15
"""Clusters that are named on the map: more would lie over each other."""


def landscape(rows: pl.DataFrame) -> ChartType:
    """Draw one point per feature by how common it is; `PICK` is the selection of one.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `feature_landscape`.
    """
    shown, colour = _coloured(rows)
    base = alt.Chart(shown).encode(
        x=alt.X("pct_proteins:Q", scale=alt.Scale(type="log"), title="Proteins with the feature (%, log)"),
        y=alt.Y(
            "avg_pct_residues_when_present:Q",
            scale=alt.Scale(type="log"),
            title="Residues of such a protein (%, log)",
        ),
    )
    points = base.mark_circle(size=45, opacity=0.75).encode(
        color=colour,
        tooltip=[
            *_FOUND,
            alt.Tooltip("n_proteins:Q", title="proteins", format=","),
            alt.Tooltip("pct_proteins:Q", title="% of proteins", format=".2f"),
            alt.Tooltip("avg_pct_residues_when_present:Q", title="% of their residues", format=".2f"),
            alt.Tooltip("mean_activation:Q", title="mean activation", format=".2f"),
        ],
    )
    return alt.layer(points.add_params(_pick())).properties(height=480)


def directions(rows: pl.DataFrame) -> ChartType:
    """Draw one point per feature where it lies on the map; `PICK` is the selection of one.

    The largest clusters with a label are named.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `feature_map_of`.
    """
    shown, colour = _coloured(rows)
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "x:Q", axis=axis, scale=alt.Scale(zero=False), title="UMAP of decoder directions, first axis"
        ),
        y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False), title="second axis"),
    )
    points = base.mark_circle(size=40, opacity=0.75).encode(
        color=colour,
        tooltip=[
            *_FOUND,
            alt.Tooltip("cluster:Q", title="cluster", format="d"),
            alt.Tooltip("label:N", title="of the cluster"),
            alt.Tooltip("shape:N", title="shape"),
            alt.Tooltip("pct_proteins:Q", title="% of proteins", format=".2f"),
        ],
    )
    names = alt.Chart(_named(rows)).encode(x="x:Q", y="y:Q", text="label:N")
    halo = names.mark_text(fontSize=12, stroke="white", strokeWidth=3, opacity=0.8)
    text = names.mark_text(fontSize=12, fontWeight="bold", color="black")
    chart: ChartType = alt.layer(points.add_params(_pick()), halo, text).properties(height=560)
    return chart


_FOUND = [
    alt.Tooltip("feature:Q", title="feature", format="d"),
    alt.Tooltip("concept:N", title="best concept"),
    alt.Tooltip("f1:N", title="its F1 on test"),
]


def _pick() -> alt.Parameter:
    return alt.selection_point(name=PICK, fields=["feature"], nearest=True, empty=False)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the middle of the largest clusters that have a label."""
    return (
        rows.filter(pl.col("label").is_not_null())
        .group_by("cluster", "label")
        .agg(pl.col("x").median(), pl.col("y").median())
        .sort("cluster")  # the largest first
        .head(_LABELS)
        .select("x", "y", "label")
    )


def _coloured(rows: pl.DataFrame) -> tuple[pl.DataFrame, alt.Color]:
    """Return rows with their kind of concept, those without one first, and the channel that colours them."""
    rows = drawable(rows, "category")
    kinds = kinds_of(rows["category"], most=_KINDS)
    shown = rows.with_columns(
        pl.when(pl.col("category").is_null())
        .then(pl.lit(NO_KIND))
        .when(pl.col("category").is_in(kinds))
        .then(pl.col("category"))
        .otherwise(pl.lit(_OTHER))
        .alias("kind"),
        pl.col("concept").fill_null(NO_KIND),
        f1=pl.col("test_f1_per_domain").round(2).cast(pl.String).fill_null("-"),
    ).sort(pl.col("concept") != NO_KIND, maintain_order=True)  # those are drawn last, over the others
    others = {_OTHER: KINDS[_KINDS], NO_KIND: PLAIN}
    there = [*kinds, *(name for name in others if (shown["kind"] == name).any())]
    colours = [*KINDS[: len(kinds)], *(others[name] for name in there[len(kinds) :])]
    legend = alt.Legend(title="Best concept", orient="bottom", columns=columns_of(170), labelLimit=220)
    return shown, alt.Color("kind:N", scale=alt.Scale(domain=there, range=colours), legend=legend)
