"""Concept scores, statistics and examples against scipy and against one read of the activations.

Each measurement runs in a process of its own, so that its peak memory is its own; rounds alternate,
and medians are reported. What counts is the ratios within one run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import generate, yardstick
from benchmarks.memory import peak_gb
from interplm_wh import build, store
from interplm_wh.build import blocks, marts, plan
from interplm_wh.build.make import DuckDB, finish, parameters
from interplm_wh.progress import track
from interplm_wh.store import Transaction

OUT = Path(__file__).resolve().parent / "out"
SAE = generate.SAE
CONCEPTS = ("concept_bands", "source_firing", "concept_support")
STATISTICS = (
    "protein_features", "feature_stats", "feature_amino_acids", "activation_histogram", "max_examples",
    "quantile_examples",
)  # fmt: skip
FLOOR = "select sum(protein_id), sum(position), sum(feature), sum(value) from activations"
# Larger ones do not fit into the memory of a laptop as scipy matrices.
AGAINST_SCIPY = ("6M", "20M")
SIZES = ("6M", "20M", "60M", "192M")
MAX_ROUNDS = {"60M": 3, "192M": 3}
LINKED = ("proteins", "annotations", "coverage")


@dataclass(frozen=True)
class Cost:
    """What one piece of work took: wall and CPU seconds, and peak memory in GB."""

    wall: float
    cpu: float
    peak_gb: float


def prepare(name: str) -> Path:
    """Return a warehouse of one size with its scale built and nothing else."""
    source = generate.ensure(OUT, name)
    path = source / "warehouse"
    if path.exists():
        return path
    store.init(path)
    with store.write(path, command="benchmark") as tx:
        for table in LINKED:
            folder = tx.new_folder(table)
            os.link(source / f"{table}.parquet", folder / "part-0.parquet")
            tx.append(folder, source=generate.SOURCE if table != "proteins" else None)
        tx.con.execute("delete from concepts")
        tx.con.execute(
            "insert into concepts by name from read_parquet(?)", [str(source / "concepts.parquet")]
        )
        link_activations(tx, source)
        tx.publish()
    build.build(path, select=["features"])
    return path


def link_activations(
    tx: Transaction, source: Path, *, sae: str = SAE, role: str = "sae", n_parts: int | None = None
) -> None:
    """Register an SAE with the generated activations, or with those of its first parts alone."""
    n_features = generate.SIZES[source.name].n_features
    tx.con.execute(
        "insert into saes by name select $sae as sae, 'benchmark' as plm, 1 as layer, "
        "'external' as architecture, $n as n_features, 'none' as input_norm, $role as role, "
        "'benchmark' as source, 0 as min_value, false as is_forced",
        {"sae": sae, "role": role, "n": n_features},
    )
    folder = tx.new_folder("activations", sae=sae)
    parts = sorted((source / "activations").glob("*.parquet"))[:n_parts]
    for part in parts:
        os.link(part, folder / part.name)
    tx.append(folder)
    encodings = tx.new_folder("encodings", sae=sae)
    tx.write_query(
        encodings,
        "select * replace ($folder || '/' || part as part) from read_parquet($file) where part <= $last",
        {
            "folder": tx.staging.final_name(folder),
            "file": str(source / "encodings.parquet"),
            "last": parts[-1].name,
        },
    )
    tx.append(encodings)


def make_marts(path: Path, names: Sequence[str]) -> None:
    """Make some marts as a build does, up to the Parquet files, without publishing them."""
    with store.write(path, command="benchmark") as tx, track("counting") as bar:
        blocks.focus(tx, SAE)
        values = parameters(tx.con, SAE)
        chosen = [mart for mart in marts.ordered() if mart.name in names]
        planner = plan.Planner(tx.con, tx.locate)
        steps = [planner.step(mart, SAE, values) for mart in chosen if mart.is_per_block]
        if any(step.action != "rebuild" for step in steps):
            raise SystemExit(f"{path} has tables already, so that there is nothing to measure; remove it")
        engine = DuckDB()
        written = engine.count_blocks(tx, steps, values, bar)
        for mart in chosen:
            step = planner.step(mart, SAE, values)
            finish(tx, planner, step, values, written.get(mart.name, ()), engine=engine)
            blocks.focus(tx, SAE, only=[mart.name])


def read_once(path: Path) -> None:
    """Read the four columns of all activations."""
    with store.open(path) as wh:
        wh.sql(FLOOR)


def scipy_concepts(path: Path) -> None:
    """Count concepts by scipy."""
    yardstick.concept_scores(path.parent)


def scipy_statistics(path: Path) -> None:
    """Count presence and choose examples by numpy."""
    yardstick.statistics_and_examples(path.parent)


def _child(work: Callable[..., None], arguments: tuple[object, ...], sender: object) -> None:
    before, start = _cpu(), time.perf_counter()
    work(*arguments)
    wall, cpu = time.perf_counter() - start, _cpu() - before
    sender.send(Cost(wall, cpu, peak_gb()))  # type: ignore[attr-defined]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(work: Callable[..., None], *arguments: object) -> Cost:
    """Run a piece of work in a fresh process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, arguments, sender))
    process.start()
    sender.close()
    try:
        cost: Cost = receiver.recv()
    except EOFError:
        raise SystemExit(f"{work.__name__} failed; its error stands above") from None
    finally:
        process.join()
    return cost


def rounds(works: dict[str, tuple[Callable[..., None], tuple[object, ...]]], n: int) -> dict[str, Cost]:
    """Measure some works `n` times in turn and return the medians, and the highest peak."""
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in range(n):
        for name, (work, arguments) in works.items():
            costs[name].append(measure(work, *arguments))
    return {
        name: Cost(
            statistics.median(c.wall for c in found),
            statistics.median(c.cpu for c in found),
            max(c.peak_gb for c in found),
        )
        for name, found in costs.items()
    }


