"""`structure`: whether features follow the structure or the sequence, by our test and by the paper's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import planted_structures as planted
import pyarrow as pa
import pytest
import scipy.stats
import small
from annotations_helpers import ask
from click.testing import CliRunner
from planted_structures import SAE, Folded

import interplm_wh
from interplm_wh import commands, sqlfile, store
from interplm_wh.ask import verify
from interplm_wh.build import derived
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.structural import StructureReport, steps, structure, student
from interplm_wh.structures import add_structures
from tests.children import AFTER, BEFORE, kill_at

Made = tuple[Path, list[Folded], StructureReport]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("structural").resolve()
    of = planted.proteins(folder / "files")
    path = planted.warehouse(folder, of)
    return path, of, structure(path)


def table(path: Path) -> dict[int, dict[str, Any]]:
    with interplm_wh.open(path) as wh:
        return {row["feature"]: row for row in wh.sql("from feature_structure").to_pylist()}


def activations(of: list[Folded]) -> list[np.ndarray[Any, Any]]:
    """Normalised as the warehouse does: FLOAT over FLOAT."""
    values = [p.fired.astype(np.float32) for p in of]
    scale = np.max([v.max(axis=1) for v in values], axis=0)
    return [(v / np.where(scale > 0, scale, 1)[:, None]).astype(float) for v in values]


# -- planted kinds -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (planted.STRUCTURAL, "structural"), (planted.SEQUENTIAL, "sequential"), (planted.BOTH, "both"),
        (planted.NOISE, "undecided"), (planted.LONG, "sequential"), (planted.FEW, "undecided"),
        (planted.RELATIVES, "undecided"), (planted.UNCERTAIN, "undecided"),
    ],
)  # fmt: skip
def test_a_planted_feature_of_each_kind_is_found(made: Made, feature: int, kind: str) -> None:
    assert table(made[0])[feature]["class"] == kind


def test_the_paper_calls_a_sequential_feature_both_since_six_angstrom_holds_the_neighbours(
    made: Made,
) -> None:
    rows = table(made[0])
    for feature in (planted.SEQUENTIAL, planted.LONG):
        assert (rows[feature]["class"], rows[feature]["paper_class"]) == ("sequential", "both")
        assert rows[feature]["structural_low"] < 0.01
    assert rows[planted.STRUCTURAL]["paper_class"] == "structural"


def test_too_few_proteins_give_the_count_and_no_numbers(made: Made) -> None:
    row = table(made[0])[planted.FEW]
    assert (row["n_clusters"], row["class"], row["paper_class"]) == (6, "undecided", None)
    assert 0 < row["n_proteins"] < 10
    named = ("contact_mean", "structural_effect", "structural_p", "difference_q", "paper_structural_p")
    assert [row[name] for name in named] == [None] * 5


def test_of_a_cluster_one_protein_counts(made: Made) -> None:
    row = table(made[0])[planted.RELATIVES]
    assert (row["n_clusters"], row["paper_n_proteins"]) == (4, 8)


def test_residues_of_low_plddt_are_left_out(made: Made) -> None:
    path, of, _ = made
    row = table(path)[planted.UNCERTAIN]
    assert (row["n_clusters"], row["n_proteins"]) == (0, 0)
    assert row["paper_n_proteins"] == sum(p.is_prediction for p in of)


def test_a_dead_feature_has_no_row(made: Made) -> None:
    assert planted.DEAD not in table(made[0])


def test_noise_is_undecided_and_its_p_values_are_as_small_as_they_may_be(made: Made) -> None:
    noise = range(planted.N_PLANTED, planted.SMOOTH.start)
    rows = [row for feature, row in table(made[0]).items() if feature in noise]
    tested = [row for row in rows if row["difference"] is not None]
    assert len(tested) > 150
    assert [row["feature"] for row in rows if row["class"] != "undecided"] == []
    for test in ("structural", "sequential", "difference"):
        low = np.mean([row[f"{test}_p"] < 0.05 for row in tested])
        assert low < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(tested))


@pytest.mark.parametrize("kind", [planted.SMOOTH, planted.SKEWED], ids=["smooth", "skewed"])
def test_what_knows_nothing_of_the_fold_is_not_called_structural(made: Made, kind: range) -> None:
    tested = [row for f, row in table(made[0]).items() if f in kind and row["difference"] is not None]
    assert len(tested) > 60
    assert [row["feature"] for row in tested if row["class"] in ("structural", "both")] == []
    low = np.mean([row["structural_p"] < 0.05 for row in tested])
    assert low < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(tested))


def test_the_paper_takes_waves_along_the_sequence_for_structure(made: Made) -> None:
    tested = [row for f, row in table(made[0]).items() if f in planted.SMOOTH]
    labels = [row["paper_class"] for row in tested if row["paper_class"] is not None]
    assert np.mean([label in ("structural", "both") for label in labels]) > 0.9


# -- oracles -------------------------------------------------------------------------------------


def compared(of: list[Folded], fired: list[Any], feature: int) -> list[tuple[float, float, float]]:
    """Return means over contacts, neighbours and controls, one for each cluster, from the definitions."""
    best: dict[str, tuple[float, str, Folded, Any, int]] = {}
    for one, activation in zip(of, fired, strict=True):
        a = activation[feature]
        kept = np.flatnonzero(one.is_kept & (a > np.float32(0.6)))
        if len(kept):
            centre = int(kept[np.argmax(a[kept])])
            key = one.cluster or one.sequence
            mine = (-a[centre], one.accession, one, a, centre)
            best[key] = min(best.get(key, mine), mine, key=lambda m: m[:2])
    found = []
    for _, _, one, a, centre in best.values():
        n = len(a)
        far = planted.distances(one)[centre]
        contacts = {j for j in range(n) if one.is_kept[j] and abs(j - centre) >= 6 and far[j] <= 8}
        pairs = [
            (j, 2 * centre - j) for j in contacts
            if 0 <= 2 * centre - j < n and one.is_kept[2 * centre - j] and 2 * centre - j not in contacts
        ]  # fmt: skip
        beside = [j for j in range(max(centre - 2, 0), min(centre + 3, n)) if j != centre and one.is_kept[j]]
        if pairs and beside:
            contact, control = (np.mean([a[pair[k]] for pair in pairs]) for k in (0, 1))
            found.append((float(contact), float(np.mean(a[beside])), float(control)))
    return found


def test_our_numbers_are_those_of_scipy(made: Made) -> None:
    path, of, _ = made
    rows, fired = table(path), activations(of)
    p_values: dict[str, dict[int, float]] = defaultdict(dict)
    for feature, row in rows.items():
        means = np.array(compared(of, fired, feature)).reshape(-1, 3)
        assert row["n_proteins"] == len(means)
        if len(means) < 10:
            assert row["difference"] is None
            continue
        contact, neighbour, control = means.T
        assert [row[f"{n}_mean"] for n in ("contact", "neighbour", "control")] == pytest.approx(
            means.mean(axis=0)
        )
        for test, one, other, effect in (
            ("structural", contact, control, "structural_effect"),
            ("sequential", neighbour, control, "sequential_effect"),
            ("difference", contact, neighbour, "difference"),
        ):  # fmt: skip
            t = scipy.stats.ttest_rel(one, other)
            interval = t.confidence_interval(0.95)
            assert row[effect] == pytest.approx((one - other).mean())
            assert row[f"{test}_p"] == pytest.approx(t.pvalue, rel=1e-6)
            assert [row[f"{test}_low"], row[f"{test}_high"]] == pytest.approx([interval.low, interval.high])
            p_values[test][feature] = t.pvalue
    for test, of_test in p_values.items():
        q = scipy.stats.false_discovery_control(list(of_test.values()))
        assert [rows[f][f"{test}_q"] for f in of_test] == pytest.approx(q, rel=1e-6)


def draw(sample_key: int, step: int) -> int:
    """The number that proteins, and residues, are ordered by."""
    x = (sample_key + step * 1103515245) % 2147483647
    return (x * x + sample_key) % 2147483647


class Published:
    """The paper's means around the maxima of one protein."""

    def __init__(self, one: Folded, sample_key: int) -> None:
        self.distances = planted.distances(one)
        n = len(one.sequence)
        self.orders = [
            sorted(range(n), key=lambda j: (draw(sample_key, k * 1000003 + j + 1), j)) for k in range(1, 6)
        ]

    def means(self, a: Any) -> tuple[float, float, float, float]:
        """Near the maximum in space and in the sequence, each with that of five permutations."""
        n, centre = len(a), int(np.argmax(a))
        near = [j for j in range(n) if j != centre and self.distances[centre, j] <= 6]
        beside = [j for j in (centre - 2, centre - 1, centre + 1, centre + 2) if 0 <= j < n]
        shuffled = []
        for order in self.orders:
            values = a.copy()
            values[[j for j in range(n) if j != centre]] = a[[j for j in order if j != centre]]
            shuffled.append((values[near].mean(), values[beside].mean()))
        mean = np.mean(shuffled, axis=0)
        return float(a[near].mean()), float(mean[0]), float(a[beside].mean()), float(mean[1])


