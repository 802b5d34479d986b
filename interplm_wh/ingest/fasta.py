"""Read FASTA as Arrow tables, a few megabytes at a time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import duckdb
import pyarrow as pa

from interplm_wh import sqlfile
from interplm_wh.errors import InputError
from interplm_wh.ingest.readers import DataFile, recognise

SCHEMA = pa.schema([("row", pa.int64()), ("header", pa.string()), ("sequence", pa.string())])
_BATCH_CHARACTERS = 16_000_000


def _open(file: DataFile) -> TextIO:
    path: Path = file.path
    if file.is_gzip:
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def records(handle: TextIO) -> Iterator[tuple[str, str]]:
    """Yield (header, sequence): the text after ``>``, and the lines under it joined as they are."""
    header: str | None = None
    lines: list[str] = []
    for line in handle:
        text = line.rstrip("\r\n")
        if text.startswith(">"):
            if header is not None:
                yield header, "".join(lines)
            header, lines = text[1:], []
        else:
            lines.append(text)
    if header is not None:
        yield header, "".join(lines)


def tables(file: DataFile) -> Iterator[pa.Table]:
    """Yield the records of a FASTA file in order.

    Yields
    ------
    pa.Table
        ``row`` (int64, 1-based), ``header`` and ``sequence`` (string, unchecked).

    Raises
    ------
    InputError
        If the text is not UTF-8.
    """
    batch: list[tuple[int, str, str]] = []
    row, size = 0, 0
    try:
        with _open(file) as handle:
            for row, (header, sequence) in enumerate(records(handle), start=1):
                batch.append((row, header, sequence))
                size += len(sequence) + len(header)
                if size > _BATCH_CHARACTERS:
                    yield _table(batch)
                    batch, size = [], 0
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file.path} is not UTF-8 text after record {row} ({error.reason}); convert it to UTF-8"
        ) from error
    if batch:
        yield _table(batch)


def proteins(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (accession, sequence) of each record of a file, read by the SQL of `add proteins`.

    Raises
    ------
    InputError
        If the file is not FASTA.
    """
    file = recognise(path)
    if file.format != "fasta":
        raise InputError(f"{path}: is not FASTA ({file.format}); give a FASTA file, plain or gzipped")
    read, tidy = (sqlfile.load("ingest", name) for name in ("proteins_fasta", "proteins_candidates"))
    values = tidy.bind({"file": 0, "source": path.name, "is_export": False})
    with duckdb.connect() as con:
        for table in tables(file):
            con.register("protein_source", table)
            con.register("protein_rows", con.sql(read.sql).to_arrow_table())
            rows = con.sql(tidy.sql, params=values).to_arrow_table().sort_by("row")
            names, texts = rows["accession"].to_pylist(), rows["sequence"].to_pylist()
            yield from ((name or "?", text) for name, text in zip(names, texts, strict=True))


def _table(batch: list[tuple[int, str, str]]) -> pa.Table:
    rows, headers, sequences = zip(*batch, strict=True)
    return pa.table([pa.array(rows), pa.array(headers), pa.array(sequences)], schema=SCHEMA)
