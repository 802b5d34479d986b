"""A PLM with shuffled weights has the same numbers in every tensor, in an order that only a seed knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from interplm_wh import store
from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.plm.shuffle import permutation, shuffle
from interplm_wh.sae import add_sae
from tests import plm_folders
from tests.plm_folders import make_ankh, make_esmc, make_prott5
from tests.test_cli import run as cli
from tests.tiny_models import make_plm, sequence

MAKERS: dict[str, Callable[[Path], Path]] = {
    "esm2": make_plm, "esmc": make_esmc, "prott5": make_prott5, "ankh": make_ankh,
}  # fmt: skip

EXPECTED = ([5, 7, 1, 0, 3, 4, 2, 6], [2, 4, 5, 0, 7, 1, 3, 6])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, by name."""
    if (folder / "pytorch_model.bin").is_file():
        found: dict[str, torch.Tensor] = torch.load(folder / "pytorch_model.bin", weights_only=True)
        return found
    # Copies: a file that is written over would take the memory of its tensors away.
    return {k: v.clone() for path in folder.glob("*.safetensors") for k, v in load_file(path).items()}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_tensor_keeps_its_numbers_and_loses_their_order(tmp_path: Path, kind: str) -> None:
    source = MAKERS[kind](tmp_path / "plm")
    report = shuffle(str(source), tmp_path / "shuffled")
    before, after = weights(source), weights(tmp_path / "shuffled")
    assert before.keys() == after.keys()
    moved = 0
    for name, tensor in before.items():
        assert (after[name].shape, after[name].dtype) == (tensor.shape, tensor.dtype)
        assert torch.equal(after[name].flatten().sort().values, tensor.flatten().sort().values), name
        moved += not torch.equal(after[name], tensor)
        is_fixed = len(tensor.unique()) == 1 or name.endswith("inv_freq")  # all ones, all zeros; no weights
        assert torch.equal(after[name], tensor) == is_fixed, name
    assert moved > 5
    mine = [t.numel() for name, t in before.items() if not name.endswith("inv_freq")]
    assert (report.n_tensors, report.n_weights) == (len(mine), sum(mine))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_shuffled_model_runs_and_gives_other_hidden_states(tmp_path: Path, kind: str) -> None:
    source = MAKERS[kind](tmp_path / "plm")
    shuffle(str(source), tmp_path / "shuffled")
    states = [load_plm(str(f), device="cpu").embed("MKTAYIAK", 2) for f in (source, tmp_path / "shuffled")]
    assert states[0].shape == states[1].shape and states[1].isfinite().all()
    assert not torch.allclose(*states, atol=0.1)


