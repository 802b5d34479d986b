"""Models small enough for tests: an ESM-2 of two layers, and an SAE that explains one of its layers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from transformers import EsmConfig, EsmForMaskedLM

from interplm_wh.plm import load_plm

VOCABULARY = [
    *("<cls>", "<pad>", "<eos>", "<unk>"),
    *"LAGVSERTIDPKQNFYMHWCXBUZO.-",
    *("<null_1>", "<mask>"),
]
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
WIDTH, WINDOW = 16, 60


def sequence(length: int, seed: int = 0) -> str:
    """A random protein."""
    return "".join(np.random.default_rng(seed).choice(list(LETTERS), length))


def make_plm(folder: Path, *, seed: int = 0, inner: int = 32, window: int = WINDOW) -> Path:
    """Write a random ESM-2 of two layers, width 16."""
    torch.manual_seed(seed)
    config = EsmConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=inner,
        max_position_embeddings=window + 4,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        pad_token_id=1,
        mask_token_id=32,
        initializer_range=0.3,
    )
    EsmForMaskedLM(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "EsmTokenizer"}')
    return folder


def make_sae(path: Path, plm: Path, *, layer: int, components: int = 10) -> Path:
    """Write a ReLU SAE that reconstructs one layer by its principal components, with both signs."""
    model = load_plm(str(plm), device="cpu")
    x = torch.cat([model.embed(sequence(50, seed), layer) for seed in range(40)])
    mean = x.mean(dim=0)
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[:components]  # [k, d]
    both = torch.cat([directions, -directions])  # [2k, d]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "bias": mean.clone(),
            "encoder.weight": both.clone(),
            "encoder.bias": torch.full((2 * components,), -0.01),
            "decoder.weight": both.T.clone(),
        },
        path,
    )
    return path


def write_fasta(path: Path, proteins: dict[str, str]) -> Path:
    """Write proteins as FASTA."""
    path.write_text("".join(f">{name}\n{text}\n" for name, text in proteins.items()))
    return path


def some_proteins(n: int, *, first: int = 0) -> dict[str, str]:
    """Random proteins P<first>… of 5 to 54 residues."""
    return {f"P{i}": sequence(5 + (i * 7) % 50, seed=1000 + i) for i in range(first, first + n)}


def part_digests(warehouse: Path, sae: str) -> dict[str, str]:
    """SHA-256 of every part of an SAE, by file name."""
    paths = (warehouse / "lake" / "activations" / f"sae={sae}").glob("*/*.parquet")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
