"""What is in the warehouse, how good its SAEs are, what they find, and all features of one."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.landscape import PICK, landscape

TITLE, ADDRESS, ICON = "Overview", "overview", ":material/dashboard:"
_NAMES = {
    "Proteins": "n_proteins", "Residues": "n_residues", "Annotations": "n_annotations",
    "Concepts": "n_concepts", "PLMs": "n_plms", "SAEs": "n_saes",
}  # fmt: skip


def show() -> None:
    """Draw the page."""
    reader = frame.current().reader
    (counts,) = reader.ask("warehouse_counts").to_dicts()
    st.title("What is in this warehouse")
    for column, (name, value) in zip(st.columns(len(_NAMES)), _NAMES.items(), strict=True):
        column.metric(name, f"{counts[value]:,}")
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    _saes(reader.ask("sae_quality"))
    _found(sae)
    _landscape(sae)


def _saes(rows: pl.DataFrame) -> None:
    st.header("SAEs")
    st.dataframe(
        rows,
        hide_index=True,
        alt="SAEs with their quality on held-out proteins",
        column_config={
            "sae": "SAE",
            "role": "role",
            "plm": "PLM",
            "n_features": st.column_config.NumberColumn("features", format="localized"),
            "l0": st.column_config.NumberColumn("L0", format="%.1f", help="Active features per residue."),
            "variance_explained": st.column_config.NumberColumn(
                "variance explained", format="%.3f", help="1: the hidden states are reconstructed exactly."
            ),
            "pct_recovered_masked": st.column_config.NumberColumn(
                "loss recovered %",
                format="%.1f",
                help="How much of the PLM's ability to guess masked residues survives in the reconstruction.",
            ),
            "pct_dead": st.column_config.NumberColumn("dead %", format="%.1f"),
        },
    )
    if rows["variance_explained"].is_null().all():
        st.caption("Nothing was evaluated yet: `interplm-wh evaluate --sae NAME` fills in the quality.")


def _found(sae: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.header("Concepts found on held-out proteins")
    st.caption(
        "A concept is found when a feature and a threshold, chosen on one half of the proteins (valid), "
        "mark it with F1 above 0.5 there and on the other half (test)."
    )
    pairs = reader.rows("from report_pairs($sae)", {"sae": sae["sae"]}).filter(~pl.col("is_amino_acid"))
    controls = [row for row in reader.ask("built_saes").to_dicts() if row["role"] != "sae"]
    shown = pairs.select(
        "concept", "feature", "threshold", "test_f1_per_domain", "valid_f1_per_domain", "is_found"
    )
    for control in controls[:2]:
        theirs = reader.rows("from report_pairs($sae)", {"sae": control["sae"]})
        shown = shown.join(
            theirs.select("concept", pl.col("test_f1_per_domain").alias(f"F1 of {control['sae']}")),
            on="concept",
            how="left",
            maintain_order="left",
        )
    summary = reader.row("from report_summary($sae)", {"sae": sae["sae"]}) or {}
    st.markdown(
        f"**{summary['n_concepts_found']:,}** of {summary['n_concepts']:,} concepts are found, by "
        f"**{summary['n_features_with_concept']:,}** of {summary['n_features']:,} features."
    )
    picked = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="found_rows",
        height=320,
        column_config={
            "threshold": st.column_config.NumberColumn(format="%.2f"),
            "test_f1_per_domain": st.column_config.ProgressColumn(
                "F1 on test", min_value=0, max_value=1, format="%.2f", color="primary"
            ),
            "valid_f1_per_domain": st.column_config.NumberColumn("F1 on valid", format="%.2f"),
            "is_found": st.column_config.CheckboxColumn("found"),
        },
        alt="Best feature of each concept, with its F1 beside the controls'",
    )
    if picked.selection.rows:
        row = shown.row(picked.selection.rows[0], named=True)
        frame.current().go("feature", {"feature": row["feature"]})


def _landscape(sae: dict[str, Any]) -> None:
    st.header("All features")
    rows = frame.current().reader.rows("from feature_landscape($sae)", {"sae": sae["sae"]})
    if not len(rows):
        frame.nothing_yet(
            f"No feature of {frame.plain(sae['sae'])} is present on any protein.", ["build", "verify"]
        )
        return
    st.caption(
        f"{len(rows):,} features. To the right: on many proteins; to the top: on much of each protein. "
        "Click a point to open the feature."
    )
    event = st.altair_chart(
        landscape(rows),
        on_select="rerun",
        selection_mode=PICK,
        key="landscape",
        alt="Every feature: share of proteins that have it against the share of their residues",
    )
    picked = event.selection.get(PICK, [])
    if picked:
        frame.current().go("feature", {"feature": picked[0]["feature"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
