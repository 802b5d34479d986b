"""What the dashboard reads, against an oracle in numpy: on random proteomes and on the demo."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
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

pytestmark = pytest.mark.slow

SAE = harness.SAE
PAIR = (
    "concept", "feature", "threshold",
    "valid_f1_per_domain", "valid_precision", "valid_recall_per_domain",
    "test_f1_per_domain", "test_precision", "test_recall_per_domain",
    "is_best", "is_testable", "is_found",
)  # fmt: skip
TRACK = "select position, amino_acid, value, activation from protein_activations($e, $a) where feature = $f"


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
    return expected.facts(con, SAE, heldout=pairs, presence=world.presence)


def scores_of(world: World) -> list[Row]:
    names = ("split", "concept", "feature", "threshold")
    return [
        {"sae": SAE, **dict(zip(names, key, strict=True)), **measures}
        for key, measures in oracle.f1(world).items()
    ]


# Every example is a build: making a failing one smaller would take minutes.
@given(world=worlds(), data=st.data())
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_macros_are_those_of_the_oracle_on_random_proteomes(world: World, data: st.DataObject) -> None:
    source = "all" if world.scale is None else "checkpoint"
    with connect(world) as con:
        harness.build(con, presence=world.presence, scale_source=source)
        for file in sqlfile.build_order(sqlfile.load_folder("macros")):
            con.execute(create_macro(file))
        facts = scored_facts(con, world)
        names = [p.accession for p in world.proteins]
        some = data.draw(st.lists(st.sampled_from([*names, "no such"]), max_size=6))
        k, n = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 9))
        compare_proteins(con, facts, some, k=k, n=n)
        compare_features(con, facts, some, k=k, n=n)
        compare_concepts(con, facts, world, some, k=k)
        live = [
            (data.draw(st.sampled_from("st")), r, f, float(v))
            for (p, r, f), v in world.values.items()
            if p < 3
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
        found = answer(con, "from annotations_of($s, only_concept := $c)", c=concept, s=some)
        assert_rows(found, expected.annotations_of(facts, some, only=concept))
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
            found = answer(con, TRACK, **values, a=accession)
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
    assert all(
        (row[1], row[4]) == tuple(facts.proteins[row[0]][c] for c in ("name", "length")) for row in found
    )


# -- the demo ---------------------------------------------------------------------------------------

DEMO = "demo-sae"
Demo = tuple[duckdb.DuckDBPyConnection, Facts]


@pytest.fixture(scope="module")
def read_demo(demo_warehouse: Path) -> Iterator[Demo]:
    """The demo's warehouse and what is read from it, held-out pairs included."""
    with interplm_wh.open(demo_warehouse) as wh:
        yield wh.con, expected.facts(wh.con, DEMO)


@pytest.fixture(scope="module")
def telling(read_demo: Demo) -> list[int]:
    """Features that find a concept, an amino acid and nothing; one of few proteins; one that never is."""
    _, facts = read_demo
    stats = expected.stats(facts, DEMO)
    by_concept = sorted(feature for _, feature in facts.meanings)
    by_letter = sorted(feature for _, feature in facts.letters if (DEMO, feature) not in facts.meanings)
    rare = min(stats, key=lambda feature: stats[feature][0])
    never = min(set(range(facts.n_features[DEMO])) - set(stats))
    assert by_concept
    return sorted({*by_concept[:3], *by_letter[:1], rare, never, max(stats)})


def test_demo_features_are_those_of_the_oracle(read_demo: Demo, telling: list[int]) -> None:
    con, facts = read_demo
    some = sorted(facts.proteins, key=lambda a: (-facts.proteins[a]["length"], a))[:3]
    for feature in telling:
        values = {"e": DEMO, "f": feature}
        bins = answer(con, "from feature_bins($e, $f)", **values)
        assert_rows(bins, expected.feature_bins(facts, DEMO, feature))
        shown = [*some, *(row[3] for row in bins[::7])]
        for n in (1, 30, 200):
            found = answer(con, "from feature_strips($e, $f, $s, n_cells := $n)", **values, s=shown, n=n)
            assert_rows(found, expected.feature_strips(facts, DEMO, feature, shown, n))
        found = answer(con, "from feature_windows($e, $f, $s)", **values, s=shown)
        assert_rows(found, expected.feature_windows(facts, DEMO, feature, shown))
        for accession in shown[:4]:
            found = answer(con, TRACK, **values, a=accession)
            assert_rows(found, expected.feature_track(facts, DEMO, feature, accession))


def test_demo_landscape_is_that_of_the_oracle(read_demo: Demo) -> None:
    con, facts = read_demo
    for k in (5, 300, 5000):
        found = answer(con, "from feature_landscape($e, k := $k)", e=DEMO, k=k)
        assert_rows(found, expected.feature_landscape(facts, DEMO, k))
    for meaning in ("any", "concept", "none"):
        for lowest, highest in ((0, 100), (1, 10), (50, 20)):
            found = answer(
                con, "from features_where($e, meaning := $m, lowest := $l, highest := $h)",
                e=DEMO, m=meaning, l=lowest, h=highest,
            )  # fmt: skip
            assert_rows(found, expected.features_where(facts, DEMO, meaning, lowest, highest))
    found = answer(con, "from feature_meanings order by all")
    assert_rows(found, expected.feature_meanings(facts))


