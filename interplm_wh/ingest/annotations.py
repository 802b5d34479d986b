"""Add annotations of proteins: UniProtKB exports and tables of anyone's own concepts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.ingest import annotation_coverage, annotation_tables, readers, uniprot_annotations
from interplm_wh.ingest.annotation_writer import CLIPPED, SourceWriter, scalar

DEFAULT_SOURCE = "uniprot"
RESERVED_SOURCE = "sequence"
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = re.compile(r"(\.(csv|tsv|tab|txt|parquet|pq|gz))+$", re.IGNORECASE)


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
    covers: str | None = None,
    skip_bad: bool = False,
) -> AddAnnotationsReport:
    """Add the annotations of one source, or put them in the place of what it had before.

    Parameters
    ----------
    warehouse : str or Path
    files : sequence of str or Path
        UniProtKB exports, or tables (CSV, TSV, Parquet) with accession, start, stop, concept and
        optionally category, level, instance, note, evidence. Positions are 1-based, inclusive.
    source : str, optional
        Name of the source: 'uniprot' for exports, else the name of the one file.
    covers : str, optional
        Proteins in which the source looked: 'all' that the warehouse has now (default for tables),
        'listed' in the files (default for exports), or a file of accessions.
    skip_bad : bool
        Whether bad rows of tables are rejected instead of refusing the file. In exports they
        always are.

    Raises
    ------
    InputError
        If a file, a row, the source or what it covers cannot be taken.
    """
    inputs = [readers.recognise(path) for path in files]
    is_export = _is_export(inputs)
    name = _source_name(inputs, source, is_export=is_export)
    chosen = covers or ("listed" if is_export else "all")
    settings = {"files": [f.name for f in inputs], "source": name, "covers": chosen, "skip_bad": skip_bad}
    with store.write(warehouse, command="add annotations", settings=settings) as tx:
        for file in inputs:
            tx.fingerprint_input(file.path)
        _know_proteins(tx.con)
        writer = SourceWriter(tx, name)
        n_before = writer.n_before()
        if is_export:
            n_rows = uniprot_annotations.load(writer, inputs)
            unread = uniprot_annotations.unread_columns(tx.con, inputs)
        else:
            n_rows = annotation_tables.load(writer, inputs, skip_bad=skip_bad)
            unread = annotation_tables.unread_columns(inputs)
        annotation_coverage.choose(tx.con, chosen)
        writer.finish(covers=annotation_coverage.label(chosen))
        report = _report(
            writer, n_before=n_before, n_files=len(inputs), n_rows=n_rows, covers=chosen, unread=unread
        )
        tx.publish()
    return report


def _is_export(inputs: Sequence[readers.DataFile]) -> bool:
    if not inputs:
        raise InputError("there is no file of annotations; give at least one")
    fasta = [str(f.path) for f in inputs if f.format == "fasta"]
    if fasta:
        raise InputError(f"{', '.join(fasta)}: FASTA holds no annotations; use add proteins for it")
    exports = [f.format == "uniprot" for f in inputs]
    if any(exports) and not all(exports):
        raise InputError("exports and tables cannot be one source; add them one after the other")
    return all(exports)


def _source_name(inputs: Sequence[readers.DataFile], source: str | None, *, is_export: bool) -> str:
    if source is None and not is_export and len(inputs) > 1:
        raise InputError(f"{len(inputs)} tables need a name in common; pass --source")
    stem = DEFAULT_SOURCE if is_export else _SUFFIXES.sub("", inputs[0].name)
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
