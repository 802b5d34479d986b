"""Ask a server until it answers: waits that grow, that the server may set, and that end."""

from __future__ import annotations

import logging
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from interplm_wh.errors import DownloadError, InputError

logger = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_SHOWN = 400


@dataclass(frozen=True)
class Retry:
    """How long to go on asking for one answer.

    Attributes
    ----------
    attempts : int
        Requests in all.
    first_seconds : float
        Wait before the second request; it doubles each time.
    cap_seconds : float
        Longest single wait, the server's own `Retry-After` included.
    total_seconds : float
        All waits together.
    """

    attempts: int = 8
    first_seconds: float = 1.0
    cap_seconds: float = 60.0
    total_seconds: float = 300.0

    def wait(self, attempt: int, asked: float | None) -> float:
        """Return the seconds to wait after the given attempt (from 1)."""
        grown = self.first_seconds * 2.0 ** (attempt - 1)
        return min(grown if asked is None else asked, self.cap_seconds)


@dataclass(frozen=True)
class Answer:
    """A whole answer: its headers, and its body unpacked."""

    headers: httpx.Headers
    body: bytes
    next_url: str | None


def get(client: httpx.Client, url: str, params: dict[str, str], *, retry: Retry) -> Answer:
    """Return the answer to a request, asking again where another try may help.

    That is after a failed connection, a body that ends too early, status 429 and 5xx.

    Raises
    ------
    InputError
        If the server refuses the request (any other status), with the server's words.
    DownloadError
        If no try had an answer.
    """
    waited, failure = 0.0, ""
    for attempt in range(1, retry.attempts + 1):
        asked: float | None = None
        try:
            response = client.get(url, params=params)
            if response.is_success:
                return Answer(response.headers, _unpacked(response.content), _next(response))
            failure = f"status {response.status_code}: {_words(response)}"
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
                raise InputError(f"{url} refused the request ({failure}); correct the query")
            asked = retry_after(response.headers.get("retry-after"))
        except (httpx.TransportError, httpx.DecodingError, zlib.error, EOFError) as error:
            failure = f"{type(error).__name__}: {error}"
        wait = retry.wait(attempt, asked)
        if attempt == retry.attempts or waited + wait > retry.total_seconds:
            break
        logger.warning("%s: %s; trying again in %.0f s", url, failure, wait)
        time.sleep(wait)
        waited += wait
    raise DownloadError(
        f"{url} gave no answer in {attempt} tries over {waited:.0f} s (last: {failure}); "
        "run the command again later: it goes on where it stopped"
    )


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, given as seconds or as a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)


def _unpacked(body: bytes) -> bytes:
    """Unpack gzip in however many layers it came; raises where a stream is damaged or cut."""
    while body.startswith(_GZIP):
        packed, parts = body, []
        while packed:
            unpacker = zlib.decompressobj(31)
            parts.append(unpacker.decompress(packed))
            if not unpacker.eof:
                raise EOFError("the answer ends within its gzip stream")
            packed = unpacker.unused_data
        body = b"".join(parts)
    return body


def _next(response: httpx.Response) -> str | None:
    return response.links.get("next", {}).get("url")


def _words(response: httpx.Response) -> str:
    """Return what the server says, as plain text on one line."""
    try:
        messages = response.json()["messages"]
        text = "; ".join(str(m) for m in messages)
    except (ValueError, KeyError, TypeError):
        text = response.text
    return " ".join(text.split())[:_SHOWN] or response.reason_phrase
