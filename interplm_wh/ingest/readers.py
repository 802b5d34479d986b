"""Recognise an input file by its content, and let DuckDB read its columns.

FASTA, UniProtKB exports (TSV), CSV, TSV and Parquet are known; text may be compressed with gzip.
"""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import unexpected
from interplm_wh.errors import InputError, faults_message
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import layout
from interplm_wh.store.rows import value

Format = Literal["fasta", "uniprot", "csv", "tsv", "parquet", "lines"]

KNOWN = "FASTA, UniProtKB TSV, CSV or TSV (plain or gzip), or Parquet"
UNIPROT_KEY = "Entry"
_HEAD_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_ARCHIVES = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
# Titin and its features take 300 kB on one line; DuckDB keeps a few lines of this size in memory.
_MAX_LINE_BYTES = 16_000_000


@dataclass(frozen=True)
class DataFile:
    """One input file whose kind is known.

    Attributes
    ----------
    path : Path
        Absolute.
    format : {'fasta', 'uniprot', 'csv', 'tsv', 'parquet', 'lines'}
        'lines' is text without a header, whose one column is ``line``.
    is_gzip : bool
    columns : tuple of str
        Names in the header, as written; none for FASTA.
    """

    path: Path
    format: Format
    is_gzip: bool
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name, as messages and `rejects` show it."""
        return self.path.name

    def has(self, column: str) -> bool:
        """Whether the header has a column, whatever its case."""
        return column.casefold() in (c.casefold() for c in self.columns)

    def unread(self, used: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that are not among `used`."""
        known = {u.casefold() for u in used}
        return tuple(c for c in self.columns if c.casefold() not in known)

    def index(self, column: str) -> int | None:
        """Return the 0-based place of a column; None where it is absent."""
        wanted = column.casefold()
        return next((i for i, c in enumerate(self.columns) if c.casefold() == wanted), None)


@dataclass(frozen=True)
class Head:
    """The beginning of a file: `text` is the first megabyte, cut at a line; None for Parquet.

    `known` names what may be given in its place.
    """

    path: Path
    is_gzip: bool
    text: str | None
    known: str = KNOWN

    @property
    def as_lines(self) -> DataFile:
        """The file, to be read line by line."""
        return DataFile(self.path, "lines", self.is_gzip, ("line",))


def recognise(path: str | Path) -> DataFile:
    """Find out what a file is from its first bytes; a gzip file is checked to its end.

    Raises
    ------
    InputError
        If it is absent, empty, binary, damaged, or of a kind that is not known.
    """
    return classify(read_head(path))


