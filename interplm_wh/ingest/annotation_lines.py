"""Put the rows of a file of annotations, whatever its format, into `annotation_lines`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from interplm_wh import progress, sqlfile
from interplm_wh.errors import InputError
from interplm_wh.ingest import annotation_formats as formats
from interplm_wh.ingest import fasta, readers
from interplm_wh.ingest.annotation_names import AnnotationFormat
from interplm_wh.ingest.annotation_writer import make, scalar

REQUIRED = ("accession", "start", "stop", "concept")
OPTIONAL = ("category", "level", "instance", "note", "evidence")
SCORES = ("accession", "position", "value", "values")
MAX_EVALUE = 0.01
"""Domains with a higher independent E-value are no hits: HMMER's own bound for inclusion (--incdomE)."""
# Made one after the other; the last one is `annotation_lines` of the format.
_STEPS: Mapping[AnnotationFormat, tuple[str, ...]] = {
    "gff3": ("gff3_body", "gff3_features", "gff3_regions", "gff3"),
    "bed": ("bed",),
    "interpro": ("interpro",),
    "pfam-scan": ("pfam_scan",),
    "domtblout": ("domtblout",),
    "pfam-regions": ("pfam_regions",),
    "secondary-structure": ("secondary_structure",),
    "scores": ("score_values", "score_faults", "score_runs", "scores"),
}


