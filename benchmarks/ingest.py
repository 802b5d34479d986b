"""How long a Swiss-Prot-sized export takes to get in, and how much memory.

The export is made from the real entries of the reference data by repeating them under new
accessions. Each step runs in a process of its own, whose peak memory is measured.

    python -m benchmarks.ingest [--entries N] [--source EXPORT.tsv.gz]
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import multiprocessing.connection
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import peak_gb
from interplm_wh import store
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins

SWISS_PROT_ENTRIES = 570_000
MEMORY_LIMIT_GB = 4.0
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "uniprot_real_158.tsv.gz"


@dataclass(frozen=True)
class Step:
    """One measured command.

    Attributes
    ----------
    name : str
    seconds : float
        Wall time.
    cpu_seconds : float
    peak_gb : float
        Largest resident set of its process, in GB (1e9 bytes).
    rows : int
        What it wrote: proteins, or rows of annotations.
    """

    name: str
    seconds: float
    cpu_seconds: float
    peak_gb: float
    rows: int


def make_export(source: Path, target: Path, *, n_entries: int) -> Path:
    """Write an export of `n_entries` by repeating the entries of another under new accessions."""
    with gzip.open(source, "rt", encoding="utf-8", newline="\n") as handle:
        header, *lines = handle.read().rstrip("\n").split("\n")
    place = header.split("\t").index("Entry")
    entries = [line.split("\t") for line in lines]
    with gzip.open(target, "wt", encoding="utf-8", newline="\n", compresslevel=1) as out:
        out.write(header + "\n")
        for number in range(n_entries):
            fields = entries[number % len(entries)]
            out.write("\t".join([*fields[:place], f"S{number:07d}", *fields[place + 1 :]]) + "\n")
    return target


def _proteins(warehouse: Path, export: Path) -> int:
    return add_proteins(warehouse, [export]).n_added


def _annotations(warehouse: Path, export: Path) -> int:
    return add_annotations(warehouse, [export]).n_annotations


STEPS: dict[str, Callable[[Path, Path], int]] = {
    "add proteins": _proteins,
    "add annotations": _annotations,
}


def _child(name: str, warehouse: Path, export: Path, sender: multiprocessing.connection.Connection) -> None:
    started, cpu = time.perf_counter(), time.process_time()
    rows = STEPS[name](warehouse, export)
    sender.send(Step(name, time.perf_counter() - started, time.process_time() - cpu, peak_gb(), rows))


def measure(name: str, warehouse: Path, export: Path) -> Step:
    """Run one step in a fresh process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, warehouse, export, sender))
    process.start()
    sender.close()
    try:
        step: Step = receiver.recv()
    except EOFError:
        raise SystemExit(f"{name} failed; its error stands above") from None
    finally:
        process.join()
    return step


def run(*, source: Path = REAL, n_entries: int = SWISS_PROT_ENTRIES) -> list[Step]:
    """Make the export in a temporary folder and measure both commands."""
    with tempfile.TemporaryDirectory(prefix="interplm-wh-bench-") as folder:
        export = make_export(source, Path(folder) / "export.tsv.gz", n_entries=n_entries)
        warehouse = store.init(Path(folder) / "warehouse")
        return [measure(name, warehouse, export) for name in STEPS]


def lines(steps: list[Step], *, n_entries: int) -> list[str]:
    """Say it as a Markdown table."""
    rows = [
        f"| {s.name} | {s.rows:,} | {s.seconds:.0f} | {s.cpu_seconds:.0f} | {s.peak_gb:.2f} | "
        f"{n_entries / s.seconds:,.0f} |"
        for s in steps
    ]
    return [
        f"{n_entries:,} entries (gzip TSV)",
        "",
        "| command | rows written | wall s | CPU s | peak GB | entries/s |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a step needs more memory than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--entries", type=int, default=SWISS_PROT_ENTRIES)
    parser.add_argument("--source", type=Path, default=REAL, help="export whose entries are repeated")
    options = parser.parse_args(arguments)
    if not options.source.is_file():
        parser.error(f"there is no {options.source}; pass --source with a gzipped UniProtKB export")
    steps = run(source=options.source, n_entries=options.entries)
    print("\n".join(lines(steps, n_entries=options.entries)))
    return int(any(step.peak_gb > MEMORY_LIMIT_GB for step in steps))


if __name__ == "__main__":
    sys.exit(main())
