"""What a published version consists of: the list of its files, and the file that names the versions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePosixPath
from typing import Any

from interplm_wh.errors import CheckError, NotThereError
from interplm_wh.store import layout

FORMAT = 1
FILES = "files.tsv"
VERSIONS = "versions"
CARD = "README.md"
_HEAD = "sha256\tn_bytes\tpath\tplace"
# A list comes from outside: what it names must stay within the warehouse, and be what one consists of.
_STEPS = r"(?:/[A-Za-z0-9][A-Za-z0-9._=-]{0,199})+"
_ROW = re.compile(
    rf"([0-9a-f]{{64}})\t([0-9]{{1,15}})\t({re.escape(layout.CATALOGUE)}|(?:lake|saes|structures){_STEPS})"
    rf"\t((?:lake|saes|structures|versions){_STEPS})"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[1-9][0-9]{0,8}-[0-9a-f]{12}")
_SAID = re.compile(r"[\w.:+-]{1,64}")
_AGAIN = "it was changed or cut off on the way; try again, or ask who published it"


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes
    ----------
    path : str
        Within a warehouse.
    place : str
        Within the place that it is published to.
    n_bytes : int
    sha256 : str
    """

    path: str
    place: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Version:
    """One version.

    Attributes
    ----------
    name : str
        ``NUMBER-DIGEST``; its folder in `versions/`.
    digest : str
        SHA-256 of all that it says; what is published again unchanged is no new version.
    files_sha256 : str
        Of its list of files.
    n_files, n_bytes : int
        Of the whole version.
    published : str
        When, in UTC.
    package_version : str
    """

    name: str
    digest: str
    files_sha256: str
    n_files: int
    n_bytes: int
    published: str
    package_version: str

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.name.partition("-")[0])

    @property
    def folder(self) -> str:
        """Where what is its own lies."""
        return f"{VERSIONS}/{self.name}"


def dump_versions(versions: Sequence[Version]) -> bytes:
    """Write the file that names the versions, oldest first."""
    text = {"format": FORMAT, "newest": versions[-1].name, "versions": [asdict(v) for v in versions]}
    return (json.dumps(text, indent=1) + "\n").encode()


def load_versions(content: bytes, *, where: str) -> tuple[Version, ...]:
    """Read it.

    Raises
    ------
    CheckError
        If it is no such file.
    """
    try:
        raw: Any = json.loads(content)
        if raw["format"] != FORMAT:
            raise CheckError(
                f"{where}: was published in format {str(raw['format'])[:20]!r}, which this version of "
                "interplm-wh does not read; install a newer one"
            )
        names = [field.name for field in fields(Version)]
        versions = tuple(Version(**{name: one[name] for name in names}) for one in raw["versions"])
        is_sound = bool(versions) and all(map(_is_sound, versions))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckError(f"{where} does not name versions of a warehouse; {_AGAIN}") from error
    if not is_sound:
        raise CheckError(f"{where} does not name versions of a warehouse; {_AGAIN}")
    return versions


def _is_sound(version: Version) -> bool:
    return bool(
        _NAME.fullmatch(version.name)
        and all(_SHA256.fullmatch(text) for text in (version.digest, version.files_sha256))
        and all(_SAID.fullmatch(text) for text in (version.published, version.package_version))
        and all(type(n) is int and n >= 0 for n in (version.n_files, version.n_bytes))
    )


def choose(versions: Sequence[Version], wanted: str | None, *, where: str) -> Version:
    """Return the version of a number or name; the newest by default.

    Raises
    ------
    NotThereError
    """
    if wanted is None:
        return versions[-1]
    for version in versions:
        if wanted in (version.name, str(version.number)):
            return version
    known = ", ".join(version.name for version in versions)
    raise NotThereError(f"{where} has no version {wanted}; it has {known}")


def dump_files(entries: Sequence[Entry]) -> bytes:
    """Write a list of files, in the order of their paths."""
    rows = sorted(entries, key=lambda entry: entry.path)
    lines = [_HEAD, *(f"{e.sha256}\t{e.n_bytes}\t{e.path}\t{e.place}" for e in rows)]
    return ("\n".join(lines) + "\n").encode()


def load_files(content: bytes, *, where: str) -> dict[str, Entry]:
    """Read the list of a version; returns its files by path.

    Raises
    ------
    CheckError
        If it names what no warehouse has, or not all that one has.
    """
    head, *lines = content.decode(errors="replace").split("\n")
    rows = [_ROW.fullmatch(line) for line in lines if line]
    entries = {row[3]: Entry(row[3], row[4], int(row[2]), row[1]) for row in rows if row}
    # Some file systems take names that differ in case for one.
    folded = {path.lower() for path in entries}
    folders = {str(folder) for path in folded for folder in PurePosixPath(path).parents}
    is_sound = head == _HEAD and len(folded) == len(rows) and not folded & folders
    if not is_sound or layout.CATALOGUE not in entries:
        raise CheckError(f"{where} names what no warehouse consists of; take another source")
    return entries
