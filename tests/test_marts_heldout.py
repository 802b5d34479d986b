"""Pairs are chosen on valid, feature and threshold, and only read on test."""

from __future__ import annotations

from typing import Any

import duckdb

from interplm_wh import sqlfile
from interplm_wh.store import catalogue
from tests import harness

SH3 = 20
COLUMNS = [
    "feature", "threshold", "valid_f1_per_domain", "test_f1_per_domain", "test_precision", "is_best",
    "is_testable", "is_found",
]  # fmt: skip


def paired(
    valid: list[tuple[int, float]], test: list[tuple[int, float]], *, n_test: int = 5, level: str = "domain"
) -> duckdb.DuckDBPyConnection:
    """Two proteins with instances of one residue, on residues 1 to 5; residues 6 to 10 have no label.

    `valid` and `test` list (feature, activation) as residue after residue, from residue 1 on, per feature.
    """
    active = []
    for protein, cells in enumerate((valid, test)):
        position: dict[int, int] = {}
        for feature, activation in cells:
            position[feature] = position.get(feature, 0) + 1
            if activation:
                active.append(
                    {
                        "protein_id": protein,
                        "position": position[feature],
                        "feature": feature,
                        "value": activation,
                    }
                )
    con = harness.connect(
        {
            "thresholds": harness.thresholds(0.0, 0.5),
            "settings": harness.settings(min_residues=1),
            "saes": [{"min_value": 0.0}],
            "sae_features": [{"feature": f, "checkpoint_max": 1.0} for f in (0, 1)],
            "concepts": [{"concept_id": SH3, "concept": "Domain_SH3", "level": level, "source": "uniprot"}],
            "proteins": [harness.protein(0, "X" * 10), harness.protein(1, "X" * 10, split="test")],
            "annotations": [
                {
                    "annotation_id": 10 * p + i,
                    "protein_id": p,
                    "concept_id": SH3,
                    "start": i,
                    "stop": i,
                    "instance_id": 10 * p + i,
                }
                for p, n in ((0, 5), (1, n_test))
                for i in range(1, n + 1)
            ],
            "coverage": [{"source": "uniprot", "protein_id": p} for p in (0, 1)],
            "activations": active,
        }
    )
    harness.encode_all(con)
    harness.build(con, scale_source="checkpoint")
    return con


