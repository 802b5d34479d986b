"""Formats written from their documented layout: what is recognised, converted, chosen, and refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae import load_sae
from interplm_wh.sae.load import find_sae, read_sae
from interplm_wh.sae.saved import save_sae
from tests.peers.common import D, F, hidden
from tests.test_sae import identity_of

K = 5
GOLDEN = [
    f"{name}_sqrtd{norm}{threshold}"
    for name in ("ReLU", "ReLU_Tied", "TopK", "BatchTopK", "JumpReLU", "JumpReLU_bdec")
    for norm in (0, 1)
    for threshold in (("", "_thr0.6") if "TopK" in name else ("",))
]


def random(*shape: int, seed: int = 0) -> Tensor:
    """Random numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def saved(
    path: Path, tensors: Mapping[str, Tensor], config: object = None, *, name: str = "cfg.json"
) -> Path:
    """Write a checkpoint, and a configuration beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
    if path.suffix == ".safetensors":
        save_file(contiguous, path)
    else:
        torch.save(contiguous, path)
    if config is not None:
        (path.parent / name).write_text(
            json.dumps(config) if name.endswith("json") else yaml.safe_dump(config)
        )
    return path


def interprot(d: int = D, f: int = F) -> dict[str, Tensor]:
    """Tensors as InterProt has them."""
    return {"w_enc": random(d, f), "w_dec": random(f, d), "b_enc": random(f), "b_pre": random(d)}


def biohub() -> dict[str, Tensor]:
    """Tensors as Biohub has them."""
    return {
        "W_enc": random(D, F),
        "W_dec": random(F, D),
        "b_dec": random(D),
        "idf": random(F).abs(),
        "max": random(F, seed=1).abs(),
    }


BIOHUB_CONFIG = {"d_model": D, "codebook_dim": F, "k": K, "available_layers": [3]}


def linear(**more: Tensor) -> dict[str, Tensor]:
    """Tensors of an encoder and a decoder of PyTorch's Linear, and more."""
    return {"encoder.weight": random(F, D), "encoder.bias": random(F), "decoder.weight": random(D, F), **more}


def matrices(**more: Tensor) -> dict[str, Tensor]:
    """Tensors of an encoder and a decoder as SAELens has them, and more."""
    return {"W_enc": random(D, F), "W_dec": random(F, D), "b_enc": random(F), "b_dec": random(D), **more}


def layer_norm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the mean of each row and divide by its unbiased deviation."""
    mean = x.mean(axis=1, keepdims=True)
    spread = x.std(axis=1, ddof=1, keepdims=True) + 1e-5
    return (x - mean) / spread, mean, spread


def top(pre: np.ndarray, k: int) -> np.ndarray:
    """Keep the k highest of each row, none below 0."""
    kept = np.where(pre >= np.sort(pre, axis=1)[:, -k][:, None], pre, 0)
    return np.maximum(kept, 0)


# -- InterPLM ----------------------------------------------------------------------------------------


def trainer(name: str) -> dict[str, object]:
    """What InterPLM's config.yaml says of the trainer, as far as it tells classes apart."""
    if name.startswith("TopK"):
        return {"k": 6, "auxk_alpha": 0.03, "trainer_name": "TopKTrainer"}
    if name.startswith("BatchTopK"):
        return {"k": 6, "auxk_alpha": 0.03, "dead_feature_threshold": 10_000_000}
    if name.startswith("JumpReLU_bdec"):
        return {"bandwidth": 0.001, "apply_b_dec_to_input": True}
    return {"l1_penalty": 0.06}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_case_of_the_reference_is_read_from_a_file(golden: Path, tmp_path: Path, name: str) -> None:
    with np.load(golden / "sae_vectors" / f"{name}.npz") as file:
        case = {key: torch.tensor(file[key]) for key in file.files}
    tensors = {key.removeprefix("w/"): tensor for key, tensor in case.items() if key.startswith("w/")}
    path = saved(tmp_path / "ae.pt", tensors, {"trainer_cfg": trainer(name)}, name="config.yaml")
    loaded = read_sae(str(path))
    torch.testing.assert_close(
        loaded.sae.encode(case["x"]), case["forward_output_features.1"], atol=5e-5, rtol=1e-5
    )
    in_own_units = name.startswith(("TopK_sqrtd1", "JumpReLU"))
    mine = loaded.sae.reconstruct(case["x"]) if in_own_units else loaded.sae.forward(case["x"])
    torch.testing.assert_close(mine, case["forward_output_features.0"], atol=2e-4, rtol=1e-5)
    assert loaded.format == "InterPLM"
    assert loaded.sae.checkpoint_scale is not None
    assert torch.equal(loaded.sae.checkpoint_scale, tensors["activation_rescale_factor"])