def test_the_numbers_of_the_paper_are_those_of_scipy(made: Made) -> None:
    path, of, _ = made
    rows, fired = table(path), activations(of)
    with interplm_wh.open(path) as wh:
        keys = {r["accession"]: r["sample_key"] for r in wh.sql("from proteins").to_pylist()}
    by_hand = [Published(one, keys[one.accession]) for one in of]
    chosen = {
        feature: [
            i for i, (one, a) in enumerate(zip(of, fired, strict=True))
            if a[feature].max() > np.float32(0.6) and np.isfinite(one.xyz[np.argmax(a[feature]), 0])
        ]
        for feature in rows
    }  # fmt: skip
    assert {f: row["paper_n_proteins"] for f, row in rows.items()} == {f: len(c) for f, c in chosen.items()}
    tested = [feature for feature, its in chosen.items() if len(its) >= 25]
    assert {f for f, row in rows.items() if row["paper_class"] is not None} == set(tested)
    names = {(True, True): "both", (True, False): "structural", (False, True): "sequential"}
    for feature in tested[:20]:
        row = rows[feature]
        means = np.array([by_hand[i].means(fired[i][feature]) for i in chosen[feature]])
        for test, one, other in (("structural", *means.T[:2]), ("sequential", *means.T[2:])):
            assert row[f"paper_{test}_effect"] == pytest.approx((one - other).mean())
            assert row[f"paper_{test}_d"] == pytest.approx((one - other).mean() / (one - other).std(ddof=1))
            corrected = min(1, scipy.stats.ttest_rel(one, other).pvalue * len(tested))
            assert row[f"paper_{test}_p"] == pytest.approx(corrected, rel=1e-6)
        small = row["paper_structural_p"] < 0.05, row["paper_sequential_p"] < 0.05
        assert row["paper_class"] == names.get(small, "neither")


