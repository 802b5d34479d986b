"""Where a command writes before it publishes.

A staging folder belongs to one process, which keeps `owner` locked. When that process has ended
without publishing, the next writer removes the folder, and whatever it had begun to move.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from interplm_wh.errors import InputError
from interplm_wh.schema import table as schema_table
from interplm_wh.store import layout
from interplm_wh.store.lock import try_lock

_OWNER = "owner"
_MOVES = "moves.json"
_UNBORN = "new-"
_FOREIGN_SECONDS = 3600.0
"""What another machine left stays for so long: where locks hold on each machine alone, it may be at work."""


@dataclass
class Staging:
    """The folders that one command has written and not yet published.

    Attributes
    ----------
    root : Path
        The warehouse.
    path : Path
        The staging folder.
    folders : dict of str to Path
        Staged folders by the path, in the warehouse, that they are going to have.
    """

    root: Path
    path: Path
    folders: dict[str, Path] = field(default_factory=dict)

    def new_folder(self, table: str, *, sae: str | None = None) -> Path:
        """Make an empty folder for Parquet files of one table.

        Parameters
        ----------
        table : str
            A table kept in Parquet.
        sae : str, optional
            Required for tables that are kept per SAE, refused for others.
        """
        if (schema_table(table).storage == "sae") != (sae is not None):
            raise ValueError(f"{table} is {'not ' if sae else ''}kept per SAE")
        final = layout.new_folder_name(table, sae=sae)
        staged = self.path / final
        staged.mkdir(parents=True)
        self.folders[final] = staged
        return staged

    def final_name(self, folder: Path) -> str:
        """Return the path, in the warehouse, that a staged folder is going to have."""
        return folder.relative_to(self.path).as_posix()

    @property
    def scratch(self) -> Path:
        """A folder for what is never published."""
        path = self.path / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def move(self, finals: list[str]) -> None:
        """Move staged folders to their places in the lake.

        The list of moves is on disk before the first of them, so that a killed process leaves no
        folder that nobody knows of.
        """
        _write_synced(self.path / _MOVES, json.dumps(finals))
        for final in finals:
            target = self.root / final
            target.parent.mkdir(parents=True, exist_ok=True)
            staged = self.folders.pop(final)
            for file in staged.iterdir():
                sync(file)
            staged.rename(target)
            sync(target.parent)

    def remove_moved(self, named: Set[str]) -> None:
        """Remove what was moved for a publish that did not come about."""
        if (self.path / _MOVES).exists():
            _remove_moved(self.root, self.path / _MOVES, named)
            self.forget_moves()

    def forget_moves(self) -> None:
        """Say that what was moved is published."""
        (self.path / _MOVES).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


@contextmanager
def stage(root: Path) -> Iterator[Staging]:
    """Make a staging folder that ends with the block."""
    path = root / layout.STAGING / uuid.uuid4().hex
    unborn = path.with_name(f"{_UNBORN}{path.name}")
    unborn.mkdir(parents=True)
    with (unborn / _OWNER).open("w", encoding="utf-8") as owner:
        try:
            try_lock(owner)
        except InputError:
            shutil.rmtree(unborn)
            raise
        with suppress(OSError):  # it only tells others; a full disk is found out by what is written there
            os.write(owner.fileno(), socket.gethostname().encode())
        unborn.rename(path)  # only now can another process take it for a leftover
        try:
            yield Staging(root, path)
        finally:
            shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(root: Path, named: Callable[[], Set[str]]) -> int:
    """Remove what ended processes left behind; to be called under the lock.

    Parameters
    ----------
    root : Path
        The warehouse.
    named : callable
        Returns the folders that the published catalogue names.

    Returns
    -------
    int
        Number of staging folders removed.
    """
    removed = 0
    for path in sorted((root / layout.STAGING).glob("*")):
        if path.name.startswith(_UNBORN) or path.name == layout.ENCODED or not path.is_dir():
            continue
        try:
            # One without an owner was written to by a worker that outlived its command.
            owner = (path / _OWNER).open("a", encoding="utf-8")
        except FileNotFoundError:
            continue  # its command has just ended
        with owner:
            if not try_lock(owner) or _is_foreign(path):
                continue
            if (path / _MOVES).exists():
                _remove_moved(root, path / _MOVES, named())
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _is_foreign(path: Path) -> bool:
    """Whether a staging folder belongs to another machine, and something in it is new."""
    host = (path / _OWNER).read_text(encoding="utf-8", errors="replace")
    if host in ("", socket.gethostname()):
        return False
    try:
        newest = max(one.stat().st_mtime for one in (path, *path.iterdir()))
    except FileNotFoundError:
        return True  # it is at work
    return time.time() - newest < _FOREIGN_SECONDS


def _remove_moved(root: Path, moves: Path, named: Set[str]) -> None:
    try:
        finals = json.loads(moves.read_text(encoding="utf-8"))
    except ValueError:
        return  # killed while writing the list: nothing had been moved
    for final in finals:
        if final not in named:
            shutil.rmtree(root / final, ignore_errors=True)
