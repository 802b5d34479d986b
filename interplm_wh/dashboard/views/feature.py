"""One feature: what it is, how strong, in which residues, on which proteins."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.feature import amino_acids, histogram
from interplm_wh.dashboard.charts.tracks import strips, windows

TITLE, ADDRESS, ICON = "Feature", "feature", ":material/blur_on:"
_STRONGEST = "strongest"
_MEANINGS = {"any": "all", "concept": "finds a concept", "none": "no known concept"}
_STATS = "from feature_stats where sae = $sae and feature = $feature"


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    feature, features = _choose(sae)
    values = {"sae": sae["sae"], "feature": feature}
    stats = frame.current().reader.row(_STATS, values)
    st.title(f"Feature {feature}")
    if stats is None or not stats["n_proteins"]:
        st.info(
            f"Feature {feature} of {frame.plain(sae['sae'])} is not present on any protein of this warehouse."
        )
        return
    _summary(stats, values, n_chosen=len(features))
    left, right = st.columns(2)
    with left:
        _histogram(values)
    with right:
        _letters(values)
    _concepts(values)
    _proteins(values)


def _choose(sae: dict[str, Any]) -> tuple[int, list[int]]:
    """Let the user step through features, or name one; returns it, and those that the filters leave."""
    reader = frame.current().reader
    number, back, on, chance, filters = st.columns([2, 1, 1, 1, 2], vertical_alignment="bottom")
    with filters.popover("Filters", icon=":material/filter_list:", width="stretch"):
        meaning = st.segmented_control(
            "Which features",
            list(_MEANINGS),
            default="any",
            format_func=_MEANINGS.__getitem__,
            key="which",
            bind="query-params",
            required=True,
        )
        low, high = st.slider("On how many proteins (%)", 0.0, 100.0, (0.0, 100.0), key="share")
    found = reader.rows(
        "from features_where($sae, meaning := $meaning, lowest := $low, highest := $high)",
        {"sae": sae["sae"], "meaning": meaning or "any", "low": low, "high": high},
    )["feature"].to_list()
    highest = (
        reader.row("select max(feature) as n from features where sae = $sae", {"sae": sae["sae"]}) or {}
    )["n"]
    if "feature" not in st.session_state and "feature" not in st.query_params:
        st.session_state["feature"] = _first(sae["sae"], found)
    now = number.number_input(
        "Feature",
        min_value=0,
        max_value=highest,
        step=1,
        key="feature",
        bind="query-params",
        help="Number of the feature, counted from 0 as in the checkpoint.",
    )
    before = [f for f in found if f < now]
    after = [f for f in found if f > now]
    back.button(
        "Previous",
        icon=":material/chevron_left:",
        width="stretch",
        disabled=not before,
        on_click=_to,
        args=(before[-1] if before else now,),
    )
    on.button(
        "Next",
        icon=":material/chevron_right:",
        width="stretch",
        disabled=not after,
        on_click=_to,
        args=(after[0] if after else now,),
    )
    chance.button(
        "Random",
        icon=":material/casino:",
        width="stretch",
        disabled=not found,
        on_click=_to,
        args=(random.choice(found) if found else now,),
    )
    return now, found


def _first(sae: str, found: list[int]) -> int:
    """Return the feature that finds a concept best, else the first there is."""
    best = frame.current().reader.row(
        "select feature from report_pairs($sae) where not is_amino_acid limit 1", {"sae": sae}
    )
    return int(best["feature"]) if best else found[0] if found else 0


def _to(feature: int) -> None:
    st.session_state["feature"] = feature


def _summary(stats: dict[str, Any], values: dict[str, Any], *, n_chosen: int) -> None:
    best = frame.current().reader.row(
        "select concept, f1_per_domain from feature_concepts($sae, $feature) where split = 'test' "
        "order by f1_per_domain desc, concept limit 1",
        values,
    )
    means = (
        f"Of all concepts it marks **{frame.plain(best['concept'])}** best: "
        f"F1 {best['f1_per_domain']:.2f} on held-out proteins."
        if best
        else "It marks no concept that is annotated here."
    )
    st.markdown(
        f"Present on **{stats['pct_proteins']:.2f} %** of the proteins ({stats['n_proteins']:,}), "
        f"and there on **{stats['avg_pct_residues_when_present']:.1f} %** of the residues. {means}"
    )
    st.caption(
        f"{n_chosen:,} features pass the filters. Present: activation above 0.05, where 1 is the highest "
        f"that was seen (raw {stats['max_activation']:.4g})."
    )


def _histogram(values: dict[str, Any]) -> None:
    st.subheader("How strongly it is active")
    rows = frame.current().reader.rows(
        "from activation_histogram where sae = $sae and feature = $feature order by bin_low", values
    )
    st.altair_chart(histogram(rows), alt="Residues per activation")


def _letters(values: dict[str, Any]) -> None:
    st.subheader("In which amino acids")
    rows = frame.current().reader.rows(
        "from feature_amino_acids where sae = $sae and feature = $feature order by amino_acid", values
    )
    st.altair_chart(amino_acids(rows), alt="Enrichment of each amino acid where the feature is present")


def _concepts(values: dict[str, Any]) -> None:
    st.subheader("Concepts that it marks")
    rows = frame.current().reader.rows("from feature_concepts($sae, $feature)", values)
    if not len(rows):
        st.caption("None that is annotated and scored in this warehouse.")
        return
    sides = {
        split: rows.filter(pl.col("split") == split).select(
            "concept",
            "threshold",
            pl.col("f1_per_domain").alias(f"F1 on {split}"),
            pl.col("precision").alias(f"precision on {split}"),
            pl.col("recall_per_domain").alias(f"recall on {split}"),
        )
        for split in ("valid", "test")
    }
    shown = sides["valid"].join(
        sides["test"].drop("threshold"), on="concept", how="left", maintain_order="left"
    )
    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 * (len(shown) + 1), 300),
        column_config={
            name: st.column_config.NumberColumn(format="%.2f") for name in shown.columns if name != "concept"
        },
        alt="F1, precision and recall of each concept, on valid and on test",
    )
    st.caption("The threshold is the best on valid; test is read at the same one.")


def _proteins(values: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.subheader("On which proteins")
    bins = reader.rows("from feature_bins($sae, $feature)", values)
    names = {
        _STRONGEST: "strongest",
        **{
            _bin(r): _bin_name(r)
            for r in bins.select("bin_low", "bin_high").unique(maintain_order=True).to_dicts()
        },
    }
    chosen, zoom = st.columns([4, 1], vertical_alignment="bottom")
    which = (
        chosen.segmented_control(
            "Proteins by their highest activation",
            list(names),
            default=_STRONGEST,
            key="bin",
            required=True,
            format_func=lambda key: names.get(key, key),
            bind="query-params",
        )
        or _STRONGEST
    )
    closely = zoom.toggle(
        "Zoom in", key="zoom", bind="query-params", help="Only the residues around the maximum."
    )
    rows = (
        reader.rows("from feature_examples($sae, $feature)", values)
        if which == _STRONGEST
        else bins.filter(pl.concat_str("bin_low", pl.lit("-"), "bin_high") == which)
    )
    accessions = tuple(rows["accession"].to_list())
    asked = {**values, "proteins": accessions}
    if closely and rows["activation"].max():
        residues = reader.rows("from feature_windows($sae, $feature, $proteins)", asked)
        chart = windows(rows, residues)
    else:
        cells = reader.rows("from feature_strips($sae, $feature, $proteins)", asked)
        annotated = reader.rows("from annotations_of($proteins)", {"proteins": accessions})
        chart = strips(rows, cells, annotated)
    st.altair_chart(chart, alt="Proteins coloured by activation, with their annotations beneath")
    st.dataframe(rows, hide_index=True, alt="The proteins of the chart")


def _bin(row: dict[str, Any]) -> str:
    return f"{row['bin_low']}-{row['bin_high']}"


def _bin_name(row: dict[str, Any]) -> str:
    low, high = row["bin_low"], row["bin_high"]
    if high == 0:
        return "without it"
    return f"above {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


if __name__ == "__main__":  # as Streamlit runs a page
    show()
