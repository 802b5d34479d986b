"""Write a fresh catalogue: views, macros, comments and the small tables."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import duckdb

from interplm_wh import schema, sqlfile
from interplm_wh.errors import NotThereError
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.schema import Table
from interplm_wh.store import layout, parts, published, staging

_CURRENT_FOLDERS = """
select table_name, list(folder order by rank) as folders
from folders
where is_current
group by table_name
"""


def stored_views() -> list[sqlfile.SqlFile]:
    """Return the views that are SELECTs in `sql/marts/`, each after those that it reads."""
    views = {
        name: file
        for name, file in sqlfile.load_folder("marts").items()
        if name in schema.tables() and schema.table(name).storage == "view"
    }
    return sqlfile.build_order(views)


def current_folders(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return the published folders of each lake table, in order."""
    return {name: list(folders) for name, folders in con.execute(_CURRENT_FOLDERS).fetchall()}


def lake_tables() -> list[Table]:
    """Return the tables that are kept in Parquet."""
    return [t for t in schema.tables().values() if t.storage in ("lake", "sae")]


def catalogue_tables() -> list[Table]:
    """Return the tables that are kept in the catalogue itself."""
    return [t for t in schema.tables().values() if t.storage == "catalogue"]


def create_table(table: Table) -> str:
    """Return the CREATE TABLE of a small table."""
    columns = ", ".join(
        f"{quote_identifier(c.name)} {c.sql_type}{'' if c.nullable else ' not null'}" for c in table.columns
    )
    return f"create table {quote_identifier(table.name)} ({columns})"


def fill_table(table: Table, *, source: str) -> str:
    """Return the INSERT of all rows of `source` into a small table, in the order that it is kept in."""
    order = ", ".join(map(quote_identifier, table.order))
    name = quote_identifier(table.name)
    return f"insert into {name} by name select {table.column_list} from {source} order by {order}"  # noqa: S608


def create_macro(file: sqlfile.SqlFile, *, temporary: bool = False) -> str:
    """Return the CREATE MACRO of a file of `sql/macros/`."""
    params = ", ".join(p.name if p.default is None else f"{p.name} := {p.default}" for p in file.params)
    kind = "temp macro" if temporary else "macro"
    return f"create or replace {kind} {quote_identifier(file.name)}({params}) as table {file.macro_body}"


def lay_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Lay the macros of this version over those of the catalogue in use, which another may have published.

    Views that it lacks are laid as well.

    Raises
    ------
    NotThereError
        If the catalogue lacks what one of them reads.
    """
    there = {name for (name,) in con.execute("select table_name from information_schema.tables").fetchall()}
    for view in stored_views():
        if view.name not in there:
            con.execute(layout.create_view(schema.table(view.name), view.sql, temporary=True))
    for file in sqlfile.build_order(sqlfile.load_folder("macros")):
        try:
            con.execute(create_macro(file, temporary=True))
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
            raise NotThereError(
                f"this warehouse was published by another version of interplm-wh, and {file.name} cannot be "
                f"asked of it ({first}); publish it anew with: interplm-wh -w WAREHOUSE build"
            ) from error


def create_views(
    con: duckdb.DuckDBPyConnection,
    folders: Mapping[str, Sequence[Path | str]],
    *,
    faults: Mapping[str, str] | None = None,
) -> None:
    """Create the lake views over folders, then the stored views.

    Parameters
    ----------
    faults : mapping of str to str, optional
        What is known to be wrong with the files of a table.
    """
    for table in lake_tables():
        layout.lay_view(con, table, folders.get(table.name, ()), fault=(faults or {}).get(table.name))
    for view in stored_views():
        con.execute(layout.create_view(schema.table(view.name), view.sql))


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Create the macros, each after those that it reads."""
    for macro in sqlfile.build_order(sqlfile.load_folder("macros")):
        con.execute(create_macro(macro))


def _comments() -> Iterator[str]:
    for table in [*catalogue_tables(), *lake_tables(), *(schema.table(v.name) for v in stored_views())]:
        yield from table.comments(kind="table" if table.storage == "catalogue" else "view")
    for name, macro in sqlfile.load_folder("macros").items():
        yield f"comment on macro table {quote_identifier(name)} is {quote_literal(macro.what)}"


@contextmanager
def _attached(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a catalogue to be written in one transaction: one commit instead of some hundred."""
    with duckdb.connect() as con:
        con.execute(
            f"attach {quote_literal(str(path))} as catalogue "
            f"(storage_version {quote_literal(layout.STORAGE_VERSION)})"
        )
        con.execute("use catalogue")
        yield con
        con.execute("checkpoint catalogue")
        con.execute("use memory")
        con.execute("detach catalogue")


@functools.cache
def _blank() -> bytes:
    """Return the catalogue of a warehouse without anything: what all catalogues have in common.

    It follows from the package alone, so that a process which publishes often makes it once.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / layout.CATALOGUE
        with _attached(path) as con:
            con.execute("begin")
            for table in catalogue_tables():
                con.execute(create_table(table))
            create_views(con, {})
            create_macros(con)
            con.execute(";\n".join(_comments()))
            con.execute("commit")
        return path.read_bytes()


def compose(
    working: duckdb.DuckDBPyConnection,
    root: Path,
    target: Path,
    *,
    faults: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the working copy as a catalogue of the warehouse at `root`, checkpointed and closed.

    Parameters
    ----------
    working : DuckDBPyConnection
        Holds every table of storage 'catalogue'.
    root, target : Path
        The warehouse; the file that is written.
    faults : mapping of str to str
        What is known to be wrong with the files of a table.
    """
    target.write_bytes(_blank())
    folders = current_folders(working)
    with _attached(target) as con:
        con.execute("set file_search_path = ?", [str(root)])
        filled = [table for table in lake_tables() if folders.get(table.name)]
        # Found out before, because an error in a transaction would end it.
        found = {
            table.name: faults.get(table.name) or layout.fault_of(con, table, folders[table.name])
            for table in filled
        }
        con.execute("begin")
        for table in catalogue_tables():
            con.register("small", working.table(table.name).to_arrow_table())
            con.execute(fill_table(table, source="small"))
            con.unregister("small")
        for table in filled:
            layout.lay_view(con, table, folders[table.name], fault=found[table.name])
            con.execute(";\n".join(table.comments(kind="view")))
        con.execute("commit")


def write(
    working: duckdb.DuckDBPyConnection, root: Path, scratch: Path, expected: tuple[int, int] | None
) -> None:
    """Publish the working copy as the catalogue of the warehouse at `root`.

    The catalogue is written under a temporary name, checkpointed, closed and flushed, and only
    then takes the name that readers open.

    Parameters
    ----------
    working : DuckDBPyConnection
        Holds every table of storage 'catalogue'.
    root, scratch : Path
        The warehouse; a folder on the same file system for the temporary file.
    expected : tuple of int or None
        `published.stamp` of the catalogue that the working copy was made from.

    Raises
    ------
    LockedError
        If another program writes to the catalogue, or has published one.
    """
    temporary = scratch / layout.CATALOGUE
    compose(working, root, temporary, faults=parts.absent(working))
    staging.sync(temporary)
    published.refuse_log(root)
    published.refuse_overtaken(root, expected)
    temporary.replace(root / layout.CATALOGUE)
    staging.sync(root)
