"""One feature: how strongly it is active, and in which amino acids."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from interplm_wh.dashboard.charts.look import ONE


def histogram(rows: pl.DataFrame, *, highest: float) -> ChartType:
    """Draw residues per activation.

    Parameters
    ----------
    rows : DataFrame
        Of `activation_histogram`: the last bin is open.
    highest : float
        Highest activation of the feature; above 1 where the scale was not taken from these proteins.
    """
    beyond = f"; the last bar: all up to {highest:.3g}" if highest > 1 else ""
    shown = rows.select(
        pl.col("bin_low"),
        pl.when(pl.col("bin_high").is_infinite())
        .then(pl.col("bin_low") + 0.05)
        .otherwise(pl.col("bin_high"))
        .alias("bin_end"),
        pl.col("n_residues"),
        pl.when(pl.col("bin_high").is_infinite())
        .then(pl.lit(f"{max(highest, 1):.3g}"))
        .otherwise(pl.col("bin_high").round(2).cast(pl.String))
        .alias("up_to"),
        pl.lit(0.8).alias("foot"),  # a logarithmic axis has no 0
    )
    chart: ChartType = (
        alt.Chart(shown)
        .mark_bar(color=ONE, opacity=0.9)
        .encode(
            x=alt.X(
                "bin_low:Q",
                bin="binned",
                title=f"Activation (1: the feature's scale{beyond})",
                scale=alt.Scale(domain=[0, 1], nice=False),
            ),
            x2="bin_end:Q",
            y=alt.Y(
                "n_residues:Q",
                scale=alt.Scale(type="log", domainMin=0.8),
                title="Residues (log)",
                axis=alt.Axis(labelExpr="datum.value % 1 == 0 ? datum.label : ''"),
            ),
            y2="foot:Q",
            tooltip=[
                alt.Tooltip("bin_low:Q", title="from", format=".2f"),
                alt.Tooltip("up_to:N", title="to"),
                alt.Tooltip("n_residues:Q", title="residues", format=","),
            ],
        )
        .properties(height=230)
    )
    return chart


def amino_acids(rows: pl.DataFrame) -> ChartType:
    """Draw how much more often each letter is under the feature than in all residues.

    Parameters
    ----------
    rows : DataFrame
        Of `feature_amino_acids`.
    """
    shown = rows.filter(pl.col("enrichment") > 0).sort("enrichment", descending=True)
    order = shown["amino_acid"].to_list()
    bars = (
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("amino_acid:N", sort=order, title="Amino acid", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("enrichment:Q", scale=alt.Scale(type="log"), title="Enrichment (log)"),
            y2=alt.datum(1),
            color=alt.condition(alt.datum.enrichment >= 1, alt.value(ONE), alt.value("#E69F00")),
            tooltip=[
                alt.Tooltip("amino_acid:N", title="amino acid"),
                alt.Tooltip("enrichment:Q", title="times as often", format=".2f"),
                alt.Tooltip("n_residues:Q", title="residues", format=","),
            ],
        )
    )
    line = alt.Chart(pl.DataFrame({"one": [1.0]})).mark_rule(opacity=0.6).encode(y="one:Q")
    return alt.layer(bars, line).properties(height=230)
