"""The command steer: what it measures is what the model says, beside controls; nothing is half written."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner
from scipy.special import rel_entr
from scipy.stats import entropy, percentileofscore
from torch import Tensor
from transformers import EsmForMaskedLM

import interplm_wh
from interplm_wh import resources, store
from interplm_wh.ask import info, verify
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, MismatchError, NotThereError
from interplm_wh.pipeline import run_pipeline
from interplm_wh.plm import load_plm
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.sae.saved import load_saved
from interplm_wh.steer import SteerReport, steer
from interplm_wh.steer import positions as places
from tests import steered
from tests.test_predict import esm2_from
from tests.tiny_models import LETTERS, VOCABULARY, WINDOW, sequence, write_fasta

TABLES = ("runs", "effects", "probabilities", "controls", "features", "samples")
FEATURE, PROTEIN, POSITIONS = 3, "P1", (2, 3, 4, 9)
MASK = 32


def rows(path: Path, sql: str, **values: object) -> pl.DataFrame:
    with interplm_wh.open(path) as wh:
        return wh.polars(sql, values)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse and its PLM; never to be changed."""
    folder = tmp_path_factory.mktemp("steer").resolve()
    steered.make(folder)
    return folder


@pytest.fixture(scope="module")
def ran(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SteerReport]:
    """A copy in which one protein was steered with everything; never to be changed."""
    path = shutil.copytree(root / "w", tmp_path_factory.mktemp("ran").resolve() / "w")
    report = steer(
        path, "wide", features=[FEATURE], clamp=[0, 0.5, 2], proteins=[PROTEIN], positions="2-4,9",
        read=["wide", "last"], n_samples=3, n_sweeps=2, device="cpu",
    )  # fmt: skip
    return path, report


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A warehouse to be changed."""
    return shutil.copytree(root / "w", tmp_path.resolve() / "w")


class Oracle:
    """The same by hand: transformers' own model, its layers one by one, and the formula in numpy."""

    def __init__(self, root: Path, path: Path, sae: str) -> None:
        self.model: Any = EsmForMaskedLM.from_pretrained(root / "plm").eval()
        self.tensors = {k: t.double().numpy() for k, t in load_saved(path / "saes" / sae).sae.tensors.items()}
        found = rows(path, "from features where sae = $sae order by feature", sae=sae)
        self.scale = found["max_activation"].to_numpy()

    @torch.inference_mode()
    def logs(self, text: str, masked: int | None, move: np.ndarray | None = None) -> tuple[Any, Any]:
        """Log-probabilities [L, V] with residue `masked` read as the mask, and hidden states 1 [L, d]."""
        ids = torch.tensor([[0, *(VOCABULARY.index(a) for a in text), 2]])
        if masked is not None:
            ids[0, masked] = MASK
        state: Tensor = self.model.esm(input_ids=ids, output_hidden_states=True).hidden_states[1]
        x = state[0, 1:-1].double().numpy()
        if move is not None:
            state = state.clone()
            state[0, 1:-1] += torch.tensor(move).float()
        logits = esm2_from(self.model, state, 1)[0, 1:-1].double()
        return torch.log_softmax(logits, dim=1).numpy(), x

    def move(self, x: np.ndarray, feature: int, dose: float, touched: tuple[int, ...]) -> np.ndarray:
        """(f' - f) W_dec at the touched positions, [L, d]."""
        pre = (x - self.tensors["bias"]) @ self.tensors["encoder.weight"].T + self.tensors["encoder.bias"]
        step = dose * self.scale[feature] - np.maximum(pre[:, feature], 0)
        is_touched = np.isin(np.arange(len(x)) + 1, touched)
        return np.outer(step * is_touched, self.tensors["decoder.weight"][:, feature])


