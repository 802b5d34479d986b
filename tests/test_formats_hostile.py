"""Files that mean harm: nothing in them is run, and none makes us allocate what it claims."""

from __future__ import annotations

import json
import os
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from interplm_wh.errors import ModelError
from interplm_wh.sae import load_sae
from interplm_wh.sae.checkpoint import read_tensors
from interplm_wh.sae.load import find_sae
from tests.peers.common import D, F
from tests.test_formats import SAELENS, linear, matrices, random, saved


class Bomb:
    """What a malicious pickle carries: a command to run on loading."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize(
    "name", ["trainer_0/ae.pt", "3b-l36-matry-k-5.ckpt", "layer_1.safetensors", "ae.bin"]
)
def test_a_pickle_is_not_run_whatever_its_name(tmp_path: Path, name: str) -> None:
    path, mark = tmp_path / name, tmp_path / "was-run"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps({"encoder.weight": Bomb(mark)}))
    with pytest.raises(ModelError, match=r"refused|cannot be read as safetensors"):
        load_sae(str(path))
    assert not mark.exists()


def test_a_pickle_in_a_checkpoint_beside_a_good_configuration_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    path = saved(
        tmp_path / "a" / "ae.pt",
        linear(bias=random(D)),
        {"trainer": {"dict_class": "AutoEncoder"}},
        name="config.json",
    )
    torch.save({**linear(bias=random(D)), "x": Bomb(mark)}, path)
    with pytest.raises(ModelError, match="nothing in it was run"):
        load_sae(str(path))
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir ['{mark}']",
        "trainer_cfg: !!python/object/apply:os.system ['mkdir {mark}']",
        "trainer_cfg: !!python/object:interplm.train.trainers.relu.ReLUTrainerConfig {{lr: 1}}",
    ],
)
def test_yaml_that_names_python_is_refused_and_not_run(tmp_path: Path, text: str) -> None:
    mark = tmp_path / "was-run"
    saved(tmp_path / "ae.pt", linear(bias=random(D)))
    (tmp_path / "config.yaml").write_text(text.format(mark=mark))
    with pytest.raises(
        ModelError, match=r"config\.yaml: cannot be read as a configuration.*nothing in it was run"
    ):
        load_sae(str(tmp_path / "ae.pt"))
    assert not mark.exists()


def _bomb_of_merges() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}, *a{i - 1}]}}" for i in range(1, 60)]
    return "\n".join(lines)


def _bomb_of_aliases() -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    return "\n".join([*lines, "trainer_cfg: {k: *a59}"])


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("cfg.json", "[" * 200_000, "nested too deeply"),
        ("config.yaml", "[" * 50_000, "nested too deeply"),
        ("cfg.json", '{"k": ' + "9" * 10_000 + "}", "cannot be read as a configuration"),
        ("config.yaml", "k: " + "9" * 10_000, "cannot be read as a configuration"),
        ("cfg.json", '{"k": "' + "x" * (5 << 20) + '"}', "larger than a configuration may be"),
        ("config.yaml", "x" * (300 << 10), "larger than a configuration may be"),
        ("config.yaml", _bomb_of_merges(), "merge keys are not taken"),
        ("cfg.json", "[1, 2]", "holds no keys with values"),
        ("cfg.json", "{", "cannot be read as a configuration"),
        ("cfg.json", "\\xff\\xfe", "cannot be read as a configuration"),
    ],
)
def test_a_configuration_of_absurd_depth_or_size_is_refused(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    saved(tmp_path / "ae.pt", linear(bias=random(D)))
    (tmp_path / name).write_text(text)
    began = time.monotonic()
    with pytest.raises(ModelError, match=why) as caught:
        load_sae(str(tmp_path / "ae.pt"))
    assert time.monotonic() - began < 20
    assert len(str(caught.value)) < 2000


def test_yaml_that_repeats_itself_without_end_stays_small(tmp_path: Path) -> None:
    saved(tmp_path / "ae.pt", linear(bias=random(D)))
    (tmp_path / "config.yaml").write_text(_bomb_of_aliases())
    assert load_sae(str(tmp_path / "ae.pt")).architecture == "relu"


def test_a_configuration_of_absurd_sizes_allocates_nothing(tmp_path: Path) -> None:
    config = {
        **SAELENS,
        "d_sae": 10**15,
        "architecture": "matryoshka_batchtopk",
        "matryoshka_widths": [10**15],
    }
    path = saved(tmp_path / "sae_weights.safetensors", matrices(topk_threshold=torch.tensor(0.1)), config)
    with pytest.raises(ModelError, match=r"d_sae in cfg\.json is 1,000,000,000,000,000, the tensors have 40"):
        load_sae(str(path))


# -- archives and headers ----------------------------------------------------------------------------


def test_a_packed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    good, path = tmp_path / "good.pt", tmp_path / "ae.pt"
    torch.save(linear(bias=random(D)), good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
        with target.open("archive/data/99", "w") as bomb:
            for _ in range(300):
                bomb.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelError, match="refused, its content is packed or overlaps"):
        load_sae(str(path))


def test_a_tensor_that_repeats_a_few_bytes_to_a_terabyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ae.pt"
    torch.save({"encoder.weight": torch.zeros(1).expand(1 << 19, 1 << 19)}, path)
    assert path.stat().st_size < 4096
    with pytest.raises(ModelError, match="claims 274,877,906,944 numbers, more than the file holds"):
        read_tensors(path)


def safetensors_file(path: Path, header: dict[str, object], data: bytes, *, size: int | None = None) -> Path:
    """Write a safetensors file by hand."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + data)
    return path


