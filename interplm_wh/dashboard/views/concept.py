"""One concept: the features that find it, how well, and which cases they hit and miss."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import evidence, examples, frame
from interplm_wh.dashboard.charts.curve import curves

TITLE, ADDRESS, ICON = "Concept", "concept", ":material/label:"
_CONCEPT, _BY = "concept", "by"
_MOST_CHOICES = 500
_MOST_FEATURES, _MOST_CURVES = 20, 8
_SUPPORT = "select split from concept_support where sae = $sae and concept = $concept and n_residues > 0"
_RULES = (
    "select rule, valid_f1_per_domain, test_f1_per_domain, gain, gain_low, gain_high, is_held, n_tried "
    "from feature_rules where sae = $sae and concept = $concept order by n_features"
)
_ENDS = ["gain_low", "gain_high"]
_OUTCOMES = {
    "missed": "Missed: annotated, not marked",
    "false alarm": "Marked, not annotated",
    "hit": "Hit: annotated and marked",
}
_SPLITS = {"test": "test (held out)", "valid": "valid (chosen on)"}


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    concept = _choose(sae["sae"])
    if concept is None:
        return
    st.title(frame.plain(concept["concept"]))
    _summary(sae["sae"], concept)
    values = {"sae": sae["sae"], "concept": concept["concept"]}
    reader = frame.current().reader
    rows = reader.rows("from concept_curve($sae, $concept, k := $k)", {**values, "k": _MOST_FEATURES})
    if not len(rows):
        name = frame.plain(sae["sae"])
        st.info(f"No feature of {name} is active where this is annotated on the split valid.")
        return
    split = (
        st.segmented_control(
            "Proteins",
            list(_SPLITS),
            default="test",
            format_func=_SPLITS.__getitem__,
            key="split",
            bind="query-params",
            required=True,
        )
        or "test"
    )
    there = reader.rows(_SUPPORT, values)["split"].to_list()
    feature, cut = _features(rows, split, has_test="test" in there)
    _rules(values)
    if split not in there:
        st.info(
            f"It is annotated on no protein of the split {split}, so that nothing can be said about features "
            "there."
        )
    elif concept["source"] == "sequence":
        st.caption("There are no cases to show: single amino acids are no instances.")
    else:
        _cases({**values, "feature": feature, "cut": cut, "split": split})


def _choose(sae: str) -> dict[str, Any] | None:
    reader = frame.current().reader
    (n_concepts,) = reader.rows("select count(*) as n from concepts")["n"]
    text = ""
    if n_concepts > _MOST_CHOICES:  # more than a browser can carry in one box
        text = st.text_input(
            "Search",
            key="search",
            bind="query-params",
            placeholder="a part of the name",
            help=f"There are {n_concepts:,} concepts. Of those with this in their name the {_MOST_CHOICES} "
            "with most instances can be chosen below.",
        )
    found = reader.rows(
        "from concept_list($sae, wanted := $text) limit $k",
        {"sae": sae, "text": text.strip(), "k": _MOST_CHOICES},
    )
    named = st.session_state.get(_CONCEPT) or st.query_params.get(_CONCEPT)
    if named is None and len(found):
        st.session_state[_CONCEPT] = _first(found)
    elif named is not None and not (found["concept"] == named).any():
        own = "from concept_list($sae, wanted := $named) where concept = $named"
        one = reader.rows(own, {"sae": sae, "named": named})
        if not len(one):
            nowhere = f"There is no concept {frame.plain(named)} in this warehouse."
            frame.refuse(_CONCEPT, nowhere, instead=_first(found))
        found = pl.concat([one, found])
    if not len(found):
        if text:
            st.info("No concept has this in its name.", icon=":material/search_off:")
        else:
            frame.nothing_yet("Nothing is annotated in this warehouse.", ["add annotations FILE", "build"])
        return None
    name = st.selectbox(
        "Concept",
        found["concept"].to_list(),
        key=_CONCEPT,
        bind="query-params",
        filter_mode="contains",
        help="Type a part of its name. Those with most instances come first.",
    )
    return found.row(by_predicate=pl.col("concept") == name, named=True)


def _first(found: pl.DataFrame) -> str | None:
    """Return the concept that is found best; a letter only where there is nothing else."""
    best = found.sort("valid_f1_per_domain", descending=True, nulls_last=True)
    kinds = best.filter(pl.col("source") != "sequence")["concept"].to_list()
    return next(iter([*kinds, *found["concept"]]), None)


def _summary(sae: str, concept: dict[str, Any]) -> None:
    counted = (
        f"{concept['n_instances']:,} instances on {concept['n_residues']:,} residues"
        if concept["n_instances"]
        else f"{concept['n_residues']:,} residues"
    )
    scored = "" if concept["is_scored"] else " It is too rare here to be scored."
    found = (
        f" Best found by **feature {concept['feature']}** at threshold {concept['threshold']:g}: "
        f"F1 {concept['valid_f1_per_domain']:.2f} on valid"
        + (
            f", **{concept['test_f1_per_domain']:.2f} on test**."
            if concept["test_f1_per_domain"] is not None
            else "."
        )
        if concept["feature"] is not None
        else ""
    )
    sure = evidence.sentence(sae, concept["concept"])
    st.markdown(f"{counted} of valid and test, from {frame.plain(concept['source'])}.{scored}{found} {sure}")


def _features(rows: pl.DataFrame, split: str, *, has_test: bool) -> tuple[int, float]:
    """Draw the features; returns the chosen one, and its threshold."""
    best = _best(rows, has_test=has_test)
    features = best["feature"].to_list()
    left, right = st.columns(2)
    with left:
        st.subheader("Precision and recall")
        st.altair_chart(
            curves(rows.filter(pl.col("split") == split, pl.col("place") <= _MOST_CURVES)),
            alt="Precision against recall of each feature, one point per threshold",
        )
    with right:
        st.subheader("Features, best on valid first")

        def look_at() -> None:
            picked = st.session_state["features"].selection.rows
            if picked:
                st.session_state[_BY] = features[picked[0]]

        st.dataframe(
            best.select(
                "feature",
                "threshold",
                "F1 on valid",
                "F1 on test",
                pl.col(f"precision on {split}").alias("precision"),
                pl.col(f"recall on {split}").alias("recall"),
            ),
            hide_index=True,
            height=360,
            on_select=look_at,
            selection_mode="single-row",
            key="features",
            column_config={
                name: st.column_config.NumberColumn(format="%.2f")
                for name in ("threshold", "F1 on valid", "F1 on test", "precision", "recall")
            },
            alt="Features that find the concept; a chosen row shows its cases",
        )
    frame.follow(_BY, features[0])
    chosen = st.selectbox(
        "Feature whose cases are shown",
        features,
        key=_BY,
        bind="query-params",
        help="One of the table, which chooses it, too.",
    )
    row = best.row(features.index(chosen) if chosen in features else 0, named=True)
    return int(row["feature"]), float(row["threshold"])


def _best(rows: pl.DataFrame, *, has_test: bool) -> pl.DataFrame:
    """Return each feature at its best threshold on valid; one that hits nothing on test has 0 there.

    Where nothing is annotated on test, nothing could be hit there: no number.
    """
    sides = [
        rows.filter(pl.col("is_chosen"), pl.col("split") == split).select(
            "feature",
            "threshold",
            pl.col("f1_per_domain").alias(f"F1 on {split}"),
            pl.col("precision").alias(f"precision on {split}"),
            pl.col("recall_per_domain").alias(f"recall on {split}"),
        )
        for split in _SPLITS
    ]
    test, valid = sides
    shown = valid.join(test.drop("threshold"), on="feature", how="left", maintain_order="left")
    return shown.with_columns(pl.col("F1 on test", "recall on test").fill_null(0.0)) if has_test else shown


def _rules(values: dict[str, Any]) -> None:
    """Draw the features that find it better together, where they were looked for."""
    rows = frame.current().reader.rows(_RULES, values)
    if not len(rows):
        return
    st.subheader("Features that find it better together")
    st.dataframe(
        rows.with_columns(
            pl.Series(
                "interval",
                [evidence.between(low, high, sign="+") for low, high in rows.select(_ENDS).iter_rows()],
                pl.String,
            )
        ).drop(_ENDS),
        hide_index=True,
        alt="Rules of two and three features with their F1 and their gain over the best single feature",
        column_config={
            "valid_f1_per_domain": st.column_config.NumberColumn("F1 on valid", format="%.2f"),
            "test_f1_per_domain": st.column_config.NumberColumn("F1 on test", format="%.2f"),
            "gain": st.column_config.NumberColumn(
                format="%+.3f", help="F1 on test less that of the best single feature."
            ),
            "interval": st.column_config.TextColumn("95 % interval", help="Of the gain."),
            "is_held": st.column_config.CheckboxColumn("holds", help="The interval is above 0."),
            "n_tried": st.column_config.NumberColumn("tried", format="localized", help="Rules, on valid."),
        },
    )


def _cases(values: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.subheader(f"What feature {values['feature']} hits and misses")
    rows = reader.rows("from concept_cases($sae, $concept, $feature, $cut, $split)", values)
    if not len(rows):
        st.caption("There are no cases to show: no protein of this split has it, or has the feature.")
        return
    if st.button(f"Open feature {values['feature']}", icon=":material/open_in_new:"):
        frame.current().go("feature", {"feature": values["feature"]})
    there = [outcome for outcome in _OUTCOMES if (rows["outcome"] == outcome).any()]
    frame.follow("cases", there[0])
    which = st.segmented_control(
        "Cases",
        list(_OUTCOMES),
        default=there[0],
        format_func=_OUTCOMES.__getitem__,
        key="cases",
        bind="query-params",
        required=True,
        help="Marked: the feature is active above the threshold.",
    )
    if which not in there:
        st.caption("There is no such protein.")
        return
    shown = rows.filter(pl.col("outcome") == which).drop("outcome")
    chosen = {name: values[name] for name in ("sae", "feature")}
    examples.show(chosen, shown, only=values["concept"])


if __name__ == "__main__":  # as Streamlit runs a page
    show()
