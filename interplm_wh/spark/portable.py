"""The SQL that DuckDB and Spark answer alike, and how it is written for Spark.

Translating proves little: sqlglot translates `hash(x)` or `list(x order by x)` without a word, and Spark
then gives other rows. So only constructs are let through that tests have executed on both engines, with
the same rows.
"""

from __future__ import annotations

from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from interplm_wh import sqlfile
from interplm_wh.errors import ResourceError, faults_message
from interplm_wh.sqlfile import SqlFile

FOLDER = "marts"
# Names of sqlglot. A new one belongs here once a test has seen it give the same rows on both engines.
_CLAUSES = (
    "Alias", "CTE", "Column", "Distinct", "Exists", "Filter", "From", "Group", "Having", "Identifier", "Join",
    "Order", "Ordered", "Qualify", "Select", "Star", "Subquery", "Table", "TableAlias", "Union", "Unnest",
    "Where", "Window", "WindowSpec", "With",
)  # fmt: skip
_VALUES = (
    "Boolean", "Case", "Cast", "DataType", "DataTypeParam", "If", "Literal", "Null", "Paren", "Placeholder",
)  # fmt: skip
_OPERATORS = (
    "Add", "And", "Between", "BitwiseAnd", "BitwiseLeftShift", "BitwiseRightShift", "DPipe", "Div", "EQ",
    "GT", "GTE", "In", "IntDiv", "Is", "LT", "LTE", "Mod", "Mul", "NEQ", "Neg", "Not", "Or", "Sub",
)  # fmt: skip
_FUNCTIONS = (
    "Ascii", "BitwiseOrAgg", "Ceil", "Chr", "Coalesce", "Count", "DenseRank", "Floor", "GenerateSeries",
    "Greatest", "GroupConcat", "Lag", "Lead", "Least", "Length", "Max", "Median", "Min", "Nullif", "Replace",
    "Round", "RowNumber", "Sqrt", "StartsWith", "Substring", "Sum",
)  # fmt: skip
_PORTABLE = frozenset((*_CLAUSES, *_VALUES, *_OPERATORS, *_FUNCTIONS))
_TYPES = frozenset({"BIGINT", "BOOLEAN", "DECIMAL", "DOUBLE", "FLOAT", "INT", "TEXT", "VARCHAR"})


def translate(file: SqlFile, *, ordered: bool = True) -> str:
    """Return the SELECT of a file as Spark writes it, its parameters as ``:name``.

    Parameters
    ----------
    ordered : bool
        Whether the order of the rows, where the file gives one, is kept: Spark sorts over all workers,
        for which it makes the rows twice.

    Raises
    ------
    ResourceError
        If it cannot be read, or has anything that the two engines may answer differently.
    """
    if found := faults(file):
        raise ResourceError(faults_message(_where(file), found, _REMEDY))
    return translated_sql(file.sql, ordered=ordered)


_REMEDY = "write it with what both DuckDB and Spark answer alike, or build with: --engine duckdb"


@cache
def translated_sql(sql: str, *, ordered: bool = True) -> str:
    """Return a statement of DuckDB as Spark writes it."""
    tree = _tree(sql)
    if not ordered and not tree.args.get("limit"):
        tree = tree.copy()
        tree.set("order", None)
    return tree.sql("spark", unsupported_level=ErrorLevel.RAISE)


@cache
def faults(file: SqlFile) -> tuple[str, ...]:
    """Name what a file has that the two engines may answer differently; nothing is run."""
    try:
        tree = _tree(file.sql)
        translated_sql(file.sql)
    except SqlglotError as error:
        return (str(error).partition("\n")[0],)
    found = [_fault(node) for node in tree.walk()]
    return tuple(dict.fromkeys(fault for fault in found if fault))


def _fault(node: exp.Expr) -> str | None:
    kind = type(node).__name__
    if kind not in _PORTABLE:
        name = node.name if isinstance(node, exp.Anonymous) else node.sql("duckdb")
        return f"{name[:60]} ({kind}) is not known to give the same on DuckDB and Spark"
    if isinstance(node, exp.GenerateSeries) and not node.args.get("is_end_exclusive"):
        return "generate_series counts down on Spark where DuckDB gives nothing; use range"
    if isinstance(node, exp.DataType) and node.this.name not in _TYPES:
        return f"the type {node.sql('duckdb')} is not the same on DuckDB and Spark"
    return None


def require(folder: str = FOLDER) -> None:
    """Look through every file of a folder of `sql/`.

    Raises
    ------
    ResourceError
        Naming each file that the two engines may answer differently, and why.
    """
    found = [
        f"{_where(file)}: {fault}" for file in sqlfile.load_folder(folder).values() for fault in faults(file)
    ]
    if found:
        raise ResourceError(faults_message(f"sql/{folder}", found, _REMEDY))


def is_grouped(file: SqlFile) -> bool:
    """Whether a file's rows cost more to make than to read: those of groups and windows."""
    return bool(_tree(file.sql).find(exp.Group, exp.Window, exp.Distinct))


def is_unnested(file: SqlFile) -> bool:
    """Whether a file makes many rows from one, of which Spark does not foresee the number."""
    return bool(_tree(file.sql).find(exp.Unnest))


@cache
def _tree(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def _where(file: SqlFile) -> str:
    return f"sql/{file.folder}/{file.name}.sql"
