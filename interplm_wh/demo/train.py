"""Train the demo's protein language model.

::

    python -m interplm_wh.demo.train interplm_wh/demo/assets

writes `demo-plm/` (a Hugging Face folder in ESM-2's shape) there. It learns from generated proteins of
another seed than the demo's. One thread, fixed seeds: the same machine and versions give the same files.

Its sparse autoencoder, `demo-sae/layer_3/ae_normalized.pt` (InterPLM's format, the scale baked in), comes
from the pipeline `demo-sae`, whose head says how.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh.demo.generator import generate

log = logging.getLogger(__name__)
_transformers: Any = transformers  # its annotations do not follow its decorators

VOCABULARY = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
PLM_FOLDER = "demo-plm"
CLS, PAD, EOS, MASK = (VOCABULARY.index(token) for token in ("<cls>", "<pad>", "<eos>", "<mask>"))
N_MASKABLE = slice(VOCABULARY.index("L"), VOCABULARY.index("C") + 1)


@dataclass(frozen=True)
class PlmSettings:
    """Shape and training of the language model.

    Attributes
    ----------
    n_tokens : int
        Tokens per batch, padding included.
    mask_rate : float
        Share of residues that the model has to predict; of those, 80 % are masked, 10 % are
        another amino acid, 10 % stay (Devlin et al. 2019, section 3.1).
    """

    n_layers: int = 4
    width: int = 96
    n_heads: int = 6
    n_proteins: int = 60_000
    n_steps: int = 4_000
    n_tokens: int = 4_096
    learning_rate: float = 2e-3
    mask_rate: float = 0.15
    seed: int = 20_250


def token_ids(sequence: str) -> NDArray[np.int64]:
    """Return the ids of `<cls>`, the residues and `<eos>`."""
    lookup = {token: i for i, token in enumerate(VOCABULARY)}
    return np.array([CLS, *(lookup[letter] for letter in sequence), EOS], dtype=np.int64)


def padded(rows: list[NDArray[np.int64]]) -> Tensor:
    """Return rows as one tensor, padded on the right."""
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.from_numpy(row)
    return ids  # (protein, token)


def batches(rows: list[NDArray[np.int64]], n_tokens: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yield batches of similar lengths in random order, epoch after epoch."""
    while True:
        noisy = [len(row) + rng.integers(8) for row in rows]
        groups: list[list[NDArray[np.int64]]] = [[]]
        for i in np.argsort(noisy, kind="stable"):
            if groups[-1] and (len(groups[-1]) + 1) * len(rows[i]) > n_tokens:
                groups.append([])
            groups[-1].append(rows[i])
        for g in rng.permutation(len(groups)):
            yield padded(groups[g])


def masked(ids: Tensor, rate: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the corrupted ids and the labels, -100 where nothing has to be predicted."""
    draw = torch.rand(ids.shape, generator=generator)  # (protein, token)
    chosen = (draw < rate) & (ids != PAD) & (ids != CLS) & (ids != EOS)
    kind = torch.rand(ids.shape, generator=generator)
    other = torch.randint(N_MASKABLE.start, N_MASKABLE.stop, ids.shape, generator=generator)
    corrupted = torch.where(chosen & (kind < 0.8), MASK, ids)
    corrupted = torch.where(chosen & (kind >= 0.9), other, corrupted)
    return corrupted, torch.where(chosen, ids, -100)


def new_plm(settings: PlmSettings) -> Any:
    """Return an untrained model in ESM-2's shape."""
    config = _transformers.EsmConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=settings.width,
        num_hidden_layers=settings.n_layers,
        num_attention_heads=settings.n_heads,
        intermediate_size=4 * settings.width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        emb_layer_norm_before=False,
        token_dropout=True,
        layer_norm_eps=1e-5,
        mask_token_id=MASK,
        pad_token_id=PAD,
    )
    return _transformers.EsmForMaskedLM(config)


def train_plm(sequences: list[str], settings: PlmSettings) -> Any:
    """Train the model to predict masked residues."""
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    stream = batches(
        [token_ids(s) for s in sequences], settings.n_tokens, np.random.default_rng(settings.seed)
    )
    model = new_plm(settings).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.n_steps, pct_start=0.05
    )
    running = 3.0
    for step, ids in zip(range(settings.n_steps), stream, strict=False):
        corrupted, labels = masked(ids, settings.mask_rate, generator)
        loss = model(input_ids=corrupted, attention_mask=(ids != PAD).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        running += 0.02 * (float(loss.detach()) - running)
        if (step + 1) % 100 == 0:
            log.info("plm: step %d of %d, loss %.3f", step + 1, settings.n_steps, running)
    return model.eval()


def save_plm(model: Any, folder: Path) -> None:
    """Write the model and its tokeniser as a Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(VOCABULARY), encoding="utf-8")
    model.save_pretrained(folder)
    _transformers.EsmTokenizer(str(vocabulary)).save_pretrained(folder)


def main() -> None:
    """Train the model and write it below the folder given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--steps", type=int, default=PlmSettings.n_steps, help="steps")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    settings = PlmSettings(n_steps=args.steps)
    sequences = [p.sequence for p in generate(settings.n_proteins, seed=settings.seed)]
    save_plm(train_plm(sequences, settings), args.out / PLM_FOLDER)


if __name__ == "__main__":
    main()
