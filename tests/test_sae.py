"""Sparse autoencoders: numbers of the reference, formats, refusal of unsafe or wrong files, sparse rows."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from interplm_wh.errors import CheckError, MismatchError, ModelError
from interplm_wh.sae import load_sae, registry, saved, sparse
from interplm_wh.sae.base import SAE, Weights
from interplm_wh.sae.checkpoint import read_tensors
from interplm_wh.sae.formats import read
from interplm_wh.sae.identity import IdentitySAE
from interplm_wh.sae.saved import SaeIdentity, load_saved, save_sae, weights_bytes

WIDTH, FEATURES = 8, 20


def state_dict(seed: int = 0) -> dict[str, Tensor]:
    """Weights of a small ReLU SAE in InterPLM's names."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "bias": torch.randn(WIDTH, generator=generator),
        "encoder.weight": torch.randn(FEATURES, WIDTH, generator=generator),
        "encoder.bias": torch.randn(FEATURES, generator=generator),
        "decoder.weight": torch.randn(WIDTH, FEATURES, generator=generator),
    }


def write(path: Path, **changes: Tensor) -> Path:
    """Save weights with changes as a .pt file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state_dict() | {k.replace("__", "."): v for k, v in changes.items()}, path)
    return path


@pytest.mark.parametrize("case", ["ReLU_sqrtd0", "ReLU_sqrtd1"])
def test_relu_gives_the_numbers_of_the_reference_and_forward_decides_where_it_disagrees(
    golden: Path, case: str
) -> None:
    with np.load(golden / "sae_vectors" / f"{case}.npz") as file:
        expected = {name: torch.tensor(file[name]) for name in file.files}
    tensors = {name.removeprefix("w/"): t for name, t in expected.items() if name.startswith("w/")}
    sae = registry.make(read(tensors, Path(case)).weights)
    x = expected["x"]
    features = sae.encode(x)
    torch.testing.assert_close(features, expected["forward_output_features.1"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sae.decode(features), expected["forward"], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(sae.forward(x), expected["forward"], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(sae.reconstruct(x), expected["forward_unnormalize"], atol=1e-4, rtol=1e-5)
    assert sae.input_norm == ("sqrt_d" if case.endswith("1") else "none")
    assert bool((features >= 0).all())
    assert bool(torch.isfinite(features).all())
    assert sae.checkpoint_scale is not None
    assert torch.equal(sae.checkpoint_scale, tensors["activation_rescale_factor"])


def test_a_buffer_of_ones_is_no_scale_and_zeros_in_it_are_dead_features(golden: Path) -> None:
    folder = golden / "interplm_checkpoint"
    assert load_sae(str(folder / "ae.pt")).checkpoint_scale is None
    normalised = load_sae(str(folder))
    scale = torch.load(folder / "ae_normalized.pt", weights_only=True)["activation_rescale_factor"]
    assert normalised.checkpoint_scale is not None
    assert torch.equal(normalised.checkpoint_scale, scale)
    assert int((normalised.checkpoint_scale == 0).sum()) == 8


def test_activations_are_those_of_the_reference(golden: Path) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with np.load(golden / "embeddings_layer3_shard0.npz") as file:
        x = torch.tensor(file["embeddings"])
        bounds, names = file["boundaries"], file["protein_ids"]
    sae = load_sae(str(golden / "interplm_checkpoint"))
    table = pq.read_table(golden / "activations.parquet")
    for index in (0, 41, 74):
        rows = table.filter(pc.equal(table["accession"], str(names[index])))
        start, stop = bounds[index]
        dense = np.zeros((stop - start, sae.n_features), np.float32)
        dense[rows["position"].to_numpy() - 1, rows["feature"].to_numpy()] = rows["value"].to_numpy()
        np.testing.assert_allclose(sae.encode(x[start:stop]).numpy(), dense, atol=1e-5)


def test_published_files_have_the_scale_baked_in_or_none_at_all(tmp_path: Path) -> None:
    weight, bias = state_dict()["encoder.weight"], state_dict()["encoder.bias"]
    weight[4], bias[4] = 0, 0
    write(tmp_path / "layer_3" / "ae_normalized.pt", encoder__weight=weight, encoder__bias=bias)
    write(tmp_path / "layer_3" / "ae_unnormalized.pt")
    baked = load_sae(str(tmp_path), layer=3)
    assert baked.checkpoint_scale is not None
    assert baked.checkpoint_scale.tolist() == [0.0 if f == 4 else 1.0 for f in range(FEATURES)]
    assert load_sae(str(tmp_path), layer=3, file="ae_unnormalized.pt").checkpoint_scale is None


def test_wrong_width_of_input_is_refused(tmp_path: Path) -> None:
    sae = load_sae(str(write(tmp_path / "ae.pt")))
    with pytest.raises(MismatchError, match=r"width 8, not a tensor of shape \(3, 9\)"):
        sae.encode(torch.zeros(3, 9))


def test_a_slice_of_features_is_what_the_whole_gives(tmp_path: Path) -> None:
    x = torch.randn(11, WIDTH, generator=torch.Generator().manual_seed(5))
    for sae in (load_sae(str(write(tmp_path / "ae.pt"))), IdentitySAE.of_width(WIDTH)):
        whole = sae.encode(x)
        for start, stop in ((0, 3), (5, 13), (7, 16), (9, sae.n_features)):
            torch.testing.assert_close(sae.encode(x, features=slice(start, stop)), whole[:, start:stop])


def test_identity_splits_signs_and_reconstructs_exactly() -> None:
    x = torch.tensor([[1.5, -2.0, 0.0]])
    sae = load_sae("identity", d_model=3)
    assert sae.encode(x).tolist() == [[1.5, 0.0, 0.0, 0.0, 2.0, 0.0]]
    assert torch.equal(sae.reconstruct(x), x)
    assert sae.decoder_norm.tolist() == [1.0] * 6
    assert sae.checkpoint_scale is None
    with pytest.raises(ModelError, match="width of the PLM"):
        load_sae("identity")


def test_decoder_norm_is_the_length_of_each_column(tmp_path: Path) -> None:
    columns = state_dict()["decoder.weight"].numpy()
    sae = load_sae(str(write(tmp_path / "ae.pt")))
    np.testing.assert_allclose(sae.decoder_norm.numpy(), np.sqrt((columns**2).sum(axis=0)), rtol=1e-6)


# -- files that are refused --------------------------------------------------------------------------


class Bomb:
    """What a malicious pickle carries: a command to run on loading."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    mark, path = tmp_path / "was-run", tmp_path / "ae_normalized.pt"
    content = state_dict() | {"extra": Bomb(mark)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(ModelError, match=r"ae_normalized\.pt: refused.*nothing in it was run"):
        load_sae(str(path))
    assert not mark.exists()


@pytest.mark.parametrize(
    "tensor",
    [torch.eye(4).to_sparse(), torch.empty(4, 4, device="meta"), torch.eye(4, dtype=torch.complex64)],
    ids=["sparse", "meta", "complex"],
)
def test_tensors_that_are_not_dense_real_numbers_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    path = tmp_path / "ae.pt"
    torch.save({"encoder.weight": tensor}, path)
    with pytest.raises(ModelError, match=r"encoder\.weight is a .* tensor; give dense real numbers"):
        read_tensors(path)


def test_a_changed_byte_of_an_archive_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ae.pt"
    torch.save({"encoder.weight": torch.arange(1000.0)}, path)
    data = bytearray(path.read_bytes())
    at = data.index(np.float32(500.0).tobytes() + np.float32(501.0).tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="is damaged"):
        read_tensors(path)


def test_files_that_are_no_weights_or_cut_short_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ae.pt"
    for content in (b"", b"\x00\x01 not a model", write(tmp_path / "whole.pt").read_bytes()[:600]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"ae\.pt: "):
            load_sae(str(path))
    torch.save([1, 2], path)
    with pytest.raises(ModelError, match="holds list, not named tensors"):
        load_sae(str(path))


def test_all_shapes_that_do_not_fit_are_named_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ae.pt", decoder__weight=torch.zeros(FEATURES, WIDTH), bias=torch.zeros(WIDTH + 1)
    )
    with pytest.raises(ModelError, match="2 faults") as caught:
        load_sae(str(path))
    assert "decoder.weight has the shape [20, 8], expected [8, 20]" in str(caught.value)
    assert "bias has the shape [9], expected [8]" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"encoder__bias": torch.full((FEATURES,), torch.nan)},
            "encoder.bias holds values that are not finite",
        ),
        ({"activation_rescale_factor": -torch.ones(FEATURES)}, "holds negative values"),
        ({"activation_rescale_factor": torch.ones(3)}, r"activation_rescale_factor has the shape \[3\]"),
        ({"encoder__weight": torch.zeros(4)}, r"encoder.weight has the shape \[4\]"),
    ],
)
def test_values_that_cannot_be_weights_are_refused(
    tmp_path: Path, change: dict[str, Tensor], fault: str
) -> None:
    with pytest.raises(ModelError, match=fault):
        load_sae(str(write(tmp_path / "ae.pt", **change)))


