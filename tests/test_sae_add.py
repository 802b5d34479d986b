"""Adding SAEs: names, identity, and whether it is the right layer."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from interplm_wh import store
from interplm_wh.encode import encode
from interplm_wh.encode.layer_check import CHECK_FILE, LayerCheck, check_layer
from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.remove import remove_sae
from interplm_wh.sae import add_sae, load_sae
from tests.tiny_models import make_plm, make_sae, sequence, some_proteins, write_fasta


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def relu(plm: Path) -> Path:
    return make_sae(plm.parent / "sae" / "ae.pt", plm, layer=1)


@pytest.fixture
def filled(warehouse: Path) -> Path:
    add_proteins(warehouse, [write_fasta(warehouse.parent / "p.fasta", some_proteins(20))])
    return warehouse


def table(warehouse: Path, name: str) -> list[dict[str, object]]:
    """All rows of a small table."""
    with store.open(warehouse) as wh:
        found: list[dict[str, object]] = wh.sql(f"from {name} order by all").to_pylist()
        return found


def test_weights_and_identity_are_kept_and_registered(filled: Path, plm: Path, relu: Path) -> None:
    report = add_sae(filled, str(relu), name="a", plm=str(plm), layer=1, device="cpu")
    assert report.check is not None
    assert report.check.is_right
    assert any("<- declared, best" in line for line in report.lines())
    row = table(filled, "saes")[0]
    identity = yaml.safe_load((filled / "saes" / "a" / "sae.yaml").read_text())
    expected = {
        "sae": "a",
        "plm": "tiny",
        "layer": 1,
        "architecture": "relu",
        "d_model": 16,
        "n_features": 20,
        "k": None,
        "input_norm": "none",
        "role": "sae",
        "control_of": None,
        "source": str(relu),
        "revision": None,
    }
    assert {key: row[key] for key in expected} == expected
    assert {key: identity[key] for key in expected} == expected
    assert row["sha256"] == identity["sha256"]
    assert (row["min_value"], row["is_forced"], row["scale_source"]) == (0.0, False, None)
    model = table(filled, "plms")[0]
    assert (model["plm"], model["d_model"], model["n_layers"], model["window"]) == ("tiny", 16, 2, 60)
    assert str(model["revision"]).startswith("sha256:")
    again = load_sae(str(filled / "saes" / "a"))
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.encode(x), load_sae(str(relu)).encode(x))


def test_the_same_weights_under_the_same_name_change_nothing(filled: Path, plm: Path, relu: Path) -> None:
    add_sae(filled, str(relu), name="a", plm=str(plm), layer=1, device="cpu")
    before = (table(filled, "saes"), table(filled, "runs"))
    report = add_sae(filled, str(relu), name="a", plm="tiny", layer=1, device="cpu")
    assert not report.is_new
    assert "nothing was changed" in report.lines()[0]
    assert (table(filled, "saes"), table(filled, "runs")) == before


def test_another_sae_under_the_same_name_is_refused_ignoring_case(
    filled: Path, plm: Path, relu: Path
) -> None:
    add_sae(filled, str(relu), name="Mine", plm=str(plm), layer=1, device="cpu")
    with pytest.raises(InputError, match=r"another SAE has this name .*architecture 'relu', not 'id"):
        add_sae(filled, "identity", name="Mine", plm=str(plm), layer=1, device="cpu")
    with pytest.raises(InputError, match="differs only in case"):
        add_sae(filled, "identity", name="mine", plm=str(plm), layer=1, device="cpu")
    with pytest.raises(InputError, match="1 to 64 letters"):
        add_sae(filled, "identity", name="a/../b", plm=str(plm), layer=1, device="cpu")


@pytest.mark.parametrize("name", ["8", "2024-01-01"])
def test_names_that_look_like_numbers_stay_text(filled: Path, plm: Path, name: str) -> None:
    add_sae(filled, "identity", name=name, plm=str(plm), layer=1, device="cpu")
    encode(filled, [name], device="cpu")
    with store.open(filled) as wh:
        assert wh.con.execute("select distinct sae from activations").fetchall() == [(name,)]


def test_the_wrong_layer_is_refused_with_the_table(filled: Path, plm: Path, relu: Path) -> None:
    with pytest.raises(MismatchError, match="declared for layer 2, but it explains layer 1 best") as caught:
        add_sae(filled, str(relu), name="a", plm=str(plm), layer=2, device="cpu")
    lines = str(caught.value).splitlines()
    assert sum(line.startswith("  layer") for line in lines) == 3
    assert lines[-1].startswith("add it with --layer 1")
    assert table(filled, "saes") == []
    assert not (filled / "saes" / "a").exists()


def test_weights_that_overflow_are_refused_even_by_force(
    filled: Path, plm: Path, relu: Path, tmp_path: Path
) -> None:
    weights = {name: tensor * 1e30 for name, tensor in torch.load(relu).items()}
    torch.save(weights, tmp_path / "ae.pt")
    for force in (False, True):
        with pytest.raises(MismatchError, match=r"reconstruction of layer 1 of tiny is not finite"):
            add_sae(
                filled, str(tmp_path / "ae.pt"), name="a", plm=str(plm), layer=1, device="cpu", force=force
            )
    assert table(filled, "saes") == []


def test_force_takes_the_wrong_layer_and_is_recorded(filled: Path, plm: Path, relu: Path) -> None:
    forced = add_sae(filled, str(relu), name="a", plm=str(plm), layer=2, device="cpu", force=True)
    right = add_sae(filled, str(relu), name="b", plm=str(plm), layer=1, device="cpu", force=True)
    assert (forced.is_forced, right.is_forced) == (True, False)
    assert [row["is_forced"] for row in table(filled, "saes")] == [True, False]
    assert encode(filled, ["a"], device="cpu").saes[0].n_proteins == 20


def test_without_proteins_the_layer_is_checked_at_the_first_encode(
    warehouse: Path, plm: Path, relu: Path
) -> None:
    report = add_sae(warehouse, str(relu), name="wrong", plm=str(plm), layer=2, device="cpu")
    add_sae(warehouse, str(relu), name="right", plm=str(plm), layer=1, device="cpu")
    assert report.check is None
    assert "checked at the first encode" in report.lines()[-1]
    add_proteins(warehouse, [write_fasta(warehouse.parent / "p.fasta", some_proteins(5))])
    with pytest.raises(MismatchError, match="wrong: declared for layer 2"):
        encode(warehouse, ["right", "wrong"], device="cpu")
    assert table(warehouse, "encodings") == []
    with pytest.raises(MismatchError, match="interplm-wh remove sae wrong") as caught:
        encode(warehouse, ["wrong"], device="cpu")
    assert "with --force" in str(caught.value)
    remove_sae(warehouse, "wrong")
    add_sae(warehouse, str(relu), name="wrong", plm=str(plm), layer=2, device="cpu", force=True)
    assert encode(warehouse, ["wrong"], device="cpu").saes[0].n_proteins == 5
    encode(warehouse, ["right"], device="cpu")
    kept = yaml.safe_load((warehouse / "saes" / "right" / CHECK_FILE).read_text())
    assert kept["layer"] == 1
    assert len(kept["variance_explained"]) == 3


def test_a_letter_that_the_plm_does_not_know_is_named_by_protein(filled: Path, plm: Path, relu: Path) -> None:
    add_proteins(filled, [write_fasta(filled.parent / "j.fasta", {"Jones": "MKJA"})])
    with pytest.raises(InputError, match="Jones: unknown letter 'J'"):
        add_sae(filled, str(relu), name="a", plm=str(plm), layer=1, device="cpu")


def test_neurons_are_checked_by_width_alone(filled: Path, plm: Path) -> None:
    report = add_sae(filled, "identity", name="n", plm=str(plm), layer=2, device="cpu")
    assert (report.check, report.n_features, table(filled, "saes")[0]["role"]) == (None, 32, "neurons")
    with pytest.raises(MismatchError, match="hidden states 0 to 2"):
        add_sae(filled, "identity", name="m", plm=str(plm), layer=3, device="cpu")


def test_an_sae_of_another_width_is_refused(filled: Path, plm: Path, golden: Path) -> None:
    with pytest.raises(MismatchError, match="width 64, tiny has 16"):
        add_sae(filled, str(golden / "interplm_checkpoint"), name="a", plm=str(plm), layer=1, device="cpu")


def test_another_model_of_the_same_name_is_refused(filled: Path, plm: Path, tmp_path: Path) -> None:
    add_sae(filled, "identity", name="a", plm=str(plm), layer=1, device="cpu")
    other = make_plm(tmp_path / "elsewhere" / "tiny", seed=5)
    with pytest.raises(MismatchError, match="another PLM is registered as tiny"):
        add_sae(filled, "identity", name="b", plm=str(other), layer=1, device="cpu")
    shutil.copytree(plm, tmp_path / "moved" / "tiny")
    add_sae(filled, "identity", name="b", plm=str(tmp_path / "moved" / "tiny"), layer=1, device="cpu")
    assert len(table(filled, "plms")) == 1


def test_a_folder_that_a_killed_run_left_is_replaced(filled: Path, plm: Path, relu: Path) -> None:
    (filled / "saes" / "a").mkdir(parents=True)
    (filled / "saes" / "a" / "sae.safetensors").write_bytes(b"half")
    add_sae(filled, str(relu), name="a", plm=str(plm), layer=1, device="cpu")
    assert encode(filled, ["a"], device="cpu").saes[0].n_proteins == 20


def test_a_source_that_does_not_exist_changes_nothing(filled: Path, plm: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder"):
        add_sae(filled, "./nowhere", name="a", plm=str(plm), layer=1, device="cpu")
    assert table(filled, "saes") == []


# -- checkpoints of others ---------------------------------------------------------------------------


def as_interprot(path: Path, plm: Path, *, layer: int) -> Path:
    """Write an SAE in InterProt's format that reconstructs one layer by its principal components."""
    model = load_plm(str(plm), device="cpu")
    x = torch.cat([model.embed(sequence(50, seed), layer) for seed in range(40)])
    z = (x - x.mean(dim=1, keepdim=True)) / (x.std(dim=1, keepdim=True) + 1e-5)
    centre = z.mean(dim=0)
    directions = torch.linalg.svd(z - centre, full_matrices=False).Vh[:10]  # [k, d]
    both = torch.cat([directions, -directions])  # [2k, d]
    tensors = {"w_enc": both.T, "w_dec": both, "b_enc": torch.zeros(20), "b_pre": centre}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def test_what_is_recognised_and_assumed_is_said_and_the_layer_checked(
    filled: Path, plm: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "interprot"
    for layer in (1, 2):
        as_interprot(folder / f"esm2_plm16_l{layer}_sae20.safetensors", plm, layer=layer)
    add = ["add", "sae", str(folder), "--plm", str(plm), "--device", "cpu"]
    refused = cli_run(filled, *add, "--name", "a", "--layer", "1")
    assert refused.returncode == 1
    assert "k is 128, expected 1 to 20 (the number of features)" in refused.stderr
    done = cli_run(filled, *add, "--name", "a", "--layer", "1", "--k", "10")
    assert done.returncode == 0, done.stderr
    assert "a: topk, 16 -> 20, for layer 1 of tiny" in done.stdout
    assert "recognised: InterProt (TopK, k 10)" in done.stdout
    assert "<- declared, best" in done.stdout
    (row,) = table(filled, "saes")
    assert (row["architecture"], row["k"], row["input_norm"]) == ("topk", 10, "layer_norm")
    wrong = cli_run(
        filled, *add, "--name", "b", "--layer", "2", "--k", "10", "--file", "esm2_plm16_l1_sae20.safetensors"
    )
    assert wrong.returncode == 1
    assert "declared for layer 2, but it explains layer 1 best" in wrong.stderr
    with store.open(filled) as wh:
        (settings,) = wh.sql("select settings from runs where command = 'add sae'")["settings"].to_pylist()
    assert json.loads(settings)["format"] == "InterProt"


def test_notes_of_a_format_stand_in_the_report(filled: Path, plm: Path, tmp_path: Path) -> None:
    x = tmp_path / "biohub"
    as_interprot(x / "layer_1.safetensors", plm, layer=1)
    t = load_file(x / "layer_1.safetensors")
    biohub = {"W_enc": t["w_enc"], "W_dec": t["w_dec"], "b_dec": t["b_pre"]}
    save_file({**biohub, "idf": torch.ones(20), "max": torch.full((20,), 2.0)}, x / "layer_1.safetensors")
    (x / "config.json").write_text('{"d_model": 16, "codebook_dim": 20, "k": 10}')
    report = add_sae(filled, str(x), name="a", plm=str(plm), layer=1, device="cpu")
    assert report.check is not None and report.check.is_right
    text = "\n".join(report.lines())
    assert "scale: the checkpoint's\nrecognised: Biohub (TopK, k 10)\n  idf is left out" in text
    assert "  max is taken as the scale" in text


def cli_run(warehouse: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), *args],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


