"""Answers over HTTP that end: no more bytes, and no more seconds, than they may have."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

MAX_BYTES = 2_000_000


def bounded(response: httpx2.Response, deadline: float) -> httpx2.SyncByteStream:
    """Return the body of a response, which fails where it is packed, too long, or goes on too long.

    Parameters
    ----------
    deadline : float
        As of `time.monotonic`.
    """
    import httpx2

    packed = response.headers.get("content-encoding", "identity")
    assert isinstance(response.stream, httpx2.SyncByteStream)
    inner: httpx2.SyncByteStream = response.stream

    class Bounded(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            if packed.strip().lower() != "identity":
                raise httpx2.DecodingError("the answer is packed, which was not asked for")
            n_bytes = 0
            for chunk in inner:
                n_bytes += len(chunk)
                if n_bytes > MAX_BYTES:
                    raise httpx2.ReadError(f"the answer is longer than {MAX_BYTES:,} bytes")
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the answer did not end in time")
                yield chunk

        def close(self) -> None:
            inner.close()

    return Bounded()
