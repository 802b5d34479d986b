"""What `score` claims: against truth that is known, brute force, and the numbers of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn import metrics

import interplm_wh
from interplm_wh import commands, store
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.evidence import unweighed
from tests import planted
from tests.planted import CONTROL, SAE, Protein

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def truth() -> list[Protein]:
    return planted.proteins()


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, truth: list[Protein]) -> Path:
    path = planted.warehouse(tmp_path_factory.mktemp("planted"), truth)
    commands.score(path)
    return path


def ask(path: Path, sql: str, params: dict[str, Any] | None = None) -> Rows:
    with interplm_wh.open(path) as wh:
        return wh.sql(sql, params).to_pylist()


def scales(path: Path, sae: str = SAE) -> dict[int, float]:
    rows = ask(path, "from features where sae = $sae", {"sae": sae})
    return {row["feature"]: row["max_activation"] for row in rows}


def pairs_of(path: Path, sae: str = SAE) -> Rows:
    return ask(path, "from pair_evidence where sae = $sae order by concept, feature", {"sae": sae})


def test_all_that_can_be_tested_is_weighed_with_the_f1_of_the_table(
    scored: Path, truth: list[Protein]
) -> None:
    frozen = ask(scored, "from heldout_pairs where is_testable and not starts_with(concept, 'amino_acid')")
    weighed = ask(scored, "from pair_evidence")
    key = ("sae", "concept", "feature", "threshold", "is_best")
    assert {tuple(row[k] for k in key): row["test_f1_per_domain"] for row in frozen} == {
        tuple(row[k] for k in key): row["f1_per_domain"] for row in weighed
    }
    test, scale = [p for p in truth if p.split == "test"], scales(scored)
    for row in pairs_of(scored):
        by_hand = planted.f1_by_hand(
            test, SAE, row["concept"], row["feature"], row["threshold"], scale=scale[row["feature"]]
        )
        assert row["f1_per_domain"] == pytest.approx(by_hand)


def test_what_was_planted_is_claimed_and_nothing_else(scored: Path) -> None:
    claimed = {(row["concept"], row["feature"]) for row in pairs_of(scored) if row["is_claimed"]}
    assert claimed == {("Domain_real", 0), ("Site_real", 1)}
    best = {row["concept"] for row in pairs_of(scored) if row["is_concept_claimed"]}
    assert best == {"Domain_real", "Site_real"}
    rows = {(row["concept"], row["feature"]): row for row in pairs_of(scored)}
    whole, rare = rows["Domain_whole", 2], rows["Domain_rare", 3]
    assert whole["median_span_share"] > 0.8  # turning such a span changes next to nothing
    assert rare["q"] <= 0.05
    assert rare["n_positive_clusters"] == 7  # of the fourteen that carry it, every other one is on test
    assert {row["n_tested"] for row in pairs_of(scored)} == {len(rows)}


def test_false_discovery_rates_are_those_of_scipy(scored: Path) -> None:
    for sae in (SAE, CONTROL):
        rows = pairs_of(scored, sae)
        p = np.array([row["p"] for row in rows])
        assert p.tolist() == [max(row["p_shift"], row["p_exchange"]) for row in rows]
        for column, method in (("q", "bh"), ("q_by", "by")):
            expected = stats.false_discovery_control(p, method=method)
            assert [row[column] for row in rows] == pytest.approx(expected.tolist(), rel=1e-12)
        best = [row for row in rows if row["is_best"]]
        expected = stats.false_discovery_control([row["p"] for row in best], method="bh")
        assert [row["q_best"] for row in best] == pytest.approx(expected.tolist(), rel=1e-12)
        assert {row["q_best"] for row in rows if not row["is_best"]} <= {None}


def test_the_number_tried_is_every_count_on_valid(scored: Path) -> None:
    (n,) = ask(
        scored,
        "select count(*) as n from concept_f1 where sae = $sae and split = 'valid' "
        "and concept not like 'amino_acid%'",
        {"sae": SAE},
    )
    assert {row["n_tried"] for row in pairs_of(scored)} == {n["n"]}


def test_an_interval_is_that_of_another_bootstrap(scored: Path, truth: list[Protein]) -> None:
    rng, scale = np.random.default_rng(99), scales(scored)
    test = [p for p in truth if p.split == "test"]
    by_cluster: dict[str, list[Protein]] = {}
    for one in test:
        by_cluster.setdefault(one.cluster, []).append(one)
    clusters = list(by_cluster.values())
    for row in [r for r in pairs_of(scored) if r["is_best"] and r["concept"] != "Domain_whole"]:
        f1 = []
        for _ in range(300):
            drawn = [p for i in rng.integers(0, len(clusters), len(clusters)) for p in clusters[i]]
            f1.append(planted.f1_by_hand(drawn, SAE, row["concept"], row["feature"], row["threshold"],
                                         scale=scale[row["feature"]]))  # fmt: skip
        low, high = np.quantile(f1, [0.025, 0.975])
        width = high - low
        assert row["f1_low"] == pytest.approx(low, abs=0.2 * width + 0.01)
        assert row["f1_high"] == pytest.approx(high, abs=0.2 * width + 0.01)
        assert row["n_clusters"] == len(clusters)
        assert row["n_resamples"] == 1000


def moved(test: list[Protein], concept: str, rng: np.random.Generator, null: str) -> list[Protein]:
    """Proteins with the spans of a concept moved as the null says, one by one."""
    if null == "shift":
        return [_turned(one, concept, int(rng.integers(one.length))) for one in test]
    by_cluster: dict[str, list[Protein]] = {}
    for one in test:
        by_cluster.setdefault(one.cluster, []).append(one)
    ordered = sorted(by_cluster.values(), key=lambda its: np.mean([p.length for p in its]))
    found = []
    for band in np.array_split(np.arange(len(ordered)), 10):
        for receiver, giver in zip(band, rng.permutation(band), strict=True):
            for i, one in enumerate(ordered[receiver]):
                spans = ordered[giver][i % len(ordered[giver])].spans.get(concept, [])
                cut = [(a, min(b, one.length)) for a, b in spans if a <= one.length]
                found.append(
                    Protein(one.accession, one.sequence, one.split, one.cluster, {concept: cut}, one.fired)
                )
    return found


def _turned(one: Protein, concept: str, by: int) -> Protein:
    # A span that wraps would be two: an instance is kept whole by listing its residues as one set.
    turned = [[(i - 1 + by) % one.length + 1 for i in range(a, b + 1)] for a, b in one.spans.get(concept, [])]
    return Protein(one.accession, one.sequence, one.split, one.cluster, {concept: turned}, one.fired)  # type: ignore[dict-item]


def f1_of_moved(of: list[Protein], row: dict[str, Any], scale: float, null: str) -> float:
    if null == "exchange":
        return planted.f1_by_hand(of, SAE, row["concept"], row["feature"], row["threshold"], scale=scale)
    tp = n_fired = n_hit = n_find = 0
    by_instance = planted.LEVELS[row["concept"]] == "domain"
    for one in of:
        where = planted.fires(one, SAE, row["feature"], row["threshold"], scale)
        instances = [set(its) for its in one.spans[row["concept"]]]  # type: ignore[call-overload]
        residues = set().union(*instances)
        tp += len(where & residues)
        n_fired += len(where)
        n_hit += sum(bool(its & where) for its in instances) if by_instance else len(where & residues)
        n_find += len(instances) if by_instance else len(residues)
    return 2 * tp / n_fired * n_hit / n_find / (tp / n_fired + n_hit / n_find) if tp else 0.0


@pytest.mark.parametrize("null", ["shift", "exchange"])
def test_p_is_what_moving_annotations_one_by_one_gives(scored: Path, truth: list[Protein], null: str) -> None:
    rng, scale = np.random.default_rng(7), scales(scored)
    test = [p for p in truth if p.split == "test"]
    n = 200
    judged = [
        row for row in pairs_of(scored) if row["concept"] in ("Domain_decoy", "Domain_real", "Site_real")
    ]
    assert any(row[f"p_{null}"] > 0.05 for row in judged)
    assert any(row[f"p_{null}"] < 0.01 for row in judged)
    for row in judged:
        of = scale[row["feature"]]
        drawn = [f1_of_moved(moved(test, row["concept"], rng, null), row, of, null) for _ in range(n)]
        k = sum(f1 >= row["f1_per_domain"] - 1e-12 for f1 in drawn)
        spread = row[f"p_{null}"] * (1 - row[f"p_{null}"]) / 20  # of ours, with 20 exceedances or more
        deviation = abs(k / n - row[f"p_{null}"]) - 1 / row[f"n_{null}_draws"]
        assert deviation <= 4 * np.sqrt(
            row[f"p_{null}"] * (1 - row[f"p_{null}"]) / n + spread * row[f"p_{null}"]
        )
        assert row[f"p_{null}_max"] >= row[f"p_{null}"] - 1e-12


def test_a_control_is_compared_on_the_same_resamples(scored: Path, truth: list[Protein]) -> None:
    test = [p for p in truth if p.split == "test"]
    rows = {row["concept"]: row for row in ask(scored, "from control_excess")}
    best = {row["concept"]: row for row in pairs_of(scored, CONTROL) if row["is_best"]}
    assert set(rows) == {row["concept"] for row in pairs_of(scored) if row["is_best"]}
    for concept, row in rows.items():
        assert (row["sae"], row["control"], row["control_role"], row["is_best_control"]) == (
            SAE, CONTROL, "position", True
        )  # fmt: skip
        assert row["control_feature"] == best[concept]["feature"]
        assert row["control_f1"] == pytest.approx(best[concept]["f1_per_domain"])
        assert row["excess"] == pytest.approx(row["f1_per_domain"] - row["control_f1"])
        assert row["excess_low"] <= row["excess"] <= row["excess_high"]
        assert row["n_proteins"] == len(test)
        for sae, column in ((SAE, "n_tried"), (CONTROL, "control_n_tried")):
            (n,) = ask(
                scored,
                "select count(*) as n from concept_f1 where split = 'valid' and sae = $sae and concept = $c",
                {"sae": sae, "c": concept},
            )
            assert row[column] == n["n"] > 0
    real = rows["Domain_real"]
    assert real["excess_low"] > 0
    # What is compared has the same resamples: its interval is narrower than that of two independent ones.
    own = {row["concept"]: row for row in pairs_of(scored) if row["is_best"]}["Domain_real"]
    apart = np.hypot(
        own["f1_high"] - own["f1_low"], best["Domain_real"]["f1_high"] - best["Domain_real"]["f1_low"]
    )
    assert real["excess_high"] - real["excess_low"] < 1.05 * apart


def test_only_proteins_that_both_have_are_compared(tmp_path: Path, truth: list[Protein]) -> None:
    path = planted.warehouse(tmp_path, truth, saes=(SAE,))
    half = [p for p in truth if int(p.accession[1:]) % 4 < 2 or p.split == "valid"]
    pl.DataFrame(
        [
            {"accession": p.accession, "position": i, "feature": f, "value": value}
            for p in half for f, its in p.fired[CONTROL].items() for i, value in its.items()
        ]
    ).write_parquet(tmp_path / "half.parquet")  # fmt: skip
    commands.add_activations(path, tmp_path / "half.parquet", sae=CONTROL, n_features=planted.N_FEATURES)
    planted.make_control(path, CONTROL, SAE, role="amino_acid")
    commands.build(path)
    commands.score(path, n_resamples=50)
    shared = [p for p in half if p.split == "test"]
    scale = scales(path)
    for row in ask(path, "from control_excess"):
        assert (row["control_role"], row["n_proteins"]) == ("amino_acid", len(shared))
        by_hand = planted.f1_by_hand(
            shared, SAE, row["concept"], row["feature"], row["threshold"], scale=scale[row["feature"]]
        )
        assert row["f1_per_domain"] == pytest.approx(by_hand)


def test_a_score_without_relatives_leaves_them_out(tmp_path: Path) -> None:
    of = planted.proteins(3, n=80)
    path = planted.warehouse(tmp_path, of, saes=(SAE,))
    # Every other cluster of test is, for the sake of the argument, that of proteins of valid.
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(
            folder,
            "select * replace (if(substr(cluster, 2)::int % 4 = 0, 'c1', cluster) as cluster) from proteins",
        )
        tx.replace("proteins", [folder])
        tx.publish()
    commands.build(path)
    commands.score(path, n_resamples=50)
    test = [p for p in of if p.split == "test"]
    alone, scale = [p for p in test if int(p.cluster[1:]) % 4], scales(path)
    assert 0 < len(alone) < len(test)
    for row in pairs_of(path):
        assert row["n_relatives"] == len(test) - len(alone)
        by_hand = planted.f1_by_hand(
            alone, SAE, row["concept"], row["feature"], row["threshold"], scale=scale[row["feature"]]
        )
        assert row["f1_without_relatives"] == pytest.approx(by_hand)


def test_one_seed_gives_one_answer(scored: Path, tmp_path: Path, truth: list[Protein]) -> None:
    again = planted.warehouse(tmp_path, truth)
    commands.score(again)
    assert pairs_of(again) == pairs_of(scored)
    commands.score(again, [SAE], seed=1, n_resamples=20)
    other = pairs_of(again)
    assert {(row["seed"], row["n_resamples"]) for row in other} == {(1, 20)}
    assert [row["f1_per_domain"] for row in other] == [row["f1_per_domain"] for row in pairs_of(scored)]
    assert pairs_of(again, CONTROL) == pairs_of(scored, CONTROL)  # it was not scored again


def test_evidence_never_stands_beside_numbers_of_another_build(tmp_path: Path) -> None:
    path = planted.warehouse(tmp_path, planted.proteins(1, n=60))
    commands.score(path, n_resamples=20)
    assert commands.build(path).taken_out == ()
    assert pairs_of(path)
    said = commands.build(path, thresholds=[0.0, 0.5]).lines()
    assert (
        f"taken out, since it was older than the data: control_excess of {SAE}, pair_evidence of {SAE}; "
        f"make anew with: interplm-wh score --sae {SAE}"
    ) in said
    assert ask(path, "from pair_evidence") == ask(path, "from control_excess") == []
    assert commands.info(path).outdated == []
    assert any("have not been weighed: interplm-wh score" in line for line in commands.report(path).lines())
    commands.score(path, n_resamples=20)
    commands.scale(path, sae=CONTROL, source="valid")  # the SAE's own pairs are what they were
    assert pairs_of(path, SAE)
    assert pairs_of(path, CONTROL) == ask(path, "from control_excess") == []
    commands.score(path, n_resamples=20)
    commands.remove_proteins(path, ["P0000"])
    assert ask(path, "from pair_evidence") == []
    one_more = tmp_path / "more.csv"
    one_more.write_text("accession,start,stop,concept\nP0001,1,5,Domain_other\n")
    commands.add_annotations(path, [one_more], source="other")
    with pytest.raises(InputError, match=r"older than the data.*interplm-wh build"):
        commands.score(path)


def test_what_cannot_be_scored_is_said_in_words(scored: Path, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="there is no SAE nobody"):
        commands.score(scored, ["nobody"])
    with pytest.raises(InputError, match=r"--resamples 0.*--draws-per-pair 0.*--fdr 2.*--seed -1"):
        commands.score(scored, n_resamples=0, draws_per_pair=0, fdr=2, seed=-1)
    store.init(tmp_path / "empty")
    with pytest.raises(NotThereError, match="nothing was built"):
        commands.score(tmp_path / "empty")


def test_of_what_cannot_be_tested_any_more_nothing_is_left(tmp_path: Path) -> None:
    path = planted.warehouse(tmp_path, planted.proteins(1, n=60), saes=(SAE,))
    commands.score(path, n_resamples=20)
    commands.build(path, min_residues=10**6, min_domains=10**6)
    with pytest.raises(NotThereError, match="no pair can be tested"):
        commands.score(path)
    assert pairs_of(path) == []


def test_few_residues_at_a_time_give_the_same(
    scored: Path, tmp_path: Path, truth: list[Protein], monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplm_wh.evidence import facts

    monkeypatch.setattr(facts, "_MOST_FIRED", 1)
    again = planted.warehouse(tmp_path, truth, saes=(SAE,))
    commands.score(again)
    assert pairs_of(again) == pairs_of(scored)


def test_nothing_is_recorded_of_tables_that_were_built_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planted.warehouse(tmp_path, planted.proteins(2, n=60), saes=(SAE,))
    from interplm_wh.evidence import measure

    controls = measure.controls

    def build_beside(*args: Any, **more: Any) -> Any:
        commands.build(path, thresholds=[0.0, 0.6])
        return controls(*args, **more)

    monkeypatch.setattr(measure, "controls", build_beside)
    with pytest.raises(InputError, match="changed while its pairs were weighed"):
        commands.score(path, n_resamples=20)
    assert ask(path, "from pair_evidence") == []


def test_one_cluster_alone_claims_nothing_and_the_way_out_is_named(tmp_path: Path) -> None:
    of = planted.proteins(7, n=80, n_members=40)
    path = planted.warehouse(tmp_path, of, saes=(SAE,))
    report = commands.score(path, n_resamples=20)
    rows = pairs_of(path)
    assert {(row["n_clusters"], row["p_exchange"], row["is_claimed"]) for row in rows} == {(1, 1.0, False)}
    assert any("interplm-wh split --by cluster --keep-splits" in line for line in report.lines())


def test_what_is_weighed_is_not_weighed_again_by_a_pipeline(tmp_path: Path) -> None:
    path = planted.warehouse(tmp_path, planted.proteins(8, n=60))
    assert unweighed(path) == [SAE, CONTROL]
    commands.score(path, [CONTROL], n_resamples=20)
    assert unweighed(path) == [SAE]
    commands.score(path, n_resamples=20)
    assert unweighed(path) == []
    commands.build(path, thresholds=[0.0, 0.5])
    assert unweighed(path) == [SAE, CONTROL]


def test_where_f1_is_one_the_bound_is_wilsons(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    of = []
    for i in range(60):
        length = int(rng.integers(40, 80))
        spans = {"Domain_real": [planted._span(rng, length, 10, 12)]}
        sequence = "".join(planted.LETTERS[rng.integers(0, 20, length)])
        split = "valid" if i % 2 else "test"
        one = Protein(f"P{i:04d}", sequence, split, f"c{i}", spans, {SAE: {}})
        one.fired[SAE][0] = dict.fromkeys(one.residues("Domain_real"), 1.0)
        of.append(one)
    path = planted.warehouse(tmp_path, of, saes=(SAE,))
    commands.score(path, n_resamples=100)
    (row,) = pairs_of(path)
    expected = stats.binomtest(30, 30).proportion_ci(method="wilson").low
    assert (row["f1_per_domain"], row["f1_high"]) == (1, 1)
    assert row["f1_low"] == pytest.approx(expected)


def test_a_feature_that_fires_nowhere_on_test_is_no_evidence(tmp_path: Path) -> None:
    of = planted.proteins(4, n=60)
    for one in of:
        for feature in one.fired[SAE]:
            if one.split == "test" or feature != planted.FOLLOWS["Domain_real"]:
                one.fired[SAE][feature] = {}
    path = planted.warehouse(tmp_path, of, saes=(SAE,))
    commands.score(path, n_resamples=50)
    rows = pairs_of(path)
    assert rows
    for row in rows:
        assert (row["f1_per_domain"], row["p_shift"], row["p_exchange"], row["q"]) == (0, 1, 1, 1)
        assert not row["is_claimed"]


@pytest.mark.parametrize("concept", ["Domain_real", "Site_real", "Domain_decoy"])
def test_a_whole_curve_is_that_of_scikit_learn(scored: Path, truth: list[Protein], concept: str) -> None:
    scale = scales(scored)
    for split in ("valid", "test"):
        for feature in (0, 1, 5):
            label, value = [], []
            for one in (p for p in truth if p.split == split):
                its = one.residues(concept)
                for i in range(1, one.length + 1):
                    label.append(i in its)
                    raw = np.float32(one.fired[SAE][feature].get(i, 0.0))
                    value.append(np.float32(raw / np.float32(scale[feature])))
            rows = ask(
                scored,
                "from precision_recall($sae, $concept, $feature, wanted_split := $split)",
                {"sae": SAE, "concept": concept, "feature": feature, "split": split},
            )
            precision, recall, cuts = metrics.precision_recall_curve(label, value)
            assert [row["activation"] for row in rows][::-1] == pytest.approx(cuts.tolist())
            assert [row["precision"] for row in rows][::-1] == pytest.approx(precision[:-1].tolist())
            assert [row["recall"] for row in rows][::-1] == pytest.approx(recall[:-1].tolist())
            expected = metrics.average_precision_score(label, value)
            assert {round(row["average_precision"], 9) for row in rows} == {round(expected, 9)}


def test_a_curve_of_nothing_is_empty_or_has_no_recall(scored: Path) -> None:
    assert ask(scored, "from precision_recall('planted', 'nothing', 0)") == []
    assert ask(scored, "from precision_recall('planted', 'Domain_real', 0, wanted_split := 'train')") == []
    assert ask(scored, "from precision_recall('planted', 'Domain_real', 99)") == []
    assert ask(scored, "from precision_recall('nobody', 'Domain_real', 0)") == []
