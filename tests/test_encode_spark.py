"""Encoding on Spark: on this machine, and on a cluster of one master and two workers on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from interplm_wh import store
from interplm_wh.ask import verify
from interplm_wh.encode import encode, shard
from interplm_wh.encode.blocks import blocks
from interplm_wh.encode.encoder import Settings
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.on_spark import serve
from interplm_wh.errors import EncodingError, EngineError, InputError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae
from interplm_wh.spark.session import session
from tests.tiny_models import make_plm, make_sae, part_digests, sequence, write_fasta

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SAES = ("relu", "neurons")
N_PROTEINS, LENGTH = 400, 500  # seven blocks


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two SAEs, to be copied."""
    base = tmp_path_factory.mktemp("ready").resolve()
    plm = make_plm(base / "tiny", window=LENGTH)
    warehouse = store.init(base / "warehouse")
    proteins = {f"P{i:04d}": sequence(LENGTH - i % 9, seed=i) for i in range(N_PROTEINS)}
    add_proteins(warehouse, [write_fasta(base / "p.fasta", proteins)])
    relu = make_sae(base / "ae.pt", plm, layer=1)
    add_sae(warehouse, str(relu), name="relu", plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    return warehouse


@pytest.fixture(scope="module")
def whole(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The parts of a single run in a process with one thread, as Spark's workers have."""
    warehouse = shutil.copytree(ready, tmp_path_factory.mktemp("whole") / "warehouse")
    saes = [word for sae in SAES for word in ("--sae", sae)]
    subprocess.run(
        [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "encode", *saes, "--device", "cpu"],
        check=True, env={**os.environ, **_variables()}, capture_output=True,
    )  # fmt: skip
    assert len(part_digests(warehouse, "relu")) == 7
    return {sae: part_digests(warehouse, sae) for sae in SAES}


@pytest.fixture
def copied(ready: Path, tmp_path: Path) -> Path:
    """A warehouse in which nothing is encoded yet."""
    return shutil.copytree(ready, tmp_path.resolve() / "warehouse")


def _variables() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[1])
    return {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYSPARK_PYTHON": sys.executable}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _variables().items():
        monkeypatch.setenv(name, value)


def assert_complete(warehouse: Path, whole: dict[str, dict[str, str]]) -> None:
    """The warehouse holds the parts of a single run."""
    for sae, digests in whole.items():
        assert part_digests(warehouse, sae) == digests
    assert verify(warehouse).is_sound
    assert verify(warehouse).unfinished == ()
    with store.open(warehouse) as wh:
        counted = wh.con.execute(
            "select count(*), count(distinct (sae, protein_id)) from encodings"
        ).fetchone()
    assert counted == (2 * N_PROTEINS, 2 * N_PROTEINS)


def test_local_spark_writes_the_parts_of_a_single_run_and_appends_only_what_is_new(
    copied: Path, whole: dict[str, dict[str, str]]
) -> None:
    with session("local[2]"):  # so that its workers, with what they have opened, serve all runs
        report = encode(copied, SAES, device="cpu", engine="spark", master="local[2]")
        assert [one.n_proteins for one in report.saes] == [N_PROTEINS, N_PROTEINS]
        assert_complete(copied, whole)
        add_proteins(copied, [write_fasta(copied.parent / "more.fasta", {"NEW": sequence(90, seed=7)})])
        more = encode(copied, SAES, device="cpu", engine="spark", master="local[2]")
        add_proteins(copied, [write_fasta(copied.parent / "odd.fasta", {"ODD": "MKJT"})])
        with pytest.raises(InputError, match="ODD: unknown letter 'J'"):
            encode(copied, SAES, device="cpu", engine="spark", master="local[2]")
    assert [(one.n_proteins, one.n_present) for one in more.saes] == [(1, N_PROTEINS)] * 2
    assert part_digests(copied, "relu").items() > whole["relu"].items()
    assert verify(copied).is_sound


def test_what_is_no_master_and_one_that_is_missing_are_refused(copied: Path) -> None:
    before = (copied / "warehouse.duckdb").read_bytes()
    with pytest.raises(InputError, match="no master of Spark"):
        encode(copied, SAES, engine="spark", master="nonsense")
    with pytest.raises(EngineError, match=r"no master of Spark answers at spark://127\.0\.0\.1:9"):
        encode(copied, SAES, engine="spark", master="spark://127.0.0.1:9")
    assert (copied / "warehouse.duckdb").read_bytes() == before
    assert list((copied / ".staging").iterdir()) == []


def test_what_a_worker_of_spark_cannot_write_is_said_at_once(copied: Path) -> None:
    job = Job(copied, SAES, Settings("float32", "cpu", 0.0, None), None, shard.WHOLE)
    shutil.rmtree(copied / ".staging")
    (copied / ".staging").write_text("")  # in the place of the folder that it writes to
    told = json.loads(serve(job.to_json(), Unit("tiny", 0, 1), "run"))
    assert told["error"] in ("FileExistsError", "NotADirectoryError")
    assert "nothing half-written was published" in told["message"]


@dataclass(frozen=True)
class Cluster:
    """A master and its workers, each a process of Java."""

    url: str
    processes: tuple[subprocess.Popen[bytes], ...]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _spark(folder: Path, kind: str, *words: str) -> subprocess.Popen[bytes]:
    import pyspark

    home = Path(pyspark.__file__).parent
    where = {
        **os.environ, **_variables(), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_DIRS": str(folder / "local"), "SPARK_DAEMON_MEMORY": "256m", "SPARK_HOME": str(home),
    }  # fmt: skip
    with (folder / f"{kind}-{'-'.join(words[-1:]).replace('/', '_')}.log").open("wb") as log:
        return subprocess.Popen(
            [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{kind}", "--host", "127.0.0.1", *words],
            env=where, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One master and two workers of one core each, on loopback; they end with the test."""
    port = _free_port()
    url = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(
            _spark(tmp_path, "master.Master", "--webui-port", str(_free_port()), "--port", str(port))
        )
        for _ in range(2):
            web = str(_free_port())
            started.append(
                _spark(tmp_path, "worker.Worker", "--cores", "1", "--memory", "1g", url, "--webui-port", web)
            )
        log = tmp_path / next(path.name for path in tmp_path.glob("master*.log"))
        for _ in range(600):
            if len(re.findall("Registering worker", log.read_text())) == 2:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text())
        yield Cluster(url, tuple(started))
    finally:
        for process in started:
            _end_all(process)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.kill()
    process.wait()


def test_a_cluster_writes_the_parts_of_a_single_run_also_when_a_worker_is_killed(
    copied: Path, whole: dict[str, dict[str, str]], cluster: Cluster
) -> None:
    killed: list[int] = []
    encoding = threading.Event()
    encoding.set()

    def kill() -> None:
        while encoding.is_set():
            if sum(1 for _ in copied.glob("**/sae=neurons/**/0*.parquet")) >= 2:
                killed.append(cluster.processes[2].pid)
                _end_all(cluster.processes[2])
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = encode(copied, SAES, device="cpu", engine="spark", master=cluster.url)
    finally:
        encoding.clear()
        killer.join()
    assert killed
    assert report.saes[0].n_proteins + report.saes[0].n_present == N_PROTEINS
    assert_complete(copied, whole)


def test_a_block_in_which_workers_die_three_times_is_named_and_the_rest_is_encoded(
    copied: Path, whole: dict[str, dict[str, str]], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process kills every worker of Spark that claims the part of the second block."""
    stop = threading.Event()
    second = blocks([LENGTH - i % 9 for i in range(N_PROTEINS)])[1].start

    def kill() -> None:
        while not stop.wait(0.002):
            for claim in (copied / ".staging" / "encoded").glob("sae=relu/*/claims/*"):
                if not claim.name.startswith(f"{second:08d}-"):
                    continue
                for one in psutil.process_iter(["pid", "cmdline"]):
                    if "pyspark.daemon" in " ".join(one.info["cmdline"] or ()) and _holds(one.pid, claim):
                        os.kill(one.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(EncodingError, match="its worker ended each time"):
            encode(copied, SAES, device="cpu", engine="spark", master=cluster.url)
    finally:
        stop.set()
        killer.join()
    (left, _) = verify(copied).unfinished
    assert 0 < left.n_missing == left.n_failed < N_PROTEINS
    assert verify(copied).is_sound
    encode(copied, SAES, device="cpu", engine="spark", master=cluster.url)
    assert_complete(copied, whole)


def _holds(pid: int, file: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return any(fd.readlink() == file for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
