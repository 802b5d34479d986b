"""What the dashboard reads, against an oracle in numpy: on random proteomes and on the demo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import interplm_wh
from interplm_wh import sqlfile
from interplm_wh.store.catalogue import create_macro
from tests import dashboard_oracle as expected
from tests import harness, oracle
from tests.dashboard_oracle import Facts, Row
from tests.oracle import World
from tests.test_marts_oracle import connect, worlds

SAE = harness.SAE
PAIR = (
    "concept", "feature", "threshold",
    "valid_f1_per_domain", "valid_precision", "valid_recall_per_domain",
    "test_f1_per_domain", "test_precision", "test_recall_per_domain",
    "is_best", "is_testable", "is_found",
)  # fmt: skip


def answer(con: duckdb.DuckDBPyConnection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return rows in the order of the answer."""
    return con.execute(sql, values).fetchall()


def ask(con: duckdb.DuckDBPyConnection, folder: str, name: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a file."""
    file = sqlfile.load(folder, name)
    return con.execute(file.sql, file.bind(values)).fetchall()


def assert_rows(found: Sequence[tuple[Any, ...]], wanted: Sequence[tuple[Any, ...]]) -> None:
    """Compare rows in their order; numbers to the last bits, as sums may round differently."""
    assert len(found) == len(wanted), (found[:5], wanted[:5])
    for one, other in zip(found, wanted, strict=True):
        assert len(one) == len(other)
        assert all(is_same(a, b) for a, b in zip(one, other, strict=True)), (one, other)


def is_same(one: object, other: object) -> bool:
    """Whether two values are equal, decimals to 1e-7."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-7)
    return type(one) is type(other) and one == other


# -- random proteomes -------------------------------------------------------------------------------


def scored_facts(con: duckdb.DuckDBPyConnection, world: World) -> Facts:
    """The base tables of a world, with its held-out pairs as the oracle of the marts has them."""
    pairs = [{"sae": SAE, **dict(zip(PAIR, row, strict=True))} for row in oracle.heldout(world)]
    return expected.facts(con, heldout=pairs, presence=world.presence)


def scores_of(world: World) -> list[Row]:
    names = ("split", "concept", "feature", "threshold")
    return [
        {"sae": SAE, **dict(zip(names, key, strict=True)), **measures}
        for key, measures in oracle.f1(world).items()
    ]


# Every example is a build: making a failing one smaller would take minutes.
@given(world=worlds(), data=st.data())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_macros_are_those_of_the_oracle_on_random_proteomes(world: World, data: st.DataObject) -> None:
    source = "all" if world.scale is None else "checkpoint"
    with connect(world) as con:
        harness.build(con, presence=world.presence, scale_source=source)
        for file in sqlfile.load_folder("macros").values():
            con.execute(create_macro(file))
        facts = scored_facts(con, world)
        names = [p.accession for p in world.proteins]
        some = data.draw(st.lists(st.sampled_from([*names, "no such"]), max_size=6))
        k, n = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 9))
        compare_proteins(con, facts, some, k=k, n=n)
        compare_features(con, facts, some, k=k, n=n)
        compare_concepts(con, facts, world, some, k=k)
        live = [
            (data.draw(st.sampled_from("st")), r, f, float(v)) for (p, r, f), v in world.values.items() if p < 3
        ]
        compare_live(con, facts, list({row[:3]: row for row in live}.values()), k=k, n=n)


def compare_proteins(
    con: duckdb.DuckDBPyConnection, facts: Facts, some: Sequence[str], *, k: int, n: int
) -> None:
    """Compare what is asked of proteins."""
    assert_rows(
        answer(con, "from annotations_of($s, n_lanes := $k)", s=some, k=k),
        expected.annotations_of(facts, some, k),
    )
    for concept in ("Domain_any", "Active site", "amino_acid_A", "none"):
        found = answer(con, "from concept_spans($c, $s)", c=concept, s=some)
        assert_rows(found, expected.concept_spans(facts, concept, some))
    for accession in some:
        for known in (False, True):
            found = answer(
                con, "from protein_heatmap($e, $a, k := $k, n_cells := $n, known_first := $f)",
                e=SAE, a=accession, k=k, n=n, f=known,
            )  # fmt: skip
            assert_rows(found, expected.protein_heatmap(facts, SAE, accession, k, n, known))
        for position in (1, 2, 8):
            found = answer(con, "from residue_features($e, $a, $r)", e=SAE, a=accession, r=position)
            assert_rows(found, expected.residue_features(facts, SAE, accession, position))
    for text in ("", "X", "x1", "%", "no such"):
        found = ask(con, "dashboard", "protein_search", sae=SAE, text=text)
        assert_rows(found, expected.protein_search(facts, SAE, text))


