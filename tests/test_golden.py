"""The whole way, by the commands, equals the reference implementation's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import interplm_wh
from interplm_wh import build, commands, store
from interplm_wh.ask import report, verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = store.init(tmp_path_factory.mktemp("golden") / "w")
    commands.add_proteins(path, [golden / "proteins.csv.gz"])
    commands.add_annotations(path, [golden / "annotations.csv.gz"], source="golden")
    commands.add_activations(path, golden / "activations.parquet", sae="golden", n_features=256)
    # The reference kept concepts with more than 500 residues or more than 15 instances.
    build.build(path, min_residues=500, min_domains=15)
    return path


COUNTS = """
with
expected as (
    select split, concept, feature, threshold::decimal(4, 2) as threshold, tp, fp, tp_per_domain
    from read_parquet($file)
),
ours as (
    select split, concept, feature, threshold::decimal(4, 2) as threshold, tp, fp, coalesce(tp_per_domain, 0)
    from concept_f1
)
select
    (select count(*) from ours) as n,
    (select count(*) from (from ours except from expected)) as n_ours_only,
    (select count(*) from (from expected except from ours)) as n_expected_only
"""

F1 = """
select
    count(*) as n,
    max(greatest(
        abs(o.precision - e.precision), abs(o.recall - e.recall),
        abs(o.recall_per_domain - e.recall_per_domain), abs(o.f1 - e.f1),
        abs(o.f1_per_domain - e.f1_per_domain)
    )) as largest
from concept_f1 as o
join read_parquet($file) as e
    on o.split = e.split and o.concept = e.concept and o.feature = e.feature
    and o.threshold::decimal(4, 2) = e.threshold::decimal(4, 2)
where e.same_denominator
"""


def test_counts_are_exactly_those_of_the_reference(built: Path, golden: Path) -> None:
    with interplm_wh.open(built) as wh:
        (row,) = wh.sql(COUNTS, {"file": str(golden / "expected_counts.parquet")}).to_pylist()
    assert row == {"n": 48_320, "n_ours_only": 0, "n_expected_only": 0}


def test_f1_is_that_of_the_reference(built: Path, golden: Path) -> None:
    with interplm_wh.open(built) as wh:
        (row,) = wh.sql(F1, {"file": str(golden / "expected_f1.parquet")}).to_pylist()
    assert row["n"] > 10_000
    assert row["largest"] < 1e-6


def test_top_proteins_bins_and_shares_are_those_of_the_tracker(built: Path, golden: Path) -> None:
    tracker = json.loads((golden / "feature_tracker_normalized.json").read_text())
    with interplm_wh.open(built) as wh:
        stats = wh.sql("from feature_stats order by feature").to_pydict()
        shares = tracker["pct_proteins_with_activation"]
        assert stats["n_proteins"] == [int(n) for n in tracker["proteins_with_activation"]]
        assert stats["pct_proteins"] == pytest.approx(shares, abs=1e-4)
        ours = [value or 0.0 for value in stats["avg_pct_residues_when_present"]]
        assert ours == pytest.approx(tracker["avg_pct_activated_when_present"], abs=1e-4)
        top: dict[int, list[float]] = {feature: [] for feature in range(256)}
        for row in wh.sql("from max_examples order by feature, rank").to_pylist():
            top[row["feature"]].append(row["activation"])
        for feature, heap in enumerate(tracker["max_heap"]):
            assert top[feature] == pytest.approx([value for value, _ in heap], abs=1e-6), feature


def test_everything_checks_and_a_second_build_does_nothing(built: Path) -> None:
    assert verify(built).is_sound
    again = build.build(built)
    assert again.rebuilt == again.appended == ()
    (one,) = report(built).saes
    assert one.summary["n_concepts"] + 20 >= len(one.pairs) > 40