def test_the_paper_samples_a_hundred_proteins_as_examples_are_drawn() -> None:
    file = sqlfile.load("structural", "paper_centres")
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**28, 150).tolist()
    proteins = pa.table(
        {"protein_id": range(150), "accession": [f"P{i}" for i in range(150)], "sample_key": keys}
    )
    fired = pa.table(
        {
            "feature": [7] * 150, "protein_id": range(150), "position": [1] * 150,
            "is_placed": [i != 3 for i in range(150)],
            "activation": pa.array([0.6 if i == 4 else 0.7 for i in range(150)], pa.float32()),
        }
    )  # fmt: skip
    with duckdb.connect() as con:
        con.register("proteins", proteins)
        con.register("fired_maxima", fired)
        chosen = con.execute(file.sql, file.bind(dict(steps.PAPER))).fetchall()
    order = sorted((i for i in range(150) if i not in (3, 4)), key=lambda i: draw(keys[i], 7))
    assert {protein for _, protein, _ in chosen} == set(order[:100])


@pytest.mark.parametrize("n", [2, 3, 10, 2000])
def test_student_is_that_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, 1, n)
    p, low, high = student.weigh(
        np.array([float(n)]), values.mean(keepdims=True), values.std(ddof=1, keepdims=True)
    )
    t = scipy.stats.ttest_1samp(values, 0)
    assert p == pytest.approx([t.pvalue])
    assert [low[0], high[0]] == pytest.approx(list(t.confidence_interval(0.95)))


def test_differences_that_are_all_the_same_are_0_or_certain() -> None:
    p, low, high = student.weigh(np.array([9.0, 9.0]), np.array([0.0, 0.5]), np.zeros(2))
    assert p.tolist() == [1, 0]
    assert (low.tolist(), high.tolist()) == ([0, 0.5], [0, 0.5])


# -- the command ---------------------------------------------------------------------------------


def run(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["-w", str(path), "structure", *arguments], catch_exceptions=False)