def test_topk_and_batchtopk_of_interplm_are_not_guessed(tmp_path: Path) -> None:
    more = {"b_dec": random(D), "k": torch.tensor(6), "threshold": torch.tensor(-1.0)}
    path = saved(tmp_path / "ae.pt", linear(**more, normalize_to_sqrt_d=torch.tensor(False)))
    with pytest.raises(ModelError, match="TopK and BatchTopK have the same tensors; put InterPLM's config"):
        read_sae(str(path))


def test_a_tied_sae_whose_scale_is_baked_in_keeps_both_matrices(tmp_path: Path) -> None:
    encoder = random(F, D)
    tied = saved(
        tmp_path / "a" / "ae.pt",
        linear(**{"decoder.bias": random(D), "encoder.weight": encoder, "decoder.weight": encoder.T}),
    )
    baked = saved(
        tmp_path / "b" / "ae.pt",
        linear(**{"decoder.bias": random(D), "encoder.weight": encoder, "decoder.weight": 2 * encoder.T}),
    )
    assert [read_sae(str(path)).sae.architecture for path in (tied, baked)] == ["relu_tied", "relu"]


def test_the_configuration_that_interplm_writes_is_read_without_its_classes(golden: Path) -> None:
    assert read_sae(str(golden / "interplm_checkpoint" / "ae.pt")).kind == "ReLU"


