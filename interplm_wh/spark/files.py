"""Parquet that Spark writes as the lake wants it: sorted, typed, in row groups that can be skipped."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh.errors import EngineError
from interplm_wh.schema import Column, Table
from interplm_wh.store.parquet import ROW_GROUP_ROWS

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

SPARK_TYPES = {
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "bool": "boolean",
    "timestamp": "timestamp_ntz",
}
_OPTIONS = {
    "compression": "zstd",
    "parquet.block.row.count.limit": str(ROW_GROUP_ROWS),
    "parquet.writer.version": "v2",
    # Files of Hadoop's own that nobody reads.
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}


def typed(rows: DataFrame, table: Table, *, columns: Sequence[Column] | None = None) -> DataFrame:
    """Return the columns of a table, in its order and with its types."""
    from pyspark.sql.functions import col

    def cast(column: Column) -> SparkColumn:
        return col(f"`{column.name}`").cast(SPARK_TYPES[column.type]).alias(column.name)

    return rows.select(*(cast(column) for column in columns or table.columns))


def write_sorted(
    rows: DataFrame, table: Table, folder: Path, *, name: str, n_tasks: int, scratch: Path
) -> list[Path]:
    """Write rows into a folder of a table, in the table's order.

    Each file is sorted and holds a range of the order of its own, so that no key stands in two of them.

    Parameters
    ----------
    name : str
        What the files are called, followed by their number.
    n_tasks : int
        Into how many files they may go.
    scratch : Path
        A folder on the same file system, which all workers see.

    Returns
    -------
    list of Path
        In the order of their rows; one without rows where there are none.

    Raises
    ------
    EngineError
        If not all rows arrived: a worker that does not see the folder writes into one of its own.
    """
    from pyspark.sql.functions import col

    order = [col(f"`{c}`").asc_nulls_last() for c in table.order if c != "sae" or table.storage != "sae"]
    columns = typed(rows, table, columns=table.file_columns)
    ranges = columns.repartitionByRange(*order) if n_tasks > 1 else columns.coalesce(1)
    written = write_rows(ranges.sortWithinPartitions(*order), scratch)
    found = []
    for number, path in enumerate(sorted(written.glob("*.parquet"))):
        found.append(path.rename(folder / f"{name}-{number}.parquet"))
    shutil.rmtree(written)
    if not found:
        found.append(folder / f"{name}-0.parquet")
        pq.write_table(table.arrow.empty_table(), found[0], compression="zstd")
    return found


def write_unsorted(rows: DataFrame, table: Table, scratch: Path) -> Path:
    """Write rows that are still to be merged, in any order; returns their folder."""
    return write_rows(typed(rows, table, columns=table.file_columns), scratch)


def write_rows(rows: DataFrame, scratch: Path) -> Path:
    """Write rows as they are into a new folder, which is returned.

    Raises
    ------
    EngineError
        If not all rows arrived.
    """
    from pyspark.sql import Observation
    from pyspark.sql.functions import count, lit

    folder = scratch / uuid.uuid4().hex
    seen = Observation()
    rows.observe(seen, count(lit(1)).alias("n_rows")).write.options(**_OPTIONS).parquet(str(folder))
    n_there = n_rows(folder)
    if n_there != seen.get["n_rows"]:
        raise EngineError(
            f"Spark's workers wrote {seen.get['n_rows']:,} rows, of which {n_there:,} arrived in {folder}: "
            "the warehouse must lie in a folder that all workers and this machine share under the same name"
        )
    return folder


def n_rows(folder: Path) -> int:
    """Return how many rows the files of a folder have.

    Raises
    ------
    EngineError
        If one of them is not whole.
    """
    try:
        return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
    except (OSError, pa.ArrowException) as error:
        raise EngineError(f"what Spark wrote cannot be read: {error}") from error
