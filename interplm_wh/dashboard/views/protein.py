"""One protein: every feature along its sequence beside what is annotated."""

from __future__ import annotations

from typing import Any

import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.heatmap import PICK, heatmap

TITLE, ADDRESS, ICON = "Protein", "protein", ":material/view_timeline:"
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
    _heatmap(values, protein)
    _residue(values, protein)


def _choose(sae: str) -> dict[str, Any] | None:
    text = st.text_input(
        "Protein",
        key="protein",
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
        f"{len(rows)}{' or more' if len(rows) == 50 else ''} match; choose one."
        if text
        else "Choose one, or type."
    )
    picked = st.dataframe(
        found,
        hide_index=True,
        height=200,
        on_select="rerun",
        selection_mode="single-row",
        key="matches",
        alt="Proteins that match",
    )
    return rows[picked.selection.rows[0] if picked.selection.rows else 0]


def _heatmap(values: dict[str, Any], protein: dict[str, Any]) -> None:
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
    )
    k = right.slider("How many", 10, 100, 40, step=10, key="k", bind="query-params")
    cells = reader.rows(
        "from protein_heatmap($sae, $protein, k := $k, known_first := $known)",
        {**values, "k": k, "known": order == "meaning"},
    )
    if not len(cells):
        st.info("No feature is active on this protein.")
        return
    annotated = reader.rows(
        "from annotations_of($proteins, n_lanes := 12)", {"proteins": (values["protein"],)}
    )
    if len(annotated) and annotated["n_concepts"][0] > 12:
        st.caption(f"12 of {annotated['n_concepts'][0]} annotated concepts are drawn, those that cover most.")
    event = st.altair_chart(
        heatmap(cells, annotated, length=protein["length"]),
        on_select="rerun",
        selection_mode=PICK,
        key="heatmap",
        alt="Features along the protein, below what is annotated",
    )
    st.caption("Drag to move, scroll to zoom; click a cell to look at its residue.")
    picked = event.selection.get(PICK, [])
    if picked:
        st.session_state["residue"] = int(picked[0]["start"])


def _residue(values: dict[str, Any], protein: dict[str, Any]) -> None:
    st.header("One residue")
    position = st.number_input(
        "Residue",
        min_value=1,
        max_value=protein["length"],
        step=1,
        key="residue",
        bind="query-params",
        help="Counted from 1, as in UniProt.",
    )
    rows = frame.current().reader.rows(
        "from residue_features($sae, $protein, $position)", {**values, "position": position}
    )
    if not len(rows):
        st.caption("No feature is active here.")
        return
    picked = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="firing",
        column_config={
            "activation": st.column_config.ProgressColumn(
                "activation", min_value=0, max_value=1, format="%.3f", color="blue"
            )
        },
        alt="Features that are active on the residue",
    )
    if picked.selection.rows:
        frame.current().go("feature", {"feature": rows["feature"][picked.selection.rows[0]]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
