"""The page that shows how to add a model: its file loads the model that it says it loads."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from interplm_wh.errors import ModelError
from interplm_wh.plm import load_plm, registry
from interplm_wh.plm.encoder import HeadedEncoder
from tests.tiny_models import sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"LAGVESIKRDTPNQFYMHCWXUBZO"]
"""ProtBert's, in its order."""


@pytest.fixture(scope="module")
def protbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ProtBert as published."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "prot_bert"
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=42,
        initializer_range=0.3,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    return folder


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file on the page, registered as its second block says."""
    text = PAGE.read_text(encoding="utf-8")
    code, line = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    path = tmp_path / "protbert.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("protbert", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (entry,) = re.findall(r'"(\w+)": (\w+),', line)
    monkeypatch.setitem(registry.MODELS, entry[0], getattr(module, entry[1]))
    return str(code)


def test_the_file_has_about_50_lines(shown: str) -> None:
    assert len(shown.splitlines()) <= 60


@torch.inference_mode()
def test_the_model_on_the_page_works_when_its_line_is_in_the_registry(shown: str, protbert: Path) -> None:
    plm = load_plm(str(protbert), device="cpu")
    assert isinstance(plm, HeadedEncoder)
    assert (plm.n_layers, plm.d_model, plm.window) == (3, 16, 40)
    texts = [sequence(30), sequence(9, 1), "MKUXT"]
    whole = BertForMaskedLM.from_pretrained(protbert).eval()
    together = plm.hidden_states(texts, [0, 1, 2, 3])
    logits = plm.predict(texts)
    for i, text in enumerate(texts):
        letters = [VOCABULARY.index("X" if letter in "UZOB" else letter) for letter in text]
        ids = torch.tensor([[2, *letters, 3]])
        out = whole(ids, output_hidden_states=True)
        for layer in range(4):
            expected = out.hidden_states[layer][0, 1:-1]
            torch.testing.assert_close(together.of(i, layer), expected, atol=2e-5, rtol=2e-5)
        found = logits.logits[i, : len(text) + 2]
        torch.testing.assert_close(found, out.logits[0], atol=2e-5, rtol=2e-5)
    zeroed = plm.predict(texts, layer=3, patch=lambda states, _is_residue: torch.zeros_like(states)).logits
    torch.testing.assert_close(zeroed, whole.cls(torch.zeros(1, 16)).expand_as(zeroed))


def test_without_its_line_the_model_is_not_supported(protbert: Path) -> None:
    with pytest.raises(ModelError, match="'bert' are not supported"):
        load_plm(str(protbert), device="cpu")


def test_the_page_names_every_family() -> None:
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \| `", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {kind for _, kind in rows} == set(registry.MODELS)
    for title, kind in rows:
        assert registry.MODELS[kind].title.startswith(title)
