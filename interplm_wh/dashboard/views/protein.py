"""One protein: every feature along its sequence beside what is annotated."""

from __future__ import annotations

from typing import Any

import streamlit as st

from interplm_wh.dashboard import examples, frame
from interplm_wh.dashboard.charts.heatmap import PICK, heatmap

TITLE, ADDRESS, ICON = "Protein", "protein", ":material/view_timeline:"
_PROTEIN, _RESIDUE, _BY = "protein", "residue", "by"
_MOST_MATCHES, _MOST_LANES = 50, 12
_ORDERS = {"strength": "strongest first", "meaning": "known concept first"}


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    protein = _choose(sae["sae"])
    if protein is None:
        return
    st.title(frame.plain(protein["accession"]))
    parts = [
        protein["name"],
        protein["organism"],
        f"{protein['length']:,} residues",
        f"split {protein['split']}",
    ]
    st.markdown(" · ".join(frame.plain(part) for part in parts if part))
    values = {"sae": sae["sae"], "protein": protein["accession"]}
    features = _heatmap(values, protein)
    if features:
        _closely(values, protein, features)


def _choose(sae: str) -> dict[str, Any] | None:
    text = st.text_input(
        "Protein",
        key=_PROTEIN,
        bind="query-params",
        placeholder="accession, or a part of the name",
        help="Any protein that was encoded. An accession of its own opens at once.",
    )
    found = frame.current().reader.ask("protein_search", {"sae": sae, "text": text.strip()})
    if not len(found):
        st.info("No encoded protein has this accession, or this in its name.", icon=":material/search_off:")
        return None
    rows = found.to_dicts()
    if text.strip().lower() == rows[0]["accession"].lower() or len(rows) == 1:
        return rows[0]
    st.caption(
        f"{len(rows)}{' or more' if len(rows) == _MOST_MATCHES else ''} match; the first is shown."
        if text
        else "Choose one, or type; the first is shown."
    )

    def open_it() -> None:
        picked = st.session_state["matches"].selection.rows
        if picked:
            st.session_state[_PROTEIN] = rows[picked[0]]["accession"]

    st.dataframe(
        found[[column.name for column in found if column.null_count() < len(found)]],
        hide_index=True,
        height=200,
        on_select=open_it,
        selection_mode="single-row",
        key="matches",
        alt="Proteins that match; a chosen row opens the protein",
    )
    return rows[0]


def _heatmap(values: dict[str, Any], protein: dict[str, Any]) -> list[int]:
    """Draw the features along the protein; returns those that are drawn, in their order."""
    reader = frame.current().reader
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    order = left.segmented_control(
        "Features",
        list(_ORDERS),
        default="strength",
        format_func=_ORDERS.__getitem__,
        key="order",
        bind="query-params",
        required=True,
        help="Strongest: by the highest activation on this protein.",
    )
    k = right.slider("How many features", 10, 100, 40, step=10, key="k", bind="query-params")
    cells = reader.rows(
        "from protein_heatmap($sae, $protein, k := $k, known_first := $known)",
        {**values, "k": k, "known": order == "meaning"},
    )
    if not len(cells):
        st.info("No feature is active on this protein.")
        return []
    annotated = reader.rows(
        "from annotations_of($proteins, n_lanes := $n)",
        {"proteins": (values["protein"],), "n": _MOST_LANES},
    )
    features: list[int] = cells["feature"].unique(maintain_order=True).to_list()
    st.altair_chart(
        heatmap(cells, annotated, length=protein["length"], dark=frame.is_dark()),
        on_select=_from_cell,
        selection_mode=PICK,
        key="heatmap",
        alt=f"{len(features)} features along the protein, below what is annotated; the tables that follow "
        "hold the same residue by residue",
    )
    said = ["Drag to move, scroll to zoom; click a cell to look at its residue and feature."]
    if len(annotated) and annotated["n_concepts"][0] > _MOST_LANES:
        said.append(
            f"{_MOST_LANES} of {annotated['n_concepts'][0]} annotated concepts are drawn, those that cover "
            "most."
        )
    if len(annotated) and annotated["n_spans"][0] > len(annotated):
        said.append(
            f"Of {annotated['n_spans'][0]:,} annotated spans the longest {len(annotated):,} are drawn."
        )
    st.caption(" ".join(said))
    return features


def _from_cell() -> None:
    picked = st.session_state["heatmap"].selection.get(PICK, [])
    if picked:
        st.session_state[_RESIDUE] = int(picked[0]["start"])
        st.session_state[_BY] = int(picked[0]["feature"])


def _closely(values: dict[str, Any], protein: dict[str, Any], features: list[int]) -> None:
    """Draw one residue's features, and the structure coloured by one of them."""
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _residue(values, protein)
    with right:
        st.header("Structure")
        frame.follow(_BY, features[0])
        feature = st.selectbox(
            "Coloured by feature",
            features,
            key=_BY,
            bind="query-params",
            help="One of those above; a click on a cell chooses it, too.",
        )
        residues = frame.current().reader.rows(examples.TRACK, {**values, "feature": feature})
        examples.structure(protein, residues, what=f"feature {feature}")


def _residue(values: dict[str, Any], protein: dict[str, Any]) -> None:
    st.header("One residue")
    position = st.number_input(
        "Residue",
        min_value=1,
        max_value=protein["length"],
        step=1,
        key=_RESIDUE,
        bind="query-params",
        help="Counted from 1, as in UniProt.",
    )
    rows = frame.current().reader.rows(
        "from residue_features($sae, $protein, $position)", {**values, "position": position}
    )
    if not len(rows):
        st.caption("No feature is active here.")
        return
    row = frame.picked_row(
        rows.select("feature", "activation", "concept"),
        key=f"firing-{position}",
        columns={**frame.ACTIVATION_COLUMNS, "concept": "finds"},
        alt="Features that are active on the residue; a chosen row opens the feature",
    )
    st.caption("Choose a row to open the feature on this protein.")
    if row:
        frame.current().go("feature", {"feature": row["feature"], examples.CHOSEN: values["protein"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
