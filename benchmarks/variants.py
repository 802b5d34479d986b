"""Variants per second, beside the plain PLM on the same sequences.

The whole command is timed: loading the models, encoding the wild type and all single substitutions of a
stretch, their difference, Parquet, checks, publishing, ranking. Beside it stands the PLM's forward pass
alone on the same mutants in the same batches, with all its layers, and as far as the SAE's layer. They run
in turns in one process, and medians are compared. Models are random: one of the shape of ESM-2-8M with a
ReLU SAE (320 to 10,240) on layer 4, and a small one (width 96) with TopK 16 of 1,024 on layer 5.

    python -m benchmarks.variants [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks import encoding
from interplm_wh import build, store
from interplm_wh.encode import encode
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.plm.batches import batches, pieces
from interplm_wh.sae import add_sae
from interplm_wh.variants import variants
from interplm_wh.variants.notation import scan

LEAST = 0.8
LENGTH = 200
SAE, PROTEIN = "bench", "P0"


@dataclass(frozen=True)
class Shape:
    """Models of one size.

    Attributes
    ----------
    what : str
    width, heads, layer : int
        Of the PLM, and the layer that the SAE reads.
    k : int or None
        Of a TopK SAE; None for ReLU.
    n_variants : int
        Of a protein of 200 residues.
    """

    what: str
    width: int
    heads: int
    layer: int
    k: int | None
    n_variants: int


SHAPES = (
    Shape("width 96, TopK 16 of 1,024, layer 5", 96, 6, 5, 16, 1520),
    Shape("ESM-2-8M, ReLU 10,240, layer 4", 320, 20, 4, None, 380),
)


def make_top_k(path: Path, width: int, k: int) -> Path:
    """Write a random TopK SAE, and beside it what says that it is one."""
    config = {"trainer": {"dict_class": "AutoEncoderTopK", "k": k}}
    path.with_name("config.json").write_text(json.dumps(config))
    decoder = torch.randn(width, 1024, generator=torch.Generator().manual_seed(1))
    decoder /= decoder.norm(dim=0)
    torch.save(
        {
            "encoder.weight": decoder.T.contiguous(),
            "encoder.bias": torch.zeros(1024),
            "decoder.weight": decoder,
            "b_dec": torch.zeros(width),
            "k": torch.tensor(k),
            "threshold": torch.tensor(-1.0),
        },
        path,
    )
    return path


def prepare(folder: Path, shape: Shape) -> tuple[Path, str]:
    """Return a warehouse with a scale, and the wild type."""
    texts = [text.ljust(LENGTH, "A")[:LENGTH] for text in encoding.make_sequences(4000)]
    plm = encoding.make_plm(folder / "plm", width=shape.width, heads=shape.heads)
    sae = folder / "ae.pt"
    if shape.k is None:
        states = load_plm(str(plm), device="cpu").hidden_states(texts, [shape.layer]).states
        encoding.make_sae(sae, states[shape.layer])
    else:
        make_top_k(sae, shape.width, shape.k)
    warehouse = store.init(folder / "warehouse")
    fasta = folder / "proteins.fasta"
    fasta.write_text("".join(f">P{i}\n{text}\n" for i, text in enumerate(texts)))
    add_proteins(warehouse, [fasta])
    add_sae(warehouse, str(sae), name=SAE, plm=str(plm), layer=shape.layer, force=True, device="cpu")
    encode(warehouse, [SAE], device="cpu")
    build.build(warehouse)
    return warehouse, texts[0]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def measure(folder: Path, shape: Shape, *, rounds: int) -> list[str]:
    """Run the plain PLM and the command in turns; return the cells of a row."""
    warehouse, wild = prepare(folder, shape)
    stretch = f"1-{max(1, shape.n_variants // 19)}"
    mutants = [variant.of(wild) for variant in scan(wild, stretch)]
    plm = load_plm(str(folder / "plm"), device="cpu")
    grouped = batches(pieces([LENGTH] * len(mutants), plm.window), plm.token_budget)

    def forward(layer: int) -> None:
        for batch in grouped:
            plm.forward([mutants[piece.index] for piece in batch], [layer])

    times: dict[str, list[tuple[float, float]]] = {"whole": [], "layer": [], "command": []}
    forward(shape.layer)
    for i in range(rounds):
        fresh = shutil.copytree(warehouse, folder / f"round-{i}")
        times["whole"].append(timed(lambda: forward(plm.n_layers)))
        times["layer"].append(timed(lambda: forward(shape.layer)))
        times["command"].append(timed(lambda w=fresh: variants(w, SAE, PROTEIN, scan=stretch, device="cpu")))
    wall, cpu = ({name: median(t[kind] for t in of) for name, of in times.items()} for kind in (0, 1))
    n_residues = len(mutants) * LENGTH
    with store.open(fresh) as wh:
        (sizes,) = wh.sql(
            "select sum(n_rows)::bigint as n_rows, sum(n_bytes)::bigint as n_bytes from parts "
            "where table_name = 'variant_changes'"
        ).to_pylist()
    return [
        shape.what, f"{n_residues:,}", *(f"{n_residues / wall[name]:,.0f}" for name in times),
        f"**{wall['whole'] / wall['command']:.2f}**", f"{wall['layer'] / wall['command']:.2f}",
        f"{cpu['whole'] / cpu['command']:.2f}", f"{cpu['layer'] / cpu['command']:.2f}",
        f"{sizes['n_rows'] / n_residues:.1f}", f"{sizes['n_bytes'] / max(1, sizes['n_rows']):.1f}",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variants", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    print(f"\nvariants of a protein of {LENGTH} residues, {torch.get_num_threads()} threads\n")
    print(
        "| models | residues | PLM/s | PLM to the layer/s | variants/s | ratio | to the layer | in CPU s "
        "| to the layer | rows per residue | bytes per row |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        with tempfile.TemporaryDirectory(prefix="interplm-wh-bench-") as name:
            cells = measure(Path(name), shape, rounds=options.rounds)
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nratio: residues/s of the command over those of the plain PLM; at least {LEAST} is wanted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