def main(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interplm_wh", "-w", str(path), "structure", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_the_command_prints_the_classes_and_reads_what_is_there(made: Made) -> None:
    path = made[0]
    before = (path / "warehouse.duckdb").stat().st_mtime_ns
    found = run(path, "--sae", SAE)
    assert "1 structural, 4 sequential, 1 both" in found.output
    assert "as they are in feature_structure" in found.output
    assert (path / "warehouse.duckdb").stat().st_mtime_ns == before
    chosen = run(path, "--feature", "0", "--feature", "5", "--format", "csv").output.splitlines()
    assert len(chosen) == 3
    assert chosen[0].startswith('"sae","feature","class",')


def test_a_feature_that_is_dead_or_not_there_is_refused_and_nothing_written(made: Made) -> None:
    path = made[0]
    before = (path / "warehouse.duckdb").stat().st_mtime_ns
    found = main(path, "--feature", str(planted.DEAD), "--feature", "4000", "--max-distance", "7")
    assert found.returncode == 1
    assert "feature 8 of planted is dead" in found.stderr
    assert "planted has no feature 4000: it has 369, from 0" in found.stderr
    assert "Traceback" not in found.stderr
    assert (path / "warehouse.duckdb").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_separation": 2}, "min_separation 2: give a number from 3"),
        ({"fdr": 0.0, "max_distance": float("nan")}, "max_distance nan.*fdr 0"),
        ({"min_proteins": 1}, "min_proteins 1"),
        ({"presence": -0.1, "min_plddt": 101.0}, "presence -0.1.*min_plddt 101"),
    ],
)
def test_numbers_out_of_range_are_refused_together(made: Made, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        structure(made[0], **values)


def test_what_it_is_made_with_decides_whether_it_is_made_anew(made: Made, tmp_path: Path) -> None:
    path = shutil.copytree(made[0], tmp_path.resolve() / "w")
    assert structure(path).made == ()
    wide = structure(
        path, max_distance=12.0, min_separation=8, presence=0.9, min_plddt=0, min_proteins=12, fdr=0.01
    )
    assert wide.made == (SAE,)
    row = table(path)[planted.STRUCTURAL]
    assert row["max_distance"] == 12
    assert row["contact_mean"] < table(made[0])[planted.STRUCTURAL]["contact_mean"]
    assert table(path)[planted.UNCERTAIN]["n_clusters"] > 0
    with interplm_wh.open(path) as wh:
        assert derived.outdated(wh) == []
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("structures")
        tx.write_query(folder, "from structures where structure <> 'P0001:A'")
        tx.replace("structures", [folder])
        tx.publish()
    with interplm_wh.open(path) as wh:
        assert [(one.what, one.command) for one in derived.outdated(wh)] == [
            ("feature_structure", f"structure --sae {SAE}")
        ]
    assert "feature_structure of planted" in "\n".join(commands.info(path).lines())
    assert structure(path).made == (SAE,)


@pytest.mark.parametrize(
    ("place", "is_kept"),
    [("interplm_wh.structural.student.weigh", False), (BEFORE, False), (AFTER, True)],
)
def test_a_command_killed_at_any_moment_keeps_the_old_table_or_has_the_new_one(
    made: Made, tmp_path: Path, place: str, is_kept: bool
) -> None:
    path = shutil.copytree(made[0], tmp_path / "w")
    before = table(path)
    kill_at(place, ["-w", str(path), "structure", "--min-proteins", "12"])
    now = table(path)
    assert {row["min_proteins"] for row in now.values()} == {12 if is_kept else 10}
    assert is_kept or now == before
    assert verify(path).is_sound
    assert structure(path, min_proteins=12).made == (() if is_kept else (SAE,))


def test_without_structures_the_message_names_the_command(tmp_path: Path) -> None:
    path = small.make(tmp_path.resolve() / "w")
    commands.build(path, select=["features"])
    with pytest.raises(NotThereError, match="interplm-wh add structures"):
        structure(path)
    with pytest.raises(NotThereError, match="no SAE 'b'"):
        structure(path, sae="b")


def test_structures_of_an_earlier_version_are_read_and_renewed(made: Made, tmp_path: Path) -> None:
    path = shutil.copytree(made[0], tmp_path.resolve() / "w")
    with store.write(path, command="test") as tx:
        (source,) = tx.con.execute(
            "select source from folders where table_name = 'structure_residues'"
        ).fetchone()
        folder = tx.new_folder("structure_residues")
        earlier = "select * exclude (secondary_structure, relative_exposure, plddt) from structure_residues"
        tx.con.execute(
            f"copy ({earlier} order by structure, position) to '{folder}/part-0.parquet' (format parquet)"
        )
        tx.replace("structure_residues", [folder], source=source)
        tx.publish()
    assert ask(path, "select count(*), count(secondary_structure), count(plddt) from structure_residues")[0][
        1:
    ] == (0, 0)
    assert structure(path).made == (SAE,)
    assert table(path) == table(made[0])
    report = add_structures(path, [made[0].parent / "files"])
    assert (report.written.n_replaced, report.written.n_present) == (44, 0)
    assert ask(
        path, "select count(*) from structure_residues where x is not null and secondary_structure is null"
    ) == [(0,)]
    assert add_structures(path, [made[0].parent / "files"]).written.n_present == 44
    assert verify(path).is_sound
