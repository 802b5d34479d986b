"""A server on this machine that speaks as much of S3 as clients ask for, and checks whose key is used."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET = "AKIALOCALTESTKEY0001", "local/secret+of-tests-0001"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_WHO = re.compile(r"Credential=([^/]+)/")


@dataclass
class Bucket:
    """Objects by key, and what happened to them.

    Attributes
    ----------
    refusal : (int, str) or None
        Status and code of an error that answers every request.
    delay : float
        Seconds that every object takes.
    refuse_after : int or None
        How many objects there may be before every other is refused.
    log : list of (str, str)
        Method and key of every request.
    sent : list of (str, int)
        Key and number of bytes of every body that was sent.
    """

    name: str
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    delay: float = 0.0
    refuse_after: int | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    sent: list[tuple[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def n_bytes(self, within: str = "") -> int:
        """Return the bytes that were sent of objects whose key has `within`."""
        return sum(size for key, size in self.sent if within in key)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    bucket: Bucket

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error clean."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body, store = self._body(), self.server.bucket
        with store.lock:
            store.log.append((self.command, key))
        who = _WHO.search(self.headers.get("authorization", ""))
        if store.refusal is not None:
            return self._error(*store.refusal)
        if who is None:
            return self._error(403, "AccessDenied")
        if who[1] != KEY:
            return self._error(403, "InvalidAccessKeyId")
        if bucket != store.name:
            return self._error(404, "NoSuchBucket")
        if self.command == "PUT":
            return self._put(store, key, query, body)
        if self.command == "POST":
            return self._post(store, key, query)
        if self.command == "DELETE":
            return self._reply(204)
        if not key or "list-type" in query:
            return self._list(store, query)
        return self._get(store, key)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            raw = b""
            while n := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "aws-chunked" not in self.headers.get("content-encoding", ""):
            return raw
        content, rest = b"", raw
        while rest:
            head, _, rest = rest.partition(b"\r\n")
            if not (n := int(head.split(b";")[0], 16)):
                break
            content, rest = content + rest[:n], rest[n + 2 :]
        return content

    def _put(self, store: Bucket, key: str, query: dict[str, str], body: bytes) -> None:
        time.sleep(store.delay)
        if store.refuse_after is not None and len(store.objects) >= store.refuse_after:
            return self._error(403, "AccessDenied")
        with store.lock:
            if "uploadId" in query:
                store.uploads[query["uploadId"]][int(query["partNumber"])] = body
            else:
                store.objects[key] = body
        self._reply(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def _post(self, store: Bucket, key: str, query: dict[str, str]) -> None:
        with store.lock:
            if "uploads" in query:
                number = f"upload-{len(store.log)}"
                store.uploads[number] = {}
                inner = f"<Bucket>{store.name}</Bucket><Key>{escape(key)}</Key><UploadId>{number}</UploadId>"
                text = f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>"
            else:
                parts = store.uploads.pop(query["uploadId"])
                store.objects[key] = b"".join(parts[n] for n in sorted(parts))
                inner = f'<Bucket>{store.name}</Bucket><Key>{escape(key)}</Key><ETag>"x"</ETag>'
                text = f"<CompleteMultipartUploadResult>{inner}</CompleteMultipartUploadResult>"
        self._reply(200, text.encode(), {"Content-Type": "application/xml"})

    def _list(self, store: Bucket, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        keys = sorted(key for key in store.objects if key.startswith(prefix))[
            : int(query.get("max-keys", 1000))
        ]
        rows = "".join(
            f"<Contents><Key>{escape(k)}</Key><Size>{len(store.objects[k])}</Size></Contents>" for k in keys
        )
        text = (
            f"<ListBucketResult><Name>{store.name}</Name><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(keys)}</KeyCount>{rows}</ListBucketResult>"
        )
        self._reply(200, text.encode(), {"Content-Type": "application/xml"})

    def _get(self, store: Bucket, key: str) -> None:
        if key not in store.objects:
            return self._error(404, "NoSuchKey")
        content = store.objects[key]
        headers = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "ETag": '"x"', "Accept-Ranges": "bytes"}
        asked = _RANGE.fullmatch(self.headers.get("range", ""))
        if self.command == "HEAD":
            return self._reply(200, headers=headers, length=len(content))
        status = 200
        if asked is not None:
            first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        with store.lock:
            store.sent.append((key, len(content)))
        return self._reply(status, content, headers)

    def _error(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{code} said the store</Message></Error>"
        self._reply(status, text.encode(), {"Content-Type": "application/xml"})

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve_bucket(name: str) -> Iterator[Bucket]:
    """Serve an empty bucket while the block runs."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.bucket = bucket = Bucket(name, f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