def compare_features(
    con: duckdb.DuckDBPyConnection, facts: Facts, some: Sequence[str], *, k: int, n: int
) -> None:
    """Compare what is asked of features."""
    for feature in range(4):
        values = {"e": SAE, "f": feature}
        found = answer(con, "from feature_bins($e, $f)", **values)
        assert_rows(found, expected.feature_bins(facts, SAE, feature))
        found = answer(con, "from feature_strips($e, $f, $s, n_cells := $n)", **values, s=some, n=n)
        assert_rows(found, expected.feature_strips(facts, SAE, feature, some, n))
        found = answer(con, "from feature_windows($e, $f, $s, flank := $k)", **values, s=some, k=k)
        assert_rows(found, expected.feature_windows(facts, SAE, feature, some, k))
        for accession in some:
            found = answer(con, "from feature_track($e, $f, $a)", **values, a=accession)
            assert_rows(found, expected.feature_track(facts, SAE, feature, accession))
    assert_rows(
        answer(con, "from feature_landscape($e, k := $k)", e=SAE, k=k),
        expected.feature_landscape(facts, SAE, k),
    )
    for meaning in ("any", "concept", "none", "no such"):
        found = answer(con, "from features_where($e, meaning := $m, lowest := 20)", e=SAE, m=meaning)
        assert_rows(found, expected.features_where(facts, SAE, meaning, lowest=20))
    assert_rows(answer(con, "from feature_meanings order by all"), expected.feature_meanings(facts))


def compare_concepts(
    con: duckdb.DuckDBPyConnection, facts: Facts, world: World, some: Sequence[str], *, k: int
) -> None:
    """Compare what is asked of concepts."""
    columns = ("level", "n_residues", "n_domains", "n_proteins")
    support = [
        {"sae": SAE, "split": split, "concept": concept, **dict(zip(columns, row, strict=True))}
        for (split, concept), row in oracle.support(world).items()
    ]
    for text in ("", "SH3", "ACID_a", "no such"):
        found = answer(con, "from concept_list($e, wanted := $t)", e=SAE, t=text)
        assert_rows(found, expected.concept_list(facts, SAE, support, oracle.scored(world), text))
    scores = scores_of(world)
    for concept in ("Domain_SH3", "Motif_ours", "Active site", "amino_acid_A", "none"):
        found = answer(con, "from concept_curve($e, $c, k := $k)", e=SAE, c=concept, k=k)
        assert_rows(found, expected.concept_curve(scores, SAE, concept, k))
        for feature, cut in ((0, 0.0), (0, 0.6), (1, 0.15), (9, 0.5)):
            values = {"c": concept, "f": feature, "cut": cut, "s": "valid", "k": k}
            found = answer(con, "from concept_cases($e, $c, $f, $cut, $s, k := $k)", e=SAE, **values)
            assert_rows(found, expected.concept_cases(facts, SAE, concept, feature, cut, "valid", k))


def compare_live(
    con: duckdb.DuckDBPyConnection, facts: Facts, live: expected.Live, *, k: int, n: int
) -> None:
    """Compare what is said of sequences that were encoded just now."""
    con.execute(
        "create table live_activations (sequence varchar, position integer, feature integer, value float)"
    )
    if live:
        con.executemany("insert into live_activations values (?, ?, ?, ?)", live)
    file = sqlfile.load("live", "live_features")
    con.execute(f"create table live_features as {file.sql}", {"sae": SAE})
    assert_rows(ask(con, "live", "live_features", sae=SAE), expected.live_features(facts, SAE, live))
    for name in ("s", "t", "no such"):
        found = ask(con, "live", "live_cells", sae=SAE, sequence=name, length=8, k=k, n_cells=n)
        wanted = expected.live_cells(facts, SAE, live, sequence=name, length=8, k=k, n_cells=n)
        assert_rows(found, wanted)
        near = ask(con, "live", "live_neighbours", sae=SAE, sequence=name, k=100)
        compare_neighbours(near, expected.live_neighbours(facts, SAE, live, sequence=name), facts)


def compare_neighbours(
    found: Sequence[tuple[Any, ...]], wanted: dict[str, tuple[float, int]], facts: Facts
) -> None:
    """Compare neighbours; sums may round differently, so their order is that of their own numbers."""
    assert {row[0]: (row[2], row[3]) for row in found} == {
        accession: (pytest.approx(share, rel=1e-9), n) for accession, (share, n) in wanted.items()
    }
    assert [row[0] for row in found] == [row[0] for row in sorted(found, key=lambda row: (-row[2], row[0]))]
    assert all((row[1], row[4]) == tuple(facts.proteins[row[0]][c] for c in ("name", "length")) for row in found)
