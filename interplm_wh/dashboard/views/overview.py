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
_MOST_CONTROLS = 2
_QUALITY = {
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
}
_SHARES = ("pct_proteins", "avg_pct_residues_when_present")
_FEATURE_COLUMNS = {
    "concept": "finds",
    "test_f1_per_domain": st.column_config.NumberColumn("F1 on test", format="%.2f"),
    "n_proteins": st.column_config.NumberColumn("proteins", format="localized"),
    "pct_proteins": st.column_config.NumberColumn("% of proteins", format="%.2f"),
    "avg_pct_residues_when_present": st.column_config.NumberColumn("% of their residues", format="%.2f"),
    "mean_activation": st.column_config.NumberColumn("mean activation", format="%.2f"),
}


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
    unmeasured = [name for name in _QUALITY if rows[name].is_null().all()]
    st.dataframe(
        rows.drop(unmeasured),
        hide_index=True,
        alt="SAEs with their quality on held-out proteins",
        column_config={
            "sae": "SAE",
            "plm": "PLM",
            "n_features": st.column_config.NumberColumn("features", format="localized"),
            **_QUALITY,
        },
    )
    if len(unmeasured) == len(_QUALITY):
        st.caption("How well they reconstruct was not measured yet. In a terminal:")
        frame.command(f"evaluate --sae {frame.current().sae_name}")


def _found(sae: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.header("Concepts found on held-out proteins")
    st.caption(
        "A concept is found when a feature and a threshold, chosen on one half of the proteins (valid), "
        "mark it with F1 above 0.5 there and on the other half (test)."
    )
    controls = [row["sae"] for row in reader.ask("built_saes").to_dicts() if row["role"] != "sae"]
    controls = [name for name in controls if name != sae["sae"]][:_MOST_CONTROLS]
    summary = reader.row("from report_summary($sae)", {"sae": sae["sae"]}) or {}
    said = [
        f"**{summary['n_concepts_found']:,}** of {summary['n_concepts']:,} concepts are found, by "
        f"**{summary['n_features_with_concept']:,}** of {summary['n_features']:,} features."
    ]
    for name in controls:
        theirs = reader.row("from report_summary($sae)", {"sae": name}) or {}
        said.append(f"The control {frame.plain(name)} finds {theirs['n_concepts_found']:,}.")
    st.markdown(" ".join(said))
    shown = _beside(sae["sae"], controls)
    if not len(shown):
        frame.nothing_yet(
            "No concept has enough instances in this warehouse to be scored.",
            ["add annotations FILE", "build"],
        )
        return
    row = frame.picked_row(
        shown,
        key="found_rows",
        height=320,
        columns={
            "threshold": st.column_config.NumberColumn(format="%.2f"),
            "test_f1_per_domain": st.column_config.ProgressColumn(
                "F1 on test", min_value=0, max_value=1, format="%.2f", color="blue"
            ),
            "valid_f1_per_domain": st.column_config.NumberColumn("F1 on valid", format="%.2f"),
            "is_found": st.column_config.CheckboxColumn("found"),
            **{_f1_of(name): st.column_config.NumberColumn(format="%.2f") for name in controls},
        },
        alt="Best feature of each concept, with its F1 beside the controls'; a chosen row opens the feature",
    )
    if not controls and sae["plm"]:
        st.caption("A control says what the PLM's own neurons would find. To add it, in a terminal:")
        frame.command(*frame.neurons_commands(sae))
    if row:
        frame.current().go("feature", {"feature": row["feature"]})


def _beside(sae: str, controls: list[str]) -> pl.DataFrame:
    """Return the best feature of each concept, and what the controls reach on it."""
    reader = frame.current().reader
    pairs = reader.rows("from report_pairs($sae)", {"sae": sae}).filter(~pl.col("is_amino_acid"))
    shown = pairs.select(
        "concept", "feature", "threshold", "test_f1_per_domain", "valid_f1_per_domain", "is_found"
    )
    for name in controls:
        theirs = reader.rows("from report_pairs($sae)", {"sae": name})
        shown = shown.join(
            theirs.select("concept", pl.col("test_f1_per_domain").alias(_f1_of(name))),
            on="concept",
            how="left",
            maintain_order="left",
        )
    return shown


def _f1_of(name: str) -> str:
    return f"F1 of {name}"


def _landscape(sae: dict[str, Any]) -> None:
    st.header("All features")
    rows = frame.current().reader.rows("from feature_landscape($sae)", {"sae": sae["sae"]})
    if not len(rows):
        frame.nothing_yet(
            f"No feature of {frame.plain(sae['sae'])} is present on any protein.", ["build", "verify"]
        )
        return
    st.caption(
        f"{len(rows):,} features are present on a protein. To the right: on many proteins; to the top: on "
        "much of each protein. Click a point to open the feature."
    )
    event = st.altair_chart(
        landscape(rows),
        on_select="rerun",
        selection_mode=PICK,
        key="landscape",
        alt="Every feature: share of proteins that have it against the share of their residues; the same "
        "features are in the table that follows",
    )
    picked = event.selection.get(PICK, [])
    row = None
    table = st.expander(
        "The same features as a table", key="as_table", bind="query-params", on_change="rerun"
    )
    if table.open:  # thousands of rows, which a browser need not have otherwise
        columns = ["feature", "concept", "test_f1_per_domain", "n_proteins", *_SHARES, "mean_activation"]
        with table:
            row = frame.picked_row(
                rows.select(columns).sort("feature"),
                key="features_rows",
                columns=_FEATURE_COLUMNS,
                alt="Every feature; a chosen row opens it",
            )
    if picked or row:
        frame.current().go("feature", {"feature": (row or picked[0])["feature"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
