"""Any sequence: encoded live, its features with their concepts, and the proteins that are like it."""

from __future__ import annotations

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame, live
from interplm_wh.dashboard.charts.heatmap import heatmap
from interplm_wh.errors import InterplmError

TITLE, ADDRESS, ICON = "Sequence", "sequence", ":material/content_paste:"
_SHOWN = 30


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    st.title("Which features has a sequence?")
    text = st.text_area(
        "One sequence, or several as FASTA",
        key="text",
        height=160,
        placeholder="MKTAYIAKQRQISFVKSHFSRQ…",
        help=f"At most {live.MOST_SEQUENCES} sequences, {live.MOST_RESIDUES:,} residues; kept here.",
    )
    st.button("Encode", type="primary", icon=":material/play_arrow:")
    if not text.strip():
        st.caption("Paste a sequence: the PLM and the SAE run on it here, on the CPU.")
        return
    try:
        sequences = live.read_sequences(text)
        with st.spinner("Encoding"):
            activations = live.encode(frame.current().reader.path, sae["sae"], sae["sha256"], sequences)
    except InterplmError as error:
        st.error(frame.plain_lines(str(error)))
        return
    warehouse = frame.current().reader.warehouse
    features = live.features_of(warehouse, sae["sae"], activations)
    chosen = (
        st.segmented_control(
            "Sequence",
            list(sequences),
            default=next(iter(sequences)),
            required=True,
            key="chosen",
            format_func=frame.plain,
        )
        if len(sequences) > 1
        else next(iter(sequences))
    )
    _draw(sae["sae"], chosen or next(iter(sequences)), sequences, features, pl.DataFrame(activations))


def _draw(
    sae: str, name: str, sequences: dict[str, str], features: pl.DataFrame, activations: pl.DataFrame
) -> None:
    mine = features.filter(pl.col("sequence") == name)
    if not len(mine):
        st.info("No feature is active on this sequence.")
        return
    st.header("Features, the strongest first")
    picked = st.dataframe(
        mine.drop("sequence"),
        hide_index=True,
        height=320,
        on_select="rerun",
        selection_mode="single-row",
        key="ranked",
        alt="Features of the sequence",
        column_config={
            "activation": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="%.3f", color="blue"
            ),
            "n_residues": "residues",
            "concept": "finds",
            "test_f1_per_domain": st.column_config.NumberColumn("F1 on test", format="%.2f"),
            "pct_proteins": st.column_config.NumberColumn("% of proteins", format="%.2f"),
        },
    )
    if picked.selection.rows:
        frame.current().go("feature", {"feature": mine["feature"][picked.selection.rows[0]]})
    st.altair_chart(
        heatmap(_cells(mine.head(_SHOWN), activations, name), pl.DataFrame(), length=len(sequences[name])),
        alt="The strongest features along the sequence",
    )
    st.header("Proteins that share most features")
    near = live.neighbours_of(frame.current().reader.warehouse, sae, features, sequence=name)
    chosen = st.dataframe(
        near,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="near",
        alt="Nearest proteins by shared features",
        column_config={
            "pct_shared": st.column_config.NumberColumn(
                "shared %",
                format="%.1f",
                help=(
                    "Over the 100 strongest features: the lower of both activations, as a share of its own."
                ),
            )
        },
    )
    if chosen.selection.rows:
        frame.current().go("protein", {"protein": near["accession"][chosen.selection.rows[0]]})


def _cells(mine: pl.DataFrame, activations: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the residues of some features as cells of one residue, in units of their maximum here."""
    ranks = mine.with_row_index("rank", offset=1).select(
        "rank", "feature", "concept", pl.col("activation").alias("top")
    )
    rows = activations.filter(pl.col("sequence") == name).join(ranks, on="feature")
    return rows.with_columns(
        start="position",
        stop="position",
        activation=pl.col("value") / pl.col("value").max().over("feature") * pl.col("top"),
    ).sort("rank", "position")


if __name__ == "__main__":  # as Streamlit runs a page
    show()
