"""A session of Spark: what it needs is checked first, and it ends with the block that opened it."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from interplm_wh.errors import EngineError, InputError
from interplm_wh.spark.java import require_java

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

EXTRA = "pip install 'interplm-wh[spark]'"
LOCAL = "local[*]"
WAIT_SECONDS = 60.0
_END_SECONDS = 10.0
_ENDING_SECONDS = 1.0
# The driver's, where neither $SPARK_DRIVER_MEMORY nor a spark-defaults.conf says otherwise. Spark's own
# default of one gigabyte is too little where the driver does the work, too.
DRIVER_MEMORY = "4g"

_MASTER = re.compile(r"local(\[(\*|\d+)(,\s*\d+)?\])?|yarn|spark://[^\s/]+:\d+(,[^\s/]+:\d+)*|k8s://\S+")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Those of one Spark: other programs in the same process keep theirs.
_STATIC = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
    "spark.sql.catalogImplementation": "in-memory",
    # Each sort and each hash table takes at least one page and fills it with zeros; by default 64 MB.
    "spark.buffer.pageSize": "4m",
}
# Those of one session. ANSI: an overflow or a bad cast fails, as on DuckDB, and is not NULL.
_SQL = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # What a task reads at most: with the 128 MB that are usual, three tasks share two cores.
    "spark.sql.files.maxPartitionBytes": "32m",
}


@contextmanager
def session(
    master: str | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Iterator[SparkSession]:
    """Open a session of Spark, which ends with the block.

    Where this process has Spark running already, with the same master, that one is used and stays.
    Everything else comes from where Spark itself looks: ``spark-defaults.conf`` in ``$SPARK_CONF_DIR``,
    ``$SPARK_LOCAL_DIRS``, ``$SPARK_DRIVER_MEMORY``.

    Parameters
    ----------
    master : str, optional
        As Spark writes it: ``local[*]`` (the default: all cores of this machine), ``local[2]``,
        ``spark://host:7077``, ``yarn`` or ``k8s://…``.
    settings : mapping, optional
        More of Spark's settings.
    wait_seconds : float
        How long the master may take to answer and to give a worker.

    Yields
    ------
    SparkSession
        With names of tables and SQL settings of its own.

    Raises
    ------
    InputError
        If `master` is no master, or not that of the Spark that runs already, or $SPARK_DRIVER_MEMORY no size.
    EngineError
        If PySpark or Java is missing or too old, or the master does not answer.
    """
    require_pyspark()
    from pyspark import SparkContext

    # Spark allows one of its contexts in a process, and keeps it here.
    running = SparkContext._active_spark_context
    if running is not None:
        if master is not None and running.master != master:
            raise InputError(
                f"this process has Spark running with the master {running.master}, so that it cannot have "
                f"{master} as well; stop that one first"
            )
        yield _own_session(running)
        return
    master = checked_master(master or LOCAL, wait_seconds=wait_seconds)
    require_java()
    _check_memory(os.environ.get("SPARK_DRIVER_MEMORY", DRIVER_MEMORY))
    with _context(master, settings or {}, wait_seconds) as context:
        yield _own_session(context)


def require_pyspark() -> None:
    """Load PySpark and sqlglot.

    Raises
    ------
    EngineError
        If they are not installed.
    """
    try:
        with _quiet():
            import pyspark.sql  # noqa: F401
            import sqlglot  # noqa: F401
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise EngineError(
            f"Spark needs the package {package}, which is not installed; run {EXTRA}"
        ) from error


def checked_master(master: str, *, wait_seconds: float = WAIT_SECONDS) -> str:
    """Return the name of a master that is written as Spark wants it, and whose port somebody listens on."""
    if not _MASTER.fullmatch(master):
        raise InputError(
            f"{master!r} is no master of Spark; write local[*], local[2], spark://host:7077, yarn or k8s://…"
        )
    if not master.startswith("spark://"):
        return master
    faults = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=min(10.0, wait_seconds)):
                return master
        except (OSError, OverflowError) as error:
            faults.append(f"{address}: {error}")
    raise EngineError(f"no master of Spark answers at {master} ({'; '.join(faults)}); {_START}")


def _check_memory(given: str) -> None:
    """Refuse what Java would only call a fatal exception."""
    if not re.fullmatch(r"[1-9]\d*[kmgt]?b?", given.strip(), re.IGNORECASE):
        raise InputError(f"$SPARK_DRIVER_MEMORY is {given!r}; write a size such as 4g or 900m")


_START = "start one, or name another with --master"


@contextmanager
def legible(what: str) -> Iterator[None]:
    """Turn an error of Spark into one sentence.

    Parameters
    ----------
    what : str
        What was being done.

    Raises
    ------
    EngineError
        In the place of the errors of Spark.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:  # the last where Java is gone
        raise EngineError(f"{what}: Spark gave up: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    from py4j.protocol import Py4JJavaError, Py4JNetworkError

    if isinstance(error, Py4JNetworkError | ConnectionError) or _is_java_gone(error):
        return "its Java process ended, which it does where memory runs out; see $SPARK_DRIVER_MEMORY"
    text = str(error)
    if isinstance(error, Py4JJavaError):
        try:
            cause = error.java_exception
            while cause.getCause() is not None:
                cause = cause.getCause()
            text = str(cause)
        except Py4JNetworkError:
            return "its Java process ended"
    kept = [
        line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")
    ]
    said = " ".join(kept)[:400] if kept else type(error).__name__
    return f"{said}; give it room with $SPARK_LOCAL_DIRS" if "No space left" in said else said


def _is_java_gone(error: Exception) -> bool:
    """Whether the Java process that was started has ended: what Py4J then says may be anything."""
    from py4j.protocol import Py4JError, Py4JJavaError
    from pyspark import SparkContext

    process = getattr(SparkContext._gateway, "proc", None)
    if process is None:
        return False
    if isinstance(error, Py4JError) and not isinstance(error, Py4JJavaError):  # it may be ending just now
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_ENDING_SECONDS)
    return process.poll() is not None