def test_demo_proteins_are_those_of_the_oracle(read_demo: Demo) -> None:
    con, facts = read_demo
    by_length = sorted(facts.proteins, key=lambda a: (facts.proteins[a]["length"], a))
    some = [*by_length[:2], *by_length[-3:], by_length[len(by_length) // 2]]
    for n_lanes in (1, 4, 12):
        asked = "from annotations_of($s, n_lanes := $n, most := 1000000)"
        found = answer(con, asked, s=by_length, n=n_lanes)
        assert_rows(found, expected.annotations_of(facts, by_length, n_lanes))
    for concept in facts.concepts:
        found = answer(con, "from annotations_of($s, only_concept := $c)", c=concept, s=by_length[::3])
        assert_rows(found, expected.annotations_of(facts, by_length[::3], only=concept))
    for accession in some:
        for known in (False, True):
            found = answer(
                con, "from protein_heatmap($e, $a, known_first := $f)", e=DEMO, a=accession, f=known
            )
            assert_rows(found, expected.protein_heatmap(facts, DEMO, accession, known_first=known))
        for position in (1, facts.proteins[accession]["length"] // 2, facts.proteins[accession]["length"]):
            found = answer(con, "from residue_features($e, $a, $r)", e=DEMO, a=accession, r=position)
            assert_rows(found, expected.residue_features(facts, DEMO, accession, position))
            assert found
    for text in ("", "demo00001", "ABC TRANSPORTER 1", "zinc", "_", "%", "'"):
        found = ask(con, "dashboard", "protein_search", sae=DEMO, text=text)
        assert_rows(found, expected.protein_search(facts, DEMO, text))


def test_demo_concepts_are_those_of_the_oracle(read_demo: Demo) -> None:
    con, facts = read_demo
    support, scores = expected.read(con, "concept_support"), expected.read(con, "concept_f1")
    scored = {row["concept"] for row in expected.read(con, "scored_concepts") if row["sae"] == DEMO}
    for text in ("", "zinc", "ANY"):
        found = answer(con, "from concept_list($e, wanted := $t)", e=DEMO, t=text)
        assert_rows(found, expected.concept_list(facts, DEMO, support, scored, text))
    best = {h["concept"]: h for h in facts.heldout if h["sae"] == DEMO and h["is_best"]}
    n_of = dict.fromkeys(("hit", "missed", "false alarm"), 0)
    for concept, pair in list(best.items())[::4]:
        found = answer(con, "from concept_curve($e, $c)", e=DEMO, c=concept)
        assert_rows(found, expected.concept_curve(scores, DEMO, concept))
        assert found[0][0] == pair["feature"]
        for split in ("valid", "test", "train"):
            values = {"c": concept, "f": pair["feature"], "t": pair["threshold"], "s": split}
            found = answer(con, "from concept_cases($e, $c, $f, $t, $s)", e=DEMO, **values)
            cases = expected.concept_cases(facts, DEMO, concept, values["f"], values["t"], split)
            assert_rows(found, cases)
            for outcome, *_ in found:
                n_of[outcome] += 1
    assert min(n_of.values()) > 5


def test_demo_saes_side_by_side_are_those_of_the_oracle(read_demo: Demo) -> None:
    con, facts = read_demo
    for left, right in ((DEMO, "demo-neurons"), ("demo-neurons", DEMO), (DEMO, DEMO), (DEMO, "none")):
        found = answer(con, "from saes_side_by_side($l, $r)", l=left, r=right)
        assert_rows(found, expected.saes_side_by_side(facts, left, right))
        assert found


def test_demo_counts_and_lists_are_those_of_the_tables(read_demo: Demo) -> None:
    con, facts = read_demo
    (counts,) = ask(con, "dashboard", "warehouse_counts")
    n_concepts = sum(c["source"] != "sequence" for c in facts.concepts.values())
    lengths = [len(p["sequence"]) for p in facts.proteins.values()]
    assert counts == (len(lengths), sum(lengths), len(facts.annotations), n_concepts, 1, 4)
    every = [DEMO, "demo-neurons", "demo-sae-amino-acids", "demo-sae-position"]
    assert [row[0] for row in ask(con, "dashboard", "built_saes")] == every
    assert [row[0] for row in ask(con, "dashboard", "sae_quality")] == every


def test_a_demo_protein_asked_as_a_sequence_is_nearest_to_itself(read_demo: Demo) -> None:
    con, facts = read_demo
    accession, protein = next(iter(sorted(facts.proteins.items())))
    cells = zip(*facts.values[DEMO, protein["protein_id"]], strict=True)
    live = [("s", int(position), int(feature), float(value)) for position, feature, value in cells]
    columns = list(zip(*live, strict=True))
    kinds = (pa.string(), pa.int32(), pa.int32(), pa.float32())
    arrays = [pa.array(c, kind) for c, kind in zip(columns, kinds, strict=True)]
    names = ["sequence", "position", "feature", "value"]
    con.register("live_activations", pa.table(arrays, names=names))
    file = sqlfile.load("live", "live_features")
    con.register("live_features", con.sql(file.sql, params={"sae": DEMO}).to_arrow_table())
    assert_rows(ask(con, "live", "live_features", sae=DEMO), expected.live_features(facts, DEMO, live))
    asked = {"sequence": "s", "length": protein["length"], "k": 30, "n_cells": 50}
    found = ask(con, "live", "live_cells", sae=DEMO, **asked)
    assert_rows(found, expected.live_cells(facts, DEMO, live, **asked))
    heatmap = answer(con, "from protein_heatmap($e, $a, k := 30, n_cells := 50)", e=DEMO, a=accession)
    assert_rows(found, heatmap)
    near = ask(con, "live", "live_neighbours", sae=DEMO, sequence="s", k=1000)
    compare_neighbours(near, expected.live_neighbours(facts, DEMO, live, sequence="s"), facts)
    assert near[0][:3:2] == (accession, pytest.approx(100))
    con.unregister("live_features")
    con.unregister("live_activations")
