"""What was steered: at each position, for each amino acid and dose, beside controls, and what was sampled."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import frame, steering
from interplm_wh.dashboard.charts.steering import by_letter, by_position

TITLE, ADDRESS, ICON = "Steering", "steering", ":material/tune:"
_RUN, _DOSE = "run", "dose"
_RUNS = (
    "select run, features, how, doses, accession, is_private, positions, length, mask, n_controls, "
    "n_samples, layer, started, feature from steering_runs where sae = $sae order by started desc, run"
)
_SUMMARY = "from steering_summary($sae) where run = $run order by dose, is_touched desc"
_EFFECTS = "from steering_effects where sae = $sae and run = $run and dose = $dose order by position"
_LETTERS = "from steering_probabilities where sae = $sae and run = $run and dose = $dose order by all"
_MOVED = (
    "from steering_features where sae = $sae and run = $run and dose = $dose "
    "order by abs(mean_change) desc, read_sae, feature limit 200"
)
_WORTH = "from steering_worth($sae) where run = $run order by dose, feature"
_SAMPLES = "from steering_samples where sae = $sae and run = $run order by dose nulls first, sample, feature"
_NUMBER = st.column_config.NumberColumn(format="%.3f")
_SMALL = st.column_config.NumberColumn(format="%.4f")


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    st.title("What happens when features are set")
    runs = frame.current().reader.rows(_RUNS, {"sae": sae["sae"]})
    if not len(runs):
        name = frame.current().sae_name
        frame.nothing_yet(
            f"No feature of {frame.plain(sae['sae'])} was steered yet.",
            [f"steer --sae {name} --feature FEATURE --clamp 0,0.5,1,2 --protein ACCESSION --positions 1-5"],
        )
        return
    run = _choose(runs)
    values = {"sae": sae["sae"], "run": run["run"]}
    summary = frame.current().reader.rows(_SUMMARY, values)
    _said(run)
    _doses(run, summary)
    _closely(run, values, summary["dose"].unique(maintain_order=True).to_list())
    if run["n_samples"]:
        _samples(values)


def _choose(runs: pl.DataFrame) -> dict[str, Any]:
    """Draw the list of runs; returns the one that is looked at."""
    names = runs["run"].to_list()
    named = st.session_state.get(_RUN) or st.query_params.get(_RUN)
    if named is not None and named not in names:
        frame.refuse(_RUN, f"There is no run {frame.plain(str(named))} of this SAE.", instead=names[0])

    def look_at() -> None:
        picked = st.session_state["listed_runs"].selection.rows
        if picked:
            st.session_state[_RUN] = names[picked[0]]

    st.dataframe(
        runs.drop("feature").with_columns(pl.col("accession").fill_null(steering.GIVEN)),
        hide_index=True,
        height=min(38 * (len(runs) + 1), 240),
        on_select=look_at,
        selection_mode="single-row",
        key="listed_runs",
        column_config={"accession": "protein", "is_private": "private", "n_controls": "controls",
                       "n_samples": "samples"},
        alt="Runs, the newest first; a chosen row is looked at closely",
    )  # fmt: skip
    name = st.selectbox(
        "Run that is looked at",
        names,
        key=_RUN,
        bind="query-params",
        help="One of the list, which chooses it, too.",
    )
    return runs.row(by_predicate=pl.col("run") == name, named=True)


def _said(run: dict[str, Any]) -> None:
    what = "times its scale" if run["how"] == "clamp" else "times what it was"
    several = "," in run["features"]
    st.markdown(
        f"{'Features' if several else 'Feature'} **{run['features']}** set to the dose {what} in layer "
        f"{run['layer']}, at positions **{run['positions']}** of "
        f"**{frame.plain(run['accession'] or steering.GIVEN)}** ({run['length']:,} residues)."
    )
    if run["feature"] is not None and st.button("Open the feature", icon=":material/open_in_new:"):
        frame.current().go("feature", {"feature": run["feature"]})


def _doses(run: dict[str, Any], summary: pl.DataFrame) -> None:
    st.header("By dose, beside the controls")
    steering.curve(summary.with_columns(mask=pl.lit(run["mask"])))
    shown = summary.select(
        "dose",
        pl.when("is_touched").then(pl.lit("edited")).otherwise(pl.lit("not edited")).alias("positions"),
        "n_positions", "kl", "p_true_before", "p_true_after", "n_top_changed", "watched_kl", "control_median",
        "kl_percentile", "p_true_percentile",
    )  # fmt: skip
    percentile = st.column_config.NumberColumn(format="%.1f", help="Share of controls with a lower effect.")
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "n_positions": "measured", "kl": st.column_config.NumberColumn("divergence", format="%.3g"),
            "p_true_before": st.column_config.NumberColumn("P(residue) before", format="%.3f"),
            "p_true_after": st.column_config.NumberColumn("after", format="%.3f"),
            "n_top_changed": "likeliest changed",
            "watched_kl": st.column_config.NumberColumn(
                "beside controls", format="%.3g", help="Divergence where controls were compared, as drawn."
            ),
            "control_median": st.column_config.NumberColumn(
                "of controls", format="%.3g", help="The median of theirs, at the same positions."
            ),
            "kl_percentile": {**percentile, "label": "percentile"},
            "p_true_percentile": {**percentile, "label": "of the change of P"},
        },
        alt="Effect of each dose at edited positions and at the others",
    )  # fmt: skip


def _closely(run: dict[str, Any], values: dict[str, Any], doses: list[float]) -> None:
    st.header("By position")
    dose = doses[-1]
    if len(doses) > 1:
        dose = st.select_slider("Dose", doses, value=doses[-1], format_func="{:g}".format, key=_DOSE)
    asked = {**values, "dose": dose}
    reader = frame.current().reader
    effects, length = reader.rows(_EFFECTS, asked), run["length"]
    st.altair_chart(
        by_position(effects, length=length), alt="Divergence at each position; edited ones stand out"
    )
    st.altair_chart(
        by_letter(reader.rows(_LETTERS, asked), length=length, dark=frame.is_dark()),
        alt="Change in the probability of each amino acid at each position",
    )
    st.header("How far other features moved")
    moved = reader.rows(_MOVED, asked)
    if not len(moved):
        st.caption("No other SAE read along: `--read SAE`, of this layer or a later one.")
        return
    side = pl.when("is_touched").then(pl.lit("edited")).otherwise(pl.lit("not edited"))
    st.dataframe(
        moved.select(
            "read_sae", "feature", side.alias("positions"), "n_moved", "n_positions", "mean_before",
            "mean_after", "mean_change", "max_change", "position",
        ),
        hide_index=True,
        height=300,
        column_config={
            "read_sae": "SAE", "n_moved": "moved at", "n_positions": "of",
            "mean_before": {**_SMALL, "label": "mean before"}, "mean_after": {**_SMALL, "label": "after"},
            "mean_change": {**_SMALL, "label": "change"},
            "max_change": {**_NUMBER, "label": "largest change"}, "position": "where",
        },
        alt="Features of other layers, those that moved most first",
    )  # fmt: skip


def _samples(values: dict[str, Any]) -> None:
    st.header("Sequences sampled under steering")
    reader = frame.current().reader
    st.dataframe(
        reader.rows(_WORTH, values).drop("run"),
        hide_index=True,
        column_config={
            "n_samples": "samples",
            "plain_max_activation": st.column_config.NumberColumn(
                "highest activation without", format="%.3f"
            ),
            "max_activation": st.column_config.NumberColumn("with", format="%.3f"),
            "plain_mean_activation": st.column_config.NumberColumn("mean activation without", format="%.4f"),
            "mean_activation": st.column_config.NumberColumn("with ", format="%.4f"),
            "pct_raised": st.column_config.NumberColumn("raised in", format="%.0f %%"),
            "plain_perplexity": st.column_config.NumberColumn("perplexity without", format="%.1f"),
            "pseudo_perplexity": st.column_config.NumberColumn("with  ", format="%.1f"),
        },
        alt="Activation and perplexity of samples with and without steering",
    )
    st.caption(
        "Each sample stands beside one without steering that took the same random numbers; activation and "
        "pseudo-perplexity are those of the PLM as it is."
    )
    st.dataframe(
        reader.rows(_SAMPLES, values).select(
            pl.col("dose").cast(pl.String).fill_null("without steering"),
            "sample", "feature", "sequence", "n_changed", "pseudo_perplexity", "max_activation",
            "mean_activation",
        ),
        hide_index=True,
        height=300,
        column_config={
            "n_changed": "changed", "pseudo_perplexity": {**_NUMBER, "label": "perplexity"},
            "max_activation": {**_NUMBER, "label": "highest activation"},
            "mean_activation": {**_SMALL, "label": "mean activation"},
        },
        alt="Sampled sequences",
    )  # fmt: skip


if __name__ == "__main__":  # as Streamlit runs a page
    show()