def test_a_seed_gives_the_same_weights_and_another_seed_gives_others(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        shuffle(str(source), tmp_path / name, seed=seed)
    content = {n: (tmp_path / n / "model.safetensors").read_bytes() for n in "abc"}
    assert content["a"] == content["b"] != content["c"]


def test_a_permutation_is_the_same_for_ever() -> None:
    # NumPy's legacy generator, seeded by the words of sha256("0:a") and ("1:a"), as any machine has them.
    assert permutation("a", 8, seed=0).tolist() == EXPECTED[0]
    assert permutation("a", 8, seed=1).tolist() == EXPECTED[1]
    assert permutation("b", 8, seed=0).tolist() != EXPECTED[0]
    assert sorted(permutation("b", 1000, seed=0)) == list(range(1000))


def test_in_which_file_a_tensor_stands_does_not_matter(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    cut = shutil.copytree(source, tmp_path / "cut")
    tensors = weights(cut)
    (cut / "model.safetensors").unlink()
    names = sorted(tensors)
    files = {f"model-{i + 1:05d}-of-00002.safetensors": names[i::2][::-1] for i in range(2)}
    for file, mine in files.items():
        save_file({n: tensors[n] for n in mine}, cut / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {n: file for file, mine in files.items() for n in mine}}
    (cut / "model.safetensors.index.json").write_text(json.dumps(index))
    for folder in (source, cut):
        shuffle(str(folder), tmp_path / f"{folder.name}-shuffled")
    whole, parts = weights(tmp_path / "plm-shuffled"), weights(tmp_path / "cut-shuffled")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_tied_tensors_stay_tied(tmp_path: Path) -> None:
    source = make_ankh(tmp_path / "plm")
    tensors = weights(source)
    embedding = tensors["shared.weight"]
    both = {**tensors, "encoder.embed_tokens.weight": embedding.clone()}
    save_file(both, source / "model.safetensors", metadata={"format": "pt"})
    shuffle(str(source), tmp_path / "shuffled")
    after = weights(tmp_path / "shuffled")
    assert torch.equal(after["shared.weight"], after["encoder.embed_tokens.weight"])
    assert not torch.equal(after["shared.weight"], embedding)


def test_the_tied_head_of_esm2_follows_its_embedding(tmp_path: Path) -> None:
    from transformers import EsmForMaskedLM

    shuffle(str(make_plm(tmp_path / "plm")), tmp_path / "shuffled")
    model = EsmForMaskedLM.from_pretrained(tmp_path / "shuffled")
    head = model.lm_head.decoder.weight
    assert torch.equal(head, model.esm.embeddings.word_embeddings.weight)


def test_constants_of_rotary_embeddings_and_integers_are_left_alone(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    tensors = weights(source)
    extra = {"esm.x.inv_freq": torch.linspace(0, 1, 50), "esm.x.position_ids": torch.arange(50)}
    save_file({**tensors, **extra}, source / "model.safetensors", metadata={"format": "pt"})
    shuffle(str(source), tmp_path / "shuffled")
    after = weights(tmp_path / "shuffled")
    assert all(torch.equal(after[name], tensor) for name, tensor in extra.items())


def test_it_is_refused_without_leaving_anything(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(InputError, match="is there already; choose another"):
        shuffle(str(source), there)
    with pytest.raises(InputError, match="there is no folder"):
        shuffle(str(source), tmp_path / "a" / "b")
    with pytest.raises(InputError, match="--seed -1"):
        shuffle(str(source), tmp_path / "out", seed=-1)
    with pytest.raises(ModelError, match="there is no such folder"):
        shuffle(str(tmp_path / "nowhere"), tmp_path / "out")
    with pytest.raises(MismatchError, match="not sha256:0 as recorded"):
        shuffle(str(source), tmp_path / "out", revision="sha256:0")
    (source / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelError, match="'gpt2' are not supported; these are: ESM-2"):
        shuffle(str(source), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"plm", "there"}
    assert not list(there.iterdir())


def test_a_damaged_or_incomplete_model_is_refused_without_leaving_anything(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    file = source / "model.safetensors"
    tensors, content = weights(source), file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        shuffle(str(source), tmp_path / "out")
    tensors.pop("esm.encoder.layer.0.attention.self.query.weight")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="weights do not fit config"):
        shuffle(str(source), tmp_path / "out")
    file.unlink()
    with pytest.raises(ModelError, match="no file of weights"):
        shuffle(str(source), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["plm"]


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, (f"open({str(tmp_path / 'run')!r}, 'w')",)

    source = plm_folders.make_prott5(tmp_path / "plm")
    tensors = torch.load(source / "pytorch_model.bin", weights_only=True)
    torch.save({**tensors, "x": Evil()}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match="nothing in it was run"):
        shuffle(str(source), tmp_path / "out")
    assert not (tmp_path / "run").exists()


def test_killed_at_any_moment_there_is_no_half_of_a_model(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm", inner=200_000)  # tens of megabytes: long enough to be killed in
    command = [sys.executable, "-m", "interplm_wh", "shuffle", str(source), str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob(".out.*/*")):
        pass
    process.kill()
    process.wait()
    assert not (tmp_path / "out").exists()
    shuffle(str(source), tmp_path / "out")
    assert load_plm(str(tmp_path / "out"), device="cpu").n_layers == 2


def test_the_warehouse_says_of_which_model_it_is_a_copy(tmp_path: Path, warehouse: Path) -> None:
    source = make_plm(tmp_path / "plm")
    done = cli("shuffle", source, tmp_path / "out", "--seed", "7")
    assert done.returncode == 0 and b"seed 7" in done.stdout
    fasta = tmp_path / "p.fasta"
    fasta.write_text(f">P1\n{sequence(30)}\n")
    add_proteins(warehouse, [fasta])
    for name, plm in (("a", source), ("b", tmp_path / "out")):
        add_sae(warehouse, "identity", name=name, plm=str(plm), layer=1)
    with store.open(warehouse) as wh:
        rows = wh.sql("select plm, source, shuffled_from from plms order by plm").to_pylist()
    revision = load_plm(str(source), device="cpu").revision
    assert [row["shuffled_from"] for row in rows] == [f"{source} ({revision}), seed 7", None]
    assert rows[0]["source"] == str(tmp_path / "out")


def test_letters_stay_the_same_tokens(tmp_path: Path) -> None:
    source = make_plm(tmp_path / "plm")
    shuffle(str(source), tmp_path / "out")
    ids = [
        load_plm(str(f), device="cpu").tokens(["ACDX"]).ids.numpy()  # type: ignore[attr-defined]
        for f in (source, tmp_path / "out")
    ]
    assert np.array_equal(*ids)