@contextmanager
def _context(master: str, settings: Mapping[str, str], wait_seconds: float) -> Iterator[SparkContext]:
    """Start Spark's Java process, with what it says in a file, and end it with the block."""
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway

    conf = SparkConf(loadDefaults=False).setMaster(master).setAppName("interplm-wh")
    for key, value in {**_STATIC, **_addresses(master), **settings}.items():
        conf.set(key, value)
    handler = signal.getsignal(signal.SIGINT)
    with (
        tempfile.TemporaryFile() as log,  # without a name, so that nothing of a killed process stays
        _silent_py4j(),
    ):
        with _environment(), _quiet(), _held_signals() as held:
            try:
                gateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
            except PySparkException as error:
                if held:
                    raise KeyboardInterrupt from error
                raise EngineError(
                    f"Spark's Java process did not start: {_memory_hint(_last_fault(log) or str(error))}"
                ) from error
        try:
            if held:
                raise KeyboardInterrupt
            with _deadline(gateway, wait_seconds) as is_over, _environment(), _quiet():
                context = _answering(gateway, conf, log, is_over, wait_seconds)
            yield context
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, handler)
            _end(gateway)
            SparkContext._gateway = SparkContext._jvm = None


@contextmanager
def _silent_py4j() -> Iterator[None]:
    """Keep away what Py4J logs of a call that was interrupted: tracebacks, some under no name of its own."""

    def is_of_others(record: logging.LogRecord) -> bool:
        return "py4j" not in Path(record.pathname).parts

    root, own = logging.getLogger(), logging.getLogger("py4j")
    is_told = own.propagate
    root.addFilter(is_of_others)  # what has a name does not pass a filter of the root
    own.propagate = False
    try:
        yield
    finally:
        own.propagate = is_told
        root.removeFilter(is_of_others)


