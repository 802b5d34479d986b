"""Two SAEs, layers or models side by side: what each finds, and how good it is."""

from __future__ import annotations

import shlex
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.versus import PICK, versus

TITLE, ADDRESS, ICON = "Compare", "compare", ":material/compare_arrows:"
_QUALITY = "from sae_metrics where sae = $sae and evaluated_on = 'test'"


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    st.title("Two SAEs side by side")
    others = [row for row in frame.current().reader.ask("built_saes").to_dicts() if row["sae"] != sae["sae"]]
    if not others:
        frame.nothing_yet(
            "There is one SAE only; the raw neurons are a good one to compare with.",
            [
                "add sae identity --name neurons "
                f"--plm {shlex.quote(str(sae['plm']))} --layer {sae['layer']}",
                "encode --sae neurons",
                "build",
            ],
        )
        return
    other = st.selectbox(
        f"Compare {frame.plain(sae['sae'])} with",
        [row["sae"] for row in others],
        key="with",
        bind="query-params",
        help="The SAE on the left is the one that the sidebar names.",
    )
    _quality([sae, next(row for row in others if row["sae"] == other)])
    _concepts(sae["sae"], other)
    _later()


def _quality(rows: list[dict[str, Any]]) -> None:
    reader = frame.current().reader
    for column, row in zip(st.columns(2), rows, strict=True):
        summary = reader.row("from report_summary($sae)", {"sae": row["sae"]}) or {}
        metrics = reader.row(_QUALITY, {"sae": row["sae"]}) or {}
        with column.container(border=True):
            st.subheader(frame.plain(row["sae"]))
            st.caption(frame.origin(row))
            left, middle, right = st.columns(3)
            left.metric(
                "Concepts found", summary.get("n_concepts_found"), help="F1 above 0.5 on valid and on test."
            )
            middle.metric("Features with a concept", summary.get("n_features_with_concept"))
            explained = metrics.get("variance_explained")
            right.metric(
                "Variance explained",
                "-" if explained is None else f"{explained:.3f}",
                help="Of the hidden states of test; interplm-wh evaluate measures it.",
            )


def _concepts(left: str, right: str) -> None:
    st.header("Concepts")
    rows = frame.current().reader.rows(
        "from saes_side_by_side($left, $right)", {"left": left, "right": right}
    )
    if not len(rows):
        st.info("Neither finds a concept that can be tested.")
        return
    if not rows["is_fair"][0]:
        st.warning("They were not encoded on the same proteins, which may explain a part of the differences.")
    st.caption("Above the line: the other one finds it better. Click a point to open the concept.")
    event = st.altair_chart(
        versus(rows, left=left, right=right),
        on_select="rerun",
        selection_mode=PICK,
        key="versus",
        alt="F1 of each concept for either SAE",
    )
    picked = event.selection.get(PICK, [])
    if picked:
        frame.current().go("concept", {"concept": picked[0]["concept"]})
    numbers = {
        "left_f1": f"F1 of {left}",
        "right_f1": f"F1 of {right}",
        "difference": "difference",
    }
    st.dataframe(
        rows.drop("is_fair").sort(pl.col("difference").abs(), descending=True, maintain_order=True),
        hide_index=True,
        alt="Each concept with either SAE's best feature",
        column_config={
            **{name: st.column_config.NumberColumn(label, format="%.2f") for name, label in numbers.items()},
            "left_feature": f"feature of {left}",
            "right_feature": f"feature of {right}",
            "left_found": f"found by {left}",
            "right_found": f"found by {right}",
        },
    )


def _later() -> None:
    tables = "select table_name from information_schema.tables"
    there = frame.current().reader.rows(tables)["table_name"].to_list()
    missing = [name for name in ("feature_pairs", "pair_evidence") if name not in there]
    if missing:
        st.caption(
            "Matched and co-active features are shown here once the warehouse has their tables "
            f"({', '.join(missing)})."
        )


if __name__ == "__main__":  # as Streamlit runs a page
    show()
