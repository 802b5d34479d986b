"""Any sequence: encoded live, its features with their concepts, and the proteins that are like it."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import streamlit as st

from interplm_wh.dashboard import frame, live
from interplm_wh.dashboard.charts.heatmap import heatmap
from interplm_wh.errors import InterplmError

TITLE, ADDRESS, ICON = "Sequence", "sequence", ":material/content_paste:"
_MOST_LETTERS = 200_000
"""More than is encoded, so that words and not the box refuse what is too long."""


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    st.title("Which features does a sequence have?")
    text = st.text_area(
        "One sequence, or several as FASTA",
        key="text",
        bind="query-params",
        max_chars=_MOST_LETTERS,
        height=160,
        placeholder="MKTAYIAKQRQISFVKSHFSRQ…",
        help=f"At most {live.MOST_SEQUENCES} sequences, {live.MOST_RESIDUES:,} residues. They go nowhere but "
        "to this server, and are a part of this page's address: share it with those who may see them.",
    )
    st.button("Encode", type="primary", icon=":material/play_arrow:")
    if not text.strip():
        st.caption(
            f"Paste at most {live.MOST_SEQUENCES} sequences of {live.MOST_RESIDUES:,} residues in all: the "
            "PLM and the SAE run on them here, on the CPU."
        )
        return
    try:
        sequences = live.read_sequences(text)
        with st.spinner("Encoding"):
            activations = live.encode(frame.current().reader.path, sae["sae"], sae["sha256"], sequences)
    except InterplmError as error:
        st.error(frame.plain_lines(str(error)))
        return
    reader = frame.current().reader
    features = live.features_of(reader, sae["sae"], activations)
    chosen = (
        st.segmented_control(
            "Sequence",
            list(sequences),
            default=next(iter(sequences)),
            format_func=frame.plain,
            required=True,
            key="chosen",
            bind="query-params",
        )
        if len(sequences) > 1
        else next(iter(sequences))
    )
    _draw(sae["sae"], chosen or next(iter(sequences)), sequences, features, activations)


def _draw(
    sae: str, name: str, sequences: dict[str, str], features: pl.DataFrame, activations: pa.Table
) -> None:
    mine = features.filter(pl.col("sequence") == name)
    if not len(mine):
        st.info("No feature is active on this sequence.")
        return
    st.header("Features, the strongest first")
    row = frame.picked_row(
        mine.drop("sequence"),
        height=320,
        key=f"ranked-{name}",
        alt="Features of the sequence; a chosen row opens the feature",
        columns={
            **frame.ACTIVATION_COLUMNS,
            "position": "strongest at residue",
            "concept": "finds",
            "test_f1_per_domain": st.column_config.NumberColumn("F1 on test", format="%.2f"),
            "pct_proteins": st.column_config.NumberColumn("% of proteins", format="%.2f"),
        },
    )
    if row:
        frame.current().go("feature", {"feature": row["feature"]})
    reader = frame.current().reader
    length = len(sequences[name])
    cells = live.cells_of(reader, sae, activations, features, sequence=name, length=length)
    st.altair_chart(
        heatmap(cells, pl.DataFrame(), length=length, dark=frame.is_dark()),
        alt=f"The {min(live.MOST_FEATURES, len(mine))} strongest features along the sequence",
    )
    st.header("Proteins that share most features")
    near = live.neighbours_of(reader, sae, features, sequence=name)
    chosen = frame.picked_row(
        near,
        key=f"near-{name}",
        alt="Nearest proteins by shared features; a chosen row opens the protein",
        columns={
            "pct_shared": st.column_config.NumberColumn(
                "shared %",
                format="%.1f",
                help=(
                    "Over the 100 strongest features: the lower of both activations, as a share of its own."
                ),
            ),
            "n_shared": st.column_config.NumberColumn(
                "features shared", help="Of the 100 strongest features of the sequence."
            ),
        },
    )
    if chosen:
        frame.current().go("protein", {"protein": chosen["accession"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
