"""A table that says which chain of which structure belongs to which protein."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers
from interplm_wh.structures.file import safe_name

COLUMNS = ("accession", "structure", "chain")


@dataclass(frozen=True)
class ChainMap:
    """A table that says which chain belongs to which protein.

    Attributes
    ----------
    path : Path
    rows : dict of str to list of (str, str or None)
        By name of the structure, in lower case: accession, and chain or None where any may be.
    used : set of str
        Names that a file had.
    """

    path: Path
    rows: dict[str, list[tuple[str, str | None]]]
    used: set[str] = field(default_factory=set)

    def of(self, name: str) -> list[tuple[str, str | None]]:
        """Return the rows of one structure, and remember that it was there."""
        found = self.rows.get(name.casefold(), [])
        if found:
            self.used.add(name.casefold())
        return found

    @property
    def unused(self) -> list[str]:
        """Names of structures that no file had."""
        return sorted(set(self.rows) - self.used)


def read_map(con: duckdb.DuckDBPyConnection, path: Path) -> ChainMap:
    """Read a table (CSV, TSV, Parquet) with accession, structure, chain; the chain may be empty.

    Raises
    ------
    InputError
        If it cannot be read, a row lacks a value, or an accession is not in the warehouse: all such
        rows are in one message.
    """
    file = readers.recognise(path)
    if file.format == "fasta":
        raise InputError(f"{path} is FASTA; give a table with {', '.join(COLUMNS)}")
    readers.require(file, COLUMNS)
    with readers.reading(con, file):
        readers.create_view(con, file, "structure_map", required=COLUMNS)
        rows = con.execute(
            "select m.row, m.accession, m.structure, m.chain, p.accession is not null "
            "from structure_map as m left join proteins as p on m.accession = p.accession order by m.row"
        ).fetchall()
    faults = [
        f"row {row}: it lacks an accession or a structure"
        if accession is None or structure is None
        else f"row {row}: there is no protein {accession} in the warehouse"
        for row, accession, structure, _, is_known in rows
        if structure is None or not is_known
    ]
    if faults:
        raise InputError(faults_message(f"add structures: {path}", faults, "correct or leave out these rows"))
    found: dict[str, list[tuple[str, str | None]]] = {}
    for _, accession, structure, chain, _ in rows:
        found.setdefault(safe_name(Path(structure)).casefold(), []).append((accession, chain))
    return ChainMap(path, found)
