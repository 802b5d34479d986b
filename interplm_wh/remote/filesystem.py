"""The files of a published version as DuckDB opens them.

DuckDB asks for the footer of a file and then for exactly the columns of the row groups that it needs, joined
where they touch: every read here is one request for these bytes, and nothing is read ahead. Names and sizes
come from the list that was published, never from a listing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import fsspec

from interplm_wh.errors import CheckError, InterplmError
from interplm_wh.remote.manifest import Entry
from interplm_wh.remote.place import MissingError, Place

PROTOCOL = "published"
_NEVER_CHANGED = datetime(2000, 1, 1)  # a name is never used for another content


class PublishedFiles(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Read-only; `failure` is what went wrong last, which DuckDB reports in words of its own."""

    protocol = PROTOCOL
    cachable = False

    def __init__(self, place: Place, entries: Mapping[str, Entry]) -> None:
        super().__init__()
        self._place = place
        self._entries = entries
        self.failure: InterplmError | KeyboardInterrupt | None = None
        self._stub: bytes | None = None

    @contextmanager
    def stubs(self, content: bytes) -> Iterator[None]:
        """Show the same content for every file while the block runs."""
        self._stub = content
        try:
            yield
        finally:
            self._stub = None

    def _entry(self, path: str) -> Entry:
        name = self._strip_protocol(path).lstrip("/")
        if name not in self._entries:
            raise FileNotFoundError(name)
        return self._entries[name]

    def open(self, path: str, mode: str = "rb", **options: Any) -> RangeFile:
        """Open a file for reading."""
        entry = self._entry(path)
        if "r" not in mode:
            raise PermissionError(f"{entry.path} is published, and read-only")
        if (stub := self._stub) is not None:
            return RangeFile(len(stub), lambda start, stop: stub[start:stop])
        return RangeFile(entry.n_bytes, lambda start, stop: self._read(entry, start, stop))

    def _read(self, entry: Entry, start: int, stop: int) -> bytes:
        try:
            content = self._place.read_range(entry.place, start, stop)
            if len(content) != stop - start:
                raise CheckError(
                    f"{self._place.address}: {entry.place} has not the {entry.n_bytes:,} bytes that were "
                    "published; ask who published it to publish it again"
                )
        except MissingError as error:
            gone = f"{error}, which its list names; ask who published it to publish it again"
            self.failure = CheckError(gone)
            raise self.failure from error
        except (InterplmError, KeyboardInterrupt) as error:
            self.failure = error
            raise
        return content

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return the name and size of a file."""
        entry = self._entry(path)
        size = entry.n_bytes if self._stub is None else len(self._stub)
        return {"name": entry.path, "size": size, "type": "file"}

    def exists(self, path: str, **options: Any) -> bool:
        """Whether a file is in the list."""
        return self._strip_protocol(path).lstrip("/") in self._entries

    def glob(self, path: str, **options: Any) -> list[str]:
        """Return the file of a name: names have no patterns."""
        name = self._strip_protocol(path).lstrip("/")
        return [name] if name in self._entries else []

    def modified(self, path: str) -> datetime:
        """Return one time for all, since nothing changes."""
        return _NEVER_CHANGED


class RangeFile(io.RawIOBase):
    """A file whose every read is one request."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self.size = size
        self._read_range = read
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes."""
        stop = self.size if size is None or size < 0 else min(self._at + size, self.size)
        if stop <= self._at:
            return b""
        content = self._read_range(self._at, stop)
        self._at = stop
        return content
