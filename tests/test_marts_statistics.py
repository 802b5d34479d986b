"""What the tables of statistics and examples say of rows that can be counted by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pytest

from tests import harness


def built(
    proteins: Sequence[dict[str, Any]], active: Mapping[tuple[int, int, int], float], **how: Any
) -> duckdb.DuckDBPyConnection:
    """Build the tables from values by (protein, position, feature); the scale is 1."""
    con = harness.connect(
        {
            "thresholds": harness.thresholds(0.5),
            "settings": harness.settings(),
            "saes": [{"min_value": 0.0}],
            "sae_features": [{"feature": f, "checkpoint_max": 1.0} for f in {f for _, _, f in active}],
            "concepts": harness.letter_concepts(),
            "proteins": proteins,
            "activations": [
                {"protein_id": p, "position": r, "feature": f, "value": np.float32(v)}
                for (p, r, f), v in active.items()
            ],
        }
    )
    harness.encode_all(con)
    harness.build(con, scale_source="checkpoint", **how)
    return con


def test_the_scale_is_the_highest_value_of_the_chosen_proteins_and_zero_where_there_is_none() -> None:
    con = harness.connect(
        {
            "sae_features": [{"feature": f, "decoder_norm": 1.5} for f in range(3)],
            "proteins": [harness.protein(0, "AA"), harness.protein(1, "AA", split="test")],
            "activations": [
                {"protein_id": 0, "position": 1, "feature": 0, "value": 2.0},
                {"protein_id": 1, "position": 1, "feature": 0, "value": 3.0},
                {"protein_id": 1, "position": 2, "feature": 1, "value": 4.0},
            ],
        }
    )
    harness.make(con, "features", scale_source="all", blocks=[(0, 0), (1, 1)])
    assert harness.rows(con, "features", "feature", "max_activation", "decoder_norm") == [
        (0, 3.0, 1.5), (1, 4.0, 1.5), (2, 0.0, 1.5)
    ]  # fmt: skip
    harness.make(con, "features", scale_source="valid")
    assert harness.rows(con, "features", "max_activation") == [(0.0,), (0.0,), (2.0,)]


def test_the_peak_is_at_the_lowest_position_of_a_tie() -> None:
    active = {(0, 7, 0): 0.9, (0, 3, 0): 0.9, (0, 5, 0): 0.2}
    con = built([harness.protein(0, "A" * 9)], active)
    assert harness.rows(con, "protein_features", "activation", "position", "n_residues") == [
        (float(np.float32(0.9)), 3, 3)
    ]


@pytest.mark.parametrize("activation", [1e-30, 1e-7, 0.1, 0.99999994, 1.0, 1.0000001, 3.5e4, 1e30])
def test_the_peak_keeps_every_bit_of_the_activation_and_its_position(activation: float) -> None:
    exact = float(np.float32(activation))
    length = 36_000
    active = {(0, r, 0): activation for r in (1, 2, length)} | {(0, length, 1): activation}
    con = built([harness.protein(0, "A" * length)], active)
    found = harness.rows(con, "protein_features", "feature", "activation", "position")
    assert found == [(0, exact, 1), (1, exact, length)]


def test_present_is_strictly_above_presence() -> None:
    # 0.05 is not present at 0.05; 0.06 and 0.5 are: 2 of 4 residues, mean (0.06 + 0.5) / 2 = 0.28.
    # In protein 1: 1 of 2. Two of three proteins: 66.7 %; shares (50 + 50) / 2.
    active = {(0, 1, 0): 0.05, (0, 2, 0): 0.06, (0, 3, 0): 0.5, (1, 1, 0): 0.28}
    proteins = [harness.protein(0, "AAAA"), harness.protein(1, "AC"), harness.protein(2, "C")]
    con = built(proteins, active)
    (found,) = harness.rows(
        con, "feature_stats", "n_residues", "n_proteins", "pct_proteins", "avg_pct_residues_when_present",
        "mean_activation",
    )  # fmt: skip
    assert found == pytest.approx((3, 2, 200 / 3, 50.0, 0.28), abs=1e-7)


def test_a_feature_that_is_never_present_has_no_mean() -> None:
    con = built([harness.protein(0, "AA")], {(0, 1, 0): 0.01})
    (found,) = harness.rows(
        con, "feature_stats", "n_residues", "n_proteins", "pct_proteins", "avg_pct_residues_when_present",
        "mean_activation",
    )  # fmt: skip
    assert found == (0, 0, 0.0, None, None)


def test_sums_are_the_same_in_any_order_and_in_any_blocks() -> None:
    rng = np.random.default_rng(0)
    proteins = [harness.protein(i, "A" * 50) for i in range(40)]
    active = {(p, r, 0): float(x) for (p, r), x in zip(
        ((p, r) for p in range(40) for r in range(1, 51)), rng.random(2000), strict=True
    )}  # fmt: skip
    shuffled = {key: active[key] for key in (list(active)[i] for i in rng.permutation(2000))}
    means = []
    for cells, blocks in ((active, [harness.EVERYTHING]), (shuffled, [(0, 9), (10, 11), (12, 39)])):
        con = built(proteins, cells, blocks=blocks)
        means += harness.rows(con, "feature_stats", "mean_activation", "avg_pct_residues_when_present")
    assert means[0] == means[1]


def test_enrichment_is_the_share_of_a_letter_over_its_share_everywhere() -> None:
    # Present on A, A, C of AAACCCCC (A 3/8, C 5/8): A (2/3) / (3/8) = 16/9, C (1/3) / (5/8) = 8/15.
    active = {(0, 1, 0): 1.0, (0, 2, 0): 1.0, (0, 4, 0): 1.0}
    con = built([harness.protein(0, "AAACCCCC")], active)
    found = harness.rows(con, "feature_amino_acids", "amino_acid", "n_residues", "enrichment")
    assert [row[:2] for row in found] == [("A", 2), ("C", 1)]
    assert [row[2] for row in found] == pytest.approx([16 / 9, 8 / 15])


def test_a_bound_of_the_histogram_belongs_to_the_bin_below_and_the_last_bin_is_open() -> None:
    bounds = [k / 20 for k in range(1, 20)]
    above = [float(np.nextafter(np.float32(b), np.float32(9))) for b in bounds]
    cells = {(0, r, 0): v for r, v in enumerate([*bounds, *above, 1.0, 7.0], start=1)}
    con = built([harness.protein(0, "A" * len(cells))], cells)
    found = harness.rows(con, "activation_histogram", "bin_low", "bin_high", "n_residues")
    # Bin k holds the bound above it and the number after the bound below it; the first holds one
    # bound only, the last one number, 1 and 7.
    expected = [(k / 20, (k + 1) / 20, 1 if k == 0 else 2) for k in range(19)]
    assert found == [*expected, (0.95, math.inf, 3)]


def test_ten_strongest_proteins_with_ties_by_accession() -> None:
    names = [f"P{i:02d}" for i in range(12)]
    proteins = [harness.protein(i, "AA", accession=name) for i, name in enumerate(reversed(names))]
    active = {(i, 2, 0): 0.5 for i in range(12)} | {(11, 1, 0): 0.25, (0, 1, 0): 0.75}
    con = built(proteins, active)
    found = harness.rows(con, "max_examples", "rank", "accession", "position")
    # P11 is protein 0, the only one at 0.75; the others tie at 0.5: P00 to P08 follow.
    assert found == [(1, "P11", 1), *((i + 2, names[i], 2) for i in range(9))]


def test_examples_are_drawn_per_range_in_the_order_of_the_draw() -> None:
    # Peaks 0.4 (first range: the bound belongs below), 0.41, 0.8, 0.81, and one protein without.
    keys = [5, 4, 3, 2, 1]
    proteins = [harness.protein(i, "A", accession=f"P{i}", sample_key=key) for i, key in enumerate(keys)]
    active = {(0, 1, 0): 0.4, (1, 1, 0): 0.41, (2, 1, 0): 0.8, (3, 1, 0): 0.81}
    con = built(proteins, active)
    found = harness.rows(con, "quantile_examples", "bin_low", "bin_high", "rank", "accession")
    # For feature 0 x is the key and the draw is key * key + key: 12 for P2 comes before 20 for P1.
    assert found == [
        (0.0, 0.0, 1, "P4"),
        (0.0, 0.4, 1, "P0"),
        (0.4, 0.8, 1, "P2"),
        (0.4, 0.8, 2, "P1"),
        (0.8, math.inf, 1, "P3"),
    ]


def test_residues_and_activations_are_shown_with_letters() -> None:
    con = built([harness.protein(0, "ACD"), harness.protein(1, "W")], {(0, 2, 0): 0.5})
    assert harness.rows(con, "residues", "accession", "position", "amino_acid") == [
        ("P0", 1, "A"), ("P0", 2, "C"), ("P0", 3, "D"), ("P1", 1, "W")
    ]  # fmt: skip
    shown = harness.rows(con, "feature_activations", "accession", "position", "amino_acid", "activation")
    assert shown == [("P0", 2, "C", 0.5)]


def test_proteins_without_a_feature_are_found_wherever_their_draws_are() -> None:
    # 300 proteins without the feature, whose draws all lie beyond the reach where a hundred are
    # expected: a third of 2147483647. The ten lowest of all are still found.
    keys = [key for key in range(30_000, 32_000) if (key * key + key) % 2147483647 > 900_000_000][:300]
    assert len(keys) == 300
    proteins = [harness.protein(i, "A", accession=f"P{i:03d}", sample_key=k) for i, k in enumerate(keys)]
    con = built([*proteins, harness.protein(999, "A")], {(999, 1, 0): 1.0})
    found = harness.rows(con, "quantile_examples", "rank", "accession", where="bin_high = 0")
    lowest = sorted(range(300), key=lambda i: (keys[i] * keys[i] + keys[i]) % 2147483647)[:10]
    assert found == [(rank, f"P{i:03d}") for rank, i in enumerate(lowest, start=1)]
