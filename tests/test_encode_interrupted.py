"""Encoding that is killed, interrupted or short of memory: real processes, real signals, a real limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from interplm_wh import store
from interplm_wh.ask import verify
from interplm_wh.encode import blocks as blocks_module
from interplm_wh.encode import encode
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae
from tests.tiny_models import make_plm, make_sae, part_digests, sequence, some_proteins, write_fasta

N_PROTEINS = 60
BLOCK = 2
SCRIPT = f"""
import sys
from interplm_wh.encode import blocks, encode, register
blocks.BLOCK_PROTEINS = {BLOCK}
register.INTERVAL_SECONDS = float(sys.argv[2])
encode(sys.argv[1], ["relu", "neurons"], device="cpu")
"""
# After a first run, when all that is loaded is loaded, the process may take 900 MB more; the largest
# batch needs several times that in the widened layer.
LIMITED = """
import resource, sys
import torch
from interplm_wh.encode import encode
torch.set_num_threads(1)
encode(sys.argv[1], ["early"], device="cpu", token_budget=300)
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (900 << 20),) * 2)
encode(sys.argv[1], ["late"], device="cpu", token_budget=8192)
"""


# No file may grow beyond 16 kB: what a full disk does to a write, without filling one.
FULL = """
import resource, sys
from interplm_wh.encode import encode
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
try:
    encode(sys.argv[1], ["neurons"], device="cpu")
except OSError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def ready(plm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with proteins and two SAEs, to be copied."""
    base = tmp_path_factory.mktemp("ready")
    warehouse = store.init(base / "warehouse")
    add_proteins(warehouse, [write_fasta(base / "p.fasta", some_proteins(N_PROTEINS))])
    relu = make_sae(base / "ae.pt", plm, layer=1)
    add_sae(warehouse, str(relu), name="relu", plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    return warehouse


@pytest.fixture(scope="module")
def uninterrupted(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The parts of a run that nothing disturbed."""
    warehouse = tmp_path_factory.mktemp("whole") / "warehouse"
    shutil.copytree(ready, warehouse)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(warehouse), "1e9"], check=False, env=_environment()
    )
    assert done.returncode == 0
    return {sae: part_digests(warehouse, sae) for sae in ("relu", "neurons")}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def _start(warehouse: Path, interval: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(warehouse), interval],
        env=_environment(),
        stderr=subprocess.PIPE,
    )


def _wait(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    for _ in range(3000):
        if reached():
            return
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.01)
    raise AssertionError("the run did not get that far")


def _finished_parts(warehouse: Path) -> int:
    return len(list((warehouse / ".staging").glob("encoded/*/*/*/*.parquet")))


def _registered(warehouse: Path) -> int:
    return len(list((warehouse / "lake" / "activations").glob("*/*")))


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before the first registration", "between registrations"])
def test_a_killed_run_leaves_the_warehouse_whole_and_the_next_completes_it(
    ready: Path, tmp_path: Path, uninterrupted: dict[str, dict[str, str]], when: str
) -> None:
    warehouse = tmp_path / "warehouse"
    shutil.copytree(ready, warehouse)
    is_early = when.startswith("before")
    process = _start(warehouse, "1e9" if is_early else "0")
    _wait(process, lambda: (_finished_parts(warehouse) >= 3) if is_early else (_registered(warehouse) >= 3))
    process.kill()
    process.communicate()
    assert verify(warehouse).is_sound
    with store.open(warehouse) as wh:
        encoded = wh.con.execute("select count(*) from encodings where sae = 'relu'").fetchone()
    assert encoded is not None
    assert encoded[0] == 0 if is_early else 0 < encoded[0] < N_PROTEINS
    again = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(warehouse), "1e9"], check=False, env=_environment()
    )
    assert again.returncode == 0
    assert verify(warehouse).is_sound
    assert list((warehouse / ".staging").iterdir()) == []
    for sae, digests in uninterrupted.items():
        assert len(digests) == N_PROTEINS // BLOCK
        assert part_digests(warehouse, sae) == digests


@pytest.mark.slow
def test_ctrl_c_registers_what_is_finished(
    ready: Path, tmp_path: Path, uninterrupted: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tmp_path / "warehouse"
    shutil.copytree(ready, warehouse)
    process = _start(warehouse, "1e9")
    _wait(process, lambda: _finished_parts(warehouse) >= 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in said
    kept = {sae: part_digests(warehouse, sae) for sae in uninterrupted}
    assert 4 <= len(kept["relu"]) + len(kept["neurons"]) < N_PROTEINS
    for sae, digests in uninterrupted.items():
        assert kept[sae].items() <= digests.items()
    assert verify(warehouse).is_sound
    monkeypatch.setattr(blocks_module, "BLOCK_PROTEINS", BLOCK)
    report = encode(warehouse, ["relu", "neurons"], device="cpu")
    assert [s.n_present for s in report.saes] == [BLOCK * len(kept["relu"]), BLOCK * len(kept["neurons"])]
    assert {sae: set(part_digests(warehouse, sae)) for sae in uninterrupted} == {
        sae: set(digests) for sae, digests in uninterrupted.items()
    }
    assert verify(warehouse).is_sound


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="address space is limited through /proc")
def test_when_memory_really_runs_out_batches_are_halved_recorded_and_give_the_same(tmp_path: Path) -> None:
    plm = make_plm(tmp_path / "wide", inner=40_000, window=300)
    proteins = {f"P{i}": sequence(250 + i, seed=i) for i in range(12)} | {"TINY": "MKT"}
    roomy, tight = store.init(tmp_path / "roomy"), store.init(tmp_path / "tight")
    for warehouse in (roomy, tight):
        add_proteins(warehouse, [write_fasta(tmp_path / "p.fasta", proteins)])
        add_sae(warehouse, "identity", name="early", plm=str(plm), layer=1, device="cpu")
        add_sae(warehouse, "identity", name="late", plm=str(plm), layer=2, device="cpu")
    encode(roomy, ["early", "late"], device="cpu", token_budget=300)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tight)],
        check=False,
        env={**_environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert verify(tight).is_sound
    with duckdb.connect() as con:
        for name, warehouse in (("roomy", roomy), ("tight", tight)):
            with store.open(warehouse) as wh:
                con.register(name, wh.sql("from activations where sae = 'late'"))
                halved = wh.sql(
                    "select sae, max(is_halved) as is_halved from encodings group by all order by all"
                )
                assert halved["is_halved"].to_pylist() == [False, name == "tight"]
        apart = con.execute(
            "select count(*) filter (where abs(coalesce(r.value, 0) - coalesce(t.value, 0)) > "
            "1e-5 * greatest(1, coalesce(r.value, 0))), count(*) "
            "from roomy as r full join tight as t using (protein_id, position, feature)"
        ).fetchone()
    assert apart is not None
    assert apart[0] == 0
    assert apart[1] > 10_000


@pytest.mark.slow
def test_what_cannot_be_written_leaves_the_warehouse_as_it_was(ready: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    shutil.copytree(ready, warehouse)
    before = (warehouse / "warehouse.duckdb").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(warehouse)],
        check=False,
        env=_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert (warehouse / "warehouse.duckdb").read_bytes() == before
    assert list((warehouse / ".staging").iterdir()) == []
    assert encode(warehouse, ["neurons"], device="cpu").saes[0].n_proteins == N_PROTEINS
    assert verify(warehouse).is_sound
