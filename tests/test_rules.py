"""Rules of two and three features: found among what is tried, and read on test."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from interplm_wh import commands, store
from interplm_wh.build import derived
from interplm_wh.build.derived import Outdated
from interplm_wh.rules import rules, search
from tests import planted_stretches as planted

Bools = npt.NDArray[np.bool_]
LENGTH = 30
JOIN = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "and not": lambda a, b: a & ~b,
}


def proteins(n: int) -> dict[str, tuple[str, str, bool]]:
    return {f"{s}{i:02d}": ("valid" if s == "V" else "test", "", False) for s in "VT" for i in range(n)}


def kept(warehouse: Path) -> list[dict[str, Any]]:
    with store.open(warehouse) as wh:
        return wh.sql("from feature_rules order by concept, n_features").to_pylist()


@pytest.fixture(scope="module")
def exact(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Domain_x is where feature 3 fires and feature 7 does not; the other features fire at random."""
    rng = random.Random(3)
    cells, spans = [], []
    for name in proteins(40):
        start = rng.randint(1, 10)
        cells += planted.run_of(name, 3, range(start, start + 6))
        if rng.random() < 0.5:
            spans.append((name, start, start + 5))
        else:
            cells += planted.run_of(name, 7, range(start, start + 6))
        for feature in (0, 1, 2, 4, 5, 6):
            cells += planted.run_of(name, feature, rng.sample(range(1, LENGTH + 1), 4), 0.9)
    return planted.make(
        empty_warehouse,
        tmp_path_factory.mktemp("exact"),
        proteins=proteins(40),
        spans={"Domain_x": spans},
        cells=cells,
        n_features=8,
    )


def test_a_concept_that_is_one_feature_without_another_is_found_and_holds(exact: Path) -> None:
    rules(exact)
    (found,) = kept(exact)  # three features cannot be better than exact
    assert found["rule"] == "3 and not 7"
    assert (found["valid_f1_per_domain"], found["test_f1_per_domain"]) == (1.0, 1.0)
    assert (found["valid_fp"], found["test_fp"]) == (0, 0)
    assert found["single_feature"] == 3
    assert found["is_held"]
    assert found["gain"] == pytest.approx(1 - found["single_test_f1_per_domain"])
    assert found["gain_low"] < found["gain"] < found["gain_high"]
    assert found["n_clusters"] == 40
    assert commands.verify(exact).is_sound


def test_the_single_feature_beside_a_rule_is_that_of_the_held_out_pairs(exact: Path) -> None:
    rules(exact)
    (found,) = kept(exact)
    with store.open(exact) as wh:
        (pair,) = wh.sql("from heldout_pairs where is_best and concept = 'Domain_x'").to_pylist()
    assert (pair["feature"], pair["threshold"]) == (found["single_feature"], found["single_threshold"])
    assert found["single_valid_f1_per_domain"] == pytest.approx(pair["valid_f1_per_domain"])
    assert found["single_test_f1_per_domain"] == pytest.approx(pair["test_f1_per_domain"])


