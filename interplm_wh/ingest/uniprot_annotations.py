"""Annotations from UniProtKB exports: entries in slices, each parsed by `sql/ingest/uniprot_*.sql`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from interplm_wh import progress
from interplm_wh.errors import InputError
from interplm_wh.ingest import readers
from interplm_wh.ingest.annotation_writer import SourceWriter, make

SLICE_ENTRIES = 16_384
_BATCH_ENTRIES = 2_048
_STEPS = ("entries", "features", "qualifiers", "spans", "annotations")
_KEY = "Entry"
_SEQUENCE = "Sequence"
# Columns of the usual export that hold no feature with a position.
_OTHER_COLUMNS = (
    "Entry Name", "Reviewed", "Protein names", "Gene Names", "Organism", "Length", "EC number", "Cofactor",
    "Domain [CC]", "AlphaFoldDB",
)  # fmt: skip


def load(writer: SourceWriter, files: Sequence[readers.DataFile]) -> int:
    """Parse exports and write their annotations and rejects; `covered_proteins` are their entries.

    Rows are counted on from one file to the next.

    Returns
    -------
    int
        Number of entries read.

    Raises
    ------
    InputError
        If a file has no feature column, no entry, or cannot be read.
    """
    con = writer.con
    make(con, "uniprot_categories")
    columns = _feature_columns(con)
    for file in files:
        _check_columns(file, columns)
    con.execute("create or replace temp table seen_entries (accession varchar, digest varchar)")
    con.execute("create or replace temp table covered_proteins (protein_id integer)")
    n_entries = 0
    with progress.track("reading annotations", unit="entries") as bar:
        for file in files:
            n_before = n_entries
            for lines in _slices(file, columns):
                _load_slice(writer, lines, first_row=n_before)
                n_entries = n_before + lines.column("row")[-1].as_py()
                bar.advance(lines.num_rows)
            if n_entries == n_before:
                raise InputError(f"{file.path} has a header but no entry; export it again")
    return n_entries


def unread_columns(con: duckdb.DuckDBPyConnection, files: Sequence[readers.DataFile]) -> tuple[str, ...]:
    """Return the columns that may hold features and are no concept's category."""
    used = (_KEY, _SEQUENCE, *_feature_columns(con), *_OTHER_COLUMNS)
    return tuple(sorted({column for file in files for column in file.unread(used)}))


def _feature_columns(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    rows = con.execute("select column_name from uniprot_categories order by category").fetchall()
    return tuple(name for (name,) in rows)


def _check_columns(file: readers.DataFile, columns: Sequence[str]) -> None:
    readers.require(file, [_KEY])
    if not any(file.has(column) for column in columns):
        raise InputError(
            f"{file.path} has no feature column; export at least one of {', '.join(columns)} from UniProtKB"
        )


def _slices(file: readers.DataFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the entries of an export in its order, some thousands at a time."""
    with duckdb.connect() as con, readers.reading(con, file):
        con.execute("set threads = 1")
        con.execute("set enable_progress_bar = false")
        readers.create_view(con, file, "export", required=[_KEY], optional=[_SEQUENCE, *columns])
        with con.sql("from export").to_arrow_reader(_BATCH_ENTRIES) as reader:
            batches: list[pa.RecordBatch] = []
            for batch in _batches(file, reader):
                batches.append(batch)
                if sum(b.num_rows for b in batches) >= SLICE_ENTRIES:
                    yield pa.Table.from_batches(batches)
                    batches = []
            if batches:
                yield pa.Table.from_batches(batches)


def _batches(file: readers.DataFile, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from (batch for batch in reader if batch.num_rows)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file.path} cannot be read ({reason}); export it again") from error


def _load_slice(writer: SourceWriter, lines: pa.Table, *, first_row: int) -> None:
    con = writer.con
    con.register("uniprot_lines", lines)
    for name in _STEPS:
        make(con, f"uniprot_{name}")
    con.unregister("uniprot_lines")
    writer.add_spans()
    writer.add_rejects("uniprot_rejects", {"first_row": first_row})
    con.execute("insert into seen_entries select accession, digest from uniprot_entries where is_first")
    con.execute("insert into covered_proteins select protein_id from uniprot_entries where reason is null")
