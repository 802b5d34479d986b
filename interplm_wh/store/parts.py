"""What a folder holds, against what the catalogue recorded of it when it was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from interplm_wh import schema
from interplm_wh.store import files, ordered

_RECORDED = """
select f.table_name, f.folder, coalesce(list(p.path) filter (where p.path is not null), []) as paths
from folders as f
left join parts as p on f.folder = parse_dirpath(p.path)
where f.is_current
group by f.table_name, f.folder
order by f.folder
"""


@dataclass
class Misplaced:
    """Files of one table that are not where they should be.

    Attributes
    ----------
    missing, extra : list of str
        One sentence per recorded file that is not there, and per file that is not recorded.
    """

    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def misplaced(con: duckdb.DuckDBPyConnection, root: Path) -> dict[str, Misplaced]:
    """Compare the names of the files in all published folders with those that are recorded.

    Returns
    -------
    dict of str to Misplaced
        By table; only tables with a fault.
    """
    found: dict[str, Misplaced] = {}
    for table, folder, paths in con.execute(_RECORDED).fetchall():
        there = {f"{folder}/{file.name}" for file in (root / folder).glob("*.parquet")}
        recorded = set(paths)
        if there != recorded:
            of_table = found.setdefault(table, Misplaced())
            of_table.missing += [f"{path} is missing" for path in sorted(recorded - there)]
            of_table.extra += [
                f"{path} stands in a published folder but is not recorded"
                for path in sorted(there - recorded)
            ]
    return found


def first_faults(con: duckdb.DuckDBPyConnection, root: Path) -> dict[str, str]:
    """Return, for each table whose files are not as recorded, the first sentence that says so."""
    return {table: [*of.missing, *of.extra][0] for table, of in misplaced(con, root).items()}


def faults(root: Path, part: Mapping[str, Any]) -> list[str]:
    """Compare one file with what `parts` recorded of it.

    Parameters
    ----------
    root : Path
        The warehouse.
    part : mapping
        A row of `parts`.

    Returns
    -------
    list of str
        One sentence per fault.
    """
    path = root / part["path"]
    if not path.is_file():
        return [f"{part['path']} is missing"]
    if path.stat().st_size != part["n_bytes"]:
        return [f"{part['path']} has {path.stat().st_size:,} bytes instead of {part['n_bytes']:,}"]
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
