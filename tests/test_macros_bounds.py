"""At most 5,000 rows reach a chart and 50,000 cells a heat map, however much there is to draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl
import pytest

from interplm_wh import sqlfile
from interplm_wh.store import catalogue
from tests import harness

MOST, MOST_CELLS = 5_000, 50_000
GIANT, OTHERS = "P0", 39
LENGTH, OTHER_LENGTH = 35_000, 1_000
N_FEATURES, N_LONG = 6_000, 150
SPANS_OF_GIANT, SPANS_OF_OTHERS = 8_000, 300
ALL = [f"P{i}" for i in range(OTHERS + 1)]

PROTEINS = f"""
select i::integer as protein_id, 'P' || i as accession, length,
    repeat('A', length) as sequence, 'test' as split, false as is_private, i as sample_key
from (select i, case when i = 0 then {LENGTH} else {OTHER_LENGTH} end as length
      from range({OTHERS + 1}) as t (i))
"""
# Feature 0 is active everywhere, a hundred more in every cell of the giant, and all on its residue 5;
# the later a residue and a feature, the stronger.
ACTIVATIONS = f"""
with active as (
    select p.protein_id, r.position, 0 as feature
    from proteins as p, range(1, {LENGTH + 1}) as r (position) where r.position <= p.length
    union
    select 0, r.position, f.feature
    from range(1, {LENGTH + 1}, 80) as r (position), range({N_LONG}) as f (feature)
    union
    select 0, 5, f.feature from range({N_FEATURES}) as f (feature)
)
select '{harness.SAE}' as sae, protein_id::integer as protein_id, position::integer as position,
    feature::integer as feature, ((feature + 1 + position / 40000) / {N_FEATURES + 1})::float as value
from active
"""
STRONGEST = """
select sae, protein_id, feature, max(value) as activation, arg_max(position, value) as position,
    count(*)::integer as n_residues
from activations group by all
"""
# Spans grow by one residue each, so that no two of a protein are of one length; ten concepts in turn.
ANNOTATIONS = f"""
select (p.protein_id * 10000 + i)::integer as annotation_id, annotation_id as instance_id, p.protein_id,
    (20 + i % 10)::integer as concept_id, 1 as start, (i + 1)::integer as stop
