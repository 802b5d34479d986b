"""The tables of a warehouse, as declared once in `schemas/`.

From a declaration come the pyarrow schema of every writer, the empty relation of a table without
rows, the comments that a shell user reads, and the checks that run before a publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import pyarrow as pa
import yaml

from interplm_wh import resources
from interplm_wh.errors import ResourceError
from interplm_wh.quote import quote_identifier, quote_literal

Storage = Literal["catalogue", "lake", "sae", "view", "block", "chunk"]

_ARROW: dict[str, pa.DataType] = {
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}
SQL_TYPES: dict[str, str] = {
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
# The parser in C, where yaml was built with it, takes a sixth of the time; each start reads all schemas.
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TABLE_KEYS = {"table", "version", "storage", "what", "grain", "order", "columns", "encoding"}
_COLUMN_KEYS = {"type", "doc", "nullable", "min", "max", "above", "values", "references", "unit", "since"}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name, type, doc : str
        `type` is a key of `SQL_TYPES`.
    nullable : bool
        Whether NULL is allowed.
    min, max : float or None
        Inclusive bounds.
    above : float or None
        Exclusive lower bound.
    values : tuple of str
        The allowed values; empty where any is.
    references : str or None
        ``table.column`` that holds every value of this one.
    unit : str or None
    since : int
        The version of the table that brought it: NULL in files of a version before.
    """

    name: str
    type: str
    doc: str
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    above: float | None = None
    values: tuple[str, ...] = ()
    references: str | None = None
    unit: str | None = None
    since: int = 1

    @property
    def sql_type(self) -> str:
        """The DuckDB type."""
        return SQL_TYPES[self.type]

    @property
    def comment(self) -> str:
        """What `duckdb_columns()` shows."""
        return f"{self.doc} [{self.unit}]" if self.unit else self.doc


@dataclass(frozen=True)
class Table:
    """One table or view.

    Attributes
    ----------
    storage : {'catalogue', 'lake', 'sae', 'view', 'block', 'chunk'}
        A table inside `warehouse.duckdb`; Parquet folders of the whole warehouse; Parquet folders
        per SAE (the column `sae` is the folder's name and is not in the files); a stored view; a
        temporary table that a build holds while it counts one block of proteins of one SAE, or one
        chunk of activations of that block.
    grain : tuple of str
        The columns that identify a row.
    order : tuple of str
        The order of rows in the files.
    """

    name: str
    storage: Storage
    what: str
    grain: tuple[str, ...]
    order: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def file_columns(self) -> tuple[Column, ...]:
        """The columns that stand in the files: all, less `sae` where it is the folder's name."""
        return tuple(c for c in self.columns if not (self.storage == "sae" and c.name == "sae"))

    @property
    def is_extended(self) -> bool:
        """Whether files of an earlier version lack columns."""
        return any(c.since > 1 for c in self.columns)

    @property
    def arrow(self) -> pa.Schema:
        """The schema of the files."""
        return pa.schema([pa.field(c.name, _ARROW[c.type], nullable=c.nullable) for c in self.file_columns])

    @property
    def empty_select(self) -> str:
        """A SELECT with the table's columns and types and no row."""
        columns = ", ".join(f"null::{c.sql_type} as {quote_identifier(c.name)}" for c in self.columns)
        return f"select {columns} where false"

    @property
    def column_list(self) -> str:
        """All columns, quoted, in order."""
        return ", ".join(quote_identifier(c.name) for c in self.columns)

    def column(self, name: str) -> Column:
        """Return one column."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ResourceError(f"schemas/{self.name}.yaml has no column {name}")

    def comments(self, *, kind: Literal["table", "view"]) -> list[str]:
        """Return the COMMENT statements for the table and its columns."""
        name = quote_identifier(self.name)
        what = f"{self.what} Grain: {', '.join(self.grain)}."
        statements = [f"comment on {kind} {name} is {quote_literal(what)}"]
        statements += [
            f"comment on column {name}.{quote_identifier(c.name)} is {quote_literal(c.comment)}"
            for c in self.columns
        ]
        return statements


def _column(table: str, name: str, spec: dict[str, Any]) -> Column:
    unknown = set(spec) - _COLUMN_KEYS
    if unknown or spec.get("type") not in _ARROW or not spec.get("doc"):
        raise ResourceError(f"schemas/{table}.yaml: column {name} needs a type and a doc; unknown: {unknown}")
    if spec.get("since", 1) > 1 and not spec.get("nullable"):
        raise ResourceError(f"schemas/{table}.yaml: column {name} came later, so that it must be nullable")
    values = tuple(spec.get("values", ()))
    return Column(name=name, **{**spec, "values": values})


def parse(text: str) -> Table:
    """Read one declaration.

    Raises
    ------
    ResourceError
        If a key is missing or unknown, or the grain names a column that is not there.
    """
    raw = yaml.load(text, Loader=_YAML)  # noqa: S506
    name = raw.get("table", "?")
    missing = {"table", "version", "storage", "what", "grain", "columns"} - set(raw)
    if missing or set(raw) - _TABLE_KEYS or raw["storage"] not in get_args(Storage):
        raise ResourceError(f"schemas/{name}.yaml: missing {missing}, unknown {set(raw) - _TABLE_KEYS}")
    columns = tuple(_column(name, key, spec) for key, spec in raw["columns"].items())
    known = {c.name for c in columns}
    grain, order = tuple(raw["grain"]), tuple(raw.get("order", raw["grain"]))
    if not {*grain, *order} <= known:
        raise ResourceError(f"schemas/{name}.yaml: grain or order names a column that is not there")
    return Table(name, raw["storage"], raw["what"], grain, order, columns)


@cache
def tables() -> dict[str, Table]:
    """Return every declared table by name, in alphabetical order."""
    found: dict[str, Table] = {}
    for path in sorted(resources.folder("schemas").glob("*.yaml")):
        table = parse(path.read_text(encoding="utf-8"))
        if table.name != path.stem:
            raise ResourceError(f"schemas/{path.name} declares the table {table.name}; name them alike")
        found[table.name] = table
    return found


def table(name: str) -> Table:
    """Return one declared table."""
    try:
        return tables()[name]
    except KeyError:
        raise ResourceError(f"there is no schemas/{name}.yaml") from None
