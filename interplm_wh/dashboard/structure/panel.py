"""The panel: which structure, how it is drawn, and what to do where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard.charts.structure import contact_map, trace
from interplm_wh.dashboard.frame import command_for, follow, is_dark, plain
from interplm_wh.dashboard.reading import Reader
from interplm_wh.dashboard.structure import model as models
from interplm_wh.dashboard.structure.library import library
from interplm_wh.dashboard.structure.model import Model
from interplm_wh.dashboard.structure.viewer import address, page
from interplm_wh.errors import InterplmError, NotThereError
from interplm_wh.structures import cached_alphafold, fetch_alphafold, is_accession
from interplm_wh.structures.alphafold import Limits

# For the answer of AlphaFold DB, and again for the file.
_PATIENCE = Limits(seconds=10.0)
_HEIGHT = 520
_SQUARE = 560
"""Pixels of the contact map; narrower where the window is."""
_MOST_BYTES = 24 << 20
"""Of a page: browsers take addresses of up to 32 MB."""
_NEAR, _MOST_CELLS = 8.0, 5_000
_DRAWINGS = {"3d": "3D", "trace": "C-alpha trace", "contacts": "Contact map"}


def panel(reader: Reader, protein: Mapping[str, Any], residues: pl.DataFrame, *, what: str, key: str) -> None:
    """Show a protein's structure coloured by activation, and say which one it is.

    Structures of the warehouse come first, then AlphaFold's model where it was fetched before; the
    network is asked on a click alone. There is always something to see or to do.

    Parameters
    ----------
    reader : Reader
    protein : mapping
        With accession and length.
    residues : DataFrame
        position (1-based) and activation (normalised) of the residues where the feature is active;
        others may be left out.
    what : str
        What is coloured, for instance 'feature 249'.
    key : str
        Begins the names of its widgets, which are in the address of the page: another one for each
        panel of a page.
    """
    found = _choose(reader, protein, key)
    if found is None:
        return
    active = residues.group_by("position").agg(pl.col("activation").max())
    shown = found.residues.join(
        active.select(pl.col("position").cast(pl.Int32), pl.col("activation").cast(pl.Float64)),
        on="position",
        how="left",
        maintain_order="left",
    )
    _say(found, protein, active, shown, what)
    if shown["x"].null_count() == len(shown):
        st.info("This structure has no C-alpha at any residue of the protein; add another one.")
        _hint(reader)
        return
    _draw(reader, found, shown, what=what, key=key)


def _choose(reader: Reader, protein: Mapping[str, Any], key: str) -> Model | None:
    """Return the structure to show; where there is none, say what to do."""
    known = {row["structure"]: row for row in models.known_structures(reader, protein["accession"])}
    if not known:
        return _alphafold(reader, protein["accession"], key)
    name = next(iter(known))
    if len(known) > 1:
        follow(f"{key}_of", name)
        name = st.selectbox(
            "Structure",
            list(known),
            key=f"{key}_of",
            bind="query-params",
            help="Those with most of the protein's residues come first.",
        )
    return models.stored_model(reader, protein["accession"], known.get(name) or next(iter(known.values())))


def _alphafold(reader: Reader, accession: str, key: str) -> Model | None:
    try:
        fetched = cached_alphafold(accession)
        if fetched is not None:
            return models.fetched_model(fetched, _sequence(reader, accession))
    except InterplmError as error:
        st.info(plain(str(error)), icon=":material/info:")
        _hint(reader)
        return None
    st.info(f"No structure of {plain(accession)} was added yet.", icon=":material/info:")
    if is_accession(accession):
        if st.button("Fetch the AlphaFold model", icon=":material/cloud_download:", key=f"{key}_fetch"):
            _fetch(accession)
        st.caption(
            "Asks AlphaFold DB for its current model of this accession, and keeps it in the cache of this "
            "machine; nothing else is sent."
        )
    _hint(reader)
    return None


def _fetch(accession: str) -> None:
    try:
        with st.spinner("Asking AlphaFold DB"):
            fetch_alphafold(accession, limits=_PATIENCE)
    except NotThereError:
        pass  # remembered: the next run says so
    except InterplmError as error:
        st.error(plain(str(error)))
        return
    st.rerun()


def _sequence(reader: Reader, accession: str) -> str:
    rows = reader.rows("select sequence from proteins where accession = $protein", {"protein": accession})
    return str(rows["sequence"][0])


def _hint(reader: Reader) -> None:
    st.markdown("Run in a terminal, with a PDB or mmCIF file of it:")
    command_for(reader.path, "add structures FILE")


def _say(
    found: Model, protein: Mapping[str, Any], active: pl.DataFrame, shown: pl.DataFrame, what: str
) -> None:
    there = shown.filter(pl.col("x").is_not_null())
    on = active.filter(pl.col("activation") > 0)
    missing = len(on) - len(there.filter(pl.col("activation") > 0))
    said = f"{len(there):,} of {protein['length']:,} residues of the protein are in the structure."
    where = f"residue{'s' * (len(on) != 1)} where {what} is active"
    if not len(on):
        said += f" {what[:1].upper()}{what[1:]} is active on none of its residues."
    elif missing:
        said += f" {missing:,} of the {len(on):,} {where} {'is' if missing == 1 else 'are'} missing from it."
    else:
        said += (
            f" {'All' if len(on) > 1 else 'The'} {len(on):,} {where} {'are' if len(on) > 1 else 'is'} there."
        )
    st.caption(f"{plain(found.about)}. {plain(said)}")


def _draw(reader: Reader, found: Model, shown: pl.DataFrame, *, what: str, key: str) -> None:
    how = st.segmented_control(
        "Drawn as",
        list(_DRAWINGS),
        default="3d",
        format_func=_DRAWINGS.__getitem__,
        key=f"{key}_as",
        bind="query-params",
        required=True,
    )
    there = shown.filter(pl.col("x").is_not_null())
    if how == "contacts":
        _contacts(reader, there, what)
    elif how == "trace" or not _viewer(found, shown, what):
        st.altair_chart(trace(there, dark=is_dark()), alt=f"C-alpha trace coloured by {what}")
        st.caption(
            "C-alphas of the chain, seen from where they are spread widest; a gap is where residues are "
            "missing."
        )


def _viewer(found: Model, shown: pl.DataFrame, what: str) -> bool:
    """Draw in 3D; says why where that cannot be."""
    fault = found.fault
    if found.drawing is not None:
        try:
            html = page(found.drawing, shown, what=what, library=library(), dark=is_dark())
            if len(html) <= _MOST_BYTES:
                st.iframe(address(html), height=_HEIGHT, alt=f"Structure in 3D, coloured by {what}")
                return True
            fault = "this structure is too large to be drawn in 3D here"
        except InterplmError as error:
            fault = str(error)
    st.warning(plain(f"Not drawn in 3D, but as a C-alpha trace: {fault}"))
    return False


def _contacts(reader: Reader, there: pl.DataFrame, what: str) -> None:
    cells = reader.ask(
        "structure_contacts",
        {
            "positions": tuple(there["position"]),
            **{axis: tuple(there[axis]) for axis in "xyz"},
            "activations": tuple(there["activation"]),
            "max_distance": _NEAR,
            "n_rows": _MOST_CELLS,
        },
    )
    st.altair_chart(
        contact_map(cells, there, dark=is_dark()), width=_SQUARE, alt=f"Contact map coloured by {what}"
    )
    width = int(cells["stop"][0] - cells["start"][0] + 1) if len(cells) else 1
    each = f" Each cell stands for {width} by {width} residues." if width > 1 else ""
    st.caption(
        f"Pairs of residues with C-alphas within {_NEAR:g} Å of each other, coloured where {what} is active "
        f"on one of the two; on the diagonal the residue itself.{each}"
    )