def test_what_is_measured_is_what_the_model_says_of_the_moved_state(
    ran: tuple[Path, SteerReport], root: Path
) -> None:
    path, report = ran
    oracle, text = Oracle(root, path, "wide"), steered.PROTEINS[PROTEIN]
    effects = rows(path, "from steering_effects order by dose, position")
    letters = rows(path, "from steering_probabilities order by dose, position, letter")
    assert set(effects["run"]) == set(letters["run"]) == set(report.runs)
    assert effects["dose"].unique(maintain_order=True).to_list() == [0, 0.5, 2]
    of_letters = [VOCABULARY.index(letter) for letter in LETTERS]
    for row in effects.to_dicts():
        before, x = oracle.logs(text, row["position"])
        move = oracle.move(x, FEATURE, row["dose"], POSITIONS)
        after, _ = oracle.logs(text, row["position"], move)
        p, q = (np.exp(logs[row["position"] - 1]) for logs in (before, after))
        true = VOCABULARY.index(text[row["position"] - 1])
        assert row["amino_acid"] == text[row["position"] - 1]
        assert row["is_touched"] == (row["position"] in POSITIONS)
        assert row["kl"] == pytest.approx(rel_entr(p, q).sum(), rel=2e-3, abs=1e-8)
        assert (row["p_true_before"], row["p_true_after"]) == pytest.approx((p[true], q[true]), rel=1e-4)
        assert (row["entropy_before"], row["entropy_after"]) == pytest.approx(
            (entropy(p), entropy(q)), rel=1e-4
        )
        assert row["top_before"] == LETTERS[p[of_letters].argmax()]
        mine = letters.filter(pl.col("dose") == row["dose"], pl.col("position") == row["position"])
        assert "".join(mine["letter"]) == LETTERS
        np.testing.assert_allclose(mine["p_before"], p[of_letters], rtol=1e-4)
        np.testing.assert_allclose(mine["p_after"], q[of_letters], rtol=1e-4)
    _, x = oracle.logs(text, None)
    for dose, mine in effects.group_by("dose"):
        move = oracle.move(x, FEATURE, float(dose[0]), POSITIONS)  # type: ignore[arg-type]
        mine = mine.sort("position")
        np.testing.assert_allclose(mine["delta_norm"], np.linalg.norm(move, axis=1), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(mine["state_norm"], np.linalg.norm(x, axis=1), rtol=1e-5)


def test_controls_are_other_live_features_that_move_each_pass_as_far(
    ran: tuple[Path, SteerReport], root: Path
) -> None:
    path, _ = ran
    oracle, text = Oracle(root, path, "wide"), steered.PROTEINS[PROTEIN]
    found = rows(path, "from steering_controls order by dose, control, position")
    drawn = found.filter(pl.col("control") > 0)
    features = drawn.unique("control", maintain_order=True)["feature"]
    assert len(features) == len(set(features)) == 100
    assert FEATURE not in features.to_list()
    assert (oracle.scale[features.to_numpy()] > 0).all()
    assert found.filter(pl.col("control") == 0)["feature"].is_null().all()
    highest, lowest = pl.col("delta_norm").max().alias("highest"), pl.col("delta_norm").min().alias("lowest")
    spread = found.group_by("dose", "position").agg(highest, lowest)
    np.testing.assert_allclose(spread["highest"], spread["lowest"], rtol=1e-5)
    assert spread["highest"].max() > 1
    own = found.filter(pl.col("control") == 0).join(
        rows(path, "from steering_effects"), on=["dose", "position"], suffix="_measured"
    )
    np.testing.assert_allclose(own["kl"], own["kl_measured"], rtol=2e-3, atol=1e-9)
    for row in drawn.sample(6, seed=1).to_dicts():
        before, x = oracle.logs(text, row["position"])
        move = oracle.move(x, FEATURE, row["dose"], POSITIONS)
        unit = oracle.tensors["decoder.weight"][:, row["feature"]]
        sign = np.sign(move @ oracle.tensors["decoder.weight"][:, FEATURE])
        lengths = np.linalg.norm(move, axis=1)
        after, _ = oracle.logs(text, row["position"], np.outer(sign * lengths, unit / np.linalg.norm(unit)))
        p, q = (np.exp(logs[row["position"] - 1]) for logs in (before, after))
        assert row["kl"] == pytest.approx(rel_entr(p, q).sum(), rel=5e-3, abs=1e-8)
        assert row["delta_norm"] == pytest.approx(np.linalg.norm(lengths), rel=1e-4)


def test_the_summary_is_counted_from_the_rows(ran: tuple[Path, SteerReport]) -> None:
    path, report = ran
    effects, controls = rows(path, "from steering_effects"), rows(path, "from steering_controls")
    summary = rows(path, "from steering_summary('wide')")
    assert len(summary) == 6 == len(report.rows)
    for row in summary.to_dicts():
        here = (pl.col("dose") == row["dose"]) & (pl.col("is_touched") == row["is_touched"])
        mine = effects.filter(here)
        assert row["n_positions"] == len(mine)
        assert row["kl"] == pytest.approx(mine["kl"].mean())
        assert row["p_true_change"] == pytest.approx((mine["p_true_after"] - mine["p_true_before"]).mean())
        changed = pl.col("p_true_after") - pl.col("p_true_before")
        means = (
            controls.filter(here).group_by("control").agg(pl.col("kl").mean(), changed.mean().alias("change"))
        )
        own, others = means.filter(pl.col("control") == 0), means.filter(pl.col("control") > 0)
        for column, percentile in (("kl", "kl_percentile"), ("change", "p_true_percentile")):
            expected = percentileofscore(others[column], own[column][0], kind="mean")
            assert row[percentile] == pytest.approx(expected)
        assert row["n_controls"] == 100
        low, high = np.quantile(others["kl"], [0.05, 0.95])
        assert (row["control_low"], row["control_high"]) == pytest.approx((low, high))
        assert row["control_median"] == pytest.approx(others["kl"].median())
    curve = rows(path, "from steering_curve('wide', 3)")
    assert (
        curve["kl"].to_list() == summary.sort("dose", "is_touched", descending=[False, True])["kl"].to_list()
    )
    assert not len(rows(path, "from steering_curve('wide', 4)"))


def test_moves_of_other_features_are_those_of_the_moved_states(
    ran: tuple[Path, SteerReport], root: Path
) -> None:
    path, _ = ran
    oracle, text = Oracle(root, path, "wide"), steered.PROTEINS[PROTEIN]
    _, x = oracle.logs(text, None)
    is_touched = np.isin(np.arange(len(text)) + 1, POSITIONS)
    weights = oracle.tensors
    alive = np.flatnonzero(oracle.scale > 0)

    def activations(states: np.ndarray) -> np.ndarray:
        pre = (states - weights["bias"]) @ weights["encoder.weight"].T + weights["encoder.bias"]
        found: np.ndarray = np.maximum(pre, 0)[:, alive] / oracle.scale[alive]
        return found

    found = rows(path, "from steering_features")
    same = found.filter(pl.col("read_sae") == "wide")
    assert same["is_touched"].all()  # nothing else moves in the layer that is edited
    before = activations(x)
    for dose, mine in same.group_by("dose"):
        after = activations(x + oracle.move(x, FEATURE, float(dose[0]), POSITIONS))  # type: ignore[arg-type]
        change = (after - before)[is_touched]
        for row in mine.to_dicts():
            j = int(np.flatnonzero(alive == row["feature"])[0])
            assert row["n_positions"] == 4
            assert row["mean_change"] == pytest.approx(change[:, j].mean(), abs=2e-5)
            assert row["mean_before"] == pytest.approx(before[is_touched][:, j].mean(), abs=2e-5)
            assert row["max_change"] == pytest.approx(change[:, j][np.abs(change[:, j]).argmax()], abs=2e-5)
        named = set(mine["feature"])
        far = np.abs(change).max(axis=0) > 1e-4
        assert set(alive[far].tolist()) <= named
    later = found.filter(pl.col("read_sae") == "last")
    assert set(later["is_touched"]) == {True, False}
    np.testing.assert_allclose(later["mean_after"] - later["mean_before"], later["mean_change"], atol=1e-9)


def test_samples_stand_beside_their_twins_and_are_read_without_steering(
    ran: tuple[Path, SteerReport], root: Path
) -> None:
    path, report = ran
    oracle, text = Oracle(root, path, "wide"), steered.PROTEINS[PROTEIN]
    found = rows(path, "from steering_samples order by dose nulls first, sample")
    assert found["dose"].to_list() == [None] * 3 + [0.0] * 3 + [0.5] * 3 + [2.0] * 3
    assert found["is_steered"].to_list() == [False] * 3 + [True] * 9
    plm = load_plm(str(root / "plm"), device="cpu")
    sae = load_saved(path / "saes" / "wide").sae
    for row in found.to_dicts():
        assert len(row["sequence"]) == len(text)
        assert set(row["sequence"]) <= set(LETTERS)
        assert row["n_changed"] == sum(a != b for a, b in zip(row["sequence"], text, strict=True))
        active = sae.encode(plm.embed(row["sequence"], 1))[:, FEATURE].numpy() / oracle.scale[FEATURE]
        assert row["max_activation"] == pytest.approx(active.max(), rel=1e-4)
        assert row["mean_activation"] == pytest.approx(active.mean(), rel=1e-4)
    for row in found.sample(3, seed=0).to_dicts():
        logs = [
            oracle.logs(row["sequence"], i + 1)[0][i, VOCABULARY.index(letter)]
            for i, letter in enumerate(row["sequence"])
        ]
        assert row["pseudo_perplexity"] == pytest.approx(np.exp(-np.mean(logs)), rel=1e-4)
    worth = rows(path, "from steering_worth('wide')")
    assert len(worth) == 3 == len(report.worth)
    plain = found.filter(~pl.col("is_steered"))
    for row in worth.to_dicts():
        mine = found.filter(pl.col("dose") == row["dose"])
        raised = (mine["max_activation"].to_numpy() > plain["max_activation"].to_numpy()).mean()
        assert row["pct_raised"] == pytest.approx(100 * raised)
        assert row["max_activation"] == pytest.approx(mine["max_activation"].mean())
        assert row["plain_perplexity"] == pytest.approx(np.exp(np.log(plain["pseudo_perplexity"]).mean()))


def test_sampling_without_a_change_is_sampling_without_steering(copy: Path) -> None:
    steer(
        copy, "first", features=[FEATURE], scale=[1, 8], proteins=[PROTEIN], positions="1-6", n_controls=0,
        mask="none", n_samples=4, resample="3-8", temperature=0.5, device="cpu",
    )  # fmt: skip
    found = rows(copy, "from steering_samples order by sample")
    by_dose = {
        key[0]: part["sequence"].to_list() for key, part in found.group_by("dose", maintain_order=True)
    }
    assert by_dose[1.0] == by_dose[None]
    text = steered.PROTEINS[PROTEIN]
    assert all(one[:2] == text[:2] and one[8:] == text[8:] for part in by_dose.values() for one in part)
    effects = rows(copy, "from steering_effects where dose = 1")
    assert (effects["kl"] == 0).all()
    assert (effects["p_true_before"] == effects["p_true_after"]).all()
    assert not len(rows(copy, "from steering_controls"))
    (row,) = rows(copy, "from steering_runs").to_dicts()
    assert (row["mask"], row["watched"], row["resampled"], row["temperature"]) == ("none", None, "3-8", 0.5)


def test_what_is_edited_behind_the_last_layer_stays_where_it_is(copy: Path) -> None:
    steer(copy, "last", features=[0], clamp=[3], proteins=["P2"], positions="5-7", n_controls=0, device="cpu")
    found = rows(copy, "from steering_effects order by position")
    assert (found.filter(~pl.col("is_touched"))["kl"] == 0).all()
    assert (found.filter(pl.col("is_touched"))["kl"] > 0).all()
    steer(
        copy, "first", features=[0], clamp=[3], proteins=["P2"], positions="5-7", n_controls=0, device="cpu"
    )
    found = rows(copy, "from steering_effects where sae = 'first'")
    assert (found["kl"] > 0).all()


def test_the_same_again_takes_its_own_place_and_another_seed_draws_others(copy: Path) -> None:
    def ask(seed: int) -> tuple[str, pl.DataFrame]:
        (run,) = steer(
            copy, "wide", features=[5], clamp=[1], proteins=["P0"], positions="1-2", n_samples=2, seed=seed,
            device="cpu",
        ).runs  # fmt: skip
        parts = [
            rows(copy, f"from steering_{name} where run = '{run}' order by all")
            for name in ("effects", "controls", "samples")
        ]
        return run, pl.concat([p.with_columns(pl.all().cast(pl.String)) for p in parts], how="diagonal")

    first, before = ask(0)
    again, after = ask(0)
    assert first == again
    assert before.equals(after)
    other, drawn = ask(1)
    assert other != first
    assert drawn["feature"].to_list() != before["feature"].to_list()
    assert len(rows(copy, "from steering_runs")) == 2
    assert verify(copy).is_sound


def test_several_features_are_set_together_and_neurons_are_features_too(copy: Path, root: Path) -> None:
    report = steer(
        copy, "neurons", features=[0, 17, 0], clamp=[0.5], proteins=["P0", "P2"], positions="1", mask="2-3",
        n_controls=0, device="cpu",
    )  # fmt: skip
    assert len(report.runs) == 2
    found = rows(copy, "from steering_runs order by accession").to_dicts()
    assert [(r["features"], r["feature"], r["measured"]) for r in found] == [("0,17", None, "2-3")] * 2
    oracle = Oracle(root, copy, "neurons")
    text = steered.PROTEINS["P0"]
    before, x = oracle.logs(text, 2)
    move = np.zeros_like(x)  # feature 0 is max(x0, 0), feature 17 is max(-x1, 0)
    move[0, 0] = 0.5 * oracle.scale[0] - max(x[0, 0], 0)
    move[0, 1] = -(0.5 * oracle.scale[17] - max(-x[0, 1], 0))
    after, _ = oracle.logs(text, 2, move)
    (kl,) = rows(copy, "from steering_effects as e join steering_runs using (sae, run) "
                       "where accession = 'P0' and position = 2")["kl"]  # fmt: skip
    assert kl == pytest.approx(rel_entr(np.exp(before[1]), np.exp(after[1])).sum(), rel=2e-3)


def test_features_may_be_chosen_by_sql(copy: Path) -> None:
    sql = "select feature from features where sae = 'wide' and max_activation > 0 order by feature limit 2"
    steer(copy, "wide", features_sql=sql, scale=[0], proteins=["P0"], mask="none", n_controls=0, device="cpu")
    assert rows(copy, "from steering_runs")["features"].to_list() == ["1,2"]
    wrong = {
        "select 1 as x": "has the columns x;",
        "select feature from features where false": "finds no row;",
        "select 'a' as feature": "'a' is no feature;",
        "select null::int as feature": "None is no feature;",
        "select nothing from features": "--feature-sql: .*nothing",
        "drop table saes": "--feature-sql: ",
    }
    for bad, message in wrong.items():
        with pytest.raises(InputError, match=rf"(?s){message}.*column feature of whole numbers"):
            steer(copy, "wide", features_sql=bad, scale=[0], proteins=["P0"])


def test_fewer_live_features_than_controls_are_all_taken_and_it_is_said(copy: Path) -> None:
    report = steer(copy, "first", features=[1], clamp=[1], proteins=["P0"], mask="none", device="cpu")
    n_live = len(rows(copy, "from features where sae = 'first' and max_activation > 0 and feature <> 1"))
    (row,) = rows(copy, "from steering_runs").to_dicts()
    assert row["n_controls"] == row["n_live"] == report.n_controls == n_live < 100
    assert any("the percentile is coarse" in line for line in report.lines())


BAD: list[tuple[dict[str, Any], str]] = [
    ({"features": [0]}, "feature 0 of wide is dead"),
    ({"features": [130]}, "there is no feature 130 in wide, which has 0 to 129"),
    ({"features": [-1]}, "there is no feature -1"),
    ({"features": []}, "no feature is given"),
    ({"positions": "1-9,13,70"}, "--positions 13,70: P1 has 12 residues"),
    ({"positions": "0-3"}, "'0-3' is no position"),
    ({"positions": "4-2"}, "'4-2' is no position"),
    ({"positions": "1,,2"}, "'' is no position"),
    ({"mask": "some"}, "'some' is no position"),
    ({"mask": "13"}, "--mask 13: P1 has 12 residues"),
    ({"watch": "99"}, "--watch 99: P1 has 12 residues"),
    ({"n_samples": 1, "resample": "13"}, "--resample 13"),
    ({"proteins": ["P1", "Q9"]}, "there is no protein 'Q9'"),
    ({"proteins": []}, "give proteins of the warehouse, or one sequence"),
    ({"n_controls": 99}, "a percentile among fewer than 100 says little"),
    ({"clamp": [float("nan")]}, "finite numbers"),
    ({"clamp": []}, "either --clamp or --scale"),
    ({"scale": [1.0]}, "either --clamp or --scale"),
    ({"temperature": 0.0}, "give a number above 0"),
    ({"n_sweeps": 0}, "--sweeps 0: give 1 or more"),
    ({"proteins": [], "sequence": "ACDX!"}, "unknown letter '!'"),
    ({"proteins": [], "sequence": ""}, "the sequence is empty"),
    ({"proteins": [], "sequence": "A" * (WINDOW + 1)}, f"reads at most {WINDOW} residues at once"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_steered_is_refused_and_nothing_is_written(
    root: Path, wrong: dict[str, Any], message: str
) -> None:
    asked: dict[str, Any] = {"features": [FEATURE], "clamp": [1.0], "proteins": [PROTEIN], "device": "cpu"}
    stamp = (root / "w" / "warehouse.duckdb").stat().st_mtime_ns
    with pytest.raises(InputError, match=re.escape(message)):
        steer(root / "w", "wide", **{**asked, **wrong})
    assert (root / "w" / "warehouse.duckdb").stat().st_mtime_ns == stamp
    assert not list((root / "w" / "lake").glob("steering_*"))


def test_all_faults_come_in_one_message(root: Path) -> None:
    with pytest.raises(InputError) as caught:
        steer(root / "w", "wide", features=[0, 999], clamp=[1], proteins=[PROTEIN, "Q9"], positions="40")
    for part in ("feature 0 of wide is dead", "feature 999", "'Q9'", "--positions 40"):
        assert part in str(caught.value)


def test_saes_that_cannot_be_steered_or_read_are_refused(copy: Path) -> None:
    with pytest.raises(NotThereError, match="did you mean wide"):
        steer(copy, "wider", features=[1], clamp=[1], proteins=[PROTEIN])
    with pytest.raises(InputError, match="layer 1, before layer 2"):
        steer(copy, "last", features=[1], clamp=[1], proteins=[PROTEIN], read=["first"])
    with store.write(copy, command="test") as tx:
        tx.drop("features", sae="last")
        tx.publish()
    with pytest.raises(NotThereError, match="has no scale yet"):
        steer(copy, "last", features=[1], clamp=[1], proteins=[PROTEIN])


def test_private_proteins_and_given_sequences_are_marked(copy: Path) -> None:
    asked: dict[str, Any] = {"features": [1], "clamp": [1], "mask": "none", "n_controls": 0, "device": "cpu"}
    steer(copy, "wide", proteins=[PROTEIN, steered.SECRET], **asked)
    steer(copy, "wide", sequence=sequence(9), **asked)
    found = rows(copy, "from steering_runs order by accession nulls last").to_dicts()
    assert [(r["accession"], r["is_private"]) for r in found] == [
        (PROTEIN, False), (steered.SECRET, True), (None, True)
    ]  # fmt: skip


def test_runs_go_with_their_protein_and_their_sae(copy: Path) -> None:
    asked: dict[str, Any] = {"features": [1], "clamp": [1], "mask": "none", "n_controls": 0, "device": "cpu"}
    steer(copy, "wide", proteins=[PROTEIN, "P2"], n_samples=1, read=["last"], **asked)
    steer(copy, "first", proteins=["P2"], **asked)
    remove_proteins(copy, [PROTEIN])
    assert rows(copy, "from steering_runs")["accession"].to_list() == ["P2", "P2"]
    for name in TABLES:
        left = rows(copy, f"select distinct run from steering_{name} where sae = 'wide'")
        assert len(left) == (name != "controls")
    assert verify(copy).is_sound
    remove_sae(copy, "wide")
    assert rows(copy, "from steering_runs")["sae"].to_list() == ["first"]
    assert not len(rows(copy, "from steering_effects where sae = 'wide'"))
    assert verify(copy).is_sound


def test_a_model_that_was_replaced_meanwhile_is_not_written_about(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplm_wh.steer import run

    real = run._work

    def work(*arguments: Any, **more: Any) -> Any:
        found = real(*arguments, **more)
        remove_sae(copy, "wide")
        return found

    monkeypatch.setattr(run, "_work", work)
    with pytest.raises(MismatchError, match="replaced or removed meanwhile"):
        steer(copy, "wide", features=[1], clamp=[1], proteins=["P0"], mask="none", n_controls=0, device="cpu")
    assert not len(rows(copy, "from steering_runs"))


def test_a_killed_steering_leaves_nothing_and_can_be_asked_again(copy: Path) -> None:
    doses = ",".join(str(n / 10) for n in range(400))
    words = [
        "steer",
        "--sae",
        "wide",
        "--feature",
        "3",
        "--clamp",
        doses,
        "--protein",
        "P6",
        "--device",
        "cpu",
    ]
    command = [sys.executable, "-m", "interplm_wh", "-w", str(copy), *words]
    before = (copy / "warehouse.duckdb").read_bytes()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        until = time.monotonic() + 60
        while "passes" not in process.stderr.readline():
            assert process.poll() is None
            assert time.monotonic() < until
        process.send_signal(signal.SIGKILL)
    assert (copy / "warehouse.duckdb").read_bytes() == before
    assert not list((copy / "lake").glob("steering_*"))
    assert verify(copy).is_sound
    steer(copy, "wide", features=[3], clamp=[1], proteins=["P6"], mask="none", n_controls=0, device="cpu")
    assert len(rows(copy, "from steering_runs")) == 1


def test_the_command_prints_the_report_and_says_what_is_wrong(copy: Path) -> None:
    words = [
        "-w",
        str(copy),
        "steer",
        "--sae",
        "first",
        "--feature",
        "3",
        "--protein",
        "P1",
        "--device",
        "cpu",
    ]
    good = CliRunner().invoke(cli, [*words, "--clamp", "0,1", "--positions", "2-4", "--mask", "none"])
    assert good.exit_code == 0, good.output
    assert "feature 3 of first (clamp) at 2-4 of P1" in good.output
    assert "untouched" in good.output
    assert "steer" in "\n".join(info(copy).lines())
    wrong = [
        ([], "give either --clamp or --scale"),
        (["--clamp", "1", "--scale", "1"], "give either --clamp or --scale"),
        (["--clamp", "x"], "--clamp takes numbers"),
        (["--clamp", "1", "--sequence", "ACD"], "give either --protein or --sequence"),
        (["--clamp", "1", "--sweeps", "2"], "--sweeps goes only with --sample"),
        (["--clamp", "1", "--controls", "0", "--watch", "1"], "--watch goes only with --controls"),
    ]
    for more, message in wrong:
        found = CliRunner().invoke(cli, [*words, *more])
        assert found.exit_code == 2
        assert message in found.output
    command = [sys.executable, "-m", "interplm_wh", *words, "--clamp", "1", "--positions", "99"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "--positions 99: P1 has 12 residues" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(rows(copy, "from steering_runs")) == 1


@pytest.mark.parametrize(
    ("text", "positions"),
    [("1-5,9", (1, 2, 3, 4, 5, 9)), ("7", (7,)), ("3,1-2,2", (1, 2, 3)), (" 4 , 6 ", (4, 6))],
)
def test_positions_are_read_and_written(text: str, positions: tuple[int, ...]) -> None:
    assert places.parse(text, option="--positions") == positions
    assert places.parse(places.write(positions), option="x") == positions


def test_the_pipeline_of_periodic_glycines_runs_on_a_model_that_is_here(root: Path, tmp_path: Path) -> None:
    package = (resources.folder("pipelines") / "periodic-glycine.yaml").read_text(encoding="utf-8")
    section = (
        package[package.index("steer:") :]
        .replace("esm2-8m-layer4", "neurons")
        .replace("esm2-8m-layer6", "later")
    )
    rng = np.random.default_rng(0)
    proteins = {
        f"C{i}": "".join(f"G{''.join(rng.choice(list('PAKE'), 2))}" for _ in range(18)) for i in range(8)
    }
    write_fasta(tmp_path / "collagens.fasta", {**proteins, **steered.PROTEINS})
    (tmp_path / "glycine.yaml").write_text(
        f"proteins: {{files: [collagens.fasta]}}\nplm: {root / 'plm'}\nencode: {{device: cpu}}\nsaes:\n"
        "  - {name: neurons, source: identity, layer: 1}\n  - {name: later, source: identity, layer: 2}\n"
        + section
    )
    path = tmp_path / "w"
    report = run_pipeline(tmp_path / "glycine.yaml", path)
    assert [step.name for step in report.steps][-2:] == ["steer neurons", "report"]
    (run,) = rows(path, "from steering_runs").to_dicts()
    assert (run["positions"], run["doses"], run["length"]) == ("22", "0,0.5,1,2,4", 42)
    period = rows(path, "from feature_periods where sae = 'neurons' and feature = $f", f=run["feature"])
    assert period["period"].to_list() == [3]
    found = rows(path, "from steering_effects where dose = 4 order by position")
    assert found["position"].to_list() == list(range(1, 42, 3))
    assert set(found["amino_acid"]) == {"G"}
    assert found.filter(pl.col("is_touched"))["position"].to_list() == [22]
    assert (found["kl"] > 0).all()
    assert len(rows(path, "from steering_features where read_sae = 'later'"))
    stamp = (path / "warehouse.duckdb").read_bytes()
    again = run_pipeline(tmp_path / "glycine.yaml", path)
    assert (path / "warehouse.duckdb").read_bytes() == stamp
    assert again.steps[-2].said[:-1] == report.steps[-2].said[:-1]
    dry = run_pipeline(tmp_path / "glycine.yaml", path, dry_run=True)
    assert dry.steps[-1].name == "steer neurons"
