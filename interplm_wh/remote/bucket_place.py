"""A folder of an object store: S3 and what speaks its language, or Google Cloud Storage.

Both are reached through Arrow's own clients, which find credentials as the stores' own tools do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pyarrow import NativeFile, fs

from interplm_wh.errors import InterplmError
from interplm_wh.remote.address import Address
from interplm_wh.remote.place import (
    BLOCK,
    MissingError,
    Sent,
    bounded,
    missing,
    refused,
    said,
    side_by_side,
    unreachable,
)

_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_S3_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_GS_ENDPOINT = "STORAGE_EMULATOR_HOST"
_PATIENCE_SECONDS = 30
_AT_ONCE = 256
_THREADS = 8
_HANDLES = 1000
_CREDENTIALS = {
    "s3": "credentials are read as AWS's tools do: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or a "
    "profile of ~/.aws ($AWS_PROFILE), or the machine's own role",
    "gs": "credentials are read as Google's tools do: $GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth "
    "application-default login`, or the machine's own account",
}
# What the clients' messages have where the store said no.
_EXPIRED = ("expired",)
_UNKNOWN = (
    "INVALID_ACCESS_KEY_ID", "InvalidAccessKeyId", "SIGNATURE_DOES_NOT_MATCH", "SignatureDoesNotMatch",
    "INVALID_CLIENT_TOKEN_ID", "UNRECOGNIZED_CLIENT", "InvalidToken", "invalid_grant",
)  # fmt: skip
_DENIED = (
    "ACCESS_DENIED", "AccessDenied", "HTTP status 403", "HTTP status 401", "FORBIDDEN", "PERMISSION_DENIED",
    "UNAUTHENTICATED", "Permission denied", "Could not create a OAuth2 access token", "default credentials",
)  # fmt: skip
_NO_REASON = ("during HeadObject", "during HeadBucket")  # answers without a body
_NO_BUCKET = ("NO_SUCH_BUCKET", "NoSuchBucket", "bucket does not exist")


def _from_environment(names: Sequence[str]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _s3(bucket: str) -> fs.FileSystem:
    options: dict[str, Any] = {}
    endpoint = _from_environment(_S3_ENDPOINTS)
    if endpoint is not None:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    elif _from_environment(_S3_REGIONS) is None:
        options = {"region": fs.resolve_s3_region(bucket)}
    return fs.S3FileSystem(
        connect_timeout=10, request_timeout=60, retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
        # A small file is sent in one request, so that there is nothing of it, or all.
        allow_delayed_open=True, allow_bucket_creation=False, **options,
    )  # fmt: skip


def _gs() -> fs.FileSystem:
    options: dict[str, Any] = {}
    if endpoint := os.environ.get(_GS_ENDPOINT):  # as Google's own clients take it: a store for tests
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme, "anonymous": True}
    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=_PATIENCE_SECONDS), **options)


class BucketPlace:
    """A folder of a bucket as a place."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._handles: dict[str, NativeFile] = {}
        try:
            self._fs = _s3(address.where.partition("/")[0]) if address.scheme == "s3" else _gs()
        except (OSError, ValueError) as error:
            raise self._explained(error, self.address.where) from error

    def _path(self, name: str) -> str:
        return f"{self.address.where}/{name}"

    def _explained(self, error: Exception, name: str) -> InterplmError:
        """Turn what a client raised into what happened and what to do."""
        text, step = self._reason(error), _CREDENTIALS[self.address.scheme]
        if any(word in text.lower() for word in _EXPIRED):
            return refused(self.address, "the credentials have expired", f"renew them; {step}")
        if any(word in text for word in _UNKNOWN):
            return refused(self.address, "the store does not know these credentials", step)
        if any(word in text for word in _NO_BUCKET):
            return refused(self.address, "there is no such bucket", "look at the spelling, or make it")
        if any(word in text for word in _DENIED):
            return refused(self.address, f"the store refuses this ({said(text)})", step)
        if isinstance(error, FileNotFoundError) or "HTTP status 404" in text or "NOT_FOUND" in text:
            return missing(self.address, name)
        return unreachable(self.address, text)

    def _reason(self, error: Exception) -> str:
        """Return what a client says, or, where the store may only answer yes or no, what it says if asked."""
        if not any(word in str(error) for word in _NO_REASON):
            return str(error)
        try:
            self._fs.get_file_info(fs.FileSelector(self.address.where, allow_not_found=True))
        except OSError as reason:
            return str(reason)
        return str(error)

    def read(self, name: str, *, at_most: int) -> bytes:
        """Return a small file."""
        try:
            with self._fs.open_input_file(self._path(name)) as handle:
                return bounded(self.address, name, bytes(handle.read(at_most + 1)), at_most)
        except OSError as error:
            raise self._explained(error, name) from error

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`."""
        try:
            return bytes(self._handle(name).read_at(stop - start, start))
        except OSError as error:
            raise self._explained(error, name) from error

    def _handle(self, name: str) -> NativeFile:
        """Return a file that stays open, since to open it is a request of its own."""
        with self._lock:
            if name not in self._handles:
                if len(self._handles) >= _HANDLES:
                    self._handles.pop(next(iter(self._handles)))
                self._handles[name] = self._fs.open_input_file(self._path(name))
            return self._handles[name]

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a file in blocks."""
        try:
            with self._fs.open_input_file(self._path(name)) as handle:
                while block := handle.read(4 * BLOCK):
                    yield bytes(block)
        except OSError as error:
            raise self._explained(error, name) from error

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the sizes of those files that are there."""
        found: dict[str, int] = {}
        try:
            for first in range(0, len(names), _AT_ONCE):
                some = names[first : first + _AT_ONCE]
                for name, info in zip(some, self._fs.get_file_info([*map(self._path, some)]), strict=True):
                    if info.type == fs.FileType.File:
                        found[name] = info.size
        except OSError as error:
            explained = self._explained(error, names[0])
            if isinstance(explained, MissingError):
                return {}
            raise explained from error
        return found

    def send(self, files: Sequence[Sent], advance: Callable[[int], None]) -> None:
        """Store files; an object appears when all of it has been sent."""
        side_by_side(self._send, files[:-1], n_threads=_THREADS, advance=advance)
        side_by_side(self._send, files[-1:], n_threads=1, advance=advance)

    def _send(self, sent: Sent) -> int:
        # In a thread, which no signal interrupts: a stream that is let go stores what it has by then.
        n_bytes = 0
        try:
            with sent.path.open("rb") as source, self._fs.open_output_stream(self._path(sent.name)) as target:
                while block := source.read(8 * BLOCK):
                    target.write(block)
                    n_bytes += len(block)
        except OSError as error:
            raise self._explained(error, sent.name) from error
        return n_bytes

    def close(self) -> None:
        """Let go of open files."""
        self._handles.clear()
