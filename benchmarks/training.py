"""What a training step costs beside bare PyTorch, and how long a training waits for hidden states.

The yardstick is two matrix products with ReLU between them, squared error, L1 penalty, backward and
Adam, on the same batch (2,048 residues, 320 to 10,240); for `gated`, whose published loss decodes
twice, also the same with a third product. Both sides run in turns in one process, and medians are
compared: the ratio is the yardstick's time over ours, so that 1 is as fast and more is faster. What
counts is a step at an L0 of 64, as nearly all steps of a training are; the first ones, before features
have become sparse, are shown beside it.

    python -m benchmarks.training [--rounds N] [--residues N] [--device D]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from benchmarks.encoding import LETTERS, make_plm
from interplm_wh.plm import load_plm
from interplm_wh.train.recipe import Ramp, SaeRecipe
from interplm_wh.train.sources import EmbeddingsSource, PlmSource, Sequences, write_embeddings
from interplm_wh.train.stream import HiddenStateSource, Place, Stream
from interplm_wh.train.trainer import SaeTrainer

ENOUGH = 0.85
BATCH, WIDTH, N_FEATURES, K = 2048, 320, 10_240, 64
SETTINGS: dict[str, dict[str, object]] = {
    "relu": {"l1": Ramp(0.06)},
    "relu_tied": {"l1": Ramp(0.06)},
    "topk": {"k": K},
    "batch_topk": {"k": K},
    "matryoshka": {"k": K, "groups": (0.1, 0.3, 0.6)},
    "jumprelu": {"target_l0": 64.0},
    "gated": {"l1": Ramp(0.06)},
}
DENSE = ("relu", "relu_tied", "jumprelu", "gated")
"""Those that begin with half of their features active, which is shown as well."""


def yardstick(x: Tensor, *, twice: bool = False) -> Callable[[], None]:
    """Return a bare training step; with a second decoding of the same features where `twice`."""
    torch.manual_seed(0)
    decoder = torch.nn.functional.normalize(torch.randn(WIDTH, N_FEATURES, device=x.device), dim=0)
    weights = [decoder.T.clone() / 16, torch.zeros(N_FEATURES, device=x.device), decoder]
    weights = [w.requires_grad_() for w in (*weights, torch.zeros(WIDTH, device=x.device))]
    optimizer = torch.optim.Adam(weights, lr=1e-4, fused=True)

    def step() -> None:
        encoder, bias, directions, centre = weights
        f = torch.relu((x - centre) @ encoder.T + bias)
        loss = (x - f @ directions.T - centre).square().sum(dim=1).mean() + 0.06 * f.sum(dim=1).mean()
        if twice:
            loss = loss + (x - f @ directions.detach().T - centre.detach()).square().sum(dim=1).mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    return step


def trainer(architecture: str, x: Tensor, precision: torch.dtype, *, is_early: bool) -> SaeTrainer:
    """Return a training of one architecture that has begun, or whose features have become sparse.

    At first about half of the features are active. Later few are: here as many as TopK has, by biases
    that let so many pass.
    """
    recipe = SaeRecipe(architecture, architecture, 0, N_FEATURES, Ramp(1e-4), **SETTINGS[architecture])  # type: ignore[arg-type]
    found = SaeTrainer.start(recipe, x, steps=1_000_000, batch=BATCH, precision=precision)
    if not is_early and found.sae.settings is not None and not found.sae.needs_k:
        with torch.no_grad():
            normal = found.sae.normalisation(x).apply(x)
            pre = found.sae.centre(normal) @ found.sae.tensors["encoder.weight"].T
            floor = pre.flatten()[::97].quantile(1 - K / N_FEATURES)
            for name in ("encoder.bias", "gate_bias", "mag_bias"):
                if name in found.sae.tensors:
                    found.sae.tensors[name] -= floor
    for number in range(3):
        found.step(number, x)
    return found


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that a call takes."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def measure_steps(rounds: int, device: torch.device) -> bool:
    """Print residues per second and ratio of each architecture; whether all are fast enough."""
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(BATCH, 40, generator=generator) @ torch.randn(40, WIDTH, generator=generator)).to(device)
    formats = [torch.float32] if device.type == "cpu" else [torch.float32, torch.bfloat16]
    is_enough = True
    for precision in formats:
        bare, two = yardstick(x), yardstick(x, twice=True)
        for warm in (bare, two):
            warm()
        for architecture, is_early in [*((a, False) for a in SETTINGS), *((a, True) for a in DENSE)]:
            mine = trainer(architecture, x, precision, is_early=is_early)
            sides = {"mine": lambda mine=mine: mine.step(9, x), "bare": bare, "twice": two}
            seconds: dict[str, list[float]] = {name: [] for name in sides}
            for _ in range(rounds):
                for name, call in sides.items():
                    seconds[name].append(timed(call, device))
            mid = {name: median(found) for name, found in seconds.items()}
            ratio = mid["bare"] / mid["mine"]
            is_enough &= ratio >= ENOUGH or is_early
            when = "at first" if is_early else "L0 64"
            twice = f"; {mid['twice'] / mid['mine']:.2f} of three products" if architecture == "gated" else ""
            print(
                f"{str(precision).removeprefix('torch.'):8} {architecture:11} {when:8} "
                f"{BATCH / mid['mine']:9,.0f} residues/s, bare {BATCH / mid['bare']:9,.0f}: "
                f"{ratio:.2f} of bare{twice}",
                flush=True,
            )
    return is_enough


def measure_waiting(residues: int, device: torch.device) -> None:
    """Print how long the fastest architecture waits for hidden states, from disk and from the PLM."""
    with tempfile.TemporaryDirectory() as folder:
        plm = load_plm(str(make_plm(Path(folder) / "plm")), device=str(device))
        rng = np.random.default_rng(0)
        lengths = rng.integers(50, 600, residues // 325)
        texts = ["".join(rng.choice(list(LETTERS), n)) for n in lengths]
        names = [f"P{i}" for i in range(len(texts))]
        known = Sequences(pa.chunked_array([names]), pa.chunked_array([texts]), lengths.astype(np.int64))
        folders = write_embeddings(Path(folder), plm, known, layers=[6])
        sources: dict[str, HiddenStateSource] = {
            "Parquet": EmbeddingsSource(folders, device=plm.device),
            "the PLM (ESM-2 8M's shape, layer 6)": PlmSource(plm, known, layers=[6]),
        }
        for name, source in sources.items():
            stream = Stream(source, batch=BATCH, buffer=65_536, seed=0)
            mine = trainer("topk", stream.first_chunk()[6][:BATCH], torch.float32, is_early=False)
            waited = worked = 0.0
            batches = stream.batches(Place())
            for number in range(residues // BATCH):
                started = time.perf_counter()
                x = next(batches).states[6]
                got = time.perf_counter()
                mine.step(number, x)
                waited, worked = waited + got - started, worked + time.perf_counter() - got
            share = waited / (waited + worked)
            print(f"waiting for {name}: {share:.1%} of {waited + worked:.1f} s of one topk SAE", flush=True)


def main(arguments: list[str]) -> int:
    """Measure, print, and return 1 where an architecture is slower than it may be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--residues", type=int, default=200_000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    print(f"training: {torch.get_num_threads()} threads, {device}, batch {BATCH}, {WIDTH} to {N_FEATURES}")
    is_enough = measure_steps(args.rounds, device)
    measure_waiting(args.residues, device)
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
