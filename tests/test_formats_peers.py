"""Checkpoints that the real packages wrote give the activations that those packages computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from interplm_wh.errors import ModelError
from interplm_wh.sae.load import LoadedSae, read_sae
from interplm_wh.sae.registry import make
from tests.peers.common import hidden
from tests.peers.running import run, written
from tests.test_sae_architectures import weights

NORMS = {"none": "none", "layer_norm": "layer_norm", "constant_norm_rescale": "sqrt_d"}
SAELENS = {
    "standard": "relu",
    "topk": "topk",
    "topk-rescaled": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
}
TRAINED = {"trained-topk": "topk", "batchtopk": "batch_topk", "matryoshka": "matryoshka"}
CLASSES = {
    "AutoEncoder": "relu",
    "AutoEncoderNew": "relu",
    "GatedAutoEncoder": "gated",
    "JumpReluAutoEncoder": "jumprelu",
    "AutoEncoderTopK": "topk",
    "BatchTopKSAE": "batch_topk",
    "MatryoshkaBatchTopKSAE": "matryoshka",
}


@pytest.fixture(scope="session")
def saelens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAEs that SAELens wrote."""
    return written("write_saelens", tmp_path_factory.mktemp("saelens"), package="sae_lens")


@pytest.fixture(scope="session")
def dictionary_learning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAEs that dictionary_learning wrote."""
    folder = tmp_path_factory.mktemp("dictionary_learning")
    return written("write_dictionary_learning", folder, package="dictionary_learning")


@pytest.fixture(scope="session")
def sparsify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAEs that sparsify wrote."""
    return written("write_sparsify", tmp_path_factory.mktemp("sparsify"), package="sparsify")


def agrees(folder: Path, file: str) -> LoadedSae:
    """Read a case and compare with what the package computed."""
    loaded = read_sae(str(folder / file))
    kept = load_file(folder / "expected" / "values.safetensors")
    features = loaded.sae.encode(kept["x"])
    assert 0 < int((features > 0).sum()) < features.numel()
    torch.testing.assert_close(features, kept["features"], atol=1e-4, rtol=1e-4)
    assert torch.equal(features > 0, kept["features"] > 0)
    torch.testing.assert_close(loaded.sae.reconstruct(kept["x"]), kept["output"], atol=5e-4, rtol=1e-4)
    return loaded


@pytest.mark.parametrize("bias", ["centred", "plain"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("architecture", SAELENS)
def test_saelens_inference(saelens: Path, architecture: str, norm: str, bias: str) -> None:
    loaded = agrees(saelens / f"{architecture}-{norm}-{bias}", "sae_weights.safetensors")
    assert loaded.sae.architecture == SAELENS[architecture]
    assert loaded.sae.input_norm == NORMS[norm]
    assert ("bias" in loaded.sae.tensors) == (bias == "centred")
    assert (loaded.format, loaded.kind) == ("SAELens", architecture.removesuffix("-rescaled"))
    is_folded = any("rescale_acts_by_decoder_norm" in note for note in loaded.notes)
    assert is_folded == architecture.endswith("-rescaled")


@pytest.mark.parametrize("scaling", ["rescaled", "plain"])
@pytest.mark.parametrize("architecture", TRAINED)
def test_saelens_training_and_what_it_ends_in(saelens: Path, architecture: str, scaling: str) -> None:
    final = agrees(saelens / f"{architecture}-{scaling}-final", "sae_weights.safetensors")
    checkpoint = agrees(saelens / f"{architecture}-{scaling}-checkpoint", "sae_weights.safetensors")
    assert final.sae.architecture == ("topk" if architecture == "trained-topk" else "jumprelu")
    assert checkpoint.sae.architecture == TRAINED[architecture]
    if architecture == "matryoshka":
        assert checkpoint.sae.tensors["group_sizes"].tolist() == [8, 12, 20]


@pytest.mark.parametrize("name", ["standard-factor", "topk-rescaled-factor"])
def test_the_factor_of_an_input_of_saelens_is_folded_in(saelens: Path, name: str) -> None:
    loaded = agrees(saelens / name, "sae_weights.safetensors")
    assert "the input's factor (norm_scaling_factor 0.15) is folded into the weights" in loaded.notes
    config = saelens / name / "cfg.json"
    text = config.read_text()
    config.write_text(text.replace('"norm_scaling_factor": 0.15', '"other": 1'))
    with pytest.raises(ModelError, match="the factor is not in the file; write it into cfg"):
        read_sae(str(saelens / name))
    config.write_text(text)


def test_configurations_of_older_saelens_are_read(saelens: Path) -> None:
    assert agrees(saelens / "older-topk", "sae_weights.safetensors").sae.k == 5


def test_a_transcoder_of_saelens_is_refused_by_name(saelens: Path) -> None:
    with pytest.raises(ModelError, match="'transcoder' is not supported; it predicts another module's"):
        read_sae(str(saelens / "transcoder"))


@pytest.mark.parametrize("name", CLASSES)
def test_dictionary_learning(dictionary_learning: Path, name: str) -> None:
    loaded = agrees(dictionary_learning / name, "ae.pt")
    assert (loaded.format, loaded.kind) == ("dictionary_learning", name)
    assert loaded.sae.architecture == CLASSES[name]
    assert loaded.sae.k == (5 if "TopK" in name else None)
    assert any("unit length" in note for note in loaded.notes) == (name == "AutoEncoder")


@pytest.mark.parametrize("name", ["topk", "groupmax", "expansion", "skip-zero"])
def test_sparsify(sparsify: Path, name: str) -> None:
    loaded = agrees(sparsify / name, "sae.safetensors")
    assert loaded.sae.architecture == ("groupmax" if name == "groupmax" else "topk")
    assert loaded.format == "sparsify"


def test_what_of_sparsify_cannot_be_checked_is_refused_with_the_reason(sparsify: Path) -> None:
    with pytest.raises(ModelError, match="it has a skip connection"):
        read_sae(str(sparsify / "skip"))
    with pytest.raises(ModelError, match="it is a transcoder, which reads the input of a module"):
        read_sae(str(sparsify / "transcoder"))


WRITTEN = ("relu", "relu_tied", "topk", "batch_topk", "matryoshka", "jumprelu", "gated")


def test_what_is_exported_is_read_by_saelens_with_the_same_activations(tmp_path: Path) -> None:
    from interplm_wh.sae.formats.to_saelens import write
    from interplm_wh.sae.options import INPUT_NORMS

    saes = {(name, norm): make(weights(name, input_norm=norm)) for name in WRITTEN for norm in INPUT_NORMS}
    for (name, norm), sae in saes.items():
        folder = tmp_path / f"{name}-{norm}"
        (folder / "sae").mkdir(parents=True)
        files, _ = write(sae.weights, about={"model_name": "facebook/esm2", "hidden_state": 3})
        for file, content in files.items():
            (folder / "sae" / file).write_bytes(content)
        save_file({"x": hidden()}, folder / "x.safetensors")
    run("read_saelens", [str(tmp_path / f"{name}-{norm}") for name, norm in saes], package="sae_lens")
    for (name, norm), sae in saes.items():
        kept = load_file(tmp_path / f"{name}-{norm}" / "read.safetensors")
        features = sae.encode(hidden())
        torch.testing.assert_close(kept["features"], features, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(kept["output"], sae.reconstruct(hidden()), atol=5e-4, rtol=1e-4)
        again = read_sae(str(tmp_path / f"{name}-{norm}" / "sae")).sae
        torch.testing.assert_close(again.encode(hidden()), features, atol=1e-4, rtol=1e-4)
