"""Annotations from files of any format but UniProtKB's."""

from __future__ import annotations

from collections.abc import Sequence

from interplm_wh import progress
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import annotation_lines as lines
from interplm_wh.ingest import readers
from interplm_wh.ingest.annotation_formats import PFAM_KEYS, PFAM_REGIONS, AnnotationFile
from interplm_wh.ingest.annotation_lines import OPTIONAL, REQUIRED, SCORES, Scores
from interplm_wh.ingest.annotation_writer import SourceWriter, make

_USED = {
    "table": (*REQUIRED, *OPTIONAL),
    "scores": SCORES,
    "pfam-regions": (*PFAM_KEYS, *PFAM_REGIONS, "md5"),
}


def load(
    writer: SourceWriter, files: Sequence[AnnotationFile], *, scores: Scores, skip_bad: bool
) -> tuple[int, bool]:
    """Check files of annotations and write their annotations and rejects.

    Rows are counted on from one file to the next; `covered_proteins` are the proteins in the files, less
    those of which a file says something that cannot be.

    Returns
    -------
    tuple
        Number of rows read, and whether the files name the proteins in which the source looked, also
        where it found nothing.

    Raises
    ------
    InputError
        If columns are missing, there is no row, or rows cannot be taken and `skip_bad` is false: then
        all faults of all files are in one message.
    """
    con = writer.con
    for file in files:
        if file.format == "table":
            readers.require(file.data, REQUIRED)
    lines.create(con)
    n_rows, last, lists = 0, 0, False
    with progress.track("reading annotations", unit="rows") as bar:
        for file in files:
            read = lines.add(con, file, scores=scores, first_row=last)
            n_rows, last, lists = n_rows + read.n_rows, read.last_row, lists or read.lists
            bar.advance(read.n_rows)
        make(con, "annotations_parsed")
        make(con, "annotations_rows")
        if not skip_bad:
            _refuse_faults(writer, files)
        make(con, "annotations_spans")
        writer.add_spans()
    writer.add_rejects("annotations_rejects", {})
    con.execute(
        "create or replace temp table covered_proteins as select distinct a.protein_id "
        "from annotation_rows as a anti join annotation_rows as f "
        "on a.protein_id = f.protein_id and f.state = 'fault' where a.protein_id is not null"
    )
    return n_rows, lists


def unread_columns(files: Sequence[AnnotationFile]) -> tuple[str, ...]:
    """Return the columns that are not read."""
    return tuple(
        sorted({c for file in files if file.format in _USED for c in file.data.unread(_USED[file.format])})
    )


def _refuse_faults(writer: SourceWriter, files: Sequence[AnnotationFile]) -> None:
    rows = writer.con.execute(
        "select place || ': ' || text || ': ' || array_to_string(reasons, ', ') "
        "from annotation_rows where len(reasons) > 0 and state <> 'left out' order by row, item, part"
    ).fetchall()
    if rows:
        raise InputError(
            faults_message(
                ", ".join(str(file.data.path) for file in files),
                [str(text) for (text,) in rows],
                "mend the rows, or pass --skip-bad to leave them out (they are kept in rejects)",
            )
        )
