"""`export sae`: what other tools read back, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner

from interplm_wh import store
from interplm_wh.build import build
from interplm_wh.cli import cli
from interplm_wh.encode import encode
from interplm_wh.errors import InputError, ModelError, NotThereError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae, export_sae, load_sae
from interplm_wh.sae.formats import to_interplm, to_saelens
from interplm_wh.sae.load import read_sae
from interplm_wh.sae.options import INPUT_NORMS, InputNorm
from interplm_wh.sae.registry import ARCHITECTURES, make
from tests.test_sae_architectures import F, hidden, random_sae, weights
from tests.tiny_models import make_plm, make_sae, some_proteins, write_fasta

INTERPLM = {
    "relu": "relu",
    "relu_tied": "relu",
    "topk": "topk",
    "batch_topk": "batch_topk",
    "matryoshka": "batch_topk",
    "jumprelu": "jumprelu",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse with one SAE, its neurons, and one that is not encoded; to be read only."""
    folder = tmp_path_factory.mktemp("export").resolve()
    plm = make_plm(folder / "tiny")
    sae = make_sae(folder / "sae" / "ae.pt", plm, layer=1)
    warehouse = store.init(folder / "warehouse")
    add_proteins(warehouse, [write_fasta(folder / "p.fasta", some_proteins(12))])
    for name in ("a", "unbuilt"):
        add_sae(warehouse, str(sae), name=name, plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=1, device="cpu")
    encode(warehouse, ["a"], device="cpu")
    build(warehouse)
    return warehouse


