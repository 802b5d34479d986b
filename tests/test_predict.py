"""What a masked-token head predicts, whole and with a hidden state replaced, for every kind that has one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer, EsmcForMaskedLM, EsmcModel, EsmForMaskedLM, EsmModel

from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.plm import load_plm
from interplm_wh.plm.base import PLM
from tests.plm_folders import make_esmc
from tests.tiny_models import make_plm, sequence

TEXTS = [sequence(20), sequence(33, 1), sequence(7, 2)]
MASK = 32


def esm2_from(oracle: Any, state: Tensor, layer: int) -> Tensor:
    """Run the layers from `layer` on, one after the other, then norm and head, by hand."""
    encoder = oracle.esm.encoder
    positions = oracle.esm.rotary_embeddings(state, torch.arange(state.shape[1])[None])
    for block in encoder.layer[layer:]:
        state = block(state, position_embeddings=positions)
    state = encoder.emb_layer_norm_after(state) if layer < len(encoder.layer) else state
    return oracle.lm_head(state)


def esmc_from(oracle: Any, state: Tensor, layer: int) -> Tensor:
    """Run the layers from `layer` on, as `esm2_from`."""
    model = oracle.esmc
    positions = model.rotary_emb(state, torch.arange(state.shape[1])[None])
    for block in model.layers[layer:]:
        state = block(state, None, position_embeddings=positions)
    state = model.norm(state) if layer < len(model.layers) else state
    return oracle.lm_head(state)


def bare_esm2(folder: Path, bare: Path) -> None:
    EsmModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(bare)
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(folder / name, bare)


def bare_esmc(folder: Path, bare: Path) -> None:
    EsmcModel.from_pretrained(folder).save_pretrained(bare)  # its vocabulary is that of every ESM-C


@dataclass(frozen=True)
class Kind:
    """A kind of PLM: its folder, the whole model of its own package, and that model's parts by hand."""

    make: Callable[[Path], Path]
    whole: Any
    rest: Callable[[Any, Tensor, int], Tensor]
    bare: Callable[[Path, Path], None]
    last: int


KINDS = {
    "esm2": Kind(make_plm, EsmForMaskedLM, esm2_from, bare_esm2, last=2),
    "esmc": Kind(make_esmc, EsmcForMaskedLM, esmc_from, bare_esmc, last=3),
}


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def kind(name: str) -> Kind:
    return KINDS[name]


