"""A build on a standalone cluster makes the tables that a build on DuckDB makes, also where a worker dies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

from interplm_wh import build
from interplm_wh.ask import verify
from interplm_wh.spark.session import session
from tests import spark_tables
from tests.spark_cluster import Cluster, cluster

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark logs what happens to tasks."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, events: Path) -> Iterator[Cluster]:
    """A master and two workers on loopback; the last test kills one of them."""
    settings = {
        **spark_tables.SHORT, "spark.executor.memory": "700m",
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false",
    }  # fmt: skip
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
    running: Cluster, events: Path, golden_warehouse: Path, tmp_path: Path
) -> None:
    theirs = spark_tables.unbuilt(golden_warehouse, tmp_path / "w")
    killed: list[str] = []

    def kill() -> None:
        while len(spark_tables.staged(theirs)) < 10:
            time.sleep(0.02)
        executor = running.executor(0)
        for _ in range(1_000):
            running.pause_worker(0)
            time.sleep(0.05)  # what it has said before has arrived
            if _running_tasks(executor):
                break
            running.resume_worker(0)
            time.sleep(0.01)
        else:
            return
        running.kill_worker(0)
        killed.append(executor)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    build.build(theirs, engine="spark", master=running.master)
    killer.join(timeout=60)
    assert killed, "nothing was killed"
    assert running.workers[0].poll() is not None
    spark_tables.assert_same_tables(golden_warehouse, theirs, filled=False)
    assert verify(theirs).is_sound
    ends = [event for event in _said(events) if event["Event"] == "SparkListenerTaskEnd"]
    ended = [(end["Task Info"]["Executor ID"], end["Task End Reason"]["Reason"]) for end in ends]
    # It took part, what it was running was lost with it, and the other did everything after that.
    lost = ended.index((killed[0], "ExecutorLostFailure"))
    assert (killed[0], "Success") in ended[:lost]
    assert {executor for executor, how in ended[lost:] if how == "Success"} == {running.executor(1)}


def _running_tasks(executor: str) -> int:
    """Return how many tasks Spark knows to run in one place."""
    context = SparkContext._active_spark_context
    assert context is not None
    known = context._jsc.sc().statusStore().executorList(True)
    found = (known.apply(n) for n in range(known.size()))
    return sum(one.activeTasks() for one in found if one.id() == executor)


def _said(folder: Path) -> list[dict[str, Any]]:
    """Return the events that Spark has logged."""
    (log,) = folder.iterdir()
    return [json.loads(line) for line in log.read_text().splitlines()]
