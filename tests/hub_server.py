"""A server on this machine that speaks as much of the Hugging Face hub's interface as its client asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves folders as repositories.

    `log` holds the paths that were asked for; `cuts` the names of files whose next download breaks
    off in the middle, `broken` of those whose every download does.
    """

    def __init__(self, repositories: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.log: list[str] = []
        self.cuts: set[str] = set()
        self.broken: set[str] = set()

    @property
    def url(self) -> str:
        """Address to put into HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error clean."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0].lstrip("/")
        self.server.log.append(f"{self.command} {path}")
        for name, folder in self.server.repositories.items():
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            if path.startswith(f"api/models/{name}/revision/"):
                siblings = [{"rfilename": p.relative_to(folder).as_posix()} for p in files]
                return self._json({"id": name, "sha": COMMIT, "siblings": siblings}, body)
            if path.startswith(f"api/models/{name}/tree/"):
                rows = [
                    {
                        "type": "file",
                        "path": p.relative_to(folder).as_posix(),
                        "size": p.stat().st_size,
                        "oid": _etag(p),
                    }
                    for p in files
                ]
                return self._json(rows, body)
            if path.startswith(f"{name}/resolve/"):
                revision, _, file = path.removeprefix(f"{name}/resolve/").partition("/")
                if revision not in ("main", COMMIT):
                    return self._missing("RevisionNotFound")
                if not (folder / file).is_file():
                    return self._missing("EntryNotFound")
                return self._file(folder / file, body)
        return self._missing("RepoNotFound")

    def _json(self, value: object, body: bool) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"}, body)

    def _file(self, path: Path, body: bool) -> None:
        content, stop = path.read_bytes(), None
        if body and path.name in self.server.cuts | self.server.broken:
            self.server.cuts.discard(path.name)
            stop = len(content) // 2
        self._send(content, {"ETag": f'"{_etag(path)}"', "X-Repo-Commit": COMMIT}, body, stop=stop)

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, headers: dict[str, str], body: bool, *, stop: int | None = None) -> None:
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:stop])


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serve(repositories: dict[str, Path]) -> Iterator[Hub]:
    """Serve folders as repositories while the block runs."""
    hub = Hub(repositories)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
