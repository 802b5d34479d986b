"""Encoding by many workers: the parts of a single run, whoever is killed, and what is refused."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import duckdb
import psutil
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from interplm_wh import schema, store
from interplm_wh.ask import info, verify
from interplm_wh.cli import cli
from interplm_wh.encode import blocks as blocks_module
from interplm_wh.encode import encode, register, shard
from interplm_wh.encode.blocks import blocks
from interplm_wh.encode.encoder import Settings
from interplm_wh.encode.job import Job
from interplm_wh.encode.keep import Plan
from interplm_wh.encode.waiting import Waiting, identities
from interplm_wh.encode.work import open_work
from interplm_wh.errors import EncodingError, InputError, LockedError, NotThereError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import memory
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.sae import add_sae
from interplm_wh.store import catalogue
from tests.children import kill_at
from tests.tiny_models import make_plm, make_sae, part_digests, sequence, some_proteins, write_fasta

SAES = ("relu", "neurons")
N_PROTEINS, LENGTH = 500, 600  # ten blocks


def inodes(warehouse: Path, sae: str) -> dict[str, int]:
    """The file behind each part: another one where a part was written again."""
    paths = (warehouse / "lake" / "activations" / f"sae={sae}").glob("*/*.parquet")
    return {path.name: path.stat().st_ino for path in paths}


def waiting(warehouse: Path) -> list[Path]:
    """The finished parts that are not registered."""
    return list((warehouse / ".staging" / "encoded").glob("*/*/*-*/*.parquet"))


def rows(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run a query on a published warehouse."""
    with store.open(warehouse) as wh:
        return wh.con.execute(sql).fetchall()


def command(warehouse: Path, *words: str) -> list[str]:
    """The command that encodes both SAEs."""
    saes = [word for sae in SAES for word in ("--sae", sae)]
    return [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "encode", *saes, *words]


def start(warehouse: Path, *words: str) -> subprocess.Popen[str]:
    """Begin to encode in a process."""
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(warehouse, *words), env=where, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end(*processes: subprocess.Popen[str]) -> list[str]:
    """Wait until processes have ended well; what they said."""
    said = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        said.append(out)
    return said


