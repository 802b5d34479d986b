"""``python -m benchmarks [NAME]...``: those named in `ALL` or `LARGE`; all of `ALL` by default."""

from __future__ import annotations

import sys

from benchmarks import (
    append,
    cost,
    encoding,
    encoding_cost,
    evidence,
    ingest,
    lake,
    landscape,
    large,
    pages,
    scoring,
    spark,
    steering,
    structures,
    training,
    variants,
    workers,
)

ALL = {
    "scoring": scoring.main, "encoding": encoding.main, "ingest": ingest.main, "training": training.main,
    "evidence": evidence.main, "landscape": landscape.main, "structures": structures.main,
    "steering": steering.main, "variants": variants.main, "workers": workers.main, "spark": spark.main,
    "lake": lake.main, "pages": pages.main,
}  # fmt: skip
# Hours, and tens of gigabytes of disk: `make bench-large`.
LARGE = {"append": append.main, "cost": cost.main, "encoding-cost": encoding_cost.main, "large": large.main}


def main(names: list[str]) -> int:
    """Run the benchmarks that are named."""
    known = ALL | LARGE
    if unknown := set(names) - set(known):
        print(
            f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}",
            file=sys.stderr,
        )
        return 2
    return max([known[name]([]) for name in (names or ALL)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
