"""Every kind of protein language model: the residue at each position, hidden states, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, EsmcModel, EsmForMaskedLM, EsmModel, T5EncoderModel

from interplm_wh import store
from interplm_wh.encode import encode
from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.plm.encoder import Encoder
from interplm_wh.plm.windows import windows
from interplm_wh.sae import add_sae
from tests.plm_folders import (
    T5_LETTERS,
    make_ankh,
    make_esmc,
    make_prott5,
    sentencepiece_model,
    write_ankh_vocabulary,
)
from tests.tiny_models import VOCABULARY, make_plm, sequence, some_proteins, write_fasta

PROST_TOKENS = json.dumps({"a": 128, "<fold2AA>": 148, "<AA2fold>": 149})
ESM_IDS = {token: i for i, token in enumerate(VOCABULARY)}
"""ESM-2's and ESM-C's letters have the same ids."""
T5_IDS = {letter: i for i, letter in enumerate(T5_LETTERS, start=3)}


@dataclass(frozen=True)
class Case:
    """A kind of model; `ids` are written down here, not read from its vocabulary.

    `scale` is what the model multiplies its embedding with.
    """

    make: Callable[[Path], Path]
    reference: Any
    ids: dict[str, int]
    before: tuple[int, ...]
    after: tuple[int, ...]
    window: int
    scale: float = 1.0

    def frame(self, text: str) -> list[int]:
        """Token ids of a sequence."""
        return [*self.before, *(self.ids[letter] for letter in text), *self.after]


PROTT5_IDS = T5_IDS | dict.fromkeys("UZOB", T5_IDS["X"])
CASES = {
    # ESM-2 scales as if 12 % of the tokens were masked, when it is asked to (token_dropout)
    "esm2": Case(make_plm, EsmModel, ESM_IDS, (0,), (2,), 60, 1 - 0.15 * 0.8),
    "esmc": Case(make_esmc, EsmcModel, ESM_IDS, (0,), (2,), 60),
    "prott5": Case(make_prott5, T5EncoderModel, PROTT5_IDS, (), (1,), 1024),
    "ankh": Case(make_ankh, T5EncoderModel, T5_IDS, (), (1,), 1024),
    "ankh-marked": Case(
        lambda folder: make_ankh(folder, prepend="always"), T5EncoderModel, T5_IDS, (), (1,), 1024
    ),
    "prostt5": Case(
        lambda folder: make_prott5(folder, added=PROST_TOKENS), T5EncoderModel, PROTT5_IDS, (149,), (1,), 1024
    ),
}
KINDS = sorted(CASES)
RARE = "MKXBUZOT"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("kinds")
    return {kind: case.make(root / kind) for kind, case in CASES.items()}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Encoder]:
    found: dict[str, Encoder] = {}
    for kind, folder in folders.items():
        plm = load_plm(str(folder), device="cpu")
        assert isinstance(plm, Encoder)
        found[kind] = plm
    return found


def reference(folder: Path, kind: str) -> Any:
    """The model by transformers alone, in float32."""
    options = {"add_pooling_layer": False} if kind == "esm2" else {}
    return CASES[kind].reference.from_pretrained(folder, dtype=torch.float32, **options).eval()


# -- the residue at each position --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_at_each_residue_is_that_residue(models: dict[str, Encoder], kind: str) -> None:
    case, plm = CASES[kind], models[kind]
    texts = [sequence(20), sequence(33, 1), RARE, "M"]
    tokens = plm.lay_out(texts)
    for i, text in enumerate(texts):
        assert tokens.ids[i][tokens.is_residue[i]].tolist() == [case.ids[letter] for letter in text]
        assert tokens.ids[i][~tokens.is_padding[i]].tolist() == case.frame(text)
        assert not tokens.is_padding[i, : len(case.frame(text))].any()
    assert tokens.ids.shape[1] == 33 + len(case.before) + len(case.after)


@pytest.mark.parametrize("kind", KINDS)
def test_row_i_is_residue_i_for_mixed_lengths_padding_and_windows(
    models: dict[str, Encoder], folders: dict[str, Path], kind: str
) -> None:
    case, plm = CASES[kind], models[kind]
    texts = [sequence(n, n) for n in (1, 33, 5, 2 * case.window + 7, case.window, case.window + 1)] + [RARE]
    found = plm.hidden_states(texts, [0], token_budget=3 * case.window)
    embedding = reference(folders[kind], kind).get_input_embeddings().weight.detach()  # [V, d]
    for i, text in enumerate(texts):
        expected = embedding[torch.tensor([case.ids[letter] for letter in text])] * case.scale
        torch.testing.assert_close(found.of(i, 0), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_what_transformers_gives_for_the_sequence_alone(
    models: dict[str, Encoder], folders: dict[str, Path], kind: str
) -> None:
    case, plm, model = CASES[kind], models[kind], reference(folders[kind], kind)
    texts = [sequence(40), sequence(57, 1), sequence(9, 2), RARE]
    layers = list(range(plm.n_layers + 1))
    together = plm.hidden_states(texts, layers)
    for i, text in enumerate(texts):
        with torch.inference_mode():
            out = model(torch.tensor([case.frame(text)]), output_hidden_states=True)
        assert len(out.hidden_states) == len(layers)
        rows = slice(len(case.before), len(case.before) + len(text))
        for layer in layers:
            expected = out.hidden_states[layer][0, rows]
            torch.testing.assert_close(together.of(i, layer), expected, atol=2e-5, rtol=2e-5)
            torch.testing.assert_close(plm.embed(text, layer), expected, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(
            together.of(i, plm.n_layers), out.last_hidden_state[0, rows], atol=2e-5, rtol=2e-5
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_protein_beyond_the_window_is_covered_not_cut(models: dict[str, Encoder], kind: str) -> None:
    plm = models[kind]
    text = sequence(2 * plm.window + 3)
    found = plm.embed(text, 2)
    for w in windows(len(text), plm.window):
        alone = plm.embed(text[w.start : w.stop], 2)[w.keep_start - w.start : w.keep_stop - w.start]
        torch.testing.assert_close(found[w.keep_start : w.keep_stop], alone, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_behind_the_deepest_wanted_do_not_run(models: dict[str, Encoder], kind: str) -> None:
    plm, ran = models[kind], []
    handles = [
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, block in enumerate(plm.blocks)
    ]
    try:
        plm.hidden_states([sequence(20)], [0, 1])
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [0]


def test_rare_letters_are_x_to_prott5_and_themselves_to_ankh(models: dict[str, Encoder]) -> None:
    for letter in "UZOB":
        text, masked = f"MK{letter}T", "MKXT"
        assert torch.equal(models["prott5"].embed(text, 2), models["prott5"].embed(masked, 2))
        assert not torch.equal(models["ankh"].embed(text, 2), models["ankh"].embed(masked, 2))


def test_a_mark_in_front_of_the_text_is_no_residue(folders: dict[str, Path]) -> None:
    # transformers' own reading of Ankh's vocabulary has an unknown token in front: row 1 would be residue 0
    naive = AutoTokenizer.from_pretrained(folders["ankh"])("MKT")["input_ids"]
    assert naive == [2, *CASES["ankh"].frame("MKT")]


# -- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_runs_and_is_close(folders: dict[str, Path], models: dict[str, Encoder], kind: str) -> None:
    plm = load_plm(str(folders[kind]), device="cpu", dtype="bf16")
    assert (plm.dtype, next(iter(plm.model.parameters())).dtype) == ("bfloat16", torch.bfloat16)
    found, exact = plm.embed(sequence(30), plm.n_layers), models[kind].embed(sequence(30), plm.n_layers)
    assert found.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(found, exact).min() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_lacks_is_refused_by_name(models: dict[str, Encoder], kind: str) -> None:
    plm = models[kind]
    with pytest.raises(InputError, match=r"sequence 2: unknown letter '\*', 'J' \(first at position 3"):
        plm.hidden_states(["MKT", "MKJT*"], [1])
    with pytest.raises(InputError, match="'k', 'm', 't'"):
        plm.embed("mkt", 1)
    with pytest.raises(MismatchError, match=rf"hidden states 0 to {plm.n_layers}, not \[9\]"):
        plm.embed("MKT", 9)


@pytest.mark.parametrize("kind", ["esmc", "prott5", "ankh"])
def test_weights_that_are_missing_are_never_made_up(
    folders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    broken = shutil.copytree(folders[kind], tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    layers = "num_hidden_layers" if kind == "esmc" else "num_layers"
    (broken / "config.json").write_text(json.dumps(config | {layers: 5}))
    with pytest.raises(ModelError, match=r"do not fit config\.json: missing .*3"):
        load_plm(str(broken), device="cpu")
    width = "intermediate_size" if kind == "esmc" else "d_ff"
    (broken / "config.json").write_text(json.dumps(config | {width: 24}))
    with pytest.raises(ModelError, match=r"of another shape \['"):
        load_plm(str(broken), device="cpu")


@pytest.mark.parametrize("kind", ["esm2", "esmc", "prott5", "ankh"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5])
def test_weights_that_were_cut_short_are_named(
    folders: dict[str, Path], tmp_path: Path, kind: str, share: float
) -> None:
    broken = shutil.copytree(folders[kind], tmp_path / "broken")
    (path,) = [*broken.glob("*.safetensors"), *broken.glob("*.bin")]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    fault = rf"broken/{path.name}: the model cannot be loaded: .*; download it again"
    with pytest.raises(ModelError, match=fault):
        load_plm(str(broken), device="cpu")


def test_the_file_that_was_cut_short_is_named_among_several(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    EsmForMaskedLM.from_pretrained(folders["esm2"]).save_pretrained(broken, max_shard_size="20KB")
    second = sorted(broken.glob("*.safetensors"))[1]
    second.write_bytes(second.read_bytes()[:-8])
    with pytest.raises(ModelError, match=rf"broken/{second.name}: the model cannot be loaded"):
        load_plm(str(broken), device="cpu")


def test_a_vocabulary_of_esm2_that_is_not_there_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = shutil.copytree(folders["esm2"], tmp_path / "broken")
    (broken / "vocab.txt").unlink()
    with pytest.raises(ModelError, match=r"broken: there is no vocab\.txt; download the model again"):
        load_plm(str(broken), device="cpu")


@pytest.mark.parametrize("kind", ["esmc", "prott5"])
def test_a_layout_that_does_not_say_its_size_is_refused(
    folders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    # transformers would take the size of its largest published model
    other = shutil.copytree(folders[kind], tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    size = "hidden_size" if kind == "esmc" else "d_model"
    (other / "config.json").write_text(json.dumps({key: config[key] for key in config if key != size}))
    with pytest.raises(ModelError, match=f"does not say {size}; give the model in the layout"):
        load_plm(str(other), device="cpu")


def test_the_error_about_an_unknown_type_says_what_is_supported(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelError, match=r"'llama' are not supported.*ESM-2 \(type 'esm'\).*'esmc'.*'t5'"):
        load_plm(str(tmp_path), device="cpu")


def test_a_configuration_without_a_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not say its model_type"):
        load_plm(str(tmp_path), device="cpu")


@pytest.mark.parametrize("content", ["{", "{}", '{"model": {"type": "BPE", "vocab": 3}}', "[]"])
def test_a_damaged_vocabulary_of_esmc_is_refused(
    folders: dict[str, Path], tmp_path: Path, content: str
) -> None:
    folder = shutil.copytree(folders["esmc"], tmp_path / "esmc")
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="esmc: the vocabulary cannot be read"):
        load_plm(str(folder), device="cpu")


# -- vocabularies of T5 ------------------------------------------------------------------------------


def _with_vocabulary(tmp_path: Path, write: Callable[[Path], None]) -> Path:
    folder = make_ankh(tmp_path / "ankh")
    (folder / "tokenizer.json").unlink()
    write(folder)
    return folder


LETTERS = list(T5_LETTERS)


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        (lambda folder: None, "neither tokenizer.json nor spiece.model"),
        (
            lambda folder: (folder / "spiece.model").write_bytes(b"nothing"),
            "model: the vocabulary cannot be read",
        ),
        (
            lambda folder: (folder / "tokenizer.json").write_text("{}"),
            "json: the vocabulary cannot be read",
        ),
        (
            lambda folder: write_ankh_vocabulary(folder / "tokenizer.json", [*LETTERS, "AL"]),
            r"tokens of several letters \(AL …\)",
        ),
        (
            lambda folder: write_ankh_vocabulary(folder / "tokenizer.json", LETTERS, lower=True),
            "token 1 is '<unk>', not 'A'",
        ),
        (lambda folder: write_ankh_vocabulary(folder / "tokenizer.json", ["1", "2"]), "probe of all letters"),
        (
            lambda folder: (folder / "spiece.model").write_bytes(
                sentencepiece_model([f"▁{x}" for x in LETTERS] + ["▁THE"])
            ),
            r"tokens of several letters \(▁THE …\)",
        ),
        (
            lambda folder: (folder / "spiece.model").write_bytes(
                sentencepiece_model([*(f"<{i}>" for i in range(200)), *(f"▁{x}" for x in LETTERS)])
            ),
            "the vocabulary has token 223, the model knows 144",
        ),
    ],
)
def test_a_vocabulary_in_which_tokens_are_not_residues_is_refused(
    tmp_path: Path, write: Callable[[Path], None], fault: str
) -> None:
    folder = _with_vocabulary(tmp_path, write)
    with pytest.raises(ModelError, match=fault):
        load_plm(str(folder), device="cpu")


def test_added_tokens_that_cannot_be_read_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["prostt5"], tmp_path / "broken")
    (folder / "added_tokens.json").write_text("[1]")
    with pytest.raises(ModelError, match=r"added_tokens\.json: the vocabulary cannot be read"):
        load_plm(str(folder), device="cpu")


def test_another_vocabulary_is_another_model(folders: dict[str, Path], tmp_path: Path) -> None:
    first = load_plm(str(folders["prott5"]), device="cpu")
    folder = shutil.copytree(folders["prott5"], tmp_path / "other")
    shuffled = LETTERS[::-1]
    (folder / "spiece.model").write_bytes(sentencepiece_model([f"▁{x}" for x in shuffled]))
    with pytest.raises(MismatchError, match="as recorded"):
        load_plm(str(folder), device="cpu", revision=first.revision)


def test_the_decoder_is_not_loaded(models: dict[str, Encoder]) -> None:
    assert not [name for name, _ in models["ankh"].model.named_parameters() if "decoder" in name]


def test_an_encoder_alone_predicts_nothing(models: dict[str, Encoder]) -> None:
    for call in (models["ankh"].predict, models["prott5"].tokens):
        with pytest.raises(ModelError, match=r"has no masked-token head.*--skip-fidelity"):
            call(["MKT"])


# -- in a warehouse ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["esmc", "prott5", "ankh"])
def test_a_warehouse_records_the_model_and_encodes_with_it(
    warehouse: Path, folders: dict[str, Path], models: dict[str, Encoder], kind: str
) -> None:
    proteins = some_proteins(6) | {"long": sequence(150)}
    add_proteins(warehouse, [write_fasta(warehouse.parent / "p.fasta", proteins)])
    add_sae(warehouse, "identity", name="neurons", plm=str(folders[kind]), layer=2, device="cpu")
    encode(warehouse, ["neurons"], device="cpu")
    plm = models[kind]
    with store.open(warehouse) as wh:
        (row,) = wh.sql("from plms").to_pylist()
        found = wh.sql(
            "select accession, position, feature, value from activations join proteins using (protein_id)"
        ).to_pylist()
    assert (row["plm"], row["source"], row["revision"]) == (kind, str(folders[kind]), plm.revision)
    assert (row["d_model"], row["n_layers"], row["window"]) == (16, 3, CASES[kind].window)
    stored = {name: torch.zeros(len(text), 32) for name, text in proteins.items()}
    for r in found:
        stored[r["accession"]][r["position"] - 1, r["feature"]] = r["value"]
    for name, text in proteins.items():
        x: Tensor = plm.embed(text, 2)
        neurons = torch.cat([x.clamp(min=0), (-x).clamp(min=0)], dim=1)
        torch.testing.assert_close(stored[name], neurons, atol=2e-5, rtol=2e-5)
