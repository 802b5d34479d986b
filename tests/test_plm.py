"""Protein language models: hidden states, windows, batches, letters, memory."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import EsmModel

from interplm_wh.errors import InputError, MismatchError, ModelError
from interplm_wh.plm import load_plm, plm_slug
from interplm_wh.plm.base import PLM
from interplm_wh.plm.batches import batches, pieces
from interplm_wh.plm.esm2 import Esm2
from interplm_wh.plm.windows import windows

LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def sequence(length: int, seed: int = 0) -> str:
    """A random protein."""
    return "".join(np.random.default_rng(seed).choice(list(LETTERS), length))


@pytest.fixture(scope="module")
def tiny(golden: Path) -> Esm2:
    plm = load_plm(str(golden / "tiny_esm"), device="cpu")
    assert isinstance(plm, Esm2)
    return plm


@pytest.fixture(scope="module")
def proteins(golden: Path) -> dict[str, str]:
    with gzip.open(golden / "proteins.csv.gz", "rt") as file:
        return {row["accession"]: row["sequence"] for row in csv.DictReader(file)}


def test_hidden_states_are_those_of_the_reference(tiny: Esm2, proteins: dict[str, str], golden: Path) -> None:
    with np.load(golden / "embeddings_layer3_shard0.npz") as expected:
        found = tiny.hidden_states([proteins[i] for i in expected["protein_ids"]], [3])
        assert [list(b) for b in expected["boundaries"]] == [
            [a, b] for a, b in zip(found.offsets, found.offsets[1:], strict=False)
        ]
        assert found.states[3].dtype == torch.float32
        np.testing.assert_allclose(found.states[3].numpy(), expected["embeddings"], atol=1e-5, rtol=0)


def test_stopping_early_gives_what_the_full_run_gives_at_every_layer(tiny: Esm2, golden: Path) -> None:
    model = EsmModel.from_pretrained(golden / "tiny_esm", add_pooling_layer=False).eval()
    texts = [sequence(40), sequence(57, 1)]
    tokens = tiny.tokens(texts)
    with torch.inference_mode():
        mask = (~tokens.is_padding).long()
        full = model(tokens.ids, attention_mask=mask, output_hidden_states=True).hidden_states
    assert len(full) == tiny.n_layers + 1
    for layer in range(tiny.n_layers + 1):
        found = tiny.hidden_states(texts, [layer])
        for i, text in enumerate(texts):
            # longest first: the second sequence is the first row of the batch
            torch.testing.assert_close(found.of(i, layer), full[layer][i, 1 : len(text) + 1])


def test_layers_behind_the_deepest_wanted_do_not_run(tiny: Esm2) -> None:
    ran: list[int] = []
    handles = [
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, layer in enumerate(tiny.model.encoder.layer)
    ]
    try:
        tiny.hidden_states([sequence(20)], [1, 3])
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [0, 1, 2]


def test_several_layers_in_one_pass_equal_single_passes(tiny: Esm2) -> None:
    texts = [sequence(n, n) for n in (30, 80, 12)]
    together = tiny.hidden_states(texts, [0, 2, 6])
    for layer in (0, 2, 6):
        assert torch.equal(together.states[layer], tiny.hidden_states(texts, [layer]).states[layer])


def test_embed_returns_one_row_per_residue(tiny: Esm2) -> None:
    found = tiny.embed(sequence(33), 3)
    assert (tuple(found.shape), found.dtype) == ((33, 64), torch.float32)


def test_a_layer_that_the_model_lacks_is_refused(tiny: Esm2) -> None:
    with pytest.raises(MismatchError, match=r"hidden states 0 to 6, not \[7\]"):
        tiny.embed("MKT", 7)


@pytest.mark.parametrize(("text", "fault"), [("MKJT*", r"'\*', 'J' \(first at position 3"), ("", "empty")])
def test_unreadable_sequences_are_refused_before_anything_runs(tiny: Esm2, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=f"P2: .*{fault}"):
        tiny.check_letters({"P1": "MKT", "P2": text})
    with pytest.raises(InputError, match="replace the letters by X"):
        tiny.hidden_states(["MKT", text], [3])


def test_lower_case_is_not_read_as_something_else(tiny: Esm2) -> None:
    with pytest.raises(InputError, match="'k', 'm', 't'"):
        tiny.embed("mkt", 3)


# -- windows and batches -----------------------------------------------------------------------------


@given(length=st.integers(1, 400), window=st.integers(2, 60))
def test_each_residue_is_taken_once_from_the_window_where_it_is_farthest_from_an_edge(
    length: int, window: int
) -> None:
    found = windows(length, window)
    owner = [-1] * length
    for index, w in enumerate(found):
        assert 0 <= w.start <= w.keep_start < w.keep_stop <= w.stop <= length
        assert w.stop - w.start == min(length, window)
        for residue in range(w.keep_start, w.keep_stop):
            assert owner[residue] == -1
            owner[residue] = index
    for residue, index in enumerate(owner):
        depth = [
            min(residue - w.start, w.stop - 1 - residue) if w.start <= residue < w.stop else -1 for w in found
        ]
        assert depth[index] == max(depth)


@given(length=st.integers(1, 400), window=st.integers(2, 60))
def test_residues_away_from_the_ends_see_a_quarter_of_a_window_on_both_sides(
    length: int, window: int
) -> None:
    for w in windows(length, window):
        quarter = window // 4 - 1
        assert w.start == 0 or w.keep_start - w.start >= quarter
        assert w.stop == length or w.stop - w.keep_stop >= quarter


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30), budget=st.integers(1, 300))
def test_batches_keep_to_the_budget_and_hold_every_piece_once(lengths: list[int], budget: int) -> None:
    found = pieces(lengths, 40)
    grouped = batches(found, budget)
    assert sorted((p.index, p.start) for b in grouped for p in b) == [(p.index, p.start) for p in found]
    for batch in grouped:
        assert len(batch) == 1 or len(batch) * (max(p.length for p in batch) + 2) <= budget
    rows = [row for p in found for row in range(p.row, p.row + p.n_kept)]
    assert rows == list(range(sum(lengths)))


def test_a_protein_beyond_the_window_is_covered_not_cut(tiny: Esm2) -> None:
    text = sequence(2300)
    found = tiny.embed(text, 3)
    assert found.shape == (2300, 64)
    for w in windows(2300, 1022):
        alone = tiny.embed(text[w.start : w.stop], 3)
        kept = alone[w.keep_start - w.start : w.keep_stop - w.start]
        torch.testing.assert_close(found[w.keep_start : w.keep_stop], kept, atol=1e-5, rtol=1e-5)


# -- memory ------------------------------------------------------------------------------------------


class Counting(PLM):
    """A model of one layer whose states name the residue, with room for a number of tokens only."""

    def __init__(
        self, room: int, error: type[Exception] = torch.OutOfMemoryError, says: str = "full"
    ) -> None:
        self.name, self.source, self.revision, self.dtype = "counting", "counting", None, "float32"
        self.n_layers, self.d_model, self.window = 1, 2, 50
        self.device, self.alphabet = torch.device("cpu"), frozenset(LETTERS)
        self.room, self.error, self.says = room, error, says
        self.runs: list[int] = []

    def forward(self, sequences: Sequence[str], layers: Sequence[int]) -> dict[int, Tensor]:
        longest = max(len(s) for s in sequences)
        if longest * len(sequences) > self.room:
            raise self.error(self.says)
        self.runs.append(len(sequences))
        state = torch.zeros(len(sequences), longest, 2)
        for row, text in zip(state, sequences, strict=True):
            row[: len(text), 0] = torch.tensor([LETTERS.index(letter) for letter in text])
        return {layer: state + layer for layer in layers}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory"),
        (MemoryError, ""),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_batch_that_does_not_fit_is_halved_until_it_does(error: type[Exception], says: str) -> None:
    texts = [sequence(10, n) for n in range(8)] + [sequence(4)]
    plm = Counting(room=25, error=error, says=says)
    found = plm.hidden_states(texts, [0, 1], token_budget=96)
    roomy = Counting(room=10_000).hidden_states(texts, [0, 1], token_budget=96)
    assert torch.equal(found.states[1], roomy.states[1])
    assert plm.runs == [2, 2, 2, 2, 1]
    assert found.is_halved == (True,) * 8 + (False,)
    assert roomy.is_halved == (False,) * 9


def test_one_window_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="single window of 30 residues"):
        Counting(room=20).embed(sequence(30), 0)


def test_other_errors_of_a_model_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Counting(room=1, error=RuntimeError, says="mat1 and mat2 shapes cannot be multiplied").embed("MKT", 0)


# -- loading -----------------------------------------------------------------------------------------


def test_a_local_model_is_identified_by_its_files(golden: Path, tmp_path: Path, tiny: Esm2) -> None:
    folder = tmp_path / "tiny_esm"
    shutil.copytree(golden / "tiny_esm", folder)
    folder.chmod(0o755)
    again = load_plm(str(folder), device="cpu", revision=tiny.revision)
    assert (again.name, again.revision) == ("tiny_esm", tiny.revision)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    with pytest.raises(MismatchError, match="as recorded"):
        load_plm(str(folder), device="cpu", revision=tiny.revision)


def test_number_formats_are_recorded_and_short_names_mean_the_same(golden: Path) -> None:
    plm = load_plm(str(golden / "tiny_esm"), device="cpu", dtype="bf16")
    assert plm.dtype == "bfloat16"
    assert plm.embed(sequence(12), 3).dtype == torch.float32


def test_weights_that_are_missing_are_never_made_up(golden: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in (golden / "tiny_esm").iterdir():
        if path.name != "config.json":
            shutil.copy(path, folder)
    config = json.loads((golden / "tiny_esm" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 8}))
    with pytest.raises(ModelError, match=r"do not fit config\.json: missing"):
        load_plm(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "config.json cannot be read"), ("{", "cannot be read"), ('{"model_type": "bert"}', "'bert'")],
)
def test_folders_that_hold_no_model_are_refused(tmp_path: Path, content: str | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=fault):
        load_plm(str(tmp_path), device="cpu")


def test_absent_folder_device_and_dtype_are_named() -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load_plm("./nowhere")
    with pytest.raises(ModelError, match="unknown number format"):
        load_plm("./nowhere", dtype="int8")
    with pytest.raises(ModelError, match="not a device"):
        load_plm("./nowhere", device="toaster")


def test_names_of_models_are_slugs(tmp_path: Path) -> None:
    assert plm_slug("facebook/esm2_t6_8M_UR50D") == "facebook--esm2_t6_8M_UR50D"
    (tmp_path / "my model").mkdir()
    assert plm_slug(str(tmp_path / "my model")) == "my-model"
