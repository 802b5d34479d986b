"""What an encoding costs beside the work that it cannot avoid.

The floor is the PLM's forward pass plus the SAE's matrix product alone, on the batches and chunks
that the encoding uses. Both run in turns in one process, and medians are compared. The PLM has the
shape of ESM-2-8M with random weights, the SAE the shape of the published ones (320 to 10,240) with
a bias at which about 60 features fire per residue.

    python -m benchmarks.encoding [--residues N] [--rounds N] [--threads N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from interplm_wh import store
from interplm_wh.encode import encode
from interplm_wh.encode.part import Proteins, write_part
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.plm.base import PLM
from interplm_wh.plm.batches import batches, offsets, pieces
from interplm_wh.sae import add_sae, load_sae, sparse
from interplm_wh.sae.base import SAE

LIMIT = 1.2
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
VOCABULARY = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
N_FEATURES, FIRING = 10_240, 60
LAYERS = (1, 3, 6)


@dataclass(frozen=True)
class Cost:
    """Medians over rounds, in seconds of wall time, for one layer.

    Attributes
    ----------
    layer : int
    forward, product : float
        The floor: PLM up to the layer; matrix product of the SAE.
    encoding : float
        Hidden states, sparse rows, Parquet, check of the part.
    cpu_ratio : float
        Encoding over its floor in CPU seconds, which other processes disturb less.
    n_residues, n_activations : int
    """

    layer: int
    forward: float
    product: float
    encoding: float
    cpu_ratio: float
    n_residues: int
    n_activations: int

    @property
    def ratio(self) -> float:
        """Encoding over its floor."""
        return self.encoding / (self.forward + self.product)


def make_plm(folder: Path, *, width: int = 320, heads: int = 20) -> Path:
    """Write a random model of six layers, by default of the shape of ESM-2-8M."""
    from transformers import EsmConfig, EsmForMaskedLM

    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=len(VOCABULARY), hidden_size=width, num_hidden_layers=6, num_attention_heads=heads,
        intermediate_size=4 * width, max_position_embeddings=1026, position_embedding_type="rotary",
        token_dropout=True, emb_layer_norm_before=False, pad_token_id=1, mask_token_id=32,
    )  # fmt: skip
    EsmForMaskedLM(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "EsmTokenizer"}')
    return folder


def make_sae(path: Path, x: torch.Tensor) -> Path:
    """Write a random ReLU SAE of which about 60 features fire on each row of `x`."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(N_FEATURES, x.shape[1], generator=generator)
    before = (x - x.mean(dim=0)) @ weight.T  # [n, F]
    bias = -torch.quantile(before[:300].flatten()[:: N_FEATURES // 4096], 1 - FIRING / N_FEATURES)
    torch.save(
        {
            "bias": x.mean(dim=0),
            "encoder.weight": weight,
            "encoder.bias": torch.full((N_FEATURES,), float(bias)),
            "decoder.weight": weight.T.contiguous(),
        },
        path,
    )
    return path


def make_sequences(n_residues: int) -> list[str]:
    """Random proteins with lengths like those of Swiss-Prot (median about 300)."""
    rng = np.random.default_rng(2)
    found: list[str] = []
    while sum(map(len, found)) < n_residues:
        length = int(np.clip(rng.lognormal(5.7, 0.6), 30, 1022))
        found.append("".join(rng.choice(list(LETTERS), length)))
    return found


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def measure(plm: PLM, sae: SAE, layer: int, texts: list[str], *, rounds: int, folder: Path) -> Cost:
    """Run floor and encoding in turns on one block."""
    lengths = [len(text) for text in texts]
    rows = offsets(lengths)
    grouped = batches(pieces(lengths, plm.window), plm.token_budget)
    x = plm.hidden_states(texts, [layer]).states[layer]
    weight, bias = sae.tensors["encoder.weight"], sae.tensors["encoder.bias"][:, None]
    n_activations = 0

    def forward() -> None:
        for batch in grouped:
            plm.forward([texts[p.index][p.start : p.stop] for p in batch], [layer])

    def product() -> None:
        for first, last in sparse.groups(rows):
            torch.addmm(bias, weight, x[rows[first] : rows[last]].T)

    def encoding() -> None:
        nonlocal n_activations
        hidden = plm.hidden_states(texts, [layer])
        proteins = Proteins(np.arange(len(texts), dtype=np.int32), np.array(lengths, np.int32))
        chunks = sparse.sparse_rows(sae, hidden.states[layer], offsets=hidden.offsets)
        n_activations = int(write_part(folder / "part.parquet", proteins=proteins, chunks=chunks).sum())

    works = (forward, product, encoding)
    for work in works:
        work()
    times = [[_timed(work) for work in works] for _ in range(rounds)]
    spent = [[median(t[kind] for t in column) for column in zip(*times, strict=True)] for kind in (0, 1)]
    wall, cpu = spent
    return Cost(layer, *wall, cpu[2] / (cpu[0] + cpu[1]), sum(lengths), n_activations)


def run_command(folder: Path, plm: Path, sae: Path, texts: list[str]) -> float:
    """Return the wall seconds of the whole command, loading of models and publishing included."""
    warehouse = store.init(folder / "warehouse")
    fasta = folder / "proteins.fasta"
    fasta.write_text("".join(f">P{i}\n{text}\n" for i, text in enumerate(texts)))
    add_proteins(warehouse, [fasta])
    add_sae(warehouse, str(sae), name="relu", plm=str(plm), layer=LAYERS[-1], force=True, device="cpu")
    return _timed(lambda: encode(warehouse, ["relu"], device="cpu"))[0]


def run(*, n_residues: int, rounds: int) -> tuple[list[Cost], float]:
    """Measure every layer, then the whole command at the deepest."""
    texts = make_sequences(n_residues)
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="interplm-wh-bench-") as name, torch.inference_mode():
        folder = Path(name)
        model = make_plm(folder / "esm2-8m-shaped")
        plm = load_plm(str(model), device="cpu")
        for layer in LAYERS:
            path = make_sae(folder / f"layer{layer}.pt", plm.hidden_states(texts[:20], [layer]).states[layer])
            costs.append(measure(plm, load_sae(str(path)), layer, texts, rounds=rounds, folder=folder))
        command = run_command(folder, model, folder / f"layer{LAYERS[-1]}.pt", texts)
    return costs, command


def lines(costs: list[Cost], command: float) -> list[str]:
    """Say it as a Markdown table."""
    rows = [
        f"| {c.layer} | {c.forward:.2f} | {c.product:.2f} | {c.encoding:.2f} | "
        f"**{c.ratio:.2f}** | {c.cpu_ratio:.2f} | "
        f"{c.n_residues / c.encoding:,.0f} | {c.n_activations / c.n_residues:.0f} |"
        for c in costs
    ]
    return [
        f"{costs[0].n_residues:,} residues, 320 to {N_FEATURES:,} features, "
        f"{torch.get_num_threads()} threads",
        "",
        "| layer | PLM s | SAE product s | encoding s | ratio | in CPU s | residues/s | rows per residue |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"the whole command at layer {costs[-1].layer}, loading and publishing included: {command:.2f} s",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where an encoding costs more than 1.2 times its floor."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoding", description=__doc__)
    parser.add_argument("--residues", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads of PyTorch; all cores by default")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    costs, command = run(n_residues=options.residues, rounds=options.rounds)
    print("\n".join(lines(costs, command)))
    return int(any(cost.ratio > LIMIT for cost in costs))


if __name__ == "__main__":
    sys.exit(main())
