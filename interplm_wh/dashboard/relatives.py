"""The features that are like one feature: by direction, on the same residues, and in other SAEs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame, stepping

_OFF = st.column_config.NumberColumn(
    "off by", format="%.2f", help="Standard error: how far a number from a sample may be off."
)


def show(values: dict[str, Any]) -> None:
    """Draw the features that are like one feature.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    """
    st.header("Features like it")
    reader = frame.current().reader
    left, right = st.columns(2)
    with left:
        st.subheader("That write in the same direction")
        rows = reader.rows("from feature_neighbours($sae, $feature)", values)
        if len(rows):
            _others(rows, "near", values, column="cosine", shown="cosine", form="%.2f")
            st.caption("Cosine of the decoder's columns: 1 means that both change the PLM in the same way.")
        else:
            st.caption("This SAE has no decoder of its own here: it was encoded elsewhere, or is neurons.")
    with right:
        st.subheader("That are active on the same residues")
        rows = reader.rows("from feature_pairs_of($sae, $feature, 'coactivation')", values)
        if len(rows):
            _sampled(rows, "together", values, shown="share with both")
            st.caption(
                f"Of the residues with either, the share with both, on a sample of {rows['n_residues'][0]:,} "
                "residues; off by: its standard error."
            )
        else:
            _companions(values)
    rows = reader.rows("from feature_pairs_of($sae, $feature, 'matched')", values)
    if len(rows):
        st.subheader("In other SAEs")
        _matches(rows)


def _companions(values: dict[str, Any]) -> None:
    rows = frame.current().reader.rows("from feature_companions($sae, $feature)", values)
    if len(rows):
        _others(rows, "beside", values, column="pct_overlap", shown="overlap %", form="%.0f")
        st.caption(
            "Residues with both, of those with either, over the 10 proteins where this feature is strongest."
        )
    else:
        st.caption("No other feature is active on the residues of its 10 strongest proteins.")


def _matches(rows: pl.DataFrame) -> None:
    """Draw the features of other SAEs that are correlated with it."""
    st.dataframe(
        rows.select("other_sae", "feature", "value", "standard_error", "null_mean", "q_value", "concept"),
        hide_index=True,
        column_config={
            "other_sae": "SAE",
            "value": st.column_config.NumberColumn("correlation", format="%.2f"),
            "standard_error": _OFF,
            "null_mean": st.column_config.NumberColumn(
                "best by chance", format="%.2f", help="With residues shifted along their protein."
            ),
            "q_value": st.column_config.NumberColumn("q-value", format="%.3f"),
            "concept": "finds",
        },
        alt="Features of other SAEs that are active on the same residues",
    )
    st.caption(
        f"Correlation of activations on a sample of {rows['n_residues'][0]:,} residues, zeros included. A "
        "match beyond chance has a q-value below 0.05; it is told of the best one only."
    )


def _sampled(rows: pl.DataFrame, key: str, values: dict[str, Any], *, shown: str) -> None:
    """Draw other features with a number from a sample; a chosen one is looked at instead."""
    _others(rows, key, values, column="value", shown=shown, form="%.2f", more={"standard_error": _OFF})


def _others(
    rows: pl.DataFrame, key: str, values: dict[str, Any], *, column: str, shown: str, form: str,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Draw other features; a chosen one is looked at instead."""
    name = f"{key}-{values['feature']}"

    def open_it() -> None:
        picked = st.session_state[name].selection.rows
        if picked:
            stepping.go_to(rows["feature"][picked[0]])

    st.dataframe(
        rows.select("feature", column, *more, "concept"),
        hide_index=True,
        on_select=open_it,
        selection_mode="single-row",
        key=name,
        alt="Other features; a chosen row opens the feature",
        column_config={
            column: st.column_config.NumberColumn(shown, format=form),
            **more,
            "concept": "finds",
        },
    )
