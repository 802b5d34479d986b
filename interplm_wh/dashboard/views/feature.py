"""One feature: what it is, how strong, in which residues, on which proteins."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from interplm_wh.dashboard import (
    evidence,
    examples,
    frame,
    relatives,
    steering,
    stepping,
    structural,
    words,
)  # fmt: skip
from interplm_wh.dashboard.charts.feature import amino_acids, histogram

TITLE, ADDRESS, ICON = "Feature", "feature", ":material/blur_on:"
_STRONGEST = "strongest"
_STATS = "from feature_stats where sae = $sae and feature = $feature"
_LETTERS = "from feature_amino_acids where sae = $sae and feature = $feature order by amino_acid"
_HISTOGRAM = "from activation_histogram where sae = $sae and feature = $feature order by bin_low"
_CONCEPTS = "from feature_concepts($sae, $feature)"
_EVIDENCE = "from pair_evidence where sae = $sae and feature = $feature"
_SHAPE = "from feature_shapes where sae = $sae and feature = $feature"
_CLUSTER = (
    "select p.cluster, c.n_members, c.label from feature_map as p inner join feature_clusters($sae) as c "
    "on p.cluster = c.cluster where p.sae = $sae and p.feature = $feature"
)
_LOOKS = {
    "point": "single residues", "short motif": "short motifs", "long stretch": "long stretches",
    "whole protein": "whole proteins", "periodic": "residues in a rhythm",
}  # fmt: skip
_PREFERRED = 1.5  # times as often as in all residues, from which a letter is named
_PERIOD_ALONE = 50  # percent of the distances, up to which the next commonest is said too
_ENOUGH = 5  # residues of a letter, from which it is named
_PRESENCE = "select value::double as cut from settings where setting = 'presence'"


def show() -> None:
    """Draw the page."""
    sae = frame.current().sae
    if sae is None:
        frame.no_sae()
        return
    feature, chosen = stepping.choose(sae)
    values = {"sae": sae["sae"], "feature": feature}
    reader = frame.current().reader
    stats = reader.row(_STATS, values)
    st.title(f"Feature {feature}")
    if stats is None or not stats["n_proteins"]:
        st.info(
            f"Feature {feature} of {frame.plain(sae['sae'])} is not present on any protein of this warehouse."
        )
        return
    letters = reader.rows(_LETTERS, values)
    st.markdown(_said(stats, values, letters))
    presence = reader.row(_PRESENCE) or {}
    among = "" if feature in chosen else ", this one does not"
    st.caption(
        f"{frame.counted(len(chosen), 'feature')} pass the filters{among}. Present: activation above "
        f"{presence['cut']:g}, where 1 is the scale of the feature (raw {stats['max_activation']:.4g})."
    )
    words.show(values)
    left, right = st.columns(2)
    with left:
        st.subheader("How strongly it is active")
        st.altair_chart(
            histogram(
                reader.rows(_HISTOGRAM, values), highest=max(_strongest(values)["activation"], default=0.0)
            ),
            alt="Number of residues at each activation",
        )
    with right:
        st.subheader("In which amino acids")
        st.altair_chart(
            amino_acids(letters), alt="How much more often than elsewhere each amino acid has the feature"
        )
    _proteins(values)
    _concepts(values)
    structural.show(values)
    relatives.show(values)
    steering.show(values)


def _said(stats: dict[str, Any], values: dict[str, Any], letters: pl.DataFrame) -> str:
    """Return what there is to say of it in a few sentences."""
    said = [
        f"Present on **{stats['pct_proteins']:.2f} %** of the proteins ({stats['n_proteins']:,}), "
        f"and there on **{stats['avg_pct_residues_when_present']:.1f} %** of the residues."
    ]
    said += _said_of_shape(values)
    preferred = letters.filter(pl.col("enrichment") >= _PREFERRED, pl.col("n_residues") >= _ENOUGH).sort(
        "enrichment", descending=True
    )
    if len(preferred):
        named = ", ".join(
            f"**{frame.plain(r['amino_acid'])}** ({r['enrichment']:.1f} times)"
            for r in preferred.head(3).to_dicts()
        )
        said.append(f"It prefers {named}.")
    # The first is the best on valid; of it, what test says.
    rows = frame.current().reader.rows(_CONCEPTS, values)
    test = rows.filter(pl.col("split") == "test", pl.col("concept").is_in(rows["concept"].head(1).implode()))
    said.append(
        f"Of all concepts it marks **{frame.plain(test['concept'][0])}** best: "
        f"F1 {test['f1_per_domain'][0]:.2f} on held-out proteins."
        if len(test)
        else "It marks no concept that is annotated on held-out proteins."
    )
    return " ".join(said)


def _said_of_shape(values: dict[str, Any]) -> list[str]:
    """Return what it looks like along the sequence, and which features lie beside it."""
    reader = frame.current().reader
    said = []
    shape = reader.row(_SHAPE, values)
    if shape is not None and shape["shape"] in _LOOKS:
        what = f"Where it is strongest it marks **{_LOOKS[shape['shape']]}**"
        if shape["shape"] == "periodic":
            beside = shape["second_period"]
            both = shape["pct_period"] <= _PERIOD_ALONE and beside
            what += f", every **{shape['period']}{f' or {beside}' if both else ''}**"
        elif shape["shape"] != "point":
            what += f" ({shape['median_top_length']:g} residues)"
        said.append(f"{what}.")
    cluster = reader.row(_CLUSTER, values)
    if cluster is not None:
        named = f", **{frame.plain(cluster['label'])}**" if cluster["label"] else ""
        said.append(f"It is one of {cluster['n_members']:,} features of cluster {cluster['cluster']}{named}.")
    return said


def _proteins(values: dict[str, Any]) -> None:
    reader = frame.current().reader
    st.header("On which proteins")
    bins = reader.rows("from feature_bins($sae, $feature)", values)
    names = {_STRONGEST: "strongest"} | {
        _bin(r): _bin_name(r)
        for r in bins.select("bin_low", "bin_high").unique(maintain_order=True).to_dicts()
    }
    which = (
        st.segmented_control(
            "Proteins by their highest activation",
            list(names),
            default=_STRONGEST,
            key="bin",
            required=True,
            format_func=lambda key: names.get(key, key),
            bind="query-params",
            help="The strongest, or a draw from each range of activation: what a feature means should hold "
            "for weak ones too.",
        )
        or _STRONGEST
    )
    rows = (
        _strongest(values)
        if which == _STRONGEST
        else bins.filter(pl.concat_str("bin_low", pl.lit("-"), "bin_high") == which)
    )
    examples.show(values, rows)


def _strongest(values: dict[str, Any]) -> pl.DataFrame:
    return frame.current().reader.rows("from feature_examples($sae, $feature)", values)


def _bin(row: dict[str, Any]) -> str:
    return f"{row['bin_low']}-{row['bin_high']}"


def _bin_name(row: dict[str, Any]) -> str:
    low, high = row["bin_low"], row["bin_high"]
    if high == 0:
        return "without it"
    return f"above {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _concepts(values: dict[str, Any]) -> None:
    st.header("Concepts that it marks")
    rows = frame.current().reader.rows(_CONCEPTS, values)
    if not len(rows):
        st.caption("None that is annotated and scored in this warehouse.")
        return
    sides = {
        split: rows.filter(pl.col("split") == split).select(
            "concept",
            "threshold",
            pl.col("f1_per_domain").alias(f"F1 on {split}"),
            pl.col("precision").alias(f"precision on {split}"),
            pl.col("recall_per_domain").alias(f"recall on {split}"),
        )
        for split in ("valid", "test")
    }
    shown = sides["valid"].join(
        sides["test"].drop("threshold"), on="concept", how="left", maintain_order="left"
    )
    number = st.column_config.NumberColumn(format="%.2f")
    columns: dict[str, Any] = {name: number for name in shown.columns if name != "concept"}
    weighed = frame.current().reader.rows(_EVIDENCE, values)
    if len(weighed):
        ends = weighed.select("f1_low", "f1_high").iter_rows()
        sure = weighed.select(
            "concept",
            pl.Series("interval", [evidence.between(*pair) for pair in ends], pl.String),
            pl.col("q").alias("q_best"),
            pl.col("is_claimed").alias("is_concept_claimed"),
        )
        shown = shown.join(sure, on="concept", how="left", maintain_order="left")
        columns |= evidence.COLUMNS | evidence.OF_PAIRS
    row = frame.picked_row(
        shown,
        key=f"concepts-{values['feature']}",
        height=min(38 * (len(shown) + 1), 300),
        columns=columns,
        alt="F1, precision and recall of each concept, on valid and on test; a chosen row opens the concept",
    )
    st.caption(
        "The threshold is the best on valid; test is read at the same one. Choose a row to open the concept."
    )
    if row:
        frame.current().go("concept", {"concept": row["concept"]})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