def until(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until a process has come so far."""
    for _ in range(6000):
        if reached():
            return
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.005)
    raise AssertionError("the run did not get that far")


def assert_complete(warehouse: Path, whole: dict[str, dict[str, str]]) -> None:
    """The warehouse holds the parts of a single run, each once, and nothing else."""
    for sae, digests in whole.items():
        assert part_digests(warehouse, sae) == digests
        paths = list((warehouse / "lake" / "activations" / f"sae={sae}").glob("*/*.parquet"))
        assert len(paths) == len(digests)
    found = verify(warehouse)
    assert found.is_sound, found.lines()
    assert found.unfinished == ()
    assert rows(warehouse, "select count(*), count(distinct (sae, protein_id)) from encodings") == rows(
        warehouse, "select 2 * count(*), 2 * count(*) from proteins"
    )


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny", window=LENGTH)


def make(base: Path, plm: Path, proteins: dict[str, str]) -> Path:
    """A warehouse with proteins and both SAEs."""
    warehouse = store.init(base / "warehouse")
    add_proteins(warehouse, [write_fasta(base / "p.fasta", proteins)])
    relu = make_sae(base / "ae.pt", plm, layer=1)
    add_sae(warehouse, str(relu), name="relu", plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    return warehouse


@pytest.fixture(scope="module")
def ready(plm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of ten blocks, to be copied."""
    proteins = {f"P{i:04d}": sequence(LENGTH - i % 9, seed=i) for i in range(N_PROTEINS)}
    return make(tmp_path_factory.mktemp("ready"), plm, proteins)


@pytest.fixture(scope="module")
def whole(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The parts of a single run."""
    warehouse = shutil.copytree(ready, tmp_path_factory.mktemp("whole") / "warehouse")
    end(start(warehouse, "--device", "cpu"))
    assert len(part_digests(warehouse, "relu")) == 10
    return {sae: part_digests(warehouse, sae) for sae in SAES}


@pytest.fixture
def copied(ready: Path, tmp_path: Path) -> Path:
    """A warehouse in which nothing is encoded yet."""
    return shutil.copytree(ready, tmp_path.resolve() / "warehouse")


@pytest.fixture(scope="module")
def few(plm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small warehouse, to be copied."""
    return make(tmp_path_factory.mktemp("few"), plm, some_proteins(24))


@pytest.fixture
def small(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small warehouse of six blocks in which nothing is encoded yet."""
    monkeypatch.setattr(blocks_module, "BLOCK_PROTEINS", 4)
    return shutil.copytree(few, tmp_path.resolve() / "warehouse")


@pytest.fixture
def small_whole(small: Path, tmp_path: Path) -> dict[str, dict[str, str]]:
    """The parts of a single run over the small warehouse."""
    warehouse = shutil.copytree(small, tmp_path.resolve() / "single")
    encode(warehouse, SAES, device="cpu")
    return {sae: part_digests(warehouse, sae) for sae in SAES}


# -- shares ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lengths",
    [
        [10 + (i * 7919) % 3000 for i in range(4000)],
        [5, 32_768] * 40,  # every other block is all but empty
        [40_000, *[3] * 9000, 36_000],
    ],
)
def test_shares_are_balanced_by_residues_and_together_everything_once(lengths: list[int]) -> None:
    sizes = [sum(lengths[block.start : block.stop]) for block in blocks(lengths)]
    for count in (1, 2, 3, 7, 1000):
        taken = [shard.Shard(i, count).taken(sizes) for i in range(1, count + 1)]
        assert sorted(k for its in taken for k in its) == list(range(len(sizes)))
        n_residues = [sum(sizes[k] for k in its) for its in taken]
        assert max(n_residues) - min(n_residues) <= max(sizes)


def test_what_is_appended_moves_no_block_into_another_share() -> None:
    lengths = [10 + (i * 7919) % 3000 for i in range(900)]
    for n_before in (1, 300, 899):
        first = [sum(lengths[b.start : b.stop]) for b in blocks(lengths[:n_before])]
        then = [sum(lengths[b.start : b.stop]) for b in blocks(lengths)]
        for share in (shard.Shard(1, 3), shard.Shard(3, 3)):
            assert {k for k in share.taken(then) if k < len(first)} == share.taken(first)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_in_any_order_write_the_parts_of_a_single_run(
    small: Path, small_whole: dict[str, dict[str, str]], order: tuple[int, ...]
) -> None:
    for i in order:
        assert encode(small, SAES, device="cpu", share=f"{i}/3").saes[0].n_proteins == 8
    assert_complete(small, small_whole)
    files = inodes(small, "relu")
    again = encode(small, SAES, device="cpu", share="2/3")
    assert (again.saes[0].n_proteins, again.lines()[-1]) == (0, "nothing was left to encode in the share 2/3")
    assert inodes(small, "relu") == files


def test_shards_of_another_number_skip_what_is_there(
    small: Path, small_whole: dict[str, dict[str, str]]
) -> None:
    encode(small, SAES, device="cpu", share="2/2")
    files = inodes(small, "relu")
    for share in ("3/3", "1/3", "2/3"):
        encode(small, SAES, device="cpu", share=share)
    assert inodes(small, "relu").items() >= files.items()
    assert_complete(small, small_whole)


def test_what_is_missing_of_unfinished_shards_is_named(small: Path) -> None:
    encode(small, ["relu"], device="cpu", share="1/2")
    (left,) = verify(small).unfinished
    assert (left.sae, left.n_planned, left.n_missing, left.n_failed) == ("relu", 24, 12, 0)
    lengths = [len(text) for text in some_proteins(24).values()]
    theirs = shard.Shard(2, 2).taken([sum(lengths[i : i + 4]) for i in range(0, 24, 4)])
    missing = [f"P{i}" for i in range(24) if i // 4 in theirs]
    assert len(missing) == 12
    assert left.missing == tuple(missing[:10])
    assert verify(small).is_sound
    for lines in (verify(small).lines(), info(small).lines()):
        said = "\n".join(lines)
        assert (
            "relu: 12 of 24 proteins that were to be encoded are not: "
            f"{', '.join(missing[:10])} and 2 more" in said
        )
        assert "interplm-wh encode --sae relu" in said
    assert rows(small, "select accession, reason from not_encoded('relu')") == [(p, None) for p in missing]
    encode(small, ["relu"], device="cpu", share="2/2")
    assert (verify(small).unfinished, info(small).unfinished) == ((), [])


def test_proteins_that_nobody_meant_are_not_missing(small: Path) -> None:
    encode(small, ["relu"], device="cpu", share="1/2")
    encode(small, ["neurons"], device="cpu", like="relu")
    assert [one.sae for one in verify(small).unfinished] == ["relu"]
    encode(small, ["relu"], device="cpu")
    assert [one.n_missing for one in verify(small).unfinished] == [12]  # of neurons, like relu
    encode(small, ["neurons"], device="cpu")
    more = write_fasta(small.parent / "more.fasta", some_proteins(3, first=24))
    add_proteins(small, [more])
    assert verify(small).unfinished == ()
    encode(small, ["relu"], device="cpu", share="1/7")  # the block of the new proteins is the seventh
    assert [one.missing for one in verify(small).unfinished] == [("P24", "P25", "P26")]
    encode(small, ["relu"], device="cpu")
    assert verify(small).unfinished == ()
    remove_proteins(small, ["P0", "P1"])
    assert verify(small).is_sound
    assert verify(small).unfinished == ()


def test_removing_proteins_leaves_the_rest_of_what_was_meant(small: Path) -> None:
    encode(small, ["relu"], device="cpu", share="1/2")
    remove_proteins(small, ["P0", "P4", "P5"])
    (left,) = verify(small).unfinished
    assert (left.n_planned, left.n_missing, left.missing[:2]) == (21, 10, ("P6", "P7"))


def test_appended_proteins_cost_only_themselves(few: Path, tmp_path: Path) -> None:
    warehouse = shutil.copytree(few, tmp_path.resolve() / "warehouse")
    encode(warehouse, SAES, device="cpu", share="1/1")
    files = {sae: inodes(warehouse, sae) for sae in SAES}
    add_proteins(warehouse, [write_fasta(tmp_path / "more.fasta", some_proteins(6, first=24))])
    report = encode(warehouse, SAES, device="cpu", share="1/1")
    assert [(one.n_proteins, one.n_present) for one in report.saes] == [(6, 24), (6, 24)]
    for sae in SAES:
        assert inodes(warehouse, sae).items() > files[sae].items()
    assert verify(warehouse).is_sound


# -- real processes ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_shard_goes_on_and_writes_nothing_twice(
    copied: Path, whole: dict[str, dict[str, str]]
) -> None:
    process = start(copied, "--device", "cpu", "--shard", "2/2")
    until(lambda: rows(copied, "select count(*) from encoding_plans") == [(2,)], process)
    until(lambda: len(waiting(copied)) >= 2, process)
    process.kill()
    process.communicate()
    found = verify(copied)
    assert found.is_sound
    assert {one.sae for one in found.unfinished} == set(SAES)
    assert found.unfinished[0].n_planned == N_PROTEINS
    kept = {path.name: path.stat().st_ino for path in waiting(copied) if "sae=relu" in str(path)}
    assert kept
    end(*(start(copied, "--device", "cpu", "--shard", share) for share in ("1/2", "2/2")))
    assert inodes(copied, "relu").items() >= kept.items()
    assert_complete(copied, whole)
    assert list((copied / ".staging").iterdir()) == []


@pytest.mark.slow
def test_the_same_work_given_to_several_is_done_once(copied: Path, whole: dict[str, dict[str, str]]) -> None:
    ways = (("--shard", "1/2"), ())
    said = end(*(start(copied, "--device", "cpu", *way) for way in ways))
    encoded = [int(line.split()[1]) for one in said for line in one.splitlines() if line.startswith("relu:")]
    assert sum(encoded) == N_PROTEINS
    assert "discarded" not in "".join(said)
    assert_complete(copied, whole)


@pytest.mark.slow
def test_a_process_per_device_writes_the_same_also_when_one_is_killed(
    copied: Path, whole: dict[str, dict[str, str]]
) -> None:
    process = start(copied, "--devices", "cpu,cpu")
    until(lambda: len(waiting(copied)) >= 2, process)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert (len(gone), alive) == (2, [])
    assert verify(copied).is_sound
    process = start(copied, "--devices", "cpu,cpu")
    killed: set[int] = set()
    while len(killed) < 2:  # as soon as they have begun
        assert process.poll() is None
        for worker in psutil.Process(process.pid).children():
            if worker.pid not in killed:
                killed.add(worker.pid)
                worker.kill()
        time.sleep(0.05)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "try 1 of 3: its process was killed (signal 9)" in errors
    assert_complete(copied, whole)
    assert not any(psutil.pid_exists(pid) for pid in killed)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_registers_what_is_finished(copied: Path) -> None:
    process = start(copied, "--devices", "cpu")
    until(lambda: len(waiting(copied)) >= 3, process)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode not in (0, -9)
    assert not any(worker.is_running() for worker in workers)
    assert len(part_digests(copied, "relu")) >= 1
    assert waiting(copied) == []
    assert verify(copied).is_sound


def test_a_registrar_killed_after_its_publish_registers_nothing_twice(few: Path, tmp_path: Path) -> None:
    warehouse = shutil.copytree(few, tmp_path.resolve() / "warehouse")
    saes = [word for sae in SAES for word in ("--sae", sae)]
    kill_at(
        "interplm_wh.encode.register.Registrar._remove",
        ["-w", str(warehouse), "encode", *saes, "--device", "cpu"],
    )
    assert len(waiting(warehouse)) == 2
    before = inodes(warehouse, "relu")
    assert len(before) == 1
    report = encode(warehouse, SAES, device="cpu")
    assert (report.saes[0].n_proteins, report.n_discarded) == (0, 0)
    assert (inodes(warehouse, "relu"), waiting(warehouse)) == (before, [])
    assert verify(warehouse).is_sound


# -- blocks that fail --------------------------------------------------------------------------------

# What is left after a first run, when all that is loaded is loaded, is too little for the long protein.
TIGHT = """
import resource, sys
import torch
from interplm_wh.encode import blocks, encode
from interplm_wh.cli import main
torch.set_num_threads(1)
blocks.BLOCK_PROTEINS = 2
encode(sys.argv[1], ["early"], device="cpu")
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (300 << 20),) * 2)
sys.argv = ["interplm-wh", "-w", sys.argv[1], "encode", "--sae", "late", "--device", "cpu"]
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="address space is limited through /proc")
def test_a_block_that_fails_three_times_is_named_and_the_rest_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_PROTEINS", 2)
    plm = make_plm(tmp_path / "wide", inner=40_000, window=2000)
    proteins = {f"P{i}": sequence(20 + i, seed=i) for i in range(6)}
    proteins |= {"LONG": sequence(1990, seed=9)} | {f"Q{i}": sequence(20 + i, seed=i + 10) for i in range(3)}
    warehouse = store.init(tmp_path / "w")
    add_proteins(warehouse, [write_fasta(tmp_path / "p.fasta", proteins)])
    for name, layer in (("early", 0), ("late", 2)):
        add_sae(warehouse, "identity", name=name, plm=str(plm), layer=layer, device="cpu")
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TIGHT, str(warehouse)], check=False, capture_output=True, text=True, env=where
    )
    assert done.returncode == 1
    assert "try 3 of 3" in done.stderr
    assert "2 proteins could not be encoded: 1 fault" in done.stderr
    assert "late: LONG, Q0: wide: memory ran out on a single window of 1990 residues" in done.stderr
    assert "Traceback" not in done.stderr
    encoded = rows(
        warehouse, "select accession from encodings join proteins using (protein_id) where sae = 'late'"
    )
    assert sorted(a for (a,) in encoded) == sorted(set(proteins) - {"LONG", "Q0"})
    failed = "select accession, n_tries from encoding_failures join proteins using (protein_id) order by all"
    assert rows(warehouse, failed) == [("LONG", 3), ("Q0", 3)]
    assert verify(warehouse).is_sound
    for said in ("\n".join(verify(warehouse).lines()), "\n".join(info(warehouse).lines())):
        assert "late: 2 of them failed:\n  - wide: memory ran out on a single window" in said
    report = encode(warehouse, ["late"], device="cpu")
    assert report.saes[0].n_proteins == 2
    assert rows(warehouse, failed) == []
    assert verify(warehouse).unfinished == ()


