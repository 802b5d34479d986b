"""A build of a billion activations, beside one of a fifth of them: time no worse than linear, under 6 GB.

python -m benchmarks.large [--sizes SIZE SIZE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from benchmarks import generate, scoring
from benchmarks.scoring import OUT

LIMIT_GB = 6.0
NOISE = 1.1
"""What a ratio of two single runs may be off by."""


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where memory or time is above what is asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--sizes", nargs=2, default=["192M", "1G"], choices=list(generate.SIZES))
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores; build of every table, one run each", flush=True)
    costs, sizes = [], []
    for name in options.sizes:
        path = scoring.prepare(name)
        sizes.append(scoring.n_activations(path))
        costs.append(scoring.measure(scoring.build_all, path))
        print(scoring.row(f"{sizes[-1]:,} activations", costs[-1]), flush=True)
        print("\n".join(scoring.storage(path)), flush=True)
        shutil.rmtree(path if options.keep else OUT / name)
    small, large = costs
    share = (large.wall / small.wall) / (sizes[1] / sizes[0])
    cpu = (large.cpu / small.cpu) / (sizes[1] / sizes[0])
    print(
        f"  a million activations takes {share:.2f} times as long as in the smaller one, {cpu:.2f} times the "
        f"CPU (at most 1); peak {large.peak_gb:.1f} GB (below {LIMIT_GB:g})"
    )
    return int(share > NOISE or large.peak_gb >= LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main())
