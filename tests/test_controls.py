"""Controls beside an SAE: what fires where, what is compared, and how they come and go."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small
import yaml
from numpy.typing import NDArray

from interplm_wh import store
from interplm_wh.ask import compare_controls, info, report, verify
from interplm_wh.build import build, scale
from interplm_wh.controls import residues
from interplm_wh.controls.kinds import KINDS, default_name
from interplm_wh.controls.run import controls
from interplm_wh.encode import encode
from interplm_wh.errors import CheckError, InputError, InterplmError, MismatchError, NotThereError
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.pipeline import run_pipeline
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.sae import add_sae
from tests.test_cli import run as cli
from tests.tiny_models import LETTERS, make_plm, make_sae, some_proteins, write_fasta

THRESHOLDS = (0, 0.15, 0.5, 0.6, 0.8)
ENDS = (5, 10, 20, 30, 50)


def ask(warehouse: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    with store.open(warehouse) as wh:
        found: list[dict[str, Any]] = wh.sql(sql, list(values)).to_pylist()
        return found


def fires(role: str, sequence: str) -> NDArray[np.bool_]:
    """Which features of a control fire on which residues, bool [length, n_features]: written anew."""
    n = len(sequence)
    if role == "amino_acid":
        return np.array([[letter == other for other in LETTERS] for letter in sequence])
    position = np.arange(n)[:, None]
    return np.hstack([position < np.array(ENDS), position >= n - np.array(ENDS)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a PLM, an SAE and a warehouse in which 60 proteins are encoded and annotated."""
    folder = tmp_path_factory.mktemp("controls")
    plm = make_plm(folder / "tiny")
    make_sae(folder / "ae.pt", plm, layer=1)
    proteins = {**some_proteins(60), "PX": "MXUBZKOA" * 9}
    root = store.init(folder / "w")
    add_proteins(root, [write_fasta(folder / "p.fasta", proteins)])
    # A signal at the N-terminus, and one that only residues say: every C.
    rows = [f"{name},1,{min(10, len(text))},start_x,domain" for name, text in proteins.items()]
    rows += [
        f"{name},{i},{i},cysteine_x,residue"
        for name, text in proteins.items()
        for i, letter in enumerate(text, start=1)
        if letter == "C"
    ]
    (folder / "a.csv").write_text("\n".join(["accession,start,stop,concept,level", *rows]))
    add_annotations(root, [folder / "a.csv"], source="mine")
    add_sae(root, str(folder / "ae.pt"), name="s", plm=str(plm), layer=1)
    encode(root, ["s"], device="cpu")
    build(root, min_residues=5, min_domains=3)
    return folder


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Path:
    return shutil.copytree(base / "w", tmp_path / "w")


