"""The planner and the catalogue on a simulated lake of many parts, which hold next to nothing.

Each part is a real Parquet file of a hundred short proteins with one activation each, registered in as
many folders as publishes of a long encoding leave. What grows with parts, folders and proteins shows;
what grows with activations is measured by ``scoring``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.scoring import OUT, Cost, measure, row
from interplm_wh import ask, build, schema, store
from interplm_wh.build import blocks, marts, plan
from interplm_wh.build.make import parameters
from interplm_wh.encode import plan as encode_plan
from interplm_wh.encode.models import SaeRow
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction, files
from interplm_wh.store.parquet import activation_writer_options

SAE, LATER = "simulated", "later"
N_PROTEINS, LENGTH, N_FEATURES = 100, 30, 1024
CLAIMED_RESIDUES, CLAIMED_ACTIVATIONS = 32_768, 2_000_000
"""Of a part, where only cutting it into blocks is looked at."""
N_CHUNKS = 10


def proteins(first: int, last: int) -> pa.Table:
    """Short proteins of one letter, half of them valid and half test."""
    numbers = np.arange(first, last)
    n = len(numbers)
    rows = {
        "protein_id": numbers,
        "accession": [f"S{i:08d}" for i in numbers],
        "sequence": ["A" * LENGTH] * n,
        "length": np.full(n, LENGTH),
        "split": np.where(numbers % 2 == 0, "valid", "test"),
        "is_private": np.zeros(n, bool),
        "sample_key": numbers * 7919 % 2**28,
    }
    declared = schema.table("proteins").arrow
    return pa.table(
        [pa.array(rows.get(f.name, pa.nulls(n, f.type))).cast(f.type) for f in declared], schema=declared
    )


def activations(first: int) -> pa.Table:
    """One activation of each protein of a part."""
    numbers = np.arange(first, first + N_PROTEINS)
    rows = {
        "protein_id": numbers,
        "position": numbers % LENGTH + 1,
        "feature": numbers * 31 % N_FEATURES,
        "value": 0.1 + numbers % 17 / 16,
    }
    return pa.table(rows).cast(schema.table("activations").arrow)


def encodings(parts: list[tuple[int, str]]) -> pa.Table:
    """Who lies in which part."""
    first = np.repeat([start for start, _ in parts], N_PROTEINS)
    n = len(first)
    rows = {
        "protein_id": first + np.tile(np.arange(N_PROTEINS), len(parts)),
        "part": np.repeat([path for _, path in parts], N_PROTEINS),
        "n_residues": np.full(n, LENGTH),
        "n_activations": np.ones(n, np.int64),
        "dtype": np.full(n, "float32"),
        "is_halved": np.zeros(n, bool),
        "package_version": np.full(n, "0"),
    }
    return pa.table(rows).cast(schema.table("encodings").arrow)


def add_sae(tx: Transaction, name: str) -> None:
    """Register an SAE without weights."""
    tx.con.execute(
        "insert into saes by name select $sae as sae, 'simulated' as plm, 1 as layer, 'external' as "
        "architecture, $n as n_features, 'none' as input_norm, 'sae' as role, 'simulated' as source, "
        "0 as min_value, false as is_forced",
        {"sae": name, "n": N_FEATURES},
    )


def write_folder(tx: Transaction, numbers: range) -> tuple[list[Path], list[dict[str, object]]]:
    """Write the parts of one publish; returns its folders and the rows of `parts`."""
    folder, listed = tx.new_folder("activations", sae=SAE), tx.new_folder("encodings", sae=SAE)
    final = tx.staging.final_name(folder)
    for number in numbers:
        pq.write_table(
            activations(number * N_PROTEINS),
            folder / f"part-{number:06d}.parquet",
            **activation_writer_options(),
        )
    there = [(number * N_PROTEINS, f"{final}/part-{number:06d}.parquet") for number in numbers]
    pq.write_table(encodings(there), listed / "part-0.parquet", compression="zstd")
    rows = [recorded(tx, path) for one in (folder, listed) for path in sorted(one.iterdir())]
    return [folder, listed], rows


def recorded(tx: Transaction, path: Path) -> dict[str, object]:
    """Return what `parts` says of a file."""
    final = tx.staging.final_name(path.parent)
    return {
        "path": f"{final}/{path.name}",
        "table_name": final.split("/")[1],
        "sae": SAE,
        **vars(files.facts(path)),
    }


def simulate(path: Path, n_parts: int, n_folders: int) -> None:
    """Write the lake, and register all folders at once."""
    store.init(path)
    with store.write(path, command="simulate") as tx:
        folder = tx.new_folder("proteins")
        pq.write_table(proteins(0, n_parts * N_PROTEINS), folder / "part-0.parquet", compression="zstd")
        tx.append(folder)
        add_sae(tx, SAE)
        bounds = np.linspace(0, n_parts, n_folders + 1).astype(int).tolist()
        written = [write_folder(tx, range(a, b)) for a, b in itertools.pairwise(bounds)]
        rows = [
            {
                "folder": tx.staging.final_name(folder),
                "table_name": folder.parent.parent.name,
                "sae": SAE,
                "rank": rank,
                "run_id": tx.run_id,
                "is_current": True,
            }
            for rank, (folders, _) in enumerate(written)
            for folder in folders
        ]
        for name, table in (("folders", rows), ("parts", [row for _, of in written for row in of])):
            tx.con.register("given", pa.Table.from_pylist(table))
            tx.con.execute(f"insert into {quote_identifier(name)} by name from given")
            tx.con.unregister("given")
        tx.refresh_views()
        tx.publish()


def opened(path: Path) -> None:
    """Open it, as every question does."""
    store.open(path).close()


def one_protein(path: Path) -> None:
    """Ask for the activations of one protein."""
    with store.open(path) as wh:
        assert wh.sql("from activations where protein_id = 12345").num_rows == 1


def described(path: Path) -> None:
    """Describe it."""
    ask.info(path)


def planned_encoding(path: Path) -> None:
    """Plan an encoding with another SAE."""
    with store.open(path) as wh:
        assert encode_plan.plan(wh, [SaeRow(LATER, "simulated", 1, "relu", "", 0.0, is_forced=False)])


def planned_build(path: Path) -> None:
    """Plan a build, cut the activations into blocks as large as those of a real lake, and open ten chunks."""
    with store.write(path, command="plan") as tx:
        blocks.focus(tx, SAE)
        values, planner = parameters(tx.con, SAE), plan.Planner(tx.con, tx.locate)
        steps = [planner.step(mart, SAE, values) for mart in marts.ordered() if mart.is_per_block]
        assert steps
        cut = blocks.blocks(
            tx,
            SAE,
            [folder for folder, _ in plan.folders_of(tx.con, "activations", SAE)],
            block_rows=max(1, blocks.BLOCK_ROWS // CLAIMED_ACTIVATIONS) * N_PROTEINS,
            block_residues=max(1, blocks.BLOCK_RESIDUES // CLAIMED_RESIDUES) * N_PROTEINS * LENGTH,
            chunk_rows=max(1, blocks.CHUNK_ROWS // CLAIMED_ACTIVATIONS) * N_PROTEINS,
        )
        file = marts.derived()["block_proteins"]
        for chunk in cut[0].chunks[:N_CHUNKS]:
            blocks.restrict(tx, SAE, chunk)
            bound = file.bind(
                {"sae": SAE, "first_protein": chunk.first_protein, "last_protein": chunk.last_protein}
            )
            assert len(tx.con.execute(file.sql, bound).fetchall()) == chunk.n_rows


def published(path: Path) -> None:
    """Publish without a change."""
    with store.write(path, command="publish") as tx:
        tx.publish()


def built(path: Path) -> None:
    """Build every table; the second time there is nothing to do."""
    build.build(path)


def extended(path: Path) -> None:
    """Register one part more, of proteins that are new."""
    with store.write(path, command="append") as tx:
        (n,) = tx.con.execute("select max(protein_id) + 1 from proteins").fetchall()[0]
        folder = tx.new_folder("proteins")
        new = proteins(n, n + N_PROTEINS)
        pq.write_table(new, folder / "part-0.parquet", compression="zstd")
        tx.append(folder)
        for one in write_folder(tx, range(n // N_PROTEINS, n // N_PROTEINS + 1))[0]:
            tx.append(one)
        tx.publish()


WORKS: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("open", opened), ("one protein", one_protein), ("info", described),
    ("plan an encoding", planned_encoding), ("plan a build", planned_build), ("publish", published),
    ("append a part", extended),
    ("build", built), ("build again", built), ("append a part, built", extended),
    ("build what is new", built), ("info, built", described),
)  # fmt: skip


def size_of(path: Path) -> int:
    """Return the bytes of the catalogue."""
    return (path / "warehouse.duckdb").stat().st_size


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lake", description=__doc__)
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--folders", type=int, help="a tenth of the parts by default")
    parser.add_argument("--works", nargs="*", choices=[name for name, _ in WORKS])
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    n_folders = options.folders or max(1, options.parts // 10)
    path = OUT / f"lake-{options.parts}-{n_folders}"
    print(
        f"{os.cpu_count()} cores; {options.parts:,} parts in {n_folders:,} folders, "
        f"{options.parts * N_PROTEINS:,} proteins",
        flush=True,
    )
    if not path.exists():
        started = time.perf_counter()
        partial = path.with_name(f"{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        cost: Cost = measure(simulate, partial, options.parts, n_folders)
        partial.rename(path)
        print(row(f"simulated in {time.perf_counter() - started:.0f} s", cost), flush=True)
    for name, work in WORKS:
        if options.works is None or name in options.works:
            print(row(name, measure(work, path)), flush=True)
    print(f"  the catalogue has {size_of(path) / 1e6:.1f} MB")
    if not options.keep:
        shutil.rmtree(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
