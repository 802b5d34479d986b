"""What ESM-C predicts, whole and with a hidden state replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, EsmcForMaskedLM, EsmcModel

from interplm_wh.errors import MismatchError, ModelError
from interplm_wh.plm import load_plm
from interplm_wh.plm.esmc import Esmc
from tests.plm_folders import make_esmc
from tests.tiny_models import sequence

TEXTS = [sequence(20), sequence(33, 1), sequence(7, 2)]
MASK, LAYERS = 32, [0, 1, 2, 3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_esmc(tmp_path_factory.mktemp("plm") / "tiny")


@pytest.fixture(scope="module")
def plm(folder: Path) -> Esmc:
    found = load_plm(str(folder), device="cpu")
    assert isinstance(found, Esmc)
    return found


@pytest.fixture(scope="module")
def oracle(folder: Path) -> EsmcForMaskedLM:
    return EsmcForMaskedLM.from_pretrained(folder).eval()


@torch.inference_mode()
def test_logits_are_those_of_the_whole_model_with_its_own_tokeniser(
    plm: Esmc, oracle: EsmcForMaskedLM, folder: Path
) -> None:
    found = plm.predict(TEXTS)
    batch = AutoTokenizer.from_pretrained(folder)(TEXTS, return_tensors="pt", padding=True)
    assert torch.equal(found.ids, batch["input_ids"])
    assert torch.equal(found.is_residue.sum(dim=1), torch.tensor([20, 33, 7]))
    assert (found.logits.dtype, found.logits.shape) == (torch.float32, (3, 35, 64))
    assert torch.equal(found.logits, oracle(**batch).logits)
    for i, text in enumerate(TEXTS):
        ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")["input_ids"]
        alone = oracle(ids).logits[0]
        torch.testing.assert_close(found.logits[i, : len(text) + 2], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_masked_tokens_are_read_as_the_mask_and_kept_as_the_truth(plm: Esmc, oracle: EsmcForMaskedLM) -> None:
    tokens = plm.tokens(TEXTS)
    masked = torch.zeros_like(tokens.is_residue)
    masked[0, 3] = masked[1, 30] = masked[2, 1] = True
    found = plm.predict(TEXTS, masked=masked)
    assert torch.equal(found.ids, tokens.ids)
    expected = oracle(tokens.ids.masked_fill(masked, MASK), attention_mask=(~tokens.is_padding).long()).logits
    assert torch.equal(found.logits, expected)
    assert not torch.equal(found.logits, plm.predict(TEXTS).logits)


@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_patch_sees_is_the_hidden_state_of_that_index(plm: Esmc, layer: int) -> None:
    seen: list[Tensor] = []

    def look(states: Tensor, is_residue: Tensor) -> Tensor:
        seen.append(states[is_residue])
        return states

    assert torch.equal(plm.predict(TEXTS, layer=layer, patch=look).logits, plm.predict(TEXTS).logits)
    hidden = torch.cat([plm.embed(text, layer) for text in TEXTS])
    torch.testing.assert_close(seen[0], hidden, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("layer", LAYERS)
def test_what_replaces_a_state_is_what_the_rest_of_the_model_reads(
    plm: Esmc, oracle: EsmcForMaskedLM, layer: int
) -> None:
    text = TEXTS[1]
    fresh = torch.randn(1, len(text) + 2, plm.d_model, generator=torch.Generator().manual_seed(0))
    found = plm.predict([text], layer=layer, patch=lambda _states, _is_residue: fresh).logits
    # by hand: the remaining layers, one after the other, then norm and head
    model = oracle.esmc
    positions = model.rotary_emb(fresh, torch.arange(fresh.shape[1])[None])
    state = fresh
    for block in model.layers[layer:]:
        state = block(state, None, position_embeddings=positions)
    state = model.norm(state) if layer < len(model.layers) else state
    torch.testing.assert_close(found, oracle.lm_head(state), atol=1e-5, rtol=1e-5)


def test_a_folder_without_the_head_gives_hidden_states_but_no_predictions(
    folder: Path, plm: Esmc, tmp_path: Path
) -> None:
    EsmcModel.from_pretrained(folder).save_pretrained(tmp_path / "bare")
    headless = load_plm(str(tmp_path / "bare"), device="cpu")  # its vocabulary is that of every ESM-C
    assert torch.equal(headless.embed(TEXTS[0], 3), plm.embed(TEXTS[0], 3))
    with pytest.raises(ModelError, match=r"head is missing from the weights.*--skip-fidelity"):
        headless.predict(TEXTS)


def test_a_patch_sees_float32_and_a_window_is_not_passed(folder: Path) -> None:
    plm = load_plm(str(folder), device="cpu", dtype="bfloat16")
    seen: list[torch.dtype] = []

    def look(states: Tensor, _is_residue: Tensor) -> Tensor:
        seen.append(states.dtype)
        return states

    assert torch.equal(plm.predict(TEXTS, layer=2, patch=look).logits, plm.predict(TEXTS).logits)
    assert seen == [torch.float32]
    with pytest.raises(MismatchError, match="at most 60 residues at once, not 61"):
        plm.predict([sequence(61)])


def test_the_window_is_what_the_configuration_leaves_for_residues(tmp_path: Path) -> None:
    assert load_plm(str(make_esmc(tmp_path / "a", window=11)), device="cpu").window == 11
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(ModelError, match="leaves 1 positions for residues"):
        load_plm(str(make_esmc(tmp_path / "a", window=1)), device="cpu")
