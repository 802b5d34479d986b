"""How sure an F1 is, and what the best control gives, in the words of the pages."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame

COLUMNS = {
    "interval": st.column_config.TextColumn(
        "95 % interval", help="Of F1 on test, over resampled clusters of relatives."
    ),
    "control_f1": st.column_config.NumberColumn(
        "best control", format="%.2f", help="F1 on test of the control that does best there."
    ),
    "control_role": st.column_config.TextColumn("which", help="The kind of that control."),
    "excess": st.column_config.NumberColumn(format="%+.2f", help="F1 less that of the best control."),
    "excess_interval": st.column_config.TextColumn(
        "its interval", help="95 %, over the same resamples for both."
    ),
    "q_best": st.column_config.NumberColumn(
        "q", format="%.2g", help="False-discovery rate at which it can be claimed: both nulls, all concepts."
    ),
    "is_concept_claimed": st.column_config.CheckboxColumn("claimed"),
}
"""Columns of `weighed`, and how they are shown."""
OF_PAIRS = {
    "q_best": st.column_config.NumberColumn(
        "q of all pairs", format="%.2g", help="False-discovery rate among all tested pairs of the SAE."
    )
}
"""What the same column is called where each pair stands for itself, not for its concept."""


def weighed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of evidence of rows of `report_pairs` in the order in which they are shown."""
    found = rows.to_dicts()
    return rows.with_columns(
        pl.Series("interval", [between(r["f1_low"], r["f1_high"]) for r in found], pl.String),
        pl.Series(
            "excess_interval",
            [between(r["excess_low"], r["excess_high"], sign="+") for r in found],
            pl.String,
        ),
    ).select(*COLUMNS)


def between(low: float | None, high: float | None, *, sign: str = "") -> str:
    """Return an interval in words; empty where there is none."""
    return "" if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}"


def claims(summary: dict[str, Any]) -> str:
    """Say how many concepts may be claimed; empty where they were not weighed."""
    if not summary.get("n_tested"):
        return ""
    return (
        f"**{summary['n_concepts_claimed']:,}** of {summary['n_concepts_tested']:,} that were tested do "
        f"better than chance would (both nulls, false-discovery rate {summary['fdr']:g}; chosen from "
        f"{summary['n_tried']:,} combinations of concept, feature and threshold)."
    )


def sentence(sae: str, concept: str) -> str:
    """Say how sure the best pair of a concept is; empty where it was not weighed."""
    reader = frame.current().reader
    row = reader.row(
        "from report_pairs($sae) where concept = $concept and q_best is not null",
        {"sae": sae, "concept": concept},
    )
    if row is None:
        return ""
    said = [
        f"95 % interval {between(row['f1_low'], row['f1_high'])}; q = {row['q_best']:.2g}: "
        + ("more than chance." if row["is_concept_claimed"] else "**not more than chance can explain.**")
    ]
    if row["n_positive_clusters"] < 10:
        said.append(f"It stands on {row['n_positive_clusters']} clusters of test alone, too few for a claim.")
    if row["control_f1"] is not None:
        excess = between(row["excess_low"], row["excess_high"], sign="+")
        said.append(
            f"The best control ({frame.plain(row['control'])}) has {row['control_f1']:.2f}: "
            f"{row['excess']:+.2f} ({excess})."
        )
    return " ".join(said)


def unweighed() -> None:
    """Say how to weigh pairs."""
    st.caption("Whether chance or a control would do as well was not weighed yet. In a terminal:")
    frame.command(f"score --sae {frame.current().sae_name}")
