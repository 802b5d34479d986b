"""Bytes of a structure file: within a size, unpacked, and of a format that is known."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interplm_wh.errors import InputError

Format = Literal["pdb", "mmcif"]
# Twice the largest entry of the PDB as one file; a claim beyond is refused before anything is read.
MAX_BYTES = 512 << 20
SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
EXTENSIONS: dict[Format, str] = {"pdb": "pdb", "mmcif": "cif"}
KNOWN = "PDB or mmCIF, plain or gzip"
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_SUFFIX = re.compile(r"(\.(pdb|ent|cif|mmcif))?(\.gz)?$", re.IGNORECASE)
_ATOM = re.compile(r"^(ATOM  |HETATM)", re.MULTILINE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 64


@dataclass(frozen=True)
class StructureFile:
    """The content of a structure file.

    Attributes
    ----------
    name : str
        Name of the file without its endings, safe as a name in a table and of a file.
    format : {'pdb', 'mmcif'}
    data : bytes
        As given, unpacked where it was gzipped.
    text : str
    sha256 : str
        Of `data`.
    """

    name: str
    format: Format
    data: bytes
    text: str
    sha256: str


def is_structure(path: Path) -> bool:
    """Whether a file's name is that of a structure."""
    return path.name.lower().removesuffix(".gz").endswith(SUFFIXES)


def safe_name(path: Path) -> str:
    """Return the name of a file without its endings, in letters that are safe anywhere.

    What had to be changed is told apart by a piece of the checksum of the name.
    """
    stem = _SUFFIX.sub("", path.name)
    safe = _UNSAFE.sub("-", stem).strip(".-_")[:_MAX_NAME]
    if safe == stem:
        return safe
    digest = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{safe[: _MAX_NAME - 9] or 'structure'}-{digest}"


def read(path: Path, *, max_bytes: int = MAX_BYTES) -> StructureFile:
    """Read a structure file.

    Raises
    ------
    InputError
        If it is absent, empty, too large, damaged, binary, or of no known format.
    """
    data = _bytes(path, max_bytes)
    text = _text(path, data)
    return StructureFile(safe_name(path), _format(path, text), data, text, hashlib.sha256(data).hexdigest())


def _bytes(path: Path, max_bytes: int) -> bytes:
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file; give {KNOWN}")
    try:
        n_bytes = path.stat().st_size
        if n_bytes > max_bytes:
            raise InputError(_too_large(path, f"{n_bytes / 1e6:,.0f} MB", max_bytes))
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a readable file") from error
    return _unpacked(path, data, max_bytes) if data.startswith(_GZIP) else data


def _unpacked(path: Path, packed: bytes, max_bytes: int) -> bytes:
    """Unpack gzip, member by member, never more than is allowed."""
    parts: list[bytes] = []
    n_bytes = 0
    try:
        while packed:
            unpacker = zlib.decompressobj(31)
            while not unpacker.eof:
                part = unpacker.decompress(packed, _CHUNK)
                packed = unpacker.unconsumed_tail
                n_bytes += len(part)
                if n_bytes > max_bytes:
                    raise InputError(_too_large(path, "more when it is unpacked", max_bytes))
                if not part and not packed and not unpacker.eof:
                    raise InputError(f"{path} is a truncated gzip file; fetch it again")
                parts.append(part)
            packed = unpacker.unused_data
    except zlib.error as error:
        raise InputError(f"{path} is a damaged gzip file ({error}); fetch it again") from error
    return b"".join(parts)


def _too_large(path: Path, has: str, max_bytes: int) -> str:
    return (
        f"{path} has {has}, and {max_bytes / 1e6:,.0f} MB are the most for a structure; give one of {KNOWN}"
    )


def _text(path: Path, data: bytes) -> str:
    if not data.strip():
        raise InputError(f"{path} is empty; give {KNOWN}")
    if b"\0" in data:
        raise InputError(f"{path} is a binary file (BinaryCIF is not read); give {KNOWN}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # remarks of old entries


def _format(path: Path, text: str) -> Format:
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if first.lower().startswith("data_"):
        return "mmcif"
    if _ATOM.search(text):
        return "pdb"
    raise InputError(f"{path} is of no known kind (it begins with {first[:40].strip()!r}); give {KNOWN}")
