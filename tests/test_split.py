"""Splits without relatives: every shape of clusters, MMseqs2 itself, twins, and what a report says of it."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small import make

from interplm_wh import ask as asking
from interplm_wh import build
from interplm_wh.errors import InputError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.split import split
from tests.annotations_helpers import ask, write_table

LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def random_sequence(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(LETTERS, k=length))


def mutated(sequence: str, seed: int, share: float = 0.2) -> str:
    draw = random.Random(seed)
    return "".join(draw.choice(LETTERS) if draw.random() < share else letter for letter in sequence)


def half(key: str, seed: int = 0) -> str:
    """The contract's rule: the last hex digit of md5('seed:key')."""
    return "valid" if hashlib.md5(f"{seed}:{key}".encode()).hexdigest()[-1] < "8" else "test"


@pytest.fixture
def families(warehouse: Path) -> Path:
    """12 families of 4 relatives, P0 to P47; P48 is the twin of P0, and P47 alone stands in train."""
    rows = []
    for n in range(48):
        mother = random_sequence(150, n // 4)
        rows.append({"accession": f"P{n}", "sequence": mutated(mother, 100 + n), "split": ""})
    rows[47]["split"] = "train"
    rows.append({"accession": "P48", "sequence": rows[0]["sequence"], "split": ""})
    add_proteins(warehouse, [write_table(warehouse.parent / "proteins.csv", rows)])
    return warehouse


def state(warehouse: Path) -> dict[str, tuple[str, str | None]]:
    rows = ask(warehouse, "select accession, split, cluster from proteins")
    return {accession: (side, cluster) for accession, side, cluster in rows}


def by_hand() -> str:
    """Clusters of families as MMseqs2 writes them; the twin P48 is not named."""
    return "".join(f"P{n - n % 4}\tP{n}\n" for n in range(48))


# -- files of clusters ---------------------------------------------------------------------------


def test_clusters_decide_the_split_by_the_rule_of_the_contract(families: Path) -> None:
    path = families.parent / "x_cluster.tsv"
    path.write_text(by_hand() + "P0\tQ9\n")
    report = split(families, clusters=path)
    for n in range(48):
        side, cluster = state(families)[f"P{n}"]
        assert cluster == f"P{n - n % 4}"
        assert side == ("train" if n == 47 else half(f"P{n - n % 4}"))
    assert state(families)["P48"] == state(families)["P0"]  # its twin, in the same cluster
    assert (report.n_proteins, report.n_clusters, report.largest, report.n_largest) == (49, 12, "P0", 5)
    assert (report.n_unnamed, report.n_unknown, report.n_train_relatives) == (1, 1, 3)
    assert report.n_divided == 0
    counted = dict(ask(families, "select split, count(*) from proteins group by split"))
    assert dict(report.splits) == counted
    assert "12 clusters (x_cluster.tsv); the largest is P0 with 5" in report.lines()[0]


def test_a_second_split_changes_nothing_and_another_seed_does(families: Path) -> None:
    path = families.parent / "x_cluster.tsv"
    path.write_text(by_hand())
    split(families, clusters=path)
    first, stamp = state(families), (families / "warehouse.duckdb").stat().st_mtime_ns
    again = split(families, clusters=path)
    assert not again.is_changed and again.n_changed == 0
    assert "nothing was changed" in again.lines()[-1]
    assert (families / "warehouse.duckdb").stat().st_mtime_ns == stamp
    # Those stored are the same; P48 has its twin's cluster now.
    stored = split(families, clusters="stored")
    assert not stored.is_changed and stored.n_unnamed == 0
    report = split(families, clusters="stored", seed=7)
    assert report.n_changed > 0
    expected = {name: half(cluster, 7) for name, (_, cluster) in first.items() if cluster and name != "P47"}
    assert {name: side for name, (side, _) in state(families).items() if name != "P47"} == expected


SHAPES = {
    "mmseqs": ("c.tsv", "a\tP1\na\tP2\nb\tP3\n"),
    "cd-hit": ("c.clstr", ">Cluster 0\n0\t150aa, >P1... *\n1\t150aa, >sp|P2|TWO_HU... at 90.0%\n"
                          ">Cluster 1\n0\t150aa, >P3... *\n"),
    "csv": ("c.csv", "cluster,accession\na,P1\na,P2\nb,P3\n"),
    "uniprot": ("c.tsv", "Entry\tReviewed\tUniRef50\nP1\tx\ta\nP2\tx\ta\nP3\tx\tb\nP4\tx\t\n"),
    "mapping": ("c.tsv", "From\tCluster ID\tCluster Name\nP1\ta\tn\nP2\ta\tn\nP3\tb\tn\n"),
    "crlf": ("c.tsv", "a\tP1\r\na\tP2\r\nb\tP3\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_gzip", [False, True])
def test_every_shape_of_clusters_is_read(families: Path, shape: str, is_gzip: bool) -> None:
    name, text = SHAPES[shape]
    path = families.parent / (f"{name}.gz" if is_gzip else name)
    path.write_bytes(gzip.compress(text.encode()) if is_gzip else text.encode())
    report = split(families, clusters=path)
    found = state(families)
    assert found["P1"][1] == found["P2"][1] is not None
    assert found["P3"][1] not in (None, found["P1"][1])
    ((sequence,),) = ask(families, "select sequence from proteins where accession = 'P5'")
    assert found["P5"] == (half(sequence), None)  # named nowhere
    assert report.n_unnamed == 46


def test_parquet_is_read(families: Path) -> None:
    path = families.parent / "c.parquet"
    pq.write_table(pa.table({"member": ["P1", "P2"], "representative": ["P1", "P1"]}), path)
    split(families, clusters=path)
    assert state(families)["P2"][1] == "P1"


@pytest.mark.parametrize(("text", "words"), [
    ("a\tP1\nb\tP1\n", "P1 is in a and in b"),
    ("a\tP0\nb\tP48\n", "P0 and P48 have the same sequence and are in a and b"),
    ("a\tQ1\n", "names no protein of the warehouse"),
    ("a\t\na\tP1\n", "row 1: no name"),
    ("accession,cluster,UniRef50\nP1,a,b\n", "several columns of clusters"),
    (">P1\nMKV\n", "holds no clusters"),
    ("accession\tgroup\nP1\ta\n", "names no protein of the warehouse"),
])  # fmt: skip
def test_clusters_that_contradict_themselves_are_refused(families: Path, text: str, words: str) -> None:
    path = families.parent / "c.csv"
    path.write_text(text)
    before = state(families)
    with pytest.raises(InputError, match=words):
        split(families, clusters=path)
    assert state(families) == before


def test_keeping_the_splits_sets_the_clusters_and_the_report_counts_relatives(tmp_path: Path) -> None:
    warehouse = make(tmp_path / "w", n=8)  # P0000, P0002, … are valid, the others test; all have one sequence
    build.build(warehouse, min_residues=5, min_domains=3)
    (found,) = asking.report(warehouse).saes
    assert found.relatives["n_clustered"] == 0
    text = "\n".join(asking.report(warehouse).lines())
    assert "relatives                 not looked for; find them with: interplm-wh split --by cluster" in text
    path = tmp_path / "c_cluster.tsv"
    path.write_text("".join(f"a\tP{n:04}\n" for n in range(8)))
    report = split(warehouse, clusters=path, keep_splits=True)
    assert (report.n_changed, report.n_divided, report.is_changed) == (0, 1, True)
    assert ask(warehouse, "select count(*) from test_relatives") == [(4,)]
    text = "\n".join(asking.report(warehouse).lines())
    assert "relatives                 4 of 4 proteins of test have one in valid" in text


def test_a_build_counts_again_after_a_split_and_the_report_says_none(tmp_path: Path) -> None:
    warehouse = make(tmp_path / "w", n=8)
    build.build(warehouse, min_residues=5, min_domains=3)
    path = tmp_path / "c.tsv"
    path.write_text("".join(f"a\tP{n:04}\n" for n in range(8)))
    side = half("a")
    assert split(warehouse, clusters=path).splits == ((side, 8),)
    stale = asking.info(warehouse).stale["a"]
    assert {"concept_support", "source_firing"} <= set(stale)
    build.build(warehouse)
    assert ask(warehouse, "select distinct split from firing") == [(side,)]
    assert asking.info(warehouse).stale["a"] == []
    text = "\n".join(asking.report(warehouse).lines())
    assert f"0 of {8 if side == 'test' else 0} proteins of test have one in valid" in text


def test_proteins_added_later_have_no_cluster_and_twins_stay_together(families: Path) -> None:
    path = families.parent / "c.tsv"
    path.write_text(by_hand())
    split(families, clusters=path)
    ((twin, train),) = ask(
        families,
        "select max(sequence) filter (accession = 'P5'), max(sequence) filter (accession = 'P47') "
        "from proteins",
    )
    fasta = families.parent / "more.fasta"
    fasta.write_text(f">N1\n{random_sequence(80, 999)}\n>N2\n{twin}\n>N3\n{train}\n")
    add_proteins(families, [fasta])
    found = state(families)
    assert found["N1"][1] is found["N2"][1] is found["N3"][1] is None
    assert found["N2"][0] == found["P5"][0]
    assert found["N3"][0] == "train"  # its cluster stands on two sides: its twin's counts
    split(families, clusters=path)
    assert state(families)["N2"] == found["P5"]


# -- MMseqs2 -------------------------------------------------------------------------------------

needs_mmseqs = pytest.mark.skipif(shutil.which("mmseqs") is None, reason="MMseqs2 is not installed")


@needs_mmseqs
def test_mmseqs_finds_the_families_and_no_cluster_stands_on_both_sides(families: Path) -> None:
    report = split(families)
    found = state(families)
    # Relatives share about 64 % of their residues, strangers 5 %.
    members: dict[str | None, set[int]] = {}
    for name, (_, cluster) in found.items():
        members.setdefault(cluster, set()).add(int(name[1:]))
    expected = [set(range(4 * n, 4 * n + 4)) for n in range(12)]
    expected[0].add(48)
    assert sorted(map(sorted, members.values())) == sorted(map(sorted, expected))
    sides = ask(
        families,
        "select count(distinct split) from proteins where split <> 'train' group by cluster",
    )
    assert set(sides) == {(1,)}
    assert {side for side, _ in found.values()} == {"valid", "test", "train"}
    assert "MMseqs2" in report.clusters_from and "identity 0.3" in report.clusters_from
    assert not split(families).is_changed
    assert not list(families.rglob("sequences.fasta"))
    strict = split(families, min_identity=0.99, coverage=0.99)
    assert strict.n_clusters == 48  # the twins alone are alike


def fake(folder: Path, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / "mmseqs"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return folder


@pytest.mark.parametrize(("script", "words"), [
    ("echo cannot allocate >&2; exit 1", r"(?s)failed with exit code 1.*cannot allocate.*--clusters FILE"),
    ("exit 0", r"(?s)ended without a result.*it said nothing"),
    ("kill -9 $$", "ended by signal 9"),
])  # fmt: skip
def test_mmseqs_that_fails_is_quoted_and_changes_nothing(
    families: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    before = state(families)
    folder = fake(families.parent / "bin", script)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(InputError, match=words):
        split(families)
    assert state(families) == before


def test_without_mmseqs_the_ways_to_clusters_are_named(
    families: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(families.parent))
    for clusters in (None, "stored", "mmseqs2"):
        with pytest.raises(InputError, match=r"apt install mmseqs2, or conda install.*--clusters FILE"):
            split(families, clusters=clusters)
    with pytest.raises(InputError, match="--min-identity is for MMseqs2"):
        split(families, min_identity=0.5)
    path = families.parent / "c.tsv"
    path.write_text(by_hand())
    split(families, clusters=path)
    assert "those that the warehouse has" in split(families).lines()[0]


def test_a_warehouse_without_proteins_is_refused(warehouse: Path) -> None:
    with pytest.raises(InputError, match="has no proteins"):
        split(warehouse, clusters="stored")


def test_a_split_that_is_stopped_leaves_no_trace(families: Path) -> None:
    """Ended by SIGTERM while MMseqs2 works: exit code 1, its programs ended too, nothing published."""
    before = state(families)
    folder = fake(families.parent / "bin", f"echo $$ > {families.parent}/pid; exec sleep 600")
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "interplm_wh", "-w", str(families), "split", "--by", "cluster"],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = families.parent / "pid"
    while not (pid.exists() and pid.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped" in said and "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert state(families) == before
    assert not list(families.rglob("sequences.fasta"))
