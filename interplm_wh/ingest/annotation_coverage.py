"""The proteins in which a source of annotations looked, where absence means absence."""

from __future__ import annotations

from pathlib import Path

import duckdb

from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import readers

_WORDS = {"all": "all that the warehouse has now", "listed": "those listed in the files"}
_KEYS = ("accession", "Entry")


def words(covers: str) -> str:
    """Say how the covered proteins were chosen."""
    return _WORDS.get(covers, f"those in {Path(covers).name}")


def label(covers: str) -> str:
    """Return what `sources` keeps: 'all', 'listed' or the name of the file."""
    return covers if covers in _WORDS else Path(covers).name


def choose(con: duckdb.DuckDBPyConnection, covers: str) -> None:
    """Make `covered_proteins`, which holds the proteins listed in the files, what `covers` asks for.

    Parameters
    ----------
    con : DuckDBPyConnection
        With `known_proteins`.
    covers : str
        'all', 'listed', or a file of accessions: one a line, or a table with a column of them.

    Raises
    ------
    InputError
        If the file cannot be read, or names proteins that the warehouse does not have.
    """
    if covers == "listed":
        return
    if covers == "all":
        con.execute("create or replace temp table covered_proteins as select protein_id from known_proteins")
        return
    file = readers.recognise(covers)
    _read_accessions(con, file)
    unknown = con.execute(
        "select c.accession from covers_file as c anti join known_proteins as p on c.accession = p.accession "
        "order by c.accession"
    ).fetchall()
    if unknown:
        faults = [f"{accession} is not in the warehouse" for (accession,) in unknown]
        raise InputError(faults_message(str(file.path), faults, "add these proteins, or take them out of it"))
    con.execute(
        "create or replace temp table covered_proteins as select p.protein_id "
        "from known_proteins as p semi join covers_file as c on p.accession = c.accession"
    )


def _read_accessions(con: duckdb.DuckDBPyConnection, file: readers.DataFile) -> None:
    key = next((key for key in _KEYS if file.has(key)), None)
    if key is None and len(file.columns) != 1:
        raise InputError(
            f"{file.path} is no list of accessions (columns: {', '.join(file.columns) or 'none'}); "
            "give one accession a line, or a table with a column 'accession'"
        )
    column = key or file.columns[0]
    with readers.reading(con, file):
        readers.create_view(con, file, "covers_rows", required=[column])
        con.execute(
            "create or replace temp table covers_file as select distinct trim(columns(*)) as accession "
            "from (select * exclude (row, is_ragged) from covers_rows)"
        )
    if key is None:  # a bare list: what was taken for a header is the first accession
        con.execute("insert into covers_file select $first", {"first": column.strip()})
    con.execute("delete from covers_file where accession is null or accession = ''")