# -- InterProt and Biohub ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [None, 7])
def test_interprot_normalises_each_residue_and_its_k_is_said_to_be_assumed(
    tmp_path: Path, k: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    t = {**interprot(f=200), "stats_last_nonzero": torch.zeros(200, dtype=torch.long)}
    path = saved(tmp_path / "esm2_plm1280_l24_sae4096.safetensors", t)
    with caplog.at_level(logging.WARNING):
        loaded = read_sae(str(path), k=k)
    z, mean, spread = layer_norm(hidden().double().numpy())
    w = {name: tensor.double().numpy() for name, tensor in t.items()}
    f = top((z - w["b_pre"]) @ w["w_enc"] + w["b_enc"], k or 128)
    np.testing.assert_allclose(loaded.sae.encode(hidden()).numpy(), f, atol=1e-4)
    rebuilt = (f @ w["w_dec"] + w["b_pre"]) * spread + mean
    np.testing.assert_allclose(loaded.sae.reconstruct(hidden()).numpy(), rebuilt, atol=2e-3)
    assert (loaded.sae.k, loaded.sae.input_norm) == (k or 128, "layer_norm")
    assert ("k = 128, InterProt's default" in caplog.text) == (k is None)
    assert bool(loaded.assumed) == (k is None)


@pytest.mark.parametrize("has_max", [True, False])
def test_biohub_s_maximum_is_the_scale_and_its_idf_no_part_of_activations(
    tmp_path: Path, has_max: bool
) -> None:
    t = biohub() if has_max else {**biohub(), "max": torch.ones(F)}
    path = saved(tmp_path / "layer_3.safetensors", t, BIOHUB_CONFIG, name="config.json")
    loaded = read_sae(str(path))
    z, mean, spread = layer_norm(hidden().double().numpy())
    w = {name: tensor.double().numpy() for name, tensor in t.items()}
    f = top((z - w["b_dec"]) @ w["W_enc"], K)
    np.testing.assert_allclose(loaded.sae.encode(hidden()).numpy(), f, atol=1e-4)
    rebuilt = (f @ w["W_dec"] + w["b_dec"]) * spread + mean
    np.testing.assert_allclose(loaded.sae.reconstruct(hidden()).numpy(), rebuilt, atol=2e-3)
    scale = loaded.sae.checkpoint_scale
    assert (scale is not None) == has_max
    assert scale is None or torch.equal(scale, t["max"])
    assert any("idf is left out" in note for note in loaded.notes)


def test_a_pack_of_all_layers_without_statistics_is_read_too(tmp_path: Path) -> None:
    plain = {name: tensor for name, tensor in biohub().items() if name not in ("idf", "max")}
    saved(tmp_path / "layer_3.safetensors", plain, BIOHUB_CONFIG, name="config.json")
    saved(tmp_path / "layer_4.safetensors", {**plain, "b_dec": torch.zeros(D)})
    found = read_sae(str(tmp_path), layer=4)
    assert (found.format, float(found.sae.tensors["bias"].abs().max())) == ("Biohub", 0.0)


# -- dictionary_learning -----------------------------------------------------------------------------


def test_files_of_reticular_are_its_matryoshka_without_a_configuration(tmp_path: Path) -> None:
    more = {"k": torch.tensor(K), "threshold": torch.tensor(0.4), "group_sizes": torch.tensor([8, 12, 20])}
    saved(tmp_path / "3b-l36-matry-k-5-step-300k.ckpt", matrices(**more))
    saved(tmp_path / "3b-l35-matry-k-5-step-300k.ckpt", matrices(**more))
    loaded = read_sae(str(tmp_path), layer=36)
    assert (loaded.format, loaded.kind, loaded.sae.k) == ("dictionary_learning", "MatryoshkaBatchTopKSAE", K)


def test_biases_that_lack_the_factor_of_the_inputs_get_it_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    t = linear(b_dec=random(D), k=torch.tensor(K), threshold=torch.tensor(0.2))
    config = {"trainer": {"dict_class": "BatchTopKSAE", "k": K, "norm_factor": 3.0}}
    path = saved(tmp_path / "trainer_0" / "ae.pt", t, config, name="config.json")
    with caplog.at_level(logging.WARNING):
        sae = load_sae(str(path))
    assert "still lack the factor of the inputs" in caplog.text
    # What was trained on x / 3 fires on x where it fired on x / 3, three times as high.
    x = hidden() / 3
    pre = torch.relu((x - t["b_dec"]) @ t["encoder.weight"].T + t["encoder.bias"])
    f = torch.where(pre > 0.2, pre, 0.0)
    torch.testing.assert_close(sae.encode(hidden()), 3 * f, atol=1e-4, rtol=1e-4)
    output = f @ t["decoder.weight"].T + t["b_dec"]
    torch.testing.assert_close(sae.reconstruct(hidden()), 3 * output, atol=1e-3, rtol=1e-4)


# -- recognition -------------------------------------------------------------------------------------


def test_what_no_format_has_is_listed_beside_what_each_would_need(tmp_path: Path) -> None:
    saved(tmp_path / "ae.pt", {"W": torch.zeros(8, 20)}, {"hidden_size": 8}, name="config.json")
    with pytest.raises(
        ModelError, match=r"not an SAE format that is supported; it holds W \[8, 20\]"
    ) as caught:
        load_sae(str(tmp_path / "ae.pt"))
    text = str(caught.value)
    assert "config.json beside it is of no format" in text
    for name in ("InterPLM", "InterProt", "dictionary_learning", "SAELens", "sparsify", "Biohub"):
        assert f"  {name}: expected " in text


def test_tensors_of_two_formats_are_not_guessed_and_a_configuration_decides(tmp_path: Path) -> None:
    t = matrices(threshold=random(F).abs())
    path = saved(tmp_path / "sae_weights.safetensors", t)
    with pytest.raises(ModelError, match="may be of dictionary_learning or SAELens; put the configuration"):
        load_sae(str(path))
    saved(path, t, {"architecture": "jumprelu", "d_in": D, "d_sae": F})
    assert read_sae(str(path)).format == "SAELens"
    (tmp_path / "cfg.json").unlink()
    saved(path, t, {"trainer": {"dict_class": "JumpReluAutoEncoder"}}, name="config.json")
    assert read_sae(str(path)).format == "dictionary_learning"


def test_a_format_that_cannot_do_without_its_configuration_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "sae_weights.safetensors", matrices())
    with pytest.raises(ModelError, match=r"cfg\.json is missing beside it: it says the architecture"):
        load_sae(str(path))
    coder = {
        "encoder.weight": random(F, D),
        "encoder.bias": random(F),
        "W_dec": random(F, D),
        "b_dec": random(D),
    }
    with pytest.raises(ModelError, match=r"cfg\.json is missing beside it: it says k and the activation"):
        load_sae(str(saved(tmp_path / "b" / "sae.safetensors", coder)))
    bare = {"W_enc": random(D, F), "W_dec": random(F, D), "b_dec": random(D)}
    with pytest.raises(ModelError, match="k is missing; give it with --k"):
        load_sae(str(saved(tmp_path / "c" / "layer_1.safetensors", bare)))
    assert load_sae(str(tmp_path / "c" / "layer_1.safetensors"), k=3).k == 3