def pairs(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The rows of heldout_pairs."""
    return harness.rows(con, "heldout_pairs", *COLUMNS)


def test_the_threshold_of_valid_is_read_on_test_even_where_another_is_better_there() -> None:
    # valid: 0.9 on all five and 0.1 on residue 6: above 0 precision 5/6, above 0.5 F1 is 1.
    # test: 0.4 on all five: F1 is 1 above 0, but nothing is above 0.5.
    con = paired([(0, 0.9)] * 5 + [(0, 0.1)], [(0, 0.4)] * 5)
    assert pairs(con) == [(0, 0.5, 1.0, 0.0, None, True, True, False)]


def test_the_macros_read_test_at_the_threshold_of_valid() -> None:
    # As above: on test, the threshold 0 would give F1 1, but it was not chosen.
    con = paired([(0, 0.9)] * 5 + [(0, 0.1)], [(0, 0.6)] * 2 + [(0, 0.4)] * 3)
    for name in ("feature_concepts", "concept_features"):
        con.execute(catalogue.create_macro(sqlfile.load("macros", name)))
    expected = [(0.5, 2 / 5 * 2 / (1 + 2 / 5))]
    found = con.sql(
        f"select threshold, f1_per_domain from feature_concepts('{harness.SAE}', 0) "
        "where split = 'test' and concept = 'Domain_SH3'"
    )
    assert found.fetchall() == expected
    found = con.sql(
        f"select threshold, f1_per_domain from concept_features('{harness.SAE}', 'Domain_SH3', "
        "wanted_split := 'test')"
    )
    assert found.fetchall() == expected


def test_the_summary_counts_what_is_not_testable_apart_and_leaves_it_out_of_the_mean() -> None:
    few = paired([(0, 0.9)] * 5, [(0, 0.9)] * 4, n_test=4)
    enough = paired([(0, 0.9)] * 5, [(0, 0.9)] * 5)
    silent = paired([(0, 0.0)] * 5, [(0, 0.9)] * 5)
    found = []
    for con in (few, enough, silent):
        con.execute(catalogue.create_macro(sqlfile.load("macros", "report_summary")))
        found += con.sql(
            "select n_concepts, n_concepts_without_pair, n_not_testable, mean_best_test_f1 "
            f"from report_summary('{harness.SAE}')"
        ).fetchall()
    assert found == [(1, 0, 1, None), (1, 0, 0, 1.0), (1, 1, 0, None)]


def test_a_tie_goes_to_the_higher_threshold_then_to_the_lower_feature() -> None:
    cells = [(f, 0.9) for f in (0, 1) for _ in range(5)]
    found = pairs(paired(cells, cells))
    assert found == [(0, 0.5, 1.0, 1.0, 1.0, True, True, True), (1, 0.5, 1.0, 1.0, 1.0, False, True, True)]


def test_a_feature_that_fires_elsewhere_on_test_has_precision_zero() -> None:
    # On test it fires on residue 6 alone: tp 0, fp 1.
    con = paired([(0, 0.9)] * 5, [(0, 0.0)] * 5 + [(0, 0.9)])
    assert pairs(con) == [(0, 0.5, 1.0, 0.0, 0.0, True, True, False)]


def test_without_positives_on_test_there_is_nothing_to_read() -> None:
    con = paired([(0, 0.9)] * 5, [(0, 0.9)] * 5, n_test=0)
    assert pairs(con) == [(0, 0.5, 1.0, None, None, True, False, False)]


def test_four_instances_on_test_are_too_few_to_be_found() -> None:
    con = paired([(0, 0.9)] * 5, [(0, 0.9)] * 4, n_test=4)
    assert pairs(con) == [(0, 0.5, 1.0, 1.0, 1.0, True, False, False)]


def test_the_best_pair_is_kept_although_it_is_weak_and_others_only_above_a_half() -> None:
    # Feature 0 hits one instance of five: precision 1, recall 1/5, F1 1/3. Feature 1 hits one and one
    # residue beside: precision 1/2, recall 1/5, F1 2/7: not the best, and below a half.
    con = paired([(0, 0.9), (1, 0.9)] + [(1, 0.0)] * 4 + [(1, 0.9)], [(0, 0.9)])
    (found,) = pairs(con)
    assert (found[0], found[5], found[7]) == (0, True, False)
    assert abs(found[2] - 1 / 3) < 1e-12


def test_exactly_a_half_is_not_found() -> None:
    # Level residue: fires on 2 of 5 positives and 1 beside: precision 2/3, recall 2/5, F1 = 1/2.
    cells = [(0, 0.9)] * 2 + [(0, 0.0)] * 3 + [(0, 0.9)]
    (found,) = pairs(paired(cells, cells, level="residue"))
    assert found[2] == 0.5
    assert found[-1] is False


def test_the_control_of_a_role_is_the_one_made_for_the_sae_or_the_neurons_of_its_layer() -> None:
    saes = [
        {"sae": sae, "role": role, "control_of": of, "plm": plm, "layer": layer}
        for sae, role, of, plm, layer in (
            ("a", "sae", None, "p", 1), ("b", "sae", None, "p", 1), ("c", "sae", None, "p", 2),
            ("d", "sae", None, "q", 1), ("n", "neurons", None, "p", 1), ("o", "neurons", "b", "p", 1),
            ("x", "position", "b", None, None), ("y", "amino_acid", None, None, None),
        )
    ]  # fmt: skip
    with harness.connect({"saes": saes}) as con:
        found = harness.rows(con, "sae_controls", "sae", "role", "control")
    # a has the first neurons of its layer, b its own; c and d are of another layer or PLM; y is of no SAE.
    assert found == [("a", "neurons", "n"), ("b", "neurons", "o"), ("b", "position", "x")]
