"""Read a published warehouse, from any working directory, while others write to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from interplm_wh.errors import InputError, InterplmError, NotThereError
from interplm_wh.remote import address
from interplm_wh.store import catalogue, layout, parts, published

if TYPE_CHECKING:
    import polars as pl

# What is said of files that a vacuum removed: before a query is planned, or while it reads them.
GONE = re.compile("No files found|No such file or directory|cannot be read: ")


class Warehouse:
    """A published warehouse, opened for reading.

    Threads may share it: what they ask is answered one after the other.

    Parameters
    ----------
    path : str or Path
    own_macros : bool
        Whether table macros are those of this version of the package, not those that were published.

    Attributes
    ----------
    path : Path
        The folder.
    con : DuckDBPyConnection
        In memory, with the catalogue attached read-only as `wh` and in use.
    stamp : tuple of int
        Time and inode of the catalogue that is open: another one for each publish.
    is_local : bool
        Whether its files are on this machine, and may be looked at beside the tables.
    """

    is_local = True

    def __init__(self, path: str | Path, *, own_macros: bool = False) -> None:
        self.path = layout.root_of(path)
        self._own_macros = own_macros
        if not (self.path / layout.CATALOGUE).is_file():
            raise layout.no_warehouse(path)
        self._lock = threading.RLock()
        self._open()

    @property
    def name(self) -> str:
        """What it is called in messages: its folder, or the address of a published one."""
        return str(self.path)

    def _open(self) -> None:
        self.stamp = _stamp(self.path)
        self.con = duckdb.connect()
        self.con.execute("set enable_progress_bar = false")  # DuckDB's own goes to standard output
        # The activations of a large warehouse lie in hundreds of files, none of which ever changes.
        self.con.execute("set parquet_metadata_cache = true")
        try:
            published.attach(self.con, self.path, name="wh")
        except InterplmError:
            self.con.close()
            raise
        self.con.execute("use wh")
        self._lay_lake()
        if self._own_macros:
            catalogue.lay_macros(self.con)

    def _lay_lake(self) -> None:
        folders = catalogue.current_folders(self.con)
        faults = self.faults()
        for table in catalogue.lake_tables():
            paths = [self.path / folder for folder in folders.get(table.name, ())]
            layout.lay_view(self.con, table, paths, temporary=True, fault=faults.get(table.name))

    def misplaced(self) -> dict[str, parts.Misplaced]:
        """Compare names and sizes of the published files with those that are recorded, by table."""
        return parts.misplaced(self.con, self.path.joinpath)

    def faults(self) -> dict[str, str]:
        """Return, for each table whose files are not as recorded, the first sentence that says so."""
        return parts.first_faults(self.con, self.path.joinpath)

    def own_faults(self) -> list[str]:
        """Return what is wrong with what has been read to open it, where that is kept beside the place."""
        return []

    @contextmanager
    def located(self, name: str) -> Iterator[Path]:
        """Say where a file of the warehouse is on this machine while the block runs; it may be missing."""
        yield self.path / name

    @property
    def is_outdated(self) -> bool:
        """Whether there is a newer publish than the one that is open.

        Raises
        ------
        NotThereError
            If the warehouse is there no more.
        """
        return _stamp(self.path) != self.stamp

    def refresh(self) -> bool:
        """Open the newest publish; returns whether there was a newer one."""
        with self._lock:
            if not self.is_outdated:
                return False
            self.con.close()
            self._open()
            return True

    def sql(
        self,
        query: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pa.Table:
        """Run one query and return its rows as an Arrow table.

        Parameters
        ----------
        query : str
            Any SELECT over the tables, views and macros of the warehouse.
        params : mapping or sequence, optional
            Values for ``$name`` or ``?``.
        tables : mapping of str to Table, optional
            What this query can read beside the warehouse, by name.
        """
        with self._lock:
            try:
                return self._rows(query, params, tables)
            except duckdb.Error as error:
                # A vacuum may have removed what this catalogue names: the newest one names what is there.
                if not GONE.search(str(error)) or not self.refresh():
                    raise
                return self._rows(query, params, tables)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement of the package's own that writes outside the warehouse, and return its rows."""
        with self._lock:
            return self.con.execute(statement).fetchall()

    def _rows(
        self,
        query: str,
        params: Mapping[str, Any] | Sequence[Any] | None,
        tables: Mapping[str, pa.Table],
    ) -> pa.Table:
        for name, table in tables.items():
            self.con.register(name, table)
        try:
            relation = self.con.sql(query, params=params)
            if relation is None:
                raise InputError("this statement has no rows to return; a warehouse is read with SELECT")
            return relation.to_arrow_table()
        finally:
            for name in tables:
                self.con.unregister(name)

    def polars(
        self,
        query: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pl.DataFrame:
        """Run one query, as `sql` does, and return its rows as a polars data frame."""
        import polars

        frame = polars.from_arrow(self.sql(query, params, tables=tables))
        assert isinstance(frame, polars.DataFrame)
        return frame

    def close(self) -> None:
        """Close the connection."""
        self.con.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _stamp(root: Path) -> tuple[int, int]:
    found = published.stamp(root)
    if found is None:
        raise NotThereError(f"there is no warehouse at {root} any more")
    return found


def open_warehouse(path: str | Path, *, own_macros: bool = False) -> Warehouse:
    """Open a warehouse for reading; arguments as of `Warehouse`.

    Raises
    ------
    NotThereError
        If there is none at `path`, or its catalogue lacks what the package's own macros read.
    LockedError
        If another program has opened its catalogue for writing.
    """
    return Warehouse(path, own_macros=own_macros)


def open_anywhere(path: str | Path, *, own_macros: bool = False) -> Warehouse:
    """Open a warehouse for reading, on this machine or published elsewhere; arguments as of `Warehouse`.

    Parameters
    ----------
    path : str or Path
        A folder, or an address: hf://, s3://, gs://, http(s)://, with the version after a #.

    Raises
    ------
    InterplmError
        As `open_warehouse`; or if a published one cannot be reached, or was changed on the way.
    """
    if not address.is_address(path):
        return Warehouse(path, own_macros=own_macros)
    from interplm_wh.remote.reader import PublishedWarehouse

    return PublishedWarehouse(path, own_macros=own_macros)
