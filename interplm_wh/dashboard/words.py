"""What a feature is in words: whose they are, how well they predict, and what people say of them."""

from __future__ import annotations

import shlex
from typing import Any

import streamlit as st

from interplm_wh.dashboard import frame

_PLAIN = "describe"


def show(values: dict[str, Any]) -> None:
    """Draw the words on one feature; those of models are shown as the text that they are.

    Parameters
    ----------
    values : dict
        `sae` and `feature`.
    """
    st.header("In words")
    rows = frame.current().reader.rows("from feature_words($sae, $feature)", values).to_dicts()
    told = [row for row in rows if row["summary"]]
    for row in told:
        _words(row)
    for row in rows:
        if not row["summary"]:
            st.caption(f"{frame.plain(row['source'])} found no words: {frame.plain(row['reason'] or '')}")
    sae, feature = frame.current().sae_name, values["feature"]
    if told:
        st.caption(
            "r: Pearson's, of the highest activation that the words predict with the real one. Balanced "
            "accuracy: of telling proteins with the feature from others. Both on proteins that were not "
            "shown, nor relatives of these. What you say of the words is kept by:"
        )
        source = f" --source {shlex.quote(told[0]['source'])}" if len(told) > 1 else ""
        frame.command(f"verdict {sae} {feature} confirmed{source}")
    else:
        st.caption(
            "Nothing yet. A plain sentence from the tables, and the words of a language model, are made by:"
        )
        frame.command(f"describe --sae {sae}", f"interpret --sae {sae} --feature {feature} --model MODEL")


def _words(row: dict[str, Any]) -> None:
    with st.container(border=True):
        st.markdown(f"**{frame.plain(row['summary'])}**")
        st.markdown(frame.plain(row["description"] or ""))
        said = (_whose(row), _score(row), _age(row), _verdict(row))
        st.caption(" ".join(part for part in said if part))


def _whose(row: dict[str, Any]) -> str:
    made = f"{row['created']:%Y-%m-%d}"
    if row["source"] == _PLAIN:
        return f"From the tables alone, {made}; of the proteins that were shown, not of all."
    return f"Words of {frame.plain(row['source'])}, {made}; from {row['n_shown']:,} proteins."


def _score(row: dict[str, Any]) -> str:
    if row["status"] != "scored":
        return f"Not scored: {frame.plain(row['reason'] or '')}."
    r, accuracy = row["pearson_r"], row["balanced_accuracy"]
    said = [
        f"r {r:.2f}" if r is not None else "r cannot be told, since all predictions or activations are alike",
        f"balanced accuracy {accuracy:.2f}" if accuracy is not None else "no balanced accuracy",
    ]
    return f"On {row['n_scored']:,} proteins that were not shown: {', '.join(said)}."


def _age(row: dict[str, Any]) -> str:
    if not row["is_older"]:
        return ""
    return "They are older than the data: the scale of the feature is another by now."


def _verdict(row: dict[str, Any]) -> str:
    if row["verdict"] is None:
        return "Nobody has judged them yet."
    note = f": {frame.plain(row['note'])}" if row["note"] else ""
    return f"{row['verdict'].capitalize()} by {frame.plain(row['judge'])}, {row['judged']:%Y-%m-%d}{note}."
