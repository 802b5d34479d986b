"""What a feature looks like along the sequence: planted shapes, the bounds of the rules, and numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

from tests import harness

LENGTH, N_PROTEINS = 200, 8
Float64 = npt.NDArray[np.float64]


def shapes(tracks: dict[int, Sequence[Float64]]) -> duckdb.DuckDBPyConnection:
    """Build the shapes of features from their activations along proteins, the strongest of which is 1."""
    n_proteins = max(len(proteins) for proteins in tracks.values())
    lengths = [max(len(t[i]) for t in tracks.values() if i < len(t)) for i in range(n_proteins)]
    cells = [
        {"protein_id": i, "position": j + 1, "feature": feature, "value": float(track[j])}
        for feature, proteins in tracks.items()
        for i, track in enumerate(proteins)
        for j in np.flatnonzero(track)
    ]
    con = harness.connect(
        {
            "proteins": [harness.protein(i, "A" * n) for i, n in enumerate(lengths)],
            "features": [{"feature": f, "max_activation": 1.0} for f in tracks],
            "saes": [{"min_value": 0.0}],
            "activations": sorted(cells, key=lambda c: (c["protein_id"], c["position"], c["feature"])),
        }
    )
    harness.encode_all(con)
    for name in ("protein_features", "feature_runs", "feature_shapes"):
        harness.make(con, name)
    return con


def row(con: duckdb.DuckDBPyConnection, feature: int) -> dict[str, Any]:
    (found,) = con.sql(f"from feature_shapes where feature = {feature}").to_arrow_table().to_pylist()
    return found


def track(*runs: tuple[int, int], length: int = LENGTH, height: float = 1.0) -> Float64:
    """Activation along a protein: runs of a start (1-based) and a length."""
    found = np.zeros(length)
    for start, n in runs:
        found[start - 1 : start - 1 + n] = height
    return found


SCATTERED = [3, 8, 20, 29, 45, 56, 70, 88, 101, 117, 136, 150, 171]  # no two distances alike but one
PLANTED = {
    "point": track((17, 1), (60, 1), (131, 1)),
    "short motif": track((30, 8)),
    "long stretch": track((30, 60)),
    "whole protein": track((1, LENGTH)),
    "periodic": track(*((i, 1) for i in range(5, 190, 7))),
    "other": track(*((i, 2) for i in SCATTERED), height=0.3) + track((190, 5)),
}


def test_planted_shapes_are_recognised() -> None:
    con = shapes({i: [t] * N_PROTEINS for i, t in enumerate(PLANTED.values())})
    assert [row(con, i)["shape"] for i in range(len(PLANTED))] == list(PLANTED)
    assert row(con, 4)["period"] == 7
    assert row(con, 4)["pct_period"] == 100
    assert row(con, 1) == {
        "sae": harness.SAE, "feature": 1, "shape": "short motif", "n_proteins": 8, "n_runs": 8,
        "median_runs": 1, "mean_length": 8, "median_strong_length": 8, "median_top_length": 8,
        "pct_strong_runs": 100, "pct_of_protein": 4, "period": None, "pct_period": None,
        "second_period": None, "pct_both_periods": None,
    }  # fmt: skip
    assert row(con, 5)["pct_strong_runs"] == pytest.approx(100 / 14)


def test_a_period_between_two_whole_numbers_is_stated_as_both() -> None:
    starts = np.cumsum([5, *[4, 3, 4, 4, 3] * 6])  # an amphipathic helix
    con = shapes({0: [track(*((int(i), 1) for i in starts))] * N_PROTEINS})
    found = row(con, 0)
    assert (found["shape"], found["period"], found["second_period"]) == ("periodic", 4, 3)
    assert (found["pct_period"], found["pct_both_periods"]) == (60, 100)


def test_points_without_a_rhythm_are_not_periodic() -> None:
    con = shapes({0: [track(*((i, 1) for i in SCATTERED))] * N_PROTEINS})
    assert row(con, 0)["median_runs"] == len(SCATTERED) > 10
    assert row(con, 0)["shape"] == "point"


@pytest.mark.parametrize(("n", "shape"), [(1, "point"), (2, "short motif"), (19, "short motif"),
                                          (20, "long stretch"), (159, "long stretch"), (160, "other"),
                                          (161, "whole protein")])  # fmt: skip
def test_the_bounds_of_one_run_of_200_residues(n: int, shape: str) -> None:
    assert row(shapes({0: [track((10, n))] * N_PROTEINS}), 0)["shape"] == shape


@pytest.mark.parametrize(("n_runs", "shape"), [(10, "point"), (11, "periodic")])
def test_a_rhythm_needs_more_than_ten_runs(n_runs: int, shape: str) -> None:
    con = shapes({0: [track(*((5 + 7 * i, 1) for i in range(n_runs)))] * N_PROTEINS})
    assert row(con, 0)["shape"] == shape


@pytest.mark.parametrize(("n", "shape"), [(4, "too few proteins"), (5, "point")])
def test_fewer_than_five_proteins_are_too_few(n: int, shape: str) -> None:
    assert row(shapes({0: [track((10, 1))] * n, 1: [track((1, 1))] * 5}), 0)["shape"] == shape


def test_a_run_ends_where_the_feature_is_not_present() -> None:
    one = track((10, 9))
    one[13] = 0.05  # not above
    con = shapes({0: [one] * 5})
    assert con.sql("select distinct start, stop from feature_runs order by all").fetchall() == [
        (10, 13), (15, 18),
    ]  # fmt: skip


def test_only_the_twenty_strongest_proteins_are_looked_at() -> None:
    con = shapes({0: [track((5, 3), height=(i + 1) / 30) for i in range(30)]})
    found = con.sql("select distinct protein_id from feature_runs order by all").fetchall()
    assert [i for (i,) in found] == list(range(10, 30))
    assert row(con, 0)["n_proteins"] == 20


def oracle(proteins: Sequence[Float64]) -> tuple[Any, ...]:
    """Runs along proteins by one loop over residues."""
    runs: list[list[tuple[int, int, float]]] = []
    for values in proteins:
        found, begin = [], None
        for j, value in enumerate([*values, 0.0]):
            if value > 0.05 and begin is None:
                begin = j
            elif value <= 0.05 and begin is not None:
                found.append((begin, j - begin, float(values[begin:j].max())))
                begin = None
        runs.append(found)
    top = max(peak for of in runs for *_, peak in of)
    strong = [(n, peak) for of in runs for _, n, peak in of if peak > np.float32(0.75) * np.float32(top)]
    gaps = Counter(b[0] - a[0] for of in runs for a, b in pairwise(of))
    common = sorted(gaps.items(), key=lambda item: (-item[1], item[0]))[:2]
    tops = [max(of, key=lambda run: (run[2], -run[0])) for of in runs]
    n_runs = sum(map(len, runs))
    return (
        len(runs),
        n_runs,
        float(np.median([len(of) for of in runs])),
        np.mean([n for of in runs for _, n, _ in of]),
        float(np.median([n for n, _ in strong])),
        float(np.median([n for _, n, peak in tops if peak > np.float32(0.75) * np.float32(top)])),
        100 * len(strong) / n_runs,
        100 * np.mean([sum(n for _, n, _ in of) / len(v) for of, v in zip(runs, proteins, strict=True)]),
        common[0][0],
        100 * common[0][1] / gaps.total(),
        common[1][0],
        100 * sum(n for _, n in common) / gaps.total(),
    )


def test_numbers_are_those_of_a_loop_over_residues() -> None:
    rng = np.random.default_rng(5)
    tracks = {}
    for feature in range(6):
        tracks[feature] = [
            np.where(rng.random(n) < 0.1 * (feature + 2), rng.random(n), 0).astype(np.float32).astype(float)
            for n in rng.integers(30, 90, 20)
        ]
    for i in range(20):  # one length for each protein
        n = min(len(tracks[f][i]) for f in tracks)
        for f in tracks:
            tracks[f][i] = tracks[f][i][:n]
    con = shapes(tracks)
    for feature, proteins in tracks.items():
        found = row(con, feature)
        assert list(found.values())[3:] == pytest.approx(list(oracle(proteins)))
