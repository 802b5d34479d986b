"""Encoding on a Spark cluster: each task is one block, written where all workers see the warehouse."""

from __future__ import annotations

import json
import socket
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from interplm_wh import errors, store
from interplm_wh.encode.devices import died
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.outcome import Beat, Outcome, from_json, to_json
from interplm_wh.encode.work import TRIES, Work, plan_work
from interplm_wh.encode.worker import error_line
from interplm_wh.errors import EncodingError, EngineError, InterplmError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_BEAT_SECONDS = 1.0
_GROUP = "interplm-wh encode"
_DIED = "its worker ended each time before it had answered, as where the system kills it for its memory"
_SCHEMA = pa.schema([("unit", pa.int64()), ("told", pa.string())])
_opened: dict[str, Work] = {}
"""Of this process, by the run: a worker of Spark does task after task, with the models it has loaded."""


def outcomes(work: Work, units: Sequence[Unit], *, master: str | None) -> Iterator[Outcome | Beat]:
    """Have blocks encoded by the workers of a cluster.

    Parameters
    ----------
    work : Work
        The plan; this process encodes nothing itself.
    units : sequence of Unit
    master : str or None
        Address of the cluster; None: this machine.

    Yields
    ------
    Outcome or Beat
        Beats while the job runs: what is finished waits to be registered, its outcome comes at the end.

    Raises
    ------
    EngineError
        If Spark is not there or gives up.
    InterplmError
        If a worker cannot encode any block.
    """
    from interplm_wh.spark.session import legible, session

    if not units:
        return
    with session(master) as spark, legible("encoding"):
        job = _Collected(spark, _task(work.job, units), len(units))
        n_done = 0
        for n_tasks in job.finished():
            yield Beat(sum(unit.n_residues for unit in units[n_done:n_tasks]))
            n_done = n_tasks
        for number, told in job.rows():
            found = died(work, units[number], _DIED) if told == _DIED else _outcomes(told)
            for outcome in found:
                yield replace(outcome, n_residues=0)  # the beats had them


def _outcomes(told: str) -> list[Outcome]:
    answer = json.loads(told)
    if isinstance(answer, dict):
        raise getattr(errors, answer["error"], EncodingError)(answer["message"])
    return from_json(told)


class _Collected:
    """The answers of a job that runs in a thread, so that what is finished is registered meanwhile."""

    def __init__(self, spark: SparkSession, task: _Task, n_units: int) -> None:
        self._spark = spark
        self._n_units = n_units
        self._answer: list[tuple[int, str]] | Exception | None = None
        numbers = spark.range(0, n_units, 1, n_units)
        with warnings.catch_warnings():
            # PySpark 4.3 warns that pandas 3 is not fully supported; it is not used here.
            warnings.filterwarnings("ignore", module="pyspark")
            self._frame = numbers.mapInArrow(task, "unit long, told string")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            self._spark.sparkContext.setJobGroup(_GROUP, "encoding", interruptOnCancel=True)
            self._answer = [(row["unit"], row["told"]) for row in self._frame.collect()]
        except (PySparkException, Py4JError) as error:
            self._answer = error

    def finished(self) -> Iterator[int]:
        """Yield how many tasks have finished until the job has ended; end it where nobody goes on."""
        tracker = self._spark.sparkContext.statusTracker()
        n_finished = 0
        try:
            while self._thread.is_alive():
                self._thread.join(_BEAT_SECONDS)
                jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(_GROUP)]
                stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
                n_finished = max([n_finished, *(one.numCompletedTasks for one in stages if one)])
                yield n_finished
            yield self._n_units
        finally:
            if self._thread.is_alive():
                self._spark.sparkContext.cancelJobGroup(_GROUP)
                self._thread.join()

    def rows(self) -> list[tuple[int, str]]:
        """Return the number of each unit and what a worker says of it."""
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is None or len(self._answer) != self._n_units:
            raise EngineError("encoding: Spark did not answer for all blocks; run encode again")
        return self._answer


_Task = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def _task(job: Job, units: Sequence[Unit]) -> _Task:
    """Return what a worker of Spark runs."""
    given, plms, run = job.with_threads().to_json(), sorted({unit.plm for unit in units}), uuid.uuid4().hex
    keys = [(plms.index(unit.plm), unit.block, unit.n_residues) for unit in units]

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                plm, block, n_residues = keys[number]
                told = serve(given, Unit(plms[plm], block, n_residues), run)
                yield pa.record_batch([[number], [told]], schema=_SCHEMA)

    return task


def serve(given: str, unit: Unit, run: str) -> str:
    """Encode one block in a worker of Spark; returns a line of JSON, or that one worker after the other died.

    An error that another try does not mend is an answer, since Spark would try again what fails.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is not None and context.attemptNumber() >= TRIES:
        return _DIED
    job = Job.from_json(given)
    addresses = context.resources()["gpu"].addresses if context and "gpu" in context.resources() else []
    if job.settings.device is None and addresses:
        job = job.on(f"cuda:{addresses[0]}")
    try:
        with store.stage(job.root) as staging:
            if run not in _opened:
                job.set_threads()
                _opened.clear()  # the plan of an earlier run, where one Spark serves several
                _opened[run] = plan_work(store.open(job.root), staging, job)
            return to_json(list(_opened[run].staged(staging).run([unit])))
    except (InterplmError, OSError) as error:
        told = json.loads(error_line(error))
        return json.dumps({**told, "message": f"{socket.gethostname()}: {told['message']}"})
