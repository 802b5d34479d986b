"""Add annotations of proteins: UniProtKB exports and tables of anyone's own concepts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.ingest import annotation_coverage, annotation_formats, annotation_tables, uniprot_annotations
from interplm_wh.ingest.annotation_formats import AnnotationFile
from interplm_wh.ingest.annotation_lines import Scores
from interplm_wh.ingest.annotation_names import AnnotationFormat
from interplm_wh.ingest.annotation_writer import CLIPPED, SourceWriter, scalar

DEFAULT_SOURCE = "uniprot"
RESERVED_SOURCE = "sequence"
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = re.compile(
    r"(\.(csv|tsv|tab|txt|parquet|pq|gz|gff3?|bed|domtblout|out|fasta|fa|dssp|ss))+$", re.IGNORECASE
)


@dataclass(frozen=True)
class AddAnnotationsReport:
    """What was taken from annotation files.

    Attributes
    ----------
    source : str
    n_before : tuple of int
        Annotations of the source that these replace, and the proteins that it covered.
    n_files, n_rows : int
        Files, and their entries (of an export) or rows (of a table).
    n_annotations, n_concepts, n_proteins : int
        Rows of `annotations`, and the distinct concepts and proteins among them.
    covers : str
        How the covered proteins were chosen.
    n_covered : int
        Proteins in which the source looked.
    n_outside : int
        Annotations on proteins that are not covered; no statistic counts them.
    n_repeated : int
        Annotations with the protein, concept and span of another one, in another instance.
    n_rejects, n_clipped : int
        Entries, features or rows not taken; features that were cut at the end of the sequence.
    reasons : tuple of (str, int)
        Reasons in `rejects` with their rows, the clipped ones included.
    unread : tuple of str
        Columns of the files that were not read.
    renamed : tuple of str
        Concepts called ``source:concept``, since another source has their name.
    """

    source: str
    n_before: tuple[int, int]
    n_files: int
    n_rows: int
    n_annotations: int
    n_concepts: int
    n_proteins: int
    covers: str
    n_covered: int
    n_outside: int
    n_repeated: int
    n_rejects: int
    n_clipped: int
    reasons: tuple[tuple[str, int], ...]
    unread: tuple[str, ...]
    renamed: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say it in words, one fact a line."""
        said = [
            f"{self.source}: {self.n_annotations:,} annotations of {self.n_concepts:,} concepts "
            f"on {self.n_proteins:,} proteins, from {self.n_rows:,} rows",
            f"it covers {self.n_covered:,} proteins ({annotation_coverage.words(self.covers)}): "
            "where they have no annotation, that counts as absence",
        ]
        if any(self.n_before):
            n_annotations, n_covered = self.n_before
            said.append(
                f"it replaces the {n_annotations:,} annotations on {n_covered:,} covered proteins that "
                f"{self.source} had before; to keep both, give all files together, or another --source"
            )
        if self.n_outside:
            said.append(
                f"{self.n_outside:,} annotations are on proteins that it does not cover: never counted"
            )
        if self.n_repeated:
            said.append(
                f"{self.n_repeated:,} annotations repeat the protein, concept and span of another: each "
                "counts as an instance of its own"
            )
        if self.n_rejects or self.n_clipped:
            reasons = ", ".join(f"{reason} ({n:,})" for reason, n in self.reasons)
            said.append(
                f"{self.n_rejects:,} rejected, {self.n_clipped:,} clipped, kept in rejects: {reasons}"
            )
        if self.renamed:
            said.append(f"another source has these names, so here they are: {', '.join(self.renamed)}")
        if self.unread:
            said.append(f"columns not read: {', '.join(self.unread)}")
        return said


