"""Ask a question of SQL in a child process, and see that nothing of it is left."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from interplm_wh.console.request import Request
from interplm_wh.errors import InputError, InterplmError, LockedError, NotThereError
from interplm_wh.store import layout

MAX_SQL_CHARACTERS = 100_000
LEAST_MEMORY_BYTES = 256 << 20
_MIB = 1 << 20
_GIB = 1 << 30

_CHILD = "interplm_wh.console.child"
# All that a child sees of the server's environment: no token, no proxy, no home.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_ERRORS: dict[str, type[InterplmError]] = {e.__name__: e for e in (InputError, LockedError, NotThereError)}
# How often a warehouse is opened where files go away because there is a newer publish.
_ATTEMPTS = 3
# How long a child may take to end after its last word, before it is ended.
_LAST_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """What a question returned.

    Attributes
    ----------
    rows : pa.Table
        Two columns may have one name. Values are data: whoever shows them escapes them. Numbers,
        booleans, texts, and lists and structs of them, have Arrow's form; 128-bit integers, which
        sums are, that of 64 bits where all in the column fit; all else is DuckDB's text, with
        times in UTC.
    is_truncated : bool
        Whether there are more rows than were asked for, or than fit in the bytes allowed.
    seconds : float
        From the call to the answer, the start of the process included.
    """

    rows: pa.Table
    is_truncated: bool
    seconds: float


class _Gone(Exception):
    """The catalogue, or files that it names, are not there: perhaps there is a newer publish."""

    def __init__(self, error: InterplmError) -> None:
        super().__init__(str(error))
        self.error = error


def ask(
    warehouse: str | Path,
    sql: str,
    *,
    max_rows: int = 5000,
    max_bytes: int = 32 * _MIB,
    seconds: float = 30.0,
    memory_bytes: int = 2 * _GIB,
    spill_bytes: int = 2 * _GIB,
) -> Answer:
    """Run one SELECT from somebody who is not trusted over the newest publish of a warehouse.

    May be called from several threads at once; each call is a process of two threads.

    Parameters
    ----------
    warehouse : str or Path
    sql : str
        One SELECT or EXPLAIN SELECT over the tables, views and macros of the warehouse.
    max_rows, max_bytes : int
        How much of the answer is returned. The query is not run for more than that.
    seconds : float
        After which it is killed, from the call on.
    memory_bytes : int
        What it may use beyond the libraries; on macOS a limit of DuckDB's alone, which single
        functions pass.
    spill_bytes : int
        Of temporary files, in a folder of its own that is removed afterwards.

    Raises
    ------
    InputError
        If it is not one SELECT that only reads, if DuckDB refuses it, or if it takes more time, memory
        or disk than it may.
    NotThereError
        If there is no warehouse.
    LockedError
        If another program has opened the catalogue for writing.
    """
    started = time.monotonic()
    root = layout.root_of(warehouse)
    request = Request(str(root), sql, max_rows, max_bytes, seconds, memory_bytes, spill_bytes, os.getpid())
    _check(request)
    for _ in range(_ATTEMPTS):
        opened = _stamp(root)
        try:
            rows, is_truncated = _asked(request, started + seconds)
            break
        except _Gone as gone:
            error = gone.error
            if _stamp(root) == opened:
                raise error from None
    else:
        raise error
    return Answer(rows, is_truncated, time.monotonic() - started)


def _check(asked: Request) -> None:
    faults: list[str] = []
    if len(asked.sql) > MAX_SQL_CHARACTERS:
        faults.append(
            f"a question has at most {MAX_SQL_CHARACTERS:,} characters, and this has {len(asked.sql):,}"
        )
    if "\0" in asked.sql or any("\ud800" <= letter <= "\udfff" for letter in asked.sql):
        faults.append("a question cannot hold NUL characters or halves of characters")
    if asked.max_rows < 1 or asked.max_bytes < 1 or not 0 < asked.seconds < float("inf"):
        faults.append("max_rows, max_bytes and seconds must be above 0")
    if asked.memory_bytes < LEAST_MEMORY_BYTES or asked.spill_bytes < 0:
        faults.append(f"memory_bytes must be at least {LEAST_MEMORY_BYTES:,}, and spill_bytes at least 0")
    if faults:
        raise InputError("; ".join(faults))


def _stamp(root: Path) -> tuple[int, int] | None:
    """Return what tells one publish from the next."""
    try:
        status = (root / layout.CATALOGUE).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _asked(request: Request, deadline: float) -> tuple[pa.Table, bool]:
    """Run one child; returns its rows and whether there are more."""
    with (
        _folder(request.root) as folder,
        tempfile.TemporaryFile() as words,
        _child(request, folder, words) as child,
    ):
        # Twice, because text is counted without the padding that it travels with.
        reply = _read(child, deadline, at_most=2 * request.max_bytes + _MIB)
        if reply is None:
            raise InputError(
                f"this took longer than {request.seconds:g} s and was stopped; "
                "narrow it down with where or limit"
            )
        head, _, body = reply.partition(b"\n")
        try:
            said = json.loads(head)
            if "error" not in said:
                rows = pa.ipc.open_stream(body).read_all()
                rows.validate(full=True)
                return _narrowed(rows, said["wide"]), bool(said["is_truncated"])
        except (ValueError, KeyError, TypeError, pa.ArrowException):
            raise InputError(_died(child, words)) from None
        message = _without_paths(str(said.get("message")), request.root, folder)
        error = _ERRORS.get(said["error"], InputError)(message)
        # A catalogue that is replaced between being looked for and being opened is not there, either.
        if said["error"] == "Gone" or isinstance(error, NotThereError):
            raise _Gone(error)
        raise error


def _narrowed(rows: pa.Table, wide: Sequence[int]) -> pa.Table:
    """Return 128-bit integers, which came as text, as 64-bit ones where all of a column are."""
    for i in wide:
        try:
            rows = rows.set_column(i, rows.schema.field(i).name, rows.column(i).cast(pa.int64()))
        except pa.ArrowInvalid:
            continue
    return rows


@contextmanager
def _folder(root: str) -> Iterator[str]:
    """Make the folder of temporary files of one child, and remove it with all in it."""
    with tempfile.TemporaryDirectory(prefix="interplm-wh-console-") as made:
        folder = str(Path(made).resolve())
        if Path(folder).is_relative_to(root):
            raise InputError("the folder of temporary files lies inside the warehouse; set TMPDIR elsewhere")
        yield folder


@contextmanager
def _child(request: Request, folder: str, words: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child, and end it whatever happens here."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {
        "HOME": folder,
        "TMPDIR": folder,
        # So that it runs the same code as this process, wherever that was found.
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        # Each further arena takes 64 MiB of addresses.
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryFile() as question:
        question.write(json.dumps(asdict(request)).encode())
        question.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],
            stdin=question,
            stdout=subprocess.PIPE,
            stderr=words,
            cwd=folder,
            env=environment,
            start_new_session=True,  # ctrl-C is for this process, which then ends its child
        )
    try:
        yield process
    finally:
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _read(child: subprocess.Popen[bytes], deadline: float, *, at_most: int) -> bytes | None:
    """Return all that a child writes, a little more than allowed at the utmost; None at the deadline."""
    parts: list[bytes] = []
    n_bytes = 0
    with selectors.DefaultSelector() as selector:
        assert child.stdout is not None
        selector.register(child.stdout, selectors.EVENT_READ)
        while n_bytes <= at_most:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                return None
            part = os.read(child.stdout.fileno(), _MIB)
            if not part:
                break
            parts.append(part)
            n_bytes += len(part)
    return b"".join(parts)


def _died(child: subprocess.Popen[bytes], words: IO[bytes]) -> str:
    """Say how a child ended that gave no answer."""
    try:
        code = child.wait(_LAST_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}; it may have needed more memory than it may have"
    else:
        words.seek(0)
        lines = words.read(_MIB).decode(errors="replace").strip().splitlines()
        how = f"ended with code {code} ({lines[-1] if lines else 'without a word'})"
    return f"the process that ran this {how}; narrow it down with where or limit"


def _without_paths(message: str, root: str, folder: str) -> str:
    """Return a message without the folders that the warehouse and temporary files lie in."""
    above = str(Path(root).parent).rstrip("/") + "/"
    return message.replace(root, root.removeprefix(above)).replace(folder, "the folder of temporary files")
