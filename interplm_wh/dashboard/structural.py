"""Whether one feature follows the structure or the sequence, in the words of the feature's page."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.effects import effects

_ROW = "from feature_structure where sae = $sae and feature = $feature"
_THERE = (
    "select (select count(*) from feature_structure where sae = $sae) as n_features, "
    "(select count(*) from structures) as n_structures"
)
_CLASSES = {
    "structural": "It follows the **structure**: residues near its strongest one in space, and not in the "
    "sequence, are more active than others as far away in the sequence, and more than its neighbours there.",
    "sequential": "It follows the **sequence**: the neighbours of its strongest residue are more active than "
    "residues that are near in space and not in the sequence.",
    "both": "It follows **both** the structure and the sequence; which of the two more was not found.",
    "undecided": "Whether it follows the structure or the sequence is **undecided**.",
}
_EFFECTS = {
    "contacts less controls": "structural", "neighbours less controls": "sequential",
    "contacts less neighbours": "difference",
}  # fmt: skip
_LABELS = {
    "structural": "structural", "sequential": "sequential", "both": "both", "neither": "neither of the two",
}  # fmt: skip


def show(values: dict[str, Any]) -> None:
    """Draw what the tests of one feature gave.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    """
    st.header("Structure or sequence")
    reader = frame.current().reader
    row = reader.row(_ROW, values)
    if row is None:
        _untested(reader.row(_THERE, {"sae": values["sae"]}) or {})
        return
    st.markdown(_CLASSES[row["class"]])
    if row["difference"] is None:
        st.caption(_too_few(row))
    else:
        st.altair_chart(effects(_rows(row)), alt="The effects with their 95 % intervals, about 0")
        st.caption(_said(row))
    st.caption(_published(row))


def _untested(there: dict[str, Any]) -> None:
    if there.get("n_features"):
        st.caption("It is dead, so that there is nothing to test.")
        return
    st.caption("Whether features follow the structure or the sequence was not tested yet. In a terminal:")
    commands = [f"structure --sae {frame.current().sae_name}"]
    frame.command(*([] if there.get("n_structures") else ["add structures FILE-OR-FOLDER"]), *commands)


def _rows(row: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "what": what,
                "effect": row["difference" if test == "difference" else f"{test}_effect"],
                "low": row[f"{test}_low"],
                "high": row[f"{test}_high"],
                "q": row[f"{test}_q"],
            }
            for what, test in _EFFECTS.items()
        ]
    )


def _too_few(row: dict[str, Any]) -> str:
    return (
        f"It is active above {row['presence']:g} where a structure shows it in "
        f"{frame.counted(row['n_clusters'], 'cluster')} of proteins, of which {row['n_proteins']:,} have "
        f"something to compare; {row['min_proteins']:,} are needed."
    )


def _said(row: dict[str, Any]) -> str:
    tests = ", ".join(f"{what} {row[f'{test}_q']:.2g}" for what, test in _EFFECTS.items())
    return (
        f"Mean activation of contacts {row['contact_mean']:.3f}, of neighbours in the sequence "
        f"{row['neighbour_mean']:.3f}, of controls {row['control_mean']:.3f}, on "
        f"{frame.counted(row['n_proteins'], 'protein')}, one of each cluster. Contacts: C-alphas within "
        f"{row['max_distance']:g} Å, {row['min_separation']} or more residues apart; controls: as far apart, "
        f"on the other side, and no contacts. q-values: {tests}; a class needs q below {row['fdr']:g}."
    )


def _published(row: dict[str, Any]) -> str:
    if row["paper_class"] is None:
        return f"The published test needs 25 proteins; there are {row['paper_n_proteins']:,}."
    return (
        f"The published test calls it {_LABELS[row['paper_class']]} "
        f"(p {row['paper_structural_p']:.2g} within 6 Å, {row['paper_sequential_p']:.2g} for two residues "
        f"on either side, on {row['paper_n_proteins']:,} proteins). Within 6 Å lie the neighbours in the "
        "sequence, too, and a large p shows nothing."
    )
