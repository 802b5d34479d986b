"""Annotations from tables (CSV, TSV, Parquet) with accession, start, stop and concept."""

from __future__ import annotations

from collections.abc import Sequence

from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers
from interplm_wh.ingest.annotation_writer import SourceWriter, make, scalar

REQUIRED = ("accession", "start", "stop", "concept")
OPTIONAL = ("category", "level", "instance", "note", "evidence")


def load(writer: SourceWriter, files: Sequence[readers.DataFile], *, skip_bad: bool) -> int:
    """Check annotation tables and write their annotations and rejects.

    Rows are counted on from one file to the next; `covered_proteins` are the proteins in the files.

    Returns
    -------
    int
        Number of rows read.

    Raises
    ------
    InputError
        If columns are missing, there is no row, or rows cannot be taken and `skip_bad` is false: then
        all faults of all files are in one message.
    """
    con = writer.con
    for file in files:
        readers.require(file, REQUIRED)
    columns = ", ".join(f"{name} varchar" for name in (*REQUIRED, *OPTIONAL))
    con.execute(f"create or replace temp table annotation_lines (row bigint, place varchar, {columns})")
    n_rows = 0
    for file in files:
        n_rows += _read(writer, file, first_row=n_rows)
    make(con, "annotations_parsed")
    make(con, "annotations_rows")
    if not skip_bad:
        _refuse_faults(writer, files)
    make(con, "annotations_spans")
    writer.add_spans()
    writer.add_rejects("annotations_rejects", {})
    con.execute(
        "create or replace temp table covered_proteins as "
        "select distinct protein_id from annotation_rows where protein_id is not null"
    )
    return n_rows


def unread_columns(files: Sequence[readers.DataFile]) -> tuple[str, ...]:
    """Return the columns that are not read."""
    return tuple(sorted({column for file in files for column in file.unread((*REQUIRED, *OPTIONAL))}))


def _read(writer: SourceWriter, file: readers.DataFile, *, first_row: int) -> int:
    con = writer.con
    with readers.reading(con, file):
        readers.create_view(con, file, "annotation_file", required=REQUIRED, optional=OPTIONAL)
        con.execute(
            "insert into annotation_lines by name select * exclude (is_ragged) "
            "replace ($first_row + row as row), 'row ' || row || ' of ' || $name as place "
            "from annotation_file",
            {"first_row": first_row, "name": file.name},
        )
    n_rows = int(scalar(con, "select count(*) from annotation_lines")) - first_row
    if not n_rows:
        raise InputError(f"{file.path} has a header but no row; give a file with annotations")
    return n_rows


def _refuse_faults(writer: SourceWriter, files: Sequence[readers.DataFile]) -> None:
    rows = writer.con.execute(
        "select place || ': ' || text || ': ' || array_to_string(reasons, ', ') "
        "from annotation_rows where len(reasons) > 0 order by row"
    ).fetchall()
    if rows:
        raise InputError(
            faults_message(
                ", ".join(str(file.path) for file in files),
                [str(text) for (text,) in rows],
                "mend the rows, or pass --skip-bad to leave them out (they are kept in rejects)",
            )
        )
