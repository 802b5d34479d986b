"""All features of an SAE: how many proteins have each, and how much of them it covers."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import KINDS, NO_KIND, PLAIN, columns_of, drawable, kinds_of

PICK = "pick"
_OTHER = "another category"
_KINDS = 7


def landscape(rows: pl.DataFrame) -> ChartType:
    """Draw one point per feature; `PICK` is the selection of one.

    Parameters
    ----------
    rows : DataFrame
        Of the macro `feature_landscape`.
    """
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
    pick = alt.selection_point(name=PICK, fields=["feature"], nearest=True, empty=False)
    base = alt.Chart(shown).encode(
        x=alt.X("pct_proteins:Q", scale=alt.Scale(type="log"), title="Proteins with the feature (%, log)"),
        y=alt.Y(
            "avg_pct_residues_when_present:Q",
            scale=alt.Scale(type="log"),
            title="Residues of such a protein (%, log)",
        ),
    )
    points = (
        base.mark_circle(size=45, opacity=0.75)
        .encode(
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=there, range=colours),
                legend=alt.Legend(
                    title="Best concept", orient="bottom", columns=columns_of(170), labelLimit=220
                ),
            ),
            tooltip=[
                alt.Tooltip("feature:Q", title="feature", format="d"),
                alt.Tooltip("concept:N", title="best concept"),
                alt.Tooltip("f1:N", title="its F1 on test"),
                alt.Tooltip("n_proteins:Q", title="proteins", format=","),
                alt.Tooltip("pct_proteins:Q", title="% of proteins", format=".2f"),
                alt.Tooltip("avg_pct_residues_when_present:Q", title="% of their residues", format=".2f"),
                alt.Tooltip("mean_activation:Q", title="mean activation", format=".2f"),
            ],
        )
        .add_params(pick)
    )
    return alt.layer(points).properties(height=480)
