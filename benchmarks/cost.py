"""What a build costs, as a model of activations and residues: fitted to small sizes, tried on a larger one.

    seconds of CPU, bytes = fixed + a · activations + r · residues

Sizes differ in how many features are active on a residue, so that the two can be told apart; features,
concepts and lengths are those of all sizes. What was measured is kept as JSON, from which the tables can be
printed again.

    python -m benchmarks.cost [--engines duckdb spark] [--fit SIZE …] [--held-back SIZE] [--tables]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from benchmarks import generate, scoring
from benchmarks.memory import children_peak_gb
from benchmarks.scoring import OUT
from interplm_wh import build, store

# In smaller ones the tables of features and concepts are not full yet, and grow faster than later.
FIT, HELD_BACK = ("thin-16M", "20M", "60M"), "192M"
KEPT = OUT / "cost.json"
LOCAL = "local[2]"
SWISS_PROT = "Swiss-Prot, one layer"
RESIDUES_OF_A_PART = 32_768
CHUNK_ROWS = 12_000_000
# Residues and activations: Swiss-Prot as encoded by ESM-2 650M, UniRef50 of 60 M proteins at 60 a residue.
LAKES = {
    SWISS_PROT: (204_000_000, 12_000_000_000),
    "Swiss-Prot, 33 layers": (33 * 204_000_000, 33 * 12_000_000_000),
    "UniRef50, one layer": (17_000_000_000, 1_000_000_000_000),
    "UniRef50, 33 layers": (33 * 17_000_000_000, 33 * 1_000_000_000_000),
}


@dataclass(frozen=True)
class Measured:
    """One build of every table.

    Attributes
    ----------
    engine, size : str
    n_residues, n_activations : int
    wall, cpu : float
        Seconds; `cpu` of all threads, and of Spark's Java.
    peak_gb : float
        Resident memory of the process; with Spark of its Java.
    n_bytes, n_files : int
        Of the tables that the build made.
    lake_bytes : int
        Of `activations`.
    shuffle_bytes : int
        What Spark wrote for others of its tasks to read.
    """

    engine: str
    size: str
    n_residues: int
    n_activations: int
    wall: float
    cpu: float
    peak_gb: float
    n_bytes: int
    n_files: int
    lake_bytes: int
    shuffle_bytes: int


def _build(path: Path, engine: str, told: Path) -> None:
    """Build, and leave behind what it took."""
    before, started = _cpu(), time.perf_counter()
    build.build(path, engine=engine, **({"master": LOCAL} if engine == "spark" else {}))
    told.write_text(json.dumps([time.perf_counter() - started, _cpu() - before, children_peak_gb()]))


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(engine: str, size: str) -> Measured:
    """Build a size anew on an engine."""
    path = scoring.prepare(size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spark-defaults.conf").write_text(
            f"spark.eventLog.enabled true\nspark.eventLog.dir {folder.as_uri()}\n"
            "spark.eventLog.compress false\n"
        )
        os.environ["SPARK_CONF_DIR"] = name
        scoring.measure(_build, path, engine, folder / "told.json")
        wall, cpu, peak = json.loads((folder / "told.json").read_text())
        shuffled = sum(_shuffled(folder.rglob("events*")) if engine == "spark" else ())
    with store.open(path) as wh:
        rows = wh.sql(
            "select table_name, count(*) as n_files, sum(n_bytes)::bigint as n_bytes from parts group by all"
        ).to_pylist()
        (residues,) = wh.sql("select sum(n_residues)::bigint as n from encodings")["n"].to_pylist()
    made = [row for row in rows if row["table_name"] not in (*scoring.LINKED, "activations", "encodings")]
    found = Measured(
        engine=engine,
        size=size,
        n_residues=residues,
        n_activations=scoring.n_activations(path),
        wall=wall,
        cpu=cpu,
        peak_gb=peak,
        n_bytes=sum(row["n_bytes"] for row in made),
        n_files=sum(row["n_files"] for row in made),
        lake_bytes=sum(row["n_bytes"] for row in rows if row["table_name"] == "activations"),
        shuffle_bytes=shuffled,
    )
    shutil.rmtree(path)
    return found


def _shuffled(logs: Iterable[Path]) -> Iterable[int]:
    for log in logs:
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["Event"] == "SparkListenerTaskEnd":
                    written = event.get("Task Metrics", {}).get("Shuffle Write Metrics", {})
                    yield written.get("Shuffle Bytes Written", 0)


@dataclass(frozen=True)
class Model:
    """fixed + a · millions of activations + r · millions of residues."""

    fixed: float
    a: float
    r: float

    def at(self, n_residues: float, n_activations: float) -> float:
        """Return what it says for a size."""
        return self.fixed + self.a * n_activations / 1e6 + self.r * n_residues / 1e6


def fit(found: Sequence[Measured], what: str) -> Model:
    """Fit non-negative terms to one measure, each size counting alike (relative errors)."""
    rows = np.array([[1.0, m.n_activations / 1e6, m.n_residues / 1e6] for m in found])
    values = np.array([float(getattr(m, what)) for m in found])
    if not values.all():
        return Model(0.0, 0.0, 0.0)
    terms, _ = nnls(rows / values[:, None], np.ones(len(values)))
    return Model(*map(float, terms))


WHAT = {
    "cpu": ("CPU s", 1.0),
    "wall": ("wall s", 1.0),
    "n_bytes": ("tables MB", 1e-6),
    "lake_bytes": ("activations MB", 1e-6),
    "shuffle_bytes": ("shuffle MB", 1e-6),
}


def tables(found: Sequence[Measured], *, held_back: str) -> list[str]:
    """Return the measurements, the models, what they say of the size held back, and of large lakes."""
    lines = ["| engine | size | M residues | M activations | wall s | CPU s | peak GB | tables MB | files |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {m.engine} | {m.size} | {m.n_residues / 1e6:.2f} | {m.n_activations / 1e6:.1f} | {m.wall:.1f} "
        f"| {m.cpu:.1f} | {m.peak_gb:.2f} | {m.n_bytes / 1e6:.1f} | {m.n_files} |"
        for m in found
    ]
    lines += [
        "",
        "| engine | measure | fixed | per M activations | per M residues | held back: said | measured |",
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    models: dict[tuple[str, str], Model] = {}
    for engine in dict.fromkeys(m.engine for m in found):
        of_engine = [m for m in found if m.engine == engine]
        (large,) = [m for m in of_engine if m.size == held_back] or [None]
        for what, (title, unit) in WHAT.items():
            model = fit([m for m in of_engine if m.size != held_back], what)
            models[engine, what] = model
            if not any(asdict(model).values()):
                continue
            said = measured = ""
            if large is not None:
                guess, there = model.at(large.n_residues, large.n_activations), float(getattr(large, what))
                said, measured = (
                    f"{guess * unit:.1f} ({100 * (guess / there - 1):+.0f} %)",
                    f"{there * unit:.1f}",
                )
            lines.append(
                f"| {engine} | {title} | {model.fixed * unit:.2f} | {model.a * unit:.3f} "
                f"| {model.r * unit:.3f} | {said} | {measured} |"
            )
    lines += ["", "| lake | engine | core-hours | activations TB | tables TB | shuffle TB | parts |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, (residues, activations) in LAKES.items():
        for engine in dict.fromkeys(m.engine for m in found):
            cpu, n_bytes, lake, shuffle = (
                models[engine, what].at(residues, activations)
                for what in ("cpu", "n_bytes", "lake_bytes", "shuffle_bytes")
            )
            lines.append(
                f"| {name} | {engine} | {cpu / 3600:,.1f} | {lake / 1e12:.2f} | {n_bytes / 1e12:.3f} "
                f"| {shuffle / 1e12:.2f} | {residues / RESIDUES_OF_A_PART:,.0f} |"
            )
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Measure what is not measured yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--engines", nargs="*", default=["duckdb", "spark"], choices=["duckdb", "spark"])
    parser.add_argument("--fit", nargs="*", default=list(FIT), choices=list(generate.SIZES))
    parser.add_argument("--held-back", default=HELD_BACK, choices=list(generate.SIZES))
    parser.add_argument("--tables", action="store_true", help="print what was measured before")
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    OUT.mkdir(exist_ok=True)
    known = [Measured(**one) for one in json.loads(KEPT.read_text())] if options.tables else []
    if not options.tables:
        for size in (*options.fit, options.held_back):
            for engine in options.engines:
                known.append(measure(engine, size))
                KEPT.write_text(json.dumps([asdict(m) for m in known]))
                print(f"{engine} {size}: {known[-1].wall:.0f} s", file=sys.stderr, flush=True)
            if not options.keep:
                shutil.rmtree(OUT / size)
    print(f"{os.cpu_count()} cores\n")
    print("\n".join(tables(known, held_back=options.held_back)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
