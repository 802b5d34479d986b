"""What a folder holds, against what the catalogue recorded of it when it was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from interplm_wh import schema
from interplm_wh.store import files, ordered

LEFT_OUT = "left_out"
"""The setting that names, with commas between, tables that stayed behind when a warehouse was published."""
_ABSENT = "it was left out when this warehouse was published; pull one that was published with --lake"

_RECORDED = """
select
    f.table_name,
    f.folder,
    coalesce(list(p.path) filter (where p.path is not null), []) as paths,
    coalesce(list(p.n_bytes) filter (where p.path is not null), []) as sizes
from folders as f
left join parts as p on f.folder = parse_dirpath(p.path)
where f.is_current and ($table is null or f.table_name = $table)
group by f.table_name, f.folder
order by f.folder
"""


@dataclass
class Misplaced:
    """Files of one table that are not where they should be.

    Attributes
    ----------
    missing, extra : list of str
        One sentence per recorded file that is not there or has another size, and per file that is not
        recorded.
    """

    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def misplaced(
    con: duckdb.DuckDBPyConnection, locate: Callable[[str], Path], *, table: str | None = None
) -> dict[str, Misplaced]:
    """Compare names and sizes of the files in all folders with those that are recorded.

    Parameters
    ----------
    con : DuckDBPyConnection
        With `folders` and `parts`.
    locate : callable
        Says where a folder is.
    table : str, optional
        Look at this one alone.

    Returns
    -------
    dict of str to Misplaced
        By table; only tables with a fault.
    """
    found: dict[str, Misplaced] = {}
    for name, folder, paths, sizes in con.execute(_RECORDED, {"table": table}).fetchall():
        there = {f"{folder}/{file.name}": file.stat().st_size for file in locate(folder).glob("*.parquet")}
        recorded = dict(zip(paths, sizes, strict=True))
        if there != recorded:
            of_table = found.setdefault(name, Misplaced())
            of_table.missing += [
                _size_fault(path, there.get(path), recorded[path])
                for path in sorted(recorded)
                if there.get(path) != recorded[path]
            ]
            of_table.extra += [
                f"{path} stands in a published folder but is not recorded"
                for path in sorted(there.keys() - recorded.keys())
            ]
    return found


def _size_fault(path: str, found: int | None, recorded: int) -> str:
    if found is None:
        return f"{path} is missing"
    return f"{path} has {found:,} bytes instead of {recorded:,}"


def first_faults(
    con: duckdb.DuckDBPyConnection, locate: Callable[[str], Path], *, table: str | None = None
) -> dict[str, str]:
    """Return, for each table whose files are not as recorded, the first sentence that says so."""
    found = misplaced(con, locate, table=table)
    stayed = {name: fault for name, fault in absent(con).items() if table in (None, name)}
    return {name: [*of.missing, *of.extra][0] for name, of in found.items()} | stayed


def absent(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return, for each table that was left out, the sentence that says so."""
    return {name: _ABSENT for name in left_out(con)}


def left_out(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the tables whose files stayed behind when this warehouse was published."""
    rows = con.execute("select value from settings where setting = ?", [LEFT_OUT]).fetchall()
    return [name for (value,) in rows for name in value.split(",") if name]


def faults(path: Path, part: Mapping[str, Any]) -> list[str]:
    """Compare one file with what `parts` recorded of it.

    Parameters
    ----------
    path : Path
        Where it is.
    part : mapping
        A row of `parts`.

    Returns
    -------
    list of str
        One sentence per fault.
    """
    if not path.is_file():
        return [f"{part['path']} is missing"]
    if (size := path.stat().st_size) != part["n_bytes"]:
        return [_size_fault(part["path"], size, part["n_bytes"])]
    if files.sha256(path) != part["sha256"]:
        return [f"{part['path']} was changed: its checksum is not the recorded one"]
    try:
        fact = files.facts(path)
        table = schema.tables().get(part["table_name"])
        found = ordered.order_fault(path, table) if table is not None else None
    except (pa.ArrowException, OSError) as error:
        return [f"{part['path']} cannot be read ({error})"]
    faults = [f"{part['path']}: {found}"] if found else []
    if fact.n_rows != part["n_rows"]:
        faults.append(f"{part['path']} has {fact.n_rows:,} rows instead of {part['n_rows']:,}")
    return faults
