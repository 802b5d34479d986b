"""Plain sentences from the tables, and what they predict: what a language model has to beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import progress, sqlfile, store
from interplm_wh.ask.table import number
from interplm_wh.build import derived
from interplm_wh.errors import InputError
from interplm_wh.interpret import examples, keep
from interplm_wh.interpret.answers import SUMMARY_CHARACTERS, Words, plain
from interplm_wh.interpret.examples import Choice, Examples
from interplm_wh.interpret.session import Outcome
from interplm_wh.store.rows import dictionaries

SOURCE = "describe"
_FOUND = 0.5  # F1, as of a pair that is found
_FACTS = ("preferred_letters", "best_concepts", "best_words", "fact_values", "fact_cuts")
_SHAPES = {
    "point": "single residues", "short motif": "short motifs", "long stretch": "long stretches",
    "whole protein": "whole proteins", "periodic": "residues in a rhythm",
}  # fmt: skip


@dataclass(frozen=True)
class DescribeReport:
    """What was described.

    Attributes
    ----------
    sae : str
    n_features, n_scored, n_private : int
        Features; those of them with predictions; private proteins that were left out.
    median_r, median_balanced_accuracy : float or None
        Over the features that were described now.
    seconds : float
    """

    sae: str
    n_features: int
    n_scored: int
    n_private: int
    median_r: float | None
    median_balanced_accuracy: float | None
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        private = f"; {self.n_private:,} private proteins left out" if self.n_private else ""
        return [
            f"{self.sae}: {self.n_features:,} features described, {self.n_scored:,} scored on proteins that "
            f"were not shown{private}",
            f"median r of predicted with real activation {number(self.median_r)}, median balanced accuracy "
            f"{number(self.median_balanced_accuracy)}",
            f"kept in interpretations, as of {SOURCE}; {self.seconds:,.1f} s",
        ]


def describe(
    warehouse: str | Path, sae: str, *, features: Sequence[int] = (), sample: int | None = None, seed: int = 0
) -> DescribeReport:
    """Describe features by plain sentences from the tables, score them, and keep both.

    What is told, and what is predicted from it, is made without the proteins that it is scored on.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    features : sequence of int
        0-based; by default all that are present on five proteins or more that are not scored.
    sample : int, optional
        Draw so many of these instead.
    seed : int
        Of the draw.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or a feature is not there, dead, or nowhere to be shown.
    InputError
        If what is read is missing or older than the data, or features and a sample are asked for.
    """
    started = time.monotonic()
    if features and sample is not None:
        raise InputError("give features or a sample of them, not both")
    with store.open(warehouse) as wh:
        choice = examples.choose_features(wh, sae, features=features, sample=sample, seed=seed)
        found: dict[int, Examples] = {}
        outcomes: list[Outcome] = []
        _lay_runs(wh.con, choice)
        with progress.track(f"{choice.sae}: describing", total=len(choice.features), unit="features") as bar:
            for batch in examples.batches(choice):
                examples.lay(wh.con, choice, batch)
                outcomes += _outcomes(wh.con, choice, batch)
                found |= {one.feature: one for one in examples.fetch(wh.con)}
                bar.advance(len(batch))
    settings = {"sae": choice.sae, "features": list(features), "sample": sample, "seed": seed}
    with store.write(warehouse, command="describe", settings=settings) as tx:
        keep.register(tx, choice, SOURCE, outcomes, found)
        scored = tx.con.execute(
            "select count(*) filter (where status = 'scored'), median(pearson_r), median(balanced_accuracy) "
            "from interpretations where sae = ? and source = ? and list_contains(?, feature)",
            [choice.sae, SOURCE, list(choice.features)],
        ).fetchall()[0]
        tx.publish()
    return DescribeReport(
        choice.sae, len(outcomes), scored[0], choice.n_private, scored[1], scored[2],
        time.monotonic() - started,
    )  # fmt: skip


def _lay_runs(con: duckdb.DuckDBPyConnection, choice: Choice) -> None:
    """Make `shown_shapes`: the shapes of features by the rules of a build, without scored proteins."""
    values = {"sae": choice.sae, "features": list(choice.features)}
    derived.lay(con, "interpret", ["shown_runs"], values)
    con.execute("create or replace temp view feature_runs as from shown_runs")
    periods, shapes = (sqlfile.load("marts", name) for name in ("feature_periods", "feature_shapes"))
    con.execute(f"create or replace temp view feature_periods as {periods.sql}")
    con.execute(f"create or replace temp table shown_shapes as {shapes.sql}", shapes.bind(values))


def _outcomes(con: duckdb.DuckDBPyConnection, choice: Choice, features: Sequence[int]) -> list[Outcome]:
    """Describe the features whose examples are laid."""
    derived.lay(con, "interpret", _FACTS, {"sae": choice.sae, "features": list(features)})
    predicted: dict[int, dict[str, float]] = {}
    for feature, accession, value in con.execute(
        sqlfile.load("interpret", "described_predictions").sql
    ).fetchall():
        predicted.setdefault(feature, {})[accession] = value
    told = dictionaries(con, sqlfile.load("interpret", "told_facts").sql)
    return [
        Outcome(
            row["feature"],
            words_of(row),
            predictions=predicted.get(row["feature"]),
            reason=None if row["feature"] in predicted else "no protein of test is left to score on",
        )
        for row in told
    ]


def words_of(told: dict[str, Any]) -> Words:
    """Return the sentences of a row of `told_facts`."""
    parts = [_shape(told), _concept(told), _letters(told), _word(told)]
    known = [part for part in parts if part]
    said = [*(known or ["Nothing in the tables says what it is."]), _expected(told)]
    return Words(_summary(told), plain(" ".join(said)))


def _summary(told: dict[str, Any]) -> str:
    looks = _SHAPES.get(told["shape"] or "")
    where = f" ({looks})" if looks else ""
    if told["concept"] and told["f1_per_domain"] > _FOUND:
        what = told["concept"]
    elif told["letters"]:
        what = f"prefers {told['letters']}"
    elif told["word"]:
        what = f"proteins named {told['word']}"
    else:
        what = "nothing known"
    most = SUMMARY_CHARACTERS - len(where)
    said = plain(what)
    return (said if len(said) <= most else f"{said[: most - 1]}…") + where


def _shape(told: dict[str, Any]) -> str:
    looks = _SHAPES.get(told["shape"] or "")
    if looks is None:
        return ""
    if told["shape"] == "periodic":
        looks += f", every {told['period']}"
    elif told["shape"] in ("short motif", "long stretch"):
        looks += f" ({told['median_top_length']:g} residues)"
    return f"Where it is strongest it marks {looks}."


def _concept(told: dict[str, Any]) -> str:
    if not told["concept"]:
        return ""
    verb, best = ("marks", " best") if told["f1_per_domain"] > _FOUND else ("overlaps most with", "")
    f1 = f"F1 {told['f1_per_domain']:.2f} on valid"
    return f"Of the annotated concepts it {verb} {told['concept']}{best} ({f1})."


def _letters(told: dict[str, Any]) -> str:
    if not told["letters"]:
        return ""
    first = told["letters"].split(",")[0]
    return f"It prefers {told['letters']} ({first} {told['enrichment']:.1f} times as often as elsewhere)."


def _word(told: dict[str, Any]) -> str:
    if not told["word"]:
        return ""
    return f"It is strongest on proteins named {told['word']} ({told['n_carrying']} of those shown)."


def _expected(told: dict[str, Any]) -> str:
    if told["fact"] is None:
        return f"None of this tells on which proteins it is strong; {told['middle']:.2f} is expected on each."
    if told["fact"] == "letters":
        which = f"of which more than {100 * told['cut']:.1f} % is {told['letters']}"
    else:
        which = f"with {told['concept']}" if told["fact"] == "concept" else f"named {told['word']}"
    return f"Expected: {told['above']:.2f} on proteins {which}, {told['below']:.2f} on others."