@pytest.fixture(scope="module")
def noisy(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two concepts, one of single residues, that several features find a part of, in vain elsewhere."""
    rng = random.Random(7)
    cells: dict[tuple[str, int, int], float] = {}
    spans: dict[str, list[tuple[str, int, int]]] = {"Domain_a": [], "Site_b": []}
    for name in proteins(30):
        for concept, width in (("Domain_a", 5), ("Site_b", 0)):
            for _ in range(rng.choice([0, 1, 2])):
                start = rng.randint(1, LENGTH - width)
                spans[concept].append((name, start, start + width))
                finding = rng.sample(range(6), 2)
                for position in range(start, start + width + 1):
                    for feature in finding:
                        cells[name, position, feature] = rng.choice([0.3, 0.7, 1.0])
        for _ in range(8):
            cells[name, rng.randint(1, LENGTH), rng.randint(0, 6)] = rng.choice([0.1, 0.55, 0.9])
    return planted.make(
        empty_warehouse,
        tmp_path_factory.mktemp("noisy"),
        proteins=proteins(30),
        spans=spans,
        cells=[(*cell, value) for cell, value in cells.items()],
        n_features=7,
        levels={"Site_b": "residue"},
    )


class Brute:
    """Every rule tried by hand, on dense arrays of one split."""

    def __init__(self, warehouse: Path, concept: str, split: str) -> None:
        with store.open(warehouse) as wh:
            con = wh.con
            ids = [
                i
                for (i,) in con.execute(
                    "select protein_id from proteins where split = ? order by 1", [split]
                ).fetchall()
            ]
            self.fires = np.zeros((len(ids), LENGTH, 7), np.float32)
            for protein, position, feature, activation in con.execute(
                "select p.protein_id, f.position, f.feature, f.activation from feature_activations as f "
                "join proteins as p using (accession) where p.split = ?",
                [split],
            ).fetchall():
                self.fires[ids.index(protein), position - 1, feature] = activation
            self.instances: list[tuple[int, int, int]] = [
                (ids.index(p), a - 1, b)
                for p, a, b in con.execute(
                    "select protein_id, start, stop from annotations join concepts using (concept_id) "
                    "join proteins using (protein_id) where concept = ? and split = ?",
                    [concept, split],
                ).fetchall()
            ]
        self.inside = np.zeros(self.fires.shape[:2], bool)
        for protein, start, stop in self.instances:
            self.inside[protein, start:stop] = True
        self.by_residue = concept.startswith("Site")

    def at(self, feature: int, threshold: float) -> Bools:
        found: Bools = self.fires[:, :, feature] > np.float32(threshold)
        return found

    def f1(self, fires: Bools) -> float:
        tp = int((fires & self.inside).sum())
        if not tp:
            return 0.0
        precision = tp / fires.sum()
        hit = sum(bool(fires[p, a:b].any()) for p, a, b in self.instances)
        recall = tp / self.inside.sum() if self.by_residue else hit / len(self.instances)
        return float(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("concept", ["Domain_a", "Site_b"])
def test_the_best_rule_is_that_of_trying_all_by_hand(noisy: Path, concept: str) -> None:
    values = {"sae": "s", **search.BOUNDS}
    with store.write(noisy, command="test") as tx:
        con = tx.con
        derived.lay(con, "suggest", ["known_spans"], values)
        derived.lay(con, "rules", search.OF_SAE, values)
        ((concept_id,),) = con.execute(
            "select concept_id from rule_concepts where concept = ?", [concept]
        ).fetchall()
        candidates = con.execute(
            "select feature, threshold, is_head from rule_candidates where concept_id = ? order by slot",
            [concept_id],
        ).fetchall()
        of_concept = {**values, "concept_id": concept_id, "n_best": search.N_BEAM}
        search.search(con, of_concept)
        chosen = {row[0]: row for row in con.execute("from compared_rules").fetchall()}
        derived.lay(con, "rules", ("rules_of_two", "rule_scores", "best_rules"), of_concept)
        beam = con.execute("select slot_1, operator_2, slot_2 from best_rules").fetchall()
    brute = Brute(noisy, concept, "valid")
    masks = [brute.at(feature, threshold) for feature, threshold, _ in candidates]
    two = {
        (a, op, b): brute.f1(JOIN[op](masks[a], masks[b]))
        for a, b in itertools.permutations(range(len(candidates)), 2)
        for op in JOIN
        if candidates[a][2] and candidates[a][0] != candidates[b][0]
    }
    three = [
        brute.f1(JOIN[op_3](JOIN[op](masks[a], masks[b]), masks[c]))
        for (a, op, b), c, op_3 in itertools.product(beam, range(len(candidates)), JOIN)
        if candidates[c][0] not in (candidates[a][0], candidates[b][0])
    ]
    assert len(beam) == search.N_BEAM
    assert sorted((two[rule] for rule in beam), reverse=True)[0] == pytest.approx(max(two.values()))
    single, best_two = brute.f1(masks[0]), max(two.values())
    assert chosen[0][-1] == pytest.approx(single)
    assert best_two > single  # or nothing would be compared below
    assert chosen[2][-1] == pytest.approx(best_two)
    if max(three) > best_two + 1e-12:
        assert chosen[3][-1] == pytest.approx(max(three))
    else:
        assert 3 not in chosen


@pytest.mark.parametrize("concept", ["Domain_a", "Site_b"])
def test_a_rule_is_read_on_test_as_it_was_chosen(noisy: Path, concept: str) -> None:
    rules(noisy)
    brute = Brute(noisy, concept, "test")
    found = [row for row in kept(noisy) if row["concept"] == concept]
    assert found
    for row in found:
        fires = JOIN[row["operator_2"]](
            brute.at(row["feature_1"], row["threshold_1"]), brute.at(row["feature_2"], row["threshold_2"])
        )
        if row["operator_3"]:
            fires = JOIN[row["operator_3"]](fires, brute.at(row["feature_3"], row["threshold_3"]))
        assert row["test_f1_per_domain"] == pytest.approx(brute.f1(fires))
        assert (row["test_tp"], row["test_fp"]) == (
            (fires & brute.inside).sum(),
            (fires & ~brute.inside).sum(),
        )
        single = brute.at(row["single_feature"], row["single_threshold"])
        assert row["gain"] == pytest.approx(brute.f1(fires) - brute.f1(single))
        assert row["gain_low"] <= row["gain_high"]
        assert row["is_held"] == (row["gain"] > 0 and row["gain_low"] > 0)


def test_features_that_know_nothing_give_no_rule_that_holds_beyond_chance(
    empty_warehouse: Path, tmp_path: Path
) -> None:
    rng = random.Random(11)
    spans = {f"Domain_{k}": [] for k in "abcdefghij"}
    cells = []
    for name in proteins(40):
        for its in spans.values():
            if rng.random() < 0.4:
                start = rng.randint(1, 24)
                its.append((name, start, start + 5))
        for feature in range(12):
            where = rng.sample(range(1, LENGTH + 1), 5)
            cells += planted.run_of(name, feature, where, rng.choice([0.6, 1.0]))
    warehouse = planted.make(
        empty_warehouse, tmp_path, proteins=proteins(40), spans=spans, cells=cells, n_features=12
    )
    report = rules(warehouse)
    tried = {row["concept"] for row in kept(warehouse)}
    held = {row["concept"] for row in kept(warehouse) if row["is_held"]}
    assert len(tried) >= 8  # on valid, searching always finds something
    assert len(held) <= 2  # one in forty by chance
    assert f"for {len(held)} it holds on test" in report.lines()[0]


def test_a_gain_over_too_few_clusters_has_no_interval_and_holds_nothing(
    empty_warehouse: Path, tmp_path: Path
) -> None:
    # One cluster drawn again is always itself: its interval would have no width.
    few = {name: (split, f"fold-{split}", False) for name, (split, _, _) in proteins(12).items()}
    cells = [c for name in few for c in planted.run_of(name, 0, range(1, 9))]
    cells += [c for name in list(few)[::2] for c in planted.run_of(name, 1, range(1, 9))]
    warehouse = planted.make(
        empty_warehouse,
        tmp_path,
        proteins=few,
        spans={"Domain_x": [(name, 1, 8) for name in list(few)[1::2]]},
        cells=cells,
        n_features=2,
    )
    report = rules(warehouse)
    (found,) = kept(warehouse)
    assert (found["rule"], found["n_clusters"]) == ("0 and not 1", 1)
    assert found["gain"] > 0
    assert (found["gain_low"], found["gain_high"], found["is_held"]) == (None, None, False)
    assert any("fewer than 5 clusters" in line for line in report.lines())


def test_rules_are_searched_again_when_what_they_read_changed(exact: Path) -> None:
    rules(exact)
    assert commands.info(exact).outdated == []
    built = commands.build(exact, thresholds=[0, 0.5])
    assert built.taken_out == (Outdated("s", "feature_rules", "rules --sae s"),)
    assert rules(exact, concepts=["Domain_x"]).rows.num_rows == 1
    assert commands.info(exact).outdated == []
