"""A plain folder, on a disk of this machine or one that it mounts."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from interplm_wh.errors import InputError
from interplm_wh.remote.address import Address
from interplm_wh.remote.place import BLOCK, Sent, bounded, missing
from interplm_wh.store import staging

_PAGE = 4096  # bytes that a disk gives at once


class FolderPlace:
    """A folder as a place."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._root = Path(address.where)

    def _file(self, name: str) -> Path:
        path = self._root / name
        if not path.is_file():
            raise missing(self.address, name)
        return path

    def read(self, name: str, *, at_most: int) -> bytes:
        """Return a small file."""
        with self._file(name).open("rb") as handle:
            return bounded(self.address, name, handle.read(at_most + 1), at_most)

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`."""
        with self._file(name).open("rb") as handle:
            handle.seek(start)
            return handle.read(stop - start)

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a file in blocks."""
        with self._file(name).open("rb") as handle:
            while block := handle.read(BLOCK):
                yield block

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the sizes of those files that are there."""
        paths = {name: self._root / name for name in names}
        return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}

    def send(self, files: Sequence[Sent], advance: Callable[[int], None]) -> None:
        """Copy files; each gets its name when all of it is on the disk.

        Raises
        ------
        InputError
            If there is no room for them.
        """
        self._require_room(sum(-(-sent.path.stat().st_size // _PAGE) * _PAGE for sent in files))
        for sent in files:
            target = self._root / sent.name
            target.parent.mkdir(parents=True, exist_ok=True)
            # A name of its own: two may publish at once.
            partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
            try:
                shutil.copyfile(sent.path, partial)
                staging.sync(partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
            staging.sync(target.parent)
            advance(sent.path.stat().st_size)

    def _require_room(self, n_bytes: int) -> None:
        base = next(folder for folder in (self._root, *self._root.absolute().parents) if folder.is_dir())
        free = shutil.disk_usage(base).free
        if n_bytes > free:
            raise InputError(
                f"{self.address} takes {n_bytes / 1e9:,.2f} GB more, and its disk has {free / 1e9:,.2f} GB; "
                "nothing was published: free some space there, or publish to another disk"
            )

    def close(self) -> None:
        """Nothing is open."""