# -- the check itself --------------------------------------------------------------------------------


def test_variance_explained_is_one_minus_residual_over_variance(plm: Path, relu: Path) -> None:
    model, sae = load_plm(str(plm), device="cpu"), load_sae(str(relu))
    texts = [sequence(30 + n, n) for n in range(6)]
    found = check_layer(model, sae, layer=1, sequences=texts)
    assert (found.n_proteins, found.n_residues, found.best) == (6, 195, 1)
    for layer, explained in enumerate(found.explained):
        x = np.concatenate([model.embed(text, layer).numpy() for text in texts]).astype(np.float64)
        rebuilt = sae.reconstruct(torch.tensor(x, dtype=torch.float32)).numpy()
        expected = 1 - ((x - rebuilt) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
        assert explained == pytest.approx(expected, abs=1e-4)


def test_the_random_sae_of_the_reference_is_best_at_its_own_layer_though_below_zero(
    golden: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = store.init(tmp_path / "w")
    add_proteins(warehouse, [golden / "proteins.csv.gz"])
    with caplog.at_level(logging.WARNING):
        report = add_sae(
            warehouse,
            str(golden / "interplm_checkpoint"),
            name="a",
            plm=str(golden / "tiny_esm"),
            layer=3,
            device="cpu",
        )
    assert report.check is not None
    assert report.check.explained[3] == pytest.approx(-0.13, abs=0.02)
    assert (report.check.best, report.check.n_proteins) == (3, 64)
    assert "explains only -0.12 of the variance" in caplog.text


def test_an_equal_layer_does_not_beat_the_declared_one_and_nan_never_wins() -> None:
    assert LayerCheck(2, (0.1, 0.9, 0.9), 1, 1).is_right
    assert not LayerCheck(0, (0.1, 0.9, 0.9), 1, 1).is_right
    assert LayerCheck(1, (float("-inf"), 0.2, float("-inf")), 1, 1).is_doubtful
