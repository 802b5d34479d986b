"""Spark as the engine of a build: the same SQL over the same Parquet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from interplm_wh import schema, sqlfile
from interplm_wh.build import blocks, marts, plan
from interplm_wh.build.make import block_folder
from interplm_wh.errors import InputError, ResourceError, faults_message
from interplm_wh.progress import Bar
from interplm_wh.spark import files, portable
from interplm_wh.spark.relations import Relations, scratch
from interplm_wh.spark.session import legible, session
from interplm_wh.store import Transaction, layout
from interplm_wh.store.rows import value

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

# Tasks of a shuffle: at most so many activations for each, few enough to sort in the memory of one; down to
# so many, as long as there are cores to run them.
_TASK_ROWS = 2_000_000
_SMALL_TASK_ROWS = 200_000
# Each worker holds the residues of a block in a third of a gigabyte: activations meet them where they are.
_BLOCK_RESIDUES = 6_000_000
# Fewer rows are counted sooner than code for them is compiled, or a plan is made again after each step.
_SMALL_ROWS = 300_000
# A relation of which the files are smaller than this is sent to every worker instead of shuffled. In memory
# it takes about twenty times as much.
_BROADCAST = "24m"
# After a shuffle, tasks for each core: of three on two cores one would be waited for.
_CORE_TASKS = 3
_ANALYSED: WeakSet[SparkContext] = WeakSet()
# Hadoop takes these for patterns in the names of files.
_NOT_IN_PATHS = "{}"


@contextmanager
def open_engine(master: str | None, root: Path) -> Iterator[SparkEngine]:
    """Start Spark for a build of a warehouse, once all SQL is known to be such as it can run.

    Raises
    ------
    NotThereError
        If there is no warehouse.
    InputError, EngineError
        As of `session`.
    ResourceError
        If a file of `sql/marts/` is not one that Spark answers like DuckDB.
    """
    if not (root / layout.CATALOGUE).exists():
        raise layout.no_warehouse(root)
    if bad := sorted(set(str(root)) & set(_NOT_IN_PATHS)):
        raise InputError(
            f"{root}: Spark cannot read a warehouse with {' '.join(bad)} in its path; rename the folder, or "
            "build with: --engine duckdb"
        )
    portable.require()
    with session(master) as spark:
        # Once for each Spark: a process may build again with the one that it has running.
        if spark.sparkContext not in _ANALYSED:
            with legible("sql/marts"):
                require_analysed(spark)
            _ANALYSED.add(spark.sparkContext)
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", _BROADCAST)
        yield SparkEngine(spark)


def require_analysed(spark: SparkSession) -> None:
    """Let Spark look at every file of `sql/marts/`, over tables without rows; nothing is run.

    Raises
    ------
    ResourceError
        Naming each file that Spark does not take, or whose columns are not those of its table.
    """
    from pyspark.errors import AnalysisException, ParseException

    found: list[str] = []
    own = spark.newSession()
    loaded = sqlfile.load_folder(portable.FOLDER)
    for name in sorted({name for file in loaded.values() for name in (file.output, *file.inputs)}):
        empty = portable.translated_sql(marts.empty_select(name))
        own.sql(empty).createOrReplaceTempView(name)
    for file in loaded.values():
        where = f"sql/{portable.FOLDER}/{file.name}.sql"
        try:
            columns = own.sql(portable.translate(file), args=file.bind(_EXAMPLES)).columns
        except (AnalysisException, ParseException) as error:
            found.append(f"{where}: {str(error).partition(chr(10))[0]}")
            continue
        declared = [c.name for c in schema.table(file.output.removesuffix(marts.PARTIAL)).columns]
        if columns != declared:
            found.append(f"{where}: on Spark its columns are {', '.join(columns)}")
    if found:
        raise ResourceError(faults_message("sql/marts", found, "mend them, or build with: --engine duckdb"))


# One of each parameter, of the type that a build gives.
_EXAMPLES: dict[str, Any] = {
    "sae": "a", "presence": 0.05, "scale_source": "all", "weights": "", "first_protein": 0, "last_protein": 1,
}  # fmt: skip


@dataclass(frozen=True)
class SparkEngine:
    """Runs the SQL of a build on Spark.

    Attributes
    ----------
    spark : SparkSession
    """

    spark: SparkSession

    def count_blocks(
        self, tx: Transaction, steps: Sequence[plan.Step], values: Mapping[str, Any], bar: Bar
    ) -> dict[str, list[Path]]:
        """Count blocks; see `Engine`."""
        written: dict[str, list[Path]] = {step.mart.name: [] for step in steps}
        wanted = plan.passes(steps)
        cut = {
            one: blocks.blocks(
                tx, values["sae"], one.folders, block_residues=_BLOCK_RESIDUES, chunk_rows=blocks.BLOCK_ROWS
            )
            for one in wanted
        }
        numbers = iter(range(n_blocks := sum(map(len, cut.values()))))
        bar.expect(sum(len(wanting) * len(cut[one]) for one, wanting in wanted.items()))
        for one, wanting in wanted.items():
            folders = {mart.name: block_folder(tx, mart, values["sae"]) for mart in wanting}
            for block in cut[one]:
                number = next(numbers)
                text = f"{values['sae']}: counting on Spark, block {number + 1} of {n_blocks}"
                bar.describe(text)
                with legible(text), blocks.only_sources(tx, one.sources):
                    for mart, paths in self._count(tx, wanting, block, one.sources, number, folders, values):
                        bar.describe(f"{text}: {mart.name}")
                        bar.advance(1)
                        written[mart.name] += paths
        return written

    def _count(
        self,
        tx: Transaction,
        wanting: Sequence[marts.Mart],
        block: blocks.Block,
        sources: Sequence[str] | None,
        number: int,
        folders: Mapping[str, Path],
        values: Mapping[str, Any],
    ) -> Iterator[tuple[marts.Mart, list[Path]]]:
        """Write the rows that marts have of one block."""
        relations = Relations(self.spark, tx, values["sae"])
        bound = {**values, "first_protein": block.first_protein, "last_protein": block.last_protein}
        self._suit(block.n_rows)
        with relations.restricted(block, sources):
            relations.lay([mart.partial or mart.final for mart in wanting], bound)
            for mart in wanting:
                table = schema.table(mart.name)
                rows = relations.rows(mart.partial or mart.final, bound)
                folder = folders[mart.name]
                if mart.partial is None:
                    name = f"part-{number}"
                    yield (
                        mart,
                        files.write_sorted(
                            rows, table, folder, name=name, n_tasks=relations.n_tasks, scratch=scratch(tx)
                        ),
                    )
                else:
                    yield mart, [files.write_unsorted(rows, table, folder)]

    def merge(
        self,
        tx: Transaction,
        mart: marts.Mart,
        values: Mapping[str, Any],
        folder: Path,
        *,
        old: Sequence[Path] = (),
        written: Sequence[Path] = (),
    ) -> None:
        """Write all rows of a mart; see `Engine`."""
        relations = Relations(self.spark, tx, values["sae"])
        self._suit(_n_inputs(tx, mart, values["sae"]) + sum(map(files.n_rows, [*old, *written])))
        given = [mart.name + marts.PARTIAL]
        with legible(f"{values['sae']}: {mart.name}"), relations.keeping():
            relations.lay([mart.final], values, given=given)
            rows = None
            if mart.partial is not None:
                partial = relations.lay_partial(mart, [*old, *written])
                if mart.is_sum and len(written) == 1 and not old:
                    rows = self.spark.table(partial)
            if rows is None:
                rows = relations.rows(mart.final, values)
            files.write_sorted(
                rows,
                schema.table(mart.name),
                folder,
                name="part",
                n_tasks=relations.n_tasks,
                scratch=scratch(tx),
            )

    def _suit(self, n_rows: int) -> None:
        """Set what depends on how many rows are read."""
        n_cores = self.spark.sparkContext.defaultParallelism
        n_tasks = math.ceil(max(n_rows / _TASK_ROWS, min(n_cores, n_rows / _SMALL_TASK_ROWS), 1))
        is_small = n_rows < _SMALL_ROWS
        self.spark.conf.set("spark.sql.shuffle.partitions", n_tasks)
        self.spark.conf.set("spark.sql.adaptive.enabled", not is_small)
        self.spark.conf.set("spark.sql.adaptive.coalescePartitions.minPartitionNum", _CORE_TASKS * n_cores)
        self.spark.conf.set("spark.sql.codegen.wholeStage", not is_small)
        self.spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN" if is_small else "FALLBACK")


def _n_inputs(tx: Transaction, mart: marts.Mart, sae: str) -> int:
    """Return how many rows there are of the tables that a merge reads."""
    tables = [name for name in marts.resolve(mart.final.inputs) if name != mart.name + marts.PARTIAL]
    return int(
        value(
            tx.con,
            "select coalesce(sum(p.n_rows), 0)::bigint from parts as p "
            "inner join folders as f on parse_dirpath(p.path) = f.folder "
            "where f.is_current and f.table_name in (select unnest($tables::varchar[])) "
            "and (f.sae is null or f.sae = $sae)",
            {"tables": tables, "sae": sae},
        )
    )
