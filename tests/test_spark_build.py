"""A build on Spark makes the tables that a build on DuckDB makes, and each goes on from the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
import small

from interplm_wh import build, commands, schema, store
from interplm_wh.ask import info, verify
from interplm_wh.build import marts
from interplm_wh.errors import EngineError
from interplm_wh.spark import engine, files
from interplm_wh.spark.session import session
from interplm_wh.store import ordered
from interplm_wh.store.parquet import ROW_GROUP_ROWS
from interplm_wh.unexpected import STOPPED
from tests import spark_tables

pytestmark = [pytest.mark.spark, pytest.mark.slow]

LOCAL = "local[2]"
MARTS = [mart.name for mart in marts.ordered()]
PER_BLOCK = [mart.name for mart in marts.ordered() if mart.is_per_block and mart.name != "features"]
COUNTED_BY_SOURCE = ("concept_bands", "concept_support", "source_firing")
READ_ANNOTATIONS = (*COUNTED_BY_SOURCE, "heldout_pairs")
SCORE = {"min_residues": 5, "min_domains": 3}


@pytest.fixture(scope="module")
def local() -> Iterator[None]:
    """Spark in this process, which builds then use."""
    with session(LOCAL, settings=spark_tables.SHORT) as spark:
        java = spark.sparkContext._gateway.proc.pid
        yield
    assert not psutil.pid_exists(java)


@pytest.mark.usefixtures("local")
def test_golden_tables_are_the_same_on_spark(golden_warehouse: Path, tmp_path: Path) -> None:
    theirs = spark_tables.unbuilt(golden_warehouse, tmp_path / "w")
    made = build.build(theirs, engine="spark", master=LOCAL)
    assert sorted(made.rebuilt) == sorted(f"golden/{name}" for name in MARTS)
    spark_tables.assert_same_tables(golden_warehouse, theirs, filled=False)
    assert verify(theirs).is_sound
    again = build.build(theirs)  # on DuckDB
    assert again.rebuilt == again.appended == ()
    assert info(theirs).lines()[-1] == "every table is up to date"


@pytest.mark.usefixtures("local")
def test_demo_tables_are_the_same_on_spark(demo_warehouse: Path, tmp_path: Path) -> None:
    theirs = spark_tables.unbuilt(demo_warehouse, tmp_path / "w")
    build.build(theirs, engine="spark", master=LOCAL)
    spark_tables.assert_same_tables(demo_warehouse, theirs)
    assert build.build(theirs).rebuilt == ()


@pytest.mark.usefixtures("local")
def test_each_engine_goes_on_from_the_other_and_makes_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (small.make(tmp_path / name) for name in ("ours", "theirs"))
    for path, name in ((ours, "duckdb"), (theirs, "spark")):
        master = LOCAL if name == "spark" else None
        found = build.scale(path, sae="a", source="valid", engine=name, master=master)
        assert (found.scale_source, found.n_scale_proteins) == ("valid", 10)
    for path in (ours, theirs):
        append(path, 7)
        made = build.build(path, **SCORE)  # on DuckDB, from what either has made
        assert sorted(made.appended) == sorted(f"a/{name}" for name in PER_BLOCK)

    append(theirs, 7)
    with unreadable(theirs, folders_of(theirs, "activations")[:-1]):
        made = build.build(theirs, engine="spark", master=LOCAL)
    assert sorted(made.appended) == sorted(f"a/{name}" for name in PER_BLOCK)

    add_layer(theirs)
    add_source(theirs, tmp_path)
    monkeypatch.setattr(engine, "_BLOCK_RESIDUES", 1)  # a block for each file
    made = build.build(theirs, select=READ_ANNOTATIONS, engine="spark", master=LOCAL)
    assert sorted(made.appended) == sorted(f"a/{name}" for name in COUNTED_BY_SOURCE)
    of_layer = {f"b/{name}" for name in ("features", *READ_ANNOTATIONS)}
    assert set(made.rebuilt) == of_layer | {"a/heldout_pairs"}
    made = build.build(theirs)
    assert {name.partition("/")[0] for name in (*made.rebuilt, *made.appended)} == {"b"}

    append(ours, 7)
    add_layer(ours)
    add_source(ours, tmp_path)
    build.build(ours)
    spark_tables.assert_same_tables(ours, theirs, filled=False)
    assert verify(theirs).is_sound


@contextmanager
def unreadable(path: Path, folders: list[str]) -> Iterator[None]:
    """Fill files with zeros for a while: who reads them fails."""
    held = {file: file.read_bytes() for folder in folders for file in (path / folder).glob("*.parquet")}
    for file, text in held.items():
        file.write_bytes(b"\0" * len(text))
    yield
    for file, text in held.items():
        file.write_bytes(text)


def append(path: Path, n: int) -> None:
    """Add proteins with spans and activations."""
    with store.write(path, command="test") as tx:
        ((first,),) = tx.con.execute("select count(*) from proteins").fetchall()
        small.add_proteins(tx, n)
        small.add_annotations(tx)
        small.add_activations(tx, "a", first, first + n - 1)
        tx.publish()


def add_layer(path: Path) -> None:
    """Add an SAE with the activations of some proteins."""
    with store.write(path, command="test") as tx:
        small.add_sae(tx, "b")
        small.add_activations(tx, "b", 0, 4)
        small.add_activations(tx, "b", 5, 9)
        tx.publish()


def add_source(path: Path, folder: Path) -> None:
    """Annotate two proteins from a source of its own."""
    table = folder / "lab.csv"
    table.write_text("accession,start,stop,concept\nP0001,2,5,patch\nP0002,1,9,patch\n")
    commands.add_annotations(path, [table], covers="listed")


def folders_of(path: Path, table: str) -> list[str]:
    with store.open(path) as wh:
        sql = "select folder from folders where is_current and table_name = $t order by rank"
        return list(wh.sql(sql, {"t": table})["folder"].to_pylist())


def test_files_are_sorted_and_hold_ranges_of_their_own(local: None, tmp_path: Path) -> None:
    table = schema.table("protein_features")
    with session() as spark:
        spark.conf.set("spark.sql.shuffle.partitions", 3)
        spark.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")
        rows = spark.range(400_000).selectExpr(
            "cast(id % 50 as int) as feature", "cast(id div 50 as int) as protein_id",
            "cast(1.5 as float) as activation", "1 as position", "0 as n_residues", "'a' as sae",
        )  # fmt: skip
        written = files.write_sorted(rows, table, tmp_path, name="part-0", n_tasks=3, scratch=tmp_path)
        none = files.write_sorted(rows.limit(0), table, tmp_path, name="part-1", n_tasks=1, scratch=tmp_path)
    assert [path.name for path in written] == ["part-0-0.parquet", "part-0-1.parquet", "part-0-2.parquet"]
    ends: list[tuple[int, int]] = []
    bounds: list[tuple[int, int]] = []
    sizes: list[int] = []
    for path in written:
        assert ordered.order_fault(path, table) is None
        found = pq.read_table(path)
        assert [(f.name, f.type) for f in found.schema] == [(f.name, f.type) for f in table.arrow]
        ends += [(found["feature"][i].as_py(), found["protein_id"][i].as_py()) for i in (0, -1)]
        metadata = pq.read_metadata(path)
        groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        n_full, rest = divmod(metadata.num_rows, ROW_GROUP_ROWS)
        assert [group.num_rows for group in groups] == [ROW_GROUP_ROWS] * n_full + [rest] * (rest > 0)
        assert {group.column(0).compression for group in groups} == {"ZSTD"}
        features = [group.column(0).statistics for group in groups]
        bounds += [(found.min, found.max) for found in features]
        sizes.extend(group.num_rows for group in groups)
    assert all(a < b for a, b in pairwise(ends))  # no key in two files
    assert all(a[1] <= b[0] for a, b in pairwise(bounds))
    # 8,000 rows of a feature are found without reading the rest: they lie in one row group or two, and where
    # a file ends in a short one, in that as well, which then holds nothing else.
    for feature in range(50):
        read = [n for n, (low, high) in zip(sizes, bounds, strict=True) if low <= feature <= high]
        assert 1 <= len(read) <= 3
        assert sum(read) <= 2 * ROW_GROUP_ROWS + 8_000
    assert sum(pq.read_metadata(path).num_rows for path in written) == 400_000
    assert [pq.read_metadata(path).num_rows for path in none] == [0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in [*written, *none])


@pytest.mark.usefixtures("local")
def test_a_build_that_spark_gives_up_leaves_the_warehouse_as_it_was(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    (folder,) = folders_of(path, "activations")
    kept = path / folder / "part-0.parquet"
    kept.write_bytes(b"\0" * kept.stat().st_size)
    before = sorted(str(file) for file in path.rglob("*"))
    with pytest.raises(EngineError, match="counting on Spark, block 1 of 1: Spark gave up: "):
        build.build(path, engine="spark", master=LOCAL)
    assert sorted(str(file) for file in path.rglob("*")) == before


def test_a_killed_build_leaves_the_warehouse_as_it_was_and_nothing_runs_on(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    before = published(path)
    own = tmp_path / "temporary"
    own.mkdir()
    env = {
        **os.environ, **spark_tables.ENVIRONMENT, "TMPDIR": str(own), "SPARK_LOCAL_DIRS": str(own),
        "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={own} -XX:-UsePerfData",
    }  # fmt: skip
    words = ["-w", str(path), "build", "--engine", "spark", "--master", LOCAL]
    with subprocess.Popen([sys.executable, "-m", "interplm_wh", *words], env=env) as command:
        while command.poll() is None and not spark_tables.staged(path):
            time.sleep(0.05)
        children = psutil.Process(command.pid).children(recursive=True)
        assert "java" in {child.name() for child in children}
        command.kill()
    assert command.returncode == -signal.SIGKILL
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert list(own.iterdir()) == []
    assert published(path) == before
    build.build(path)  # what the killed one left is removed, and all is made
    assert list((path / ".staging").iterdir()) == []
    assert verify(path).is_sound


@pytest.mark.parametrize(
    ("is_counting", "how", "is_java_first"),
    [
        (False, signal.SIGINT, False),
        (True, signal.SIGINT, False),
        (True, signal.SIGTERM, False),
        (True, signal.SIGTERM, True),
    ],
)
def test_a_build_that_is_stopped_says_so_in_one_line_and_nothing_runs_on(
    tmp_path: Path, is_counting: bool, how: signal.Signals, is_java_first: bool
) -> None:
    path = small.make(tmp_path / "w")
    before = published(path)
    words = ["-w", str(path), "build", "--engine", "spark", "--master", LOCAL]
    with subprocess.Popen(
        [sys.executable, "-m", "interplm_wh", *words],
        env={**os.environ, **spark_tables.ENVIRONMENT},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        of_command = psutil.Process(command.pid)
        while command.poll() is None and not of_command.children():
            time.sleep(0.01)
        while is_counting and command.poll() is None and not spark_tables.staged(path):
            time.sleep(0.05)
        children = of_command.children(recursive=True)
        if is_java_first:  # the signal goes to both, and Java may be gone when the command wakes
            (java,) = of_command.children()
            command.send_signal(signal.SIGSTOP)
            java.kill()
            while java.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)
        os.killpg(command.pid, how)  # as a terminal or a batch system does
        command.send_signal(signal.SIGCONT)
        _, said = command.communicate(timeout=60)
    assert children
    assert command.returncode == 1
    of_progress = re.compile(r"a: counting on Spark, block 1 of 1.* steps.*|starting.*")
    lines = [line for line in said.splitlines() if line and not of_progress.fullmatch(line)]
    assert lines == [f"Error: {STOPPED}"]
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert published(path) == before


def published(path: Path) -> dict[str, bytes]:
    """Every file that a reader may meet, and what it holds."""
    files = [path / "warehouse.duckdb", *(path / "lake").rglob("*.parquet")]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}
