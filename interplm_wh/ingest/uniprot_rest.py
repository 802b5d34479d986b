"""Download the answer to a UniProtKB query, page by page, so that nothing is fetched twice.

The `search` endpoint is read rather than `stream`, because it says how many entries there are and
each page names the next one: a cut connection or a killed process costs one page. Each page is one
gzip member of the file; a state file beside it says how far that file can be trusted.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import httpx

from interplm_wh import __version__, store
from interplm_wh.errors import DownloadError, InputError, LockedError
from interplm_wh.ingest.retry import Answer, Retry, get
from interplm_wh.progress import track
from interplm_wh.store import layout
from interplm_wh.store.lock import try_lock

logger = logging.getLogger(__name__)

URL_VARIABLE = "INTERPLM_WH_UNIPROT_URL"
DEFAULT_URL = "https://rest.uniprot.org"
FIELDS = (
    "accession", "reviewed", "protein_name", "organism_name", "length", "sequence", "ec", "ft_act_site",
    "ft_binding", "cc_cofactor", "ft_disulfid", "ft_carbohyd", "ft_lipid", "ft_mod_res", "ft_signal",
    "ft_transit", "ft_helix", "ft_turn", "ft_strand", "ft_coiled", "cc_domain", "ft_compbias", "ft_domain",
    "ft_motif", "ft_region", "ft_zn_fing", "xref_alphafolddb",
)  # fmt: skip
PAGE_SIZE = 500
_TIMEOUT = httpx.Timeout(120.0, connect=20.0)
_MAX_RESTARTS = 3


@dataclass(frozen=True)
class Download:
    """A complete answer in the warehouse's `downloads` folder.

    Attributes
    ----------
    path : Path
        UniProtKB TSV, gzipped; `add annotations` reads it too.
    query : str
    n_entries : int
    release : str or None
        UniProt's release.
    is_new : bool
        False where an earlier command had downloaded it.
    """

    path: Path
    query: str
    n_entries: int
    release: str | None
    is_new: bool

    def line(self) -> str:
        """Return what a user should read."""
        release = f" of release {self.release}" if self.release else ""
        when = "downloaded" if self.is_new else "downloaded before (delete it to fetch it anew)"
        return f"{self.n_entries:,} entries{release} {when}: {self.path}"


@dataclass(frozen=True)
class _State:
    """How far a download has come; `cursor` is None before the first page and after the last."""

    query: str
    n_entries: int = 0
    n_bytes: int = 0
    cursor: str | None = None
    total: int | None = None
    release: str | None = None

    @property
    def is_complete(self) -> bool:
        return self.cursor is None and self.total is not None


def local_path(warehouse: str | Path, query: str) -> Path:
    """Return where the answer to a query is kept, under a name made from its hash."""
    digest = hashlib.sha256("\n".join((query, *FIELDS)).encode()).hexdigest()[:16]
    return Path(warehouse).resolve() / layout.DOWNLOADS / f"uniprot-{digest}.tsv.gz"


def download(warehouse: str | Path, query: str, *, retry: Retry | None = None) -> Download:
    """Download a query's entries, or go on with, or find, an earlier download of it.

    Parameters
    ----------
    warehouse : str or Path
    query : str
        In UniProt's query language, for instance ``reviewed:true AND organism_id:9606``.
    retry : Retry, optional
        How long to go on asking for one page.

    Raises
    ------
    NotThereError
        If there is no warehouse.
    InputError
        If UniProt refuses the query, or nothing answers to it.
    DownloadError
        If the server fails for too long, or what came is not complete.
    LockedError
        If another process is downloading the same query.
    """
    store.open(warehouse).close()
    path = local_path(warehouse, query)
    path.parent.mkdir(exist_ok=True)
    with _only_one(path):
        state = _read_state(path, query)
        if path.is_file() and state.is_complete and path.stat().st_size == state.n_bytes:
            logger.info("%s was downloaded before; delete it to download it anew", path)
            return Download(path, query, state.n_entries, state.release, is_new=False)
        state = _Fetch(path, query, retry or Retry()).run(state)
    return Download(path, query, state.n_entries, state.release, is_new=True)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("a", encoding="utf-8") as handle:
        if not try_lock(handle):
            raise LockedError(f"{path} is being downloaded by another process; wait until it has finished")
        yield


def _state_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _part_path(path: Path) -> Path:
    return path.with_suffix(".part")


def _read_state(path: Path, query: str) -> _State:
    try:
        return _State(**json.loads(_state_path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return _State(query)
    except (ValueError, TypeError):
        logger.warning("%s cannot be read; the download begins anew", _state_path(path))
        return _State(query)


def _write_state(path: Path, state: _State) -> None:
    temporary = _state_path(path).with_suffix(".json.new")
    temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
    temporary.replace(_state_path(path))


class _Anew(Exception):
    """What was fetched so far no longer belongs to what the server has."""


class _Fetch:
    """One download into one file."""

    def __init__(self, path: Path, query: str, retry: Retry) -> None:
        self._path = path
        self._query = query
        self._retry = retry
        base = os.environ.get(URL_VARIABLE) or DEFAULT_URL
        self._url = f"{base.rstrip('/')}/uniprotkb/search"

    def run(self, state: _State) -> _State:
        """Fetch all pages from `state` on, and give the file its name."""
        part = _part_path(self._path)
        if state.is_complete and part.is_file() and part.stat().st_size == state.n_bytes:
            part.replace(self._path)  # a process ended between its last page and this step
            return state
        if state.is_complete or not part.is_file() or part.stat().st_size < state.n_bytes:
            state = _State(self._query)
        headers = {"user-agent": f"interplm-wh/{__version__}"}
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers=headers) as client:
            for _ in range(_MAX_RESTARTS):
                try:
                    state = self._pages(client, state)
                    break
                except _Anew as reason:
                    logger.warning("%s: %s; the download begins anew", self._url, reason)
                    state = _State(self._query)
            else:
                raise DownloadError(f"{self._url} keeps changing while it is read; try again later")
        part.replace(self._path)
        return state

    def _pages(self, client: httpx.Client, state: _State) -> _State:
        with _part_path(self._path).open("ab") as part:
            part.truncate(state.n_bytes)
            first = self._page(client, state)
            total = int(first.headers.get("x-total-results", "-1"))
            with track("downloading from UniProt", total=max(total, 0), unit="entries") as bar:
                bar.advance(state.n_entries)
                answer = first
                while True:
                    before = state.n_entries
                    state = self._keep(part, answer, state)
                    bar.advance(state.n_entries - before)
                    if state.cursor is None or state.n_entries > (state.total or 0):
                        break
                    answer = self._page(client, state)
        if state.n_entries != state.total:
            _state_path(self._path).unlink()
            raise DownloadError(
                f"{self._url} announced {state.total:,} entries and sent {state.n_entries:,}; "
                "run the command again: it begins anew"
            )
        return state

    def _page(self, client: httpx.Client, state: _State) -> Answer:
        params = {
            "query": self._query, "fields": ",".join(FIELDS), "format": "tsv", "compressed": "true",
            "size": str(PAGE_SIZE),
        }  # fmt: skip
        if state.cursor is None:
            return get(client, self._url, params, retry=self._retry)
        try:
            return get(client, self._url, {**params, "cursor": state.cursor}, retry=self._retry)
        except InputError as error:  # the query was taken before, so the cursor has expired
            raise _Anew(str(error)) from error

    def _keep(self, part: IO[bytes], answer: Answer, state: _State) -> _State:
        """Append one page to the file and note it."""
        total, release = self._totals(answer, state)
        header, _, rows = answer.body.partition(b"\n")
        if not header.startswith(b"Entry\t"):
            raise DownloadError(
                f"{self._url} did not answer with a UniProtKB table (it begins with {header[:60]!r}); "
                f"check {URL_VARIABLE}"
            )
        n_rows = rows.count(b"\n") + bool(rows and not rows.endswith(b"\n"))
        if rows and not rows.endswith(b"\n"):
            rows += b"\n"
        packed = gzip.compress(rows if state.n_entries else header + b"\n" + rows, mtime=0)
        part.write(packed)
        part.flush()
        os.fsync(part.fileno())
        cursor = httpx.URL(answer.next_url).params.get("cursor") if answer.next_url else None
        state = replace(
            state,
            n_entries=state.n_entries + n_rows,
            n_bytes=state.n_bytes + len(packed),
            cursor=cursor,
            total=total,
            release=release,
        )
        _write_state(self._path, state)
        return state

    def _totals(self, answer: Answer, state: _State) -> tuple[int, str | None]:
        announced = answer.headers.get("x-total-results", "")
        if not announced.isdigit():
            raise DownloadError(f"{self._url} does not say how many entries there are; check {URL_VARIABLE}")
        total, release = int(announced), answer.headers.get("x-uniprot-release")
        if total == 0:
            raise InputError(f"no entry of UniProtKB answers to {self._query!r}; widen the query")
        if state.total is not None and (total, release) != (state.total, state.release):
            raise _Anew(f"the release or the number of entries changed ({state.total:,} to {total:,})")
        return total, release
