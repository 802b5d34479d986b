"""Models of the AlphaFold Protein Structure Database, by accession.

The database's own API says where the current version of a model is, so that no version is ever part
of a request. Models are kept in a cache on disk, and for a day the answer that there is none.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from interplm_wh import __version__
from interplm_wh.errors import DownloadError, InputError
from interplm_wh.structures.alphafold_cache import CachedModel, Fetched, default_cache

URL_VARIABLE = "INTERPLM_WH_ALPHAFOLD_URL"
DEFAULT_URL = "https://alphafold.ebi.ac.uk"
# Source: https://www.uniprot.org/help/accession_numbers
_ACCESSION = re.compile(r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9]([A-Z][A-Z0-9]{2}[0-9]){1,2}")
_MAX_ANSWER = 4 << 20
_MAX_REDIRECTS = 3
_NOTHING = httpx.codes.NOT_FOUND


@dataclass(frozen=True)
class Limits:
    """How long and how much one model may take.

    Attributes
    ----------
    seconds : float
        For the answer of the API, and again for the file.
    n_bytes : int
        Of the file.
    """

    seconds: float = 60.0
    n_bytes: int = 64 << 20


class _Nothing(Exception):
    """The server says that there is nothing at an address."""


def is_accession(text: str) -> bool:
    """Whether AlphaFold DB may have a model under this name: an accession of UniProt."""
    return _ACCESSION.fullmatch(text) is not None


def cached_alphafold(accession: str, *, cache: str | Path | None = None) -> Fetched | None:
    """Return AlphaFold's model of a protein where the cache has it; asks no server.

    Parameters
    ----------
    accession : str
    cache : path, optional
        A folder; `default_cache` by default.

    Raises
    ------
    NotThereError
        If the database said within a day that it has no model of it.
    """
    if not is_accession(accession):
        return None
    return _place(accession, cache, _base()).read()


def _place(accession: str, cache: str | Path | None, base: str) -> CachedModel:
    return CachedModel(Path(cache) if cache is not None else default_cache(), accession, base)


def fetch_alphafold(
    accession: str, *, cache: str | Path | None = None, refresh: bool = False, limits: Limits | None = None
) -> Fetched:
    """Return AlphaFold's model of a protein, from the cache or from the database.

    Parameters
    ----------
    accession : str
        Of UniProt, for instance P69905.
    cache : path, optional
        A folder; `default_cache` by default.
    refresh : bool
        Ask the database although the cache has an answer.
    limits : Limits, optional

    Raises
    ------
    InputError
        If it is no accession of UniProt.
    NotThereError
        If the database has no model of it; the answer is remembered for a day.
    DownloadError
        If the database cannot be reached, fails, takes too long, or sends what is no model.
    """
    if not is_accession(accession):
        raise InputError(
            f"{accession!r} is no accession of UniProt, so that AlphaFold DB has no model of it; "
            "add a structure of it from a file"
        )
    base = _base()
    place = _place(accession, cache, base)
    known = None if refresh else place.read()
    if known is not None:
        return known
    within = limits or Limits()
    headers = {"user-agent": f"interplm-wh/{__version__}", "accept-encoding": "identity"}
    with httpx.Client(timeout=within.seconds, headers=headers) as client:
        try:
            entry = _entry(
                _get(client, f"{base}/api/prediction/{accession}", base, within, _MAX_ANSWER), accession
            )
        except _Nothing:
            place.write({"found": False})
            raise place.nothing() from None
        url = _file_url(entry, base)
        try:
            data = _get(client, url, base, within, within.n_bytes)
        except _Nothing:
            raise DownloadError(f"{url} is not there, although {base} names it; try again later") from None
    return place.keep(data, entry, url)


def _base() -> str:
    base = (os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL as error:
        raise InputError(f"${URL_VARIABLE} is {base!r}, which is no address ({error}); correct it") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"${URL_VARIABLE} is {base!r}; give an address such as {DEFAULT_URL}")
    return base


def _same_origin(url: str, base: str) -> bool:
    try:
        one, other = httpx.URL(url), httpx.URL(base)
    except httpx.InvalidURL:
        return False
    return (one.scheme, one.host, one.port, one.userinfo) == (
        other.scheme,
        other.host,
        other.port,
        other.userinfo,
    )


def _get(client: httpx.Client, url: str, base: str, limits: Limits, max_bytes: int) -> bytes:
    """Return the body at an address of the database; it may be redirected within the same host only."""
    deadline = time.monotonic() + limits.seconds
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            if not _same_origin(url, base):
                raise DownloadError(f"{base} refers to {url[:200]!r}, which is another host: not followed")
            with client.stream("GET", url) as response:
                if response.has_redirect_location:
                    url = str(response.url.join(response.headers["location"]))
                    continue
                if response.status_code == _NOTHING:
                    raise _Nothing
                if not response.is_success:
                    raise DownloadError(f"{url} answered with status {response.status_code}; try again later")
                return _body(response, url, deadline, max_bytes)
    except httpx.TimeoutException as error:
        raise DownloadError(_late(url)) from error
    except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
        raise DownloadError(
            f"{base} cannot be reached ({error}); connect to the network and try again, or add a structure "
            "from a file with: interplm-wh add structures"
        ) from error
    except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
        raise DownloadError(f"{url} broke off ({type(error).__name__}: {error}); try again") from error
    raise DownloadError(f"{url} is redirected again and again; try again later")


def _body(response: httpx.Response, url: str, deadline: float, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    n_bytes = 0
    claimed = response.headers.get("content-length", "")
    if claimed.isdigit() and int(claimed) > max_bytes:
        raise DownloadError(_large(url, max_bytes))
    for part in response.iter_bytes():
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise DownloadError(_large(url, max_bytes))
        if time.monotonic() > deadline:
            raise DownloadError(_late(url))
        parts.append(part)
    return b"".join(parts)


def _late(url: str) -> str:
    return f"{url} did not answer in time; try again later"


def _large(url: str, max_bytes: int) -> str:
    return f"{url} sends more than {max_bytes / 1e6:,.0f} MB, which no model has: not taken"


def _entry(answer: bytes, accession: str) -> Mapping[str, Any]:
    """Return the entry of the protein itself, not of an isoform; of several fragments the first."""
    unreadable = DownloadError(
        f"what AlphaFold DB says of {accession} cannot be understood; check {URL_VARIABLE}, or try later"
    )
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise unreadable from error
    if not isinstance(said, list) or not all(isinstance(entry, dict) for entry in said):
        raise unreadable
    own = [entry for entry in said if entry.get("uniprotAccession", accession) == accession]
    if not own:
        raise _Nothing
    return min(own, key=lambda entry: str(entry.get("entryId", "")))


def _file_url(entry: Mapping[str, Any], base: str) -> str:
    urls = [entry.get(key) for key in ("cifUrl", "pdbUrl")]
    url = next((url for url in urls if isinstance(url, str) and url), None)
    if url is None:
        raise DownloadError(f"{base} names no file of its model; try again later")
    return url
