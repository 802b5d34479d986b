"""Add proteins: sequences from FASTA, UniProtKB exports and tables into the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import sqlfile, store
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import fasta, readers
from interplm_wh.ingest.uniprot_rest import Download, download
from interplm_wh.store.rows import first_row

MAX_ACCESSION = 128
_UNIPROT = (("Entry", "Sequence"), ("Protein names", "Organism", "Reviewed", "Length", "Cofactor"))
TABLE = (("accession", "sequence"), ("name", "organism", "split", "cluster", "is_private"))
# Each is made from those before it; all but the candidates are small.
_STEPS = (
    "proteins_faults",
    "proteins_sound",
    "proteins_known",
    "proteins_keys",
    "proteins_splits",
    "proteins_conflicts",
    "proteins_rejects",
    "proteins_fates",
)
_FATES = ("new", "present", "repeated", "too long", "not drawn", "bad")
_REMEDY = "mend these rows, or pass --skip-bad to leave them out and keep them in rejects"


@dataclass(frozen=True)
class AddProteinsReport:
    """What `add_proteins` did.

    Attributes
    ----------
    files : tuple of Path
        What was read, the download included.
    download : Download or None
        What `uniprot` gave; `add annotations` reads its file too.
    n_rows : int
        Rows (FASTA: records) in all files: the sum of the next six.
    n_added : int
    n_present, n_repeated : int
        Skipped because the warehouse, or an earlier row, has them with the same sequence.
    n_too_long, n_not_drawn : int
        Left out by `max_length` and `sample`.
    n_rejected : int
        Bad rows, kept in `rejects`.
    reasons : tuple of (str, int)
        Rows per reason of rejection; a row may have several.
    n_upper_cased, n_stop_dropped, n_space_removed : int
        Rows whose sequence was tidied.
    splits : tuple of (str, int)
        Added proteins per split.
    unread : tuple of str
        Columns of tables that were not read.
    """

    files: tuple[Path, ...]
    download: Download | None
    n_rows: int
    n_added: int
    n_present: int
    n_repeated: int
    n_too_long: int
    n_not_drawn: int
    n_rejected: int
    reasons: tuple[tuple[str, int], ...]
    n_upper_cased: int
    n_stop_dropped: int
    n_space_removed: int
    splits: tuple[tuple[str, int], ...]
    unread: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return what a user should read."""
        splits = ", ".join(f"{n:,} {split}" for split, n in self.splits)
        said = [f"{self.n_added:,} of {self.n_rows:,} proteins added" + (f" ({splits})" if splits else "")]
        counted = (
            (self.n_present, "were in the warehouse already and are skipped"),
            (self.n_repeated, "repeat an earlier row and are skipped"),
            (self.n_too_long, "are longer than --max-length and are left out"),
            (self.n_not_drawn, "were not drawn by --sample"),
            (self.n_rejected, "are bad and kept in rejects:"),
            *((n, f"  {reason}") for reason, n in self.reasons),
            (self.n_upper_cased, "had lower-case letters, now upper case"),
            (self.n_stop_dropped, "ended in *, which was dropped"),
            (self.n_space_removed, "had white space in the sequence, which was removed"),
        )
        said += [f"  {n:,} {what}" for n, what in counted if n]
        if self.download is not None:
            said.append(f"  {self.download.line()}")
        if self.unread:
            said.append(f"  columns not read: {', '.join(self.unread)}")
        return said


def add_proteins(
    warehouse: str | Path,
    files: Sequence[str | Path] = (),
    *,
    uniprot: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    max_length: int | None = None,
    skip_bad: bool = False,
) -> AddProteinsReport:
    """Add proteins to a warehouse.

    Parameters
    ----------
    warehouse : str or Path
    files : sequence of path
        FASTA; UniProtKB TSV; CSV, TSV or Parquet with accession, sequence and optionally name,
        organism, split, cluster, is_private. Text may be gzipped.
    uniprot : str, optional
        A query that is downloaded from UniProt and read after the files.
    sample : int, optional
        How many proteins to draw, by md5 of ``seed:accession``.
    seed : int
        Seed of the draw; splits and `sample_key` follow the seed of the warehouse.
    max_length : int, optional
        Longest sequence that is taken, in residues.
    skip_bad : bool
        Keep bad rows in `rejects` instead of refusing the input; always so for UniProt's exports.

    Raises
    ------
    InputError
        If a file cannot be read, or with all bad rows of all files.
    """
    _check_options(files, uniprot, sample, max_length)
    known = [readers.recognise(path) for path in files]
    for file in known:
        if file.format != "fasta":
            readers.require(file, _columns(file)[0])
    fetched = None if uniprot is None else download(warehouse, uniprot)
    if fetched is not None:
        known.append(readers.recognise(fetched.path))
    settings = {
        "files": [str(path) for path in files], "uniprot": uniprot, "sample": sample, "seed": seed,
        "max_length": max_length, "skip_bad": skip_bad,
    }  # fmt: skip
    with store.write(warehouse, command="add proteins", settings=settings) as tx:
        for place, file in enumerate(known):
            _load(tx, file, place)
        values = {"max_accession": MAX_ACCESSION, "max_length": max_length, "sample": sample, "seed": seed}
        for step in _STEPS:
            _make(tx, step, values)
        if not skip_bad:
            _refuse_bad_rows(tx)
        is_changed = _write(tx)
        report = _report(tx, known, fetched)
        if is_changed:
            tx.publish()
        return report


