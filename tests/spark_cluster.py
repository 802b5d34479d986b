"""A real standalone cluster of Spark on this machine: a master and workers, bound to 127.0.0.1 alone."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyspark

HOME = Path(pyspark.__file__).parent
_WAIT_SECONDS = 60.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


@dataclass
class Cluster:
    """A running cluster.

    Attributes
    ----------
    master : str
        ``spark://127.0.0.1:port``.
    folder : Path
        Where they write.
    workers : list of Popen
        Each heads a group of processes: itself and what runs tasks for it.
    """

    master: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        """The processes of the workers."""
        return self.processes[1:]

    def kill_worker(self, number: int) -> None:
        """Kill a worker and what runs its tasks, as a machine that goes away."""
        _kill(self.workers[number])

    def pause_worker(self, number: int) -> None:
        """Let a worker and what runs its tasks stand still, so that what they run stays running."""
        os.killpg(self.workers[number].pid, signal.SIGSTOP)

    def resume_worker(self, number: int) -> None:
        """Let a worker go on."""
        os.killpg(self.workers[number].pid, signal.SIGCONT)

    def executor(self, number: int) -> str:
        """Return the name of what runs the tasks of a worker."""
        (folder,) = (self.folder / f"work-{number}").glob("app-*/*")
        return folder.name


@contextmanager
def cluster(folder: Path, *, n_workers: int = 2, n_cores: int = 1, memory: str = "1g") -> Iterator[Cluster]:
    """Run a master and some workers until the block ends.

    Parameters
    ----------
    folder : Path
        For what they write.
    """
    started: list[subprocess.Popen[bytes]] = []
    try:
        log = folder / "master.log"
        started.append(_start(log, folder, "master.Master", "--port", "0"))
        master = _said(log, r"Starting Spark master at (spark://127\.0\.0\.1:\d+)", started[-1])
        for number in range(n_workers):
            log, place = folder / f"worker-{number}.log", folder / f"work-{number}"
            asked = ("--cores", str(n_cores), "--memory", memory, "--work-dir", str(place), master)
            started.append(_start(log, folder, "worker.Worker", *asked))
        for number in range(n_workers):
            _said(folder / f"worker-{number}.log", r"(Successfully registered)", started[1 + number])
        yield Cluster(master, folder, started)
    finally:
        for process in reversed(started):
            _kill(process)


def _start(log: Path, folder: Path, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        str(HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{what}",
        "--host", "127.0.0.1", "--webui-port", "0", *arguments,
    ]  # fmt: skip
    local = folder / "local"
    local.mkdir(exist_ok=True)
    env = {
        **os.environ, "SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_LOCAL_DIRS": str(local), "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip
    with log.open("wb") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, env=env, start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )  # fmt: skip


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _said(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until a process has said something, and return it."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if match := re.search(pattern, log.read_text(errors="replace")):
            return match[1]
        time.sleep(0.1)
    raise AssertionError(f"{log.name} does not say {pattern}: {log.read_text(errors='replace')[-2000:]}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