def test_absent_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder"):
        load_sae("./nowhere")
    with pytest.raises(ModelError, match=r"holds none of ae_normalized\.pt"):
        load_sae(str(tmp_path))


# -- the form in which a warehouse keeps them ---------------------------------------------------------


def identity_of(sae: SAE) -> SaeIdentity:
    """An identity for an SAE that is saved in a test."""
    import hashlib

    return SaeIdentity(
        sae="a",
        plm="p",
        layer=3,
        architecture=sae.architecture,
        d_model=sae.d_model,
        n_features=sae.n_features,
        k=sae.k,
        input_norm=sae.input_norm,
        role="sae",
        control_of=None,
        source="somewhere",
        file=None,
        revision=None,
        sha256=hashlib.sha256(weights_bytes(sae)).hexdigest(),
    )


@pytest.mark.parametrize("source", ["ae.pt", "ae_normalized.pt", "identity"])
def test_a_saved_sae_is_the_same_sae(golden: Path, tmp_path: Path, source: str) -> None:
    path = source if source == "identity" else str(golden / "interplm_checkpoint" / source)
    sae = load_sae(path, d_model=64)
    save_sae(tmp_path / "saes" / "a", sae, identity=identity_of(sae))
    again = load_saved(tmp_path / "saes" / "a")
    x = torch.randn(7, 64, generator=torch.Generator().manual_seed(1))
    assert again.identity == identity_of(sae)
    assert torch.equal(again.sae.encode(x), sae.encode(x))
    assert torch.equal(load_sae(str(tmp_path / "saes" / "a")).encode(x), sae.encode(x))
    assert (again.sae.checkpoint_scale is None) == (sae.checkpoint_scale is None)
    assert sorted(p.name for p in (tmp_path / "saes").iterdir()) == ["a"]


