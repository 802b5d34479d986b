"""Where a published warehouse is: ``hf://``, ``s3://``, ``gs://``, ``http(s)://``, or a plain folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interplm_wh.errors import InputError

POINTER = "published.json"
"""The file, in a place, that names its versions; it is replaced last."""
SCHEMES = ("hf", "s3", "gs", "https", "http", "file")
_SHAPES = "hf://ORG/NAME, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, http(s)://HOST/FOLDER or a folder"


@dataclass(frozen=True)
class Address:
    """One place.

    Attributes
    ----------
    scheme : str
        One of `SCHEMES`.
    where : str
        What follows ``://``, without a slash at its end; an absolute path for a folder.
    version : str or None
        What follows ``#``: a number or a name; None for the newest.
    """

    scheme: str
    where: str
    version: str | None = None

    def __str__(self) -> str:
        text = self.where if self.scheme == "file" else f"{self.scheme}://{self.where}"
        return f"{text}#{self.version}" if self.version else text


def is_address(text: str | Path) -> bool:
    """Whether it is a published warehouse that is meant: a URL, or a folder that one was published to."""
    if isinstance(text, str) and "://" in text:
        return True
    return (Path(str(text).partition("#")[0]) / POINTER).is_file()


def parse(text: str | Path) -> Address:
    """Read an address.

    Raises
    ------
    InputError
        If it is none, or holds a name, a password or a query, which might be secret.
    """
    body, _, version = str(text).partition("#")
    if "://" not in body:
        return Address("file", str(Path(body).expanduser().resolve()), version or None)
    scheme, _, where = body.partition("://")
    if scheme not in SCHEMES:
        raise InputError(f"{scheme}:// is no address of a warehouse; give {_SHAPES}")
    if "?" in where or "@" in where.partition("/")[0]:
        raise InputError(
            f"an address of {scheme}:// holds a name, a password or a query, which might be secret; give it "
            "without: credentials are read from where the tools of the store keep them (docs/sharing.md)"
        )
    if scheme == "file":
        return Address("file", str(Path(where).resolve()), version or None)
    where = where.rstrip("/") if scheme != "hf" else where.rstrip("/").removeprefix("datasets/")
    parts = where.split("/")
    is_whole = len(parts) == 2 if scheme == "hf" else bool(parts[0])
    if not is_whole or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{scheme}://{where} is no address of a warehouse; give {_SHAPES}")
    return Address(scheme, where, version or None)


def refuse_writing(text: str | Path) -> InputError:
    """Return the error for a command that would have to write, or to look beside the tables."""
    where = parse(text)  # which refuses what might be secret
    return InputError(
        f"{where} is a published warehouse, which is read-only: query, report, compare (without controls), "
        "info, verify, export matrix and export table read it; for anything else fetch it with: "
        f"interplm-wh -w FOLDER pull {where}"
    )
