"""Warehouses on a web server, an object store and the hub: what is read, sent and refused."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gs_server
import httpx
import hub_server
import published
import pyarrow.parquet as pq
import pytest
import s3_server
from folder_server import Served, serve_folder
from http_server import Reply

from interplm_wh import commands, store
from interplm_wh.errors import CheckError, DownloadError, InputError, InterplmError, NotThereError
from interplm_wh.remote.publish import publish
from interplm_wh.remote.pull import pull
from interplm_wh.unexpected import STOPPED

# The hub's client hands files to its own client of HTTP in a way that this one no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

CHECKOUT = Path(__file__).resolve().parents[1]
LAST = published.N_LARGE - 1
EXAMPLES = f"from feature_examples('a', {LAST})"
FOOTER = 16_384
"""What DuckDB reads first of each file, from its end."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    published.isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built warehouse; never to be changed."""
    return published.make(tmp_path_factory.mktemp("built").resolve() / "w")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with tables of several row groups; never to be changed."""
    return published.make_large(tmp_path_factory.mktemp("large").resolve() / "w")


@pytest.fixture(scope="module")
def large_out(large: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, published to a folder with its lake; never to be changed."""
    out = tmp_path_factory.mktemp("out").resolve()
    publish(large, out, lake=True)
    return out


@pytest.fixture
def http(large_out: Path) -> Iterator[Served]:
    """It, behind a web server."""
    with serve_folder(large_out) as served:
        yield served


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_server.Bucket]:
    """An empty bucket, and the environment in which it can be written to."""
    with s3_server.serve_bucket("lab") as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.SECRET)
        yield served


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[hub_server.Hub]:
    """A hub with an empty repository of data sets, lab/wh."""
    (tmp_path / "repository").mkdir()
    with hub_server.serve({}, {"lab/wh": tmp_path / "repository"}) as served:
        for module in ("huggingface_hub.constants",):
            monkeypatch.setattr(f"{module}.ENDPOINT", served.url)
            monkeypatch.setattr(f"{module}.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        yield served


def row_groups_of(root: Path, table: str, feature: int) -> int:
    """Return the bytes of the row groups of a table that may hold a feature."""
    (path,) = (root / "lake" / table).rglob("*.parquet")
    metadata, total = pq.read_metadata(path), 0
    place = metadata.schema.to_arrow_schema().names.index("feature")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        bounds = group.column(place).statistics
        if bounds.min <= feature <= bounds.max:
            total += sum(group.column(i).total_compressed_size for i in range(group.num_columns))
    return total


def test_one_features_examples_transfer_only_the_row_groups_that_hold_it(large: Path, http: Served) -> None:
    assert commands.query(http.url, EXAMPLES) == commands.query(large, EXAMPLES)
    (path,) = (large / "lake/protein_features").rglob("*.parquet")
    held, size = row_groups_of(large, "protein_features", LAST), path.stat().st_size
    assert held < size / 4
    assert held <= http.n_bytes("protein_features") <= held + 2 * FOOTER
    assert http.n_bytes("lake/activations") == 0
    # Of other tables nothing but what the examples are named with; of the catalogue one copy, once.
    assert http.n_bytes("lake/") <= held + 2 * FOOTER + (large / "lake/proteins").stat().st_size + 2 * FOOTER
    http.sent.clear()
    commands.query(http.url, EXAMPLES)
    assert [name for name, _, _ in http.sent if "lake/" not in name] == ["published.json"]


def test_activations_of_one_protein_transfer_only_their_row_groups(large: Path, http: Served) -> None:
    asked = "select count(*) as n, sum(value) as total from activations where sae = 'a' and protein_id = 7"
    assert commands.query(http.url, asked) == commands.query(large, asked)
    (path,) = (large / "lake/activations").rglob("*.parquet")
    assert 0 < http.n_bytes("lake/activations") < path.stat().st_size / 4


def test_one_connection_reads_each_footer_once(http: Served) -> None:
    with store.open_anywhere(http.url) as wh:
        assert http.n_bytes("lake/") == 0  # to open it, nothing of the lake is read
        first = wh.sql(EXAMPLES)
        http.sent.clear()
        assert wh.sql(EXAMPLES) == first
        (path,) = {name for name, _, _ in http.sent if "protein_features" in name}
        size = (http.root / path).stat().st_size
        assert all(start + n < size for name, start, n in http.sent if name == path)


def test_a_server_without_ranges_is_refused_in_place_and_pulled_from(http: Served, tmp_path: Path) -> None:
    http.knows_ranges = False
    with pytest.raises(InputError, match=r"whole files only.*pull http://127"):
        commands.query(http.url, EXAMPLES)
    pull(tmp_path / "back", http.url)
    assert commands.query(tmp_path / "back", EXAMPLES).num_rows == 10


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=403), r"refuses lake/protein_features/.*\(403\); ask whoever runs it"),
        (Reply(status=404), "which its list names"),
        (Reply(status=503), r"cannot be reached \(the server answers 503\)"),
        (Reply(b"x" * 100, 206), "bytes that were published"),
        (Reply(b"x" * 100, 206, cut_after=10), "cannot be reached"),
    ],
)
def test_a_part_that_does_not_come_is_an_error_that_names_the_place(
    http: Served, monkeypatch: pytest.MonkeyPatch, reply: Reply, message: str
) -> None:
    monkeypatch.setattr("interplm_wh.remote.http_place._PAUSE_SECONDS", 0.01)
    with store.open_anywhere(http.url) as wh:
        http.answers[".parquet"] = reply
        with pytest.raises(InterplmError, match=message):
            wh.sql(EXAMPLES)
        http.answers.clear()
        assert wh.sql(EXAMPLES).num_rows == 10


