"""Models of AlphaFold DB, against a server on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_server import LocalServer, Reply, Request, serve
from structure_files import SEQUENCE, lines

from interplm_wh.errors import DownloadError, InputError, NotThereError
from interplm_wh.structures import alphafold, alphafold_cache, fetch_alphafold, view_file
from interplm_wh.structures.alphafold import Limits

MODEL = ("\n".join([*lines(SEQUENCE, b=91.0), "END", ""])).encode()
Answer = Callable[[Request], Reply]


class Server:
    """The API and the files of a small AlphaFold DB; `api` and `file` can be replaced."""

    def __init__(self) -> None:
        self.local: LocalServer
        self.version = 6
        self.api: Answer = lambda request: Reply(json.dumps([self.entry("P12345")]).encode())
        self.file: Answer = lambda request: Reply(MODEL)

    def entry(self, accession: str, **more: object) -> dict[str, object]:
        url = f"{self.local.url}/files/AF-{accession}-F1-model_v{self.version}.pdb"
        entry = {"entryId": f"AF-{accession}-F1", "uniprotAccession": accession, "pdbUrl": url}
        return entry | {"latestVersion": self.version} | more

    def __call__(self, request: Request) -> Reply:
        return self.api(request) if request.path.startswith("/api/prediction/") else self.file(request)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.local.requests]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    there = Server()
    with serve(there) as local:
        there.local = local
        monkeypatch.setenv(alphafold.URL_VARIABLE, local.url)
        yield there


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_api_says_where_the_model_is_and_it_is_kept(server: Server, tmp_path: Path) -> None:
    first = fetch_alphafold("P12345", cache=tmp_path)
    assert server.paths == ["/api/prediction/P12345", "/files/AF-P12345-F1-model_v6.pdb"]
    assert first.path.read_bytes() == MODEL
    assert (first.entry, first.version, first.format, first.is_new) == ("AF-P12345-F1", 6, "pdb", True)
    again = fetch_alphafold("P12345", cache=tmp_path)
    assert (again.path, again.version, again.is_new) == (first.path, 6, False)
    assert len(server.paths) == 2
    server.version = 7
    assert fetch_alphafold("P12345", cache=tmp_path, refresh=True).version == 7
    assert left(tmp_path) == ["AF-P12345-F1.pdb", "P12345.json"]
    assert len(view_file(first.path, SEQUENCE).residues) == 50


def test_mmcif_is_preferred_and_the_entry_of_the_protein_itself(server: Server, tmp_path: Path) -> None:
    wanted = server.entry("P12345", cifUrl=f"{server.local.url}/files/x.cif")
    isoform = server.entry("P12345-2", entryId="AF-P12345-2-F1")
    server.api = lambda request: Reply(json.dumps([isoform, wanted]).encode())
    assert fetch_alphafold("P12345", cache=tmp_path).entry == "AF-P12345-F1"
    assert server.paths[1] == "/files/x.cif"


@pytest.mark.parametrize("damage", [b"", b"ATOM", None])
def test_a_damaged_cache_is_asked_for_again(server: Server, tmp_path: Path, damage: bytes | None) -> None:
    path = fetch_alphafold("P12345", cache=tmp_path).path
    path.unlink() if damage is None else path.write_bytes(damage)
    assert fetch_alphafold("P12345", cache=tmp_path).is_new
    assert path.read_bytes() == MODEL


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"found": true}', '{"found": false, "asked": "x"}'])
def test_a_damaged_note_is_asked_for_again(server: Server, tmp_path: Path, note: str) -> None:
    fetch_alphafold("P12345", cache=tmp_path)
    (path,) = tmp_path.rglob("P12345.json")
    path.write_text(note)
    assert fetch_alphafold("P12345", cache=tmp_path).is_new


@pytest.mark.parametrize(
    "accession", ["", "p12345", "P1234", "P12345/../..", "P12345?x=1", "../etc/passwd", "P12345\n", "MYPROT"]
)
def test_what_is_no_accession_is_not_asked_for(server: Server, tmp_path: Path, accession: str) -> None:
    with pytest.raises(InputError, match="no accession of UniProt"):
        fetch_alphafold(accession, cache=tmp_path)
    assert server.paths == []
    assert left(tmp_path) == []


@pytest.mark.parametrize("status", [404, 200])
def test_that_there_is_no_model_is_remembered_for_a_day(server: Server, tmp_path: Path, status: int) -> None:
    server.api = lambda request: Reply(b"[]", status=status)
    for _ in range(2):
        with pytest.raises(NotThereError, match="has no model of P12345"):
            fetch_alphafold("P12345", cache=tmp_path)
    assert len(server.paths) == 1
    (note,) = tmp_path.rglob("P12345.json")
    said = json.loads(note.read_text())
    note.write_text(json.dumps(said | {"asked": said["asked"] - 86_401}))
    with pytest.raises(NotThereError):
        fetch_alphafold("P12345", cache=tmp_path)
    assert len(server.paths) == 2


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"oops", 500, "status 500"),
        (b"", 503, "status 503"),
        (b"<html>", 200, "cannot be understood"),
        (b"{}", 200, "cannot be understood"),
        (b"[1]", 200, "cannot be understood"),
        (b"[" * 100_000, 200, "cannot be understood"),
        (b"\xff\xfe", 200, "cannot be understood"),
        (b'[{"uniprotAccession": "P12345"}]', 200, "names no file"),
        (b'[{"uniprotAccession": "P12345", "cifUrl": 7}]', 200, "names no file"),
        (b" " * (5 << 20), 200, "sends more than 4 MB"),
    ],
)
def test_an_answer_that_is_none_is_an_error_and_not_remembered(
    server: Server, tmp_path: Path, body: bytes, status: int, message: str
) -> None:
    server.api = lambda request: Reply(body, status=status)
    with pytest.raises(DownloadError, match=message):
        fetch_alphafold("P12345", cache=tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(b"", status=404), "is not there, although"),
        (Reply(b"", status=500), "status 500"),
        (Reply(b"<html>"), "is no structure"),
        (Reply(b""), "is no structure"),
        (Reply(MODEL, cut_after=1000), "broke off"),
        (Reply(b"x", headers={"content-length": str(2 << 30)}), "sends more than 67 MB"),
    ],
)
def test_a_file_that_is_no_model_is_not_kept(
    server: Server, tmp_path: Path, reply: Reply, message: str
) -> None:
    server.file = lambda request: reply
    with pytest.raises(DownloadError, match=message):
        fetch_alphafold("P12345", cache=tmp_path)
    assert left(tmp_path) == []


def test_a_file_that_does_not_say_how_large_it_is_is_cut_off(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="sends more than"):
        fetch_alphafold("P12345", cache=tmp_path, limits=Limits(n_bytes=1000))
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "url", ["http://localhost:1/x.cif", "file:///etc/passwd", "//evil/x", "x.cif", "http://["]
)
def test_a_file_of_another_host_is_not_fetched(server: Server, tmp_path: Path, url: str) -> None:
    server.api = lambda request: Reply(json.dumps([server.entry("P12345", cifUrl=url)]).encode())
    with pytest.raises(DownloadError, match="another host: not followed"):
        fetch_alphafold("P12345", cache=tmp_path)
    assert len(server.paths) == 1


def test_a_redirect_is_followed_within_the_host_only(server: Server, tmp_path: Path) -> None:
    def file(request: Request) -> Reply:
        moved = Reply(status=302, headers={"location": "/moved.pdb"})
        return Reply(MODEL) if request.path == "/moved.pdb" else moved

    server.file = file
    assert fetch_alphafold("P12345", cache=tmp_path).is_new
    with serve(lambda request: Reply(MODEL)) as elsewhere:
        server.file = lambda request: Reply(status=302, headers={"location": elsewhere.url})
        with pytest.raises(DownloadError, match="another host: not followed"):
            fetch_alphafold("P12345", cache=tmp_path, refresh=True)
        assert elsewhere.requests == []
    server.file = lambda request: Reply(status=302, headers={"location": request.path})
    with pytest.raises(DownloadError, match="again and again"):
        fetch_alphafold("P12345", cache=tmp_path, refresh=True)


def test_a_server_that_does_not_answer_in_time_is_given_up(server: Server, tmp_path: Path) -> None:
    def slow(request: Request) -> Reply:
        time.sleep(1.0)
        return Reply(b"[]")

    server.api = slow
    start = time.monotonic()
    with pytest.raises(DownloadError, match="did not answer in time"):
        fetch_alphafold("P12345", cache=tmp_path, limits=Limits(seconds=0.2))
    assert time.monotonic() - start < 0.9


def test_without_a_network_the_cache_answers_and_nothing_else(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(lambda request: Reply()) as gone:
        pass
    monkeypatch.setenv(alphafold.URL_VARIABLE, gone.url)
    with pytest.raises(DownloadError, match=r"cannot be reached .*; connect to the network"):
        fetch_alphafold("P12345", cache=tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("url", ["ftp://x", "nothing", "http://"])
def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv(alphafold.URL_VARIABLE, url)
    with pytest.raises(InputError, match=alphafold.URL_VARIABLE):
        fetch_alphafold("P12345", cache=tmp_path)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(alphafold_cache.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert alphafold_cache.default_cache() == tmp_path / "interplm-wh"
    monkeypatch.setenv(alphafold_cache.CACHE_VARIABLE, str(tmp_path / "c"))
    assert alphafold_cache.default_cache() == tmp_path / "c"
