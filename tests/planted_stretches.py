"""Warehouses in which it is known what each feature fires on: made by the commands, from tables."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from interplm_wh import store
from interplm_wh.build import build
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
Cell = tuple[str, int, int, float]
Span = tuple[str, int, int]


def sequence(accession: str, length: int) -> str:
    """Return letters that say nothing of anything but the accession."""
    return "".join(random.Random(accession).choices(LETTERS, k=length))


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def make(
    empty: Path,
    folder: Path,
    *,
    proteins: Mapping[str, tuple[str, str, bool]],
    spans: Mapping[str, Iterable[Span]],
    cells: Iterable[Cell],
    n_features: int,
    length: int = 30,
    levels: Mapping[str, str] | None = None,
    min_domains: int = 3,
) -> Path:
    """Make and build a warehouse.

    Parameters
    ----------
    proteins : mapping
        Accession to split, cluster (may be empty) and whether it is private.
    spans : mapping
        Concept to (accession, start, stop).
    cells : iterable
        (accession, position, feature, value) of the SAE `s`.
    levels : mapping, optional
        Of concepts that are not of level 'domain'.
    """
    warehouse = shutil.copytree(empty, folder / "w")
    rows = [(a, sequence(a, length), s, c, p) for a, (s, c, p) in proteins.items()]
    header = ("accession", "sequence", "split", "cluster", "is_private")
    add_proteins(warehouse, [write(folder / "proteins.csv", header, rows)])
    annotated = [
        (a, start, stop, concept, (levels or {}).get(concept, "domain"))
        for concept, its in spans.items()
        for a, start, stop in its
    ]
    header = ("accession", "start", "stop", "concept", "level")
    add_annotations(warehouse, [write(folder / "annotations.csv", header, annotated)], source="lab")
    add_sae(warehouse, folder / "s.csv", "s", cells, n_features)
    build(warehouse, min_residues=10_000, min_domains=min_domains)
    return warehouse


def add_sae(warehouse: Path, path: Path, sae: str, cells: Iterable[Cell], n_features: int) -> None:
    """Add activations made elsewhere, of every protein."""
    table = write(path, ("accession", "position", "feature", "value"), cells)
    add_activations(warehouse, table, sae=sae, n_features=n_features, covers="all")


def add_controls(warehouse: Path, folder: Path, accessions: Iterable[str], *, length: int = 30) -> None:
    """Add the controls of `s` by amino acid, and by position (first and last 5, 10, 20, 30, 50 residues)."""
    names = list(accessions)
    letters = [
        (a, i, LETTERS.index(letter), 1.0)
        for a in names
        for i, letter in enumerate(sequence(a, length), start=1)
    ]
    places = [
        (a, i, 2 * n + side, 1.0)
        for a in names
        for n, near in enumerate((5, 10, 20, 30, 50))
        for i in range(1, length + 1)
        for side, away in enumerate((i, length + 1 - i))
        if away <= near
    ]
    for role, cells, n_features in (("amino_acid", letters, 20), ("position", places, 10)):
        add_sae(warehouse, folder / f"{role}.csv", f"s-{role}", cells, n_features)
        with store.write(warehouse, command="test") as tx:
            tx.con.execute("update saes set role = ?, control_of = 's' where sae = ?", [role, f"s-{role}"])
            tx.publish()
    build(warehouse)


def run_of(accession: str, feature: int, positions: Iterable[int], value: float = 1.0) -> list[Cell]:
    """Return activations of one feature on one protein."""
    return [(accession, i, feature, value) for i in positions]
