"""Fetch a published warehouse: every file is checked, and the catalogue comes last."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from interplm_wh import progress
from interplm_wh.errors import CheckError, InputError, faults_message
from interplm_wh.quote import quote_literal
from interplm_wh.remote import address
from interplm_wh.remote.manifest import Entry
from interplm_wh.remote.place import MissingError, Place, open_place, said, side_by_side
from interplm_wh.remote.reader import begun, find
from interplm_wh.store import files, layout, lock, staging

_UNCHECKED = ".pulled.duckdb"
_THREADS = 4


@dataclass(frozen=True)
class PullReport:
    """What `pull` fetched.

    Attributes
    ----------
    warehouse : Path
    source, version : str
    n_files, n_bytes : int
        Of the whole version.
    n_fetched, n_fetched_bytes : int
        What was fetched this time; the rest an interrupted pull had fetched.
    """

    warehouse: Path
    source: str
    version: str
    n_files: int
    n_bytes: int
    n_fetched: int
    n_fetched_bytes: int

    def lines(self) -> list[str]:
        """Describe it for people."""
        before = self.n_files - self.n_fetched
        return [
            f"{self.warehouse}: version {self.version} of {self.source}, {self.n_files:,} files, "
            f"{self.n_bytes / 1e6:,.1f} MB, every checksum as published"
            + (f"; {before:,} files were there" if before else "")
        ]


def pull(warehouse: str | Path, source: str | Path) -> PullReport:
    """Fetch a published warehouse into a new folder, which is a warehouse like any other then.

    An interrupted pull goes on where it was cut off; before it is through, there is no warehouse.

    Parameters
    ----------
    warehouse : str or Path
        A folder that does not exist, is empty, or holds what an interrupted pull of this version fetched.
    source : str or Path
        hf://, s3://, gs://, http(s):// or a folder; a version after a #, otherwise the newest.

    Raises
    ------
    InputError
        If something else is in the folder.
    CheckError
        If a file is not what was published.
    DownloadError
        If the place does not answer, or refuses.
    LockedError
        If another process fetches into the folder.
    """
    root = layout.root_of(warehouse)
    with closing(open_place(address.parse(source))) as place:
        return _pull(root, place)


def _pull(root: Path, place: Place) -> PullReport:
    version, entries = find(place)
    _require_place(root, version.digest)
    _require_room(root, entries, place)
    root.mkdir(parents=True, exist_ok=True)
    with lock.hold(root / layout.LOCK, "pull"):
        files.write_whole(root / layout.PULLING, json.dumps({"version": version.digest}).encode())
        last = entries.pop(layout.CATALOGUE)
        there = {path for path in entries if _is_there(root / path, entries[path])}
        absent = [entry for path, entry in entries.items() if path not in there]
        n_bytes = sum(entry.n_bytes for entry in absent)
        with progress.track("fetching", total=n_bytes, unit="bytes") as bar:
            side_by_side(
                lambda entry: _fetch(place, root, entry), absent, n_threads=_THREADS, advance=bar.advance
            )
        _fetch(place, root, replace(last, path=_UNCHECKED))
        _require_complete(root / _UNCHECKED, entries, place)
        (root / _UNCHECKED).replace(root / layout.CATALOGUE)
        staging.sync(root)
        (root / layout.PULLING).unlink()
    return PullReport(
        root, str(place.address), version.name, version.n_files, version.n_bytes, len(absent) + 1,
        n_bytes + last.n_bytes,
    )  # fmt: skip


def _require_room(root: Path, entries: Mapping[str, Entry], place: Place) -> None:
    """Refuse what the disk has no room for, before anything is fetched."""
    there = [(root / path, entry.n_bytes) for path, entry in entries.items()]
    needed = sum(n_bytes - (path.stat().st_size if path.is_file() else 0) for path, n_bytes in there)
    base = next(folder for folder in (root, *root.parents) if folder.is_dir())
    free = shutil.disk_usage(base).free
    if needed > free:
        raise InputError(
            f"{place.address} takes {needed / 1e9:,.1f} GB more, and the disk of {root} has "
            f"{free / 1e9:,.1f} GB; nothing was fetched: pull to another disk"
        )


def _require_place(root: Path, digest: str) -> None:
    """Refuse a folder with anything but what an interrupted pull of the same version left."""
    words = shlex.quote(str(root))
    if (root / layout.CATALOGUE).exists():
        raise InputError(f"{root} is a warehouse already; pull into another folder")
    if not root.exists():
        return
    begun = root / layout.PULLING
    if begun.is_file():
        try:
            wanted = json.loads(begun.read_text(encoding="utf-8"))["version"]
        except (ValueError, KeyError, TypeError):
            wanted = None
        if wanted == digest:
            return
        raise InputError(
            f"{root} holds a part of another version; remove it (rm -r {words}), or pull elsewhere"
        )
    if not root.is_dir() or any(path.name != layout.LOCK for path in root.iterdir()):
        raise InputError(f"{root} exists and is not empty; pull into another folder")


def _require_complete(path: Path, entries: Mapping[str, Entry], place: Place) -> None:
    """Refuse a list of files that lacks some of those that the catalogue names, or has others."""
    try:
        with duckdb.connect() as con:
            con.execute(f"attach {quote_literal(str(path))} as pulled (read_only)")
            named = con.execute("select path, n_bytes, sha256 from pulled.parts order by path").fetchall()
        faults = [
            f"{part} is missing from the list of files, or another one"
            for part, n_bytes, sha256 in named
            if part not in entries or (entries[part].n_bytes, entries[part].sha256) != (n_bytes, sha256)
        ]
    except duckdb.Error as error:
        faults = [f"its {layout.CATALOGUE} is no catalogue ({said(error)})"]
    if faults:
        path.unlink()
        step = "there is no warehouse yet: ask who published it to publish it again"
        raise CheckError(faults_message(str(place.address), faults, step))


def _is_there(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.stat().st_size == entry.n_bytes and files.sha256(path) == entry.sha256


def _fetch(place: Place, root: Path, entry: Entry) -> int:
    """Fetch one file, which gets its name when its size and checksum are right; returns its bytes."""
    target = root / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    digest, n_bytes = hashlib.sha256(), 0
    try:
        with partial.open("wb") as handle:
            for block in begun(place, entry):
                handle.write(block)
                digest.update(block)
                n_bytes += len(block)
        if (n_bytes, digest.hexdigest()) != (entry.n_bytes, entry.sha256):
            raise CheckError(
                f"{place.address}: {entry.place} is not what was published ({_difference(n_bytes, entry)}); "
                "there is no warehouse yet: run the same command again, which fetches it anew, or ask who "
                "published it"
            )
        staging.sync(partial)
        partial.replace(target)
    except MissingError as error:
        raise CheckError(
            f"{error}, which its list names; there is no warehouse yet: ask who published it to publish it "
            "again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return n_bytes


def _difference(n_bytes: int, entry: Entry) -> str:
    if n_bytes == entry.n_bytes:
        return "another checksum"
    return f"{n_bytes:,} bytes instead of {entry.n_bytes:,}"
