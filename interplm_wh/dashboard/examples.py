"""Proteins of one feature, linked: choose one in the chart, the table or the box, and its track, its
residues and its structure follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.look import kinds_of
from interplm_wh.dashboard.charts.track import track
from interplm_wh.dashboard.charts.tracks import PICK, strips, windows
from interplm_wh.dashboard.structure import panel

CHOSEN = "example"
"""Of the session and of the address: the protein that is looked at closely.

Not `protein`, which is what the page of proteins has in its address: Streamlit passes nothing on to another
page under the name of a widget that this one has."""
_ZOOM = "zoom"
_MOST_RESIDUES, _MOST_LANES = 1500, 12
_ENCODED = (
    "select true as is_encoded from encodings where sae = $sae "
    "and protein_id = (select protein_id from proteins where accession = $protein)"
)
_PROTEIN = "select accession, name, length from proteins where accession = $protein"
TRACK = "from protein_activations($sae, $protein) where feature = $feature"
_STRONGEST = (
    "select * exclude (feature) from protein_activations($sae, $protein) where feature = $feature "
    "order by activation desc, position limit $n"
)


def show(values: dict[str, Any], rows: pl.DataFrame, *, only: str | None = None) -> None:
    """Draw proteins, and closely the one that is chosen.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    rows : DataFrame
        accession, length, activation and what else there is to say of the proteins.
    only : str, optional
        The one concept that is drawn beneath.
    """
    names = rows["accession"].to_list()
    asked = (values["sae"], values["feature"], *names)
    # Other proteins: the first of them. Not where a page is opened, whose address may name any.
    if st.session_state.setdefault(frame.EXAMPLES_OF, asked) != asked and names:
        st.session_state[CHOSEN] = names[0]
    st.session_state[frame.EXAMPLES_OF] = asked
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    chosen = left.selectbox(
        "Protein that is looked at closely",
        names,
        key=CHOSEN,
        bind="query-params",
        accept_new_options=True,
        help="Choose one here, in the chart or in the table; or type the accession of any other.",
    )
    is_close = right.toggle(
        "Zoom in", key=_ZOOM, bind="query-params", help="Only the residues around the maximum."
    )
    accessions = tuple(names)
    spans = _annotated(accessions, only)
    own = _lanes_of(chosen, only) if chosen else spans.clear()
    # The same colours in both charts.
    kinds = kinds_of(pl.concat([spans["category"], own["category"]]))
    closely = _Look(is_close, kinds)
    _overview(values, rows, spans, chosen, look=closely)
    if chosen:
        _closely(values, chosen, own, look=closely)


def show_one(values: dict[str, Any], accession: str, marked: pl.DataFrame) -> None:
    """Draw one protein closely, with stretches of interest in the first lane.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    marked : DataFrame
        concept, category, start, stop.
    """
    spans = _lanes_of(accession, None)
    lane = marked.with_columns(
        accession=pl.lit(accession), lane=pl.lit(1), n_concepts=pl.lit(1), n_spans=pl.lit(len(marked))
    )
    below = spans.with_columns(lane=pl.col("lane") + 1)
    drawn = pl.concat([lane.select(spans.columns), below], how="vertical_relaxed")
    _closely(values, accession, drawn, look=_Look(False, kinds_of(drawn["category"])))


@dataclass(frozen=True)
class _Look:
    """How proteins are drawn: near their maximum or whole, and the categories that have colours."""

    is_close: bool
    kinds: list[str]


def _overview(
    values: dict[str, Any], rows: pl.DataFrame, spans: pl.DataFrame, chosen: str | None, *, look: _Look
) -> None:
    reader = frame.current().reader
    asked = {**values, "proteins": tuple(rows["accession"].to_list())}
    if look.is_close and rows["activation"].max():
        residues = reader.rows("from feature_windows($sae, $feature, $proteins)", asked)
        chart = windows(rows, residues, spans, kinds=look.kinds, dark=frame.is_dark())
    else:
        cells = reader.rows("from feature_strips($sae, $feature, $proteins)", asked)
        chart = strips(rows, cells, spans, kinds=look.kinds, chosen=chosen, dark=frame.is_dark())
    table = f"table-{values['feature']}"
    st.altair_chart(
        chart,
        on_select=_from_chart,
        selection_mode=PICK,
        key="strips",
        alt=f"{frame.counted(len(rows), 'protein')}, coloured where feature {values['feature']} is active; "
        "the same proteins are in the table that follows",
    )
    with st.expander(
        f"{'This' if len(rows) == 1 else 'These'} {frame.counted(len(rows), 'protein')} as a table"
    ):
        st.dataframe(
            rows,
            hide_index=True,
            on_select=lambda: _from_table(table, rows),
            selection_mode="single-row",
            key=table,
            alt="The proteins of the chart; a chosen row is looked at closely",
            column_config=frame.ACTIVATION_COLUMNS,
        )


def _from_chart() -> None:
    picked = st.session_state["strips"].selection.get(PICK, [])
    if picked:
        st.session_state[CHOSEN] = picked[0]["accession"]


def _from_table(key: str, rows: pl.DataFrame) -> None:
    picked = st.session_state[key].selection.rows
    if picked:
        st.session_state[CHOSEN] = rows["accession"][picked[0]]


def _annotated(accessions: tuple[str, ...], only: str | None) -> pl.DataFrame:
    """Return what is annotated on proteins, or one concept of it."""
    reader = frame.current().reader
    return reader.rows(
        "from annotations_of($proteins, only_concept := $concept)",
        {"proteins": accessions, "concept": only or ""},
    )


def _lanes_of(accession: str, first: str | None) -> pl.DataFrame:
    """Return what is annotated on one protein, a concept of interest in the first lane."""
    rows = frame.current().reader.rows(
        "from annotations_of($proteins, n_lanes := $n)", {"proteins": (accession,), "n": _MOST_LANES}
    )
    if first is None:
        return rows
    others = rows.filter(pl.col("concept") != first).with_columns(lane=pl.col("lane") + 1)
    own = _annotated((accession,), first)
    return pl.concat([own, others.select(own.columns)], how="vertical_relaxed")


def _closely(values: dict[str, Any], accession: str, spans: pl.DataFrame, *, look: _Look) -> None:
    reader = frame.current().reader
    protein = reader.row(_PROTEIN, {"protein": accession})
    if protein is None:
        st.warning(f"There is no protein {frame.plain(accession)} in this warehouse.")
        return
    head, button = st.columns([4, 1], vertical_alignment="bottom")
    head.subheader(frame.plain(accession) + (f": {frame.plain(protein['name'])}" if protein["name"] else ""))
    if button.button("All its features", icon=":material/view_timeline:", width="stretch"):
        frame.current().go("protein", {"protein": accession})
    residues = reader.rows(
        _STRONGEST,
        {**values, "protein": accession, "n": _MOST_RESIDUES},
    )
    if not len(residues):
        name = frame.plain(accession)
        if reader.row(_ENCODED, {"sae": values["sae"], "protein": accession}) is None:
            st.info(f"{name} was not encoded by {frame.plain(values['sae'])}.")
            return
        st.info(f"Feature {values['feature']} is not active on {name}.")
    asked = {**values, "proteins": (accession,)}
    cells = residues.with_columns(start="position", stop="position")
    if protein["length"] > _MOST_RESIDUES:
        binned = "from feature_strips($sae, $feature, $proteins, n_cells := $n)"
        cells = reader.rows(binned, {**asked, "n": _MOST_RESIDUES})
    near = (
        reader.rows("from feature_windows($sae, $feature, $proteins)", asked)
        if look.is_close
        else pl.DataFrame(schema={"position": pl.Int32})
    )
    drawn = track(cells, spans, near, kinds=look.kinds, length=protein["length"], dark=frame.is_dark())
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.altair_chart(drawn, alt=f"Activation along {accession}, with its annotations beneath")
        st.caption("Drag to move along the protein, scroll to zoom.")
        if len(residues):
            _residues(residues)
    with right:
        structure(protein, residues, what=f"feature {values['feature']}")


def _residues(residues: pl.DataFrame) -> None:
    with st.expander(f"Its {frame.counted(len(residues), 'active residue')} as a table"):
        st.dataframe(
            residues,
            hide_index=True,
            height=300,
            alt="Residues where the feature is active, the strongest first",
            column_config={**frame.ACTIVATION_COLUMNS, "value": None},
        )
        if len(residues) == _MOST_RESIDUES:
            st.caption(f"The {_MOST_RESIDUES:,} strongest.")


def structure(protein: dict[str, Any], residues: pl.DataFrame, *, what: str) -> None:
    """Draw the structure of a protein coloured by activation."""
    panel(frame.current().reader, protein, residues, what=what, key="structure")