def written(files: dict[str, bytes], folder: Path) -> str:
    """Write files of an export."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize("norm", ["none", "sqrt_d", "unit_mean_norm"])
@pytest.mark.parametrize("architecture", INTERPLM)
def test_what_is_written_for_interplm_is_read_back(
    tmp_path: Path, architecture: str, norm: InputNorm
) -> None:
    sae = make(weights(architecture, input_norm=norm))
    scale = torch.arange(F, dtype=torch.float32)
    files, _ = to_interplm.write(sae.weights, scale=scale, is_baked=False)
    loaded = read_sae(written(files, tmp_path / "out"))
    again = loaded.sae
    assert (loaded.format, again.architecture, again.k) == ("InterPLM", INTERPLM[architecture], sae.k)
    assert again.input_norm == ("sqrt_d" if norm == "sqrt_d" else "none")
    assert again.checkpoint_scale is not None
    assert torch.equal(again.checkpoint_scale, scale)
    torch.testing.assert_close(again.encode(hidden()), sae.encode(hidden()), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(again.reconstruct(hidden()), sae.reconstruct(hidden()), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("case", ["ReLU", "TopK", "BatchTopK", "JumpReLU"])
def test_tensors_for_interplm_have_the_names_types_and_shapes_of_its_own(golden: Path, case: str) -> None:
    with np.load(golden / "sae_vectors" / f"{case}_sqrtd1.npz") as file:
        theirs = {name.removeprefix("w/"): file[name] for name in file.files if name.startswith("w/")}
    ours = {"ReLU": "relu", "TopK": "topk", "BatchTopK": "batch_topk", "JumpReLU": "jumprelu"}[case]
    sae = random_sae(ours, input_norm="sqrt_d")
    files, _ = to_interplm.write(sae.weights, scale=torch.ones(F), is_baked=False)
    import io

    state = torch.load(io.BytesIO(files["ae.pt"]), weights_only=True)
    sizes = {24: sae.d_model, 48: sae.n_features}
    expected = {
        name: (tuple(sizes[n] for n in array.shape), str(array.dtype)) for name, array in theirs.items()
    }
    assert {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in state.items()
    } == expected


def test_the_configuration_for_interplm_has_the_sections_of_its_own(golden: Path) -> None:
    theirs = yaml.safe_load((golden / "interplm_checkpoint" / "config.yaml").read_text())
    files, _ = to_interplm.write(random_sae("relu").weights, scale=None, is_baked=False)
    ours = yaml.safe_load(files["config.yaml"])
    assert list(ours) == list(theirs)
    assert set(ours["trainer_cfg"]) == set(theirs["trainer_cfg"])
    for section in ("dataloader_cfg", "wandb_cfg", "checkpoint_cfg"):
        assert set(ours[section]) <= set(theirs[section])


@pytest.mark.parametrize("architecture", ["relu", "relu_tied", "jumprelu"])
def test_a_scale_that_is_baked_in_gives_normalised_activations(tmp_path: Path, architecture: str) -> None:
    sae = make(weights(architecture))
    features = sae.encode(hidden())
    scale = features.max(dim=0).values
    scale[3] = 0
    files, _ = to_interplm.write(sae.weights, scale=scale, is_baked=True)
    again = load_sae(written(files, tmp_path / "out"))
    expected = torch.where(scale > 0, features / scale.clamp_min(1e-9), 0.0)
    torch.testing.assert_close(again.encode(hidden()), expected, atol=1e-5, rtol=1e-4)
    assert again.checkpoint_scale is not None
    assert again.checkpoint_scale.tolist() == [float(value > 0) for value in scale]
    kept = features * (scale > 0)
    torch.testing.assert_close(again.reconstruct(hidden()), sae.decode(kept), atol=2e-4, rtol=1e-4)


def test_what_a_tool_cannot_express_is_refused_by_name() -> None:
    for architecture in set(ARCHITECTURES) - set(INTERPLM):
        with pytest.raises(ModelError, match=f"InterPLM has no architecture for {architecture} SAEs"):
            to_interplm.write(random_sae(architecture).weights, scale=None, is_baked=False)
    for architecture in ("identity", "groupmax"):
        with pytest.raises(ModelError, match=f"SAELens has no architecture for {architecture} SAEs"):
            to_saelens.write(random_sae(architecture).weights, about={})
    with pytest.raises(ModelError, match="InterPLM does not normalise its input by layer_norm"):
        to_interplm.write(random_sae("relu", input_norm="layer_norm").weights, scale=None, is_baked=False)
    for architecture in ("topk", "batch_topk", "matryoshka"):
        with pytest.raises(ModelError, match="would change which features a"):
            to_interplm.write(random_sae(architecture).weights, scale=torch.ones(F), is_baked=True)


@pytest.mark.parametrize("norm", INPUT_NORMS)
def test_files_for_saelens_say_how_the_input_is_normalised(norm: InputNorm) -> None:
    files, notes = to_saelens.write(random_sae("relu", input_norm=norm).weights, about={"hidden_state": 3})
    config = json.loads(files["cfg.json"])
    expected = {"sqrt_d": "constant_norm_rescale", "layer_norm": "layer_norm"}.get(norm, "none")
    assert config["normalize_activations"] == expected
    assert config["metadata"]["hidden_state"] == 3
    assert any("factor" in note for note in notes) == (norm == "unit_mean_norm")


# -- the command -------------------------------------------------------------------------------------


def test_the_scale_of_the_warehouse_goes_along(filled: Path, tmp_path: Path) -> None:
    report = export_sae(filled, "a", form="interplm", output=tmp_path / "out")
    assert report.files == ("ae.pt", "config.yaml")
    with store.open(filled) as wh:
        scale = wh.sql("select max_activation from features where sae = 'a' order by feature")
    again = load_sae(str(tmp_path / "out"))
    assert again.checkpoint_scale is not None
    assert again.checkpoint_scale.tolist() == scale["max_activation"].to_pylist()
    baked = export_sae(filled, "a", form="interplm", output=tmp_path / "baked", normalised=True)
    assert baked.files == ("ae_normalized.pt", "config.yaml")
    x = torch.randn(9, 16, generator=torch.Generator().manual_seed(0))
    raw, normalised = again.encode(x), load_sae(str(tmp_path / "baked")).encode(x)
    torch.testing.assert_close(normalised * again.checkpoint_scale, raw, atol=1e-4, rtol=1e-4)


def test_without_a_scale_it_is_said_or_refused(filled: Path, tmp_path: Path) -> None:
    report = export_sae(filled, "unbuilt", form="interplm", output=tmp_path / "out")
    assert any("no scale of it yet" in line for line in report.lines())
    assert load_sae(str(tmp_path / "out")).checkpoint_scale is None
    with pytest.raises(
        ModelError, match="unbuilt: the warehouse has no scale of this SAE yet; encode and build"
    ):
        export_sae(filled, "unbuilt", form="interplm", output=tmp_path / "no", normalised=True)
    with pytest.raises(InputError, match="only files for InterPLM have the scale baked in"):
        export_sae(filled, "a", form="saelens", output=tmp_path / "no", normalised=True)
    assert not (tmp_path / "no").exists()


def test_no_folder_is_overwritten_without_force_and_one_of_other_origin_never(
    filled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_sae(filled, "a", form="saelens", output=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="is there already; give another with --output, or replace it"):
        export_sae(filled, "a", form="interplm", output=out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(ModelError, match="neurons: InterPLM has no architecture for identity"):
        export_sae(filled, "neurons", form="interplm", output=out, force=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    export_sae(filled, "a", form="interplm", output=out, force=True)
    assert sorted(path.name for path in out.iterdir()) == ["ae.pt", "config.yaml"]
    (out / "notes.txt").touch()
    with pytest.raises(InputError, match="holds files of other origin"):
        export_sae(filled, "a", form="interplm", output=out, force=True)
    assert (out / "notes.txt").is_file()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(out)
    for name in ("file", "link"):
        with pytest.raises(InputError, match="is there and no folder"):
            export_sae(filled, "a", form="interplm", output=tmp_path / name, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "out"]


def test_an_sae_that_is_not_there_is_named(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="did you mean neurons"):
        export_sae(filled, "neuron", form="saelens", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_was_written(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    args = ["-w", str(filled), "export", "sae", "a", "--format", "saelens", "--output", str(out)]
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 0, done.output
    assert f"a: written for SAELens to {out}: cfg.json, sae_weights.safetensors" in done.output
    with store.open(filled) as wh:
        source = wh.sql("select source from plms")["source"].to_pylist()[0]
    assert source not in (out / "cfg.json").read_text()  # a path of this machine
    again = read_sae(str(out))
    assert (again.format, again.kind) == ("SAELens", "standard")