def add_annotations(
    warehouse: str | Path,
    files: Sequence[str | Path],
    *,
    source: str | None = None,
    format: AnnotationFormat | None = None,
    covers: str | None = None,
    concept: str | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    allow_gaps: bool = False,
    skip_bad: bool = False,
) -> AddAnnotationsReport:
    """Add the annotations of one source, or put them in the place of what it had before.

    Parameters
    ----------
    warehouse : str or Path
    files : sequence of str or Path
        UniProtKB exports; tables (CSV, TSV, Parquet) with accession, start, stop, concept and optionally
        category, level, instance, note, evidence, 1-based and inclusive; GFF3; BED; InterProScan's TSV;
        Pfam (pfam_scan.pl, HMMER's --domtblout, regions.tsv); strings of secondary structure under
        ``>accession``; or numbers per residue (accession, position, value; or accession, values).
    source : str, optional
        Name of the source: 'uniprot' for exports, else the name of the one file.
    format : str, optional
        One of `annotation_names.ANNOTATION_FORMATS`; seen from the files by default.
    covers : str, optional
        Proteins in which the source looked: 'all' that the warehouse has now, 'listed' in the files, or a
        file of accessions. By default 'listed' where the files also name proteins without a finding
        (exports, secondary structure, numbers, GFF3 with sequence-regions), else 'all'.
    concept : str, optional
        What residues are called whose number passes `at_least` and `at_most`, both inclusive.
    at_least, at_most : float, optional
    allow_gaps : bool
        Whether residues without a number count as outside the concept.
    skip_bad : bool
        Whether bad rows are rejected instead of refusing the file. In UniProtKB exports they always are.

    Raises
    ------
    InputError
        If a file, a row, the source or what it covers cannot be taken.
    """
    inputs = [annotation_formats.recognise(path, given=format) for path in files]
    is_export = _is_export(inputs)
    name = _source_name(inputs, source, is_export=is_export)
    scores = Scores(concept, at_least, at_most, allow_gaps)
    scores.check(is_used=any(file.format == "scores" for file in inputs))
    settings = {
        "files": [f.data.name for f in inputs], "format": inputs[0].format, "source": name,
        "covers": covers or _usual_coverage(inputs[0].format),
        "concept": concept, "at_least": at_least, "at_most": at_most, "allow_gaps": allow_gaps,
        "skip_bad": skip_bad,
    }  # fmt: skip
    with store.write(warehouse, command="add annotations", settings=settings) as tx:
        for file in inputs:
            tx.fingerprint_input(file.data.path)
        _know_proteins(tx.con)
        writer = SourceWriter(tx, name)
        n_before = writer.n_before()
        if is_export:
            exports = [file.data for file in inputs]
            n_rows, lists = uniprot_annotations.load(writer, exports), True
            unread = uniprot_annotations.unread_columns(tx.con, exports)
        else:
            n_rows, lists = annotation_tables.load(writer, inputs, scores=scores, skip_bad=skip_bad)
            unread = annotation_tables.unread_columns(inputs)
        chosen = covers or ("listed" if lists else "all")
        if not lists and not writer.count("annotations"):
            reasons = ", ".join(f"{reason} ({n:,})" for reason, n in writer.reasons())
            raise InputError(
                f"none of {n_rows:,} rows can be taken ({reasons}): nothing would be left but absence; "
                "nothing was recorded; mend the rows"
            )
        annotation_coverage.choose(tx.con, chosen)
        writer.finish(covers=annotation_coverage.label(chosen))
        report = _report(
            writer, n_before=n_before, n_files=len(inputs), n_rows=n_rows, covers=chosen, unread=unread
        )
        tx.publish()
    return report


def _usual_coverage(form: AnnotationFormat) -> str | None:
    """Return what a format covers by default; None where it depends on the file."""
    return None if form == "gff3" else "listed" if form in annotation_formats.LISTING else "all"


def _is_export(inputs: Sequence[AnnotationFile]) -> bool:
    if not inputs:
        raise InputError("there is no file of annotations; give at least one")
    found = sorted({file.format for file in inputs})
    if len(found) > 1:
        raise InputError(
            f"files of different formats cannot be one source ({', '.join(found)}); "
            "add them one after the other"
        )
    return found == ["uniprot"]


def _source_name(inputs: Sequence[AnnotationFile], source: str | None, *, is_export: bool) -> str:
    if source is None and not is_export and len(inputs) > 1:
        raise InputError(f"{len(inputs)} files need a name in common; pass --source")
    stem = DEFAULT_SOURCE if is_export else _SUFFIXES.sub("", inputs[0].data.name)
    name = source if source is not None else stem
    if not _SOURCE.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a source: that takes at most 64 letters, digits, '.', '_' and '-', "
            "a letter or digit first; pass --source"
        )
    if name.casefold() == RESERVED_SOURCE:
        raise InputError(f"{name!r} is the source of the amino acids; pass another --source")
    return name


def _know_proteins(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create or replace temp table known_proteins as "
        "select accession, protein_id, length, md5(sequence) as sequence_md5 from proteins"
    )
    if not scalar(con, "select count(*) from known_proteins"):
        raise InputError("the warehouse has no proteins that could be annotated; run add proteins first")


def _report(
    writer: SourceWriter,
    *,
    n_before: tuple[int, int],
    n_files: int,
    n_rows: int,
    covers: str,
    unread: tuple[str, ...],
) -> AddAnnotationsReport:
    reasons = writer.reasons()
    n_clipped = dict(reasons).get(CLIPPED, 0)
    return AddAnnotationsReport(
        source=writer.source,
        n_before=n_before,
        n_files=n_files,
        n_rows=n_rows,
        n_annotations=writer.count("annotations"),
        n_concepts=writer.n_distinct("concept_id"),
        n_proteins=writer.n_distinct("protein_id"),
        covers=covers,
        n_covered=writer.count("coverage"),
        n_outside=writer.n_outside(),
        n_repeated=writer.n_repeated(),
        n_rejects=sum(n for _, n in reasons) - n_clipped,
        n_clipped=n_clipped,
        reasons=reasons,
        unread=unread,
        renamed=writer.renamed(),
    )
