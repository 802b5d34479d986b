"""Variants of a protein: what each changes, which features move, and how that goes with what was measured."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import examples, frame
from interplm_wh.dashboard.charts.variants import PICK, beside_measured, moved_track, residue_map, scan_map

TITLE, ADDRESS, ICON = "Variants", "variants", ":material/genetics:"
_WILD_TYPE, _OF, _VARIANT, _MEASURED = "wild_type", "of", "variant", "measured"
_MOST, _MOST_FEATURES, _MOST_ROWS = 10_000, 200, 12
_ALL = "all features"
_NUMBER = st.column_config.NumberColumn(format="%.3f")
_RANKING = {
    "total_change": st.column_config.NumberColumn("total change", format="%.3f"),
    "site_change": st.column_config.NumberColumn("at the mutated position", format="%.3f"),
    "n_residues": "residues",
    "n_features": "features",
    "feature": st.column_config.NumberColumn("moves most", format="%d"),
    "feature_change": st.column_config.NumberColumn("its change", format="%.3f"),
    "n_mutations": None,
    "position": None,
    "wild_type": None,
    "mutant": None,
}
_FEATURES = {
    "rank": None,
    "concept": "finds",
    "n_variants": "variants",
    "total_change": st.column_config.NumberColumn("total change", format="%.2f"),
    "mean_change": st.column_config.NumberColumn("mean change", format="%.4f"),
    "gain": _NUMBER,
    "gain_variant": "largest gain by",
    "gain_position": "on residue",
    "loss": _NUMBER,
    "loss_variant": "largest loss by",
    "loss_position": "on the residue",
}
_MEASURES = {"log_odds": "log-odds of the PLM", "site_change": "site change", "total_change": "total change"}
_CORRELATIONS = {
    "measure": "beside the measured effect",
    "feature": None,
    "n_variants": "variants",
    "n_changed": "that change it",
    "spearman": st.column_config.NumberColumn("Spearman", format="%.3f"),
    "spearman_low": st.column_config.NumberColumn("from", format="%.3f"),
    "spearman_high": st.column_config.NumberColumn("to", format="%.3f"),
    "pearson": st.column_config.NumberColumn("Pearson", format="%.3f"),
    "q_value": st.column_config.NumberColumn("q", format="%.2g"),
    "n_tried": None,
}


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    proteins = frame.current().reader.ask("variant_proteins", {"sae": sae["sae"]})
    st.title("What variants change")
    if not len(proteins):
        name = frame.current().sae_name
        frame.nothing_yet(
            f"No variants were compared with {frame.plain(sae['sae'])} yet.",
            [f"variants --sae {name} --protein ACCESSION --scan all"],
        )
        return
    protein = _choose(proteins)
    values = {"sae": sae["sae"], "accession": protein["accession"]}
    changed = frame.current().reader.rows("from variant_features($sae, $accession)", values)
    feature = _of(changed)
    _summary(protein, feature)
    ranking = frame.current().reader.rows(
        "from variant_ranking($sae, $accession, wanted_features := $features, k := $most)",
        {**values, "features": _only(feature), "most": _MOST},
    )
    _scan(ranking, protein["sequence"], feature)
    variant = _ranking(ranking, protein["n_variants"])
    if variant is not None:
        _closely(values, variant, len(protein["sequence"]))
    _features(values, changed, feature, len(protein["sequence"]))
    if protein["measurements"]:
        _measured(values, protein["measurements"], feature)


def _only(feature: int | None) -> tuple[int, ...]:
    return () if feature is None else (feature,)


def _choose(proteins: pl.DataFrame) -> dict[str, Any]:
    names = proteins["accession"].to_list()
    named = st.session_state.get(_WILD_TYPE) or st.query_params.get(_WILD_TYPE)
    if named is not None and named not in names:
        nothing = f"No variants of {frame.plain(str(named))} were compared."
        frame.refuse(_WILD_TYPE, nothing, instead=names[0])
    name = st.selectbox(
        "Protein", names, key=_WILD_TYPE, bind="query-params", filter_mode="contains", help="The wild type."
    )
    return proteins.row(by_predicate=pl.col("accession") == name, named=True)


def _of(changed: pl.DataFrame) -> int | None:
    """Choose whose change is drawn: that of all features, or of one."""
    options = [_ALL, *map(str, changed["feature"].head(_MOST_FEATURES).to_list())]
    named = st.session_state.get(_OF) or st.query_params.get(_OF)
    if named is not None and named not in options:
        nothing = f"Feature {frame.plain(str(named))} is none that these variants change most."
        frame.refuse(_OF, nothing, instead=_ALL)
    chosen = st.selectbox(
        "Change of",
        options,
        key=_OF,
        bind="query-params",
        help="All features together, without the sign of their changes; or one, with its sign.",
    )
    return None if chosen == _ALL else int(chosen)


def _summary(protein: dict[str, Any], feature: int | None) -> None:
    what = "any feature" if feature is None else f"feature {feature}"
    st.markdown(
        f"{frame.counted(protein['n_variants'], 'variant')} at "
        f"{frame.counted(protein['n_positions'], 'position')}; a change of the activation of {what} counts "
        f"where it is above {protein['min_change']:g}, on any residue of the protein."
    )


def _scan(ranking: pl.DataFrame, sequence: str, feature: int | None) -> None:
    single = ranking.filter(pl.col("n_mutations") == 1)
    if not len(single):
        return
    of = "total_change" if feature is None else "feature_change"
    cells = single.select("variant", "position", "mutant", change=pl.col(of).fill_null(0.0))
    st.altair_chart(
        scan_map(cells, sequence, is_signed=feature is not None, dark=frame.is_dark()),
        on_select=_from_cell,
        selection_mode=PICK,
        width="stretch",
        key="scan",
        alt=f"{frame.counted(len(cells), 'substitution')} by position and letter, coloured by change; the "
        "same variants are in the table that follows",
    )
    st.caption("A dot is the wild type. Drag to move, scroll to zoom; click a cell to look at its variant.")


def _from_cell() -> None:
    picked = st.session_state["scan"].selection.get(PICK, [])
    if picked:
        st.session_state[_VARIANT] = str(picked[0]["variant"])


def _ranking(ranking: pl.DataFrame, n_all: int) -> str | None:
    """Draw the ranking; returns the variant that is looked at closely."""
    st.header("Variants by change")
    names = ranking["variant"].to_list()
    if st.session_state.get(_VARIANT, names[0]) not in names:
        st.session_state[_VARIANT] = names[0]  # of another protein

    def look_at() -> None:
        picked = st.session_state["ranked"].selection.rows
        if picked:
            st.session_state[_VARIANT] = names[picked[0]]

    st.dataframe(
        ranking,
        hide_index=True,
        height=260,
        on_select=look_at,
        selection_mode="single-row",
        key="ranked",
        column_config=_RANKING,
        alt="Variants, those that change most first; a chosen row is looked at closely",
    )
    if n_all > len(ranking):
        st.caption(f"The first {len(ranking):,} of {n_all:,}.")
    chosen: str | None = st.selectbox(
        "Variant that is looked at closely",
        names,
        key=_VARIANT,
        bind="query-params",
        help="One of the list, which chooses it, too, as does the chart.",
    )
    return chosen


def _closely(values: dict[str, Any], variant: str, length: int) -> None:
    cells = frame.current().reader.rows(
        "from variant_residues($sae, $accession, $variant)", {**values, "variant": variant}
    )
    if not len(cells):
        st.info(f"{frame.plain(variant)} changes nothing above the floor.")
        return
    top = (
        cells.group_by("feature")
        .agg(pl.col("change").abs().sum())
        .sort(["change", "feature"], descending=[True, False])["feature"]
        .head(_MOST_ROWS)
    )
    drawn = pl.DataFrame({"feature": top}).join(cells, on="feature", maintain_order="left_right")
    st.altair_chart(
        residue_map(drawn, length=length, dark=frame.is_dark()),
        width="stretch",
        key="residues",
        alt=f"The {frame.counted(len(top), 'feature')} that {variant} changes most, residue by residue",
    )
    with st.expander(f"{frame.counted(len(cells), 'change')} of {frame.plain(variant)} as a table"):
        st.dataframe(cells, hide_index=True, alt="Every change of the variant, the largest first")


def _features(values: dict[str, Any], changed: pl.DataFrame, feature: int | None, length: int) -> None:
    st.header("Features that move most")
    if not len(changed):
        st.info("No variant changes a feature above the floor.")
        return
    row = frame.picked_row(
        changed.head(_MOST_FEATURES),
        key="moved",
        columns=_FEATURES,
        height=260,
        alt="Features, those that the variants change most first; a chosen row is drawn along the sequence",
    )
    drawn = row["feature"] if row else changed["feature"][0] if feature is None else feature
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.markdown(
        f"Feature **{drawn}** along the wild type, and what variants add and take away on each residue:"
    )
    if right.button("Open the feature", icon=":material/open_in_new:", width="stretch"):
        frame.current().go("feature", {"feature": drawn, examples.CHOSEN: values["accession"]})
    track = frame.current().reader.rows(
        "from variant_tracks($sae, $accession, $features)", {**values, "features": (drawn,)}
    )
    st.altair_chart(
        moved_track(track, length=length, dark=frame.is_dark()),
        width="stretch",
        key="track",
        alt=f"Feature {drawn} on the wild type, and the mean change by the variants, residue by residue",
    )
    st.caption(
        "Grey: the wild type. Blue: added, orange: taken away, over all variants, also those elsewhere."
    )


def _measured(values: dict[str, Any], measurements: list[str], feature: int | None) -> None:
    st.header("Beside the measured effect")
    if st.session_state.get(_MEASURED, measurements[0]) not in measurements:
        st.session_state[_MEASURED] = measurements[0]
    name = st.selectbox("Measured effect", measurements, key=_MEASURED)
    asked = {**values, "measurement": name}
    correlations = frame.current().reader.ask("variant_correlation_list", asked)
    points = frame.current().reader.ask(
        "variant_scatter", {**asked, "features": _only(feature), "most": _MOST}
    )
    if not len(points) or not len(correlations):
        st.info("None of the measured variants was compared.")
        return
    of, what = (
        ("total_change", "Total change") if feature is None else ("feature_change", f"Feature {feature}")
    )
    st.altair_chart(
        beside_measured(
            points.with_columns(change=pl.col(of).fill_null(0.0)), what=what, dark=frame.is_dark()
        ),
        width="stretch",
        key="scatter",
        alt=f"{frame.counted(len(points), 'variant')} by measured effect and change; the correlations follow",
    )
    st.markdown(_said(correlations))
    named = pl.format("feature {}", "feature").fill_null(pl.col("measure").replace(_MEASURES))
    st.dataframe(
        correlations.with_columns(measure=named),
        hide_index=True,
        height=260,
        column_config=_CORRELATIONS,
        alt="Correlations with the measured effect: of whole variants, then of features",
    )
    st.caption("Intervals are over positions, since variants of one position are not independent.")


def _said(correlations: pl.DataFrame) -> str:
    """Return, as Markdown, how the change of all features does beside the PLM itself."""
    whole = {row["measure"]: row for row in correlations.filter(pl.col("feature").is_null()).to_dicts()}
    titles = {"total_change": "total change", "log_odds": "log-odds of the PLM itself"}
    parts = [
        f"{title} **{row['spearman']:.2f}**"
        + (
            f" ({row['spearman_low']:.2f} to {row['spearman_high']:.2f})"
            if row["spearman_low"] is not None
            else ""
        )
        for measure, title in titles.items()
        if (row := whole.get(measure)) and row["spearman"] is not None
    ]
    features = correlations.filter(pl.col("feature").is_not_null())
    n_found = len(features.filter(pl.col("q_value") < 0.05))
    tried = frame.counted(len(features), "feature")
    return (
        f"Spearman's correlation with the measured effect: {', '.join(parts) or 'none'}. Of {tried} tried, "
        f"{n_found:,} go with it beyond chance (q below 0.05)."
    )


if __name__ == "__main__":  # as Streamlit runs a page
    show()
