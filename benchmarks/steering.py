"""What steering costs beside the two passes of the PLM that it needs: as it is, and edited.

Measured is all that `steer` does for one dose at masked positions: both passes, reading features, the edit,
probabilities and divergences. The floor is two passes over the same batches without any of it. Both run in
turns in one process, and medians are compared; the limit is that of CPU seconds, which other processes
disturb less. The PLM has the shape of ESM-2-8M with random weights, the
SAEs that of the published ones (320 to 10,240): of ReLU one feature is read, of TopK all must be.

    python -m benchmarks.steering [--length N] [--positions N] [--rounds N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmarks.encoding import LETTERS, make_plm
from interplm_wh.plm import load_plm
from interplm_wh.plm.base import PLM
from interplm_wh.plm.batches import batches, pieces
from interplm_wh.sae.base import SAE, Weights
from interplm_wh.sae.registry import make
from interplm_wh.steer import measure
from interplm_wh.steer.edit import Edit
from interplm_wh.steer.plan import Target

LIMIT = 1.3
FLOOR = "two passes"
LAYER, N_FEATURES, K = 4, 10_240, 32


def make_sae(architecture: str, d_model: int) -> SAE:
    """Make a random SAE of the published size."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(N_FEATURES, d_model, generator=generator)
    tensors = {
        "bias": torch.zeros(d_model),
        "encoder.weight": weight,
        "encoder.bias": torch.zeros(N_FEATURES),
        "decoder.weight": weight.T.contiguous(),
    }
    k = K if architecture == "topk" else None
    return make(Weights(architecture, d_model, N_FEATURES, tensors, k=k))


@torch.inference_mode()
def two_passes(plm: PLM, target: Target) -> None:
    """Run the batches of `measure.effects` twice, and nothing else."""
    length = len(target.sequence)
    for batch in batches(pieces([length] * len(target.measured), plm.window), plm.token_budget):
        texts = [target.sequence] * len(batch)
        masked = torch.zeros_like(plm.tokens(texts).is_residue)
        for row, piece in enumerate(batch):
            masked[row, target.measured[piece.index]] = True  # behind the start token
        for _ in range(2):
            plm.predict(texts, masked=masked)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where the limit is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description=__doc__)
    parser.add_argument("--length", type=int, default=200, help="residues of the sequence")
    parser.add_argument("--positions", type=int, default=40, help="residues that are masked")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    sequence = (LETTERS * (options.length // len(LETTERS) + 1))[: options.length]
    every = tuple(range(1, options.length + 1))
    target = Target(None, sequence, True, every, every[: options.positions], (), ())
    print(f"\nsteering: {options.positions} masked copies of {options.length} residues, all of them edited")
    with tempfile.TemporaryDirectory() as folder:
        plm = load_plm(str(make_plm(Path(folder) / "plm")), device="cpu")
        saes = {name: make_sae(name, plm.d_model) for name in ("relu", "topk")}
        works: dict[str, Callable[[], object]] = {FLOOR: lambda: two_passes(plm, target)}
        for name, sae in saes.items():
            edit = Edit(sae, (7,), (10.0,), "clamp", 1.0)
            works[name] = lambda edit=edit: measure.effects(  # type: ignore[misc]
                plm, LAYER, [edit], target, is_masked=True, advance=lambda _n: None
            )
        for work in works.values():
            work()
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for _ in range(options.rounds):
            for name, work in works.items():
                found[name].append(_seconds(work))
    wall = {name: median(one for one, _ in seconds) for name, seconds in found.items()}
    cpu = {name: median(one for _, one in seconds) for name, seconds in found.items()}
    print(f"  two passes of the PLM   {wall[FLOOR]:7.2f} s, {cpu[FLOOR]:7.2f} s of CPU")
    for name in saes:
        print(
            f"  steered, {name:<6}         {wall[name]:7.2f} s, {cpu[name]:7.2f} s of CPU: ratio "
            f"{wall[name] / wall[FLOOR]:.2f}, of CPU {cpu[name] / cpu[FLOOR]:.2f} (at most {LIMIT})"
        )
    return int(max(cpu[name] / cpu[FLOOR] for name in saes) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
