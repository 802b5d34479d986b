"""Cross-entropy of a PLM as it is, with a layer of zeros, and with a layer's reconstruction."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from plm_folders import make_prott5
from tiny_models import make_plm, make_sae, sequence
from torch import Tensor
from transformers import EsmForMaskedLM

from interplm_wh.errors import MismatchError, ModelError
from interplm_wh.evaluate.fidelity import MEASURES, Entropies, Layered, fidelity, n_passes
from interplm_wh.evaluate.masks import masked_residues
from interplm_wh.evaluate.proteins import Proteins
from interplm_wh.evaluate.reconstruction import Reconstruction
from interplm_wh.plm import load_plm
from interplm_wh.plm.esm2 import Esm2
from interplm_wh.sae import load_sae
from interplm_wh.sae.base import SAE
from interplm_wh.sae.identity import IdentitySAE
from interplm_wh.sae.linear import LinearSAE
from interplm_wh.sae.options import INPUT_NORMS, InputNorm
from interplm_wh.sae.registry import ARCHITECTURES

LENGTHS = (20, 3, 41, 58, 1, 33)
MASK = 32


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Esm2:
    found = load_plm(str(make_plm(tmp_path_factory.mktemp("fidelity") / "tiny")), device="cpu")
    assert isinstance(found, Esm2)
    return found


@pytest.fixture(scope="module")
def sae(plm: Esm2, tmp_path_factory: pytest.TempPathFactory) -> SAE:
    path = make_sae(tmp_path_factory.mktemp("sae") / "ae.pt", Path(plm.source), layer=1, components=4)
    return load_sae(str(path), layer=1)


def proteins(*lengths: int) -> Proteins:
    texts = tuple(sequence(n, seed=n) for n in lengths)
    return Proteins("test", tuple(f"P{n}" for n in lengths), texts)


SOME = proteins(*LENGTHS)


# -- the reference -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_reference(golden: Path) -> tuple[dict[str, dict[str, list[float]]], Entropies, Entropies]:
    """What the reference says, and both measures of ours on the same proteins."""
    said = json.loads((golden / "fidelity_reference.json").read_text())
    with gzip.open(golden / "proteins.csv.gz", "rt") as file:
        texts = {row["accession"]: row["sequence"] for row in csv.DictReader(file)}
    chosen = Proteins("test", tuple(said["proteins"]), tuple(texts[a] for a in said["proteins"]))
    plm = load_plm(str(golden / "tiny_esm"), device="cpu")
    sae = load_sae(str(golden / "interplm_checkpoint" / "ae.pt"), layer=3)
    found = fidelity(plm, {"sae": Layered(sae, said["layer"])}, chosen)["sae"]
    return said, found["unmasked"], found["masked"]


def test_unmasked_entropies_of_each_protein_are_those_of_the_reference(
    of_reference: tuple[dict[str, dict[str, list[float]]], Entropies, Entropies],
) -> None:
    said, unmasked, _ = of_reference
    for theirs, ours in (("identity", "original"), ("zero", "zero"), ("sae", "sae")):
        expected = said["per_protein"][theirs]
        np.testing.assert_allclose(getattr(unmasked, ours), expected, atol=5e-6, rtol=0)


def test_the_masked_measure_leaves_special_tokens_alone(
    of_reference: tuple[dict[str, dict[str, list[float]]], Entropies, Entropies],
) -> None:
    _, unmasked, masked = of_reference
    # With every token zeroed nothing reaches the head but its biases, which are zero here: log 33.
    np.testing.assert_allclose(unmasked.zero, np.log(33), atol=1e-5)
    assert np.abs(masked.zero - np.log(33)).min() > 1e-3


# -- by hand -----------------------------------------------------------------------------------------


@torch.inference_mode()
def by_hand(plm: Esm2, text: str, accession: str, patch: Tensor | None, layer: int, *, masked: bool) -> float:
    """The cross-entropy of one protein, one protein at a time and without the code under test."""
    model = EsmForMaskedLM.from_pretrained(plm.source).eval()
    ids = plm.tokens([text]).ids
    chosen = torch.ones(len(text), dtype=torch.bool)
    read = ids.clone()
    if masked:
        order = sorted(
            range(1, len(text) + 1), key=lambda i: hashlib.md5(f"{accession}:{i}".encode()).hexdigest()
        )
        chosen = torch.zeros(len(text), dtype=torch.bool)
        chosen[[i - 1 for i in order[: max(1, int(0.15 * len(text) + 0.5))]]] = True
        read[0, 1:-1][chosen] = MASK
    state = model.esm.embeddings(read, attention_mask=torch.ones_like(read))
    angles = model.esm.rotary_embeddings(state, torch.arange(read.shape[1])[None])
    for index in range(3):
        if index == 2:
            state = model.esm.encoder.emb_layer_norm_after(state)
        if index == layer and patch is not None:
            fresh = state[0] @ patch if patch.ndim == 2 else torch.zeros_like(state[0])
            state = state.clone()
            if masked:
                state[0, 1:-1] = fresh[1:-1]
            else:
                state[0] = fresh
        if index < 2:
            state = model.esm.encoder.layer[index](state, position_embeddings=angles)
    said = model.lm_head(state)[0, 1:-1].log_softmax(dim=-1)
    truth = ids[0, 1:-1]
    return float(-said[torch.arange(len(text)), truth][chosen].mean())


class Projection(IdentitySAE):
    """The raw neurons with the second half of the coordinates lost."""

    def decode(self, f: Tensor) -> Tensor:
        kept = super().decode(f).clone()
        kept[:, self.d_model // 2 :] = 0
        return kept


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_entropies_at_every_layer_are_those_worked_out_by_hand(plm: Esm2, layer: int) -> None:
    half = torch.diag((torch.arange(plm.d_model) < plm.d_model // 2).float())
    found = fidelity(plm, {"half": Layered(Projection.of_width(plm.d_model), layer)}, SOME)["half"]
    for measure in MEASURES:
        is_masked = measure == "masked"
        for how, patch in (("original", None), ("zero", torch.zeros(1)), ("sae", half)):
            expected = [
                by_hand(plm, text, name, patch, layer, masked=is_masked)
                for name, text in zip(SOME.accessions, SOME.sequences, strict=True)
            ]
            ours = getattr(found[measure], how)
            np.testing.assert_allclose(ours, expected, atol=2e-5, err_msg=f"{measure} {how}")


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_raw_neurons_lose_nothing(plm: Esm2, layer: int) -> None:
    found = fidelity(plm, {"neurons": Layered(IdentitySAE.of_width(plm.d_model), layer)}, SOME)["neurons"]
    for measure in MEASURES:
        assert np.array_equal(found[measure].sae, found[measure].original)
        assert not np.isclose(found[measure].zero, found[measure].original)[:4].any()


def test_saes_of_several_layers_together_give_what_each_gives_alone(plm: Esm2, sae: SAE) -> None:
    saes = {"a": Layered(sae, 1), "b": Layered(Projection.of_width(plm.d_model), 2), "c": Layered(sae, 0)}
    together = fidelity(plm, saes, SOME)
    assert n_passes(saes) == 2 * (1 + 3 + 3)
    for name, one in saes.items():
        alone = fidelity(plm, {name: one}, SOME)[name]
        for measure in MEASURES:
            for how in ("original", "zero", "sae"):
                assert np.array_equal(getattr(together[name][measure], how), getattr(alone[measure], how))


def test_batches_change_nothing_but_the_last_bits(plm: Esm2, sae: SAE) -> None:
    saes = {"a": Layered(sae, 1)}
    wide, narrow = (fidelity(plm, saes, SOME, token_budget=n)["a"] for n in (10_000, 1))
    for measure in MEASURES:
        for how in ("original", "zero", "sae"):
            np.testing.assert_allclose(getattr(wide[measure], how), getattr(narrow[measure], how), atol=1e-5)


def test_a_protein_beyond_the_window_counts_every_residue_once(plm: Esm2, sae: SAE) -> None:
    # 60 residues fit; 61 take two windows, 0..59 and 1..60, of which 1 to 31 and 32 to 61 are kept.
    long = proteins(61)
    name, text = long.accessions[0], long.sequences[0]
    windows = [(slice(0, 60), slice(0, 31)), (slice(1, 61), slice(30, 60))]
    mask = masked_residues(name, 61)
    sums, n_counted = {"unmasked": 0.0, "masked": 0.0}, {"unmasked": 0, "masked": 0}
    for seen, kept in windows:
        is_masked = torch.from_numpy(mask[seen])
        tokens = torch.zeros(1, 62, dtype=torch.bool)
        tokens[0, 1:-1] = is_masked
        for measure, masked in (("unmasked", None), ("masked", tokens)):
            said = plm.predict([text[seen]], masked=masked)
            losses = -said.logits.log_softmax(dim=-1).gather(2, said.ids[..., None])[0, 1:-1, 0]
            counted = torch.zeros(60, dtype=torch.bool)
            counted[kept] = True
            if masked is not None:
                counted &= is_masked
            sums[measure] += float(losses[counted].sum())
            n_counted[measure] += int(counted.sum())
    assert n_counted == {"unmasked": 61, "masked": 9}
    found = fidelity(plm, {"a": Layered(sae, 1)}, long)["a"]
    for measure in MEASURES:
        assert found[measure].original[0] == pytest.approx(sums[measure] / n_counted[measure], abs=1e-5)


@pytest.mark.parametrize("norm", INPUT_NORMS)
@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"identity"}))
def test_every_architecture_is_measured_at_the_embedding_too(
    plm: Esm2, architecture: str, norm: InputNorm
) -> None:
    kind = ARCHITECTURES[architecture]
    assert issubclass(kind, LinearSAE)
    sae = kind.initial(
        plm.d_model, 32, generator=torch.Generator().manual_seed(3), mean=torch.zeros(plm.d_model),
        k=4 if kind.needs_k else None, groups=(8, 24), input_norm=norm,
        factor=torch.tensor(0.5) if norm == "unit_mean_norm" else None,
    )  # fmt: skip
    # at layer 0 the state of a masked token is zero, which not every norm likes
    found = fidelity(plm, {"a": Layered(sae, 0)}, SOME)["a"]
    assert all(np.isfinite(found[measure].sae).all() for measure in MEASURES)
    x = plm.hidden_states(SOME.sequences, [0]).states[0]
    counted = Reconstruction(sae)
    counted.add(x)
    assert counted.n_firing.tolist() == (sae.encode(x) > 0).sum(dim=0).tolist()
    missed = (x - sae.reconstruct(x)).double().square().mean()
    assert counted.sums.mse == pytest.approx(float(missed), rel=1e-5)


# -- masks -------------------------------------------------------------------------------------------


def test_masks_hold_fifteen_percent_and_at_least_one_residue() -> None:
    assert [int(masked_residues("P1", n).sum()) for n in (1, 3, 9, 10, 20, 100, 1000)] == [
        1, 1, 1, 2, 3, 15, 150,
    ]  # fmt: skip


def test_masks_depend_on_accession_and_position_alone() -> None:
    assert np.flatnonzero(masked_residues("P12345", 20)).tolist() == sorted(
        sorted(range(20), key=lambda i: hashlib.md5(f"P12345:{i + 1}".encode()).digest())[:3]
    )
    assert not np.array_equal(masked_residues("P1", 200), masked_residues("P2", 200))


def test_masks_are_spread_over_the_protein() -> None:
    where = np.concatenate([np.flatnonzero(masked_residues(f"P{i}", 100)) for i in range(400)])
    counts = np.histogram(where, bins=10, range=(0, 100))[0]
    assert counts.min() > 0.85 * counts.mean() and counts.max() < 1.15 * counts.mean()


# -- what goes wrong ---------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_is_halved_and_counted_once(
    plm: Esm2, sae: SAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    saes = {"a": Layered(sae, 1)}
    expected = fidelity(plm, saes, SOME, token_budget=10_000)["a"]
    whole, calls = plm.logits, 0

    def tight(ids: Tensor, tokens: object) -> Tensor:
        nonlocal calls
        calls += 1
        # the third pass over a batch of more than two: sums of the first two must not count twice
        if len(ids) > 2 and calls % 3 == 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(ids, tokens)  # type: ignore[arg-type]

    monkeypatch.setattr(plm, "logits", tight)
    found = fidelity(plm, saes, SOME, token_budget=10_000)["a"]
    for measure in MEASURES:
        np.testing.assert_allclose(found[measure].sae, expected[measure].sae, atol=1e-5)
        np.testing.assert_allclose(found[measure].original, expected[measure].original, atol=1e-5)


def test_predictions_that_are_not_finite_are_refused(plm: Esm2) -> None:
    class Broken(IdentitySAE):
        def decode(self, f: Tensor) -> Tensor:
            return super().decode(f) * float("nan")

    with pytest.raises(MismatchError, match=r"predictions for P\d+ are not finite \(pass sae:a"):
        fidelity(plm, {"a": Layered(Broken.of_width(plm.d_model), 1)}, SOME)


def test_a_plm_without_a_head_is_refused_before_anything_runs(sae: SAE, tmp_path: Path) -> None:
    bare = load_plm(str(make_prott5(tmp_path / "prott5")), device="cpu")
    with pytest.raises(ModelError, match="--skip-fidelity"):
        fidelity(bare, {"a": Layered(sae, 1)}, SOME)
