"""Where an annotation may be missing: a list for each concept, and each stretch on its protein."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import examples, frame

TITLE, ADDRESS, ICON = "Suggestions", "suggestions", ":material/add_location:"
_CONCEPT, _PLACE, _PRECISION = "concept", "place", "precision"
_MOST = 5000
_COLUMNS = {
    **frame.ACTIVATION_COLUMNS,
    "score": st.column_config.ProgressColumn("score", min_value=0, max_value=1, format="%.2f", color="blue"),
    "precision": st.column_config.NumberColumn("precision on test", format="%.2f"),
    "relative_length": st.column_config.NumberColumn("times the usual length", format="%.2f"),
    "threshold": st.column_config.NumberColumn(format="%g"),
    "n_agreeing": "features that agree",
    "n_others": "of",
    "n_carrying": "relatives that carry it",
    "n_relatives": "of relatives",
    "is_private": "private",
    "n_all": None,
    "place": None,
}


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    concepts = frame.current().reader.ask("suggestion_concepts", {"sae": sae["sae"]})
    st.title("Where an annotation may be missing")
    if not len(concepts):
        name = frame.current().sae_name
        frame.nothing_yet(
            f"No suggestions were made with {frame.plain(sae['sae'])} yet.", [f"suggest --sae {name}"]
        )
        return
    concept, least = _choose(concepts)
    _summary(concept)
    asked = {"sae": sae["sae"], "concept": concept["concept"], "min_precision": least, "most": _MOST}
    rows = frame.current().reader.ask("suggestion_list", asked)
    if not len(rows):
        st.info("There is none of this precision.", icon=":material/search_off:")
        return
    rows = rows.with_columns(place=pl.format("{} {}-{}", "accession", "start", "stop"))
    chosen = _list(rows)
    if chosen is not None:
        _closely(sae["sae"], concept["concept"], chosen)


def _choose(concepts: pl.DataFrame) -> tuple[dict[str, Any], float]:
    names = concepts["concept"].to_list()
    named = st.session_state.get(_CONCEPT) or st.query_params.get(_CONCEPT)
    if named is not None and named not in names:
        nothing = f"Nothing was suggested for {frame.plain(str(named))}."
        frame.refuse(_CONCEPT, nothing, instead=names[0])
    left, right = st.columns(2, vertical_alignment="bottom")
    name = left.selectbox(
        "Concept",
        names,
        key=_CONCEPT,
        bind="query-params",
        filter_mode="contains",
        help="Those with the best suggestion come first.",
    )
    least = right.slider(
        "Precision on test, at least",
        0.0,
        1.0,
        0.0,
        step=0.05,
        key=_PRECISION,
        bind="query-params",
        help="Of the feature at its threshold: the share of residues it fires on that have the concept.",
    )
    return concepts.row(by_predicate=pl.col("concept") == name, named=True), float(least)


def _summary(concept: dict[str, Any]) -> None:
    st.markdown(
        f"Its {frame.counted(concept['n_pairs'], 'feature')} fire on {concept['n_stretches']:,} stretches: "
        f"{concept['n_annotated']:,} lie where it is annotated, {concept['n_explained']:,} are explained "
        f"by other annotations, the rest are at **{frame.counted(concept['n_leading'], 'place')}**. Its "
        "annotation may be missing there, or the feature may be wrong."
    )


def _list(rows: pl.DataFrame) -> dict[str, Any] | None:
    """Draw the list; returns the row that is looked at closely."""
    places = rows["place"].to_list()
    if st.session_state.get(_PLACE, places[0]) not in places:
        st.session_state[_PLACE] = places[0]  # of another concept

    def look_at() -> None:
        picked = st.session_state["listed"].selection.rows
        if picked:
            st.session_state[_PLACE] = places[picked[0]]

    st.dataframe(
        rows.with_columns(pl.col("name").fill_null("")),
        hide_index=True,
        height=300,
        on_select=look_at,
        selection_mode="single-row",
        key="listed",
        column_config=_COLUMNS,
        alt="Suggestions, the best first; a chosen row is looked at closely",
    )
    if rows["n_all"][0] > len(rows):
        st.caption(f"The best {len(rows):,} of {rows['n_all'][0]:,}.")
    place = st.selectbox(
        "Suggestion that is looked at closely",
        places,
        key=_PLACE,
        bind="query-params",
        help="One of the list, which chooses it, too: protein, first and last residue.",
    )
    return rows.row(by_predicate=pl.col("place") == place, named=True) if place else None


def _closely(sae: str, concept: str, row: dict[str, Any]) -> None:
    marked = pl.DataFrame(
        {
            "concept": [f"suggested: {concept}"],
            "category": ["suggested"],
            "start": [row["start"]],
            "stop": [row["stop"]],
        }
    )
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    n_carrying, n_relatives = row["n_carrying"], row["n_relatives"]
    relatives = f", {n_carrying:,} of {n_relatives:,} relatives carry it" if n_relatives else ""
    left.markdown(
        f"Feature **{row['feature']}** fires on residues {row['start']} to {row['stop']} "
        f"(threshold {row['threshold']:g}); {row['n_agreeing']} of {row['n_others']} other features agree"
        f"{relatives}."
    )
    if right.button("Open the feature", icon=":material/open_in_new:", width="stretch"):
        frame.current().go("feature", {"feature": row["feature"], examples.CHOSEN: row["accession"]})
    examples.show_one({"sae": sae, "feature": row["feature"]}, row["accession"], marked)


if __name__ == "__main__":  # as Streamlit runs a page
    show()
