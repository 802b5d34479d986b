"""The scoring tables against what the reference implementation gives on the same activations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import harness

N_FEATURES = 256
# The spans of the reference are read literally: rows that share `instance` within one accession and
# concept are one instance, a row without is one by itself.
CONCEPTS = """
select 19 + row_number() over (order by concept) as concept_id, concept, category, level, 'uniprot' as source
from (select distinct concept, category, level from read_csv($file, all_varchar = true))
"""
ANNOTATIONS = """
with numbered as (
    select *, row_number() over (order by accession, concept, start::integer, stop::integer) as n
    from read_csv($file, all_varchar = true)
)
select
    n as annotation_id,
    dense_rank() over (order by s.accession, s.concept, coalesce(s.instance, 'row ' || n)) as instance_id,
    p.protein_id, c.concept_id, s.start::integer as start, s.stop::integer as stop
from numbered as s
inner join proteins as p on s.accession = p.accession
inner join concepts as c on s.concept = c.concept
"""
PROTEINS = """
select
    (row_number() over (order by accession) - 1)::integer as protein_id,
    accession, sequence, length(sequence)::integer as length, split, false as is_private, 0 as sample_key
from read_csv($file)
"""
ACTIVATIONS = """
select 'a' as sae, p.protein_id, a.position, a.feature, a.value
from read_parquet($file) as a inner join proteins as p on a.accession = p.accession
order by all
"""


@pytest.fixture(scope="module")
def built(golden: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables of the golden proteome, scored in three blocks of proteins."""
    con = harness.connect(
        {
            "concepts": harness.letter_concepts(),
            "thresholds": harness.thresholds(0, 0.15, 0.5, 0.6, 0.8),
            "settings": harness.settings(min_residues=500, min_domains=15),
            "saes": [{"min_value": 0.0, "n_features": N_FEATURES}],
            "sae_features": [{"feature": i} for i in range(N_FEATURES)],
        }
    )
    spans = str(golden / "annotations.csv.gz")
    read(con, "proteins", PROTEINS, str(golden / "proteins.csv.gz"))
    read(con, "concepts", CONCEPTS, spans)
    read(con, "annotations", ANNOTATIONS, spans)
    read(con, "activations", ACTIVATIONS, str(golden / "activations.parquet"))
    con.execute("insert into coverage by name select 'uniprot' as source, protein_id from proteins")
    harness.encode_all(con)
    harness.build(con, blocks=[(0, 99), (100, 199), (200, 299)])
    with con:
        yield con


def read(con: duckdb.DuckDBPyConnection, table: str, sql: str, file: str) -> None:
    """Fill a table from a golden file."""
    con.execute(f"insert into {table} by name {sql}", {"file": file})


def test_counts_are_exactly_those_of_the_reference(built: duckdb.DuckDBPyConnection, golden: Path) -> None:
    ours = "select split, concept, feature, threshold, tp, fp, coalesce(tp_per_domain, 0) from concept_f1"
    theirs = (
        "select split, concept, feature, threshold::decimal(4, 2)::double, tp, fp, tp_per_domain "
        f"from '{golden / 'expected_counts.parquet'}'"
    )
    assert built.sql(f"select count(*) from ({ours})").fetchall() == [(48_320,)]
    assert built.sql(f"{ours} except {theirs}").fetchall() == []
    assert built.sql(f"{theirs} except {ours}").fetchall() == []


def test_f1_is_that_of_the_reference_where_it_counts_the_same_instances(
    built: duckdb.DuckDBPyConnection, golden: Path
) -> None:
    measures = ["precision", "recall", "recall_per_domain", "f1", "f1_per_domain"]
    apart = ", ".join(f'max(abs(o."{m}" - e."{m}"))' for m in measures)
    found = built.sql(
        f"select count(*), {apart} from concept_f1 as o inner join '{golden / 'expected_f1.parquet'}' as e "
        "on o.split = e.split and o.concept = e.concept and o.feature = e.feature "
        "and o.threshold = e.threshold::decimal(4, 2)::double where e.same_denominator"
    ).fetchall()[0]
    n_rows, *errors = found
    assert n_rows > 10_000
    assert max(errors) < 1e-6


@pytest.fixture(scope="module")
def tracker(golden: Path) -> dict[str, Any]:
    """Per feature, what the reference tracks over proteins."""
    found: dict[str, Any] = json.loads((golden / "feature_tracker_normalized.json").read_text())
    return found


def test_top_proteins_are_those_of_the_reference(
    built: duckdb.DuckDBPyConnection, tracker: dict[str, Any]
) -> None:
    found = harness.rows(built, "max_examples", "feature", "rank", "accession", "activation")
    for feature, heap in enumerate(tracker["max_heap"]):
        ours = [(activation, accession) for f, _, accession, activation in found if f == feature]
        assert [a for a, _ in ours] == pytest.approx([a for a, _ in heap], abs=1e-6)
        lowest = min((a for a, _ in heap), default=0)
        # Proteins that tie for the last place may be others.
        assert {p for a, p in ours if a > lowest} == {p for a, p in heap if a > lowest}


def test_proteins_are_in_the_bins_of_the_reference(
    built: duckdb.DuckDBPyConnection, tracker: dict[str, Any]
) -> None:
    kept = harness.rows(built, "quantile_examples", "feature", "bin_low", "accession")
    binned = built.sql(
        "select f.feature, p.accession, case when f.activation <= 0.4::float then 0.0 "
        "when f.activation <= 0.8::float then 0.4 else 0.8 end::double "
        "from protein_features as f inner join proteins as p on f.protein_id = p.protein_id"
    ).fetchall()
    for feature, bins in enumerate(tracker["quantiles"]):
        for name, theirs in bins.items():
            low = float(name.split("-")[0])
            assert {p for f, p, b in binned if (f, b) == (feature, low)} == set(theirs)
            ours = {p for f, b, p in kept if (f, b) == (feature, low)} & set(theirs)
            assert len(ours) == min(10, len(theirs))


def test_stats_are_those_of_the_reference(built: duckdb.DuckDBPyConnection, tracker: dict[str, Any]) -> None:
    found = harness.rows(
        built, "feature_stats", "feature", "n_proteins", "pct_proteins", "avg_pct_residues_when_present"
    )
    assert [n for _, n, _, _ in found] == tracker["proteins_with_activation"]
    assert [pct for _, _, pct, _ in found] == pytest.approx(tracker["pct_proteins_with_activation"])
    theirs = tracker["avg_pct_activated_when_present"]
    assert [avg or 0.0 for *_, avg in found] == pytest.approx(theirs, abs=1e-6)


def test_dead_features_have_no_scores(built: duckdb.DuckDBPyConnection) -> None:
    dead = harness.rows(built, "features", "feature", where="max_activation = 0")
    assert dead == [(feature,) for feature in range(8)]
    assert harness.rows(built, "concept_f1", "feature", where="feature < 8") == []