@contextmanager
def _held_signals() -> Iterator[list[int]]:
    """Let the first SIGINT or SIGTERM wait for the end of the block: what it starts can then be ended.

    Yields
    ------
    list of int
        The signal that waits, if there is one.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # signals go to the main one
        yield held
        return

    def hold(number: int, frame: object) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _memory_hint(said: str) -> str:
    """Name where memory is set, where that is what Java complains of."""
    return f"{said}; see $SPARK_DRIVER_MEMORY" if re.search("memory|heap", said, re.IGNORECASE) else said


def _answering(
    gateway: Any, conf: Any, log: IO[bytes], is_over: threading.Event, wait_seconds: float
) -> SparkContext:
    """Return the context once its master has given a worker that answers."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    master, has_answered = conf.get("spark.master"), False
    try:
        context = SparkContext(conf=conf, gateway=gateway)
        has_answered = True
        SparkSession(context).range(1).count()
    except (PySparkException, Py4JError, ConnectionError) as error:  # the last where Java is gone
        if is_over.is_set() and has_answered:
            raise EngineError(
                f"the master {master} gave no worker in {wait_seconds:g} s; start one, or wait for those "
                "that are busy"
            ) from error
        if is_over.is_set():
            raise EngineError(
                f"no master of Spark answers at {master} in {wait_seconds:g} s; {_START}"
            ) from error
        said = _memory_hint(_last_fault(log) or _sentence(error))
        raise EngineError(f"Spark did not start with the master {master}: {said}") from error
    return context


@contextmanager
def _deadline(gateway: Any, seconds: float) -> Iterator[threading.Event]:
    """End Spark's Java process after so many seconds: nothing else ends a call that waits for it."""
    is_over = threading.Event()

    def end() -> None:
        if gateway.proc is not None:  # else spark-submit started Java, and us
            is_over.set()
            _terminate(gateway.proc)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


def _end(gateway: Any) -> None:
    """Stop Spark and its Java process."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a process which was killed did not stop cleanly
        if context is not None:
            with suppress(OSError):  # a process that was killed cannot be told
                context.stop()
            context.stop()  # what is left is in this process
        SparkSession._instantiatedSession = None
        gateway.shutdown()
    if gateway.proc is None:
        return
    gateway.proc.stdin.close()  # on which it ends, if it has not
    try:
        gateway.proc.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        _terminate(gateway.proc)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a process, with its temporary folders if it can still remove them."""
    process.terminate()
    try:
        process.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _own_session(context: SparkContext) -> SparkSession:
    """Return a session with names and settings of its own."""
    from pyspark.sql import SparkSession

    with _quiet():
        found = SparkSession(context).newSession()
        for key, value in _SQL.items():
            found.conf.set(key, value)
    return found


def _addresses(master: str) -> dict[str, str]:
    """Return settings that keep Spark to this machine where its master is on it."""
    host = master.removeprefix("spark://").rpartition(":")[0]
    if not master.startswith("local") and host not in _LOOPBACK:
        return {}
    return {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def _environment() -> Iterator[None]:
    """Let Spark start with this Python and enough memory, where nothing else is said."""
    given = {"PYSPARK_PYTHON": sys.executable, "SPARK_DRIVER_MEMORY": DRIVER_MEMORY}
    added = [name for name in given if name not in os.environ]
    os.environ.update({name: given[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _last_fault(log: IO[bytes]) -> str | None:
    """Return the last line in which Spark's Java process says that something is wrong."""
    # Not by `read`: the place in the file is shared with the process that writes.
    said = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
    lines = said.decode(errors="replace").splitlines()
    faults = [
        line for line in lines if re.search(r"ERROR|Exception|Error:", line) and not line.startswith("\t")
    ]
    return faults[-1].strip()[:300] if faults else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a warning away that is no user's to heed: PySpark's, that pandas is newer than it knows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pyspark")
        yield