def test_weights_that_changed_on_disk_are_refused(tmp_path: Path) -> None:
    sae = load_sae(str(write(tmp_path / "ae.pt")))
    save_sae(tmp_path / "saes" / "a", sae, identity=identity_of(sae))
    path = tmp_path / "saes" / "a" / saved.WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckError, match="sha256 differs"):
        load_saved(tmp_path / "saes" / "a")
    (tmp_path / "saes" / "a" / saved.IDENTITY_FILE).write_text("!!python/object/apply:os.getcwd []")
    with pytest.raises(ModelError, match=r"sae\.yaml: cannot be read"):
        load_saved(tmp_path / "saes" / "a")


def test_saving_again_replaces_a_leftover(tmp_path: Path) -> None:
    sae = load_sae(str(write(tmp_path / "ae.pt")))
    (tmp_path / "saes" / "a").mkdir(parents=True)
    (tmp_path / "saes" / "a" / "rest").touch()
    save_sae(tmp_path / "saes" / "a", sae, identity=identity_of(sae))
    assert sorted(p.name for p in (tmp_path / "saes" / "a").iterdir()) == ["sae.safetensors", "sae.yaml"]


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(ModelError, match="'dense' are not supported; known: batch_topk, gated"):
        registry.make(Weights("dense", 4, 8, {}))


# -- sparse rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("min_value", [0.0, 0.7])
@pytest.mark.parametrize("limits", [(512, 1 << 24), (10, 60)])
@pytest.mark.parametrize("kind", ["relu", "identity"])
def test_sparse_rows_are_the_dense_values_in_the_order_of_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, limits: tuple[int, int], min_value: float
) -> None:
    monkeypatch.setattr(sparse, "CHUNK_RESIDUES", limits[0])
    monkeypatch.setattr(sparse, "CHUNK_VALUES", limits[1])
    sae = load_sae(str(write(tmp_path / "ae.pt"))) if kind == "relu" else IdentitySAE.of_width(WIDTH)
    lengths = [3, 5, 1, 30, 2]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    x = torch.randn(sum(lengths), WIDTH, generator=torch.Generator().manual_seed(2))
    chunks = list(sparse.sparse_rows(sae, x, offsets=offsets, min_value=min_value))
    found = [
        (int(p), int(f), int(i), float(v))
        for rows in chunks
        for p, f, i, v in zip(rows.protein, rows.feature, rows.position, rows.value, strict=True)
    ]
    expected = [
        (p, f, i + 1, float(dense[i, f]))
        for p, n in enumerate(lengths)
        for dense in [sae.encode(x[offsets[p] : offsets[p + 1]])]
        for f in range(sae.n_features)
        for i in range(n)
        if dense[i, f] > min_value
    ]
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose([row[3] for row in found], [row[3] for row in expected], atol=1e-5, rtol=1e-5)
    assert all(r.position.dtype == r.feature.dtype == r.protein.dtype == np.int32 for r in chunks)
    assert all(r.value.dtype == np.float32 for r in chunks)


def test_a_chunk_never_holds_more_values_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched(IdentitySAE):
        def _encode(self, x: Tensor, features: slice) -> Tensor:
            dense = super()._encode(x, features)
            sizes.append(dense.numel())
            return dense

    monkeypatch.setattr(sparse, "CHUNK_VALUES", 200)
    list(sparse.sparse_rows(Watched.of_width(WIDTH), torch.randn(90, WIDTH), offsets=[0, 90]))
    assert sum(sizes) == 90 * 2 * WIDTH
    assert max(sizes) <= 200


def test_what_is_found_on_a_device_is_what_is_found_on_the_processor() -> None:
    columns = torch.randn(30, 17, generator=torch.Generator().manual_seed(4))
    here = sparse._found_on_cpu(columns, 0.4)
    there = sparse._found_on_device(columns, 0.4)
    for mine, theirs in zip(here, there, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
