"""The checks that follow from a schema, as queries that must return no rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.schema import Column, Table
from interplm_wh.store.rows import value


@dataclass(frozen=True)
class Check:
    """One rule of one table; `sql` counts the rows that break it."""

    table: str
    rule: str
    sql: str


def _column_rules(column: Column) -> Iterator[tuple[str, str]]:
    name = quote_identifier(column.name)
    if not column.nullable:
        yield f"{column.name} is never NULL", f"{name} is null"
    if column.type.startswith("float"):
        yield f"{column.name} is never NaN", f"isnan({name})"
    if column.min is not None:
        yield f"{column.name} is at least {column.min}", f"{name} < {column.min}"
    if column.above is not None:
        yield f"{column.name} is above {column.above}", f"{name} <= {column.above}"
    if column.max is not None:
        yield f"{column.name} is at most {column.max}", f"{name} > {column.max}"
    if column.values:
        values = ", ".join(quote_literal(v) for v in column.values)
        yield f"{column.name} is one of {', '.join(column.values)}", f"{name} not in ({values})"


def row_checks(table: Table, relation: str) -> Check | None:
    """Return one check that counts the rows that break any rule on single columns."""
    columns = table.columns if table.storage != "sae" else table.file_columns
    rules = [condition for column in columns for _, condition in _column_rules(column)]
    if not rules:
        return None
    sql = f"select count(*) from {relation} where {' or '.join(rules)}"  # noqa: S608
    return Check(table.name, "values are within the declared bounds", sql)


def broken_rules(con: duckdb.DuckDBPyConnection, table: Table, relation: str) -> list[str]:
    """Name the rules on single columns that a relation breaks, with how many rows."""
    found: list[str] = []
    columns = table.columns if table.storage != "sae" else table.file_columns
    for column in columns:
        for rule, condition in _column_rules(column):
            sql = f"select count(*) from {relation} where {condition}"  # noqa: S608
            n_rows = _count(con, sql)
            if n_rows:
                found.append(f"{table.name}: {rule}, but {n_rows:,} rows break it")
    return found


def key_check(table: Table, relation: str, *, new: str | None = None) -> Check:
    """Return the check that the grain of a relation is unique.

    Parameters
    ----------
    new : str, optional
        The rows of the relation whose keys are looked at: the others were when they were new, and of a
        large table they would not fit into memory.
    """
    grain = ", ".join(quote_identifier(c) for c in table.grain)
    among = relation
    if new is not None and not any(table.column(c).nullable for c in table.grain):  # NULL joins nothing
        among = f"{relation} semi join {new} as new_rows using ({grain})"
    return Check(
        table.name,
        f"({', '.join(table.grain)}) is unique",
        f"select count(*) from (select 1 from {among} group by {grain} having count(*) > 1)",  # noqa: S608
    )


def reference_checks(table: Table, relation: str) -> Iterator[Check]:
    """Yield the checks that what a relation refers to is there."""
    for column in table.columns:
        if column.references is None:
            continue
        other, _, key = column.references.partition(".")
        name, target, parent = quote_identifier(column.name), quote_identifier(key), quote_identifier(other)
        yield Check(
            table.name,
            f"every {column.name} stands in {column.references}",
            f"select count(*) from (select distinct {name} as k from {relation}) as c "  # noqa: S608
            f"anti join {parent} as p on c.k = p.{target}",
        )


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(value(con, sql))


def run(con: duckdb.DuckDBPyConnection, table: Table, rows: str, *, keys_of: str | None = None) -> list[str]:
    """Run the checks of a table.

    Parameters
    ----------
    rows : str
        The relation whose values and references are checked, quoted.
    keys_of : str, optional
        The relation whose grain must be unique; it holds `rows`.

    Returns
    -------
    list of str
        One sentence per broken rule.
    """
    faults: list[str] = []
    first = row_checks(table, rows)
    if first is not None and _count(con, first.sql):
        faults += broken_rules(con, table, rows)
    keys = [key_check(table, keys_of, new=None if keys_of == rows else rows)] if keys_of else []
    found = [*reference_checks(table, rows), *keys]
    for check in found:
        n_rows = _count(con, check.sql)
        if n_rows:
            faults.append(f"{table.name}: {check.rule}, but {n_rows:,} do not hold")
    return faults
