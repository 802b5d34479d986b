"""Finished parts that wait to be registered, where every worker on the warehouse sees them.

A part is written in the staging folder of its worker and gets its place by one rename, so that it is
there whole or not at all, and of two workers the first one wins. Its place follows from what is
encoded alone: a worker that starts again finds what it had finished, whoever was killed. The claim on
a part is a lock, which ends with the process that holds it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.ipc

from interplm_wh.store import files, layout
from interplm_wh.store.lock import try_lock

ROWS = "encodings.arrow"
_CLAIMS = "claims"
_APPLIED = (
    "select s.sae, s.sha256, s.plm, s.layer, p.revision, s.architecture, s.k, s.input_norm from saes as s "
    "left join plms as p on s.plm = p.plm where list_contains($saes, s.sae)"
)


def identities(con: duckdb.DuckDBPyConnection, saes: Sequence[str], *, min_value: float) -> dict[str, str]:
    """Return, per SAE that is there, a digest of all that says what its activations are.

    That is: weights and how they are applied, PLM and its revision, layer, smallest value.
    """
    rows = con.execute(_APPLIED, {"saes": list(saes)}).fetchall()
    return {
        sae: hashlib.sha256(json.dumps([*applied, float(min_value)]).encode()).hexdigest()[:16]
        for sae, *applied in rows
    }


def entry_name(first: int, last: int, fingerprints: Sequence[str]) -> str:
    """Return the name of a part: its bounds, and a digest of its proteins."""
    digest = hashlib.sha256("".join(fingerprints).encode()).hexdigest()[:16]
    return f"{first:08d}-{last:08d}-{digest}"


@dataclass(frozen=True)
class Waiting:
    """The finished parts of one SAE, as it is applied.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def of(cls, root: Path, sae: str, identity: str) -> Waiting:
        """Return those of an SAE with a digest of `identities`."""
        return cls(place_of(root, sae) / identity)

    def has(self, name: str) -> bool:
        """Whether a part is finished."""
        return (self.path / name / ROWS).is_file()

    def entries(self) -> list[Path]:
        """Return the folders of the finished parts, in the order of their names."""
        return sorted(path for path in self.path.glob("*-*") if (path / ROWS).is_file())

    def put(self, made: Path, name: str) -> bool:
        """Give a folder its place; False where another worker was first.

        What is there without its rows, of a removal that was killed, gives way.
        """
        while True:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                made.rename(self.path / name)
            except FileNotFoundError:
                if not made.is_dir():
                    raise  # otherwise another worker took the empty folder away
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                if self.has(name):
                    return False
                with suppress(FileNotFoundError):  # registered meanwhile
                    (self.path / name).rename(made.with_name(f"{made.name}-ruin"))
            else:
                return True

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Yield whether this process alone is at work on a part while the block runs."""
        file = self.path / _CLAIMS / name
        with _locked(file) as is_ours:
            try:
                yield is_ours
            finally:
                if is_ours:
                    file.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Take folders away that nothing is in any more, and claims of processes that have ended."""
        for file in (self.path / _CLAIMS).glob("*"):
            with _locked(file) as is_ours:
                if is_ours:
                    file.unlink(missing_ok=True)
        for folder in (self.path / _CLAIMS, self.path, self.path.parent, self.path.parent.parent):
            with suppress(OSError):  # not empty, or gone already
                folder.rmdir()


@contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Lock a file that others may take away, folder and all; yield whether nobody else holds it."""
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = file.open("a", encoding="utf-8")
        except FileNotFoundError:
            continue
        with handle:
            if not try_lock(handle):
                yield False
                return
            if _is_same(file, handle):
                yield True
                return


def _is_same(file: Path, handle: IO[str]) -> bool:
    """Whether a file that was opened has its name still."""
    try:
        return file.stat().st_ino == os.fstat(handle.fileno()).st_ino
    except FileNotFoundError:
        return False


def place_of(root: Path, sae: str) -> Path:
    """Return where finished parts of an SAE wait, whatever its weights are."""
    return root / layout.STAGING / layout.ENCODED / f"sae={sae}"


def write_rows(folder: Path, rows: pa.Table) -> None:
    """Write what `encodings` is to say of the part in a folder, with the checksum of the part."""
    (part,) = folder.glob("*.parquet")
    told = {"file": part.name, "sha256": files.sha256(part)}
    table = rows.replace_schema_metadata({"part": json.dumps(told)})
    with pa.ipc.new_file(folder / ROWS, table.schema) as writer:
        writer.write_table(table)


def read_rows(folder: Path) -> tuple[Path, pa.Table] | None:
    """Return the part of a folder and its rows; None where they are not what was written.

    A machine that lost its power can leave a file without its bytes.
    """
    try:
        with pa.ipc.open_file(folder / ROWS) as reader:
            table = reader.read_all()
        told = json.loads(table.schema.metadata[b"part"])
        part = folder / Path(told["file"]).name
        return (part, table) if files.sha256(part) == told["sha256"] else None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return None
