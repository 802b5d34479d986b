"""A build on a standalone cluster makes the tables that a build on DuckDB makes, also where a worker dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interplm_wh import build
from interplm_wh.ask import verify
from interplm_wh.spark.session import session
from tests import spark_tables
from tests.spark_cluster import Cluster, cluster

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers on loopback; the last test kills one of them."""
    settings = {**spark_tables.SHORT, "spark.executor.memory": "700m"}
    with cluster(tmp_path_factory.mktemp("cluster")) as found, session(found.master, settings=settings):
        yield found
    assert all(process.poll() is not None for process in found.processes)


def test_golden_tables_are_the_same_on_a_cluster(
    running: Cluster, golden_warehouse: Path, tmp_path: Path
) -> None:
    theirs = spark_tables.unbuilt(golden_warehouse, tmp_path / "w")
    build.build(theirs, engine="spark", master=running.master)
    spark_tables.assert_same_tables(golden_warehouse, theirs, filled=False)


def test_a_worker_that_is_killed_half_way_changes_nothing(
    running: Cluster, golden_warehouse: Path, tmp_path: Path
) -> None:
    theirs = spark_tables.unbuilt(golden_warehouse, tmp_path / "w")
    n_written: list[int] = []

    def kill() -> None:
        while (n := len(spark_tables.staged(theirs))) < 10:
            time.sleep(0.02)
        running.kill_worker(0)
        n_written.append(n)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    build.build(theirs, engine="spark", master=running.master)
    killer.join(timeout=1)
    assert n_written, "nothing was killed"
    assert running.workers[0].poll() is not None
    spark_tables.assert_same_tables(golden_warehouse, theirs, filled=False)
    assert verify(theirs).is_sound
