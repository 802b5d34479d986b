"""Change a warehouse: write new folders, change the working copy, publish both at once."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import __version__, schema
from interplm_wh.errors import CheckError, InputError, faults_message
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.store import catalogue, checks, files, layout, lock, ordered, parts, published
from interplm_wh.store.staging import Staging, remove_leftovers, stage

# DuckDB's part of a laptop: the whole process takes half a gigabyte more. What does not fit is written to
# disk where DuckDB can do that.
MEMORY_LIMIT = "1800MB"
MEMORY_VARIABLE = "INTERPLM_WH_MEMORY"
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
# A folder holds one measurement and takes the place of the one before, so that keys can only be repeated
# within it; the others, of which one may be damaged, need not be read.
_UNIQUE_IN_FOLDER = frozenset({"sae_frequency", "sae_metrics", "sampled_pairs"})
# Long enough for a writer that only registers what it has finished.
SHORT_WAIT = 3.0


class Transaction:
    """The working copy of a warehouse, under its lock.

    Attributes
    ----------
    root : Path
        The warehouse.
    con : DuckDBPyConnection
        In memory: the small tables are tables, to be changed by SQL; the lake tables are views over
        their Parquet, to be changed by `append` and `replace`; stored views are there, macros are not.
    staging : Staging
        Where new folders are written.
    previous : frozenset of str
        Folders that only the catalogue before the published one names.
    """

    def __init__(self, root: Path, staging: Staging, *, command: str, settings: Mapping[str, Any]) -> None:
        self.root = root
        self.staging = staging
        self._con = duckdb.connect()
        self._is_published = False
        self.run_id = uuid.uuid4().hex
        self._started = _now()
        self._command = command
        self._settings = dict(settings)
        self._fingerprints: dict[str, str] = {}
        self._load()

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The working copy; after a publish it goes on from what was published."""
        if self._is_published:
            self._is_published = False
            self.run_id = uuid.uuid4().hex
            self._started = _now()
            self._fingerprints = {}
            self.previous = self._forget_previous()
            self.refresh_views()
        return self._con

    def close(self) -> None:
        """Close the working copy."""
        self._con.close()

    def _load(self) -> None:
        self._con.execute("set enable_progress_bar = false")  # DuckDB's own goes to standard output
        self._con.execute("set preserve_insertion_order = false")
        _limit_memory(self._con, os.environ.get(MEMORY_VARIABLE, MEMORY_LIMIT))
        self._con.execute("set temp_directory = ?", [str(self.staging.scratch / "spill")])
        self._con.execute("set file_search_path = ?", [str(self.root)])
        self._stamp = published.stamp(self.root)
        is_there = self._stamp is not None
        if is_there:
            published.attach(self._con, self.root, name="published")
        for table in catalogue.catalogue_tables():
            self._con.execute(catalogue.create_table(table))
            if is_there:
                name = quote_identifier(table.name)
                self._con.execute(f"insert into {name} by name from published.{name}")
        if is_there:
            self._con.execute("detach published")
        self._forget_undeclared()
        self.previous = self._forget_previous()
        self.refresh_views()

    def _forget_undeclared(self) -> None:
        """Take tables out that another version of the package made and this one has no name for."""
        declared = sorted(schema.tables())
        self._con.execute("update folders set is_current = false where table_name not in $t", {"t": declared})
        self._con.execute("delete from parts where table_name not in $t", {"t": declared})

    def _forget_previous(self) -> frozenset[str]:
        """Take the folders that only the catalogue before this one named out of the working copy."""
        gone = self.con.execute("delete from folders where not is_current returning folder").fetchall()
        return frozenset(folder for (folder,) in gone)

    # -- folders ---------------------------------------------------------------------------------

    def new_folder(self, table: str, *, sae: str | None = None) -> Path:
        """Make a folder for new Parquet files of one table."""
        return self.staging.new_folder(table, sae=sae)

    def write_query(
        self,
        folder: Path,
        query: str,
        params: Mapping[str, Any] | None = None,
        *,
        name: str = "part-0.parquet",
    ) -> Path:
        """Write the rows of a SELECT as one Parquet file of a staged folder.

        Columns are taken by name, cast to the schema's types and put in the schema's order.
        """
        table = self._table_of(folder)
        columns = ", ".join(
            f"{quote_identifier(c.name)}::{c.sql_type} as {quote_identifier(c.name)}"
            for c in table.file_columns
        )
        order = ", ".join(quote_identifier(c) for c in table.order if c != "sae" or table.storage != "sae")
        path = folder / name
        copy = (
            f"copy (select {columns} from ({query}) order by {order}) to {quote_literal(str(path))} "  # noqa: S608
            "(format parquet, compression zstd, row_group_size 122880, parquet_version v2)"
        )
        self.con.execute(copy, dict(params or {}))
        return path

    def append(self, folder: Path, *, source: str | None = None, fingerprint: str | None = None) -> None:
        """Let the table's view also read a staged folder."""
        table, sae = self._table_of(folder), _sae_of(folder)
        self.con.execute(
            "insert into folders by name select $folder as folder, $table as table_name, $sae as sae, "
            "(select coalesce(max(rank), -1) + 1 from folders where table_name = $table)::integer as rank, "
            "$source as source, $fingerprint as fingerprint, $run_id as run_id, true as is_current",
            {
                "folder": self.staging.final_name(folder),
                "table": table.name,
                "sae": sae,
                "source": source,
                "fingerprint": fingerprint,
                "run_id": self.run_id,
            },
        )
        self._record_parts(folder, table.name, sae)
        self.refresh_views(only=table.name)

    def replace(
        self,
        table: str,
        folders: Sequence[Path],
        *,
        sae: str | None = None,
        source: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Put staged folders in the place of all that the table has (of this SAE, of this source)."""
        self.drop(table, sae=sae, source=source)
        for folder in folders:
            self.append(folder, source=source, fingerprint=fingerprint)

    def drop(self, table: str, *, sae: str | None = None, source: str | None = None) -> None:
        """Take folders out of a table; they stay on disk for the readers of the catalogue before."""
        self.con.execute(
            "delete from parts where parse_dirpath(path) in (select f.folder from folders as f "
            "where f.is_current and f.table_name = $table and ($sae is null or f.sae = $sae) "
            "and ($source is null or f.source = $source))",
            {"table": table, "sae": sae, "source": source},
        )
        self.con.execute(
            "update folders set is_current = false where is_current and table_name = $table "
            "and ($sae is null or sae = $sae) and ($source is null or source = $source)",
            {"table": table, "sae": sae, "source": source},
        )
        self.refresh_views(only=table)

    def folder_paths(self, table: str, *, sae: str | None = None) -> list[Path]:
        """Return where the current folders of a table are now."""
        rows = self.con.execute(
            "select folder from folders where is_current and table_name = $table "
            "and ($sae is null or sae = $sae) order by rank",
            {"table": table, "sae": sae},
        ).fetchall()
        return [self.locate(folder) for (folder,) in rows]

    def locate(self, folder: str) -> Path:
        """Return where a folder is now: staged, or in the lake."""
        return self.staging.folders.get(folder, self.root / folder)

    def refresh_views(self, *, only: str | None = None) -> None:
        """Make the views read what `folders` names.

        Parameters
        ----------
        only : str, optional
            A lake table; its view alone is made anew.
        """
        if only is None:
            folders = catalogue.current_folders(self.con)
            catalogue.create_views(
                self.con,
                {name: [self.locate(f) for f in paths] for name, paths in folders.items()},
                faults=parts.first_faults(self.con, self.locate),
            )
        else:
            fault = parts.first_faults(self.con, self.locate, table=only).get(only)
            layout.lay_view(self.con, schema.table(only), self.folder_paths(only), fault=fault)

    def lay_macros(self) -> None:
        """Make the macros, which most writers have no use for, in the working copy."""
        catalogue.create_macros(self.con)

    def _table_of(self, folder: Path) -> schema.Table:
        return schema.table(Path(self.staging.final_name(folder)).parts[1])

    def _record_parts(self, folder: Path, table: str, sae: str | None) -> None:
        final = self.staging.final_name(folder)
        for path in sorted(folder.glob("*.parquet")):
            fact = files.facts(path)
            self.con.execute(
                "insert into parts by name select ? as path, ? as table_name, ? as sae, ?::bigint as n_rows, "
                "?::bigint as n_bytes, ? as sha256, ?::integer as first_protein, ?::integer as last_protein",
                [
                    f"{final}/{path.name}", table, sae, fact.n_rows, fact.n_bytes, fact.sha256,
                    fact.first_protein, fact.last_protein,
                ],
            )  # fmt: skip

    # -- publishing ------------------------------------------------------------------------------

    def fingerprint_input(self, path: Path) -> str:
        """Record the checksum of an input file in this run, and return it."""
        checksum = files.sha256(path)
        names = itertools.chain([path.name], (f"{path.name} ({n})" for n in itertools.count(2)))
        name = next(n for n in names if self._fingerprints.get(n, checksum) == checksum)
        self._fingerprints[name] = checksum
        return checksum

    def publish(self) -> None:
        """Check what is new, move it into the lake and let readers see it.

        Raises
        ------
        CheckError
            If a new folder or a small table breaks a rule of its schema; nothing is published then.
        LockedError
            If another program writes to the catalogue, or has published although this one holds the lock;
            nothing is published then either.
        """
        published.refuse_log(self.root)  # before anything is moved, and once more before the catalogue is
        self._check()
        self.con.execute(
            "insert into runs by name select ? as run_id, ?::timestamp as started, ?::timestamp as finished, "
            "? as command, ? as settings, ? as fingerprints, ? as package_version",
            [
                self.run_id, self._started, _now(), self._command,
                json.dumps(self._settings, default=str), json.dumps(self._fingerprints), __version__,
            ],
        )  # fmt: skip
        wanted = {
            folder for (folder,) in self.con.execute("select folder from folders where is_current").fetchall()
        }
        try:
            self.staging.move([final for final in self.staging.folders if final in wanted])
            catalogue.write(self.con, self.root, self.staging.scratch, self._stamp)
        except BaseException:
            self.staging.remove_moved(named_folders(self.root))
            raise
        self.staging.forget_moves()
        self._stamp = published.stamp(self.root)
        self._is_published = True

    def _check(self) -> None:
        faults: list[str] = []
        for table in catalogue.catalogue_tables():
            name = quote_identifier(table.name)
            faults += checks.run(self.con, table, name, keys_of=name)
        fresh = self.con.execute(
            "select table_name, list(folder) from folders where is_current and run_id = ? "
            "group by table_name",
            [self.run_id],
        ).fetchall()
        for name, folders in sorted(fresh):
            faults += self._folder_faults(schema.table(name), [self.locate(f) for f in folders])
        if faults:
            raise CheckError(
                faults_message(
                    str(self.root), faults, "nothing was published; the last warehouse is unchanged"
                )
            )

    def _folder_faults(self, table: schema.Table, folders: Sequence[Path]) -> list[str]:
        """Check what is new; keys, where files do not hold them by their order, against all rows as well."""
        if not any(any(folder.glob("*.parquet")) for folder in folders):
            return []
        rows = f"({layout.view_select(table, folders)})"
        is_alone = table.name in _UNIQUE_IN_FOLDER or set(folders) >= set(self.folder_paths(table.name))
        keys_of: str | None = rows if is_alone else quote_identifier(table.name)
        if table.name in ordered.UNIQUE_BY_ORDER:
            keys_of = None
        faults = checks.run(self.con, table, rows, keys_of=keys_of)
        for path in (path for folder in folders for path in sorted(folder.glob("*.parquet"))):
            if fault := ordered.order_fault(path, table):
                faults.append(f"{table.name}: {path.name}: {fault}")
        return faults


def memory_bytes() -> int:
    """Return how much memory a command may take for what it holds at once.

    Raises
    ------
    InputError
        If the environment names no amount of memory.
    """
    limit = os.environ.get(MEMORY_VARIABLE, MEMORY_LIMIT)
    with duckdb.connect() as con:
        _limit_memory(con, limit)
        shown = con.execute("select current_setting('memory_limit')").fetchall()[0][0]
    number, unit = shown.split()
    return int(float(number) * _UNITS[unit])


def _limit_memory(con: duckdb.DuckDBPyConnection, limit: str) -> None:
    try:
        con.execute("set memory_limit = ?", [limit])
    except duckdb.Error as error:
        raise InputError(
            f"${MEMORY_VARIABLE} is {limit!r}, which is no amount of memory; give one such as 8GB"
        ) from error


def _sae_of(folder: Path) -> str | None:
    name = folder.parent.name
    return name.removeprefix("sae=") if name.startswith("sae=") else None


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def write(
    path: str | Path,
    *,
    command: str,
    settings: Mapping[str, Any] | None = None,
    staging: Staging | None = None,
    wait_seconds: float = SHORT_WAIT,
) -> Iterator[Transaction]:
    """Change a warehouse under its lock; without `publish` nothing has happened.

    Parameters
    ----------
    path : str or Path
        The warehouse.
    command : str
        What the lock and `runs` say is being done.
    settings : mapping, optional
        Kept in `runs` as JSON.
    staging : Staging, optional
        A staging folder that the caller holds already and that outlives the block.
    wait_seconds : float
        How long to wait for the lock.

    Raises
    ------
    NotThereError
        If `path` is not a warehouse.
    LockedError
        If another process is writing, or has opened the catalogue for writing.
    """
    with (
        hold(path, command=command, wait_seconds=wait_seconds) as root,
        nullcontext(staging) if staging is not None else stage(root) as place,
    ):
        transaction = Transaction(root, place, command=command, settings=settings or {})
        try:
            yield transaction
        finally:
            transaction.close()
            shutil.rmtree(place.scratch, ignore_errors=True)


@contextmanager
def hold(path: str | Path, *, command: str, wait_seconds: float = SHORT_WAIT) -> Iterator[Path]:
    """Hold the lock of a warehouse and remove what a killed writer left; yields its folder.

    Parameters and errors are those of `write`.
    """
    root = layout.root_of(path)
    if not (root / layout.CATALOGUE).exists() and command != "init":
        raise layout.no_warehouse(path)
    with lock.hold(root / layout.LOCK, command, wait_seconds=wait_seconds):
        published.refuse_log(root)
        remove_leftovers(root, lambda: named_folders(root))
        yield root


def named_folders(root: Path) -> set[str]:
    """Return the folders that the published catalogue names: its own, and those of the one before."""
    if not (root / layout.CATALOGUE).exists():
        return set()
    with duckdb.connect() as con:
        published.attach(con, root, name="published")
        return {folder for (folder,) in con.execute("select folder from published.folders").fetchall()}
