"""What is in the warehouse, how good its SAEs are, what they find, and all features of one."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.controls.kinds import TITLES
from interplm_wh.dashboard import all_features, evidence, frame

TITLE, ADDRESS, ICON = "Overview", "overview", ":material/dashboard:"
_NAMES = {
    "Proteins": "n_proteins", "Residues": "n_residues", "Annotations": "n_annotations",
    "Concepts": "n_concepts", "PLMs": "n_plms", "SAEs": "n_saes",
}  # fmt: skip
_MOST_CONTROLS = 4
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
    all_features.show(sae)


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
    beside = reader.ask("controls_beside", {"sae": sae["sae"]}).head(_MOST_CONTROLS)
    controls = beside["control"].to_list()
    summary = reader.row("from report_summary($sae)", {"sae": sae["sae"]}) or {}
    said = [
        f"**{summary['n_concepts_found']:,}** of {summary['n_concepts']:,} concepts are found, by "
        f"**{summary['n_features_with_concept']:,}** of {summary['n_features']:,} features."
    ]
    for name, role in beside.iter_rows():
        theirs = reader.row("from report_summary($sae)", {"sae": name}) or {}
        said.append(f"The control {frame.plain(name)} ({TITLES[role]}) finds {theirs['n_concepts_found']:,}.")
    st.markdown(" ".join([*said, evidence.claims(summary)]))
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
            **evidence.COLUMNS,
        },
        alt="Best feature of each concept, with its F1 beside the controls'; a chosen row opens the feature",
    )
    if not summary["n_tested"]:
        evidence.unweighed()
    if not controls and sae["role"] == "sae":
        st.caption(
            "Controls say what raw neurons, shuffled weights, amino acids and positions would find. "
            "To make them, in a terminal:"
        )
        frame.command(frame.controls_command(sae))
    if row:
        frame.current().go("feature", {"feature": row["feature"]})


def _beside(sae: str, controls: list[str]) -> pl.DataFrame:
    """Return the best feature of each concept, and what the controls reach on it."""
    reader = frame.current().reader
    pairs = reader.rows("from report_pairs($sae)", {"sae": sae}).filter(~pl.col("is_amino_acid"))
    shown = pairs.select("concept", "feature", "test_f1_per_domain")
    weighed = evidence.weighed(pairs)
    if weighed["q_best"].is_not_null().any():
        shown = pl.concat([shown, weighed], how="horizontal")
    shown = pl.concat([shown, pairs.select("is_found", "valid_f1_per_domain", "threshold")], how="horizontal")
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


if __name__ == "__main__":  # as Streamlit runs a page
    show()
