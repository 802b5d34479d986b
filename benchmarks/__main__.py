"""``python -m benchmarks [NAME]...``: those named in `ALL`; all of them by default."""

from __future__ import annotations

import sys

from benchmarks import (
    encoding,
    evidence,
    ingest,
    landscape,
    pages,
    scoring,
    steering,
    structures,
    training,
    variants,
    workers,
)

ALL = {
    "scoring": scoring.main, "encoding": encoding.main, "ingest": ingest.main, "training": training.main,
    "evidence": evidence.main, "landscape": landscape.main, "structures": structures.main,
    "steering": steering.main, "variants": variants.main, "workers": workers.main, "pages": pages.main,
}  # fmt: skip


def main(names: list[str]) -> int:
    """Run the benchmarks that are named."""
    if unknown := set(names) - set(ALL):
        print(
            f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}", file=sys.stderr
        )
        return 2
    return max([ALL[name]([]) for name in (names or ALL)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