def test_a_pull_that_breaks_off_leaves_no_warehouse_and_goes_on(http: Served, tmp_path: Path) -> None:
    for reply in (Reply(status=503), Reply(b"x" * 100, cut_after=10), Reply(b"changed"), Reply(status=404)):
        http.answers["warehouse.duckdb"] = reply
        with pytest.raises(InterplmError):
            pull(tmp_path / "back", http.url)
        assert not (tmp_path / "back/warehouse.duckdb").exists()
        assert not list((tmp_path / "back").rglob("*.partial"))
    http.answers.clear()
    assert pull(tmp_path / "back", http.url).n_fetched == 1


def test_where_a_store_sends_on_to_is_not_logged(http: Served, caplog: pytest.LogCaptureFixture) -> None:
    with serve_folder(http.root) as signed:
        (path,) = http.root.glob("lake/features/*/*/*.parquet")
        name = path.relative_to(http.root).as_posix()
        there = f"{signed.url}/{name}?X-Signature=s3cr3t"
        http.answers[path.name] = Reply(status=302, headers={"location": there})
        with caplog.at_level(logging.INFO):
            assert commands.query(http.url, "from features").num_rows == published.N_LARGE
        assert signed.n_bytes(path.name) > 0
    assert path.name in caplog.text
    assert "s3cr3t" not in caplog.text


def test_a_token_is_not_sent_on_to_another_host(http: Served) -> None:
    from interplm_wh.remote.address import parse
    from interplm_wh.remote.http_place import HttpPlace

    with serve_folder(http.root) as other:
        http.answers["README.md"] = Reply(status=302, headers={"location": f"{other.url}/README.md"})
        place = HttpPlace(parse(http.url), http.url, {"authorization": "Bearer hf_token"})
        assert place.read("README.md", at_most=10_000).startswith(b"---")
        place.close()
        assert http.server is not None and other.server is not None
        asked, sent_on = http.server.requests[-1], other.server.requests[-1]
    assert asked.headers["authorization"] == "Bearer hf_token"
    assert "authorization" not in {name.lower() for name in sent_on.headers}