@pytest.fixture
def blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """Makes warehouses, in blocks of two proteins, with a PLM that knows no selenocysteine (U): NaN."""
    monkeypatch.setattr(blocks_module, "BLOCK_PROTEINS", 2)
    plm = make_plm(tmp_path / "blind")
    tensors = load_file(plm / "model.safetensors")
    tensors["esm.embeddings.word_embeddings.weight"][26] = torch.nan
    save_file(tensors, plm / "model.safetensors", metadata={"format": "pt"})

    def made(proteins: dict[str, str]) -> Path:
        warehouse = store.init(tmp_path / "w")
        add_proteins(warehouse, [write_fasta(tmp_path / "p.fasta", proteins)])
        add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
        return warehouse

    return made


def test_failures_of_several_saes_and_shards_are_kept_until_they_are_mended(
    blind: Callable[[dict[str, str]], Path],
) -> None:
    proteins = some_proteins(8) | {"BAD": "MKU"} | some_proteins(5, first=8)
    warehouse = blind(proteins)
    failed = "select accession, reason from encoding_failures join proteins using (protein_id) order by all"
    encode(warehouse, ["neurons"], device="cpu", share="2/2")
    assert rows(warehouse, failed) == []
    for _ in range(2):
        with pytest.raises(EncodingError, match=r"2 proteins could not be encoded: 1 fault\n.*BAD, P8: "):
            encode(warehouse, ["neurons"], device="cpu", share="1/2")
        (one, other) = rows(warehouse, failed)
        assert (one[0], other[0], one[1]) == ("BAD", "P8", other[1])
        assert "not finite" in one[1]
    assert verify(warehouse).unfinished[0].n_missing == 2
    remove_proteins(warehouse, ["BAD"])
    assert [name for name, _ in rows(warehouse, failed)] == ["P8"]
    encode(warehouse, ["neurons"], device="cpu")
    assert rows(warehouse, failed) == []
    assert verify(warehouse).unfinished == ()


