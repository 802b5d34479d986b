"""Models of AlphaFold DB on this machine, and for a day what the database has no model of."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh.errors import DownloadError, InputError, NotThereError
from interplm_wh.structures import file as files
from interplm_wh.structures.file import Format

CACHE_VARIABLE = "INTERPLM_WH_CACHE"
_DAY = 86_400.0


@dataclass(frozen=True)
class Fetched:
    """A model in the cache.

    Attributes
    ----------
    path : Path
    accession : str
    entry : str
        As the database names it, for instance AF-P69905-F1.
    version : int or None
        Of the database's model.
    format : {'pdb', 'mmcif'}
    url : str
        Where it came from.
    is_new : bool
        False where it was in the cache.
    """

    path: Path
    accession: str
    entry: str
    version: int | None
    format: Format
    url: str
    is_new: bool


def default_cache() -> Path:
    """Return the folder of the cache: `$INTERPLM_WH_CACHE`, else in the user's folder of caches."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "interplm-wh"


class CachedModel:
    """Where the answer for one accession and one host is kept."""

    def __init__(self, cache: Path, accession: str, base: str) -> None:
        self._folder = cache / "alphafold" / re.sub(r"[^A-Za-z0-9.-]+", "_", base.partition("://")[2])[:64]
        self._accession = accession
        self._base = base
        self._note = self._folder / f"{accession}.json"

    def nothing(self) -> NotThereError:
        """Return the error that says so."""
        return NotThereError(
            f"AlphaFold DB has no model of {self._accession}; add a structure of it from a file with: "
            "interplm-wh add structures"
        )

    def read(self) -> Fetched | None:
        """Return what the cache has; None where it has nothing, or nothing whole.

        Raises
        ------
        NotThereError
            If the database said within a day that it has no model.
        """
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if not note["found"]:
                if 0 <= time.time() - float(note["asked"]) < _DAY:
                    raise self.nothing()
                return None
            path = self._path(note["format"])
            if files.read(path).sha256 != note["sha256"]:
                return None
            return Fetched(
                path,
                self._accession,
                str(note["entry"]),
                note["version"],
                note["format"],
                str(note["url"]),
                False,
            )
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None  # absent or damaged: asked for again

    def _path(self, form: Format) -> Path:
        return self._folder / f"AF-{self._accession}-F1.{files.EXTENSIONS[form]}"

    def write(self, note: Mapping[str, Any]) -> None:
        """Remember an answer."""
        self._replace(self._note, json.dumps({**note, "asked": time.time()}).encode())

    def keep(self, data: bytes, entry: Mapping[str, Any], url: str) -> Fetched:
        """Put a model into the cache.

        Raises
        ------
        DownloadError
            If it is no structure.
        """
        temporary = self._write_new(data)
        try:
            file = files.read(temporary)
        except InputError as error:
            temporary.unlink()
            raise DownloadError(f"{url} is no structure ({error}); try again later") from error
        path = self._path(file.format)
        temporary.replace(path)
        given = entry.get("latestVersion")
        version = given if isinstance(given, int) else None
        name = str(entry.get("entryId", ""))
        self.write(
            {
                "found": True, "format": file.format, "sha256": file.sha256, "url": url, "entry": name,
                "version": version,
            }
        )  # fmt: skip
        return Fetched(path, self._accession, name, version, file.format, url, True)

    def _replace(self, path: Path, data: bytes) -> None:
        self._write_new(data).replace(path)

    def _write_new(self, data: bytes) -> Path:
        """Write a file under a name of its own, which is gone again where the disk is full."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f".{uuid.uuid4().hex}.new"
        try:
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path
