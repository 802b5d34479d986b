"""A folder behind a local HTTP server that answers ranges, counts what it sends, and breaks as it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from urllib.parse import unquote

from http_server import LocalServer, Reply, Request, serve

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Served:
    """A folder and how it is served.

    Attributes
    ----------
    sent : list of (str, int, int)
        Name, first byte and number of bytes of every body that was sent.
    knows_ranges : bool
        Whether parts of files are sent.
    answers : dict of str to Reply
        Sent for names that end so, in place of the file.
    stalls : str
        Names that have this in them set `is_asked`, and get no answer until `may_answer` is set.
    """

    root: Path
    url: str = ""
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    knows_ranges: bool = True
    answers: dict[str, Reply] = field(default_factory=dict)
    server: LocalServer | None = None
    stalls: str = "\0"
    is_asked: Event = field(default_factory=Event)
    may_answer: Event = field(default_factory=Event)

    def n_bytes(self, within: str = "") -> int:
        """Return the bytes that were sent of files whose name has `within`."""
        return sum(size for name, _, size in self.sent if within in name)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        name = unquote(request.path).lstrip("/")
        if self.stalls in name:
            self.is_asked.set()
            self.may_answer.wait()
        for ending, reply in self.answers.items():
            if name.endswith(ending):
                return reply
        path = self.root / name
        if not path.is_file():
            return Reply(b"not here", status=404)
        content = path.read_bytes()
        asked = _RANGE.fullmatch(request.headers.get("range", request.headers.get("Range", "")))
        if asked is None or not self.knows_ranges:
            self.sent.append((name, 0, len(content)))
            return Reply(content)
        first, last = int(asked[1]), int(asked[2])
        part = content[first : last + 1]
        self.sent.append((name, first, len(part)))
        return Reply(part, status=206, headers={"content-range": f"bytes {first}-{last}/{len(content)}"})


@contextmanager
def serve_folder(root: Path) -> Iterator[Served]:
    """Serve a folder while the block runs."""
    served = Served(root)
    with serve(served.answer) as server:
        served.url, served.server = server.url, server
        yield served
