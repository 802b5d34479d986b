"""Free the space of what no catalogue names any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interplm_wh.store import layout
from interplm_wh.store.transaction import write

DAY = 86_400.0


@dataclass(frozen=True)
class VacuumReport:
    """What a vacuum removed.

    Attributes
    ----------
    n_folders, n_bytes : int
    n_kept : int
        Folders that no catalogue names but that are younger than a day.
    """

    n_folders: int
    n_bytes: int
    n_kept: int

    def lines(self) -> list[str]:
        """Print it for people."""
        freed = f"removed {self.n_folders} folders, {self.n_bytes / 1e6:,.1f} MB"
        kept = f"; {self.n_kept} more are not a day old yet" if self.n_kept else ""
        return [freed + kept]


def vacuum(warehouse: str | Path, *, min_age_seconds: float = DAY) -> VacuumReport:
    """Remove folders that neither the current nor the previous catalogue names.

    Parameters
    ----------
    warehouse : str or Path
    min_age_seconds : float
        Younger folders are kept, since a reader may have opened a catalogue that names them.
    """
    root = Path(warehouse).resolve()
    n_folders = n_bytes = n_kept = 0
    with write(root, command="vacuum") as tx:
        named = {
            folder for (folder,) in tx.con.execute("select folder from folders").fetchall()
        } | tx.previous
        for folder in _folders(root):
            if folder.relative_to(root).as_posix() in named:
                continue
            if time.time() - folder.stat().st_mtime < min_age_seconds:
                n_kept += 1
                continue
            n_bytes += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            shutil.rmtree(folder)
            n_folders += 1
    return VacuumReport(n_folders, n_bytes, n_kept)


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders of the lake, and staging folders that were never born."""
    for table in sorted((root / layout.LAKE).glob("*")):
        if table.name == layout.EMBEDDINGS:
            # No table of the catalogue: kept until somebody takes them away, except what is half written.
            yield from sorted(table.glob(f"*/*/{layout.UNFINISHED}*"))
            continue
        for child in sorted(table.iterdir()):
            yield from sorted(child.iterdir()) if child.name.startswith("sae=") else [child]
    yield from sorted((root / layout.STAGING).glob("new-*"))
