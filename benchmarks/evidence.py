"""Intervals and both nulls for a thousand pairs: as they are, and where no pair ends its draws early.

The generated features have nothing to do with the generated spans, so that chance soon does as well as
they do. What is far from chance takes every draw, twenty for each pair: the second figure is that case,
for all thousand pairs at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from benchmarks import generate, scoring
from interplm_wh import build, store
from interplm_wh.build import plan
from interplm_wh.evidence import draws, score

N_PAIRS, LIMIT_SECONDS = 1000, 120
BEST = """
select
    f.concept, f.feature, f.threshold, f.f1_per_domain as valid_f1_per_domain, f.precision as valid_precision,
    f.recall_per_domain as valid_recall_per_domain, coalesce(t.f1_per_domain, 0) as test_f1_per_domain,
    coalesce(t.precision, 0) as test_precision, coalesce(t.recall_per_domain, 0) as test_recall_per_domain,
    row_number() over (partition by f.concept order by f.f1_per_domain desc, f.feature) = 1 as is_best,
    true as is_testable, false as is_found
from (
    from concept_f1 where split = 'valid' and not starts_with(concept, 'amino_acid')
    qualify row_number() over (partition by concept, feature order by f1_per_domain desc, threshold) = 1
) as f
left join concept_f1 as t on t.split = 'test' and f.concept = t.concept
    and f.feature = t.feature and f.threshold = t.threshold
qualify row_number() over (order by f.f1_per_domain desc, f.concept, f.feature) <= $n
"""


def prepare(name: str) -> Path:
    """Return a built warehouse that has the best thousand pairs for its held-out ones."""
    path = scoring.prepare(name)
    build.build(path)
    with store.write(path, command="benchmark") as tx:
        ((_, made),) = plan.folders_of(tx.con, "heldout_pairs", scoring.SAE)
        folder = tx.new_folder("heldout_pairs", sae=scoring.SAE)
        tx.write_query(folder, BEST, {"n": N_PAIRS})
        tx.replace("heldout_pairs", [folder], sae=scoring.SAE, fingerprint=made)
        tx.publish()
    return path


def weigh(path: Path) -> None:
    """Weigh all pairs."""
    score(path)


def weigh_with_every_draw(path: Path) -> None:
    """Weigh all pairs, none of which ends its draws early."""
    draws.draw.__kwdefaults__["enough"] = sys.maxsize
    score(path)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["6M"], choices=list(generate.SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    for name in options.sizes:
        path = prepare(name)
        print(f"{os.cpu_count()} cores; {name}: {N_PAIRS:,} pairs, 1,000 resamples, both nulls")
        works = {"as they are": (weigh, (path,)), "every draw": (weigh_with_every_draw, (path,))}
        for what, cost in scoring.rounds(works, options.rounds).items():
            print(
                f"  {what:<28} {cost.wall:8.2f} s wall {cost.cpu:8.2f} s CPU {cost.peak_gb:6.2f} GB "
                f"(at most {LIMIT_SECONDS} s)",
                flush=True,
            )
        if not options.keep:
            shutil.rmtree(scoring.OUT / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
