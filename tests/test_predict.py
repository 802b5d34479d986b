"""What a masked-token head predicts, whole and with a hidden state replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import make_plm, sequence
from torch import Tensor
from transformers import EsmForMaskedLM, EsmModel

from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.plm import load_plm
from interplm_wh.plm.base import PLM
from interplm_wh.plm.esm2 import Esm2

TEXTS = [sequence(20), sequence(33, 1), sequence(7, 2)]
MASK = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("plm") / "tiny")


@pytest.fixture(scope="module")
def plm(folder: Path) -> Esm2:
    found = load_plm(str(folder), device="cpu")
    assert isinstance(found, Esm2)
    return found


@pytest.fixture(scope="module")
def oracle(folder: Path) -> EsmForMaskedLM:
    return EsmForMaskedLM.from_pretrained(folder).eval()


def keep(states: Tensor, _is_residue: Tensor) -> Tensor:
    return states


def test_tokens_say_what_is_a_residue_and_what_is_padding(plm: Esm2) -> None:
    tokens = plm.tokens(TEXTS)
    assert tokens.ids.shape == (3, 35)
    assert tokens.is_residue.sum(dim=1).tolist() == [20, 33, 7]
    assert tokens.is_padding.sum(dim=1).tolist() == [13, 0, 26]
    assert not tokens.is_residue[:, 0].any() and tokens.is_residue[:, 1].all()
    assert int((~tokens.is_residue & ~tokens.is_padding).sum()) == 2 * 3


@torch.inference_mode()
def test_logits_are_those_of_the_whole_model_with_its_head(plm: Esm2, oracle: EsmForMaskedLM) -> None:
    found = plm.predict(TEXTS)
    tokens = plm.tokens(TEXTS)
    assert torch.equal(found.ids, tokens.ids)
    assert found.logits.dtype == torch.float32
    mask = (~tokens.is_padding).long()
    assert torch.equal(found.logits, oracle(tokens.ids, attention_mask=mask).logits)


@torch.inference_mode()
def test_masked_tokens_are_read_as_the_mask_and_kept_as_the_truth(plm: Esm2, oracle: EsmForMaskedLM) -> None:
    tokens = plm.tokens(TEXTS)
    masked = torch.zeros_like(tokens.is_residue)
    masked[0, 3] = masked[1, 30] = masked[2, 1] = True
    found = plm.predict(TEXTS, masked=masked)
    assert torch.equal(found.ids, tokens.ids)
    expected = oracle(tokens.ids.masked_fill(masked, MASK), attention_mask=(~tokens.is_padding).long()).logits
    assert torch.equal(found.logits, expected)
    assert not torch.equal(found.logits, plm.predict(TEXTS).logits)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_replacing_a_state_by_itself_changes_nothing(plm: Esm2, layer: int) -> None:
    seen: list[Tensor] = []

    def look(states: Tensor, is_residue: Tensor) -> Tensor:
        seen.append(states[is_residue])
        return states

    assert torch.equal(plm.predict(TEXTS, layer=layer, patch=look).logits, plm.predict(TEXTS).logits)
    # what the patch sees is the hidden state of that index
    hidden = torch.cat([plm.embed(text, layer) for text in TEXTS])
    torch.testing.assert_close(seen[0], hidden, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_replaces_a_state_is_what_the_rest_of_the_model_reads(
    plm: Esm2, oracle: EsmForMaskedLM, layer: int
) -> None:
    text = TEXTS[1]
    fresh = torch.randn(1, len(text) + 2, plm.d_model, generator=torch.Generator().manual_seed(0))
    found = plm.predict([text], layer=layer, patch=lambda _states, _is_residue: fresh).logits
    # by hand: the remaining layers, one after the other, then norm and head
    encoder = oracle.esm.encoder
    positions = oracle.esm.rotary_embeddings(fresh, torch.arange(fresh.shape[1])[None])
    state = fresh
    for block in encoder.layer[layer:]:
        state = block(state, position_embeddings=positions)
    state = encoder.emb_layer_norm_after(state) if layer < 2 else state
    torch.testing.assert_close(found, oracle.lm_head(state), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_zero_at_the_last_layer_leaves_what_the_head_says_of_nothing(
    plm: Esm2, oracle: EsmForMaskedLM
) -> None:
    found = plm.predict(TEXTS, layer=2, patch=lambda states, _is_residue: torch.zeros_like(states)).logits
    expected = oracle.lm_head(torch.zeros(1, plm.d_model))
    torch.testing.assert_close(found, expected.expand_as(found))


def test_special_tokens_stay_where_a_patch_leaves_them(plm: Esm2) -> None:
    def ablate(states: Tensor, is_residue: Tensor) -> Tensor:
        return states.masked_fill(is_residue[..., None], 0.0)

    whole = plm.predict(TEXTS)
    found = plm.predict(TEXTS, layer=2, patch=ablate)
    special = ~whole.is_residue & ~plm.tokens(TEXTS).is_padding
    assert torch.equal(found.logits[special], whole.logits[special])
    assert not torch.isclose(found.logits[whole.is_residue], whole.logits[whole.is_residue]).all()


def test_hooks_are_gone_after_an_error_in_a_patch(plm: Esm2) -> None:
    before = plm.predict(TEXTS).logits
    with pytest.raises(MismatchError, match="one state per token"):
        plm.predict(TEXTS, layer=1, patch=lambda states, _is_residue: states[:, 1:])
    assert torch.equal(plm.predict(TEXTS).logits, before)


def test_a_patch_sees_float32_whatever_the_format_of_the_weights(folder: Path) -> None:
    plm = load_plm(str(folder), device="cpu", dtype="bfloat16")
    seen: list[torch.dtype] = []

    def look(states: Tensor, _is_residue: Tensor) -> Tensor:
        seen.append(states.dtype)
        return states

    found = plm.predict(TEXTS, layer=1, patch=look).logits
    assert (seen, found.dtype) == ([torch.float32], torch.float32)
    assert torch.equal(found, plm.predict(TEXTS).logits)


def test_what_cannot_be_predicted_is_refused(plm: Esm2) -> None:
    with pytest.raises(MismatchError, match="at most 60 residues at once, not 61"):
        plm.predict([sequence(61)])
    with pytest.raises(MismatchError, match="give both"):
        plm.predict(TEXTS, layer=1)
    with pytest.raises(MismatchError, match=r"hidden states 0 to 2, not \[3\]"):
        plm.predict(TEXTS, layer=3, patch=keep)
    with pytest.raises(MismatchError, match=r"masked has shape \(3, 34\)"):
        plm.predict(TEXTS, masked=torch.zeros(3, 34, dtype=torch.bool))
    with pytest.raises(InputError, match="sequence 2: unknown letter"):
        plm.predict(["MKT", "MK*"])


def test_a_folder_without_the_head_gives_hidden_states_but_no_predictions(
    folder: Path, plm: Esm2, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    EsmModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(bare)
    stripped = shutil.copytree(folder, tmp_path / "stripped")
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("lm_head.")}
    save_file(kept, stripped / "model.safetensors", metadata={"format": "pt"})
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(folder / name, bare)
    for path in (bare, stripped):
        headless = load_plm(str(path), device="cpu")
        assert torch.equal(headless.embed(TEXTS[0], 2), plm.embed(TEXTS[0], 2))
        with pytest.raises(ModelError, match=r"head is missing from the weights.*--skip-fidelity"):
            headless.predict(TEXTS)


def test_a_plm_that_brings_no_head_says_so(plm: Esm2) -> None:
    for call in (PLM.predict, PLM.tokens):
        with pytest.raises(ModelError, match=r"has no masked-token head.*--skip-fidelity"):
            call(plm, TEXTS)
    with pytest.raises(ModelError, match="has no masked-token head"):
        PLM.require_head(plm)


def test_the_reference_model_loads_with_its_head(golden: Path) -> None:
    load_plm(str(golden / "tiny_esm"), device="cpu").require_head()