@pytest.fixture(scope="module")
def made(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse with the controls that need no recipe; to be read only."""
    path = shutil.copytree(base / "w", tmp_path_factory.mktemp("made") / "w")
    controls(path, "s", device="cpu")
    return path


# -- what fires --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "name"), [("amino_acid", "s-amino-acids"), ("position", "s-position")])
def test_a_control_fires_where_its_rule_says(made: Path, role: str, name: str) -> None:
    sequences = {row["protein_id"]: row["sequence"] for row in ask(made, "from proteins")}
    expected = {
        (protein, int(position) + 1, int(feature), 1.0)
        for protein, sequence in sequences.items()
        for position, feature in np.argwhere(fires(role, sequence))
    }
    rows = ask(made, "select protein_id, position, feature, value from activations where sae = ?", name)
    assert {tuple(row.values()) for row in rows} == expected
    assert len(rows) == len(expected)
    counts = ask(made, "select protein_id, n_residues, n_activations from encodings where sae = ?", name)
    assert {tuple(row.values()) for row in counts} == {
        (p, len(s), int(fires(role, s).sum())) for p, s in sequences.items()
    }
    (row,) = ask(made, "from saes where sae = ?", name)
    expected_row = {
        "role": role, "control_of": "s", "architecture": role, "plm": None, "layer": None, "sha256": None,
        "n_features": 20 if role == "amino_acid" else 10, "source": "residues", "scale_source": "rule",
    }  # fmt: skip
    assert {key: row[key] for key in expected_row} == expected_row
    scales = ask(made, "select distinct max_activation as m from features where sae = ?", name)
    assert scales == [{"m": 1.0}]


def f1_oracle(made: Path, role: str) -> dict[tuple[str, str, int], float]:
    """F1 per domain of each concept, split and feature, by numpy; rules fire at every threshold alike."""
    proteins = ask(made, "from proteins")
    spans = ask(
        made,
        "select p.accession, c.concept, c.level, a.instance_id, a.start, a.stop from annotations as a "
        "join proteins as p using (protein_id) join concepts as c using (concept_id)",
    )
    found = {}
    for split in ("valid", "test"):
        mine = [row for row in proteins if row["split"] == split]
        firing = {row["accession"]: fires(role, row["sequence"]) for row in mine}
        for concept in {row["concept"] for row in spans}:
            rows = [row for row in spans if row["concept"] == concept and row["accession"] in firing]
            truth = {name: np.zeros(len(fired), bool) for name, fired in firing.items()}
            for row in rows:
                truth[row["accession"]][row["start"] - 1 : row["stop"]] = True
            tp = sum(fired[truth[name]].sum(axis=0) for name, fired in firing.items())
            n = sum(fired.sum(axis=0) for fired in firing.values())
            hit = [firing[row["accession"]][row["start"] - 1 : row["stop"]].any(axis=0) for row in rows]
            level = rows[0]["level"]
            total = len(rows) if level == "domain" else sum(t.sum() for t in truth.values())
            hits = np.sum(hit, axis=0) if level == "domain" else tp
            for feature in np.flatnonzero(tp):
                precision, recall = tp[feature] / n[feature], hits[feature] / total
                found[concept, split, int(feature)] = 2 * precision * recall / (precision + recall)
    return found


@pytest.mark.parametrize(("role", "name"), [("amino_acid", "s-amino-acids"), ("position", "s-position")])
def test_f1_of_a_control_is_that_of_an_independent_count(made: Path, role: str, name: str) -> None:
    expected = f1_oracle(made, role)
    rows = ask(
        made,
        "select concept, split, feature, threshold, f1_per_domain from concept_f1 "
        "where sae = ? and not starts_with(concept, 'amino_acid')",
        name,
    )
    assert {row["threshold"] for row in rows} == set(THRESHOLDS)
    assert {(r["concept"], r["split"], r["feature"]) for r in rows} == set(expected)
    for row in rows:
        key = row["concept"], row["split"], row["feature"]
        assert row["f1_per_domain"] == pytest.approx(expected[key], abs=1e-12), key


def test_amino_acids_are_found_exactly_and_a_signal_at_the_start_by_position(made: Path) -> None:
    best = {(row["role"], row["concept"]): row for row in ask(made, "from control_pairs('s')")}
    for feature, letter in enumerate(LETTERS):
        row = best["amino_acid", f"amino_acid_{letter}"]
        assert (row["feature"], row["test_f1_per_domain"], row["valid_f1_per_domain"]) == (feature, 1, 1)
    cysteine = best["amino_acid", "cysteine_x"]
    assert (cysteine["feature"], cysteine["test_f1_per_domain"], cysteine["is_found"]) == (1, 1, True)
    start = best["position", "start_x"]  # feature 1 is the first 10 residues
    assert (start["feature"], start["test_f1_per_domain"], start["is_found"]) == (1, 1, True)
    assert best["amino_acid", "start_x"]["test_f1_per_domain"] < 0.7


# -- what is compared --------------------------------------------------------------------------------


def found_by_hand(made: Path, sae: str, *, features: int = 10**9) -> tuple[int, int, int, float]:
    """Concepts found, features, pairs tried and mean F1, from `concept_f1` alone."""
    rows = ask(
        made,
        "select concept, split, feature, threshold, f1, f1_per_domain as f from concept_f1 "
        "where sae = ? and feature < ? and not starts_with(concept, 'amino_acid')",
        sae,
        features,
    )
    valid = [row for row in rows if row["split"] == "valid"]
    test = {(r["concept"], r["feature"], r["threshold"]): r["f"] for r in rows if r["split"] == "test"}
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for row in sorted(valid, key=lambda r: (r["f"], r["f1"], r["threshold"])):
        best[row["concept"], row["feature"]] = row
    found = [
        key for key, row in best.items() if row["f"] > 0.5 and test.get((*key, row["threshold"]), 0) > 0.5
    ]
    top: dict[str, dict[str, Any]] = {}
    for row in sorted(best.values(), key=lambda r: (r["f"], r["f1"], r["threshold"], -r["feature"])):
        top[row["concept"]] = row
    scores = [test.get((c, row["feature"], row["threshold"]), 0) for c, row in top.items()]
    return len({c for c, _ in found}), len({f for _, f in found}), len(valid), sum(scores) / 2


@pytest.mark.parametrize(
    ("role", "sae", "feature_set", "features"),
    [
        ("sae", "s", "all", 10**9),
        ("neurons", "s-neurons", "all", 10**9),
        ("neurons", "s-neurons", "published", 16),
        ("amino_acid", "s-amino-acids", "all", 10**9),
        ("position", "s-position", "all", 10**9),
    ],
)
def test_the_summary_is_what_counting_by_hand_gives(
    made: Path, role: str, sae: str, feature_set: str, features: int
) -> None:
    (row,) = [
        row
        for row in ask(made, "from control_summary('s')")
        if (row["scale"], row["role"], row["feature_set"]) == ("own", role, feature_set)
    ]
    expected = found_by_hand(made, sae, features=features)
    keys = ("n_concepts_found", "n_features_with_concept", "n_tried", "mean_best_test_f1")
    assert tuple(row[key] for key in keys) == pytest.approx(expected)
    assert (row["sae"], row["n_concepts"], row["n_proteins"], row["is_current"]) == (sae, 2, 61, True)


def test_the_scale_of_valid_is_what_a_warehouse_scaled_by_valid_gives(made: Path, tmp_path: Path) -> None:
    before = ask(made, "from features order by all")
    theirs = {
        (row["role"], row["feature_set"]): row
        for row in ask(made, "from control_summary('s')")
        if row["scale"] == "valid"
    }
    copy = shutil.copytree(made, tmp_path / "w")
    for sae, role, feature_set, features in (
        ("s", "sae", "all", 10**9), ("s-neurons", "neurons", "all", 10**9),
        ("s-neurons", "neurons", "published", 16),
    ):  # fmt: skip
        scale(copy, sae=sae, source="valid")
        expected = found_by_hand(copy, sae, features=features)
        keys = ("n_concepts_found", "n_features_with_concept", "n_tried", "mean_best_test_f1")
        assert tuple(theirs[role, feature_set][key] for key in keys) == pytest.approx(expected)
    assert ask(copy, "from features order by all") != before
    assert ask(made, "from features order by all") == before


def test_a_row_per_concept_has_a_column_per_control(made: Path) -> None:
    rows = {row["concept"]: row for row in ask(made, "from control_concepts('s')")}
    assert set(rows) == {"start_x", "cysteine_x"}  # amino acids are never counted
    best = {
        (row["role"], row["concept"]): row["test_f1_per_domain"]
        for row in ask(made, "from control_pairs('s')")
    }
    for concept, row in rows.items():
        assert row["shuffled_f1"] is None
        for role in ("neurons_both_signs", "amino_acid", "position"):
            kind = "neurons" if role.startswith("neurons") else role
            assert row[f"{role}_f1"] == best[kind, concept]
        (mine,) = ask(
            made, "select * from heldout_pairs where sae = 's' and is_best and concept = ?", concept
        )
        assert (row["sae_f1"], row["feature"]) == (mine["test_f1_per_domain"], mine["feature"])


def test_the_command_prints_the_table_the_list_and_the_chart(made: Path, tmp_path: Path) -> None:
    said = cli("-w", made, "compare", "--controls", "s", "--chart", tmp_path / "c.svg")
    assert said.returncode == 0, said.stderr
    out = said.stdout.decode()
    for words in ("own scale", "valid alone", "raw neurons, as published", "position in the sequence"):
        assert words in out
    assert b"not made yet: PLM with shuffled weights;" in said.stderr
    drawn = (tmp_path / "c.svg").read_text()
    for words in ("s beside its controls", "Concepts found", "Features with a concept", "F1 on test"):
        assert words in drawn
    csv = cli("-w", made, "compare", "--controls", "s", "--concepts", "--format", "csv").stdout.decode()
    assert csv.splitlines()[0].startswith('"concept","feature"') and len(csv.splitlines()) == 3
    json = cli("-w", made, "compare", "--controls", "s", "--format", "json").stdout.decode()
    assert len(json.splitlines()) == 10  # five rows under each scale
    listed = cli("-w", made, "compare", "--controls", "s", "--concepts").stdout.decode()
    assert "cysteine_x" in listed and "amino_acid_" not in listed
    for wrong in (
        ["compare", "--controls"],
        ["compare", "--controls", "s", "t"],
        ["compare", "--concepts"],
        ["compare", "--controls", "s", "--on", "valid"],
    ):
        assert cli("-w", made, *wrong).returncode == 2


def test_the_report_names_controls_behind_their_sae(made: Path) -> None:
    said = "\n".join(report(made).lines())
    heads = [line for line in said.splitlines() if line.startswith("s")]
    assert heads == [
        "s",
        "s-neurons (control of s: raw neurons)",
        "s-amino-acids (control of s: amino-acid identity)",
        "s-position (control of s: position in the sequence)",
    ]
    assert verify(made).is_sound
    assert "every table is up to date" in info(made).lines()


def test_different_proteins_are_refused_with_the_command_that_mends_it(root: Path, tmp_path: Path) -> None:
    controls(root, "s", ["position", "amino_acid"])
    add_proteins(root, [write_fasta(tmp_path / "new.fasta", some_proteins(8, first=100))])
    encode(root, ["s"], device="cpu")
    with pytest.raises(MismatchError, match=r"s 69, s-amino-acids 61.*with: interplm-wh controls s$"):
        compare_controls(root, "s")
    controls(root, "s", ["position", "amino_acid"])
    assert set(compare_controls(root, "s").summary["n_proteins"].to_pylist()) == {69}
    # The other way round: a control has more proteins than its SAE.
    add_proteins(root, [write_fasta(tmp_path / "more.fasta", some_proteins(3, first=200))])
    encode(root, ["s-position"])
    with pytest.raises(MismatchError, match=r"interplm-wh encode --sae s; then: interplm-wh controls s$"):
        compare_controls(root, "s")


def test_what_was_not_counted_since_the_last_build_is_refused(root: Path) -> None:
    with pytest.raises(NotThereError, match="has no control; make them with: interplm-wh controls s"):
        compare_controls(root, "s")
    controls(root, "s", ["position"])
    assert info(root).outdated == []
    build(root, thresholds=[0.5])
    assert {one.command for one in info(root).outdated} == {"controls s"}
    with pytest.raises(NotThereError, match="not counted since the last build; run: interplm-wh controls s"):
        compare_controls(root, "s")
    assert not any(row["is_current"] for row in ask(root, "from control_summary('s')"))
    controls(root, "s", ["position"])
    assert compare_controls(root, "s").summary.num_rows == 4
    with pytest.raises(InputError, match="itself a control"):
        compare_controls(root, "s-position")
    with pytest.raises(NotThereError, match="did you mean s-position"):
        compare_controls(root, "s-positin")


# -- how they come and go ----------------------------------------------------------------------------


def test_a_second_run_changes_nothing(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "w")
    before = ask(copy, "from runs")
    controls(copy, "s", device="cpu")
    assert ask(copy, "from runs") == before


def test_appended_proteins_go_through_encode_as_for_any_sae(root: Path, tmp_path: Path) -> None:
    controls(root, "s", device="cpu")
    add_proteins(root, [write_fasta(tmp_path / "new.fasta", some_proteins(9, first=100))])
    names = ["s", "s-neurons", "s-amino-acids", "s-position"]
    done = encode(root, names, device="cpu")
    assert {one.sae: (one.n_proteins, one.n_present) for one in done.saes} == dict.fromkeys(names, (9, 61))
    assert encode(root, ["s-position"]).lines()[-1] == "nothing was left to encode"
    build(root)
    fresh = store.init(tmp_path / "fresh")
    proteins = {**some_proteins(60), "PX": "MXUBZKOA" * 9, **some_proteins(9, first=100)}
    add_proteins(fresh, [write_fasta(tmp_path / "all.fasta", proteins)])
    with store.write(fresh, command="test") as tx:
        small.add_sae(tx, "s")
        tx.publish()
    with store.write(fresh, command="test") as tx:
        for role in ("amino_acid", "position"):
            residues.register(tx, default_name("s", role), role, control_of="s")
        tx.publish()
    encode(fresh, ["s-amino-acids", "s-position"])
    sql = (
        "select a.sae, p.accession, a.position, a.feature, a.value from activations as a "
        "join proteins as p using (protein_id) where a.sae in ('s-amino-acids', 's-position') order by all"
    )
    assert ask(root, sql) == ask(fresh, sql)


def test_activations_are_cut_into_parts_of_whole_proteins(
    root: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residues, "BLOCK_RESIDUES", 300)
    controls(root, "s", ["position", "amino_acid"])
    for sae in ("s-position", "s-amino-acids"):
        parts = ask(root, "from parts where table_name = 'activations' and sae = ? order by path", sae)
        assert len(parts) > 3
        assert all(a["last_protein"] < b["first_protein"] for a, b in itertools.pairwise(parts))
        sql = "select protein_id, position, feature from activations where sae = ? order by all"
        assert ask(root, sql, sae) == ask(made, sql, sae)
    assert verify(root).is_sound


def test_proteins_that_are_removed_leave_the_controls_too(root: Path) -> None:
    controls(root, "s", ["position", "amino_acid"])
    remove_proteins(root, ["P3", "P7"])
    assert {row["n"] for row in ask(root, "select count(*) as n from encodings group by sae")} == {59}
    assert verify(root).is_sound
    controls(root, "s", ["position"])
    assert set(compare_controls(root, "s").summary["n_proteins"].to_pylist()) == {59}


def test_neurons_serve_every_sae_of_their_layer(root: Path, base: Path) -> None:
    plm = str(base / "tiny")
    add_sae(root, str(make_sae(root.parent / "b.pt", base / "tiny", layer=1, components=6)),
            name="b", plm=plm, layer=1)  # fmt: skip
    add_sae(root, "identity", name="raw", plm=plm, layer=1)
    add_sae(root, "identity", name="raw2", plm=plm, layer=2)
    encode(root, ["b"], device="cpu")
    assert controls(root, "s", ["neurons"], device="cpu").controls == {"neurons": "raw"}
    assert controls(root, "b", ["neurons"], device="cpu").controls == {"neurons": "raw"}
    rows = ask(root, "select sae, control_of from saes where role = 'neurons' order by sae")
    assert rows == [{"sae": "raw", "control_of": "s"}, {"sae": "raw2", "control_of": None}]
    assert compare_controls(root, "b").summary.num_rows == 6


def test_an_sae_that_goes_leaves_its_controls_and_gets_them_back(root: Path, base: Path) -> None:
    controls(root, "s", device="cpu")
    said = remove_sae(root, "s").text
    assert "its controls stay, and go with: interplm-wh remove sae s-amino-acids; " in said
    assert {row["control_of"] for row in ask(root, "from saes")} == {None}
    assert verify(root).is_sound
    add_sae(root, str(base / "ae.pt"), name="s", plm=str(base / "tiny"), layer=1)
    encode(root, ["s"], device="cpu")
    found = controls(root, "s", device="cpu")
    assert set(found.controls) == {"neurons", "amino_acid", "position"}
    assert {row["control_of"] for row in ask(root, "from saes where sae <> 's'")} == {"s"}
    remove_sae(root, "s-position")
    assert not ask(root, "from saes where sae = 's-position'")
    assert verify(root).is_sound


def test_names_of_controls_fit_and_are_never_taken_from_others(root: Path, base: Path) -> None:
    long = "a" * 64
    names = {default_name(long, kind) for kind in KINDS}
    assert len(names) == 4 and max(map(len, names)) == 64
    assert default_name("a" * 63 + "b", "position") not in names
    # Someone else's SAE, and one that differs in case alone.
    for name, message in (("s-position", "is taken by another SAE"), ("S-Position", "differs only in case")):
        copy = shutil.copytree(root, root.parent / name)
        add_sae(copy, str(base / "ae.pt"), name=name, plm=str(base / "tiny"), layer=1)
        runs = ask(copy, "from runs")
        with pytest.raises(InputError, match=message):
            controls(copy, "s")
        assert ask(copy, "from runs") == runs
        shutil.rmtree(copy)


def test_an_sae_with_the_longest_name_gets_its_controls(root: Path, base: Path) -> None:
    long = "Z" + "-._9" * 15 + "end"
    add_sae(root, str(base / "ae.pt"), name=long, plm=str(base / "tiny"), layer=1)
    encode(root, [long], device="cpu")
    made = controls(root, long, device="cpu")
    assert set(made.controls) == {"neurons", "amino_acid", "position"}
    assert compare_controls(root, long).summary.num_rows == 10
    assert "shuffled" in made.left_out


def test_what_cannot_be_made_is_said_before_anything_is_done(root: Path) -> None:
    runs = ask(root, "from runs")
    for kinds, sae, error, message in (
        (["shuffled"], "s", InputError, r"recipe of its training is missing; give a pipeline .* --recipe"),
        (["positon"], "s", InputError, "did you mean position"),
        ([], "t", NotThereError, "there is no SAE 't'"),
    ):
        with pytest.raises(error, match=message):
            controls(root, sae, kinds)
    with store.write(root, command="test") as tx:
        small.add_sae(tx, "made-elsewhere")
        tx.publish()
    with pytest.raises(NotThereError, match="has encoded no protein; run: interplm-wh encode --sae"):
        controls(root, "made-elsewhere")
    with store.write(root, command="test") as tx:
        folder = tx.new_folder("encodings", sae="made-elsewhere")
        tx.write_query(
            folder,
            "select protein_id, 'x' as part, length as n_residues, 0 as n_activations, 'float32' as dtype, "
            "false as is_halved, '0' as package_version from proteins",
        )
        tx.append(folder)
        tx.publish()
    with pytest.raises(InputError, match="made elsewhere, and raw neurons need its PLM and layer"):
        controls(root, "made-elsewhere", ["neurons"])
    assert len(ask(root, "from runs")) == len(runs) + 2


def test_a_control_of_residues_has_nothing_to_apply_and_a_scale_that_stays(
    made: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(made, tmp_path / "w")
    for source in ("all", "valid", str(write_fasta(tmp_path / "x.fasta", some_proteins(2)))):
        with pytest.raises(InterplmError, match=r"its scale is 1 and stays so|there is no model to apply"):
            scale(copy, sae="s-position", source=source)
    with pytest.raises(InputError, match=r"made from residues \(position in the sequence\)"):
        from interplm_wh.evaluate import evaluate

        evaluate(copy, ["s-position"])
    with pytest.raises(InputError, match="is itself a control"):
        controls(copy, "s-position")


def _controls_command(root: Path) -> list[str]:
    return [sys.executable, "-m", "interplm_wh", "-w", str(root), "controls", "s", "--device", "cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_killed_after_any_publish_nothing_is_lost_and_the_next_run_goes_on(
    root: Path, made: Path, after: int
) -> None:
    catalogue = root / "warehouse.duckdb"
    process = subprocess.Popen(_controls_command(root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stamp, seen = catalogue.stat().st_mtime_ns, 0
    while process.poll() is None and seen < after:
        now = catalogue.stat().st_mtime_ns
        seen, stamp = seen + (now != stamp), now
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert seen == after
    assert verify(root).is_sound
    controls(root, "s", device="cpu")
    sql = "select sae, scale, feature_set, concept, feature, threshold, is_best, test_f1_per_domain, n_tried from compared_pairs order by all"  # noqa: E501
    assert ask(root, sql) == ask(made, sql)
    assert verify(root).is_sound
    assert not list((root / ".staging").glob("*"))


# -- a recipe, from training to comparison -----------------------------------------------------------


def pipeline(folder: Path, **more: object) -> Path:
    """A pipeline that trains a small SAE and makes its controls."""
    content = {
        "proteins": {"files": ["p.fasta"]},
        "annotations": [{"files": ["a.csv"], "source": "mine"}],
        "plm": "./tiny",
        "train": {
            "splits": ["valid"], "files": ["extra.fasta"], "steps": 40, "batch": 64, "buffer": 512,
            "log_every": 10, "checkpoint_every": 10,
            "saes": [
                {"name": "t", "architecture": "relu", "layer": 1, "n_features": 24, "lr": 0.003,
                 "l1": 0.01, "l1_warmup": 20, "seed": 3},
                {"name": "u", "architecture": "topk", "layer": 2, "n_features": 24, "lr": 0.003, "k": 3},
            ],
        },
        "controls": "all",
        "encode": {"device": "cpu"},
        "min_residues": 5,
        "min_domains": 3,
        **more,
    }  # fmt: skip
    write_fasta(folder / "extra.fasta", some_proteins(5, first=900))
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained") / "w"
    run_pipeline(pipeline(base), root)
    return root


@pytest.mark.slow
def test_the_shuffled_control_is_trained_by_the_same_recipe_on_shuffled_weights(trained: Path) -> None:
    rows = {row["sae"]: row for row in ask(trained, "from saes")}
    control, mine = rows["t-shuffled"], rows["t"]
    assert (control["role"], control["control_of"], control["plm"]) == ("shuffled", "t", "tiny-shuffled-0")
    for key in ("architecture", "layer", "d_model", "n_features", "input_norm", "min_value"):
        assert control[key] == mine[key]
    cards = [yaml.safe_load((trained / "saes" / n / "card.yaml").read_text()) for n in ("t", "t-shuffled")]
    assert cards[0]["recipe"] == cards[1]["recipe"] and cards[0]["data"] == cards[1]["data"]
    assert {**cards[0]["training"], "training": ""} == {**cards[1]["training"], "training": ""}
    assert control["sha256"] != mine["sha256"]
    (plm,) = ask(trained, "from plms where plm = 'tiny-shuffled-0'")
    assert plm["shuffled_from"].endswith(", seed 0") and "/tiny (sha256:" in plm["shuffled_from"]
    assert {row["n"] for row in ask(trained, "select count(*) as n from encodings group by sae")} == {61}
    for sae in ("t", "u"):
        found = compare_controls(trained, sae)
        assert {row["role"] for row in found.summary.to_pylist()} == {"sae", *KINDS}
        assert found.notes == ()
        assert None not in found.concepts["shuffled_f1"].to_pylist()
    assert verify(trained).is_sound


@pytest.mark.slow
def test_a_pipeline_with_controls_can_be_run_again(trained: Path, base: Path) -> None:
    runs = ask(trained, "from runs")
    run_pipeline(pipeline(base), trained)
    assert ask(trained, "from runs") == runs
    preview = "\n".join(run_pipeline(pipeline(base), trained, dry_run=True).lines())
    assert "controls t\n  neurons, shuffled, amino_acid, position" in preview


@pytest.mark.slow
def test_a_warehouse_that_was_moved_still_finds_its_shuffled_model(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    kept = trained / "plms"
    hidden = kept.rename(kept.with_name("gone"))
    try:
        add_proteins(moved, [write_fasta(tmp_path / "new.fasta", some_proteins(2, first=300))])
        assert encode(moved, ["t-shuffled"], device="cpu").saes[0].n_proteins == 2
    finally:
        hidden.rename(kept)


@pytest.mark.slow
def test_removing_the_shuffled_control_removes_its_model(trained: Path, tmp_path: Path) -> None:
    root = shutil.copytree(trained, tmp_path / "w")
    remove_sae(root, "t-shuffled")
    assert [path.name for path in (root / "plms").glob("[!.]*")] == ["tiny-shuffled-0"]  # u's has it still
    remove_sae(root, "u-shuffled")
    assert not list((root / "plms").glob("[!.]*"))
    assert ask(root, "select plm from plms") == [{"plm": "tiny"}]
    controls(root, "t", ["shuffled"], device="cpu")
    assert verify(root).is_sound
    weights = [(r / "saes" / "t-shuffled" / "sae.safetensors").read_bytes() for r in (root, trained)]
    assert weights[0] == weights[1]


def test_a_recipe_can_be_given_for_an_sae_that_was_not_trained_here(root: Path, base: Path) -> None:
    whole = pipeline(base, train={
        "splits": ["valid"], "steps": 20, "batch": 64, "buffer": 512,
        "saes": [
            {"name": "any", "architecture": "relu", "layer": 1, "n_features": 20, "lr": 0.003, "l1": 0.01}
        ],
    })  # fmt: skip
    done = controls(root, "s", ["shuffled"], recipe=whole, device="cpu")
    assert done.controls == {"shuffled": "s-shuffled"}
    text = whole.read_text()
    for change, message in (
        (("n_features: 20", "n_features: 21"), "0 of its SAEs are of relu, layer 1 and 20 features"),
        (("name: any", "name: s"), None),
    ):
        whole.write_text(text.replace(*change))
        if message:
            remove_sae(root, "s-shuffled")
            with pytest.raises(InputError, match=message):
                controls(root, "s", ["shuffled"], recipe=whole, device="cpu")
    assert controls(root, "s", ["shuffled"], recipe=whole, device="cpu").controls["shuffled"] == "s-shuffled"


@pytest.mark.slow
def test_killed_while_the_control_is_trained_it_goes_on(trained: Path, tmp_path: Path) -> None:
    root = shutil.copytree(trained, tmp_path / "w")
    remove_sae(root, "t-shuffled")
    command = [sys.executable, "-m", "interplm_wh", "-w", str(root), "controls", "t", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list((root / "training").glob("t-shuffled/checkpoints/step-*")):
        time.sleep(0.001)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert verify(root).is_sound
    controls(root, "t", device="cpu")
    weights = [(r / "saes" / "t-shuffled" / "sae.safetensors").read_bytes() for r in (root, trained)]
    assert weights[0] == weights[1]
    assert compare_controls(root, "t").notes == ()


@pytest.mark.slow
def test_other_proteins_than_the_sae_learnt_from_are_said(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = shutil.copytree(trained, tmp_path / "w")
    remove_sae(root, "t-shuffled")
    remove_proteins(root, [ask(root, "from proteins where split = 'valid'")[0]["accession"]])
    controls(root, "t", ["shuffled"], device="cpu")
    assert "the proteins that t learnt from are not all those that are there now" in caplog.text


def test_pairs_are_of_the_build_that_they_were_counted_from(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplm_wh.controls import pairs

    controls(root, "s", ["position"])
    build(root, thresholds=[0.5])
    counted = pairs._counted

    def meanwhile(*arguments: Any) -> Path:
        found = counted(*arguments)
        build(root, thresholds=[0.6])
        return found

    monkeypatch.setattr(pairs, "_counted", meanwhile)
    with pytest.raises((NotThereError, CheckError), match="built anew meanwhile; run the same command again"):
        pairs.count_pairs(root, ["s"])
