"""Attach the published catalogue, and say who or what stands in the way."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from interplm_wh.errors import LockedError, NotThereError
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import layout


def attach(con: duckdb.DuckDBPyConnection, root: Path, *, name: str) -> None:
    """Attach the catalogue of a warehouse read-only.

    Parameters
    ----------
    root : Path
        The warehouse.
    name : str
        What the catalogue is called in the connection.

    Raises
    ------
    LockedError
        If a program has opened it for writing.
    NotThereError
        If it cannot be read.
    """
    refuse_log(root)
    published = root / layout.CATALOGUE
    try:
        con.execute(f"attach {quote_literal(str(published))} as {quote_identifier(name)} (read_only)")
    except duckdb.Error as error:
        first = str(error).partition("\n")[0]
        if "Conflicting lock" in first:
            raise LockedError(
                f"{published} is open for writing in another program ({first}); close that, and open a "
                f"warehouse with: interplm-wh shell, or duckdb -readonly {layout.CATALOGUE}"
            ) from error
        raise NotThereError(
            f"{published} cannot be read as a warehouse ({first}); restore it from a copy, or begin anew "
            "with init"
        ) from error


def stamp(root: Path) -> tuple[int, int] | None:
    """Return what is another for each publish; None where there is no catalogue yet.

    The file is opened, since a network file system is asked anew for that alone.
    """
    try:
        with (root / layout.CATALOGUE).open("rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def refuse_overtaken(root: Path, expected: tuple[int, int] | None) -> None:
    """Refuse to replace a catalogue that another process has published beside the one that holds the lock.

    Raises
    ------
    LockedError
    """
    if stamp(root) != expected:
        raise LockedError(
            f"{root}: another process published while this one held the lock: locks on this file system do "
            "not hold for all machines; nothing was published; mount it with locks that do (flock), or let "
            "one machine write at a time"
        )


def refuse_log(root: Path) -> None:
    """Refuse to go on beside the write-ahead log of another program.

    DuckDB would apply it to whatever has the name of the catalogue, without an error.

    Raises
    ------
    LockedError
    """
    log = root / (layout.CATALOGUE + ".wal")
    if log.exists():
        raise LockedError(
            f"{log} is there, which a program leaves that opened the catalogue for writing and was not "
            "closed; close it if it still runs, otherwise delete that file: what it changed is no part of "
            "the warehouse"
        )
