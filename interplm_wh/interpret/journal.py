"""Answers that were paid for: each is on the disk as soon as it comes, and none is asked for twice.

They are written to a file beside the tables, one JSON object on a line, flushed to the disk. Once they are
published in `interpretation_prompts`, the file is emptied. What a killed process has left in it is taken up
by the next one.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from interplm_wh import schema
from interplm_wh.errors import InputError, LockedError
from interplm_wh.store import Warehouse, layout
from interplm_wh.store.lock import try_lock
from interplm_wh.store.staging import sync

log = logging.getLogger(__name__)
TABLE = "interpretation_prompts"
Row = dict[str, Any]
_ROOM = 4_000_000  # bytes: prompts and answers of all that may be on the way
_KNOWN = (
    "select sha256, status, reason, answer, n_tokens_in, n_tokens_out from interpretation_prompts "
    "where model = $model and endpoint = $endpoint"
)


class Journal:
    """The answers that are kept, of this model and endpoint or not yet published.

    Attributes
    ----------
    fresh : dict of str to dict
        Rows of `interpretation_prompts` that are not published yet, by checksum.
    """

    def __init__(self, path: Path, handle: IO[bytes] | None, published: dict[str, Row]) -> None:
        self._handle = handle
        self._published = published
        self._lock = threading.Lock()
        self.fresh = _read(path)

    def find(self, sha256: str) -> Row | None:
        """Return the row of a prompt that was answered, or None."""
        with self._lock:
            return self.fresh.get(sha256) or self._published.get(sha256)

    def require_room(self) -> None:
        """Refuse to go on where the next answer might not fit on the disk: it would be paid for in vain.

        Raises
        ------
        InputError
        """
        assert self._handle is not None
        room = os.fstatvfs(self._handle.fileno())
        if room.f_bavail * room.f_frsize < _ROOM:
            raise InputError(
                f"less than {_ROOM // 1_000_000} MB are free where answers are kept, so that nothing more is "
                "sent; make room, then run the command again"
            )

    def keep(self, row: Row) -> None:
        """Keep a row; it is on the disk when this returns."""
        assert self._handle is not None
        line = json.dumps({**row, "created": row["created"].isoformat()}).encode() + b"\n"
        with self._lock:
            self._handle.write(line)
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self.fresh[row["sha256"]] = row

    def empty(self) -> None:
        """Forget what is not published, since it is published now."""
        assert self._handle is not None
        with self._lock:
            self._handle.truncate(0)
            os.fsync(self._handle.fileno())
            self.fresh.clear()


def path_of(root: Path) -> Path:
    """Return the file of a warehouse."""
    return root / layout.ANSWERS / "journal.jsonl"


def look(wh: Warehouse, *, model: str, endpoint: str) -> Journal:
    """Return the answers that there are, without the right to add to them."""
    return Journal(path_of(wh.path), None, _published(wh, model, endpoint))


@contextmanager
def hold(wh: Warehouse, *, model: str, endpoint: str) -> Iterator[Journal]:
    """Hold the answers of a warehouse while the block runs, so that no other process pays for the same.

    Raises
    ------
    LockedError
        If another process does.
    """
    path = path_of(wh.path)
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as handle, os.fdopen(os.dup(descriptor), "r") as locked:
        if not try_lock(locked):
            raise LockedError(
                f"another process interprets features of {wh.path}; wait until it has finished, then try "
                "again"
            )
        sync(path.parent)
        wh.refresh()  # what that process published
        _end_line(handle)
        yield Journal(path, handle, _published(wh, model, endpoint))


def _end_line(handle: IO[bytes]) -> None:
    """Take away a line that a killed process began."""
    handle.seek(0)
    whole = handle.read()
    handle.truncate(whole.rfind(b"\n") + 1)


def _published(wh: Warehouse, model: str, endpoint: str) -> dict[str, Row]:
    rows = wh.sql(_KNOWN, {"model": model, "endpoint": endpoint}).to_pylist()
    return {row["sha256"]: row for row in rows}


def _read(path: Path) -> dict[str, Row]:
    """Read the rows of a file; what is no row, as after a damage, is left out and said."""
    found: dict[str, Row] = {}
    names = {column.name for column in schema.table(TABLE).columns}
    if not path.is_file():
        return found
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or set(row) != names:
                raise ValueError("other columns")
            row["created"] = datetime.fromisoformat(row["created"])
        except (ValueError, TypeError) as error:
            log.warning("%s: line %d is no answer (%s); it is left out", path, number, error)
            continue
        found[row["sha256"]] = row
    return found
