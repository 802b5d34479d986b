"""The files that a pipeline reads: given, downloaded from UniProt, or generated."""

from __future__ import annotations

import os
from pathlib import Path

from interplm_wh.ingest import uniprot_rest
from interplm_wh.pipeline.spec import Annotations, DemoProteins, Pipeline, Proteins
from interplm_wh.store import layout


def protein_files(proteins: Proteins, warehouse: str | Path) -> tuple[Path, ...]:
    """Return the files that proteins are read from; a download or a generated one may still be absent."""
    if proteins.demo is not None:
        return (_demo_path(proteins.demo, warehouse),)
    if proteins.uniprot is not None:
        return (uniprot_rest.local_path(warehouse, proteins.uniprot),)
    return proteins.files


def annotation_files(spec: Pipeline, annotations: Annotations, warehouse: str | Path) -> tuple[Path, ...]:
    """Return the files of one source of annotations."""
    if annotations.files or spec.proteins is None:
        return annotations.files
    return protein_files(spec.proteins, warehouse)


def generate_demo(demo: DemoProteins, warehouse: str | Path) -> Path:
    """Write the demo's proteome beside the downloads of a warehouse, unless it is there."""
    path = _demo_path(demo, warehouse)
    if path.is_file():
        return path
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write_demo(demo, fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def write_demo(demo: DemoProteins, path: Path) -> Path:
    """Write the demo's proteome as a UniProtKB export."""
    from interplm_wh.demo.export import write_export
    from interplm_wh.demo.generator import generate

    return write_export(generate(demo.n, seed=demo.seed), path)


def _demo_path(demo: DemoProteins, warehouse: str | Path) -> Path:
    return Path(warehouse).resolve() / layout.DOWNLOADS / f"demo-n{demo.n}-seed{demo.seed}.tsv.gz"
