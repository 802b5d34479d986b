"""All features of an SAE: on the map of decoder directions, or by how common they are."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.landscape import PICK, directions, landscape

_COMMON, _DIRECTION = "how common", "direction"
_SHARES = ("pct_proteins", "avg_pct_residues_when_present")
_FEATURE_COLUMNS = {
    "concept": "finds",
    "cluster": "cluster",
    "label": "of the cluster",
    "shape": "shape",
    "test_f1_per_domain": st.column_config.NumberColumn("F1 on test", format="%.2f"),
    "n_proteins": st.column_config.NumberColumn("proteins", format="localized"),
    "pct_proteins": st.column_config.NumberColumn("% of proteins", format="%.2f"),
    "avg_pct_residues_when_present": st.column_config.NumberColumn("% of their residues", format="%.2f"),
    "mean_activation": st.column_config.NumberColumn("mean activation", format="%.2f"),
}


def show(sae: dict[str, Any]) -> None:
    """Draw every feature of an SAE, as a chart of which a point can be chosen and as a table."""
    st.header("All features")
    reader = frame.current().reader
    rows = reader.rows("from feature_landscape($sae)", {"sae": sae["sae"]})
    if not len(rows):
        frame.nothing_yet(
            f"No feature of {frame.plain(sae['sae'])} is present on any protein.", ["build", "verify"]
        )
        return
    placed = reader.rows("from feature_map_of($sae)", {"sae": sae["sae"]})
    is_map = bool(len(placed)) and _laid_out_by() == _DIRECTION
    if is_map:
        rows = placed
        st.caption(_said_of_map(rows))
    else:
        st.caption(
            f"{len(rows):,} features are present on a protein. To the right: on many proteins; to the top: "
            "on much of each protein. Click a point to open the feature."
        )
    event = st.altair_chart(
        directions(rows) if is_map else landscape(rows),
        on_select="rerun",
        selection_mode=PICK,
        key="map" if is_map else "landscape",
        alt="Every feature on the map of decoder directions; the same features are in the table that follows"
        if is_map
        else "Every feature: share of proteins that have it against the share of their residues; the same "
        "features are in the table that follows",
    )
    picked = event.selection.get(PICK, [])
    if not len(placed) and sae["role"] == "sae" and sae["plm"]:
        st.caption("A map of the directions in which features write, with clusters, is made in a terminal:")
        frame.command(f"cluster --sae {frame.current().sae_name}")
    row = None
    table = st.expander(
        "The same features as a table", key="as_table", bind="query-params", on_change="rerun"
    )
    if table.open:  # thousands of rows, which a browser need not have otherwise
        columns = ["feature", "concept", "test_f1_per_domain", "n_proteins"]
        columns += ["cluster", "label", "shape"] if is_map else [*_SHARES, "mean_activation"]
        with table:
            row = frame.picked_row(
                rows.select(columns).sort("feature"),
                key="map_rows" if is_map else "features_rows",
                columns=_FEATURE_COLUMNS,
                alt="Every feature; a chosen row opens it",
            )
    if picked or row:
        frame.current().go("feature", {"feature": (row or picked[0])["feature"]})


def _laid_out_by() -> str:
    return (
        st.segmented_control(
            "Lay them out by",
            [_DIRECTION, _COMMON],
            default=_DIRECTION,
            key="layout",
            required=True,
            bind="query-params",
            help="Direction: features that change the PLM in the same way lie close. How common: on how many "
            "proteins, and on how much of them.",
        )
        or _DIRECTION
    )


def _said_of_map(rows: pl.DataFrame) -> str:
    clusters = rows.filter(pl.col("cluster").is_not_null())
    named = clusters.filter(pl.col("label").is_not_null())
    return (
        f"{len(rows):,} features, those close together with nearly the same decoder direction (UMAP). "
        f"{frame.counted(clusters['cluster'].n_unique(), 'cluster')} (HDBSCAN), "
        f"{named['cluster'].n_unique():,} of them named after what their features find more often than the "
        f"others; {len(rows) - len(clusters):,} features are in none. Distances far apart mean little. Click "
        "a point to open the feature."
    )
