"""Ask a published warehouse where it is: the catalogue is fetched once, the lake is read by ranges."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh.errors import CheckError, DownloadError, InterplmError
from interplm_wh.remote import address, manifest
from interplm_wh.remote.manifest import Entry, Version
from interplm_wh.remote.place import EXTRA, MissingError, Place, open_place
from interplm_wh.schema import Table
from interplm_wh.store import catalogue, files, layout, parts, reader

if TYPE_CHECKING:
    from interplm_wh.remote.filesystem import PublishedFiles

CACHE_VARIABLE = "XDG_CACHE_HOME"
# What is read before any size is known; a list of 100,000 files takes 20 MB.
_POINTER_BYTES = 1 << 24
_LIST_BYTES = 1 << 28
_FILES_OF = """
select f.table_name, list(p.path order by f.rank, p.path) as paths
from folders as f
inner join parts as p on f.folder = parse_dirpath(p.path)
where f.is_current
group by f.table_name
"""


def versions_at(place: Place) -> tuple[Version, ...]:
    """Return the versions that were published to a place, oldest first.

    Raises
    ------
    MissingError
        If none was.
    """
    where = f"{place.address}: {address.POINTER}"
    return manifest.load_versions(place.read(address.POINTER, at_most=_POINTER_BYTES), where=where)


def find(place: Place) -> tuple[Version, dict[str, Entry]]:
    """Return the version that an address names, and its files by path.

    Raises
    ------
    NotThereError
        If there is no published warehouse, or no such version.
    CheckError
        If its list of files is not the one that was published.
    """
    at = place.address
    try:
        versions = versions_at(place)
    except MissingError as error:
        raise MissingError(
            f"there is no published warehouse at {at} (no {address.POINTER}); look at the address"
        ) from error
    version = manifest.choose(versions, at.version, where=str(at))
    name = f"{version.folder}/{manifest.FILES}"
    try:
        content = cached(
            manifest.FILES, version.files_sha256, lambda: place.read(name, at_most=_LIST_BYTES),
            where=f"{at}: {name}",
        ).read_bytes()  # fmt: skip
    except MissingError as error:
        raise MissingError(
            f"{at}: version {version.name} is gone (no {name}); name another one after a #, or ask who "
            "published it"
        ) from error
    return version, manifest.load_files(content, where=f"{at}: {name}")


def begun(place: Place, entry: Entry) -> Iterator[bytes]:
    """Yield a file in blocks, and no more of it than one block over what it is said to have."""
    n_bytes = 0
    for block in place.stream(entry.place):
        yield block
        n_bytes += len(block)
        if n_bytes > entry.n_bytes:
            return


def cached(name: str, sha256: str, fetch: Callable[[], bytes], *, where: str) -> Path:
    """Return a file of this content on this machine, fetched where it is not there yet.

    Raises
    ------
    CheckError
        If what was fetched has another checksum.
    """
    base = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache")
    path = base / "interplm-wh" / sha256 / name
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    content = fetch()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckError(
            f"{where} is not what was published: its checksum is another one; try again, or ask who "
            "published it"
        )
    files.write_whole(_made(path), content)
    return path


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class PublishedWarehouse(reader.Warehouse):
    """A published version, opened for reading where it is.

    It is asked as any other; nothing of it is ever written. `path` is the folder that its catalogue is
    kept in.
    """

    is_local = False

    def __init__(self, where: str | Path, *, own_macros: bool = False) -> None:
        self._place = open_place(address.parse(where))
        try:
            self.version, self._entries = find(self._place)
            folder = self._fetch(layout.CATALOGUE).parent
            self._fetch_cards(folder)
            super().__init__(folder, own_macros=own_macros)
        except BaseException:
            self._place.close()
            raise

    def _fetch_cards(self, folder: Path) -> None:
        """Keep what SAEs learnt from, which is asked beside the tables."""
        from interplm_wh.train.card import CARD

        for path in self._entries:
            if path.endswith(f"/{CARD}") and not (folder / path).is_file():
                files.write_whole(_made(folder / path), self._fetch(path).read_bytes())

    @property
    def name(self) -> str:
        """Its address and version."""
        at = replace(self._place.address, version=None)
        return f"{at} (version {self.version.name})"

    def _fetch(self, path: str) -> Path:
        """Keep a small file of the version on this machine, and return where."""
        entry = self._entries.get(path)
        where = f"{self._place.address}: {path}"
        if entry is None:
            raise CheckError(f"{where} is not in the list of files; ask who published it")
        return cached(
            Path(path).name,
            entry.sha256,
            lambda: self._place.read(entry.place, at_most=entry.n_bytes),
            where=where,
        )

    def _lay_lake(self) -> None:
        self._files = _filesystem(self._place, self._entries)
        self.con.register_filesystem(self._files)
        named = dict(self.con.execute(_FILES_OF).fetchall())
        faults = self.faults()
        # A view looks at a file when it is made, and again when it is asked: only then at the published one.
        self.con.execute("set parquet_metadata_cache = false")
        for table in catalogue.lake_tables():
            paths = named.get(table.name, [])
            with self._files.stubs(_stub(table)):
                select = layout.files_select(table, [f"{self._files.protocol}://{path}" for path in paths])
                layout.lay_select(self.con, table, select, temporary=True, fault=faults.get(table.name))
        self.con.execute("set parquet_metadata_cache = true")

    def misplaced(self) -> dict[str, parts.Misplaced]:
        """Return the files that the catalogue names and the list does not, or with another size."""
        found: dict[str, parts.Misplaced] = {}
        for row in self.con.execute("select table_name, path, n_bytes, sha256 from parts").fetchall():
            table, path, n_bytes, sha256 = row
            entry = self._entries.get(path)
            if entry is None or (entry.n_bytes, entry.sha256) != (n_bytes, sha256):
                what = "is missing from" if entry is None else "is another one in"
                fault = f"{path} {what} the list of files of {self.name}"
                found.setdefault(table, parts.Misplaced()).missing.append(fault)
        return found

    def faults(self) -> dict[str, str]:
        """Return, for each table whose files are not as recorded, the first sentence that says so."""
        found = {name: of.missing[0] for name, of in self.misplaced().items()}
        return found | parts.absent(self.con)

    def own_faults(self) -> list[str]:
        """Fetch list and catalogue again, of which this machine may hold copies."""
        catalogue_ = self._entries[layout.CATALOGUE]
        name = f"{self.version.folder}/{manifest.FILES}"
        return [
            *self._changed(name, self.version.files_sha256, _LIST_BYTES),
            *self._changed(catalogue_.place, catalogue_.sha256, catalogue_.n_bytes),
        ]

    def _changed(self, name: str, sha256: str, at_most: int) -> list[str]:
        try:
            content = self._place.read(name, at_most=at_most)
        except (MissingError, CheckError) as error:
            return [str(error)]
        if hashlib.sha256(content).hexdigest() == sha256:
            return []
        return [f"{name} was changed: its checksum is not the published one"]

    @contextmanager
    def located(self, name: str) -> Iterator[Path]:
        """Fetch a file while the block runs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            if name in self._entries:
                with suppress(MissingError), path.open("wb") as handle:
                    try:
                        handle.writelines(begun(self._place, self._entries[name]))
                    except MissingError:
                        path.unlink()
                        raise
            yield path

    def sql(
        self,
        query: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one query, as a local warehouse does.

        Raises
        ------
        InterplmError
            Where a file could not be read: in the words of the place, not in those of DuckDB.
        KeyboardInterrupt
            Where a read was stopped.
        """
        with self._own_words():
            return super().sql(query, params, tables=tables or {})

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement, as a local warehouse does; errors as of `sql`."""
        with self._own_words():
            return super().execute(statement)

    @contextmanager
    def _own_words(self) -> Iterator[None]:
        self._files.failure = None
        try:
            yield
        except (duckdb.Error, InterplmError) as error:
            failure: InterplmError | KeyboardInterrupt | None = self._files.failure
            if failure is not None and failure is not error:
                raise failure from error
            raise

    @property
    def is_outdated(self) -> bool:
        """No: a version never changes."""
        return False

    def close(self) -> None:
        """Close the connection."""
        with suppress(duckdb.Error):
            self.con.unregister_filesystem(self._files.protocol)
        super().close()
        self._place.close()


def _filesystem(place: Place, entries: Mapping[str, Entry]) -> PublishedFiles:
    try:
        from interplm_wh.remote.filesystem import PublishedFiles
    except ModuleNotFoundError as error:
        raise DownloadError(
            f"to ask a warehouse where it is needs the package {error.name}; run {EXTRA}"
        ) from error
    return PublishedFiles(place, entries)


def _stub(table: Table) -> bytes:
    """Return a Parquet file with the columns of a table and no row."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.arrow.empty_table(), sink)
    return bytes(sink.getvalue())