def test_no_network_is_an_error_that_says_so(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interplm_wh.remote.http_place._PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for where in ("http://127.0.0.1:9/x", "s3://lab/wh", "hf://lab/wh"):
        with pytest.raises(DownloadError, match="cannot be reached"):
            commands.query(where, "select 1")
    for where in ("s3://lab/wh", "hf://lab/wh"):
        with pytest.raises(DownloadError, match="cannot be reached"):
            publish(built, where)


# -- an object store -----------------------------------------------------------------------------------


def test_an_object_store_answers_as_the_warehouse_and_is_pulled(
    built: Path, bucket: s3_server.Bucket, tmp_path: Path
) -> None:
    report = publish(built, "s3://lab/some/folder", lake=True)
    assert report.n_sent == report.n_files
    here = published.answers(built, without=("runs",))
    assert published.answers("s3://lab/some/folder", without=("runs",)) == here
    pull(tmp_path / "back", "s3://lab/some/folder")
    assert published.answers(tmp_path / "back", without=("runs",)) == here
    assert commands.verify("s3://lab/some/folder").is_sound
    before = len(bucket.objects)
    assert publish(built, "s3://lab/some/folder", lake=True).n_sent == 0
    assert len(bucket.objects) == before
    # A last object of a kill is never there half: what is too short is sent again.
    name = next(key for key in bucket.objects if key.endswith(".parquet"))
    del bucket.objects["some/folder/published.json"]
    whole = bucket.objects[name]
    bucket.objects[name] = whole[:-1]
    assert publish(built, "s3://lab/some/folder", lake=True).n_sent == 2
    assert bucket.objects[name] == whole


def test_an_object_store_sends_only_the_row_groups_that_hold_a_feature(
    large: Path, bucket: s3_server.Bucket
) -> None:
    publish(large, "s3://lab/wh", lake=True)
    bucket.sent.clear()
    assert commands.query("s3://lab/wh", EXAMPLES) == commands.query(large, EXAMPLES)
    held = row_groups_of(large, "protein_features", LAST)
    assert held <= bucket.n_bytes("protein_features") <= held + 2 * FOOTER
    assert bucket.n_bytes("lake/activations") == 0


def test_large_files_are_sent_in_parts_and_come_whole(bucket: s3_server.Bucket, tmp_path: Path) -> None:
    from interplm_wh.remote.address import parse
    from interplm_wh.remote.bucket_place import BucketPlace
    from interplm_wh.remote.place import Sent

    content = os.urandom(23_000_000)
    (tmp_path / "x").write_bytes(content)
    told: list[int] = []
    BucketPlace(parse("s3://lab/wh")).send([Sent("lake/x", tmp_path / "x")], told.append)
    assert bucket.objects["wh/lake/x"] == content
    assert ("POST", "wh/lake/x") in bucket.log
    assert sum(told) == len(content)


_SEND = (
    "import sys; from pathlib import Path; from interplm_wh.remote.address import parse; "
    "from interplm_wh.remote.bucket_place import BucketPlace; from interplm_wh.remote.place import Sent; "
    "BucketPlace(parse('s3://lab/wh')).send([Sent('lake/x', Path(sys.argv[1]))], print)"
)


def test_a_large_file_whose_sending_is_killed_is_not_there(bucket: s3_server.Bucket, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(40_000_000))
    bucket.delay = 0.1
    child = subprocess.Popen([sys.executable, "-c", _SEND, str(tmp_path / "x")], cwd=CHECKOUT)
    deadline = time.monotonic() + 60
    while not any(bucket.uploads.values()) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -9
    time.sleep(0.3)
    assert any(bucket.uploads.values())
    assert bucket.objects == {}


_PUBLISH = "import sys; from interplm_wh.remote.publish import publish; publish(sys.argv[1], sys.argv[2])"


def test_a_killed_publish_to_a_store_is_not_seen_and_goes_on(built: Path, bucket: s3_server.Bucket) -> None:
    bucket.delay = 0.05
    child = subprocess.Popen([sys.executable, "-c", _PUBLISH, str(built), "s3://lab/wh"], cwd=CHECKOUT)
    deadline = time.monotonic() + 60
    while len(bucket.objects) < 10 and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -9
    time.sleep(0.2)
    n_there = len(bucket.objects)
    assert "wh/published.json" not in bucket.objects
    with pytest.raises(NotThereError, match="there is no published warehouse"):
        commands.query("s3://lab/wh", "select 1")
    bucket.delay = 0.0
    report = publish(built, "s3://lab/wh")
    assert report.n_sent == report.n_files - n_there
    assert commands.verify("s3://lab/wh").is_sound


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((403, "AccessDenied"), "the store refuses this"),
        ((400, "ExpiredToken"), "the credentials have expired; renew them"),
        ((403, "InvalidAccessKeyId"), "does not know these credentials"),
        ((403, "SignatureDoesNotMatch"), "does not know these credentials"),
        ((404, "NoSuchBucket"), "there is no such bucket|no published warehouse"),
    ],
)
def test_a_store_that_refuses_is_named_with_what_to_do(
    built: Path, bucket: s3_server.Bucket, tmp_path: Path, refusal: tuple[int, str], message: str
) -> None:
    bucket.refusal = refusal
    asked: tuple[Callable[[], object], ...] = (
        lambda: commands.query("s3://lab/wh", "select 1"),
        lambda: pull(tmp_path / "back", "s3://lab/wh"),
        lambda: publish(built, "s3://lab/wh"),
    )
    for ask in asked:
        with pytest.raises(InterplmError, match=message) as refused:
            ask()
        assert s3_server.KEY not in str(refused.value)
        assert s3_server.SECRET not in str(refused.value)
    assert not (tmp_path / "back").exists()
    assert bucket.objects == {}


