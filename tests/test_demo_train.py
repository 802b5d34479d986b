"""The script that trains the demo's models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from interplm_wh.demo import assets
from interplm_wh.demo.generator import generate
from interplm_wh.demo.train import (
    CLS,
    EOS,
    MASK,
    PAD,
    VOCABULARY,
    PlmSettings,
    batches,
    masked,
    save_plm,
    token_ids,
    train_plm,
)  # fmt: skip
from interplm_wh.pipeline import spec
from interplm_wh.plm import load_plm
from interplm_wh.sae import load_sae

SMALL = PlmSettings(n_layers=2, width=16, n_heads=2, n_steps=30, n_tokens=600)


@pytest.fixture(scope="module")
def sequences() -> list[str]:
    return [p.sequence for p in generate(24, seed=1)]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_batch_holds_each_protein_once_per_epoch_and_stays_under_its_tokens(sequences: list[str]) -> None:
    rows = [token_ids(s) for s in sequences]
    stream = batches(rows, 1_000, np.random.default_rng(0))
    seen: list[str] = []
    while len(seen) < len(rows):
        ids = next(stream)
        assert ids.numel() <= 1_000
        for row in ids.tolist():
            assert row[0] == CLS and row[row.index(EOS) + 1 :] == [PAD] * (len(row) - row.index(EOS) - 1)
            seen.append("".join(VOCABULARY[i] for i in row[1 : row.index(EOS)]))
    assert sorted(seen) == sorted(sequences)


def test_masking_corrupts_residues_alone_and_labels_what_it_chose(sequences: list[str]) -> None:
    ids = next(batches([token_ids(s) for s in sequences], 2_000, np.random.default_rng(0)))
    corrupted, labels = masked(ids, 0.15, torch.Generator().manual_seed(0))
    chosen, is_residue = labels != -100, (ids != PAD) & (ids != CLS) & (ids != EOS)
    assert bool((corrupted[~chosen] == ids[~chosen]).all())
    assert bool((labels[chosen] == ids[chosen]).all())
    assert bool(is_residue[chosen].all())
    assert 0.10 < chosen.sum() / is_residue.sum() < 0.20
    assert 0.70 < (corrupted[chosen] == MASK).float().mean() < 0.90
    assert {VOCABULARY[i] for i in corrupted[chosen].unique().tolist()} <= {*"ACDEFGHIKLMNPQRSTVWY", "<mask>"}


def test_the_same_seed_gives_the_same_model_and_loss_falls(sequences: list[str]) -> None:
    one, two = train_plm(sequences, SMALL), train_plm(sequences, SMALL)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    untrained = train_plm(sequences, replace(SMALL, n_steps=30, learning_rate=1e-9))
    ids = next(batches([token_ids(s) for s in sequences], 2_000, np.random.default_rng(0)))
    attended = (ids != PAD).long()
    labels = torch.where(attended > 0, ids, -100)
    with torch.no_grad():
        losses = [
            float(model(input_ids=ids, attention_mask=attended, labels=labels).loss)
            for model in (one, untrained)
        ]
    assert losses[0] < losses[1] - 0.1


def test_a_trained_model_is_saved_so_that_the_package_reads_the_same_states(
    sequences: list[str], tmp_path: Path
) -> None:
    model = train_plm(sequences, replace(SMALL, n_steps=30))
    save_plm(model, tmp_path / "plm")
    plm = load_plm(str(tmp_path / "plm"), device="cpu")
    for sequence in sequences[:3]:
        ids = torch.from_numpy(token_ids(sequence))[None]
        with torch.no_grad():
            expected = model.esm(input_ids=ids, output_hidden_states=True).hidden_states[1][0, 1:-1]
        assert torch.allclose(plm.embed(sequence, 1), expected, atol=1e-5)


def test_the_shipped_models_have_the_shapes_that_script_and_pipeline_give() -> None:
    plan = spec.load("demo-sae").train
    assert plan is not None
    (recipe,) = plan.saes
    plm = load_plm(str(assets("plm")), device="cpu")
    sae = load_sae(str(assets("sae")), layer=recipe.layer)
    assert (plm.n_layers, plm.d_model) == (PlmSettings.n_layers, PlmSettings.width)
    assert (sae.architecture, sae.n_features) == (recipe.architecture, recipe.n_features)
    assert sae.d_model == PlmSettings.width
    assert sae.checkpoint_scale is not None
    assert plm.dtype == "float32"
