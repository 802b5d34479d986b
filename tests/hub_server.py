"""A server on this machine that speaks as much of the Hugging Face hub's interface as its client asks for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

TOKEN = "hf_onlyForTestsOnThisMachine"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves folders as repositories.

    `log` holds the paths that were asked for; `cuts` the names of files whose next download breaks
    off in the middle, `broken` of those whose every download does. Repositories of data sets take
    commits from whoever has `TOKEN`; `uploads` holds the checksums of the contents that were sent, and
    after `n_commits` commits, where that is not None, every further one is refused.
    """

    def __init__(self, repositories: dict[str, Path], data_sets: dict[str, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.log: list[str] = []
        self.cuts: set[str] = set()
        self.broken: set[str] = set()
        self.data_sets = dict(data_sets or {})
        self.uploads: list[str] = []
        self.sent: list[tuple[str, int]] = []
        self.n_commits: int | None = None
        self.refusal: int | None = None
        self.store: dict[str, bytes] = {}

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

    def do_POST(self) -> None:
        self._answer(body=True)

    def do_PUT(self) -> None:
        """Take a large file in."""
        content = self._sent()
        self.server.store[hashlib.sha256(content).hexdigest()] = content
        self.server.uploads.append(hashlib.sha256(content).hexdigest())
        self._json({}, True)

    def _sent(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, *, body: bool) -> None:
        path = unquote(self.path.split("?")[0].lstrip("/"))
        self.server.log.append(f"{self.command} {path}")
        if (self.server.data_sets and "datasets" in f"{path}/") or path in (
            "api/repos/create",
            "api/validate-yaml",
        ):
            return self._data_set(path, body)
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

    def _data_set(self, path: str, body: bool) -> None:
        sent = self._sent()
        if self.server.refusal is not None:
            return self._refuse(self.server.refusal)
        is_known = self.headers.get("authorization") == f"Bearer {TOKEN}"
        if self.command == "POST" and not is_known:
            return self._refuse(401)
        if path == "api/repos/create":
            asked = json.loads(sent)
            return self._json(
                {"url": f"{self.server.url}/datasets/{asked['organization']}/{asked['name']}"}, body
            )
        if path == "api/validate-yaml":
            return self._json({"errors": [], "warnings": []}, body)
        for name, folder in self.server.data_sets.items():
            if path == f"api/datasets/{name}":
                return self._json({"id": name, "sha": COMMIT, "siblings": []}, body)
            if path.startswith(f"api/datasets/{name}/paths-info/"):
                return self._json(_paths_info(folder, sent), body)
            if path.startswith(f"api/datasets/{name}/preupload/"):
                files = [
                    {"path": f["path"], "uploadMode": _mode(f["path"])} for f in json.loads(sent)["files"]
                ]
                return self._json({"files": [{**f, "shouldIgnore": False, "oid": None} for f in files]}, body)
            if path == f"datasets/{name}.git/info/lfs/objects/batch":
                return self._json(self._batch(json.loads(sent)["objects"]), body)
            if path.startswith(f"api/datasets/{name}/commit/"):
                return self._commit(name, folder, sent, body)
            if path.startswith(f"datasets/{name}/resolve/"):
                file = path.removeprefix(f"datasets/{name}/resolve/").partition("/")[2]
                if not (folder / file).is_file():
                    return self._missing("EntryNotFound")
                return self._part(folder / file, body)
        return self._missing("RepoNotFound")

    def _batch(self, objects: list[dict[str, Any]]) -> dict[str, Any]:
        rows = []
        for one in objects:
            row: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.server.store:
                row["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}
            rows.append(row)
        return {"transfer": "basic", "objects": rows}

    def _commit(self, name: str, folder: Path, sent: bytes, body: bool) -> None:
        if self.server.n_commits is not None:
            self.server.n_commits -= 1
            if self.server.n_commits < 0:
                return self._refuse(503)
        for line in map(json.loads, sent.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                content = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                content = self.server.store[value["oid"]]
            else:
                continue
            target = folder / value["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        url = f"{self.server.url}/datasets/{name}/commit/{COMMIT}"
        return self._json({"success": True, "commitOid": COMMIT, "commitUrl": url}, body)

    def _part(self, path: Path, body: bool) -> None:
        content, headers, status = path.read_bytes(), {"ETag": f'"{_etag(path)}"'}, 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", "")):
            headers["Content-Range"] = f"bytes {asked[1]}-{asked[2]}/{len(content)}"
            content, status = content[int(asked[1]) : int(asked[2]) + 1], 206
        self.server.sent.append((path.name, len(content)))
        self._send(content, headers, body, status=status)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

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

    def _send(
        self,
        content: bytes,
        headers: dict[str, str],
        body: bool,
        *,
        stop: int | None = None,
        status: int = 200,
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:stop])


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".parquet", ".duckdb", ".safetensors")) else "regular"


def _paths_info(folder: Path, sent: bytes) -> list[dict[str, Any]]:
    try:
        paths = json.loads(sent)["paths"]
    except ValueError:
        paths = parse_qs(sent.decode())["paths"]
    found = [path for path in paths if (folder / path).is_file()]
    return [
        {"type": "file", "path": path, "size": (folder / path).stat().st_size, "oid": _etag(folder / path)}
        for path in found
    ]


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serve(repositories: dict[str, Path], data_sets: dict[str, Path] | None = None) -> Iterator[Hub]:
    """Serve folders as repositories while the block runs."""
    hub = Hub(repositories, data_sets)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
