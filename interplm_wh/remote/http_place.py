"""A folder that a web server serves: to be read, by ranges of bytes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

import httpx

from interplm_wh.errors import InputError
from interplm_wh.remote.address import Address
from interplm_wh.remote.place import BLOCK, Sent, bounded, missing, refused, unreachable

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.3
_TIMEOUT = httpx.Timeout(20, connect=10)
_BUSY = frozenset({429, 500, 502, 503, 504})
Answer = TypeVar("Answer")


class _WithoutQueries(logging.Filter):
    """Takes queries out of what the client logs: where a store sends on to, they are a signature."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQueries())


class _BusyError(Exception):
    """A server that may answer later."""


class HttpPlace:
    """A folder behind an address as a place.

    Parameters
    ----------
    address : Address
    base : str
        URL of the folder.
    headers : mapping
        Sent with every request, to the host of `base` alone.
    """

    def __init__(self, address: Address, base: str, headers: Mapping[str, str] | None = None) -> None:
        self.address = address
        self._base = base.rstrip("/")
        # What is compressed on the way has other ranges.
        sent = {"accept-encoding": "identity", **(headers or {})}
        self._client = httpx.Client(headers=sent, timeout=_TIMEOUT, follow_redirects=True)

    def read(self, name: str, *, at_most: int) -> bytes:
        """Return a small file."""
        return self._tried(lambda: self._whole(name, at_most))

    def _whole(self, name: str, at_most: int) -> bytes:
        with self._answer(name) as response:
            return bounded(self.address, name, _begun(response, at_most), at_most)

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`."""
        return self._tried(lambda: self._range(name, start, stop))

    def _range(self, name: str, start: int, stop: int) -> bytes:
        with self._answer(name, {"range": f"bytes={start}-{stop - 1}"}) as response:
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                raise InputError(
                    f"{self.address}: the server sends whole files only (it does not answer range requests), "
                    f"so that it cannot be asked in place; fetch it with: interplm-wh -w FOLDER pull "
                    f"{self.address}"
                )
            return _begun(response, stop - start)

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a file in blocks."""
        try:
            with self._answer(name) as response:
                yield from response.iter_bytes(BLOCK)
        except (httpx.HTTPError, _BusyError) as error:
            raise unreachable(self.address, error) from error

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return nothing: such a place is only read."""
        raise NotImplementedError

    def send(self, files: Sequence[Sent], advance: Callable[[int], None]) -> None:
        """Refuse: such a place is only read."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _answer(self, name: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        url = f"{self._base}/{quote(name, safe='/=')}"
        with self._client.stream("GET", url, headers=headers) as response:
            code = response.status_code
            if code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                raise missing(self.address, name)
            if code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise refused(self.address, f"the server refuses {name} ({code})", self._step())
            if code in _BUSY:
                raise _BusyError(f"the server answers {code}")
            if response.is_error:
                raise refused(self.address, f"the server answers {code}", "look at the address")
            yield response

    def _step(self) -> str:
        return "ask whoever runs it for access"

    def _tried(self, call: Callable[[], Answer]) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call()
            except (httpx.HTTPError, _BusyError) as error:
                if attempt == _ATTEMPTS:
                    raise unreachable(self.address, error) from error
                log.warning("%s: %s; asking again", self.address, error or type(error).__name__)
                time.sleep(_PAUSE_SECONDS * 2**attempt)
        raise AssertionError


def _begun(response: httpx.Response, at_most: int) -> bytes:
    """Return what a server sends, which is let go soon after a limit."""
    content = bytearray()
    for block in response.iter_bytes(BLOCK):
        content += block
        if len(content) > at_most:
            break
    return bytes(content)
