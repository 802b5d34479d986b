"""What several processes gain over one: a warehouse encoded by one device, and by as many as there are cores.

Each process has one thread. The PLM has the shape of ESM-2-8M with random weights, the SAE that of the
published ones. The second figure leaves the start of processes and the loading of models out: the time of
the second half of the blocks.

    python -m benchmarks.workers [--residues N] [--workers N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks.encoding import make_plm, make_sae, make_sequences
from interplm_wh import store
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.sae import add_sae

LAYER = 3
LEAST = 0.75
"""Of the number of workers, at least, that many times as fast: what is asked of the second half."""


@dataclass(frozen=True)
class Times:
    """Seconds of wall time of one run: of all of it, and of the blocks after the first half."""

    whole: float
    second_half: float


def make_warehouse(folder: Path, n_residues: int) -> Path:
    """Make a warehouse in which nothing is encoded yet."""
    texts = make_sequences(n_residues)
    model = make_plm(folder / "esm2-8m-shaped")
    with torch.inference_mode():
        states = load_plm(str(model), device="cpu").hidden_states(texts[:20], [LAYER]).states[LAYER]
        sae = make_sae(folder / "sae.pt", states)
    warehouse = store.init(folder / "warehouse")
    fasta = folder / "proteins.fasta"
    fasta.write_text("".join(f">P{i}\n{text}\n" for i, text in enumerate(texts)))
    add_proteins(warehouse, [fasta])
    add_sae(warehouse, str(sae), name="relu", plm=str(model), layer=LAYER, force=True, device="cpu")
    return warehouse


def parts(warehouse: Path) -> int:
    """Count the finished parts, registered or not; one that is being registered counts once."""
    places = (warehouse / "lake" / "activations" / "sae=relu", warehouse / ".staging" / "encoded")
    return len({path.name for place in places for path in place.glob("**/[0-9]*.parquet")})


def timed(warehouse: Path, words: list[str], *, n_blocks: int) -> Times:
    """Encode in processes of one thread each."""
    command = [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "encode", "--sae", "relu", *words]
    started = time.perf_counter()
    half = 0.0
    with subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        done = 0.0
        while process.poll() is None:
            n_parts = parts(warehouse)
            half = half or (time.perf_counter() if n_parts >= n_blocks // 2 else 0.0)
            done = done or (time.perf_counter() if n_parts >= n_blocks else 0.0)
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return Times(time.perf_counter() - started, done - half)


def run(*, n_residues: int, n_workers: int, rounds: int) -> tuple[Times, Times, int]:
    """Return medians of one process and of several, in turns, and the number of blocks."""
    ways = (["--device", "cpu"], ["--devices", ",".join(["cpu"] * n_workers)])
    found: tuple[list[Times], list[Times]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="interplm-wh-bench-") as name:
        ready = make_warehouse(Path(name) / "ready", n_residues)
        n_blocks = 0
        for number in range(rounds):
            for way, times in zip(ways, found, strict=True):
                copy = shutil.copytree(ready, Path(name) / f"{number}-{len(way[1])}")
                n_blocks = n_blocks or _blocks(copy)
                times.append(timed(copy, way, n_blocks=n_blocks))
                shutil.rmtree(copy)
    one, several = (
        Times(median(t.whole for t in times), median(t.second_half for t in times)) for times in found
    )
    return one, several, n_blocks


def _blocks(warehouse: Path) -> int:
    from interplm_wh.encode.blocks import blocks

    with store.open(warehouse) as wh:
        lengths = wh.sql("select length from proteins order by protein_id")["length"].to_pylist()
    return len(blocks(lengths))


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where several processes are not enough faster than one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--residues", type=int, default=600_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    one, several, n_blocks = run(
        n_residues=options.residues, n_workers=options.workers, rounds=options.rounds
    )
    halves = one.second_half / several.second_half
    print(
        f"{options.residues:,} residues in {n_blocks} blocks, 320 to 10,240 features, one thread each\n\n"
        "| processes | whole command s | second half s |\n|---|---|---|\n"
        f"| 1 | {one.whole:.1f} | {one.second_half:.1f} |\n"
        f"| {options.workers} | {several.whole:.1f} | {several.second_half:.1f} |\n"
        f"| **ratio** | **{one.whole / several.whole:.2f}** | **{halves:.2f}** |"
    )
    return int(halves < LEAST * options.workers)


if __name__ == "__main__":
    sys.exit(main())
