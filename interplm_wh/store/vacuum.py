"""Free the space of what no catalogue names any more."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh.store import layout
from interplm_wh.store.transaction import hold, named_folders

log = logging.getLogger(__name__)
DAY = 86_400.0


@dataclass(frozen=True)
class VacuumReport:
    """What a vacuum removed.

    Attributes
    ----------
    n_folders, n_bytes : int
    n_kept : int
        Folders and files of structures that no catalogue names but that are younger than a day.
    n_structures : int
        Files of structures.
    """

    n_folders: int
    n_bytes: int
    n_kept: int
    n_structures: int

    def lines(self) -> list[str]:
        """Print it for people."""
        files = f" and {self.n_structures} files of structures" if self.n_structures else ""
        freed = f"removed {self.n_folders} folders{files}, {self.n_bytes / 1e6:,.1f} MB"
        kept = f"; {self.n_kept} more are not a day old yet" if self.n_kept else ""
        return [freed + kept]


def vacuum(warehouse: str | Path, *, min_age_seconds: float = DAY) -> VacuumReport:
    """Remove folders, and files of structures, that neither the current nor the previous catalogue names.

    Parameters
    ----------
    warehouse : str or Path
    min_age_seconds : float
        Younger folders are kept, since a reader may have opened a catalogue that names them.
    """
    root = layout.root_of(warehouse)
    n_bytes = n_kept = n_structures = 0
    gone: list[Path] = []
    # Nothing is written: on a full disk, too, it frees space.
    with hold(root, command="vacuum"):
        named = named_folders(root)
        for folder in _folders(root):
            if folder.relative_to(root).as_posix() in named:
                continue
            if time.time() - folder.stat().st_mtime < min_age_seconds:
                n_kept += 1
                continue
            n_bytes += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            # Away at once: whoever reads a folder with half of its files gets half of its rows, and no error.
            # Of a list made meanwhile no file opens any more: an error, after which one asks again.
            # Beside it, since a lake may lie on a disk of its own; the next vacuum takes what is left there.
            gone.append(folder.rename(folder.with_name(f"gone-{folder.name}")))
        for folder in gone:
            shutil.rmtree(folder)
        # After the folders, since what the table in one of them named is named no more.
        for file in _unnamed_structures(root):
            if time.time() - file.stat().st_mtime < min_age_seconds:
                n_kept += 1
                continue
            n_bytes += file.stat().st_size
            file.unlink()
            n_structures += 1
    return VacuumReport(len(gone), n_bytes, n_kept, n_structures)


def _unnamed_structures(root: Path) -> list[Path]:
    """Return the files of structures that no folder of the table `structures` names, of those that stay.

    Where one of these cannot be read, none: it might name any of them.
    """
    named: set[str] = set()
    try:
        for part in (root / layout.LAKE / "structures").glob("*/*.parquet"):
            named |= set(pq.read_table(part, columns=["file"])["file"].to_pylist())
    except (pa.ArrowException, OSError) as error:
        log.warning("files of structures are kept, since their table cannot be read: %s", error)
        return []
    there = ((path, path.relative_to(root).as_posix()) for path in (root / layout.STRUCTURES).glob("*"))
    return sorted(path for path, name in there if layout.structure_file(root, name) and name not in named)


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders of the lake, and what was begun in staging and has no owner."""
    for table in sorted((root / layout.LAKE).glob("*")):
        if table.name == layout.EMBEDDINGS:
            # No table of the catalogue: kept until somebody takes them away, except what is half written.
            yield from sorted(table.glob(f"*/*/{layout.UNFINISHED}*"))
            continue
        for child in sorted(table.iterdir()):
            yield from sorted(child.iterdir()) if child.name.startswith("sae=") else [child]
    yield from sorted((root / layout.STAGING).glob("new-*"))
    # Finished parts of an encoding that nobody came back to.
    yield from sorted((root / layout.STAGING / layout.ENCODED).glob("*/*"))
