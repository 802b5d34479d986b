"""What an encoding costs by the size of the PLM: fitted to narrow ones, tried on a wider one, said of ESM-2.

    seconds = a · GFLOP of the PLM + w · layers · width + b · GFLOP of the SAE + c · activations

The second term is what moves numbers and does not multiply: in narrow PLMs most of the time. A residue takes
24 d² + 4 n d operations in each layer of width d, at a length of n, and 2 d F in an SAE of F features. Far
beyond the widths that were measured the model promises more operations per second than a core has.

    python -m benchmarks.encoding_cost [--residues N] [--rounds N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import nnls

from benchmarks import encoding
from benchmarks.encoding import LAYERS, N_FEATURES, Cost
from interplm_wh.plm import load_plm
from interplm_wh.sae import load_sae

FIT_WIDTHS, HELD_BACK = (160, 320, 480), 640
LENGTH = 330
SWISS_PROT, UNIREF50 = 204_000_000, 17_000_000_000
# Layers and widths of ESM-2, up to the last layer.
ESM2 = {
    "8M, layer 6": (6, 320), "35M, layer 12": (12, 480), "150M, layer 30": (30, 640),
}  # fmt: skip
GPU_TFLOPS = 100.0
"""An assumption, not a measurement: what an H100 sustains in bfloat16 on batches of proteins."""


@dataclass(frozen=True)
class Shape:
    """What was measured of one width and layer."""

    width: int
    cost: Cost

    @property
    def plm(self) -> float:
        """GFLOP of the PLM up to the layer."""
        return plm_gflop(self.cost.layer, self.width) * self.cost.n_residues

    @property
    def moved(self) -> float:
        """Millions of layers times width, over all residues."""
        return self.cost.layer * self.width * self.cost.n_residues / 1e6

    @property
    def sae(self) -> float:
        """GFLOP of the SAE's product."""
        return sae_gflop(self.width) * self.cost.n_residues

    @property
    def rest(self) -> float:
        """Seconds beside the two."""
        return self.cost.encoding - self.cost.forward - self.cost.product


def plm_gflop(n_layers: int, width: int, length: int = LENGTH) -> float:
    """Return the GFLOP of one residue in the first layers of a PLM."""
    return n_layers * (24 * width**2 + 4 * length * width) / 1e9


def sae_gflop(width: int, n_features: int = N_FEATURES) -> float:
    """Return the GFLOP of one residue in the encoder of an SAE."""
    return 2 * width * n_features / 1e9


def measure(width: int, layers: Sequence[int], texts: list[str], *, rounds: int) -> list[Shape]:
    """Measure some layers of a PLM of one width."""
    with tempfile.TemporaryDirectory(prefix="interplm-wh-bench-") as name, torch.inference_mode():
        folder = Path(name)
        plm = load_plm(str(encoding.make_plm(folder / "plm", width=width)), device="cpu")
        found = []
        for layer in layers:
            states = plm.hidden_states(texts[:20], [layer]).states[layer]
            sae = load_sae(str(encoding.make_sae(folder / f"{layer}.pt", states)))
            cost = encoding.measure(plm, sae, layer, texts, rounds=rounds, folder=folder)
            found.append(Shape(width, cost))
    return found


def ratio(tops: Sequence[float], bottoms: Sequence[float]) -> float:
    """Return the factor between two columns, each row counting alike."""
    return float(np.exp(np.mean(np.log(np.array(tops) / np.array(bottoms)))))


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoding_cost", description=__doc__)
    parser.add_argument("--residues", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    texts = encoding.make_sequences(options.residues)
    fitted = [s for width in FIT_WIDTHS for s in measure(width, LAYERS, texts, rounds=options.rounds)]
    (wide,) = measure(HELD_BACK, LAYERS[-1:], texts, rounds=options.rounds)
    spent = np.array([s.cost.forward for s in fitted])
    (a, w), _ = nnls(np.array([[s.plm, s.moved] for s in fitted]) / spent[:, None], np.ones(len(spent)))
    b = ratio([s.cost.product for s in fitted], [s.sae for s in fitted])
    c = max(0.0, sum(s.rest for s in fitted)) / sum(s.cost.n_activations for s in fitted)
    print(f"{torch.get_num_threads()} threads, {options.residues:,} residues\n")
    print("| width | layer | PLM s | SAE s | encoding s | GFLOP/s of the PLM | of the SAE |")
    print("|---|---|---|---|---|---|---|")
    for s in (*fitted, wide):
        print(
            f"| {s.width} | {s.cost.layer} | {s.cost.forward:.2f} | {s.cost.product:.2f} "
            f"| {s.cost.encoding:.2f} | {s.plm / s.cost.forward:.0f} | {s.sae / s.cost.product:.0f} |"
        )
    said = a * wide.plm + w * wide.moved + b * wide.sae + c * wide.cost.n_activations
    off = 100 * (said / wide.cost.encoding - 1)
    print(
        f"\nPLM {a:.4f} s a GFLOP and {w:.4f} s a million of layers times width, SAE {1 / b:.0f} GFLOP/s, "
        f"{1e6 * c:.2f} s a million activations; width "
        f"{HELD_BACK}, held back: {said:.2f} s said, {wide.cost.encoding:.2f} s measured ({off:+.0f} %)\n"
    )
    threads = torch.get_num_threads()
    print(
        "| ESM-2 | core-s a million residues | Swiss-Prot, core-hours | UniRef50, core-hours "
        "| UniRef50, GPU-hours* |"
    )
    print("|---|---|---|---|---|")
    for name, (layers, width) in ESM2.items():
        gflop = plm_gflop(layers, width), sae_gflop(width)
        seconds = threads * (a * gflop[0] + w * layers * width / 1e6 + b * gflop[1] + c * 60)
        gpu = sum(gflop) / (1000 * GPU_TFLOPS) * UNIREF50 / 3600
        print(
            f"| {name} | {1e6 * seconds:,.0f} | {seconds * SWISS_PROT / 3600:,.0f} "
            f"| {seconds * UNIREF50 / 3600:,.0f} | {gpu:,.0f} |"
        )
    print(f"\n* at {GPU_TFLOPS:g} TFLOP/s sustained, which is an assumption")
    return 0


if __name__ == "__main__":
    sys.exit(main())
