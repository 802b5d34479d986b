"""Shapes, co-activation, matches and the map of features, against one read of the activations.

Each measurement runs in a process of its own. The second SAE has the activations of the first, and the
decoder is random: what they cost is that of real ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks import generate, scoring
from interplm_wh import build, store
from interplm_wh.landscape import cluster, directions_map

SAE, OTHER = generate.SAE, "bench-other"
D_MODEL = 320
MAX_SECONDS = 60.0


def prepare(name: str) -> Path:
    """Return a warehouse of one size with two SAEs, and what shapes are made from."""
    path = scoring.prepare(name)
    with store.write(path, command="benchmark") as tx:
        scoring.link_activations(tx, path.parent, sae=OTHER)
        tx.publish()
    build.build(path, select=["protein_features"])
    return path


def shapes(path: Path) -> None:
    """Make the runs and shapes of both SAEs."""
    build.build(path, select=["feature_shapes"])


def coactivation(path: Path) -> None:
    """Sample the pairs of one SAE."""
    cluster(path, SAE, skip_map=True)


def matches(path: Path) -> None:
    """Sample the pairs of one SAE, and match its features with the other's."""
    cluster(path, SAE, others=[OTHER], skip_map=True)


def lay_out(n_features: int) -> None:
    """Map random directions, compilation included."""
    decoder = np.random.default_rng(0).normal(size=(D_MODEL, n_features)).astype(np.float32)
    directions_map.lay_out(decoder, sae="random")


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.landscape", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["20M"], choices=list(generate.SIZES))
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    for name in options.sizes:
        path = prepare(name)
        n_features = generate.SIZES[name].n_features
        print(f"\nlandscape, {name}: {scoring.n_activations(path):,} activations, {n_features:,} features")
        floor = scoring.measure(scoring.read_once, path)
        found = {
            "shapes of two SAEs": scoring.measure(shapes, path),
            "co-activation": scoring.measure(coactivation, path),
            "co-activation and matches": scoring.measure(matches, path),
            "map of directions": scoring.measure(lay_out, n_features),
        }
        print(scoring.row("read once, both SAEs", floor))
        for what, cost in found.items():
            ratio = f"{cost.wall / floor.wall:6.1f} reads"
            print(f"{scoring.row(what, cost)} {ratio} (at most {MAX_SECONDS:.0f} s at 20M)", flush=True)
        if not options.keep:
            shutil.rmtree(path.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
