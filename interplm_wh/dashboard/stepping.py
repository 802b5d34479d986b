"""Which feature is looked at: by number, the next or any, among those that filters leave."""

from __future__ import annotations

import random
from typing import Any

import streamlit as st

from interplm_wh.dashboard import frame

_FEATURE = "feature"
_HIGHEST = "select max(feature) as n from features where sae = $sae"
_MEANINGS = {"any": "all", "concept": "finds a concept", "none": "no known concept"}
_SHARES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def choose(sae: dict[str, Any]) -> tuple[int, list[int]]:
    """Draw the controls; returns the feature, and those that the filters leave."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover("Filters", icon=":material/filter_list:"):
            found = _filtered(sae["sae"])
        now = _numbered(sae["sae"], found)
        others = [f for f in found if f != now]
        for label, icon, there in (
            ("Previous", "chevron_left", [f for f in found if f < now][-1:]),
            ("Next", "chevron_right", [f for f in found if f > now][:1]),
            ("Random", "casino", [random.choice(others)] if others else []),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                disabled=not there,
                on_click=go_to,
                args=(there[0] if there else now,),
            )
    return now, found


def _numbered(sae: str, found: list[int]) -> int:
    highest = (frame.current().reader.row(_HIGHEST, {"sae": sae}) or {})["n"]
    # The address counts where its widget has no value yet.
    asked = str(st.session_state.get(_FEATURE, st.query_params.get(_FEATURE, "")))
    if asked and not (asked.isdecimal() and int(asked) <= highest):
        frame.refuse(
            _FEATURE,
            f"There is no feature {frame.plain(asked)} in {frame.plain(sae)}, whose features are 0 to "
            f"{highest}.",
            instead=_first(sae, found),
        )
    elif not asked:
        st.session_state[_FEATURE] = _first(sae, found)
    now: int = st.number_input(
        "Feature",
        min_value=0,
        max_value=highest,
        step=1,
        key=_FEATURE,
        bind="query-params",
        width=220,
        help=f"Number of the feature, 0 to {highest}, as in the checkpoint.",
    )
    return now


def go_to(feature: int) -> None:
    """Look at another feature from the next run on."""
    st.session_state[_FEATURE] = feature


def _filtered(sae: str) -> list[int]:
    meaning = st.segmented_control(
        "Which features",
        list(_MEANINGS),
        default="any",
        format_func=_MEANINGS.__getitem__,
        key="which",
        bind="query-params",
        required=True,
        help="Whether a feature finds a concept on held-out proteins; amino acids do not count.",
    )
    low, high = st.select_slider(
        "On how many of the proteins",
        _SHARES,
        value=(_SHARES[0], _SHARES[-1]),
        format_func=lambda share: f"{share:g} %",
        key="share",
        bind="query-params",
    )
    found: list[int] = (
        frame.current()
        .reader.rows(
            "from features_where($sae, meaning := $meaning, lowest := $low, highest := $high)",
            {"sae": sae, "meaning": meaning or "any", "low": low, "high": high},
        )["feature"]
        .to_list()
    )
    st.caption(f"{frame.counted(len(found), 'feature')}. Previous, Next and Random go through these.")
    return found


def _first(sae: str, found: list[int]) -> int:
    """Return the feature that finds a concept best, else the first there is."""
    best = frame.current().reader.row(
        "select feature from report_pairs($sae) where not is_amino_acid limit 1", {"sae": sae}
    )
    return int(best["feature"]) if best else found[0] if found else 0
