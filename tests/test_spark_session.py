"""Starting Spark: what is missing is named, nothing is left behind, and it starts where all is there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small

from interplm_wh import build, store
from interplm_wh.cli import main
from interplm_wh.errors import EngineError, InputError
from interplm_wh.spark.java import require_java
from interplm_wh.spark.session import legible, session
from tests import spark_tables
from tests.spark_cluster import cluster

pytestmark = pytest.mark.spark


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small.make(tmp_path / "w")


def state(path: Path) -> dict[str, bytes]:
    """Every file of a warehouse and what it holds, less the lock that says who wrote last."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != ".lock")
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Refused]:
    """Runs a build on Spark by the command, which must fail and change nothing; gives what it says."""
    ends = signal.getsignal(signal.SIGTERM)

    def run(path: Path, *more: str) -> str:
        before = state(path)
        monkeypatch.setattr(sys, "argv", ["interplm-wh", "-w", str(path), "build", *more])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 1
        assert said.out == ""
        assert "Traceback" not in said.err
        assert state(path) == before
        return said.err

    yield run
    signal.signal(signal.SIGTERM, ends)


def java_that_says(folder: Path, said: str, *, status: int = 0) -> Path:
    """Make a $JAVA_HOME whose java prints a line."""
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {status}\n")
    java.chmod(0o755)
    return folder


def test_without_java_a_build_says_what_to_install(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(path, "--engine", "spark")
    assert "there is none on this machine; install Java 17" in said


@pytest.mark.parametrize(
    ("said", "status", "message"),
    [
        ('openjdk version "11.0.2" 2019-01-15', 0, r"needs Java 17 or newer, and \S+ is Java 11"),
        ('java version "1.8.0_392"', 0, r"is Java 8;"),
        ("no version at all", 0, r"does not say which Java it is \(no version at all\)"),
        ("Unable to locate a Java Runtime.", 1, r"does not say which Java"),
    ],
)
def test_a_java_that_is_too_old_or_none_is_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: int, message: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_that_says(tmp_path / "java", said, status=status)))
    before = state(path)
    with pytest.raises(EngineError, match=message):
        build.build(path, engine="spark")
    assert state(path) == before


@pytest.mark.parametrize("version", ["17.0.15", "21", "25-ea"])
def test_newer_javas_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    home = java_that_says(tmp_path / "java", f'openjdk version "{version}" 2026-01-01')
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert require_java() == home / "bin" / "java"


def test_a_java_home_without_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"\$JAVA_HOME \(.*\) has no bin/java"):
        require_java()


@pytest.mark.parametrize("package", ["pyspark", "sqlglot"])
def test_without_the_extra_a_build_says_how_to_install_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, package: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # Python's own way to say that it is not there
    said = refused(path, "--engine", "spark")
    assert f"needs the package {package}, which is not installed" in said
    assert "pip install 'interplm-wh[spark]'" in said


def test_a_memory_that_is_no_size_is_named(
    path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_DRIVER_MEMORY", "lots")
    assert "$SPARK_DRIVER_MEMORY is 'lots'; write a size such as 4g" in refused(path, "--engine", "spark")
    monkeypatch.setenv("SPARK_DRIVER_MEMORY", "100m")
    said = refused(path, "--engine", "spark")
    assert "must be at least" in said and "see $SPARK_DRIVER_MEMORY" in said


def test_another_writer_is_known_before_spark_is_started(
    path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # where Spark is started, Java is missing
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with store.write(path, command="test"):
        said = refused(path, "--engine", "spark")
    assert "Java" not in said and "is being written" in said


def test_words_that_name_no_master_are_refused(path: Path, refused: Refused) -> None:
    assert "'mesos://x:1' is no master of Spark" in refused(
        path, "--engine", "spark", "--master", "mesos://x:1"
    )


def test_a_master_without_spark_is_refused(path: Path, refused: Refused) -> None:
    assert "leave --master out, or say --engine spark" in refused(path, "--master", "local[2]")


def test_a_port_where_nobody_listens_is_no_master(path: Path, refused: Refused) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"spark://127.0.0.1:{free.getsockname()[1]}"
    said = refused(path, "--engine", "spark", "--master", address)
    assert f"no master of Spark answers at {address}" in said
    assert "refused" in said


def test_a_warehouse_that_spark_cannot_read_is_named(tmp_path: Path, refused: Refused) -> None:
    path = small.make(tmp_path / "a{b}")
    assert "Spark cannot read a warehouse with { } in its path" in refused(path, "--engine", "spark")


def test_no_warehouse_is_said_before_spark_is_started(tmp_path: Path, refused: Refused) -> None:
    assert "there is no warehouse at" in refused(tmp_path / "none", "--engine", "spark")


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_master_that_never_answers_is_given_up_and_spark_starts_again(mute: int) -> None:
    master = f"spark://127.0.0.1:{mute}"
    with (
        pytest.raises(EngineError, match=rf"no master of Spark answers at {master} in 8 s"),
        session(master, wait_seconds=8),
    ):
        pytest.fail("there is no such master")
    with session("local[1]") as spark:
        assert spark.range(3).count() == 3
        assert spark.conf.get("spark.sql.ansi.enabled") == "true"
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
        with session() as inner:  # the one that runs, with names of its own
            assert inner.sparkContext is spark.sparkContext
            inner.range(1).createOrReplaceTempView("mine")
        assert not spark.catalog.tableExists("mine")
        with (
            pytest.raises(InputError, match=r"has Spark running with the master local\[1\]"),
            session("yarn"),
        ):
            pytest.fail("there cannot be two")
        with (
            pytest.raises(EngineError, match=r"counting: Spark gave up: .*DIVIDE_BY_ZERO"),
            legible("counting"),
        ):
            spark.sql("select 1 / 0").collect()
        os.kill(spark.sparkContext._gateway.proc.pid, signal.SIGKILL)
        with (
            pytest.raises(EngineError, match="counting: Spark gave up: its Java process ended"),
            legible("counting"),
        ):
            spark.sql("select 1").collect()


def test_a_master_without_workers_is_said_to_have_none(tmp_path: Path) -> None:
    with cluster(tmp_path, n_workers=0) as found:
        with (
            pytest.raises(EngineError, match=rf"the master {found.master} gave no worker in 12 s"),
            session(found.master, wait_seconds=12),
        ):
            pytest.fail("there are no workers")
        assert found.processes[0].poll() is None
    assert all(process.poll() is not None for process in found.processes)


def test_the_command_builds_on_spark_with_nothing_but_its_report_on_standard_output(path: Path) -> None:
    command = [sys.executable, "-m", "interplm_wh", "-w", str(path), "build", "--engine", "spark"]
    found = subprocess.run(
        [*command, "--master", "local[2]", "--select", "feature_stats"],
        capture_output=True, text=True, check=False,
        env={**os.environ, **spark_tables.ENVIRONMENT},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "tables: 3 built, 0 extended, 0 unchanged"
    assert "WARN" not in found.stderr
    with store.open(path) as wh:
        assert wh.sql("from feature_stats").num_rows == small.N_FEATURES