def test_a_store_that_refuses_half_way_says_so_and_a_reader_sees_nothing(
    built: Path, bucket: s3_server.Bucket
) -> None:
    bucket.refuse_after = 8
    with pytest.raises(DownloadError, match="the store refuses this"):
        publish(built, "s3://lab/wh")
    assert "wh/published.json" not in bucket.objects
    bucket.refuse_after = None
    n_there = len(bucket.objects)
    report = publish(built, "s3://lab/wh")
    assert report.n_sent == report.n_files - n_there


def test_missing_and_wrong_keys_are_named(bucket: s3_server.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOTTHERIGHTONE01")
    with pytest.raises(DownloadError, match=r"does not know these credentials.*AWS_PROFILE") as refused:
        commands.query("s3://lab/wh", "select 1")
    assert "AKIANOT" not in str(refused.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DownloadError, match=r"refuses this.*\$AWS_ACCESS_KEY_ID"):
        commands.query("s3://lab/wh", "select 1")


def test_keys_are_found_where_the_tools_of_the_stores_keep_them(
    built: Path,
    bucket: s3_server.Bucket,
    hub: hub_server.Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"):
        monkeypatch.delenv(name)
    kept = tmp_path / ".aws/credentials"
    kept.parent.mkdir()
    kept.write_text(
        "[default]\naws_access_key_id = AKIAANOTHER000000001\naws_secret_access_key = x\n"
        f"[lab]\naws_access_key_id = {s3_server.KEY}\naws_secret_access_key = {s3_server.SECRET}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "lab")
    subprocess.run([sys.executable, "-c", _PUBLISH, str(built), "s3://lab/wh"], cwd=CHECKOUT, check=True)
    assert "wh/published.json" in bucket.objects
    with pytest.raises(DownloadError, match=r"refuses this \(401\)"):
        publish(built, "hf://lab/wh")
    (tmp_path / "no-token").write_text(hub_server.TOKEN)  # as `hf auth login` leaves it
    assert publish(built, "hf://lab/wh").is_new


def test_no_credential_is_logged_or_written(
    built: Path, bucket: s3_server.Bucket, hub: hub_server.Hub, tmp_path: Path
) -> None:
    said = b""
    for where in ("s3://lab/wh", "hf://lab/wh"):
        for words in (
            ["-w", str(built), "publish", where], ["-w", str(tmp_path / where[:2]), "pull", where],
        ):  # fmt: skip
            environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
            done = subprocess.run(
                [sys.executable, "-m", "interplm_wh.cli", "--debug", *words], cwd=CHECKOUT, env=environment,
                check=True, capture_output=True,
            )  # fmt: skip
            said += done.stdout + done.stderr
    assert "AWS_SECRET_ACCESS_KEY" in os.environ
    places = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for content in (said, *places, *bucket.objects.values()):
        for secret in (s3_server.SECRET, s3_server.KEY, hub_server.TOKEN):
            assert secret.encode() not in content
    for where in ("s3", "hf"):
        assert not set(published.texts(tmp_path / where).split()) & {s3_server.SECRET, hub_server.TOKEN}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_question_that_waits_for_a_server_is_stopped_without_a_traceback(
    large_out: Path, how: signal.Signals
) -> None:
    with serve_folder(large_out) as served:
        served.stalls = "/protein_features/"
        words = [sys.executable, "-m", "interplm_wh.cli", "-w", served.url, "query", "from protein_features"]
        with subprocess.Popen(words, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) as child:
            assert served.is_asked.wait(timeout=60)
            time.sleep(0.2)  # it has asked, and waits
            child.send_signal(how)
            _, said = child.communicate(timeout=60)
        served.may_answer.set()
    assert child.returncode == 1
    assert said.strip() == f"Error: {STOPPED}"


# -- another program's store -------------------------------------------------------------------------


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of moto's with the bucket lab."""
    program = os.environ.get("INTERPLM_WH_MOTO") or shutil.which("moto_server")
    if not program:
        pytest.skip("there is no moto_server; make one with: make .venv-moto/installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = [program, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        client = httpx.Client(transport=httpx.HTTPTransport(retries=8))  # waits until it listens
        with client:
            assert client.put(f"{url}/lab").status_code == 200
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.SECRET)
        yield url
        server.terminate()


def test_a_store_that_others_wrote_takes_a_warehouse_and_answers_as_it(
    large: Path, built: Path, moto: str, tmp_path: Path
) -> None:
    report = publish(built, "s3://lab/some/folder", lake=True)
    here = published.answers(built, without=("runs",))
    assert published.answers("s3://lab/some/folder", without=("runs",)) == here
    pull(tmp_path / "back", "s3://lab/some/folder")
    assert published.answers(tmp_path / "back", without=("runs",)) == here
    assert publish(built, "s3://lab/some/folder", lake=True).n_sent == 0
    assert report.n_sent == report.n_files
    publish(large, "s3://lab/large")  # of which one file is sent in parts
    assert commands.query("s3://lab/large", EXAMPLES) == commands.query(large, EXAMPLES)
    with pytest.raises(NotThereError, match="no published warehouse"):
        commands.query("s3://lab/nothing", "select 1")
    with pytest.raises(InterplmError, match=r"there is no such bucket|no published warehouse"):
        commands.query("s3://other/nothing", "select 1")


_GS = """
import sys
sys.path.insert(0, sys.argv[1] + "/tests")
import published
from interplm_wh import commands
report = commands.publish(sys.argv[2], "gs://lab/some/wh", lake=True)
assert report.n_sent == report.n_files > 15
here = published.answers(sys.argv[2], without=("runs",))
assert published.answers("gs://lab/some/wh", without=("runs",)) == here
commands.pull(sys.argv[3], "gs://lab/some/wh")  # which checks every file
assert commands.publish(sys.argv[2], "gs://lab/some/wh", lake=True).n_sent == 0
"""


def test_google_cloud_storage_takes_a_warehouse_and_answers_as_it(built: Path, tmp_path: Path) -> None:
    # Arrow's client waits for the store while it holds Python back, so that both need a process of their own.
    with gs_server.serve_bucket("lab") as served:
        environment = {**os.environ, "STORAGE_EMULATOR_HOST": served.url}
        words = [sys.executable, "-c", _GS, str(CHECKOUT), str(built), str(tmp_path / "back")]
        subprocess.run(words, env=environment, cwd=CHECKOUT, check=True, timeout=120)
        assert "some/wh/published.json" in served.objects
        ask = [sys.executable, "-m", "interplm_wh.cli", "-w", "gs://lab/some/wh", "query", "select 1"]
        for status, said in ((401, b"store refuses this"), (403, b"store refuses this")):
            served.refusal = status
            done = subprocess.run(ask, env=environment, cwd=CHECKOUT, capture_output=True, check=False)
            assert (done.returncode, done.stdout) == (1, b"")
            assert said in done.stderr
            assert b"GOOGLE_APPLICATION_CREDENTIALS" in done.stderr
            assert b"Traceback" not in done.stderr


# -- the hub -------------------------------------------------------------------------------------------


def test_the_hub_takes_a_warehouse_and_answers_as_it(
    built: Path, hub: hub_server.Hub, tmp_path: Path
) -> None:
    report = publish(built, "hf://lab/wh", lake=True)
    assert report.n_sent == report.n_files
    here = published.answers(built, without=("runs",))
    assert published.answers("hf://lab/wh", without=("runs",)) == here
    pull(tmp_path / "back", "hf://datasets/lab/wh")
    assert published.answers(tmp_path / "back", without=("runs",)) == here
    n_uploads = len(hub.uploads)
    assert publish(built, "hf://lab/wh", lake=True).n_sent == 0
    assert len(hub.uploads) == n_uploads
    card = (tmp_path / "repository/README.md").read_text()
    assert card.startswith("---\ntags: [interplm-wh")
    assert report.version in card


def test_the_hub_sends_only_the_row_groups_that_hold_a_feature(large: Path, hub: hub_server.Hub) -> None:
    publish(large, "hf://lab/wh")
    hub.sent.clear()
    assert commands.query("hf://lab/wh", EXAMPLES) == commands.query(large, EXAMPLES)
    held = row_groups_of(large, "protein_features", LAST)
    of_the_lake = sum(size for name, size in hub.sent if name.endswith(".parquet"))
    assert held <= of_the_lake <= held + 5 * FOOTER


def test_a_commit_that_fails_leaves_nothing_to_read_and_is_not_sent_again(
    built: Path, hub: hub_server.Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("interplm_wh.remote.hub_place._PER_COMMIT", 5)
    hub.n_commits = 2
    with pytest.raises(DownloadError, match="503"):
        publish(built, "hf://lab/wh")
    with pytest.raises(NotThereError, match="no published warehouse"):
        commands.query("hf://lab/wh", "select 1")
    there = sum(path.is_file() for path in (tmp_path / "repository").rglob("*"))
    hub.n_commits, sent = None, len(hub.uploads)
    report = publish(built, "hf://lab/wh")
    assert there == 10
    assert report.n_sent == report.n_files - there
    assert len(set(hub.uploads)) == len(hub.uploads) > sent  # no content twice
    assert commands.verify("hf://lab/wh").is_sound


def test_the_hub_refuses_without_a_token_or_a_repository(
    built: Path, hub: hub_server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match=r"shows no such repository.*hf auth login"):
        commands.query("hf://lab/other", "select 1")
    monkeypatch.setenv("HF_TOKEN", "hf_notTheRightToken")
    with pytest.raises(DownloadError, match=r"refuses this \(401\).*HF_TOKEN.*write to it") as refused:
        publish(built, "hf://lab/wh")
    assert "notTheRight" not in str(refused.value)
    hub.refusal = 403
    with pytest.raises(DownloadError, match=r"refuses this \(403\).*read it"):
        commands.query("hf://lab/wh", "select 1")


def test_without_the_extra_the_message_names_it(
    large_out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.delitem(sys.modules, "interplm_wh.remote.filesystem", raising=False)
    with pytest.raises(
        DownloadError, match=r"needs the package fsspec; run pip install 'interplm-wh\[remote\]'"
    ):
        commands.query(large_out, "select 1")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=r"the hub needs its client; run pip install"):
        commands.query("hf://lab/wh", "select 1")
    assert pull(tmp_path / "back", large_out).n_files  # to fetch takes neither


def test_an_incomplete_list_is_seen_in_the_catalogue(large_out: Path, tmp_path: Path) -> None:
    import hashlib
    import json

    out = shutil.copytree(large_out, tmp_path / "out")
    (listed,) = out.glob("versions/*/files.tsv")
    lines = [line for line in listed.read_text().splitlines() if "lake/features/" not in line]
    listed.write_text("\n".join(lines) + "\n")
    said = json.loads((out / "published.json").read_text())
    said["versions"][0]["files_sha256"] = hashlib.sha256(listed.read_bytes()).hexdigest()
    (out / "published.json").write_text(json.dumps(said))
    with pytest.raises(
        InterplmError, match=r"features cannot be read: lake/features/.*is missing from the list"
    ):
        commands.query(out, "from features")
    with pytest.raises(CheckError, match="is missing from the list of files"):
        pull(tmp_path / "back", out)
    assert not (tmp_path / "back/warehouse.duckdb").exists()