def _check_options(
    files: Sequence[str | Path], uniprot: str | None, sample: int | None, max_length: int | None
) -> None:
    if not files and uniprot is None:
        raise InputError("add proteins: give at least one file, or a query with --uniprot")
    for name, value in (("--sample", sample), ("--max-length", max_length)):
        if value is not None and value < 1:
            raise InputError(f"add proteins: {name} is {value}; give a number above 0")


def _columns(file: readers.DataFile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _UNIPROT if file.format == "uniprot" else TABLE


def _load(tx: store.Transaction, file: readers.DataFile, place: int) -> None:
    """Put the rows of one file into `protein_candidates`."""
    tx.fingerprint_input(file.path)
    if file.format == "fasta":
        for table in fasta.tables(file):
            tx.con.register("protein_source", table)
            _add_candidates(tx, file, place, "proteins_fasta")
            tx.con.unregister("protein_source")
        return
    required, optional = _columns(file)
    with readers.reading(tx.con, file):
        readers.create_view(tx.con, file, "protein_source", required=required, optional=optional)
        _add_candidates(tx, file, place, "proteins_uniprot" if file.format == "uniprot" else "proteins_table")
        tx.con.execute("drop view protein_source")


def _add_candidates(tx: store.Transaction, file: readers.DataFile, place: int, rows: str) -> None:
    tx.con.execute(f"create or replace temp view protein_rows as {sqlfile.load('ingest', rows).sql}")
    select = sqlfile.load("ingest", "proteins_candidates")
    values = select.bind({"file": place, "source": file.name, "is_export": file.format == "uniprot"})
    tx.con.execute(f"create temp table if not exists {select.output} as from ({select.sql}) limit 0", values)
    tx.con.execute(f"insert into {select.output} by name {select.sql}", values)
    tx.con.execute("drop view protein_rows")


def _make(tx: store.Transaction, name: str, values: dict[str, Any]) -> None:
    select = sqlfile.load("ingest", name)
    tx.con.execute(f"create temp table {select.output} as {select.sql}", select.bind(values))


def _refuse_bad_rows(tx: store.Transaction) -> None:
    rows = tx.con.execute(
        "select source, row, coalesce(accession, ''), reason, coalesce(text, '') from protein_rejects "
        "where not is_export order by file, row, reason"
    ).fetchall()
    faults = [
        f"row {row} of {source}{_in_brackets(accession)}: {reason}{_in_brackets(text)}"
        for source, row, accession, reason, text in rows
    ]
    if faults:
        raise InputError(faults_message("add proteins", faults, _REMEDY))


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _write(tx: store.Transaction) -> bool:
    """Write new proteins and new rejects to folders of their own; returns whether there are any."""
    seed = _seed(tx)
    is_changed = False
    for name in ("proteins_new", "proteins_new_rejects"):
        select = sqlfile.load("ingest", name)
        values = select.bind({"seed": seed})
        if first_row(tx.con, f"select 1 from ({select.sql}) limit 1", values):  # noqa: S608  (our own file)
            folder = tx.new_folder(select.output)
            tx.write_query(folder, select.sql, values)
            tx.append(folder)
            is_changed = True
    return is_changed


def _seed(tx: store.Transaction) -> int:
    row = first_row(tx.con, "select value::bigint from settings where setting = 'seed'")
    if row is None:
        raise InputError(f"{tx.root} has no seed in its settings; make the warehouse again with init")
    return int(row[0])


def _report(
    tx: store.Transaction, known: Sequence[readers.DataFile], fetched: Download | None
) -> AddProteinsReport:
    counts = dict(tx.con.execute(sqlfile.load("ingest", "proteins_counts").sql).fetchall())
    reasons = tx.con.execute(
        "select reason, count(*) as n from protein_rejects group by reason order by n desc, reason"
    ).fetchall()
    splits = tx.con.execute(
        "select split, count(*) from proteins anti join protein_known using (accession) "
        "group by split order by split"
    ).fetchall()
    unread = {
        c: None for f in known if f.format in ("csv", "tsv", "parquet") for c in f.unread(sum(TABLE, ()))
    }
    n_rows = sum(counts.get(fate, 0) for fate in _FATES)
    return AddProteinsReport(
        files=tuple(file.path for file in known),
        download=fetched,
        n_rows=n_rows,
        n_added=counts.get("new", 0),
        n_present=counts.get("present", 0),
        n_repeated=counts.get("repeated", 0),
        n_too_long=counts.get("too long", 0),
        n_not_drawn=counts.get("not drawn", 0),
        n_rejected=counts.get("bad", 0),
        reasons=tuple(reasons),
        n_upper_cased=counts["upper"],
        n_stop_dropped=counts["stop"],
        n_space_removed=counts["space"],
        splits=tuple(splits),
        unread=tuple(unread),
    )