def read_head(path: str | Path, *, known: str = KNOWN) -> Head:
    """Read the beginning of a file; a gzip file is checked to its end.

    Parameters
    ----------
    path : str or Path
    known : str
        What may be given, for messages.

    Raises
    ------
    InputError
        If it is absent, empty, binary or damaged.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path} is a pipe or device, which cannot be read twice; write it to a file first")
    try:
        head, is_gzip = _head(path)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a readable file") from error
    if not head.strip():
        raise InputError(f"{path} is empty; give {known}")
    if head.startswith(_PARQUET):
        if is_gzip:
            raise InputError(f"{path} is Parquet inside gzip; unpack it with gunzip first")
        return Head(path.resolve(), False, None, known)
    return Head(path.resolve(), is_gzip, _text(path, head, known), known)


def classify(head: Head) -> DataFile:
    """Say what a file is from its beginning.

    Raises
    ------
    InputError
        If it is of a kind that is not known, or its header cannot be taken.
    """
    if head.text is None:
        return DataFile(head.path, "parquet", False, _parquet_columns(head.path))
    return _text_file(head, head.text)


def _head(path: Path) -> tuple[bytes, bool]:
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
    if head.startswith(_GZIP):
        return _gzip_head(path), True
    return head, False


def _gzip_head(path: Path) -> bytes:
    """Return the first bytes inside a gzip file after checking every member of it."""
    head, checker = b"", zlib.decompressobj(31)
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(_HEAD_BYTES):
                while chunk:
                    if checker.eof:
                        checker = zlib.decompressobj(31)
                    text = checker.decompress(chunk)
                    head = head if len(head) >= _HEAD_BYTES else head + text
                    chunk = checker.unused_data
    except zlib.error as error:
        raise InputError(f"{path} is a damaged gzip file ({error}); fetch it again") from error
    if not checker.eof:
        raise InputError(f"{path} is a truncated gzip file; fetch it again")
    return head[:_HEAD_BYTES]


def _parquet_columns(path: Path) -> tuple[str, ...]:
    try:
        return _distinct(path, tuple(pq.read_schema(path).names))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is a truncated or damaged Parquet file; write it again") from error


def _text(path: Path, head: bytes, known: str) -> str:
    kind = next((name for magic, name in _ARCHIVES.items() if head.startswith(magic)), None)
    if kind is not None:
        raise InputError(f"{path} is compressed with {kind}; unpack it, or compress it with gzip")
    if any(byte < 32 and byte not in b"\t\n\r\f\v" for byte in set(head)):
        raise InputError(f"{path} is a binary file; give {known}")
    cut = head if len(head) < _HEAD_BYTES else head[: head.rfind(b"\n") + 1] or head
    try:
        return cut.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}); convert it to UTF-8") from error


def _text_file(head: Head, text: str) -> DataFile:
    path, is_gzip = head.path, head.is_gzip
    if text.lstrip().startswith(">"):
        return DataFile(path, "fasta", is_gzip, ())
    first = text.splitlines()[0]
    if "\t" in first:
        columns = tuple(first.split("\t"))
        kind: Format = "uniprot" if UNIPROT_KEY in columns else "tsv"
    elif "," in first or first.strip().strip('"').isidentifier():
        columns, kind = tuple(next(csv.reader([first]))), "csv"
    else:
        shown = first[:40].strip()
        raise InputError(f"{path} is of no known kind (it begins with {shown!r}); give {head.known}")
    names = _distinct(path, tuple(c.strip().strip('"') for c in columns))
    return DataFile(path, kind, is_gzip, names)


def _distinct(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse columns that differ by case alone."""
    times = Counter(name.casefold() for name in names)
    if twice := sorted({name for name in names if name and times[name.casefold()] > 1}):
        raise InputError(f"{path} has the column {', '.join(twice)} more than once; rename one of them")
    return names


def require(file: DataFile, columns: Sequence[str]) -> None:
    """Check that a file has columns.

    Raises
    ------
    InputError
        Naming every column that is missing.
    """
    missing = [c for c in columns if not file.has(c)]
    if missing:
        raise InputError(
            f"{file.path} has no column {', '.join(missing)} (it has: {', '.join(file.columns) or 'none'}); "
            "add what is missing, or rename the columns"
        )


def create_view(
    con: duckdb.DuckDBPyConnection,
    file: DataFile,
    view: str,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    as_text: bool = True,
) -> None:
    """Create a temporary view over columns of a file that is not FASTA.

    Its columns are ``row`` (BIGINT, 1-based, the header not counted), ``is_ragged`` (whether the
    row has another number of fields than the header; only an export's rows come through then),
    and those asked for. What is absent or an empty text is NULL. For ``row`` to be right, read it
    with `preserve_insertion_order` on, as `reading` does.

    Parameters
    ----------
    con : DuckDBPyConnection
    file : DataFile
    view : str
        Name of the view.
    required, optional : sequence of str
        Columns of the view, found in the file whatever their case.
    as_text : bool
        Whether Parquet columns are cast to VARCHAR, as all others are.

    Raises
    ------
    InputError
        If required columns are missing.
    """
    require(file, required)
    fields = [
        f"{_field(file, name, as_text=as_text)} as {quote_identifier(name)}"
        for name in (*required, *optional)
    ]
    con.execute(
        f"create or replace temp view {quote_identifier(view)} as "  # noqa: S608  (quoted names and paths)
        f"select row, is_ragged, {', '.join(fields)} from ({_scan(file)})"
    )


def _field(file: DataFile, name: str, *, as_text: bool) -> str:
    index = file.index(name)
    if index is None:
        return "null::varchar"
    if file.format == "uniprot":
        return f"nullif(fields[{index + 1}], '')"
    column = quote_identifier(file.columns[index] if file.format == "parquet" else f"c{index}")
    if file.format == "parquet" and not as_text:
        return column
    return f"nullif({column}::varchar, '')"


