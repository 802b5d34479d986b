"""What is added beside a full build: 1 % more proteins, another concept set, another layer.

python -m benchmarks.append [--size SIZE] [--engines duckdb spark]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import generate
from benchmarks.scoring import OUT, SAE, Cost, link_activations, measure, n_activations, prepare, row
from interplm_wh import build, store
from interplm_wh.store import Transaction
from interplm_wh.store.parquet import activation_writer_options
from interplm_wh.store.rows import value

SHARE = 0.01
NEW_SOURCE, NEW_CONCEPTS = "assay", 5
LAYER = "later"


def built(path: Path, engine: str) -> None:
    """Bring every table up to date."""
    build.build(path, engine=engine)


def add_proteins(path: Path) -> None:
    """Add 1 % of proteins with their annotations and activations, as an encoding of them would."""
    known = generate.SIZES[path.parent.name]
    size = replace(known, n_residues=int(known.n_residues * SHARE), seed=known.seed + 1)
    rng = np.random.default_rng(size.seed)
    scale = np.random.default_rng(known.seed).gamma(4.0, 0.5, size.n_features).astype(np.float32)
    sizes = generate.lengths(size, rng)
    with store.write(path, command="append") as tx:
        first = value(tx.con, "select max(protein_id) + 1 from proteins")
        after = value(tx.con, "select max(annotation_id) + 1 from annotations")
        more = generate.proteins(sizes, rng)
        more = _moved(more, {"protein_id": first})
        names = pc.replace_substring_regex(more["accession"], pattern="^Q", replacement="R")
        _keep(tx, "proteins", more.set_column(more.schema.get_field_index("accession"), "accession", names))
        spans = generate.annotations(size, sizes, rng)
        moves = {"protein_id": first, "annotation_id": after, "instance_id": after}
        _keep(tx, "annotations", _moved(spans, moves), source=generate.SOURCE)
        _keep(
            tx,
            "coverage",
            _covered(np.arange(first, first + len(sizes)), generate.SOURCE),
            source=generate.SOURCE,
        )
        _encode(tx, size, first, sizes, scale, rng)
        tx.publish()


def _encode(
    tx: Transaction,
    size: generate.Size,
    first: int,
    sizes: np.ndarray[tuple[int], np.dtype[np.int64]],
    scale: np.ndarray[tuple[int], np.dtype[np.float32]],
    rng: np.random.Generator,
) -> None:
    """Write the activations of new proteins."""
    folder, listed = tx.new_folder("activations", sae=SAE), tx.new_folder("encodings", sae=SAE)
    final, counts = tx.staging.final_name(folder), []
    for start in range(0, len(sizes), generate.PROTEINS_PER_PART):
        some = sizes[start : start + generate.PROTEINS_PER_PART]
        part = generate.activations(size, first + start, some, scale, rng)
        name = f"part-{start // generate.PROTEINS_PER_PART:05d}.parquet"
        pq.write_table(part, folder / name, **activation_writer_options())
        counts.append(np.bincount(part["protein_id"].to_numpy() - first - start, minlength=len(some)))
    rows = generate.encodings(sizes, np.concatenate(counts))
    parts = pc.binary_join_element_wise(final, rows["part"], "/")
    rows = rows.set_column(rows.schema.get_field_index("part"), "part", parts)
    pq.write_table(_moved(rows, {"protein_id": first}), listed / "part-0.parquet", compression="zstd")
    tx.append(folder)
    tx.append(listed)


def add_concepts(path: Path) -> None:
    """Add a source of five concepts that looked in every tenth protein."""
    with store.write(path, command="concepts") as tx:
        found = tx.con.execute(
            "select protein_id, length from proteins where protein_id % 10 = 0 order by protein_id"
        ).fetchnumpy()
        proteins, lengths = found["protein_id"], found["length"]
        first = value(tx.con, "select max(concept_id) + 1 from concepts")
        after = value(tx.con, "select max(annotation_id) + 1 from annotations")
        names = [f"{NEW_SOURCE}_{i}" for i in range(NEW_CONCEPTS)]
        tx.con.executemany(
            "insert into concepts by name select ?::integer as concept_id, ? as concept, "
            "'Assay' as category, 'domain' as level, ? as source",
            [[first + i, name, NEW_SOURCE] for i, name in enumerate(names)],
        )
        numbers = np.arange(len(proteins))
        rows = {
            "annotation_id": after + numbers,
            "instance_id": after + numbers,
            "protein_id": proteins,
            "concept_id": first + numbers % NEW_CONCEPTS,
            "start": np.maximum(1, lengths // 3),
            "stop": np.maximum(1, lengths // 2),
            "note": pa.nulls(len(numbers), pa.string()),
            "evidence": pa.nulls(len(numbers), pa.string()),
        }
        _keep(tx, "annotations", pa.table(rows), source=NEW_SOURCE)
        _keep(tx, "coverage", _covered(proteins, NEW_SOURCE), source=NEW_SOURCE)
        tx.publish()


def add_layer(path: Path) -> None:
    """Add another SAE with a tenth of the activations."""
    n_parts = len(list((path.parent / "activations").glob("*.parquet")))
    with store.write(path, command="layer") as tx:
        link_activations(tx, path.parent, sae=LAYER, n_parts=max(1, n_parts // 10))
        tx.publish()


def _keep(tx: Transaction, table: str, rows: pa.Table, *, source: str | None = None) -> None:
    from interplm_wh import schema

    folder = tx.new_folder(table)
    pq.write_table(rows.cast(schema.table(table).arrow), folder / "part-0.parquet", compression="zstd")
    tx.append(folder, source=source)


def _covered(proteins: np.ndarray[tuple[int], np.dtype[np.int64]], source: str) -> pa.Table:
    return pa.table({"source": [source] * len(proteins), "protein_id": proteins})


def _moved(rows: pa.Table, by: dict[str, int]) -> pa.Table:
    """Add a number to the ids of a table."""
    for name, n in by.items():
        index = rows.schema.get_field_index(name)
        ids = pc.add(rows[name].cast(pa.int64()), n).cast(rows.schema.field(name).type)
        rows = rows.set_column(index, rows.schema.field(name), ids)
    return rows


ADDED: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("1 % more proteins", add_proteins), ("5 more concepts", add_concepts), ("a layer of a tenth", add_layer),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.append", description=__doc__)
    parser.add_argument("--size", default="192M", choices=list(generate.SIZES))
    parser.add_argument("--engines", nargs="*", default=["duckdb", "spark"], choices=["duckdb", "spark"])
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores; {options.size}")
    for engine in options.engines:
        path = prepare(options.size)
        print(f"{engine}, {n_activations(path):,} activations", flush=True)
        full: Cost = measure(built, path, engine)
        print(row("full build", full), flush=True)
        nothing = measure(built, path, engine)
        print(row("build with nothing to do", nothing), flush=True)
        for what, add in ADDED:
            measure(add, path)
            cost = measure(built, path, engine)
            share = 100 * cost.wall / full.wall
            print(f"{row(f'build of {what}', cost)}  {share:.1f} % of the full build", flush=True)
        shutil.rmtree(path)
    if not options.keep:
        shutil.rmtree(OUT / options.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