from proteins as p, range({SPANS_OF_GIANT}) as t (i)
where i < case when p.protein_id = 0 then {SPANS_OF_GIANT} else {SPANS_OF_OTHERS} end
"""


def insert(con: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    con.execute(f"insert into {name} by name {query}")


@pytest.fixture(scope="module")
def crowded() -> duckdb.DuckDBPyConnection:
    """A giant protein full of annotations and features, among others that share them."""
    con = harness.connect({})
    features = f"from range({N_FEATURES}) as t (i)"
    insert(con, "proteins", PROTEINS)
    insert(
        con, "features", f"select 'a' as sae, i::integer as feature, 1::float as max_activation {features}"
    )
    insert(
        con,
        "concepts",
        "select (20 + i)::integer as concept_id, 'C' || i as concept, 'Domain' as category, "
        "'domain' as level, 'u' as source from range(10) as t (i)",
    )
    insert(con, "activations", ACTIVATIONS)
    insert(con, "protein_features", STRONGEST)
    insert(con, "annotations", ANNOTATIONS)
    insert(
        con,
        "feature_stats",
        f"select 'a' as sae, i::integer as feature, 1 as n_proteins, 1.0 as pct_proteins {features}",
    )
    for macro in sqlfile.build_order(sqlfile.load_folder("macros")):
        con.execute(catalogue.create_macro(macro))
    return con


def ask(con: duckdb.DuckDBPyConnection, call: str) -> pl.DataFrame:
    return con.sql(f"from {call}").pl()


def test_strips_of_many_proteins_have_fewer_cells_each(crowded: duckdb.DuckDBPyConnection) -> None:
    rows = ask(crowded, f"feature_strips('a', 0, {ALL})")
    cells = rows.group_by("accession").len()
    assert len(cells) == len(ALL)
    assert cells["len"].max() == MOST // len(ALL)
    assert 0.9 * MOST < len(rows) <= MOST
    assert rows.filter(pl.col("accession") == GIANT)["stop"].max() == LENGTH
    assert len(ask(crowded, f"feature_strips('a', 0, ['{GIANT}'])")) == 200


def test_more_proteins_than_rows_have_one_cell_each(crowded: duckdb.DuckDBPyConnection) -> None:
    rows = ask(crowded, f"feature_strips('a', 0, {ALL}, most := 20)")
    assert rows["accession"].to_list() == sorted(ALL)
    assert rows["start"].to_list() == [1] * len(ALL)


def test_wide_windows_of_many_proteins_become_narrower(crowded: duckdb.DuckDBPyConnection) -> None:
    assert len(ask(crowded, f"feature_windows('a', 1, ['{GIANT}'])")) == 61
    rows = ask(crowded, f"feature_windows('a', 0, {ALL}, flank := 200)")
    assert len(rows) <= MOST
    assert set(rows["accession"]) == set(ALL)
    assert rows["away"].min() == -((MOST // len(ALL) - 1) // 2)


def test_of_too_many_spans_the_longest_are_drawn(crowded: duckdb.DuckDBPyConnection) -> None:
    rows = ask(crowded, f"annotations_of(['{GIANT}'], n_lanes := 12)")
    lengths = rows["stop"] - rows["start"] + 1
    assert sorted(lengths) == list(range(SPANS_OF_GIANT - MOST + 1, SPANS_OF_GIANT + 1))
    assert set(rows["n_spans"]) == {SPANS_OF_GIANT}
    assert set(rows["n_concepts"]) == {10}


def test_proteins_with_few_spans_keep_them_beside_one_with_thousands(
    crowded: duckdb.DuckDBPyConnection,
) -> None:
    n_lanes = 2  # of ten concepts that have the same number of spans
    rows = ask(crowded, f"annotations_of({ALL}, n_lanes := {n_lanes})")
    counts = dict(rows.group_by("accession").len().iter_rows())
    few = SPANS_OF_OTHERS * n_lanes // 10
    assert [counts[name] for name in ALL[1:]] == [few] * OTHERS
    assert counts[GIANT] == min(SPANS_OF_GIANT * n_lanes // 10, MOST - OTHERS * few)
    assert len(ask(crowded, f"annotations_of({ALL}, n_lanes := 12)")) == MOST


def test_one_concept_is_drawn_in_the_first_lane_of_each_protein(crowded: duckdb.DuckDBPyConnection) -> None:
    rows = ask(crowded, f"annotations_of({ALL[:3]}, only_concept := 'C0')")
    assert set(rows["concept"]) == {"C0"}
    assert set(rows["lane"]) == {1}
    assert set(rows["accession"]) == set(ALL[:3])


def test_a_heat_map_of_many_features_has_wider_cells(crowded: duckdb.DuckDBPyConnection) -> None:
    usual = ask(crowded, f"protein_heatmap('a', '{GIANT}', k := 100)")
    rows = ask(crowded, f"protein_heatmap('a', '{GIANT}', k := {N_FEATURES})")
    assert max(len(usual), len(rows)) <= MOST_CELLS
    assert rows["feature"].n_unique() == N_FEATURES
    assert rows["stop"].max() == LENGTH
    strongest = (
        ask(crowded, "protein_features").filter(pl.col("protein_id") == 0).select("feature", "activation")
    )
    drawn = rows.group_by("feature").agg(pl.col("activation").max()).select("feature", "activation")
    assert drawn.sort("feature").equals(strongest.sort("feature"))


def test_of_one_residue_the_strongest_features_are_listed(crowded: duckdb.DuckDBPyConnection) -> None:
    rows = ask(crowded, f"residue_features('a', '{GIANT}', 5)")
    assert rows["feature"].to_list() == list(range(N_FEATURES - 1, N_FEATURES - 1 - MOST, -1))


def test_the_landscape_draws_at_most_so_many_features(crowded: duckdb.DuckDBPyConnection) -> None:
    assert len(ask(crowded, "feature_landscape('a')")) == MOST


def test_the_map_and_the_matches_draw_at_most_so_many_features(crowded: duckdb.DuckDBPyConnection) -> None:
    features = "range(6000) as t (i)"
    insert(
        crowded,
        "feature_map",
        "select 'a' as sae, i::integer as feature, 0::float as x, 0::float as y, 1 as cluster, "
        f"1::float as membership, '' as fingerprint from {features}",
    )
    insert(
        crowded,
        "sampled_pairs",
        "select 'a' as sae, 'matched' as kind, 'b' as other_sae, i::integer as feature, 1 as rank, "
        f"0 as other_feature, i / 6000 as value, i < 100 as is_mutual, i / 6000 as q_value from {features}",
    )
    assert len(ask(crowded, "feature_map_of('a')")) == MOST
    rows = ask(crowded, "features_matched('a', 'b')")
    assert rows["feature"].to_list() == list(range(5999, 5999 - MOST, -1))
    assert rows.select("n_features", "n_matched", "n_mutual").unique().rows() == [(6000, 300, 100)]


def test_two_saes_are_compared_on_the_concepts_that_either_finds_best() -> None:
    pairs = (
        "select sae, 'C' || lpad(i::varchar, 4, '0') as concept, i::integer as feature, 0.5 as threshold, "
        "(i / 7000)::double as test_f1_per_domain, true as is_best, true as is_testable, false as is_found "
        "from range(6000) as t (i), (values ('a'), ('b')) as s (sae)"
    )
    con = harness.connect({})
    insert(con, "heldout_pairs", pairs)
    insert(
        con,
        "concepts",
        "select distinct feature as concept_id, concept, 'x' as category, 'domain' as level, 'u' as source "
        "from heldout_pairs",
    )
    con.execute(catalogue.create_macro(sqlfile.load("macros", "saes_side_by_side")))
    rows = ask(con, "saes_side_by_side('a', 'b')")
    assert rows["left_feature"].to_list() == list(range(5999, 5999 - MOST, -1))


@pytest.fixture(scope="module")
def counted() -> duckdb.DuckDBPyConnection:
    """3,000 concepts that one feature finds, one of which 100 features find, at ten thresholds."""
    con = harness.connect(
        {
            "thresholds": harness.thresholds(*(i / 10 for i in range(10))),
            "settings": harness.settings(min_residues=0, min_domains=0),
            "saes": [{"sae": "a", "min_value": 0.0}],
        }
    )
    n_concepts = 3000
    concepts = f"from range({n_concepts}) as t (i)"
    splits = "(values (1, 'valid'), (2, 'test')) as s (n, split)"
    insert(
        con,
        "features",
        "select 'a' as sae, i::integer as feature, 1::float as max_activation from range(100) as t (i)",
    )
    insert(
        con,
        "concepts",
        "select i::integer as concept_id, 'C' || lpad(i::varchar, 4, '0') as concept, 'x' as category, "
        f"'domain' as level, 'u' as source {concepts}",
    )
    insert(
        con,
        "concept_support",
        "select 'a' as sae, split, 'C' || lpad(i::varchar, 4, '0') as concept, 'domain' as level, "
        f"1000 as n_residues, 10 as n_domains, 10 as n_proteins {concepts}, {splits}",
    )
    insert(
        con,
        "source_firing",
        "select 'a' as sae, 'u' as source, s.split, f.feature::integer as feature, t.threshold, "
        f"1000 - 50 * t.rank as n_residues from range(100) as f (feature), thresholds as t, {splits}",
    )
    hits = ", ".join(
        f"(600 - feature - 40 * {i} - 150 * band)::bigint as residues_{i}, "
        f"(10 - {i} // 2 - 3 * band)::bigint as domains_{i}"
        for i in range(1, 6)
    )
    insert(
        con,
        "concept_bands",
        f"select 'a' as sae, (i * 3 + s.n)::integer as label, feature, band, {hits} from ("
        f"select i, 0 as feature {concepts} union select 0, f from range(100) as g (f)) as c, "
        f"range(2) as b (band), {splits}",
    )
    for name in ("concept_curve", "concept_features", "feature_concepts"):
        con.execute(catalogue.create_macro(sqlfile.load("macros", name)))
    return con


def test_a_feature_of_thousands_of_concepts_lists_those_that_it_finds_best(
    counted: duckdb.DuckDBPyConnection,
) -> None:
    assert len(ask(counted, "feature_concepts('a', 0)")) == MOST
    assert len(ask(counted, "feature_concepts('a', 0, k := 7)")) == 2 * 7


def test_curves_have_two_splits_of_every_threshold_for_so_many_features(
    counted: duckdb.DuckDBPyConnection,
) -> None:
    assert len(ask(counted, "concept_curve('a', 'C0000')")) == 8 * 2 * 10
    rows = ask(counted, "concept_curve('a', 'C0000', k := 20)")
    assert rows["place"].unique().to_list() == list(range(1, 21))


def test_the_chosen_points_of_the_curves_are_the_features_of_the_concept(
    counted: duckdb.DuckDBPyConnection,
) -> None:
    columns = ["feature", "threshold", "f1_per_domain", "precision", "recall_per_domain", "tp", "fp"]
    curve = ask(counted, "concept_curve('a', 'C0000', k := 20)")
    for split in ("valid", "test"):
        listed = ask(counted, f"concept_features('a', 'C0000', wanted_split := '{split}')")
        points = curve.filter((pl.col("split") == split) & pl.col("is_chosen")).sort("place")
        assert points.select(columns).equals(listed.select(columns))


def live_rows(name: str, relations: Mapping[str, str], values: Mapping[str, Any]) -> pl.DataFrame:
    con = harness.connect({})
    insert(
        con,
        "features",
        "select 'a' as sae, i::integer as feature, 2::float as max_activation from range(40) as t (i)",
    )
    for relation, query in relations.items():
        con.execute(f"create table {relation} as {query}")
    file = sqlfile.load("live", name)
    return con.sql(file.sql, params=file.bind(values)).pl()


def test_the_heat_map_of_a_pasted_sequence_is_cut_into_cells() -> None:
    length = 6_000
    relations = {
        "live_activations": "select 's' as sequence, p::integer as position, f::integer as feature, "
        f"(f + p / 10000)::float as value from range(1, {length + 1}) as r (p), range(40) as g (f)",
        "live_features": "select 's' as sequence, f::integer as feature, f::float as activation, "
        "null::varchar as concept from range(40) as g (f)",
    }
    values = {"sae": "a", "sequence": "s", "length": length, "k": 30, "n_cells": 400}
    rows = live_rows("live_cells", relations, values)
    assert len(rows) == 30 * 400 <= MOST_CELLS
    assert rows["rank"].unique().to_list() == list(range(1, 31))
    last = rows.row(-1, named=True)  # feature 10, residues 5,986 to 6,000
    assert (last["feature"], last["start"], last["stop"]) == (10, 5_986, 6_000)
    assert last["activation"] == pytest.approx((10 + 0.6) / 2)


def test_every_macro_that_takes_proteins_or_many_rows_declares_its_bound() -> None:
    bounds = {"k", "most", "n_lanes"}
    charts = {
        "annotations_of", "concept_cases", "concept_curve", "feature_concepts", "feature_examples",
        "feature_landscape", "feature_map_of", "feature_strips", "feature_windows", "features_matched",
        "protein_heatmap", "residue_features", "saes_side_by_side",
    }  # fmt: skip
    for name in sorted(charts):
        given = {p.name: p.default for p in sqlfile.load("macros", name).params}
        assert bounds & set(given), name
        assert all(given[b] for b in bounds & set(given)), name