@pytest.fixture(scope="module")
def folder(kind: Kind, name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kind.make(tmp_path_factory.mktemp(name) / "tiny")


@pytest.fixture(scope="module")
def plm(folder: Path) -> PLM:
    return load_plm(str(folder), device="cpu")


@pytest.fixture(scope="module")
def oracle(kind: Kind, folder: Path) -> Any:
    return kind.whole.from_pretrained(folder).eval()


def keep(states: Tensor, _is_residue: Tensor) -> Tensor:
    return states


def test_tokens_say_what_is_a_residue_and_what_is_padding(plm: PLM) -> None:
    tokens = plm.tokens(TEXTS)
    assert tokens.ids.shape == (3, 35)
    assert tokens.is_residue.sum(dim=1).tolist() == [20, 33, 7]
    assert tokens.is_padding.sum(dim=1).tolist() == [13, 0, 26]
    assert not tokens.is_residue[:, 0].any() and tokens.is_residue[:, 1].all()
    assert int((~tokens.is_residue & ~tokens.is_padding).sum()) == 2 * 3


@torch.inference_mode()
def test_logits_are_those_of_the_whole_model_with_its_own_tokeniser(
    plm: PLM, oracle: Any, folder: Path
) -> None:
    found = plm.predict(TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
    assert torch.equal(found.ids, batch["input_ids"])
    assert (found.logits.dtype, found.logits.shape[:2]) == (torch.float32, (3, 35))
    expected = oracle(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert torch.equal(found.logits, expected)
    for i, text in enumerate(TEXTS):
        alone = oracle(tokenizer(text, return_tensors="pt")["input_ids"]).logits[0]
        torch.testing.assert_close(found.logits[i, : len(text) + 2], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_masked_tokens_are_read_as_the_mask_and_kept_as_the_truth(plm: PLM, oracle: Any) -> None:
    tokens = plm.tokens(TEXTS)
    masked = torch.zeros_like(tokens.is_residue)
    masked[0, 3] = masked[1, 30] = masked[2, 1] = True
    found = plm.predict(TEXTS, masked=masked)
    assert torch.equal(found.ids, tokens.ids)
    expected = oracle(tokens.ids.masked_fill(masked, MASK), attention_mask=(~tokens.is_padding).long()).logits
    assert torch.equal(found.logits, expected)
    assert not torch.equal(found.logits, plm.predict(TEXTS).logits)


def test_what_a_patch_sees_is_the_hidden_state_of_that_index(plm: PLM, kind: Kind) -> None:
    seen: list[Tensor] = []

    def look(states: Tensor, is_residue: Tensor) -> Tensor:
        seen.append(states[is_residue])
        return states

    whole = plm.predict(TEXTS).logits
    for layer in range(kind.last + 1):  # replacing a state by itself changes nothing
        assert torch.equal(plm.predict(TEXTS, layer=layer, patch=look).logits, whole)
        hidden = torch.cat([plm.embed(text, layer) for text in TEXTS])
        torch.testing.assert_close(seen[layer], hidden, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_what_replaces_a_state_is_what_the_rest_of_the_model_reads(plm: PLM, oracle: Any, kind: Kind) -> None:
    text = TEXTS[1]
    fresh = torch.randn(1, len(text) + 2, plm.d_model, generator=torch.Generator().manual_seed(0))
    for layer in range(kind.last + 1):
        found = plm.predict([text], layer=layer, patch=lambda _states, _is_residue: fresh).logits
        torch.testing.assert_close(found, kind.rest(oracle, fresh, layer), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_zero_at_the_last_layer_leaves_what_the_head_says_of_nothing(
    plm: PLM, oracle: Any, kind: Kind
) -> None:
    found = plm.predict(TEXTS, layer=kind.last, patch=lambda states, _is_residue: torch.zeros_like(states))
    expected = oracle.lm_head(torch.zeros(1, plm.d_model))
    torch.testing.assert_close(found.logits, expected.expand_as(found.logits))


def test_special_tokens_stay_where_a_patch_leaves_them(plm: PLM, kind: Kind) -> None:
    def ablate(states: Tensor, is_residue: Tensor) -> Tensor:
        return states.masked_fill(is_residue[..., None], 0.0)

    whole = plm.predict(TEXTS)
    found = plm.predict(TEXTS, layer=kind.last, patch=ablate)
    special = ~whole.is_residue & ~plm.tokens(TEXTS).is_padding
    assert torch.equal(found.logits[special], whole.logits[special])
    assert not torch.isclose(found.logits[whole.is_residue], whole.logits[whole.is_residue]).all()


def test_hooks_are_gone_after_an_error_in_a_patch(plm: PLM) -> None:
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


def test_what_cannot_be_predicted_is_refused(plm: PLM, kind: Kind) -> None:
    with pytest.raises(MismatchError, match="at most 60 residues at once, not 61"):
        plm.predict([sequence(61)])
    with pytest.raises(MismatchError, match="give both"):
        plm.predict(TEXTS, layer=1)
    beyond = kind.last + 1
    with pytest.raises(MismatchError, match=rf"hidden states 0 to {kind.last}, not \[{beyond}\]"):
        plm.predict(TEXTS, layer=beyond, patch=keep)
    with pytest.raises(MismatchError, match=r"masked has shape \(3, 34\)"):
        plm.predict(TEXTS, masked=torch.zeros(3, 34, dtype=torch.bool))
    with pytest.raises(InputError, match="sequence 2: unknown letter"):
        plm.predict(["MKT", "MK*"])


def test_a_folder_without_the_head_gives_hidden_states_but_no_predictions(
    folder: Path, plm: PLM, kind: Kind, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    kind.bare(folder, bare)
    stripped = shutil.copytree(folder, tmp_path / "stripped")
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("lm_head.")}
    assert len(kept) < len(weights)
    save_file(kept, stripped / "model.safetensors", metadata={"format": "pt"})
    for path in (bare, stripped):
        headless = load_plm(str(path), device="cpu")
        assert torch.equal(headless.embed(TEXTS[0], kind.last), plm.embed(TEXTS[0], kind.last))
        with pytest.raises(ModelError, match=r"head is missing from the weights.*--skip-fidelity"):
            headless.predict(TEXTS)


def test_a_plm_that_brings_no_head_says_so(plm: PLM) -> None:
    for call in (PLM.predict, PLM.tokens):
        with pytest.raises(ModelError, match=r"has no masked-token head.*--skip-fidelity"):
            call(plm, TEXTS)
    with pytest.raises(ModelError, match="has no masked-token head"):
        PLM.require_head(plm)


def test_the_reference_model_loads_with_its_head(golden: Path) -> None:
    load_plm(str(golden / "tiny_esm"), device="cpu").require_head()


def test_the_window_of_esmc_is_what_the_configuration_leaves_for_residues(tmp_path: Path) -> None:
    assert load_plm(str(make_esmc(tmp_path / "a", window=11)), device="cpu").window == 11
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(ModelError, match="leaves 1 positions for residues"):
        load_plm(str(make_esmc(tmp_path / "a", window=1)), device="cpu")
