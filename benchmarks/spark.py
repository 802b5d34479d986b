"""A build on Spark beside one on DuckDB, and two workers beside one.

Each build runs in a process of its own, from the same Parquet, and makes every table. Spark's share of
starting is told apart. Workers are those of a standalone cluster on this machine, one core each, so that
two of them have twice the cores of one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import generate, scoring
from interplm_wh import build
from interplm_wh.spark.session import session
from tests import spark_tables
from tests.spark_cluster import cluster

N_CORES = 2
EXECUTOR_MEMORY = "2g"


def on_duckdb(path: Path) -> None:
    """Build on two cores, as Spark has them."""
    _two_cores()
    build.build(path)


def on_spark(path: Path, master: str) -> None:
    """Build on Spark."""
    if master.startswith("local"):
        _two_cores()
    with session(master, settings={"spark.executor.memory": EXECUTOR_MEMORY}):
        build.build(path, engine="spark", master=master)


def started(path: Path, master: str) -> None:
    """Start Spark, look through the SQL, find that there is nothing to do, and end."""
    on_spark(path, master)


def _two_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])


def fresh(source: Path, folder: Path) -> Path:
    """Return a copy of a warehouse that is still to be built."""
    target = folder / "w"
    shutil.rmtree(target, ignore_errors=True)
    return spark_tables.unbuilt(source, target)


def beside_duckdb(name: str, folder: Path, n_rounds: int) -> list[str]:
    """Compare Spark on two cores of this machine with DuckDB on the same."""
    source = scoring.prepare(name)
    master = f"local[{N_CORES}]"
    found: dict[str, list[scoring.Cost]] = {"DuckDB": [], f"Spark {master}": []}
    for _ in range(n_rounds):
        ours = fresh(source, folder)
        found["DuckDB"].append(scoring.measure(on_duckdb, ours))
        theirs = folder / "theirs"
        shutil.rmtree(theirs, ignore_errors=True)
        spark_tables.unbuilt(source, theirs)
        found[f"Spark {master}"].append(scoring.measure(on_spark, theirs, master))
        spark_tables.assert_same_tables(ours, theirs, filled=False)
    alone = scoring.measure(started, folder / "theirs", master)
    middle = {what: statistics.median(cost.wall for cost in costs) for what, costs in found.items()}
    lines = [f"  {what:<28}{wall:8.1f} s" for what, wall in middle.items()]
    ratio = middle[f"Spark {master}"] / middle["DuckDB"]
    return [
        *lines,
        f"  {'of which to start':<28}{alone.wall:8.1f} s",
        f"  Spark takes {ratio:.1f} times DuckDB's wall on {N_CORES} cores: the price of distribution; "
        "every table is the same",
    ]


def beside_one_worker(name: str, folder: Path) -> list[str]:
    """Compare two workers of one core each with one."""
    source = scoring.prepare(name)
    walls = []
    for n_workers in (1, 2):
        place = Path(tempfile.mkdtemp(dir=folder))
        path = fresh(source, folder)
        with cluster(place, n_workers=n_workers, memory=EXECUTOR_MEMORY) as running:
            before = time.perf_counter()
            scoring.measure(on_spark, path, running.master)
            walls.append(time.perf_counter() - before)
    one, two = walls
    return [
        f"  {'one worker of one core':<28}{one:8.1f} s",
        f"  {'two workers of one core':<28}{two:8.1f} s",
        f"  two workers are {one / two:.2f} times as fast as one; the driver and they share "
        f"{os.cpu_count()} cores",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["6M", "20M"], choices=list(generate.SIZES))
    parser.add_argument("--workers", default="6M", choices=list(generate.SIZES), help="size for the cluster")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="spark-", dir=scoring.OUT.parent) as name:
        folder = Path(name).resolve()
        for size in options.sizes:
            n_rows = scoring.n_activations(scoring.prepare(size))
            print(f"\nSpark, {size}: {n_rows:,} activations, every table", flush=True)
            print("\n".join(beside_duckdb(size, folder, options.rounds)), flush=True)
        print(f"\nSpark on a standalone cluster, {options.workers}", flush=True)
        print("\n".join(beside_one_worker(options.workers, folder)), flush=True)
    if not options.keep:
        for size in {*options.sizes, options.workers}:
            shutil.rmtree(scoring.OUT / size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
