"""Synthetic activations and annotations of any size, written as the tables of a warehouse.

A feature is active in runs along the sequence, as features of trained SAEs are, not residue by
residue: the length of a run is geometric with a mean of six, its values rise to a peak in the
middle. Features differ in how often they run (a power law). Each residue carries a fixed number of
labels: so many layers of spans tile every protein, from those of a motif to those of long domains.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import schema
from interplm_wh.store.parquet import activation_writer_options

LETTERS = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", dtype=np.uint8)
SAE = "bench"
SOURCE = "uniprot"
N_LETTERS = 20
PROTEINS_PER_PART = 100
RUN_LENGTH = 6.0
SPAN_LENGTHS = (30, 60, 100, 150, 200)


@dataclass(frozen=True)
class Size:
    """How much to generate.

    Attributes
    ----------
    n_residues, n_features, n_concepts : int
        Concepts are those of annotations; the twenty letters come on top.
    labels_per_residue : int
        Spans that cover each residue.
    activations_per_residue : int
        Active features of a residue, on average and before runs of one feature that overlap are
        joined.
    """

    n_residues: int
    n_features: int
    n_concepts: int
    labels_per_residue: int
    activations_per_residue: int
    seed: int = 0


# Five labels per residue are a hard case; 158 real UniProt entries have 0.8 (and 22 spans each).
SIZES = {
    "6M": Size(89_739, 2_048, 80, 5, 72),
    "20M": Size(338_000, 10_240, 150, 2, 61),
    "60M": Size(1_030_000, 10_240, 150, 2, 61),
    "192M": Size(3_300_000, 10_240, 150, 2, 61),
    "1G": Size(17_200_000, 10_240, 150, 2, 61),
    # A quarter of the activations on each residue: what residues cost by themselves.
    "thin-5M": Size(338_000, 10_240, 150, 2, 15),
    "thin-16M": Size(1_030_000, 10_240, 150, 2, 15),
}


def lengths(size: Size, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Lengths of proteins that add up to the wanted number of residues."""
    found = np.clip(rng.lognormal(5.75, 0.45, size.n_residues // 40).astype(np.int64), 40, 1000)
    n_proteins = int(np.searchsorted(found.cumsum(), size.n_residues)) + 1
    return found[:n_proteins]


def activations(
    size: Size,
    first: int,
    sizes: npt.NDArray[np.int64],
    scale: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> pa.Table:
    """Activations of consecutive proteins, in the order of the table."""
    n_runs = int(sizes.sum() * size.activations_per_residue / RUN_LENGTH)
    protein = np.repeat(np.arange(len(sizes)), np.maximum(1, n_runs * sizes // sizes.sum()))
    feature = (size.n_features * rng.random(len(protein)) ** 1.5).astype(np.int64)
    length = rng.geometric(1 / RUN_LENGTH, len(protein))
    start = (rng.random(len(protein)) * (sizes[protein] + length - 1)).astype(np.int64) - length + 1
    peak = np.minimum(rng.exponential(0.45, len(protein)), 1.0).astype(np.float32)
    run = np.repeat(np.arange(len(protein)), length)
    step = np.arange(len(run)) - np.repeat(length.cumsum() - length, length)
    position = start[run] + step
    is_inside = (position >= 0) & (position < sizes[protein[run]])
    run, step, position = run[is_inside], step[is_inside], position[is_inside]
    key = (protein[run] * size.n_features + feature[run]) * 1024 + position
    key, chosen = np.unique(key, return_index=True)
    run, step = run[chosen], step[chosen]
    bump = 1 - np.abs(2 * step + 1 - length[run]) / (length[run] + 1)
    noise = rng.random(len(run), dtype=np.float32) * np.float32(0.2) + np.float32(0.8)
    value = scale[feature[run]] * peak[run] * bump.astype(np.float32) * noise + np.float32(1e-6)
    pair, at = np.divmod(key, 1024)
    columns = {
        "protein_id": (first + pair // size.n_features).astype(np.int32),
        "position": (at + 1).astype(np.int32),
        "feature": (pair % size.n_features).astype(np.int32),
        "value": value.astype(np.float32),
    }
    return pa.table(columns).cast(schema.table("activations").arrow)


def proteins(sizes: npt.NDArray[np.int64], rng: np.random.Generator) -> pa.Table:
    """Proteins with random sequences, half of them valid and half test."""
    n = len(sizes)
    letters = LETTERS[rng.integers(0, N_LETTERS, int(sizes.sum()))].tobytes().decode()
    ends = sizes.cumsum()
    rows = {
        "protein_id": np.arange(n, dtype=np.int32),
        "accession": [f"Q{i:07d}" for i in range(n)],
        "sequence": [letters[end - size : end] for end, size in zip(ends, sizes, strict=True)],
        "length": sizes.astype(np.int32),
        "split": np.where(rng.random(n) < 0.5, "valid", "test"),
        "is_private": np.zeros(n, bool),
        "sample_key": rng.integers(0, 2**28, n),
    }
    declared = schema.table("proteins").arrow
    columns = [rows.get(f.name, pa.nulls(n, f.type)) for f in declared]
    return pa.table(
        [pa.array(c).cast(f.type) for c, f in zip(columns, declared, strict=True)], schema=declared
    )


def concepts(size: Size) -> pa.Table:
    """The letters, then concepts of which every fourth is of level 'residue'."""
    names = [f"amino_acid_{chr(x)}" for x in LETTERS] + [f"Domain_{i}" for i in range(size.n_concepts)]
    own = range(size.n_concepts)
    rows = {
        "concept_id": range(len(names)),
        "concept": names,
        "category": ["amino_acid"] * N_LETTERS + ["Domain"] * size.n_concepts,
        "level": ["residue"] * N_LETTERS + ["residue" if i % 4 == 0 else "domain" for i in own],
        "source": ["sequence"] * N_LETTERS + [SOURCE] * size.n_concepts,
    }
    return pa.table(rows).cast(schema.table("concepts").arrow)


def annotations(size: Size, sizes: npt.NDArray[np.int64], rng: np.random.Generator) -> pa.Table:
    """Layers of spans that tile every protein; each span is an instance by itself."""
    n_layers = size.labels_per_residue
    wanted = np.resize(SPAN_LENGTHS, n_layers)
    n_spans = np.concatenate([np.maximum(1, sizes // length) for length in wanted])
    protein = np.repeat(np.tile(np.arange(len(sizes)), n_layers), n_spans)
    number = np.arange(len(protein)) - np.repeat(n_spans.cumsum() - n_spans, n_spans)
    share = (number + rng.random(len(protein)) * (number > 0)) / np.repeat(n_spans, n_spans)
    start = (share * sizes[protein]).astype(np.int64) + 1
    is_last = np.append(number[1:] == 0, True)
    stop = np.where(is_last, sizes[protein], np.append(start[1:], 0) - 1)
    is_span = stop >= start
    order = np.argsort(protein[is_span], kind="stable")
    n = len(order)
    rows = {
        "annotation_id": np.arange(n),
        "instance_id": np.arange(n),
        "protein_id": protein[is_span][order],
        "concept_id": N_LETTERS + rng.integers(0, size.n_concepts, n),
        "start": start[is_span][order],
        "stop": stop[is_span][order],
        "note": pa.nulls(n, pa.string()),
        "evidence": pa.nulls(n, pa.string()),
    }
    return pa.table(rows).cast(schema.table("annotations").arrow)


def encodings(sizes: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> pa.Table:
    """Every protein is encoded."""
    n = len(sizes)
    rows = {
        "protein_id": np.arange(n),
        "part": [f"part-{i // PROTEINS_PER_PART:05d}.parquet" for i in range(n)],
        "n_residues": sizes,
        "n_activations": counts,
        "dtype": ["float32"] * n,
        "is_halved": [False] * n,
        "package_version": ["0"] * n,
    }
    return pa.table(rows).cast(schema.table("encodings").arrow)


def write(folder: Path, size: Size) -> None:
    """Write one Parquet file per table into `folder`, and `activations` in parts of 100 proteins."""
    rng = np.random.default_rng(size.seed)
    sizes = lengths(size, rng)
    scale = rng.gamma(4.0, 0.5, size.n_features).astype(np.float32)
    (folder / "activations").mkdir(parents=True)
    counts: list[npt.NDArray[np.int64]] = []
    for first in range(0, len(sizes), PROTEINS_PER_PART):
        some = sizes[first : first + PROTEINS_PER_PART]
        part = activations(size, first, some, scale, rng)
        path = folder / "activations" / f"part-{first // PROTEINS_PER_PART:05d}.parquet"
        pq.write_table(part, path, **activation_writer_options())
        counts.append(np.bincount(part["protein_id"].to_numpy() - first, minlength=len(some)))
    tables = {
        "proteins": proteins(sizes, rng),
        "concepts": concepts(size),
        "annotations": annotations(size, sizes, rng),
        "encodings": encodings(sizes, np.concatenate(counts)),
        "coverage": pa.table(
            {"source": [SOURCE] * len(sizes), "protein_id": np.arange(len(sizes), dtype=np.int32)}
        ),
    }
    for name, rows in tables.items():
        pq.write_table(rows, folder / f"{name}.parquet", compression="zstd")


def ensure(root: Path, name: str) -> Path:
    """Return the folder of one size, generated on first use."""
    folder = root / name
    if not (folder / "coverage.parquet").exists():
        started = time.perf_counter()
        write(folder, SIZES[name])
        print(f"generated {name} in {time.perf_counter() - started:.0f} s")
    return folder
