"""The relations that SQL reads on Spark: Parquet of the lake, small tables handed over, and derived ones."""

from __future__ import annotations

import shutil
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
from interplm_wh.spark import files, portable
from interplm_wh.spark.files import SPARK_TYPES, typed
from interplm_wh.sqlfile import SqlFile
from interplm_wh.store import Transaction

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Kept, so that Spark knows how few rows they have beside those that they are chosen from.
_SMALL = ("chunk_near", "chunk_strongest")


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
        self._sources: Sequence[str] | None = None
        self._kept: list[Path] = []

    @property
    def n_tasks(self) -> int:
        """How many tasks a shuffle is cut into."""
        return int(self._spark.conf.get("spark.sql.shuffle.partitions") or 1)

    @contextmanager
    def restricted(self, block: Block, sources: Sequence[str] | None) -> Iterator[None]:
        """Let `activations` and `encodings` hold one block only; with sources, of proteins they looked in."""
        self._block, self._sources = block, sources
        try:
            with self.keeping():
                yield
        finally:
            self._block = self._sources = None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let go, after the block, of rows that were kept."""
        try:
            yield
        finally:
            while self._kept:
                shutil.rmtree(self._kept.pop())

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
                rows = self._keep(rows)
            # Spark does not foresee how few these are beside the activations that they are joined with.
            rows = rows.hint("broadcast") if _is_of_residues(file) else rows
            rows.createOrReplaceTempView(file.name)

    def _keep(self, rows: DataFrame) -> DataFrame:
        """Write rows, and return them as they are read.

        Spark's own cache would be filled anew in the plan of each reader, and lost with a worker.
        """
        folder = files.write_rows(rows, scratch(self._tx))
        self._kept.append(folder)
        return self._spark.read.schema(rows.schema).parquet(str(folder))

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
            rows = rows.where(rows["part"].isin(*self._block.parts))
            if self._sources is not None:
                return rows.join(self._lake(schema.table("coverage")), "protein_id", "left_semi")
            return rows
        rows = self._parquet(table, folders)
        if table.name == "coverage" and self._sources is not None:
            return rows.where(rows["source"].isin(*self._sources))
        return rows

    def _parquet(self, table: Table, paths: Sequence[Path]) -> DataFrame:
        from pyspark.sql.functions import lit

        declared = _ddl(table)
        rows = (
            self._spark.read.schema(declared).parquet(*map(str, paths))
            if paths
            else self._spark.createDataFrame([], declared)
        )
        return rows.withColumn("sae", lit(self._sae)) if table.storage == "sae" else rows


def scratch(tx: Transaction) -> Path:
    """Return where Spark may write what is not kept: a folder that all workers see."""
    folder = tx.staging.scratch / "spark"
    folder.mkdir(exist_ok=True)
    return folder


def _is_worth_keeping(file: SqlFile, *, n_readers: int) -> bool:
    """Whether rows are kept for those that read them; a view is of all proteins, others are of one block."""
    is_of_block = schema.table(file.name).storage != "view"
    is_small = _is_of_residues(file) or file.name in _SMALL
    return (is_of_block and (portable.is_unnested(file) or is_small)) or (
        n_readers > 1 and portable.is_grouped(file)
    )


def _is_of_residues(file: SqlFile) -> bool:
    """Whether a file has at most one row for each residue of a block, which are few enough to be sent."""
    return file.grain == ("place",)


def _ddl(table: Table) -> str:
    return ", ".join(f"`{c.name}` {SPARK_TYPES[c.type]}" for c in table.file_columns)


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