def test_what_is_meant_is_known_before_the_first_part_is_finished(small: Path) -> None:
    words = ["-w", str(small), "encode", "--sae", "relu", "--device", "cpu"]
    kill_at("interplm_wh.encode.work.Work.run", words)
    assert rows(small, "select count(*) from encodings") == [(0,)]
    (left,) = verify(small).unfinished
    assert (left.sae, left.n_planned, left.n_missing) == ("relu", 24, 24)


def test_another_number_format_is_warned_of_and_named_in_what_is_to_be_done(
    small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encode(small, ["relu"], device="cpu", share="1/2", dtype="bfloat16")
    (left,) = verify(small).unfinished
    assert any("interplm-wh encode --sae relu --dtype bfloat16;" in line for line in left.lines())
    assert not caplog.records
    done = encode(small, ["relu"], device="cpu", share="1/2")
    assert done.lines()[-1] == "nothing was left to encode in the share 1/2"
    assert "were encoded in bfloat16, these are in float32" in caplog.text


def test_one_block_after_the_other_that_fails_ends_the_run(blind: Callable[[dict[str, str]], Path]) -> None:
    warehouse = blind(some_proteins(4) | {f"U{i}": "MKUL" for i in range(20)})
    with pytest.raises(EncodingError, match="stopped after 3 blocks in a row, each tried 3 times"):
        encode(warehouse, ["neurons"], device="cpu")
    assert rows(warehouse, "select count(*) from encodings") == [(4,)]
    assert rows(warehouse, "select count(*) from encoding_failures") == [(6,)]
    assert verify(warehouse).unfinished[0].n_missing == 20


def test_what_failed_before_comes_last_so_that_the_rest_is_encoded(
    blind: Callable[[dict[str, str]], Path],
) -> None:
    warehouse = blind({f"U{i}": "MKUL" for i in range(6)} | some_proteins(4))
    n_encoded = "select count(*) from encodings where sae = 'neurons'"
    with pytest.raises(EncodingError, match="stopped after 3 blocks in a row"):
        encode(warehouse, ["neurons"], device="cpu")
    assert rows(warehouse, n_encoded) == [(0,)]
    with pytest.raises(EncodingError, match="6 proteins could not be encoded"):
        encode(warehouse, ["neurons"], device="cpu")
    assert rows(warehouse, n_encoded) == [(4,)]
    assert rows(warehouse, "select count(*) from encoding_failures") == [(6,)]


@pytest.mark.parametrize(
    ("words", "is_memory"),
    [
        ("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 12 bytes", True),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("std::bad_alloc", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(words: str, is_memory: bool) -> None:
    assert memory.ran_out(RuntimeError(words)) is is_memory
    assert memory.ran_out(torch.OutOfMemoryError(words))


# -- what is refused ---------------------------------------------------------------------------------


def asked(warehouse: Path, *words: str) -> Result:
    """Run `encode` of the command line."""
    return CliRunner().invoke(cli, ["-w", str(warehouse), "encode", "--sae", "relu", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--shard", "0/4"), "shards of 4 are numbered from 1 to 4"),
        (("--shard", "5/4"), "shards of 4 are numbered from 1 to 4"),
        (("--shard", "0/0"), "numbered from 1 to 0"),
        (("--shard", "x"), "'x' is no shard; give I/N"),
        (("--shard", "1/4/2"), "no shard"),
        (("--shard", "-1/4"), "no shard"),
        (("--shard", "²/4"), "no shard"),
        (("--devices", "cpu,,cpu"), "none that is empty"),
        (("--devices", ","), "none that is empty"),
        (("--devices", "cpu", "--device", "cpu"), "--devices and --device do not go together"),
        (("--engine", "spark", "--shard", "1/2"), "--engine spark and --shard do not go together"),
        (("--engine", "spark", "--devices", "cpu"), "do not go together"),
        (("--engine", "duck"), "is not one of"),
        (("--master", "local[2]"), "--master goes with --engine spark"),
    ],
)
def test_wrong_usage_is_refused(few: Path, words: tuple[str, ...], message: str) -> None:
    before = (few / "warehouse.duckdb").read_bytes()
    result = asked(few, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert (few / "warehouse.duckdb").read_bytes() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["7", "cuda:7", "gpu", "cpu,0", "meta", "cpu,xpu"])
def test_a_device_that_is_not_there_is_refused_before_a_process_starts(few: Path, device: str) -> None:
    before = (few / "warehouse.duckdb").read_bytes()
    result = asked(few, "--devices", device)
    assert isinstance(result.exception, Exception) and result.exit_code == 1
    assert "--device" in str(result.exception)
    assert (few / "warehouse.duckdb").read_bytes() == before
    assert list((few / ".staging").glob("*")) == []


def test_what_no_worker_can_do_ends_all_of_them(few: Path, tmp_path: Path) -> None:
    warehouse = shutil.copytree(few, tmp_path.resolve() / "warehouse")
    add_proteins(warehouse, [write_fasta(tmp_path / "odd.fasta", {"ODD": "MKJT"})])
    with pytest.raises(InputError, match=r"cpu: .*\n.*ODD: unknown letter 'J'"):
        encode(warehouse, SAES, devices=("cpu",))
    assert rows(warehouse, "select count(*) from encodings") == [(0,)]
    assert [
        child for child in psutil.Process().children() if "encode.worker" in " ".join(child.cmdline())
    ] == []


def test_arguments_that_do_not_go_together_are_refused(few: Path) -> None:
    with pytest.raises(InputError, match="devices and device do not go together"):
        encode(few, ["relu"], device="cpu", devices=["cpu"])
    with pytest.raises(InputError, match="Spark hands the blocks out itself"):
        encode(few, ["relu"], engine="spark", share="1/2")
    with pytest.raises(InputError, match="is one of Spark"):
        encode(few, ["relu"], master="local[2]")


def work_of(warehouse: Path, *, min_value: float = 0.0) -> Job:
    """A whole run with one SAE."""
    return Job(warehouse, ("relu",), Settings("float32", "cpu", min_value, None), None, shard.WHOLE)


@pytest.mark.parametrize("again", ["other weights", "another layer"])
def test_parts_of_two_saes_under_one_name_are_refused(
    small: Path, plm: Path, tmp_path: Path, again: str
) -> None:
    with open_work(work_of(small)) as work:
        outcomes = list(work.run(work.units()))
        assert sum(one.counted[0].n_proteins for one in outcomes) == 24
        put_back = shutil.copytree(work.waiting["relu"].path, tmp_path / "late")
        remove_sae(small, "relu")
        assert work.waiting["relu"].entries() == []
        other = make_sae(tmp_path / "b.pt", plm, layer=1, components=8 if again == "other weights" else 10)
        layer = 1 if again == "other weights" else 2
        add_sae(small, str(other), name="relu", plm=str(plm), layer=layer, device="cpu", force=True)
        shutil.copytree(put_back, work.waiting["relu"].path)  # of a worker that had not heard of it
        registrar = register.Registrar(small, work.staging, work.waiting, Plan(None, 24), 0.0, {})
        before = (small / "warehouse.duckdb").read_bytes()
        with pytest.raises(NotThereError, match="removed or replaced while encoding"):
            registrar.register(wait_seconds=0)
        assert (small / "warehouse.duckdb").read_bytes() == before
    encode(small, ["relu"], device="cpu")
    assert rows(small, "select count(*) from encodings where sae = 'relu'") == [(24,)]
    assert verify(small).is_sound


def test_workers_with_other_smallest_values_are_refused(small: Path) -> None:
    with open_work(work_of(small, min_value=0.5)) as work:
        list(work.run(work.units()))
        encode(small, ["relu"], device="cpu", share="1/2")
        registrar = register.Registrar(small, work.staging, work.waiting, Plan(None, 24), 0.5, {})
        with pytest.raises(InputError, match="encoded meanwhile by relu with 0"):
            registrar.register(wait_seconds=0)
    encode(small, ["relu"], device="cpu")
    assert rows(small, "select sum(n_activations) from encodings where sae = 'relu'") == rows(
        small, "select count(*) from activations where sae = 'relu' and value > 0"
    )
    assert verify(small).is_sound
    assert waiting(small) == []


def test_a_part_that_lost_its_bytes_is_encoded_again(
    small: Path, small_whole: dict[str, dict[str, str]]
) -> None:
    with open_work(Job(small, SAES, Settings("float32", "cpu", 0.0, None), None, shard.WHOLE)) as work:
        list(work.run(work.units()))
    first, second, *_ = sorted(waiting(small))
    first.write_bytes(first.read_bytes()[:-100])
    (second.parent / "encodings.arrow").write_bytes(b"")
    encode(small, SAES, device="cpu")
    assert waiting(small) == []
    assert [one.n_missing for one in verify(small).unfinished] == [8]
    encode(small, SAES, device="cpu")
    assert_complete(small, small_whole)


def test_proteins_that_were_appended_while_others_began_are_never_stored_twice(small: Path) -> None:
    with open_work(work_of(small)) as early:
        add_proteins(small, [write_fasta(small.parent / "more.fasta", some_proteins(2, first=24))])
        add_proteins(small, [write_fasta(small.parent / "odd.fasta", some_proteins(3, first=26))])
        blocks_module.BLOCK_PROTEINS = 5  # as of another version of the package
        with open_work(work_of(small)) as late:
            list(early.run(early.units()))
            list(late.run(late.units()))
            registrar = register.Registrar(small, late.staging, late.waiting, Plan(None, 29), 0.0, {})
            registrar.register(wait_seconds=0)
    assert registrar.discarded["relu"] > 0
    assert verify(small).is_sound
    encode(small, ["relu"], device="cpu")
    assert rows(small, "select count(*), count(distinct protein_id) from encodings") == [(29, 29)]
    assert verify(small).is_sound


@pytest.mark.parametrize(
    "change",
    ["saes set sha256 = 'b'", "saes set layer = 2", "saes set architecture = 'batch_topk'", "saes set k = 64",
     "saes set input_norm = 'sqrt_d'", "plms set revision = 'r2'"],
)  # fmt: skip
def test_finished_parts_belong_to_an_sae_as_it_is_applied(change: str) -> None:
    with duckdb.connect() as con:
        for name in ("saes", "plms"):
            con.execute(catalogue.create_table(schema.table(name)))
        con.execute("insert into plms values ('p', 's', 'r1', 8, 2, 60, null)")
        con.execute(
            "insert into saes by name select 'a' as sae, 'p' as plm, 1 as layer, 'topk' as architecture, "
            "8 as d_model, 16 as n_features, 32 as k, 'none' as input_norm, 'sae' as role, 'f' as source, "
            "'a' as sha256, 0.0 as min_value, false as is_forced"
        )
        before = identities(con, ["a"], min_value=0.0)
        assert identities(con, ["a", "gone"], min_value=0.0) == before
        assert identities(con, ["a"], min_value=0.5) != before
        con.execute(f"update {change}")
        assert identities(con, ["a"], min_value=0.0) != before


def test_of_two_workers_with_one_part_the_first_wins_and_a_ruin_gives_way(tmp_path: Path) -> None:
    place = Waiting(tmp_path / "encoded" / "sae=a" / "0")

    def made(word: str) -> Path:
        folder = tmp_path / word
        folder.mkdir()
        (folder / "encodings.arrow").write_text(word)
        return folder

    with place.claim("x") as is_ours, place.claim("x") as is_theirs, place.claim("y") as is_free:
        assert (is_ours, is_theirs, is_free) == (True, False, True)
    assert place.put(made("first"), "0-1-x")
    assert not place.put(made("second"), "0-1-x")
    assert (place.path / "0-1-x" / "encodings.arrow").read_text() == "first"
    (place.path / "0-1-x" / "encodings.arrow").rename(place.path / "0-1-x" / "0.parquet")
    assert place.put(made("third"), "0-1-x")
    assert (place.path / "0-1-x" / "encodings.arrow").read_text() == "third"
    place.tidy()
    assert not (place.path / "claims").exists()


# -- file systems without locks -----------------------------------------------------------------------


def test_a_file_system_without_locks_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    before = (small / "warehouse.duckdb").read_bytes()
    monkeypatch.setattr(fcntl, "flock", none)
    result = asked(small, "--device", "cpu", "--shard", "1/2")
    assert result.exit_code == 1
    assert "has no file locks (No locks available)" in str(result.exception)
    assert (small / "warehouse.duckdb").read_bytes() == before
    assert list((small / ".staging").iterdir()) == []


def test_where_locks_do_not_hold_nothing_that_another_published_is_taken_back(
    small: Path, small_whole: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def of_one_machine(file: IO[str], how: int) -> None:
        if Path(file.name).name != ".lock":
            lock(file, how)

    monkeypatch.setattr(fcntl, "flock", of_one_machine)
    with store.write(small, command="encode") as tx:
        folder = tx.new_folder("encodings", sae="relu")
        tx.write_query(folder, "from encodings where false")
        encode(small, SAES, device="cpu", share="1/2")
        with pytest.raises(LockedError, match="another process published while this one held the lock"):
            tx.publish()
    assert rows(small, "select count(*) from encodings where sae = 'relu'") == [(12,)]
    encode(small, SAES, device="cpu", share="2/2")
    assert_complete(small, small_whole)


def test_what_another_machine_stages_stays_for_an_hour(small: Path) -> None:
    place = small / ".staging" / "theirs"
    (place / "parts").mkdir(parents=True)
    (place / "owner").write_text("another-machine")
    encode(small, ["relu"], device="cpu", share="1/2")
    assert place.is_dir()
    old = time.time() - 4000
    for path in (place / "parts", place / "owner", place):
        os.utime(path, (old, old))
    encode(small, ["relu"], device="cpu", share="2/2")
    assert not place.exists()
    assert verify(small).is_sound


def test_workers_have_the_threads_of_the_command(few: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        given = work_of(few).with_threads()
        torch.set_num_threads(1)
        read = Job.from_json(given.to_json())
        assert read == given
        read.set_threads()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    """Whatever happens in a test, its processes end with it."""
    yield
    for child in psutil.Process().children(recursive=True):
        if "interplm_wh" in " ".join(child.cmdline()):
            child.kill()


def test_parts_that_nobody_came_back_to_are_removed_by_a_vacuum(small: Path) -> None:
    with open_work(work_of(small, min_value=0.5)) as work:
        list(work.run(work.units()))
    encode(small, SAES, device="cpu")
    assert len(waiting(small)) == 6
    store.vacuum(small)
    assert len(waiting(small)) == 6
    store.vacuum(small, min_age_seconds=0)
    assert list((small / ".staging" / "encoded").glob("*/*")) == []
    assert verify(small).is_sound


@pytest.mark.slow
def test_the_script_for_slurm_encodes_with_its_shares(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[1]
    warehouse = shutil.copytree(few, tmp_path.resolve() / "warehouse")
    (script,) = re.findall(
        r"```bash\n(#!/bin/bash\n.*?)```", (root / "docs/encoding.md").read_text(), re.DOTALL
    )
    for text, ours in (
        ("/shared/warehouse ", f"{warehouse} "),
        ("--sae l4", "--sae relu"),
        ("bfloat16", "float32"),
    ):
        assert text in script
        script = script.replace(text, ours)
    (tmp_path / "encode.sh").write_text(script)
    program = tmp_path / "bin" / "interplm-wh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m interplm_wh "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(root))
    of_task = {
        "SLURM_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": "1",
        "SLURM_ARRAY_TASK_COUNT": "1",
        "SLURM_CPUS_PER_TASK": "1",
    }
    bash = ["bash", str(tmp_path / "encode.sh")]
    subprocess.run(bash, env={**os.environ, **of_task}, check=True)
    assert rows(warehouse, "select count(*) from encodings") == [(24,)]
    # Shortly before the time limit, SLURM sends a signal to the script.
    queue = program.with_name("scontrol")
    queue.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    queue.chmod(0o755)
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/begun\nexec sleep 30\n')
    process = subprocess.Popen(bash, env={**os.environ, **of_task}, start_new_session=True)
    try:
        until(lambda: (tmp_path / "begun").is_file(), process)  # type: ignore[arg-type]
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=10) != 0
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
