"""Read FASTA as Arrow tables, a few megabytes at a time."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from interplm_wh.errors import InputError
from interplm_wh.ingest.readers import DataFile, recognise

SCHEMA = pa.schema([("row", pa.int64()), ("header", pa.string()), ("sequence", pa.string())])
_BATCH_CHARACTERS = 16_000_000
_DROPPED = re.compile(r"\s+|\*\s*$")


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
    """Yield (accession, sequence) of each record of a file, tidied as `add proteins` does.

    Raises
    ------
    InputError
        If the file is not FASTA.
    """
    file = recognise(path)
    if file.format != "fasta":
        raise InputError(f"{path}: is not FASTA ({file.format}); give a FASTA file, plain or gzipped")
    for table in tables(file):
        for header, text in zip(table["header"].to_pylist(), table["sequence"].to_pylist(), strict=True):
            yield (header.split() or ["?"])[0], _DROPPED.sub("", text).upper()


def _table(batch: list[tuple[int, str, str]]) -> pa.Table:
    rows, headers, sequences = zip(*batch, strict=True)
    return pa.table([pa.array(rows), pa.array(headers), pa.array(sequences)], schema=SCHEMA)
