"""Words on features: which proteins are shown and scored, what plain sentences say, and what scores are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import balanced_accuracy_score

import interplm_wh
from interplm_wh import build, commands, schema, sqlfile, store
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.interpret import examples, verdict
from interplm_wh.interpret.describe import words_of
from interplm_wh.store import Warehouse
from tests import worded
from tests.worded import SAE

Row = dict[str, Any]


@pytest.fixture(scope="module")
def root(worded_warehouse: Path) -> Path:
    return worded_warehouse


@pytest.fixture(scope="module")
def described(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = shutil.copytree(root, tmp_path_factory.mktemp("described") / "w")
    commands.describe(path, SAE)
    return path


def rows(path: Path, sql: str, **values: object) -> list[Row]:
    with interplm_wh.open(path) as wh:
        return wh.sql(sql, values or None).to_pylist()


def chosen(wh: Warehouse, *features: int) -> dict[int, examples.Examples]:
    choice = examples.choose_features(wh, SAE, features=features, sample=None, seed=0)
    examples.lay(wh.con, choice, choice.features)
    return {one.feature: one for one in examples.fetch(wh.con)}


@pytest.fixture(scope="module")
def drawn(root: Path) -> examples.Examples:
    with store.open(root) as wh:
        return chosen(wh, 0)[0]


PROTEINS = {p.accession: p for p in worded.proteins()}


def test_shown_and_scored_are_two_of_each_bin_ten_of_the_top_and_ten_without(
    drawn: examples.Examples,
) -> None:
    for side in (drawn.shown, drawn.scored):
        counts = {b: sum(e.bin == b and e.kind != "relative" for e in side) for b in range(11)}
        assert all(counts[b] <= 2 for b in range(1, 10)) and counts[10] <= 10 and counts[0] <= 10
        assert sum(counts.values()) >= 15
        for one in side:
            grade = PROTEINS[one.accession].grade
            assert one.activation == pytest.approx(grade / 10)
            assert one.bin == grade  # (0.2, 0.3] is bin 3: the bound belongs to the bin below it


def test_scored_proteins_are_of_test_and_no_relatives_of_shown_ones(drawn: examples.Examples) -> None:
    shown = [PROTEINS[e.accession] for e in drawn.shown]
    scored = [PROTEINS[e.accession] for e in drawn.scored]
    assert {p.split for p in shown} == {"valid"} and {p.split for p in scored} == {"test"}
    assert not {p.cluster for p in shown} & {p.cluster for p in scored}
    assert not {p.sequence for p in shown} & {p.sequence for p in scored}


def test_private_proteins_and_their_twins_are_left_out(root: Path) -> None:
    private = {p.sequence for p in PROTEINS.values() if p.is_private}
    with store.open(root) as wh:
        found = chosen(wh, 0, 1, 5)
        choice = examples.choose_features(wh, SAE, features=[0], sample=None, seed=0)
    drawn = [e for one in found.values() for e in (*one.shown, *one.scored)]
    assert len(drawn) > 80
    assert not {e.sequence for e in drawn} & private
    assert choice.n_private == sum(p.sequence in private for p in PROTEINS.values())


def test_relatives_are_without_the_feature_and_like_strong_ones(drawn: examples.Examples) -> None:
    for side in (drawn.shown, drawn.scored):
        strong = {PROTEINS[e.accession].cluster for e in side if e.kind == "active"}
        for one in (e for e in side if e.kind == "relative"):
            assert one.activation == 0 and PROTEINS[one.accession].grade == 0
            assert PROTEINS[one.accession].cluster in strong


def given(**tables: list[Row]) -> Any:
    """A connection with typed tables of a step of the SQL."""
    import duckdb
    import pyarrow as pa

    con = duckdb.connect()
    for name, its in tables.items():
        con.register(f"_{name}", pa.Table.from_pylist(its))
        con.execute(f"create table {name} as from _{name}")
    return con


def place(protein_id: int, activation: float, **more: Any) -> Row:
    row = {
        "feature": 1, "protein_id": protein_id, "side": "shown", "family": None, "name": None,
        "sequence": f"S{protein_id}", "position": 1, "activation": np.float32(activation),
        "bin": int(activation > 0) * 10, "kind": "active", "draw": protein_id,
    }  # fmt: skip
    return row | more


@pytest.mark.parametrize(("family", "sequence", "is_open"), [
    ("f", "MK", False), (None, "MKV", False), ("g", "MK", True), (None, "MK", True),
])  # fmt: skip
def test_relatives_of_shown_proteins_are_of_one_cluster_or_one_sequence(
    family: str | None, sequence: str, is_open: bool
) -> None:
    shown = [place(0, 1.0, family="f", sequence="MKV"), place(1, 1.0, sequence="MKL")]
    other = place(2, 0.5, side="scored", family=family, sequence=sequence)
    con = given(example_places=[*shown, other], chosen_examples=shown)
    found = con.execute(sqlfile.load("interpret", "open_places").sql, {"side": "scored"}).fetchall()
    assert [row[1] for row in found] == [2] * is_open


def test_a_relative_is_of_one_cluster_before_it_is_of_one_name_or_one_concept() -> None:
    strong = [place(0, 1.0, family="f", name="Kinase A"), place(1, 0.9, name="Kinase B", family="g")]
    without = [
        place(2, 0, name="kinase a", draw=1),  # of one name
        place(3, 0, family="f", draw=2),  # of one cluster
        place(4, 0, draw=0),  # carries the concept of both strong ones
        place(5, 0, draw=3),  # like none
    ]
    carriers = [{"concept_id": 7, "protein_id": i, "n_carriers": 3} for i in (0, 1, 4)]
    carriers += [{"concept_id": 8, "protein_id": i, "n_carriers": 2} for i in (0, 5)]  # of one of them only
    con = given(open_places=[*strong, *without], drawn_examples=strong, carriers=carriers)
    con.execute("alter table open_places drop kind")
    found = con.execute(sqlfile.load("interpret", "hard_negatives").sql).fetchall()
    assert {row[1] for row in found} == {2, 3, 4} and {row[9] for row in found} == {"relative"}


def test_scores_are_those_of_scipy_and_sklearn() -> None:
    rng = np.random.default_rng(3)
    presence, table = 0.05, []
    for feature in range(20):
        actual = np.where(rng.random(40) < 0.4, 0, rng.random(40)).astype(np.float32)
        predicted = np.clip(actual + rng.normal(0, 0.3, 40), 0, 1)
        table += [
            {"sae": "a", "feature": feature, "source": "m", "accession": f"P{i}", "is_shown": False,
             "kind": "active", "actual": a, "predicted": float(p)}
            for i, (a, p) in enumerate(zip(actual, predicted, strict=True))
        ]  # fmt: skip
    table.append({**table[0], "accession": "shown", "is_shown": True, "predicted": None})
    file = sqlfile.load("interpret", "prediction_scores")
    con = given(interpretation_predictions=table)
    found = con.execute(file.sql, {"sae": "a", "presence": presence}).fetchall()
    assert len(found) == 20
    for _, feature, _, n_scored, n_active, r, accuracy in found:
        its = [row for row in table if row["feature"] == feature and not row["is_shown"]]
        actual = np.array([row["actual"] for row in its])
        predicted = np.array([row["predicted"] for row in its])
        assert (n_scored, n_active) == (40, int((actual > np.float32(presence)).sum()))
        assert r == pytest.approx(pearsonr(predicted, actual).statistic, abs=1e-9)
        expected = balanced_accuracy_score(actual > np.float32(presence), predicted > np.float32(presence))
        assert accuracy == pytest.approx(expected)


@pytest.mark.parametrize(
    ("actual", "predicted", "r", "accuracy"),
    [
        ([0, 0.5, 1], [0.3, 0.3, 0.3], None, 0.5),  # one number says nothing of the order
        ([0.5, 0.7, 1], [0.1, 0.5, 0.9], 0.993, None),  # nothing that is not active
        ([0, 1], [0, 1], None, 1.0),  # two are always on a line
        ([0, 0, 1, 1], [1, 1, 0, 0], -1.0, 0.0),
    ],
)
def test_what_cannot_be_scored_is_null(
    actual: list[float], predicted: list[float], r: float | None, accuracy: float | None
) -> None:
    table = [
        {"sae": "a", "feature": 0, "source": "m", "accession": f"P{i}", "is_shown": False, "kind": "active",
         "actual": np.float32(a), "predicted": float(p)}
        for i, (a, p) in enumerate(zip(actual, predicted, strict=True))
    ]  # fmt: skip
    file = sqlfile.load("interpret", "prediction_scores")
    con = given(interpretation_predictions=table)
    ((*_, found_r, found_accuracy),) = con.execute(file.sql, {"sae": "a", "presence": 0.05}).fetchall()
    assert found_r == pytest.approx(r, abs=1e-3) and found_accuracy == pytest.approx(accuracy)


def test_a_planted_feature_is_described_and_predicted(described: Path) -> None:
    (one,) = rows(described, "from interpretations where feature = 0")
    assert one["source"] == "describe" and one["status"] == "scored" and one["sha256"] is None
    assert "Motif_wcw" in one["summary"] and "F1 1.00 on valid" in one["description"]
    assert one["pearson_r"] > 0.7 and one["balanced_accuracy"] == 1.0
    letters = rows(described, "from interpretations where feature = 5")[0]
    assert "It prefers C" in letters["description"] and letters["pearson_r"] == pytest.approx(1)
    assert letters["balanced_accuracy"] == 1.0


def test_kept_scores_are_those_of_the_kept_predictions(described: Path) -> None:
    table = rows(described, "from interpretation_predictions where not is_shown")
    for one in rows(described, "from interpretations"):
        its = [row for row in table if row["feature"] == one["feature"]]
        actual, predicted = ([row[name] for row in its] for name in ("actual", "predicted"))
        assert one["n_scored"] == len(its) > 0
        if one["pearson_r"] is not None:
            assert one["pearson_r"] == pytest.approx(pearsonr(predicted, actual).statistic, abs=1e-6)


def test_no_shown_protein_is_ever_predicted(described: Path) -> None:
    assert not rows(described, "from interpretation_predictions where is_shown and predicted is not null")
    twice = "from interpretation_predictions group by feature, accession having count(*) > 1"
    assert not rows(described, f"select feature, accession {twice}")


def test_describing_never_reads_activations_of_scored_proteins(root: Path, tmp_path: Path) -> None:
    before = shutil.copytree(root, tmp_path / "before")
    commands.describe(before, SAE, features=[0, 1, 5])
    # The same warehouse, in which nothing is active on test.
    after = shutil.copytree(root, tmp_path / "after")
    with store.write(after, command="test") as tx:
        folder = tx.new_folder("activations", sae=SAE)
        tx.write_query(
            folder,
            "select a.* exclude sae from activations as a join proteins as p using (protein_id) "
            "where a.sae = $sae and p.split <> 'test'",
            {"sae": SAE},
        )
        encodings = tx.new_folder("encodings", sae=SAE)
        part = f"{tx.staging.final_name(folder)}/part-0.parquet"
        tx.write_query(
            encodings,
            "select * exclude sae replace ($part as part) from encodings where sae = $sae",
            {"sae": SAE, "part": part},
        )
        tx.replace("activations", [folder], sae=SAE)
        tx.replace("encodings", [encodings], sae=SAE)
        tx.publish()
    commands.build(after)
    commands.describe(after, SAE, features=[0, 1, 5])
    said = "select feature, summary, description from interpretations order by feature"
    assert rows(before, said) == rows(after, said)
    assert rows(before, "from feature_stats") != rows(after, "from feature_stats")


def test_describing_again_gives_the_same_and_replaces(described: Path, tmp_path: Path) -> None:
    path = shutil.copytree(described, tmp_path / "w")
    kept = "select * exclude created from interpretations order by feature"
    before, predictions = rows(path, kept), rows(path, "from interpretation_predictions order by all")
    commands.describe(path, SAE, features=[0])
    assert rows(path, kept) == before
    assert rows(path, "from interpretation_predictions order by all") == predictions
    assert commands.verify(path).is_sound


def test_all_features_that_can_be_shown_are_described(described: Path) -> None:
    assert [row["feature"] for row in rows(described, "from interpretations order by feature")] == [0, 1, 5]


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (2, "feature 2 is dead"),
        (3, "feature 3 is present on no protein of valid or train that is not private"),
        (4, "feature 4 is present on no protein of valid or train that is not private"),
        (99, "no feature 99; the last one is 5"),
    ],
)
def test_a_feature_that_cannot_be_shown_is_refused(root: Path, feature: int, words: str) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(NotThereError, match=words):
        commands.describe(root, SAE, features=[0, feature])
    assert sorted(root.rglob("*")) == before


def test_an_sae_that_is_not_there_is_refused(root: Path) -> None:
    with pytest.raises(NotThereError, match="did you mean worded"):
        commands.describe(root, "wordid")
    with pytest.raises(InputError, match="not both"):
        commands.describe(root, SAE, features=[0], sample=1)


def told(**known: Any) -> Row:
    names = (
        "concept", "f1_per_domain", "letters", "enrichment", "shape", "median_top_length", "period", "word",
        "n_carrying", "fact", "cut", "above", "below",
    )  # fmt: skip
    return dict.fromkeys(names) | {"middle": 0.25} | known


@pytest.mark.parametrize(
    ("facts", "summary", "said"),
    [
        ({}, "nothing known", "Nothing in the tables says what it is. None of this tells on which proteins "
         "it is strong; 0.25 is expected on each."),
        ({"shape": "periodic", "period": 3, "letters": "G, P", "enrichment": 4.0, "fact": "letters",
          "cut": 0.25, "above": 0.9, "below": 0.0}, "prefers G, P (residues in a rhythm)",
         "Where it is strongest it marks residues in a rhythm, every 3. It prefers G, P (G 4.0 times as "
         "often as elsewhere). Expected: 0.90 on proteins of which more than 25.0 % is G, P, 0.00 on "
         "others."),
        ({"concept": "Domain_SH3", "f1_per_domain": 0.3, "word": "kinase", "n_carrying": 4, "fact": "word",
          "above": 0.5, "below": 0.1}, "proteins named kinase",
         "Of the annotated concepts it overlaps most with Domain_SH3 (F1 0.30 on valid). It is strongest on "
         "proteins named kinase (4 of those shown). Expected: 0.50 on proteins named kinase, 0.10 on "
         "others."),
    ],
)  # fmt: skip
def test_sentences_say_what_the_facts_are(facts: Row, summary: str, said: str) -> None:
    words = words_of(told(**facts))
    assert (words.summary, words.description) == (summary, said)


def test_a_summary_is_short_and_one_line_whatever_a_concept_is_called() -> None:
    words = words_of(told(concept="x\n\u202e" * 300, f1_per_domain=0.9, shape="point"))
    assert len(words.summary) <= 120 and words.summary.isprintable() and words.summary.endswith("residues)")


def test_words_are_made_where_nothing_is_left_to_score_on(root: Path, tmp_path: Path) -> None:
    path = shutil.copytree(root, tmp_path / "w")
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(folder, "select * replace ('train' as split) from proteins")
        tx.replace("proteins", [folder])
        tx.publish()
    commands.build(path)
    report = commands.describe(path, SAE, features=[0])
    (one,) = rows(path, "from interpretations")
    assert (one["status"], one["reason"]) == ("unscored", "no protein of test is left to score on")
    assert one["summary"].startswith("prefers C, W") and (report.n_scored, report.median_r) == (0, None)


def test_words_are_older_than_the_data_where_the_scale_is_another(described: Path, tmp_path: Path) -> None:
    path = shutil.copytree(described, tmp_path / "w")
    scale = rows(path, "select max_activation from features order by feature")
    now = np.array([row["max_activation"] for row in scale], dtype=np.float32)
    now[5] *= 2
    assert "words of" not in "\n".join(commands.info(path).lines())
    build.scale(path, sae=SAE, source="more.fasta", scale_of_fasta=lambda fasta, name: (now, 3))
    told = "\n".join(commands.info(path).lines())
    assert f"words of describe on 1 feature of {SAE}; make anew with: interplm-wh describe" in told
    assert f"describe --sae {SAE} --feature 5" in told
    is_older = [rows(path, f"from feature_words('{SAE}', {feature})")[0]["is_older"] for feature in (0, 5)]
    assert is_older == [False, True]
    commands.describe(path, SAE, features=[5])
    assert "words of" not in "\n".join(commands.info(path).lines())
    assert not rows(path, f"from feature_words('{SAE}', 5)")[0]["is_older"]


def test_verdicts_are_added_and_the_last_one_counts(described: Path, tmp_path: Path) -> None:
    path = shutil.copytree(described, tmp_path / "w")
    commands.verdict(path, SAE, 0, verdict="spurious", note="too\nbroad", judge="me")
    report = verdict(path, SAE, 0, verdict="confirmed", judge="you")
    assert report.lines() == [
        "worded, feature 0: the words of describe are confirmed, says you; kept in interpretation_verdicts"
    ]
    kept = rows(path, "from interpretation_verdicts order by created")
    assert [(row["verdict"], row["note"], row["judge"]) for row in kept] == [
        ("spurious", "too broad", "me"), ("confirmed", None, "you"),
    ]  # fmt: skip
    (words,) = rows(path, "from feature_words('worded', 0)")
    assert (words["verdict"], words["judge"]) == ("confirmed", "you")
    commands.describe(path, SAE, features=[0])  # words made anew keep the verdict
    assert rows(path, "from feature_words('worded', 0)")[0]["verdict"] == "confirmed"
    with pytest.raises(NotThereError, match="no words on feature 2"):
        commands.verdict(path, SAE, 2, verdict="confirmed")
    with pytest.raises(NotThereError, match="no words of gpt"):
        commands.verdict(path, SAE, 0, verdict="confirmed", source="gpt")
    with pytest.raises(InputError, match="shorten"):
        commands.verdict(path, SAE, 0, verdict="confirmed", note="x" * 3000)


def test_removed_proteins_leave_no_trace_in_words(described: Path, tmp_path: Path) -> None:
    path = shutil.copytree(described, tmp_path / "w")
    gone = rows(path, "from interpretation_predictions where feature = 0 and is_shown order by accession")[0]
    n_before = len(rows(path, "from interpretation_predictions"))
    commands.remove_proteins(path, [gone["accession"]])
    left = rows(path, "from interpretation_predictions")
    assert 0 < len(left) < n_before and all(row["accession"] != gone["accession"] for row in left)
    assert len(rows(path, "from interpretations")) == 3
    assert commands.verify(path).is_sound
    commands.remove_sae(path, SAE)
    assert not rows(path, "from interpretations") and not rows(path, "from interpretation_predictions")


def test_tables_are_declared_for_what_they_hold() -> None:
    kept = {c.name: c for c in schema.table("interpretation_predictions").columns}
    assert (kept["predicted"].min, kept["predicted"].max, kept["predicted"].nullable) == (0, 1, True)
