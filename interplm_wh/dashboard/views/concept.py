"""One concept: the features that find it, how well, and which cases they hit and miss."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.curve import curves
from interplm_wh.dashboard.charts.tracks import strips

TITLE, ADDRESS, ICON = "Concept", "concept", ":material/label:"
_OUTCOMES = {
    "missed": "Missed: annotated, not marked",
    "false alarm": "Marked, not annotated",
    "hit": "Hit: annotated and marked",
}
_SPLITS = {"test": "test (held out)", "valid": "valid (chosen on)"}


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    concept = _choose(sae["sae"])
    if concept is None:
        return
    st.title(frame.plain(concept["concept"].replace("_", " · ", 1)))
    _summary(concept)
    values = {"sae": sae["sae"], "concept": concept["concept"]}
    rows = frame.current().reader.rows("from concept_curve($sae, $concept)", values)
    if not len(rows):
        name = frame.plain(sae["sae"])
        st.info(f"No feature of {name} is active where this is annotated on the split valid.")
        return
    split = (
        st.segmented_control(
            "Proteins",
            list(_SPLITS),
            default="test",
            format_func=_SPLITS.__getitem__,
            key="split",
            bind="query-params",
            required=True,
        )
        or "test"
    )
    feature, cut = _features(values, rows, split)
    _cases({**values, "feature": feature, "cut": cut, "split": split})


def _choose(sae: str) -> dict[str, Any] | None:
    reader = frame.current().reader
    found = reader.rows("from concept_list($sae)", {"sae": sae})
    by_name = {row["concept"]: row for row in found.to_dicts()}
    if not by_name:
        frame.nothing_yet("Nothing is annotated in this warehouse.", ["add annotations FILE", "build"])
        return None
    first = found.sort("test_f1_per_domain", descending=True, nulls_last=True)
    start = first.filter(pl.col("source") != "sequence")["concept"].to_list() or list(by_name)
    if "concept" not in st.session_state and "concept" not in st.query_params:
        st.session_state["concept"] = start[0]
    name = st.selectbox(
        "Concept",
        list(by_name),
        key="concept",
        bind="query-params",
        filter_mode="contains",
        help="Type a part of its name. Those with most instances come first.",
    )
    return by_name[name]


def _summary(concept: dict[str, Any]) -> None:
    counted = (
        f"{concept['n_instances']:,} instances on {concept['n_residues']:,} residues"
        if concept["n_instances"]
        else f"{concept['n_residues']:,} residues"
    )
    scored = "" if concept["is_scored"] else " It is too rare here to be scored."
    found = (
        f" Best found by **feature {concept['feature']}** at threshold {concept['threshold']:g}: "
        f"F1 {concept['valid_f1_per_domain']:.2f} on valid"
        + (
            f", **{concept['test_f1_per_domain']:.2f} on test**."
            if concept["test_f1_per_domain"] is not None
            else "."
        )
        if concept["feature"] is not None
        else ""
    )
    st.markdown(f"{counted} of valid and test, from {frame.plain(concept['source'])}.{scored}{found}")


def _features(values: dict[str, Any], rows: pl.DataFrame, split: str) -> tuple[int, float]:
    """Draw the features; returns the chosen one, and its threshold."""
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Precision and recall at each threshold")
        st.altair_chart(curves(rows.filter(pl.col("split") == split)), alt="Precision against recall")
    best = frame.current().reader.rows(
        "from concept_features($sae, $concept, wanted_split := $split, k := 20)", {**values, "split": split}
    )
    with right:
        st.subheader("Features, best on valid first")
        picked = st.dataframe(
            best.select("feature", "threshold", "f1_per_domain", "precision", "recall_per_domain"),
            hide_index=True,
            height=360,
            on_select="rerun",
            selection_mode="single-row",
            key="features",
            column_config={
                "threshold": st.column_config.NumberColumn(format="%.2f"),
                "f1_per_domain": st.column_config.NumberColumn("F1", format="%.2f"),
                "precision": st.column_config.NumberColumn(format="%.2f"),
                "recall_per_domain": st.column_config.NumberColumn("recall", format="%.2f"),
            },
            alt="Features that find the concept",
        )
    chosen = picked.selection.rows[0] if picked.selection.rows else 0
    if len(best):
        row = best.row(chosen, named=True)
        return int(row["feature"]), float(row["threshold"])
    first = rows.row(0, named=True)  # it never hits on this split
    return int(first["feature"]), float(first["threshold"])


def _cases(values: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.subheader(f"What feature {values['feature']} hits and misses")
    rows = reader.rows("from concept_cases($sae, $concept, $feature, $cut, $split)", values)
    if not len(rows):
        st.caption("There are no cases to show: single amino acids are no instances.")
        return
    if st.button(f"Open feature {values['feature']}", icon=":material/open_in_new:"):
        frame.current().go("feature", {"feature": values["feature"]})
    there = [outcome for outcome in _OUTCOMES if (rows["outcome"] == outcome).any()]
    which = (
        st.segmented_control(
            "Cases", there, default=there[0], format_func=_OUTCOMES.__getitem__, key="cases", required=True
        )
        or there[0]
    )
    shown = rows.filter(pl.col("outcome") == which).drop("outcome")
    accessions = tuple(shown["accession"].to_list())
    cells = reader.rows(
        "from feature_strips($sae, $feature, $proteins)",
        {"sae": values["sae"], "feature": values["feature"], "proteins": accessions},
    )
    annotated = reader.rows("from annotations_of($proteins)", {"proteins": accessions})
    st.altair_chart(
        strips(shown, cells, _only(annotated, values["concept"])), alt="Proteins with the concept beneath"
    )
    st.dataframe(shown, hide_index=True, alt="The proteins of the chart")


def _only(annotated: pl.DataFrame, concept: str) -> pl.DataFrame:
    """Keep one concept, in the first lane."""
    return annotated.filter(pl.col("concept") == concept).with_columns(lane=pl.lit(1))


if __name__ == "__main__":  # as Streamlit runs a page
    show()