def _scan(file: DataFile, *, collect: bool = False) -> str:
    """Return the SELECT that reads a file: `row`, `is_ragged`, and its fields."""
    path = quote_literal(_literal_path(file.path))
    if file.format == "parquet":
        return (
            "select file_row_number + 1 as row, false as is_ragged, * exclude (file_row_number) "  # noqa: S608
            f"from read_parquet({path}, file_row_number = true, hive_partitioning = false)"
        )
    common = (
        f"auto_detect = false, comment = '', max_line_size = {_MAX_LINE_BYTES}, hive_partitioning = false, "
        f"compression = '{'gzip' if file.is_gzip else 'none'}'"
    )
    if file.format == "uniprot":
        return (
            f"select row, len(fields) <> {len(file.columns)} as is_ragged, fields from (select row_number() "  # noqa: S608
            "over () as row, string_split(line, chr(9)) as fields from read_csv("
            f"{path}, columns = {{'line': 'VARCHAR'}}, header = true, delim = '\x01', quote = '', "
            f"escape = '', {common}) where line is not null)"
        )
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.columns)))
    if file.format == "lines":
        return (
            f"select row_number() over () as row, false as is_ragged, * from read_csv({path}, "  # noqa: S608
            f"columns = {{{columns}}}, header = false, delim = '\x01', quote = '', escape = '', {common})"
        )
    delim = "\t" if file.format == "tsv" else ","
    rejects = ", store_rejects = true, rejects_limit = 0" if collect else ""
    return (
        f"select row_number() over () as row, false as is_ragged, * from read_csv({path}, "  # noqa: S608
        f"columns = {{{columns}}}, header = true, delim = '{delim}', quote = '\"', escape = '\"', "
        f"{common}{rejects})"
    )


def _literal_path(path: Path) -> str:
    """Return a path in which DuckDB takes no character for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


@contextmanager
def reading(con: duckdb.DuckDBPyConnection, file: DataFile, *, in_order: bool = True) -> Iterator[None]:
    """Read a view of `create_view`, and say clearly what cannot be read.

    Parameters
    ----------
    con : DuckDBPyConnection
    file : DataFile
    in_order : bool
        Whether ``row`` is used; without it, reading takes less memory.

    Raises
    ------
    InputError
        If DuckDB cannot read the file; rows with too many or too few columns are all named.
    """
    before = value(con, "select current_setting('preserve_insertion_order')")
    con.execute("set preserve_insertion_order = ?", [in_order])
    try:
        yield
    except duckdb.Error as error:
        if not _is_of_the_file(error):
            raise
        if "CSV Error" in str(error) or "CSV Parser" in str(error):
            raise InputError(_csv_faults(con, file, str(error))) from error
        reason = str(error).splitlines()[0]
        raise InputError(f"{file.path} cannot be read ({reason}); write it again") from error
    finally:
        con.execute("set preserve_insertion_order = ?", [before])


def _is_of_the_file(error: duckdb.Error) -> bool:
    """Whether the file is at fault, and not a full disk or a query of our own."""
    if layout.DAMAGED in str(error):
        return False  # a file of the warehouse
    if isinstance(error, duckdb.IOException):
        return unexpected.of_the_machine(error) is None
    # DuckDB has no class of its own for Parquet headers that cannot be parsed.
    return isinstance(error, duckdb.InvalidInputException) or type(error) is duckdb.Error


def _csv_faults(con: duckdb.DuckDBPyConnection, file: DataFile, message: str) -> str:
    """Name every row that is not as wide as the header, or whatever else DuckDB found."""
    if "Number of Columns" not in message:
        if "invalid state" in message:
            cause = "its lines end in different ways, or a quote is not closed"
            return f"{file.path} cannot be read ({cause}); write it again with one kind of line end"
        detail = "; ".join(line.strip() for line in message.splitlines()[:3] if line.strip())
        return f"{file.path} cannot be read ({detail}); write it again as UTF-8 text"
    every = ", ".join(f"max(c{i})" for i in range(len(file.columns)))  # what is not used is not parsed
    with con.cursor() as cursor:
        cursor.execute(f"select {every} from ({_scan(file, collect=True)})").fetchall()  # noqa: S608
        rows = cursor.execute(
            "select line, lower(error_type::varchar) from reject_errors order by line"
        ).fetchall()
    n_columns = len(file.columns)
    faults = [f"line {line} has {kind} (the header has {n_columns})" for line, kind in rows]
    return faults_message(str(file.path), faults, "quote fields that hold the separator, or mend the rows")
