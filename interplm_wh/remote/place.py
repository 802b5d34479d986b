"""What every kind of place can do: give bytes, and, unless it is only read, take files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from interplm_wh.errors import CheckError, DownloadError, InputError, NotThereError
from interplm_wh.remote.address import Address

BLOCK = 1 << 20
EXTRA = "pip install 'interplm-wh[remote]'"
SHOWN = 300
"""Characters of what a store says that a message has at most."""
Item = TypeVar("Item")
_SECRET = re.compile(
    r"(?i)((?:signature|credential|token|password|secret|accesskeyid|authorization)[^\s=:]*\s*[=:]\s*)"
    r"(?:bearer\s+)?[^\s&,;]+|\bhf_[A-Za-z0-9]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
)


class MissingError(NotThereError):
    """A place has no such file."""


@dataclass(frozen=True)
class Sent:
    """A file to send: its name in the place, and where it is now."""

    name: str
    path: Path


class Place(Protocol):
    """One place; every method raises an InterplmError that says what to do."""

    address: Address

    def read(self, name: str, *, at_most: int) -> bytes:
        """Return a small file; MissingError where there is none, CheckError where it is longer."""

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop` of a file, and no others."""

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a file in blocks."""

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the sizes of those files that are there whole."""

    def send(self, files: Sequence[Sent], advance: Callable[[int], None]) -> None:
        """Store files, the last one after all others; each appears whole or not at all.

        `advance` is told of bytes that were sent.
        """

    def close(self) -> None:
        """Let go of connections and files."""


def side_by_side(
    call: Callable[[Item], int], items: Sequence[Item], *, n_threads: int, advance: Callable[[int], None]
) -> None:
    """Call a function with each item, in threads; what it returns is told to `advance`.

    After an error, or a key that stops it, those that have begun are ended and no others are begun.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        running = [pool.submit(call, item) for item in items]
        try:
            for one in as_completed(running):
                advance(one.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def said(error: object) -> str:
    """Return what a store says, short and without anything that could be secret."""
    text = " ".join(str(error).split())
    return _SECRET.sub(lambda found: f"{found[1] or ''}…", text)[:SHOWN]


def missing(address: Address, name: str) -> MissingError:
    """Return the error for a file that a place does not have."""
    return MissingError(f"{address}: there is no {name}")


def bounded(address: Address, name: str, content: bytes, at_most: int) -> bytes:
    """Return the content of a file of which no more than one byte over the limit was read.

    Raises
    ------
    CheckError
        If it is longer than it may be.
    """
    if len(content) > at_most:
        raise CheckError(
            f"{address}: {name} is longer than the {at_most:,} bytes that it may have; take another source"
        )
    return content


def unreachable(address: Address, error: object) -> DownloadError:
    """Return the error for a place that does not answer."""
    return DownloadError(
        f"{address} cannot be reached ({said(error)}); look at the address and the network, then try again: "
        "what was sent or fetched before is kept"
    )


def refused(address: Address, why: str, step: str) -> DownloadError:
    """Return the error for a place that says no."""
    return DownloadError(f"{address}: {why}; {step}")


def open_place(address: Address, *, writing: bool = False) -> Place:
    """Return the place of an address.

    Raises
    ------
    InputError
        If nothing can be written to a place of its kind.
    """
    if address.scheme in ("http", "https"):
        if writing:
            raise InputError(
                f"{address}: nothing can be published over {address.scheme}://; publish to a folder that "
                "a server serves, to s3://, gs:// or hf://"
            )
        from interplm_wh.remote.http_place import HttpPlace

        return HttpPlace(address, f"{address.scheme}://{address.where}")
    if address.scheme == "hf":
        from interplm_wh.remote.hub_place import HubPlace

        return HubPlace(address, writing=writing)
    if address.scheme == "file":
        from interplm_wh.remote.folder_place import FolderPlace

        return FolderPlace(address)
    from interplm_wh.remote.bucket_place import BucketPlace

    return BucketPlace(address)
