"""Two SAEs, layers or models side by side: what each finds, and how good it is."""

from __future__ import annotations

import shlex
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.versus import PICK, versus

TITLE, ADDRESS, ICON = "Compare", "compare", ":material/compare_arrows:"
_METRICS = (
    "select l0, variance_explained, pct_recovered_masked, pct_dead from sae_metrics "
    "where sae = $sae and evaluated_on = 'test'"
)
_MEASURES = {
    "architecture": "architecture",
    "plm": "PLM",
    "layer": "layer",
    "n_proteins": "proteins encoded",
    "n_features": "features",
    "n_concepts_found": "concepts found (F1 above 0.5 on valid and on test)",
    "n_concepts_claimed": "concepts on which it does better than chance would",
    "n_features_with_concept": "features that find one",
    "mean_best_test_f1": "mean F1 on test of each concept's best feature",
    "l0": "L0: active features per residue",
    "variance_explained": "variance explained (1: exact)",
    "pct_recovered_masked": "loss recovered on masked residues, % (100: the PLM guesses as well as before)",
    "pct_dead": "dead features, %",
}

_SIDES = {
    "left_found": "found by ",
    "right_found": "found by ",
    "left_feature": "feature of ",
    "right_feature": "feature of ",
}


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
            "There is one SAE only; its controls are good ones to compare with.",
            [frame.controls_command(sae)]
            if sae["role"] == "sae"
            else [frame.ADD_SAE, "encode --sae NAME", "build"],
        )
        return
    frame.follow("with", others[0]["sae"])
    other = st.selectbox(
        f"Compare {frame.plain(sae['sae'])} with",
        [row["sae"] for row in others],
        key="with",
        bind="query-params",
        help="The SAE on the left is the one that the sidebar names.",
    )
    _quality([sae, next(row for row in others if row["sae"] == other)])
    _concepts(sae["sae"], other)
    _features(sae["sae"], other)


def _quality(rows: list[dict[str, Any]]) -> None:
    """Draw what each is and how good it is, measure by measure."""
    reader = frame.current().reader
    facts = []
    for row in rows:
        summary = reader.row("from report_summary($sae)", {"sae": row["sae"]}) or {}
        if not summary.get("n_tested"):
            summary["n_concepts_claimed"] = None
        facts.append({**row, **summary, **(reader.row(_METRICS, {"sae": row["sae"]}) or {})})
    shown = pl.DataFrame(
        {
            "measure": list(_MEASURES.values()),
            **{str(i): [_shown(fact.get(name)) for name in _MEASURES] for i, fact in enumerate(facts)},
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        height="content",
        column_config={str(i): str(fact["sae"]) for i, fact in enumerate(facts)},
        alt="What either SAE is, and how good it is",
    )
    unmeasured = [fact["sae"] for fact in facts if fact.get("l0") is None and fact["plm"]]
    if unmeasured:
        st.caption("Sparsity and fidelity were not measured. In a terminal:")
        frame.command(*(f"evaluate --sae {shlex.quote(name)}" for name in unmeasured))


def _shown(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
    st.caption(
        f"Below the line {frame.plain(left)} finds it better, above it {frame.plain(right)}. "
        "Click a point, or choose a row, to open the concept."
    )
    event = st.altair_chart(
        versus(rows, left=left, right=right),
        on_select="rerun",
        selection_mode=PICK,
        key="versus",
        alt="F1 of each concept for either SAE",
    )
    picked = event.selection.get(PICK, [])
    numbers = {
        "left_f1": f"F1 of {left}",
        "right_f1": f"F1 of {right}",
        "difference": "difference",
    }
    row = frame.picked_row(
        rows.select("concept", *numbers, *_SIDES, "category").sort(
            pl.col("difference").abs(), descending=True, maintain_order=True
        ),
        key=f"concepts-{right}",
        alt="Each concept with either SAE's best feature; a chosen row opens the concept",
        columns={
            **{name: st.column_config.NumberColumn(label, format="%.2f") for name, label in numbers.items()},
            **{
                name: label + {"left": left, "right": right}[name.partition("_")[0]]
                for name, label in _SIDES.items()
            },
        },
    )
    if picked or row:
        frame.current().go("concept", {"concept": (row or picked[0])["concept"]})


def _features(left: str, right: str) -> None:
    """Draw the features of the left SAE with their matches in the right one."""
    st.header("Features")
    rows = frame.current().reader.rows("from features_matched($left, $right)", {"left": left, "right": right})
    if not len(rows):
        st.caption(
            "Which features of either are the same, by activation on the same residues? In a terminal:"
        )
        frame.command(f"cluster --sae {shlex.quote(left)} --with {shlex.quote(right)} --skip-map")
        return
    first = rows.row(0, named=True)
    st.markdown(
        f"**{first['n_matched']:,}** of {first['n_features']:,} features of {frame.plain(left)} have a match "
        f"beyond chance in {frame.plain(right)}, **{first['n_mutual']:,}** of them mutually: each is the "
        "other's best."
    )
    row = frame.picked_row(
        rows.select(
            "feature", "other_feature", "correlation", "standard_error", "null_mean", "q_value", "is_mutual",
            "concept", "other_concept",
        ),
        key=f"features-{right}",
        columns={
            "feature": f"feature of {left}",
            "other_feature": f"feature of {right}",
            "correlation": st.column_config.NumberColumn(format="%.2f"),
            "standard_error": st.column_config.NumberColumn("off by", format="%.2f"),
            "null_mean": st.column_config.NumberColumn("best by chance", format="%.2f"),
            "q_value": st.column_config.NumberColumn(format="%.3f"),
            "is_mutual": st.column_config.CheckboxColumn("mutual"),
            "concept": "it finds",
            "other_concept": "the other finds",
        },
        alt="Each feature with its best match in the other SAE; a chosen row opens the feature",
    )  # fmt: skip
    st.caption(
        f"Correlation of activations on a sample of {first['n_residues']:,} residues of "
        f"{first['n_proteins']:,} proteins that both encoded; by chance: with residues shifted along their "
        "protein. Choose a row to open the feature."
    )
    if row:
        frame.current().go("feature", {"feature": row["feature"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
