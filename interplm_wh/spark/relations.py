"""The relations that SQL reads on Spark: Parquet of the lake, small tables handed over, and derived ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplm_wh import schema, sqlfile
from interplm_wh.build import marts
from interplm_wh.build.blocks import Block
from interplm_wh.quote import quote_identifier
from interplm_wh.schema import Table
from interplm_wh.spark import portable
from interplm_wh.sqlfile import SqlFile
from interplm_wh.store import Transaction

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

SPARK_TYPES = {
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "bool": "boolean",
    "timestamp": "timestamp_ntz",
}


class Relations:
    """Gives SQL the tables of one SAE by their names.

    Parameters
    ----------
    spark : SparkSession
    tx : Transaction
        Says which folders make a table now, and holds the small tables.
    sae : str
    """

    def __init__(self, spark: SparkSession, tx: Transaction, sae: str) -> None:
        self._spark = spark
        self._tx = tx
        self._sae = sae
        self._block: Block | None = None
        self._kept: list[DataFrame] = []

    @property
    def n_tasks(self) -> int:
        """How many tasks a shuffle is cut into."""
        return int(self._spark.conf.get("spark.sql.shuffle.partitions") or 1)

    @contextmanager
    def restricted(self, block: Block) -> Iterator[None]:
        """Let `activations` and `encodings` hold one block only."""
        self._block = block
        try:
            with self.keeping():
                yield
        finally:
            self._block = None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let go, after the block, of rows that were kept."""
        try:
            yield
        finally:
            while self._kept:
                self._kept.pop().unpersist()

    def lay(self, files: Sequence[SqlFile], values: Mapping[str, Any], *, given: Iterable[str] = ()) -> None:
        """Lay everything that some files read, all the way down.

        Parameters
        ----------
        given : iterable of str
            What is there already.
        """
        needed = marts.below([name for file in files for name in file.inputs]) - set(given)
        derived = marts.derived()
        for name in sorted(needed - derived.keys()):
            self._source(name).createOrReplaceTempView(name)
        inside = [file for file in sqlfile.build_order(derived) if file.name in needed]
        readers = Counter(name for file in (*files, *inside) for name in file.inputs)
        for file in inside:
            rows = typed(self.rows(file, values, ordered=False), schema.table(file.name))
            if _is_worth_keeping(file, n_readers=readers[file.name]):
                self._kept.append(rows.persist())
                if self.n_tasks > 1:
                    rows.count()  # how large it is decides how it is joined
            rows.createOrReplaceTempView(file.name)

    def rows(self, file: SqlFile, values: Mapping[str, Any], *, ordered: bool = True) -> DataFrame:
        """Return the rows of a file whose inputs are laid."""
        return self._spark.sql(portable.translate(file, ordered=ordered), args=file.bind(values))

    def lay_partial(self, mart: marts.Mart, paths: Sequence[Path]) -> str:
        """Lay the relation ``X_partial`` over rows made per block and, for an append, the old X."""
        name = mart.name + marts.PARTIAL
        self._parquet(schema.table(mart.name), paths).createOrReplaceTempView(name)
        return name

    def _source(self, name: str) -> DataFrame:
        if name in schema.tables() and schema.table(name).storage in ("lake", "sae"):
            return self._lake(schema.table(name))
        rows = self._tx.con.sql(f"from {quote_identifier(name)}").to_arrow_table()
        return self._spark.createDataFrame(rows).hint("broadcast")

    def _lake(self, table: Table) -> DataFrame:
        sae = self._sae if table.storage == "sae" else None
        folders = self._tx.folder_paths(table.name, sae=sae)
        if self._block is None:
            return self._parquet(table, folders)
        if table.name == "activations":
            return self._parquet(table, _whole_folders(self._tx, self._block.parts))
        if table.name == "encodings":
            rows = self._parquet(table, [Path(file) for file in self._block.listed])
            return rows.where(rows["part"].isin(*self._block.parts))
        return self._parquet(table, folders)

    def _parquet(self, table: Table, paths: Sequence[Path]) -> DataFrame:
        from pyspark.sql.functions import lit

        declared = _struct(table)
        rows = (
            self._spark.read.schema(declared).parquet(*map(str, paths))
            if paths
            else self._spark.createDataFrame([], declared)
        )
        return rows.withColumn("sae", lit(self._sae)) if table.storage == "sae" else rows


def _is_worth_keeping(file: SqlFile, *, n_readers: int) -> bool:
    """Whether rows are kept for those that read them; a view is of all proteins, others are of one block."""
    is_of_block = schema.table(file.name).storage != "view"
    return (is_of_block and portable.is_unnested(file)) or (n_readers > 1 and portable.is_grouped(file))


def typed(rows: DataFrame, table: Table, *, columns: Sequence[schema.Column] | None = None) -> DataFrame:
    """Return the columns of a table, in its order and with its types."""
    from pyspark.sql.functions import col

    def cast(column: schema.Column) -> Column:
        return col(f"`{column.name}`").cast(SPARK_TYPES[column.type]).alias(column.name)

    return rows.select(*(cast(column) for column in columns or table.columns))


def _struct(table: Table) -> StructType:
    from pyspark.sql.types import StructType

    return StructType.fromDDL(", ".join(f"`{c.name}` {SPARK_TYPES[c.type]}" for c in table.file_columns))


def _whole_folders(tx: Transaction, parts: Sequence[str]) -> list[Path]:
    """Return where parts are: the folder, where all of its files are among them, else each file."""
    found: list[Path] = []
    names: dict[str, set[str]] = {}
    for part in parts:
        folder, _, name = part.rpartition("/")
        names.setdefault(folder, set()).add(name)
    for folder, wanted in names.items():
        place = tx.locate(folder)
        is_whole = wanted == {path.name for path in place.glob("*.parquet")}
        found += [place] if is_whole else [place / name for name in sorted(wanted)]
    return found
