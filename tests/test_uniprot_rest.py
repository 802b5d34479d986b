"""Downloads from UniProt's REST service, against a server on this machine that misbehaves as told."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from interplm_wh import store
from interplm_wh.errors import DownloadError, InputError, LockedError, NotThereError
from interplm_wh.ingest import retry as retrying
from interplm_wh.ingest import uniprot_rest
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.ingest.retry import Retry
from tests.http_server import LocalServer, Reply, Request, serve

QUICK = Retry(attempts=5, first_seconds=0.01, cap_seconds=0.2, total_seconds=2.0)
HEADER = "Entry\tReviewed\tProtein names\tOrganism\tLength\tSequence"


@dataclass
class FakeUniprot:
    """The part of UniProt's service that is used: pages of 500 with cursors, and planted troubles.

    `troubles` holds replies given, one by one, in place of the right ones; a function changes the right one.
    """

    n_entries: int = 1203
    release: str = "2026_01"
    encoding: str = "file"
    troubles: list[Reply | Callable[[Reply], Reply] | None] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, Reply):
            return trouble
        right = self.page(request)
        return right if trouble is None else trouble(right)

    def page(self, request: Request) -> Reply:
        if request.path != "/uniprotkb/search":
            return Reply(b"not here", status=404)
        start, size = int(request.query.get("cursor", "0")), int(request.query["size"])
        stop = min(start + size, self.n_entries)
        rows = [f"P{i:05}\treviewed\tProtein {i}\tYeast\t3\tMK{'ACDE'[i % 4]}" for i in range(start, stop)]
        body = gzip.compress("".join(f"{line}\n" for line in (HEADER, *rows)).encode())
        headers = {"x-total-results": str(self.n_entries), "x-uniprot-release": self.release}
        if self.encoding == "header":
            headers["content-encoding"] = "gzip"
        if stop < self.n_entries:
            headers["link"] = f'<https://elsewhere.invalid/uniprotkb/search?x=1&cursor={stop}>; rel="next"'
        return Reply(body, headers=headers)


@pytest.fixture
def uniprot() -> FakeUniprot:
    return FakeUniprot()


@pytest.fixture
def server(uniprot: FakeUniprot, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    with serve(uniprot) as running:
        monkeypatch.setenv(uniprot_rest.URL_VARIABLE, running.url + "/")
        yield running


def accessions(path: Path) -> list[str]:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert lines[0] == HEADER
    return [line.split("\t")[0] for line in lines[1:]]


def expected(n: int = 1203) -> list[str]:
    return [f"P{i:05}" for i in range(n)]


def cut(n_bytes: int) -> Callable[[Reply], Reply]:
    return lambda right: replace(right, cut_after=n_bytes)


def test_all_pages_come_in_order_and_a_second_call_asks_nothing(warehouse: Path, server: LocalServer) -> None:
    done = uniprot_rest.download(warehouse, "reviewed:true", retry=QUICK)
    assert accessions(done.path) == expected()
    assert (done.n_entries, done.release, done.is_new) == (1203, "2026_01", True)
    assert done.path.parent == warehouse / "downloads"
    assert [r.query.get("cursor") for r in server.requests] == [None, "500", "1000"]
    first = server.requests[0]
    assert first.query["query"] == "reviewed:true" and first.query["format"] == "tsv"
    assert first.query["compressed"] == "true" and "ft_zn_fing" in first.query["fields"].split(",")
    again = uniprot_rest.download(warehouse, "reviewed:true", retry=QUICK)
    assert again == replace(done, is_new=False) and len(server.requests) == 3


def test_an_answer_packed_by_content_encoding_is_read_too(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.encoding = "header"
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_tried_again(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer, status: int
) -> None:
    uniprot.troubles = [Reply(b"oops", status=status), None, Reply(b"oops", status=status)]
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()
    assert len(server.requests) == 5


def test_a_connection_cut_in_the_middle_costs_one_page(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.troubles = [cut(200), None, cut(0), cut(700)]
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()
    cursors = [r.query.get("cursor") for r in server.requests]
    assert cursors == [None, None, "500", "500", "500", "1000"]


def test_a_body_that_ends_within_its_gzip_stream_is_tried_again(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.troubles = [None, lambda right: replace(right, body=right.body[:-5])]
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer, form: str
) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    asked = "1" if form == "seconds" else when
    uniprot.troubles = [Reply(status=429, headers={"retry-after": asked})]
    started = time.monotonic()
    patient = replace(QUICK, cap_seconds=10.0, total_seconds=10.0)
    assert accessions(uniprot_rest.download(warehouse, "q", retry=patient).path) == expected()
    assert time.monotonic() - started >= 0.9


def test_retry_after_is_capped(warehouse: Path, uniprot: FakeUniprot, server: LocalServer) -> None:
    uniprot.troubles = [Reply(status=429, headers={"retry-after": "86400"})]
    started = time.monotonic()
    uniprot_rest.download(warehouse, "q", retry=QUICK)
    assert time.monotonic() - started < 5


def test_retry_after_reads_seconds_dates_and_nonsense() -> None:
    assert retrying.retry_after(None) is None
    assert retrying.retry_after("7") == 7.0
    assert retrying.retry_after("soon") is None
    assert retrying.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < (retrying.retry_after(later) or 0) <= 100


def test_waits_double_up_to_the_cap() -> None:
    patience = Retry(first_seconds=1, cap_seconds=5)
    assert [patience.wait(n, None) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]
    assert patience.wait(1, 3.0) == 3.0 and patience.wait(1, 300.0) == 5.0


def test_a_server_that_never_recovers_ends_in_an_error(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.troubles = [Reply(b"down for maintenance", status=503)] * 100
    with pytest.raises(DownloadError, match=r"5 tries.*503: down for maintenance.*goes on where it stopped"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)
    assert len(server.requests) == QUICK.attempts


def test_all_waits_together_are_bounded(warehouse: Path, uniprot: FakeUniprot, server: LocalServer) -> None:
    uniprot.troubles = [Reply(status=429, headers={"retry-after": "1"})] * 100
    impatient = Retry(attempts=50, cap_seconds=0.2, total_seconds=0.5)
    with pytest.raises(DownloadError, match="3 tries"):  # 0.2 + 0.2, and a third wait would be too long
        uniprot_rest.download(warehouse, "q", retry=impatient)


def test_nobody_listening_ends_in_an_error(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(uniprot_rest.URL_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="ConnectError"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)


def test_a_bad_query_is_refused_at_once_in_the_words_of_the_server(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    words = json.dumps({"url": "x", "messages": ["'foo' is not a valid search field"]}).encode()
    uniprot.troubles = [Reply(words, status=400)]
    with pytest.raises(InputError, match="400: 'foo' is not a valid search field"):
        uniprot_rest.download(warehouse, "foo:1", retry=QUICK)
    assert len(server.requests) == 1


def test_a_query_without_entries_is_an_error(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.n_entries = 0
    with pytest.raises(InputError, match="no entry"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)


def test_fewer_entries_than_announced_are_an_error_and_the_next_run_begins_anew(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    short = gzip.compress(f"{HEADER}\nP00500\treviewed\tx\ty\t3\tMKA\n".encode())
    uniprot.troubles = [None, lambda right: replace(right, body=short)]
    with pytest.raises(DownloadError, match="announced 1,203 entries and sent 704"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)
    assert not uniprot_rest.local_path(warehouse, "q").exists()
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()


def test_an_interrupted_download_goes_on_with_the_next_page(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.troubles = [None, None, *[Reply(status=500)] * QUICK.attempts]
    with pytest.raises(DownloadError):
        uniprot_rest.download(warehouse, "q", retry=QUICK)
    assert not uniprot_rest.local_path(warehouse, "q").exists()
    server.requests.clear()
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()
    assert [r.query.get("cursor") for r in server.requests] == ["1000"]


def test_a_killed_download_is_resumed_by_the_next_run(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    killed = threading.Event()

    def slow(right: Reply) -> Reply:
        killed.wait(60)
        return right

    uniprot.troubles = [None, None, slow]
    script = "import sys; from interplm_wh.ingest import uniprot_rest as u; u.download(sys.argv[1], 'q')"
    process = subprocess.Popen([sys.executable, "-c", script, str(warehouse)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(server.requests) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    killed.set()
    part = next((warehouse / "downloads").glob("*.part"))
    with part.open("ab") as handle:
        handle.write(b"half a page")  # as if it had been killed while writing
    server.requests.clear()
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()
    assert [r.query.get("cursor") for r in server.requests] == ["1000"]


def test_a_new_release_in_the_middle_begins_anew(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    def released(right: Reply) -> Reply:
        uniprot.release = "2026_02"
        return replace(right, headers={**right.headers, "x-uniprot-release": "2026_02"})

    uniprot.troubles = [None, released]
    done = uniprot_rest.download(warehouse, "q", retry=QUICK)
    assert (done.release, accessions(done.path)) == ("2026_02", expected())


def test_an_expired_cursor_begins_anew(warehouse: Path, uniprot: FakeUniprot, server: LocalServer) -> None:
    uniprot.troubles = [None, Reply(b"Invalid cursor", status=400)]
    assert accessions(uniprot_rest.download(warehouse, "q", retry=QUICK).path) == expected()


def test_a_server_that_is_not_uniprot_is_an_error(
    warehouse: Path, uniprot: FakeUniprot, server: LocalServer
) -> None:
    uniprot.troubles = [Reply(b"<html>welcome</html>", headers={"x-total-results": "5"}), Reply(b"hello")]
    with pytest.raises(DownloadError, match="did not answer with a UniProtKB table"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)
    with pytest.raises(DownloadError, match="does not say how many"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)


def test_a_second_process_is_told_that_the_download_is_running(warehouse: Path, server: LocalServer) -> None:
    path = uniprot_rest.local_path(warehouse, "q")
    path.parent.mkdir()
    with uniprot_rest._only_one(path), pytest.raises(LockedError, match="another process"):
        uniprot_rest.download(warehouse, "q", retry=QUICK)


def test_the_file_name_never_holds_the_query(tmp_path: Path) -> None:
    path = uniprot_rest.local_path(tmp_path, "../../etc/passwd' OR 1")
    assert path.parent == tmp_path.resolve() / "downloads"
    assert path.name.startswith("uniprot-") and len(path.name) == len("uniprot-.tsv.gz") + 16
    assert path != uniprot_rest.local_path(tmp_path, "other")


def test_nothing_is_downloaded_without_a_warehouse(tmp_path: Path, server: LocalServer) -> None:
    with pytest.raises(NotThereError):
        uniprot_rest.download(tmp_path / "none", "q", retry=QUICK)
    assert server.requests == []


def test_downloaded_proteins_are_added(warehouse: Path, uniprot: FakeUniprot, server: LocalServer) -> None:
    uniprot.troubles = [None, cut(300)]
    report = add_proteins(warehouse, uniprot="organism_id:4932", sample=20)
    assert (report.n_rows, report.n_added, report.n_not_drawn) == (1203, 20, 1183)
    assert str(uniprot_rest.local_path(warehouse, "organism_id:4932")) in "\n".join(report.lines())
    with store.open(warehouse) as wh:
        row = wh.sql("select name, organism, reviewed, length from proteins order by accession limit 1")
    assert row.to_pylist()[0]["organism"] == "Yeast"
