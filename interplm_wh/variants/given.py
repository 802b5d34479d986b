"""Variants and measured effects that somebody gives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers
from interplm_wh.variants import notation
from interplm_wh.variants.notation import Variant

COLUMNS = ("mutant", "mutation", "variant")
"""Columns that may hold variants, the first that is there is read."""
MEASURED = "DMS_score"
_KNOWN = f"CSV or TSV (plain or gzip) or Parquet with a column {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}"
_REMEDY = "nothing was changed; correct these or leave them out"


@dataclass(frozen=True)
class Measured:
    """Measured effects of variants of one protein.

    Attributes
    ----------
    name : str
        Name of the file and of the column.
    path : Path
    effects : dict of Variant to float
    n_without : int
        Rows of the file without a number, which are left out.
    """

    name: str
    path: Path
    effects: dict[Variant, float]
    n_without: int


def of_words(words: Sequence[str], sequence: str) -> list[Variant]:
    """Read variants of a command line.

    Raises
    ------
    InputError
        With every fault.
    """
    return list(_checked(((word, word) for word in words), sequence, where="--mutation"))


def of_file(path: Path, sequence: str) -> list[Variant]:
    """Read the variants of a file; one that stands there twice is taken once.

    Raises
    ------
    InputError
        If it cannot be read, has no row, or holds what is no variant of the sequence: every fault.
    """
    rows = _rows(path, None)
    given = ((f"row {row}", text or "") for row, text, _ in rows)
    return list(_checked(given, sequence, where=str(path)))


def of_measured(path: Path, sequence: str, *, column: str) -> Measured:
    """Read the variants of a file with their measured effects.

    Raises
    ------
    InputError
        As `of_file`; and if a number is none, or a variant has two.
    """
    faults: list[str] = []
    effects: dict[Variant, float] = {}
    first: dict[Variant, int] = {}
    n_without = 0
    for row, text, number in _rows(path, column):
        try:
            variant = notation.parse(text or "")
        except InputError as error:
            faults.append(f"row {row}: {error}")
            continue
        faults += [f"row {row}: {fault}" for fault in notation.faults(variant, sequence)]
        if number is None:
            n_without += 1
            continue
        if variant in first:
            faults.append(f"row {row}: {variant.name} has an effect in row {first[variant]} already")
        first.setdefault(variant, row)
        value = _number(number)
        if value is None:
            faults.append(f"row {row}: {column} is {number!r}, which is no number")
        else:
            effects[variant] = value
    if faults:
        raise InputError(faults_message(str(path), faults, _REMEDY))
    if not effects:
        raise InputError(f"{path}: no row has a number in {column}; name another with --column")
    return Measured(f"{path.name}:{column}", path, effects, n_without)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _checked(given: Iterable[tuple[str, str]], sequence: str, *, where: str) -> Iterable[Variant]:
    """Return variants, each once, in the order given."""
    faults: list[str] = []
    found: dict[Variant, None] = {}
    for place, text in given:
        named = "" if place == text else f"{place}: "
        try:
            variant = notation.parse(text)
        except InputError as error:
            faults.append(f"{named}{error}")
            continue
        faults += [f"{named}{fault}" for fault in notation.faults(variant, sequence)]
        found[variant] = None
    if faults:
        raise InputError(faults_message(where, faults, _REMEDY))
    if not found:
        raise InputError(f"{where}: names no variant; give {_KNOWN}")
    return found


def _rows(path: Path, column: str | None) -> list[tuple[int, str | None, str | None]]:
    """Return (row, variant, number) of a file, all as text; the number is NULL without a column."""
    file = readers.classify(readers.read_head(path, known=_KNOWN))
    named = [name for name in COLUMNS if file.has(name) and name != column]
    if len(named) > 1:
        raise InputError(
            f"{path} has the columns {' and '.join(named)}, of which one can name the variants; leave out or "
            "rename the others"
        )
    name = named[0] if named else None
    if name is None or file.format == "uniprot":
        raise InputError(
            f"{path} has no column {' or '.join(COLUMNS)} (it has: {', '.join(file.columns) or 'none'}); "
            f"give {_KNOWN}"
        )
    if column is not None and not file.has(column):
        raise InputError(
            f"{path} has no column {column} (it has: {', '.join(file.columns)}); name that of the measured "
            "effect with --column"
        )
    wanted = [name] if column is None else [name, column]
    with duckdb.connect() as con:
        con.execute("set enable_progress_bar = false")
        readers.create_view(con, file, "given", required=wanted)
        with readers.reading(con, file):
            rows = con.execute("select * exclude (is_ragged) from given order by row").fetchall()
    return [(row[0], row[1], row[2] if column is not None else None) for row in rows]