def one_feature(path: Path) -> float:
    """Return the median milliseconds of one feature's examples."""
    taken: list[float] = []
    with store.open(path) as wh:
        for feature in range(0, 2000, 100):
            start = time.perf_counter()
            rows = wh.sql("from feature_examples($sae, $feature)", {"sae": SAE, "feature": feature}).num_rows
            taken.append(time.perf_counter() - start)
            assert rows == 10
    return 1000 * statistics.median(taken)


def n_activations(path: Path) -> int:
    """Return the number of activations of a warehouse."""
    with store.open(path) as wh:
        (n,) = wh.sql("select sum(n_activations)::bigint as n from encodings")["n"].to_pylist()
    return int(n)


def storage(path: Path) -> list[str]:
    """Describe what a built warehouse takes on disk."""
    with store.open(path) as wh:
        parts = wh.sql(
            "select table_name, sum(n_bytes)::bigint as n_bytes from parts where sae is not null group by all"
        ).to_pylist()
    n = n_activations(path)
    size = {row["table_name"]: row["n_bytes"] / n for row in parts}
    both = size["activations"] + size["protein_features"]
    return [
        f"  bytes per activation: activations {size['activations']:.2f}, with protein_features {both:.2f}, "
        f"with every table {sum(size.values()):.2f} (at most 7)"
    ]


def n_different(path: Path) -> int:
    """Count the cells in which a built warehouse and scipy differ, over all concepts and thresholds."""
    theirs = yardstick.concept_scores(path.parent)
    n = 0
    with store.open(path) as wh:
        for split, of_split in theirs.tp.items():
            for rank, tp in enumerate(of_split):
                found = wh.sql(
                    "select concept_id, feature, tp, coalesce(tp_per_domain, 0) as tp_per_domain "
                    "from concept_counts where sae = $sae and split = $split and threshold = $threshold",
                    {"sae": SAE, "split": split, "threshold": yardstick.THRESHOLDS[rank]},
                )
                at = found["concept_id"].to_numpy(), found["feature"].to_numpy()
                for name, cells in (("tp", tp), ("tp_per_domain", theirs.tp_per_domain[split][rank])):
                    ours = np.zeros_like(cells)
                    ours[at] = found[name].to_numpy()
                    n += int((ours != cells).sum())
    return n


def row(name: str, cost: Cost) -> str:
    """Return one line of a table of costs."""
    return f"  {name:<28} {cost.wall:8.2f} s wall {cost.cpu:8.2f} s CPU {cost.peak_gb:6.2f} GB"


def small(name: str, n_rounds: int) -> tuple[list[str], Cost]:
    """Compare with scipy; returns the lines and the cost of the concepts."""
    path = prepare(name)
    works: dict[str, tuple[Callable[..., None], tuple[object, ...]]] = {
        "read once": (read_once, (path,)),
        "concepts, scipy": (scipy_concepts, (path,)),
        "concepts, SQL": (make_marts, (path, CONCEPTS)),
        "statistics, scipy": (scipy_statistics, (path,)),
        "statistics, SQL": (make_marts, (path, STATISTICS)),
    }
    found = rounds(works, n_rounds)
    lines = [f"medians of {n_rounds} rounds", *(row(k, v) for k, v in found.items())]
    for kind, limit in (("concepts", 0.5), ("statistics", 0.4)):
        ours, theirs = found[f"{kind}, SQL"], found[f"{kind}, scipy"]
        lines.append(
            f"  {kind}: {ours.wall / theirs.wall:.2f} of scipy's wall, "
            f"{ours.cpu / theirs.cpu:.2f} of its CPU (at most {limit} at 6M)"
        )
    return lines, found["concepts, SQL"]


def large(name: str, n_rounds: int) -> tuple[list[str], Cost]:
    """Compare with one read of the activations; returns the lines and the cost of the concepts."""
    path = prepare(name)
    found = rounds({"read once": (read_once, (path,)), "concepts": (make_marts, (path, CONCEPTS))}, n_rounds)
    lines = [f"medians of {n_rounds} rounds", *(row(k, v) for k, v in found.items())]
    ratio = found["concepts"].wall / found["read once"].wall
    lines.append(f"  concepts: {ratio:.1f} times one read (at most 12), peak at most 2.5 GB")
    return lines, found["concepts"]


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(generate.SIZES))
    parser.add_argument("--rounds", type=int, default=5, help="rounds; at most 3 at 60M and 192M")
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores; generated activations come in runs along the sequence")
    for name in options.sizes:
        size = generate.SIZES[name]
        print(
            f"\n{name}: {size.n_residues:,} residues, {size.n_features:,} features, "
            f"{size.n_concepts} concepts and {generate.N_LETTERS} letters, "
            f"{size.labels_per_residue} labels per residue"
        )
        compare = small if name in AGAINST_SCIPY else large
        lines, cost = compare(name, min(options.rounds, MAX_ROUNDS.get(name, options.rounds)))
        print("\n".join(lines))
        n_rows = n_activations(prepare(name))
        print(f"  concepts: {1e6 * cost.wall / n_rows:.3f} s a million activations", flush=True)
        path = prepare(name)
        whole = measure(build_all, path)
        print(row("build of every table", whole))
        if name in AGAINST_SCIPY:
            print(f"  counts that differ from scipy's: {n_different(path)}")
        print("\n".join(storage(path)))
        print(f"  one feature's examples: {one_feature(path):.0f} ms (at most 50)", flush=True)
        shutil.rmtree(path if options.keep else OUT / name)
    return 0


def build_all(path: Path) -> None:
    """Bring every table up to date."""
    build.build(path)


if __name__ == "__main__":
    sys.exit(main())