@dataclass(frozen=True)
class Scores:
    """How numbers per residue become one concept.

    Attributes
    ----------
    concept : str, optional
    at_least, at_most : float, optional
        Bounds that a number passes; at least one of them.
    allow_gaps : bool
        Whether residues without a number count as outside the concept, instead of refusing the protein.
    """

    concept: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    allow_gaps: bool = False

    def check(self, *, is_used: bool) -> None:
        """Refuse settings that are missing, or that no file uses.

        Raises
        ------
        InputError
            With all that is wrong.
        """
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not is_used:
            if bounds or self.concept is not None or self.allow_gaps:
                raise InputError(
                    "--concept, --at-least, --at-most and --allow-gaps are for numbers per residue "
                    "(accession, position and value, or accession and values); leave them out for other files"
                )
            return
        faults = []
        if not (self.concept or "").strip():
            faults.append("--concept NAME says what the residues are called that pass")
        if not bounds:
            faults.append("--at-least X or --at-most X says which numbers pass")
        if any(math.isnan(bound) for bound in bounds):
            faults.append("a bound is no number")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            faults.append("--at-least is above --at-most, so that no number passes")
        if faults:
            raise InputError(f"numbers per residue are cut at a threshold: {'; '.join(faults)}")


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table `annotation_lines`."""
    columns = ", ".join(f"{name} varchar" for name in (*REQUIRED, *OPTIONAL))
    con.execute(
        "create or replace temp table annotation_lines "
        f"(row bigint, item integer, part integer, place varchar, {columns}, state varchar, reason varchar)"
    )


@dataclass(frozen=True)
class Read:
    """What was read of one file.

    Attributes
    ----------
    n_rows : int
        Rows, comments not counted.
    last_row : int
        Number of the last one, counted on from the files before.
    lists : bool
        Whether the file names the proteins in which its source looked, also where it found nothing.
    """

    n_rows: int
    last_row: int
    lists: bool


def add(
    con: duckdb.DuckDBPyConnection, file: formats.AnnotationFile, *, scores: Scores, first_row: int
) -> Read:
    """Add the rows of one file to `annotation_lines`.

    Parameters
    ----------
    con : DuckDBPyConnection
        With `known_proteins`.
    file : AnnotationFile
        Of any format but UniProtKB's.
    scores : Scores
    first_row : int
        Rows of the files before.

    Raises
    ------
    InputError
        If the file cannot be read or has no row.
    """
    with readers.reading(con, file.data):
        table = _read(con, file)
    ((n_rows, last),) = con.execute(f"select count(*), max(row) from {table}").fetchall()  # noqa: S608
    _judge(con, file, scores, first_row)
    lists, is_empty = file.format in formats.LISTING, not n_rows
    if file.data.format == "lines":  # less comments, and what follows the end of GFF3
        n_rows, n_regions = _features(con, first_row)
        lists, is_empty = file.format == "gff3" and _has_regions(con), not n_rows + n_regions
    if is_empty:
        raise InputError(f"{file.data.path} has no row; give a file with annotations")
    return Read(int(n_rows), first_row + int(last), lists)


def _judge(
    con: duckdb.DuckDBPyConnection, file: formats.AnnotationFile, scores: Scores, first_row: int
) -> None:
    values = {
        "max_evalue": MAX_EVALUE, "concept": (scores.concept or "").strip(), "at_least": scores.at_least,
        "at_most": scores.at_most, "allow_gaps": scores.allow_gaps,
    }  # fmt: skip
    if file.format == "table":
        rows = "select *, 0 as item, 1 as part, 'span' as state, null as reason from format_rows"
        _insert(con, file, rows, {}, first_row)
    for step in _STEPS.get(file.format, ()):
        select = sqlfile.load("ingest", f"annotations_{step}")
        if select.output == "annotation_lines":
            _insert(con, file, select.sql, select.bind(values), first_row)
        else:
            make(con, select.name, values)


def _features(con: duckdb.DuckDBPyConnection, first_row: int) -> tuple[int, int]:
    """Return how many lines of a file name a feature, and how many say only where was looked."""
    ((n_features, n_regions),) = con.execute(
        "select count(distinct row) filter (where state <> 'looked'), "
        "count(*) filter (where state = 'looked') from annotation_lines where row > ?",
        [first_row],
    ).fetchall()
    return int(n_features), int(n_regions)


def _has_regions(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(scalar(con, "select count(*) from gff3_body where starts_with(line, '##sequence-region')"))


def _read(con: duckdb.DuckDBPyConnection, file: formats.AnnotationFile) -> str:
    """Put what the SQL of a format reads into a temporary table, and return its name."""
    if file.data.format == "fasta":
        return _read_records(con, file.data)
    if file.data.format == "lines":
        readers.create_view(con, file.data, "annotation_file", required=["line"])
        con.execute(
            "create or replace temp table format_lines as "
            "select row, line from annotation_file where trim(line) <> ''"
        )
        return "format_lines"
    key, required, optional = _columns(file)
    readers.create_view(con, file.data, "annotation_file", required=required, optional=optional)
    con.execute(
        "create or replace temp table format_rows as "  # noqa: S608  (our own names)
        f"select * exclude (is_ragged) rename ({key} as accession) from annotation_file"
    )
    return "format_rows"


def _columns(file: formats.AnnotationFile) -> tuple[str, Sequence[str], Sequence[str]]:
    """Return the column of the accessions, those that are needed, and those that may be there."""
    if file.format == "pfam-regions":
        key = next((k for k in formats.PFAM_KEYS if file.data.has(k)), formats.PFAM_KEYS[0])
        return key, (key, *formats.PFAM_REGIONS), ("md5",)
    if file.format == "table":
        return "accession", REQUIRED, OPTIONAL
    if file.data.has("values"):
        return "accession", ("accession", "values"), ("position", "value")
    return "accession", ("accession", "position", "value"), ("values",)


def _read_records(con: duckdb.DuckDBPyConnection, file: readers.DataFile) -> str:
    con.execute("create or replace temp table format_records (row bigint, accession varchar, codes varchar)")
    select = sqlfile.load("ingest", "proteins_fasta")
    with progress.track("reading secondary structure", unit="proteins") as bar:
        for table in fasta.tables(file):
            con.register("protein_source", table)
            con.execute(
                f"insert into format_records select row, accession, sequence from ({select.sql})"  # noqa: S608  (our own file)
            )
            con.unregister("protein_source")
            bar.advance(table.num_rows)
    return "format_records"


def _insert(
    con: duckdb.DuckDBPyConnection,
    file: formats.AnnotationFile,
    select: str,
    values: Mapping[str, object],
    first_row: int,
) -> None:
    word = {"lines": "line", "fasta": "record"}.get(file.data.format, "row")
    con.execute(
        "insert into annotation_lines by name select * replace ($first_row + row as row), "  # noqa: S608
        f"$word || ' ' || row || ' of ' || $file_name as place from ({select})",
        {**values, "first_row": first_row, "word": word, "file_name": file.data.name},
    )
