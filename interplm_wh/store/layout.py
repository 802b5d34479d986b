"""Names of files and folders in a warehouse, and the views over its Parquet folders."""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import duckdb

from interplm_wh.errors import InputError, NotThereError
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.remote import address
from interplm_wh.schema import Table

CATALOGUE = "warehouse.duckdb"
LOCK = ".lock"
STAGING = ".staging"
PULLING = ".pulling"
ENCODED = "encoded"
LAKE = "lake"
EMBEDDINGS = "embeddings"
TRAINING = "training"
UNFINISHED = ".new-"
SAES = "saes"
PLMS = "plms"
DOWNLOADS = "downloads"
STRUCTURES = "structures"
ANSWERS = "answers"
# What this package writes; a table that names another file is not its own, and is never followed.
_STRUCTURE = re.compile(r"structures/[A-Za-z0-9._-]{1,64}-[0-9a-f]{16}\.(pdb|cif)")

# What a message about a damaged or missing file ends with.
DAMAGED = "see: interplm-wh verify"

# Files that DuckDB 2 writes otherwise cannot be opened by the 1.x shell.
STORAGE_VERSION = "v1.2.0"


# DuckDB reads these as patterns in the names of files, and a comma as the end of a folder's name.
_NOT_IN_PATHS = ",*?[]\\"


def root_of(path: str | Path) -> Path:
    """Return the folder of a warehouse as an absolute path.

    Raises
    ------
    InputError
        If DuckDB could not find files under it, or it is a published warehouse.
    """
    if address.is_address(path):
        raise address.refuse_writing(path)
    root = Path(path).resolve()
    if bad := sorted(set(str(root)) & set(_NOT_IN_PATHS)):
        raise InputError(
            f"{root}: a warehouse cannot stand in a folder with {' '.join(bad)} in its path, which DuckDB "
            "takes for a pattern; rename the folder or choose another"
        )
    return root


def new_folder_name(table: str, *, sae: str | None = None) -> str:
    """Return the path, in the warehouse, of a new folder for one table (and SAE)."""
    base = PurePosixPath(LAKE) / table
    if sae is not None:
        base = base / f"sae={sae}"
    return str(base / uuid.uuid4().hex)


def no_warehouse(path: Path | str) -> NotThereError:
    """Return the error for a folder that is no warehouse."""
    words = shlex.quote(str(path))
    if (Path(path) / PULLING).is_file():
        return NotThereError(
            f"the warehouse at {path} is not there yet: a pull of it was interrupted; go on with the same "
            f"command, interplm-wh -w {words} pull ADDRESS"
        )
    return NotThereError(f"there is no warehouse at {path}; make one with: interplm-wh -w {words} init")


def weights(root: Path, sae: str) -> Path:
    """Return the file in which the weights of an SAE are kept."""
    return root / SAES / sae / "sae.safetensors"


def structure_name(name: str, sha256: str, extension: str) -> str:
    """Return the path, in the warehouse, of a file of structures: its name and a piece of its checksum."""
    return f"{STRUCTURES}/{name}-{sha256[:16]}.{extension}"


def structure_file(root: Path, name: str) -> Path | None:
    """Return where a file of structures is; None where a path, in the warehouse, names none."""
    return root / name if _STRUCTURE.fullmatch(name) else None


def view_select(table: Table, folders: Iterable[Path | str]) -> str:
    """Return the SELECT of a lake table over its folders; typed and empty without any.

    Parameters
    ----------
    table : Table
        A table whose storage is 'lake' or 'sae'.
    folders : iterable of path or str
        Absolute, or relative to the warehouse. They are named as patterns because DuckDB looks
        patterns up in `file_search_path` and plain file names in the working directory.
    """
    return files_select(table, [f"{folder}/*.parquet" for folder in folders])


def files_select(table: Table, files: Iterable[str]) -> str:
    """Return the SELECT of a lake table over files, or patterns of their names; empty without any."""
    globs = ", ".join(quote_literal(file) for file in files)
    if not globs:
        return table.empty_select
    hive = (
        ", hive_partitioning = true, hive_types = {'sae': varchar}"
        if table.storage == "sae"
        else ", hive_partitioning = false"
    )
    if table.is_extended:  # what files of an earlier version lack is NULL
        files = (
            f"from read_parquet([{globs}]{hive}, union_by_name = true) union all by name {table.empty_select}"
        )
        return f"select {table.column_list} from ({files})"  # noqa: S608
    return f"select {table.column_list} from read_parquet([{globs}]{hive})"  # noqa: S608


def fault_of(con: duckdb.DuckDBPyConnection, table: Table, folders: Sequence[Path | str]) -> str | None:
    """Say why the view of a lake table could not be created; None where it can."""
    try:
        con.execute(f"explain {view_select(table, folders)}")
    except duckdb.Error as error:
        return str(error).partition("\n")[0]
    return None


def lay_view(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    folders: Sequence[Path | str],
    *,
    temporary: bool = False,
    fault: str | None = None,
) -> None:
    """Create the view of a lake table over its folders.

    Where a file is damaged or gone, the view fails when it is read, with a message that names it, so
    that everything else can still be asked and the damage mended.

    Parameters
    ----------
    fault : str, optional
        What is known to be wrong with the files.
    """
    lay_select(con, table, view_select(table, folders), temporary=temporary, fault=fault)


def lay_select(
    con: duckdb.DuckDBPyConnection, table: Table, select: str, *, temporary: bool, fault: str | None
) -> None:
    """Create the view of a lake table, as `lay_view` does, from its SELECT."""
    first = fault
    if first is None:
        try:
            con.execute(create_view(table, select, temporary=temporary))
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
    if first is not None:
        broken = f"{table.name} cannot be read: {first}; {DAMAGED}"
        failing = f"error({quote_literal(broken)})"
        # Each column and the rows fail: a filter on a column that is known to be NULL would find no rows.
        columns = ", ".join(f"{failing}::{c.sql_type} as {quote_identifier(c.name)}" for c in table.columns)
        select = f"select {columns} where {failing} is null"
        con.execute(create_view(table, select, temporary=temporary))


def create_view(table: Table, select: str, *, temporary: bool = False) -> str:
    """Return the CREATE VIEW of a table."""
    kind = "temp view" if temporary else "view"
    return f"create or replace {kind} {quote_identifier(table.name)} as {select}"
