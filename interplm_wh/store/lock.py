"""One writer at a time: an advisory lock on a file that says who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from interplm_wh.errors import InputError, LockedError

_POLL_SECONDS = 0.1
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def try_lock(handle: IO[str]) -> bool:
    """Take an exclusive lock on an open file; False where another process has it.

    Raises
    ------
    InputError
        If the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise InputError(
            f"{handle.name}: its file system has no file locks ({error.strerror}), without which writers do "
            "not know of each other; mount it with locks (flock), or keep the warehouse on another"
        ) from error
    return True


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_text(encoding="utf-8"))
        return f"{who['command']!r} (process {who['pid']} on {who['host']}, since {who['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def hold(path: Path, command: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs.

    The lock belongs to the open file, so that it ends with the process, however that ends; what is
    written in the file only tells others who it is.

    Raises
    ------
    LockedError
        If another process still holds it after `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    with path.open("a+", encoding="utf-8") as handle:
        while not try_lock(handle):
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{path.parent} is being written by {_holder(path)}; "
                    "wait until it has finished, then try again"
                )
            time.sleep(_POLL_SECONDS)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        who = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}
        handle.truncate(0)
        with suppress(OSError):  # it only tells others; on a full disk `vacuum` goes on without it
            os.write(handle.fileno(), json.dumps(who).encode())
        try:
            yield
        finally:
            handle.truncate(0)
