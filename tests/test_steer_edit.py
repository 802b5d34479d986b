"""The edit on tensors: its formula, its length, and that no change is no change, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from interplm_wh.plm import load_plm
from interplm_wh.plm.base import PLM
from interplm_wh.sae.base import FACTOR, SAE
from interplm_wh.sae.identity import IdentitySAE
from interplm_wh.sae.options import INPUT_NORMS, InputNorm
from interplm_wh.sae.registry import ARCHITECTURES
from interplm_wh.steer.copies import Copies
from interplm_wh.steer.edit import Edit, How, put, unit_directions
from tests.plm_folders import make_esmc
from tests.test_sae_architectures import hidden, random_sae
from tests.tiny_models import make_plm, sequence

CASES = [
    (a, norm) for a in sorted(ARCHITECTURES) for norm in INPUT_NORMS if a != "identity" or norm == "none"
]
FEATURES = (1, 7, 3)
SCALES = (2.0, 0.5, 1.5)


def scale_of(sae: SAE, x: np.ndarray) -> np.ndarray:
    """What an SAE multiplies each row by, written out: [n, 1]."""
    n, d = x.shape
    if sae.input_norm == "sqrt_d":
        return np.sqrt(d) / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-8)
    if sae.input_norm == "layer_norm":
        return 1 / (x.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    if sae.input_norm == "unit_mean_norm":
        return np.full((n, 1), float(sae.tensors[FACTOR]))
    return np.ones((n, 1))


def decoder_rows(sae: SAE) -> np.ndarray:
    """W_dec from what the SAE decodes of one feature and of none, [F, d]."""
    one = sae.decode(torch.eye(sae.n_features)) - sae.decode(torch.zeros(1, sae.n_features))
    return one.double().numpy()


@pytest.mark.parametrize("how", ["clamp", "scale"])
@pytest.mark.parametrize(("architecture", "input_norm"), CASES)
def test_x_moves_by_what_the_features_write_in_the_units_of_the_token(
    architecture: str, input_norm: InputNorm, how: How
) -> None:
    sae, x = random_sae(architecture, input_norm=input_norm), hidden()
    found = Edit(sae, FEATURES, SCALES, how, 1.75).change(x)
    f = sae.encode(x).double().numpy()[:, FEATURES]
    wanted = 1.75 * np.array(SCALES) if how == "clamp" else 1.75 * f
    step = wanted - f
    expected = step @ decoder_rows(sae)[list(FEATURES)] / scale_of(sae, x.double().numpy())
    np.testing.assert_allclose(found.delta.numpy(), expected, atol=2e-5, rtol=1e-4)
    assert (found.is_changed.numpy() == (np.abs(step) > 0).any(axis=1)).all()
    assert ((found.sign.numpy() < 0) == (step.sum(axis=1) < -1e-6)).mean() == 1
    moved = found.apply(x)
    np.testing.assert_allclose(
        (moved - x).numpy(), np.where(found.is_changed[:, None], expected, 0), atol=3e-5
    )


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_few_features_are_read_as_all_are(architecture: str) -> None:
    sae, x = random_sae(architecture), hidden(n=200)
    found = sae.encode_few(x, FEATURES)
    torch.testing.assert_close(found, sae.encode(x)[:, FEATURES], atol=1e-5, rtol=1e-5)
    assert (found > 0).any(dim=0).all()


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_what_a_feature_writes_is_its_column_of_the_decoder(architecture: str) -> None:
    sae = random_sae(architecture)
    chosen = torch.arange(sae.n_features)
    np.testing.assert_allclose(sae.directions(chosen).numpy(), decoder_rows(sae), atol=2e-6)
    np.testing.assert_allclose(sae.directions(chosen).norm(dim=1), sae.decoder_norm, rtol=1e-6)


def test_no_feature_is_selected_anew() -> None:
    sae, x = random_sae("topk"), hidden()
    before = sae.encode(x)
    idle = int((before == 0).all(dim=0).nonzero()[0]) if bool((before == 0).all(dim=0).any()) else 1
    found = Edit(sae, (idle,), (5.0,), "clamp", 1.0).change(x)
    step = 5.0 - before[:, [idle]]
    torch.testing.assert_close(found.delta, step @ sae.directions(torch.tensor([idle])), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("input_norm", INPUT_NORMS)
def test_controls_move_every_token_as_far_along_another_direction(input_norm: InputNorm) -> None:
    sae, x = random_sae("relu", input_norm=input_norm), hidden()
    for dose in (0.0, 0.5, 3.0):
        change = Edit(sae, FEATURES, SCALES, "clamp", dose).change(x)
        for unit in unit_directions(sae, [0, 5, 11], device=x.device):
            control = change.along(unit)
            torch.testing.assert_close(control.norms, change.norms, rtol=1e-5, atol=1e-6)
            along = control.delta @ unit
            torch.testing.assert_close(along, change.sign * change.norms, rtol=1e-5, atol=1e-5)
            assert torch.equal(control.is_changed, change.is_changed)


def test_states_without_a_change_are_the_same_object_and_zeros_keep_their_sign() -> None:
    sae, states = random_sae("relu"), hidden(n=6).reshape(2, 3, -1).clone()
    states[0, 0, 0] = -0.0
    touched = torch.tensor([[True, False, True], [False, True, False]])
    x = states[touched]
    same = Edit(sae, FEATURES, SCALES, "scale", 1.0).change(x)
    assert put(states, touched, same) is states
    other = Edit(sae, FEATURES, SCALES, "clamp", 2.0).change(x)
    moved = put(states, touched, other)
    assert torch.equal(moved[~touched], states[~touched])
    assert not torch.equal(moved[touched], states[touched])
    assert bool(torch.signbit(same.apply(x)[0, 0]))


KINDS: dict[str, Callable[[Path], Path]] = {"esm2": make_plm, "esmc": make_esmc}


@pytest.fixture(scope="module", params=sorted(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp(request.param) / "plm")


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def plm(folder: Path, request: pytest.FixtureRequest) -> PLM:
    return load_plm(str(folder), device="cpu", dtype=request.param)


def edits_of_nothing(plm: PLM, layer: int, text: str) -> list[Edit]:
    """Edits that set features to what they are: neurons scaled by 1, and one that is never active at 0."""
    neurons = IdentitySAE.of_width(plm.d_model)
    generator = torch.Generator().manual_seed(0)
    states = torch.cat([plm.embed(text, layer), torch.randn(4, plm.d_model, generator=generator)])
    silent = random_sae("relu")
    silent.d_model = plm.d_model
    silent.tensors = {
        "bias": torch.zeros(plm.d_model),
        "encoder.weight": torch.randn(40, plm.d_model, generator=generator),
        "encoder.bias": torch.full((40,), -1e6),
        "decoder.weight": torch.randn(plm.d_model, 40, generator=generator),
    }
    assert float(silent.encode(states).max()) == 0
    return [
        Edit(neurons, (0, 3, plm.d_model + 1), (1.0, 1.0, 1.0), "scale", 1.0),
        Edit(silent, (2,), (7.0,), "clamp", 0.0),
        Edit(silent, (2, 3), (7.0, 1.0), "scale", 12.0),
    ]


def test_no_change_is_bit_identical_at_every_layer_masked_and_not(plm: PLM) -> None:
    texts = [sequence(20)] * 3
    tokens = plm.tokens(texts)
    masked = torch.zeros_like(tokens.is_residue)
    masked[0, 3] = masked[1, 9] = masked[2, 17] = True
    for mask in (None, masked):
        plain = plm.predict(texts, masked=mask).logits
        for layer in range(plm.n_layers + 1):
            for edit in edits_of_nothing(plm, layer, texts[0]):
                found = plm.predict(texts, masked=mask, layer=layer, patch=edit.patch(tokens.is_residue))
                assert torch.equal(found.logits, plain), (layer, edit.how)
            moving = Edit(IdentitySAE.of_width(plm.d_model), (0,), (1.0,), "clamp", 5.0)
            found = plm.predict(texts, masked=mask, layer=layer, patch=moving.patch(tokens.is_residue))
            assert not torch.equal(found.logits, plain)


def test_no_change_is_bit_identical_on_real_weights(shared: Path) -> None:
    plm = load_plm(str(shared / "models" / "esm_small_real"), device="cpu")
    texts = [sequence(40), sequence(40, 1)]
    is_residue = plm.tokens(texts).is_residue
    plain = plm.predict(texts).logits
    for layer in range(plm.n_layers + 1):
        edit = edits_of_nothing(plm, layer, texts[0])[0]
        assert torch.equal(plm.predict(texts, layer=layer, patch=edit.patch(is_residue)).logits, plain)


def test_a_look_sees_the_patched_state_and_changes_nothing(plm: PLM) -> None:
    text = sequence(15)
    seen: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[Tensor], None]:
        return lambda states: seen.update({layer: states})

    every = {layer: keep(layer) for layer in range(plm.n_layers + 1)}
    plain = plm.predict([text]).logits
    assert torch.equal(plm.predict([text], looks=every).logits, plain)
    first = {layer: states.clone() for layer, states in seen.items()}
    assert all(states.dtype == torch.float32 for states in first.values())
    plm.predict([text], layer=1, patch=lambda states, _: states + 1, looks=every)
    assert torch.equal(seen[0], first[0])
    assert torch.allclose(seen[1], first[1] + 1, atol=0.05)
    assert not torch.equal(seen[2], first[2])


def test_masked_copies_read_what_single_passes_with_one_mask_say(folder: Path) -> None:
    plm = load_plm(str(folder), device="cpu")
    text = sequence(12)
    copies = Copies.masking(plm, text, [2, 5, 12], layer=1, touched=[5])
    found, x = copies.plain()
    assert x.shape == (3, plm.d_model)
    for row, position in zip(found, (2, 5, 12), strict=True):
        tokens = plm.tokens([text])
        masked = torch.zeros_like(tokens.is_residue)
        masked[0, tokens.is_residue[0].nonzero()[position - 1]] = True
        alone = plm.predict([text], masked=masked).logits[0][masked[0]]
        expected = torch.log_softmax(alone.double(), dim=1)[0]
        np.testing.assert_allclose(row, expected, atol=1e-5)
    whole, x = Copies.seeing(plm, text, range(1, 13), layer=1, touched=[5, 6]).plain()
    said = plm.predict([text])
    np.testing.assert_allclose(
        whole, torch.log_softmax(said.logits[0][said.is_residue[0]].double(), dim=1), atol=1e-12
    )
    torch.testing.assert_close(x, plm.embed(text, 1)[[4, 5]], atol=1e-5, rtol=1e-5)