@pytest.mark.parametrize(
    ("header", "data", "size"),
    [
        ({"W": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234", None),
        ({"W": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, b"1234", None),
        ({"W": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 4]}}, b"1234", None),
        ({"W": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, b"12345678", None),
        (
            {
                "W": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                "V": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            },
            b"1234",
            None,
        ),
        ({"W": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, b"1234", None),
        ({"W": 3}, b"", None),
        ({}, b"", 1 << 60),
    ],
    ids=["short", "huge", "overflow", "backwards", "overlap", "dtype", "no tensor", "header"],
)
def test_safetensors_with_a_lying_header_are_refused(
    tmp_path: Path, header: dict[str, object], data: bytes, size: int | None
) -> None:
    path = safetensors_file(tmp_path / "layer_1.safetensors", header, data, size=size)
    with pytest.raises(ModelError, match=r"layer_1\.safetensors: cannot be read as safetensors"):
        load_sae(str(path))


def test_a_cut_safetensors_file_is_refused_at_any_length(tmp_path: Path) -> None:
    whole = saved(tmp_path / "layer_1.safetensors", matrices()).read_bytes()
    for stop in np.linspace(0, len(whole) - 1, 9, dtype=int):
        (tmp_path / "layer_1.safetensors").write_bytes(whole[:stop])
        with pytest.raises(ModelError, match="cannot be read as safetensors"):
            load_sae(str(tmp_path / "layer_1.safetensors"))


# -- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["../secret.pt", "/etc/passwd", "a/../../secret.pt", "..", "a\\..\\b", "."])
def test_a_file_that_leads_out_of_the_source_is_refused(tmp_path: Path, file: str) -> None:
    saved(tmp_path / "secret.pt", linear(bias=random(D)))
    saved(tmp_path / "source" / "ae.pt", linear(bias=random(D)))
    for source in (str(tmp_path / "source"), "org/repository"):
        with pytest.raises(ModelError, match="leads out of the source"):
            find_sae(source, layer=1, file=file)


def test_a_repository_s_own_names_that_lead_out_are_not_chosen() -> None:
    from interplm_wh.sae.source import choose

    with pytest.raises(ModelError, match="holds none of"):
        choose(["../../layer_1/ae_normalized.pt", "/layer_1/ae.pt"], source="org/x", layer=1, file=None)


def test_thousands_of_tensors_are_not_all_listed(tmp_path: Path) -> None:
    path = tmp_path / "ae.pt"
    torch.save({f"layer.{i}.weight": torch.zeros(1) for i in range(3000)}, path)
    with pytest.raises(ModelError, match="and 2,988 more") as caught:
        load_sae(str(path))
    assert len(str(caught.value)) < 4000
    torch.save({**linear(bias=random(D)), **{f"x{i}": torch.zeros(1) for i in range(3000)}}, path)
    with pytest.raises(ModelError, match="and 2,992 more"):
        load_sae(str(path))


def test_a_file_with_one_feature_or_one_dimension_is_no_error(tmp_path: Path) -> None:
    tiny = {
        "bias": random(1),
        "encoder.weight": random(1, 1),
        "encoder.bias": random(1),
        "decoder.weight": random(1, 1),
    }
    assert load_sae(str(saved(tmp_path / "ae.pt", tiny))).n_features == 1
    assert F > 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ae.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "run git lfs pull"),
        ("ae.pt", b"\n<!DOCTYPE html><html>404</html>", "is a web page, not the file itself"),
        ("ae.pt", b"a,b\n1,2\n", "cannot be read as PyTorch weights"),
        ("ae.pt", b"root:x:0:0:root\n", "cannot be read as PyTorch weights"),
        ("ae.pt", b"hello\n", "cannot be read as PyTorch weights"),
        ("ae.pt", b"", "cannot be read as PyTorch weights"),
    ],
)
def test_what_is_no_file_of_weights_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_sae(str(tmp_path / name))


def test_no_first_byte_of_a_text_is_an_internal_error(tmp_path: Path) -> None:
    for first in range(256):
        (tmp_path / "ae.pt").write_bytes(bytes([first]) + b",b\n1,2\n3,4\n")
        with pytest.raises(ModelError):
            load_sae(str(tmp_path / "ae.pt"))
