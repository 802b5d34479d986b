"""Divide proteins anew, so that no cluster of relatives stands on both sides of the split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from interplm_wh import sqlfile, store
from interplm_wh.errors import InputError
from interplm_wh.ingest.annotation_writer import make, scalar
from interplm_wh.split import clusters as reading
from interplm_wh.split import mmseqs

STORED, COMPUTED = "stored", "mmseqs2"
_STORED_WORDS = "those that the warehouse has"
_BATCH = 2_000
_SEQUENCES = "select md5(sequence) as name, any_value(sequence) from proteins group by all order by name"


@dataclass(frozen=True)
class SplitReport:
    """How the proteins stand after `split`.

    Attributes
    ----------
    clusters_from : str
        Where the clusters come from, in words.
    keeps_splits, is_changed : bool
        Whether splits were left as they were; whether anything was changed.
    n_proteins, n_clusters : int
        A protein without a cluster is one by itself, with those of the same sequence.
    largest : str or None
        The cluster with most proteins, `n_largest`; None where it is a sequence.
    n_largest : int
    splits : tuple of (str, int)
        Proteins per split.
    n_changed : int
        Proteins that changed their split.
    n_unnamed, n_unknown : int
        Proteins of the warehouse that have no cluster; members of clusters that are not in the warehouse.
    n_train_relatives : int
        Proteins of valid and test whose cluster has a member in train.
    n_divided : int
        Clusters that stand in valid and in test; 0 unless `keeps_splits`.
    """

    clusters_from: str
    keeps_splits: bool
    is_changed: bool
    n_proteins: int
    n_clusters: int
    largest: str | None
    n_largest: int
    splits: tuple[tuple[str, int], ...]
    n_changed: int
    n_unnamed: int
    n_unknown: int
    n_train_relatives: int
    n_divided: int

    def lines(self) -> list[str]:
        """Say it in words, one fact a line."""
        splits = ", ".join(f"{n:,} {split}" for split, n in self.splits)
        name = "one sequence" if self.largest is None else self.largest
        said = [
            f"{self.n_proteins:,} proteins in {self.n_clusters:,} clusters ({self.clusters_from}); "
            f"the largest is {name} with {self.n_largest:,}",
            f"{splits}; {self.n_changed:,} proteins changed their split",
        ]
        if self.keeps_splits:
            said.append(f"splits are as they were; {self.n_divided:,} clusters stand in valid and in test")
        if self.n_unnamed:
            said.append(f"{self.n_unnamed:,} proteins are named in no cluster: their sequence stands for it")
        if self.n_unknown:
            said.append(f"{self.n_unknown:,} members of clusters are not in the warehouse")
        if self.n_train_relatives:
            said.append(
                f"{self.n_train_relatives:,} proteins of valid and test are relatives of proteins in train: "
                "train is what was learnt from, so that it stays as it is"
            )
        if not self.is_changed:
            said.append("nothing was changed: clusters and splits were so already")
        elif self.n_changed:
            said.append("count again what is out of date with: interplm-wh build")
        return said


def split(
    warehouse: str | Path,
    *,
    by: Literal["cluster"] = "cluster",
    clusters: str | Path | None = None,
    seed: int | None = None,
    min_identity: float | None = None,
    coverage: float | None = None,
    keep_splits: bool = False,
) -> SplitReport:
    """Set the clusters of all proteins, and draw valid and test by them: half of the clusters each.

    The key of the draw is the cluster, or the sequence where there is none; the last hex digit of
    md5('{seed}:{key}') decides. Proteins in train stay there.

    Parameters
    ----------
    warehouse : str or Path
    by : {'cluster'}
    clusters : str or Path, optional
        A file of clusters, 'mmseqs2' to compute them, or 'stored' for those that the warehouse has. By
        default they are computed where MMseqs2 is on the path, and else those stored are taken.
    seed : int, optional
        Seed of the draw; that of the warehouse by default, which proteins added later follow too.
    min_identity, coverage : float, optional
        For MMseqs2, from 0 to 1; 0.3 and 0.8 by default.
    keep_splits : bool
        Set the clusters alone.

    Raises
    ------
    InputError
        If there are no clusters, a file cannot be read or contradicts itself, or MMseqs2 fails.
    """
    if by != "cluster":
        raise InputError(f"split: proteins are divided by cluster, not by {by!r}")
    program = _program(clusters, min_identity, coverage)
    identity = mmseqs.MIN_IDENTITY if min_identity is None else min_identity
    share = mmseqs.COVERAGE if coverage is None else coverage
    settings = {
        "by": by, "clusters": str(clusters or (COMPUTED if program else STORED)), "seed": seed,
        "min_identity": identity if program else None, "coverage": share if program else None,
        "keep_splits": keep_splits,
    }  # fmt: skip
    with ExitStack() as stack:
        computed, words = None, _STORED_WORDS
        if program:
            staging = stack.enter_context(store.stage(_root(warehouse)))
            fasta = _write_sequences(warehouse, staging.scratch)
            computed = mmseqs.cluster(program, fasta, min_identity=identity, coverage=share)
            words = f"MMseqs2 {mmseqs.version(program)}, identity {identity:g} and coverage {share:g} or more"
        with store.write(warehouse, command="split", settings=settings) as tx:
            if computed is not None:
                reading.read_computed(tx.con, computed)
            elif clusters in (None, STORED):
                reading.read_stored(tx.con)
            else:
                path = reading.read(tx.con, clusters or "")
                tx.fingerprint_input(path)
                words = path.name
            return _divide(tx, words, seed=seed, keep_splits=keep_splits)


def _root(warehouse: str | Path) -> Path:
    with store.open(warehouse) as wh:
        return wh.path


def _program(clusters: str | Path | None, min_identity: float | None, coverage: float | None) -> str | None:
    """Return where MMseqs2 is, if it is to be used."""
    program = mmseqs.find() if clusters in (None, COMPUTED) else None
    if clusters == COMPUTED and program is None:
        raise InputError(f"MMseqs2 (mmseqs) is not on the path; {mmseqs.HOW_TO_GET}")
    for name, value in (("--min-identity", min_identity), ("--coverage", coverage)):
        if value is not None and program is None:
            raise InputError(f"{name} is for MMseqs2, which is not used here; leave it out")
        if value is not None and not 0 <= value <= 1:
            raise InputError(f"{name} is {value:g}; give a number from 0 to 1")
    return program


def _write_sequences(warehouse: str | Path, scratch: Path) -> Path:
    """Write the distinct sequences under their md5, which no name can break."""
    folder = scratch / "clustering"
    folder.mkdir()
    path = folder / "sequences.fasta"
    with store.open(warehouse) as wh, path.open("w", encoding="ascii") as handle:
        for name, sequence in _rows(wh.con):
            handle.write(f">{name}\n{sequence}\n")
    if not path.stat().st_size:
        raise InputError("the warehouse has no proteins that could be divided; run add proteins first")
    return path


def _rows(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    answer = con.execute(_SEQUENCES)
    while rows := answer.fetchmany(_BATCH):
        yield from rows


def _divide(tx: store.Transaction, words: str, *, seed: int | None, keep_splits: bool) -> SplitReport:
    con = tx.con
    _refuse_nothing(con, words)
    reading.refuse_faults(con, words)
    if seed is None:
        seed = int(scalar(con, "select value::bigint from settings where setting = 'seed'"))
    make(con, "clusters_splits", {"seed": seed, "keep_splits": keep_splits})
    counts = con.sql(sqlfile.load("ingest", "clusters_counts").sql).to_arrow_table().to_pylist()[0]
    is_changed = bool(counts["n_changed"] or counts.pop("n_clusters_changed"))
    report = _report(con, counts, words, keep_splits=keep_splits, is_changed=is_changed)
    if is_changed:
        folder = tx.new_folder("proteins")
        tx.write_query(folder, sqlfile.load("ingest", "clusters_proteins").sql)
        tx.replace("proteins", [folder])
        tx.publish()
    return report


def _refuse_nothing(con: duckdb.DuckDBPyConnection, words: str) -> None:
    if not scalar(con, "select count(*) from proteins"):
        raise InputError("the warehouse has no proteins that could be divided; run add proteins first")
    if scalar(
        con, "select count(*) from cluster_members as m semi join proteins as p on m.member = p.accession"
    ):
        return
    if words == _STORED_WORDS:
        raise InputError(
            "the warehouse has no clusters, and they were not computed: MMseqs2 (mmseqs) is not on the "
            f"path, or --clusters stored was asked for; {mmseqs.HOW_TO_GET}"
        )
    raise InputError(
        f"{words} names no protein of the warehouse; give clusters of these proteins, by their accessions"
    )


def _report(
    con: duckdb.DuckDBPyConnection,
    counts: dict[str, Any],
    words: str,
    *,
    keep_splits: bool,
    is_changed: bool,
) -> SplitReport:
    splits = con.execute(
        "select split, count(*) from protein_clusters group by split "
        "order by list_position(['train', 'valid', 'test'], split)"
    ).fetchall()
    return SplitReport(
        clusters_from=words,
        keeps_splits=keep_splits,
        is_changed=is_changed,
        n_proteins=counts["n_proteins"],
        n_clusters=counts["n_clusters"],
        largest=counts["largest"],
        n_largest=counts["n_largest"],
        splits=tuple(splits),
        n_changed=counts["n_changed"],
        n_unnamed=counts["n_unnamed"],
        n_unknown=counts["n_unknown"],
        n_train_relatives=counts["n_train_relatives"],
        n_divided=counts["n_divided"],
    )
