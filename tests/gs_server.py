"""A server on this machine that speaks as much of Google Cloud Storage as Arrow's client asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (?:\*|(\d+)-\d+)/(\*|\d+)")


@dataclass
class Bucket:
    """Objects by name; `sent` has name and size of every body, `refusal` a status that answers all."""

    name: str
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, tuple[str, bytearray]] = field(default_factory=dict)
    sent: list[tuple[str, int]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    refusal: int | None = None


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
        store, parts = self.server.bucket, urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        body = self._body()
        store.log.append(f"{self.command} {self.path}")
        inside = re.search(r"/b/([^/]+)(?:/o(?:/(.*))?)?$", parts.path)
        if store.refusal is not None:
            return self._error(store.refusal)
        if inside is None or inside[1] != store.name:
            return self._error(404)
        if parts.path.startswith("/upload/"):
            return self._upload(store, query, body)
        if inside[2]:
            return self._get(store, unquote(inside[2]), query)
        names = [name for name in sorted(store.objects) if name.startswith(query.get("prefix", ""))]
        return self._json({"kind": "storage#objects", "items": [_about(store, name) for name in names]})

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        content = b""
        while n := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(n)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _upload(self, store: Bucket, query: dict[str, str], body: bytes) -> None:
        if "upload_id" not in query:
            name = query.get("name") or json.loads(body)["name"]
            number = f"u{len(store.log)}"
            store.uploads[number] = name, bytearray()
            where = f"{store.url}/upload/storage/v1/b/{store.name}/o?upload_id={number}&uploadType=resumable"
            return self._send(200, b"", {"Location": where})
        name, content = store.uploads[query["upload_id"]]
        content += body
        asked = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", "bytes */*"))
        assert asked is not None
        if asked[2] == "*":
            headers = {"Range": f"bytes=0-{len(content) - 1}"} if content else {}
            return self._send(308, b"", headers)
        store.objects[name] = bytes(content)
        return self._json(_about(store, name))

    def _get(self, store: Bucket, name: str, query: dict[str, str]) -> None:
        if name not in store.objects:
            return self._error(404)
        if query.get("alt") != "media":
            return self._json(_about(store, name))
        content, status, headers = store.objects[name], 200, {}
        if asked := _RANGE.fullmatch(self.headers.get("range", "")):
            last = min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {asked[1]}-{last}/{len(content)}"
            content, status = content[int(asked[1]) : last + 1], 206
        store.sent.append((name, len(content)))
        return self._send(status, content, headers)

    def _error(self, status: int) -> None:
        told = {"error": {"code": status, "message": "said the store", "errors": []}}
        self._send(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _about(store: Bucket, name: str) -> dict[str, object]:
    return {
        "kind": "storage#object", "name": name, "bucket": store.name, "generation": "1",
        "metageneration": "1", "size": str(len(store.objects[name])),
        "contentType": "application/octet-stream",
        "timeCreated": "2026-01-01T00:00:00.000Z", "updated": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip


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