# -- bad files ---------------------------------------------------------------------------------------

SAELENS = {"architecture": "standard", "d_in": D, "d_sae": F}


@pytest.mark.parametrize(
    ("tensors", "config", "faults"),
    [
        ({"W_enc": random(D, F)}, {}, ["W_dec is missing", "b_enc is missing", "b_dec is missing"]),
        (matrices(), {"d_in": D + 1, "d_sae": 10**12}, ["d_in in cfg.json is 13", "1,000,000,000,000"]),
        (matrices(), {"architecture": "temporal"}, ["the architecture 'temporal' is not supported"]),
        (matrices(), {"architecture": "topk", "k": F + 1}, [f"k is {F + 1}, expected 1 to {F}"]),
        (matrices(), {"architecture": "topk", "k": 10**30}, ["k is a huge number, expected 1 to"]),
        (matrices(), {"architecture": "topk", "k": "many"}, ["k in cfg.json is 'many', expected a whole"]),
        (matrices(), {"architecture": "topk", "k": 2.5}, ["k in cfg.json is 2.5, expected a whole number"]),
        (matrices(b_enc=torch.full((F,), torch.nan)), {}, [f"b_enc holds values that are not finite ({F}"]),
        (matrices(W_dec=random(D, F)), {}, [f"W_dec has the shape [{D}, {F}], expected [{F}, {D}]"]),
        (matrices(W_enc=torch.zeros(0, F)), {}, ["no encoder of two dimensions"]),
        (matrices(extra=random(3)), {}, ["extra is not a tensor of this format"]),
        (matrices(), {"normalize_activations": "covariance_whitening"}, ["covariance_whitening' is not"]),
        (matrices(), {"reshape_activations": "hook_z"}, ["it reads the heads of an attention"]),
        (matrices(), {"metadata": {"hook_name": "blocks.2.attn.hook_z"}}, ["it reads the heads of"]),
        (matrices(), {"apply_b_dec_to_input": "yes"}, ["apply_b_dec_to_input in cfg.json is 'yes'"]),
        (matrices(scaling_factor=random(F)), {}, ["scaling_factor is not a tensor of this format"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_file_is_named_at_once(
    tmp_path: Path, tensors: dict[str, Tensor], config: dict[str, object], faults: list[str]
) -> None:
    path = saved(tmp_path / "sae_weights.safetensors", tensors, {**SAELENS, **config})
    with pytest.raises(ModelError) as caught:
        load_sae(str(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    for fault in faults:
        assert fault in text


def test_a_tensor_that_lacks_is_named_where_no_configuration_says_the_format(tmp_path: Path) -> None:
    plm = {name: tensor for name, tensor in linear(bias=random(D)).items() if name != "encoder.bias"}
    with pytest.raises(ModelError, match=r"1 fault\n  - encoder\.bias is missing\nexpected encoder\.weight"):
        load_sae(str(saved(tmp_path / "ae.pt", plm)))
    prot = {name: tensor for name, tensor in interprot(f=200).items() if name != "b_pre"}
    with pytest.raises(ModelError, match=r"1 fault\n  - b_pre is missing\nexpected w_enc"):
        load_sae(str(saved(tmp_path / "b.safetensors", prot)))


def test_a_scaling_factor_of_ones_says_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "sae_weights.safetensors", matrices(scaling_factor=torch.ones(F)), SAELENS)
    assert load_sae(str(path)).architecture == "relu"


def test_a_k_that_the_file_contradicts_or_the_architecture_has_not_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "layer_3.safetensors", biohub(), BIOHUB_CONFIG, name="config.json")
    with pytest.raises(ModelError, match="k is 5 in the file, 6 was given; leave --k out"):
        load_sae(str(path), k=6)
    relu = saved(tmp_path / "b" / "ae.pt", linear(bias=random(D)))
    with pytest.raises(ModelError, match="this architecture fixes no number of active features"):
        load_sae(str(relu), k=6)
    with pytest.raises(ModelError, match="identity: k is for files that do not say it"):
        load_sae("identity", d_model=4, k=6)
    few = saved(tmp_path / "c" / "esm2_plm8_l1_sae40.safetensors", interprot())
    with pytest.raises(ModelError, match="k is 128, expected 1 to 40"):
        load_sae(str(few))


def test_what_is_kept_of_a_transposed_format_encodes_to_the_last_bit_alike(tmp_path: Path) -> None:
    sae = load_sae(str(saved(tmp_path / "layer_3.safetensors", biohub(), BIOHUB_CONFIG, name="config.json")))
    save_sae(tmp_path / "saes" / "a", sae, identity=identity_of(sae))
    again = load_sae(str(tmp_path / "saes" / "a"))
    assert torch.equal(again.encode(hidden()), sae.encode(hidden()))
    assert torch.equal(again.reconstruct(hidden()), sae.reconstruct(hidden()))


def test_numbers_of_half_precision_are_read(tmp_path: Path) -> None:
    t = {name: tensor.bfloat16() for name, tensor in linear(bias=random(D)).items()}
    assert load_sae(str(saved(tmp_path / "ae.pt", t))).tensors["bias"].dtype == torch.float32


# -- which file --------------------------------------------------------------------------------------


def test_a_layer_picks_by_the_names_of_each_layout(tmp_path: Path) -> None:
    def folder(name: str, *files: str) -> str:
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).touch()
        return str(tmp_path / name)

    def found(source: str, layer: int | None = None, file: str | None = None) -> str:
        path = find_sae(source, layer=layer, file=file).path
        return path.relative_to(Path(source)).as_posix()

    plm = folder(
        "interplm", "layer_1/ae_normalized.pt", "layer_1/ae_unnormalized.pt", "layer_2/ae_unnormalized.pt"
    )
    assert found(plm, 1) == "layer_1/ae_normalized.pt"
    assert found(plm, 2) == "layer_2/ae_unnormalized.pt"
    assert found(plm, 1, "ae_unnormalized.pt") == "layer_1/ae_unnormalized.pt"
    assert found(plm, None, "layer_2") == "layer_2/ae_unnormalized.pt"
    prot = folder("interprot", "esm2_plm1280_l4_sae4096.safetensors", "esm2_plm1280_l24_sae4096.safetensors")
    assert found(prot, 24) == "esm2_plm1280_l24_sae4096.safetensors"
    hooks = folder(
        "saelens",
        *(f"blocks.{i}.hook_resid_{end}/sae_weights.safetensors" for i in (0, 5) for end in ("pre", "post")),
    )
    assert found(hooks, 6) == "blocks.5.hook_resid_post/sae_weights.safetensors"
    assert found(hooks, 0) == "blocks.0.hook_resid_pre/sae_weights.safetensors"
    coders = folder(
        "sparsify", "layers.3/sae.safetensors", "layers.3.mlp/sae.safetensors", "embed_tokens/sae.safetensors"
    )
    assert found(coders, 4) == "layers.3/sae.safetensors"
    assert found(coders, 0) == "embed_tokens/sae.safetensors"
    runs = folder("dictionary", "resid_post_layer_3/trainer_0/ae.pt", "resid_post_layer_3/trainer_1/ae.pt")
    assert found(runs, 4, "resid_post_layer_3/trainer_1") == "resid_post_layer_3/trainer_1/ae.pt"
    packs = folder("biohub", "layer_1.safetensors", "layer_30.safetensors")
    assert found(packs, 30) == "layer_30.safetensors"
    one = folder("one", "trainer_0/ae.pt")
    assert found(one, 7) == found(one) == "trainer_0/ae.pt"
    for source, layer, text in (
        (plm, None, "several SAEs that fit: .*; give the layer"),
        (plm, 3, "no such file as an SAE of layer 3; there are layers 1, 2"),
        (runs, 4, "several SAEs that fit: .*trainer_1.*; give one with --file"),
        (
            folder("none", "weights.safetensors"),
            1,
            "holds none of ae_normalized.pt.*it holds weights.safetensors",
        ),
    ):
        with pytest.raises(ModelError, match=text):
            find_sae(source, layer=layer)
    with pytest.raises(ModelError, match=r"has no such file or folder as ae\.pt"):
        find_sae(plm, layer=1, file="ae.pt")
