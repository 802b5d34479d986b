"""Parquet files as they are recorded in `parts`: size, rows, checksum, range of proteins."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileFacts:
    """What `parts` keeps of one Parquet file.

    Attributes
    ----------
    n_rows, n_bytes : int
    sha256 : str
    first_protein, last_protein : int or None
        Bounds of protein_id; None where the table has no such column or no rows.
    """

    n_rows: int
    n_bytes: int
    sha256: str
    first_protein: int | None
    last_protein: int | None


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def facts(path: Path) -> FileFacts:
    """Read the facts of one Parquet file from its footer and its bytes."""
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        names = file.schema_arrow.names
        bounds: list[int] = []
        if "protein_id" in names:
            index = names.index("protein_id")
            for group in range(metadata.num_row_groups):
                statistics = metadata.row_group(group).column(index).statistics
                if statistics is not None and statistics.has_min_max:
                    bounds += [statistics.min, statistics.max]
        n_rows = metadata.num_rows
    return FileFacts(
        n_rows=n_rows,
        n_bytes=path.stat().st_size,
        sha256=sha256(path),
        first_protein=min(bounds, default=None),
        last_protein=max(bounds, default=None),
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of somebody's in one piece: what was there stays until all of it is on the disk."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
