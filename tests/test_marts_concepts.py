"""What the tables of concepts say of rows that can be counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pytest

from tests import harness

SH3, SITE, ANY, OTHER_ANY = 20, 21, 22, 23
CONCEPTS: list[dict[str, Any]] = [
    {"concept_id": SH3, "concept": "Domain_SH3", "level": "domain", "source": "uniprot"},
    {"concept_id": SITE, "concept": "Active site", "level": "residue", "source": "uniprot"},
    {"concept_id": ANY, "concept": "Domain_any", "level": "domain", "source": "uniprot"},
    {"concept_id": OTHER_ANY, "concept": "lab:Domain_any", "level": "domain", "source": "lab"},
]
Spans = Sequence[tuple[int, int, int, int, int]]


def built(
    proteins: Sequence[dict[str, Any]],
    spans: Spans,
    active: Mapping[tuple[int, int, int], float],
    *,
    thresholds: Sequence[float] = (0.0, 0.5),
    covered: Sequence[int] | None = None,
    scale: Mapping[int, float] | None = None,
    min_residues: int = 0,
    min_value: float = 0.0,
    unencoded: Sequence[int] = (),
) -> duckdb.DuckDBPyConnection:
    """Build the tables from spans (protein, concept, start, stop, instance) and values by place and feature.

    The scale is 1 for every feature unless it is given.
    """
    features = sorted({f for _, _, f in active} | set(scale or {}))
    ids = [p["protein_id"] for p in proteins]
    con = harness.connect(
        {
            "thresholds": harness.thresholds(*thresholds),
            "settings": harness.settings(min_residues=min_residues, min_domains=10**6),
            "saes": [{"min_value": min_value}],
            "sae_features": [{"feature": f, "checkpoint_max": (scale or {}).get(f, 1.0)} for f in features],
            "concepts": [*harness.letter_concepts(), *CONCEPTS],
            "proteins": proteins,
            "annotations": [
                {
                    "annotation_id": n,
                    "protein_id": p,
                    "concept_id": c,
                    "start": a,
                    "stop": b,
                    "instance_id": i,
                }
                for n, (p, c, a, b, i) in enumerate(spans)
            ],
            "coverage": [
                {"source": source, "protein_id": p}
                for source in ("uniprot", "lab")
                for p in (ids if covered is None else covered)
            ],
            "activations": [
                {"protein_id": p, "position": r, "feature": f, "value": np.float32(v)}
                for (p, r, f), v in sorted(active.items())
            ],
            "encodings": [
                {"protein_id": p["protein_id"], "n_residues": p["length"]}
                for p in proteins
                if p["protein_id"] not in unencoded
            ],
        }
    )
    harness.build(con, scale_source="checkpoint")
    return con


def counts(con: duckdb.DuckDBPyConnection, concept: int) -> list[tuple[Any, ...]]:
    """(split, feature, threshold, tp, tp_per_domain) of one concept."""
    return harness.rows(
        con, "concept_counts", "split", "feature", "threshold", "tp", "tp_per_domain",
        where=f"concept_id = {concept}",
    )  # fmt: skip


def test_a_feature_fires_strictly_above_a_threshold_and_floats_are_compared_with_floats() -> None:
    # 0.8 as FLOAT is 0.800000012, above 0.8 as DOUBLE: only a comparison of FLOAT with FLOAT says equal.
    active = {(0, 1, 0): 0.8, (0, 2, 0): float(np.nextafter(np.float32(0.8), np.float32(1)))}
    con = built([harness.protein(0, "AAAA")], [(0, SH3, 1, 4, 0)], active, thresholds=[0.8])
    assert counts(con, SH3) == [("valid", 0, 0.8, 1, 1)]


def test_the_division_is_rounded_to_float_before_it_is_compared() -> None:
    value, scale = np.float32(0.33), np.float32(0.55)
    ratio = float(np.float32(value / scale))
    con = built(
        [harness.protein(0, "AA")], [(0, SH3, 1, 2, 0)], {(0, 1, 0): float(value)},
        thresholds=[ratio], scale={0: float(scale)},
    )  # fmt: skip
    assert counts(con, SH3) == []


def test_overlapping_instances_share_residues_but_each_counts() -> None:
    # Spans 1..4 and 3..6: six residues, two instances. The feature fires on 3, in both.
    con = built([harness.protein(0, "AAAAAAAA")], [(0, SH3, 1, 4, 0), (0, SH3, 3, 6, 1)], {(0, 3, 0): 1.0})
    support = harness.rows(con, "concept_support", "n_residues", "n_domains", where="concept = 'Domain_SH3'")
    assert support == [(6, 2)]
    assert counts(con, SH3) == [("valid", 0, 0.0, 1, 2), ("valid", 0, 0.5, 1, 2)]


def test_the_spans_of_one_instance_are_hit_once() -> None:
    # One instance in two pieces, 1..2 and 7..8; it fires in both: 2 residues, 1 instance of 1.
    active = {(0, 2, 0): 1.0, (0, 7, 0): 1.0}
    con = built([harness.protein(0, "AAAAAAAA")], [(0, SH3, 1, 2, 5), (0, SH3, 7, 8, 5)], active)
    assert counts(con, SH3) == [("valid", 0, 0.0, 2, 1), ("valid", 0, 0.5, 2, 1)]
    support = harness.rows(con, "concept_support", "n_residues", "n_domains", where="concept = 'Domain_SH3'")
    assert support == [(4, 1)]


def test_each_threshold_counts_its_own_residues_and_instances() -> None:
    # Instances 1..2 and 3..4; 0.3 on 1, 0.9 on 3 and 4. Above 0: 3 residues, 2 instances. Above 0.5: 2, 1.
    active = {(0, 1, 0): 0.3, (0, 3, 0): 0.9, (0, 4, 0): 0.9}
    con = built([harness.protein(0, "AAAA")], [(0, SH3, 1, 2, 0), (0, SH3, 3, 4, 1)], active)
    assert counts(con, SH3) == [("valid", 0, 0.0, 3, 2), ("valid", 0, 0.5, 2, 1)]


@pytest.mark.parametrize("n", [11, 12, 13, 130])
def test_any_number_of_instances_on_one_protein_is_counted(n: int) -> None:
    # n instances of one residue each; the feature fires on every second residue.
    spans = [(0, SH3, i + 1, i + 1, i) for i in range(n)]
    active = {(0, i + 1, 0): 1.0 for i in range(0, n, 2)}
    con = built([harness.protein(0, "A" * n)], spans, active, thresholds=[0.5])
    assert counts(con, SH3) == [("valid", 0, 0.5, (n + 1) // 2, (n + 1) // 2)]


@pytest.mark.parametrize("length", [2047, 2048, 4095, 4096, 9000])
def test_long_spans_are_counted_to_the_last_residue(length: int) -> None:
    protein = harness.protein(0, "A" * (length + 2))
    spans = [(0, SH3, 2, length + 1, 0), (0, SH3, 3, length, 1)]
    active = {(0, r, f): 1.0 if f == 0 else 0.4 for r in range(1, length + 3) for f in (0, 1)}
    con = built([protein], spans, active)
    assert counts(con, SH3) == [
        ("valid", 0, 0.0, length, 2), ("valid", 0, 0.5, length, 2), ("valid", 1, 0.0, length, 2),
    ]  # fmt: skip


def test_ten_thresholds_are_counted_each() -> None:
    # Residue r has activation r / 10: above k / 10 are the residues k + 1 to 10, that is 10 - k.
    grid = [k / 10 for k in range(10)]
    active = {(0, r, 0): r / 10 for r in range(1, 11)}
    con = built([harness.protein(0, "A" * 10)], [(0, SH3, 1, 10, 0)], active, thresholds=grid)
    assert counts(con, SH3) == [("valid", 0, t, 10 - k, 1) for k, t in enumerate(grid)]


def test_proteins_that_the_source_does_not_cover_are_left_out_of_everything_but_letters() -> None:
    # Protein 1 is not covered: neither its span nor its firing residue counts for the concept.
    proteins = [harness.protein(0, "AAC"), harness.protein(1, "AAC")]
    active = {(0, 1, 0): 1.0, (0, 3, 0): 1.0, (1, 1, 0): 1.0, (1, 2, 0): 1.0}
    con = built(proteins, [(0, SH3, 1, 2, 0), (1, SH3, 1, 2, 1)], active, thresholds=[0.5], covered=[0])
    found = harness.rows(con, "concept_f1", "concept", "tp", "fp", where="threshold = 0.5")
    # A: residues 1 of protein 0, 1 and 2 of protein 1; C: residue 3 of protein 0. Firing: 4 in all.
    assert found == [("Domain_SH3", 1, 1), ("amino_acid_A", 3, 1), ("amino_acid_C", 1, 3)]
    support = harness.rows(con, "concept_support", "n_residues", "n_proteins", where="concept = 'Domain_SH3'")
    assert support == [(2, 1)]


def test_proteins_that_are_not_encoded_are_not_counted() -> None:
    proteins = [harness.protein(0, "AA"), harness.protein(1, "AA")]
    con = built(
        proteins, [(0, SH3, 1, 2, 0), (1, SH3, 1, 2, 1)], {(0, 1, 0): 1.0}, thresholds=[0.5], unencoded=[1]
    )
    support = harness.rows(con, "concept_support", "n_residues", "n_domains", where="concept = 'Domain_SH3'")
    assert support == [(2, 1)]


def test_recall_counts_domains_at_level_domain_and_residues_at_level_residue() -> None:
    # SH3: residues 1..4 and 6..9, two instances; fires on 1, 2 and 5: tp 2, fp 1, 1 instance of 2.
    # precision 2/3, recall 2/8, per domain 1/2: f1 = 2 (2/3)(1/4) / (11/12) = 4/11, f1_d = 4/7.
    # Active site: 1 and 6; tp 1, fp 2: precision 1/3, recall 1/2 either way, f1 = 2/5.
    spans = [(0, SH3, 1, 4, 0), (0, SH3, 6, 9, 1), (0, SITE, 1, 1, 2), (0, SITE, 6, 6, 3)]
    active = {(0, 1, 0): 1.0, (0, 2, 0): 1.0, (0, 5, 0): 1.0}
    con = built([harness.protein(0, "XXXXXXXXXX")], spans, active, thresholds=[0.5])
    measures = ["concept", "tp", "fp", "tp_per_domain", "recall", "recall_per_domain", "f1", "f1_per_domain"]
    site, sh3 = harness.rows(con, "concept_f1", *measures)
    assert site[:4] == ("Active site", 1, 2, None)
    assert site[4:] == pytest.approx((1 / 2, 1 / 2, 2 / 5, 2 / 5))
    assert sh3[:4] == ("Domain_SH3", 2, 1, 1)
    assert sh3[4:] == pytest.approx((1 / 4, 1 / 2, 4 / 11, 4 / 7))


def test_a_concept_is_scored_above_the_minimum_not_at_it() -> None:
    # Active site has 2 residues in valid and test together, SH3 has 3; more than 2 are needed.
    proteins = [harness.protein(0, "XXXX"), harness.protein(1, "XXXX", split="test")]
    spans = [(0, SITE, 1, 1, 0), (1, SITE, 1, 1, 1), (0, SH3, 1, 2, 2), (1, SH3, 1, 1, 3)]
    active = {(0, 1, 0): 1.0, (1, 1, 0): 1.0}
    con = built(proteins, spans, active, min_residues=2)
    assert harness.rows(con, "scored_concepts", "concept") == [("Domain_SH3",)]


def test_concepts_that_name_no_kind_are_counted_but_never_scored() -> None:
    spans = [(0, ANY, 1, 4, 0), (0, OTHER_ANY, 1, 4, 1)]
    con = built([harness.protein(0, "XXXX")], spans, {(0, 1, 0): 1.0}, thresholds=[0.5])
    for concept in (ANY, OTHER_ANY):
        assert counts(con, concept) == [("valid", 0, 0.5, 1, 1)]
    assert harness.rows(con, "concept_f1", "concept") == []


def test_train_is_counted_but_never_scored() -> None:
    con = built([harness.protein(0, "XX", split="train")], [(0, SH3, 1, 2, 0)], {(0, 1, 0): 1.0})
    assert len(counts(con, SH3)) == 2
    assert harness.rows(con, "concept_f1", "concept") == []


def test_a_threshold_below_the_smallest_stored_value_is_not_scored() -> None:
    # min_value 0.3, scale 0.5: 0.5 times 0.5 is below it, 0.6 times 0.5 is not.
    active = {(0, 1, 0): 0.45}
    con = built(
        [harness.protein(0, "XX")], [(0, SH3, 1, 2, 0)], active,
        thresholds=[0.0, 0.5, 0.6], scale={0: 0.5}, min_value=0.3,
    )  # fmt: skip
    assert harness.rows(con, "concept_f1", "threshold") == [(0.6,)]


def test_a_feature_without_scale_has_no_scores_and_its_residues_are_shown_apart() -> None:
    active = {(0, 1, 0): 3.0, (0, 2, 0): 3.0, (0, 1, 1): 1.0}
    con = built([harness.protein(0, "XX")], [(0, SH3, 1, 2, 0)], active, scale={0: 0.0, 1: 1.0})
    assert {feature for _, feature, *_ in counts(con, SH3)} == {1}
    assert harness.rows(con, "feature_stats", "feature", "n_residues", "n_unscaled") == [(0, 0, 2), (1, 1, 0)]
    shown = harness.rows(con, "feature_activations", "activation", where="feature = 0")
    assert shown == [(None,), (None,)]


def test_nothing_in_gives_nothing_out() -> None:
    con = built([], [], {})
    for name in ("concept_support", "concept_f1", "heldout_pairs", "feature_stats", "max_examples", "firing"):
        assert harness.rows(con, name) == []
