"""What is tested: pairs frozen on valid, the proteins of test, and what each pair gives on each of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from interplm_wh import sqlfile
from interplm_wh.evidence.counts import Bools, Floats, Ints, f1
from interplm_wh.store import Warehouse


def rows(wh: Warehouse, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a question of `sql/evidence/` as numpy arrays, texts as lists."""
    file = sqlfile.load("evidence", name)
    table = wh.sql(file.sql, file.bind(values))
    return {column: _array(table[column]) for column in table.column_names}


def _array(column: pa.ChunkedArray) -> Any:
    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.int64)
    return column.to_pylist() if pa.types.is_string(column.type) else column.to_numpy()


@dataclass(frozen=True)
class Members:
    """The proteins over which a source is counted.

    Attributes
    ----------
    protein_id : int64 [n]
        In order; elsewhere a protein is its index here.
    length : int64 [n]
    cluster : int64 [n]
        0, 1, 2 and so on.
    has_relative : bool [n]
        Whether valid has a relative of it.
    """

    protein_id: Ints
    length: Ints
    cluster: Ints
    has_relative: Bools

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max()) + 1 if len(self.cluster) else 0

    def index_of(self, protein_id: Ints) -> tuple[Ints, Bools]:
        """Return the index of each protein, and whether it is one of these."""
        at = np.minimum(np.searchsorted(self.protein_id, protein_id), max(len(self.protein_id) - 1, 0))
        return at, self.protein_id[at] == protein_id if len(self.protein_id) else np.zeros(len(at), bool)

    def by_cluster(self, counts: Ints) -> Floats:
        """Add up counts [n, …] over the members of each cluster; float64 [n_clusters, …]."""
        found = np.zeros((self.n_clusters, *counts.shape[1:]))
        np.add.at(found, self.cluster, counts)
        return found


def members(wh: Warehouse, saes: Sequence[str]) -> dict[str, Members]:
    """Return the proteins of test that SAEs have all encoded, by the source that covers them."""
    found = rows(wh, "tested_proteins", {"saes": list(saes)})
    sources = np.array(found["source"], dtype=str)
    columns = ("protein_id", "length", "cluster_number", "has_relative")
    return {
        str(source): Members(*(found[name][sources == source] for name in columns))
        for source in np.unique(sources)
    }


@dataclass(frozen=True)
class Counts:
    """What the pairs of one concept give on each protein.

    Attributes
    ----------
    concept : str
    concept_id : int
    source : str
    by_instance : bool
        Whether instances are to be found, or residues.
    feature : int64 [n_pairs]
    threshold : float64 [n_pairs]
    n_tp, n_fired, n_hit : int64 [n_proteins, n_pairs]
        As `f1` takes them.
    n_to_find : int64 [n_proteins]
    """

    concept: str
    concept_id: int
    source: str
    by_instance: bool
    feature: Ints
    threshold: Floats
    n_tp: Ints
    n_fired: Ints
    n_hit: Ints
    n_to_find: Ints

    def f1(self, among: Bools | None = None) -> Floats:
        """Return F1 of each pair, over some proteins or all; float64 [n_pairs], NaN without a positive."""
        kept = slice(None) if among is None else among
        there = int(self.n_to_find[kept].sum())
        n_tp, n_fired, n_hit = (n[kept].sum(axis=0) for n in (self.n_tp, self.n_fired, self.n_hit))
        found = f1(n_tp, n_fired, n_hit, there)
        return found if there else np.full(len(found), np.nan)


@dataclass(frozen=True)
class Seen:
    """What the tested pairs of an SAE give on each protein, as the questions of `sql/evidence/` say it."""

    pairs: Mapping[str, Any]
    counted: Mapping[str, Any]
    to_find: Mapping[str, Any]


def n_pairs(wh: Warehouse, sae: str) -> int:
    """Return how many pairs of an SAE are tested."""
    return len(rows(wh, "tested_pairs", {"sae": sae, "is_best": False})["concept"])


def see(wh: Warehouse, sae: str, *, is_best: bool = False) -> Seen:
    """Count what the tested pairs of an SAE give, or the best pair of each concept alone."""
    values = {"sae": sae, "is_best": is_best}
    pairs = rows(wh, "tested_pairs", values)
    ids = np.unique(np.array(pairs["concept_id"], np.int64)).tolist()
    return Seen(
        pairs, rows(wh, "pair_counts", values), rows(wh, "things_to_find", {"sae": sae, "concepts": ids})
    )


def counts(seen: Seen, of: Mapping[str, Members], *, only: Set[int] | None = None) -> Iterator[Counts]:
    """Yield the tested concepts of an SAE, by source and name.

    Parameters
    ----------
    of : mapping of str to Members
        The proteins that count, by source.
    only : set of int, optional
        concept_id of those that are wanted.
    """
    pairs = seen.pairs
    for own in by_value(np.array(pairs["concept_id"], np.int64)):
        if only is not None and int(pairs["concept_id"][own.start]) not in only:
            continue
        first, feature = own.start, pairs["feature"][own]
        concept_id, its = int(pairs["concept_id"][first]), of.get(pairs["source"][first])
        if its is None:  # no protein of test that counts
            continue
        tables = _dense(seen.counted, concept_id, its, feature)
        by_instance = pairs["level"][first] == "domain"
        yield Counts(
            pairs["concept"][first], concept_id, pairs["source"][first], by_instance, feature,
            pairs["threshold"][own], tables[0], tables[1], tables[2] if by_instance else tables[0],
            _to_find(seen.to_find, concept_id, its),
        )  # fmt: skip


def _dense(counted: Mapping[str, Any], concept_id: int, its: Members, feature: Ints) -> Ints:
    """Return three counts of every protein and pair; int64 [3, n_proteins, n_pairs]."""
    tables = np.zeros((3, len(its.protein_id), len(feature)), np.int64)
    part = within(counted["concept_id"], concept_id)
    at, is_member = its.index_of(counted["protein_id"][part])
    column = np.searchsorted(feature, counted["feature"][part])
    for table, name in zip(tables, ("n_tp", "n_fired", "n_hit"), strict=True):
        table[at[is_member], column[is_member]] = counted[name][part][is_member]
    return tables


def _to_find(there: Mapping[str, Any], concept_id: int, its: Members) -> Ints:
    found = np.zeros(len(its.protein_id), np.int64)
    part = within(there["concept_id"], concept_id)
    at, is_member = its.index_of(there["protein_id"][part])
    found[at[is_member]] = there["n_to_find"][part][is_member]
    return found


def within(column: Ints, wanted: int) -> slice:
    """Return where a sorted column has a value."""
    return slice(*np.searchsorted(column, [wanted, wanted + 1]).tolist())


def by_value(column: Ints) -> Iterator[slice]:
    """Yield where each value of a column is that has its equals side by side."""
    ends = [*np.flatnonzero(np.diff(column, prepend=-1)).tolist(), len(column)]
    yield from (slice(start, stop) for start, stop in itertools.pairwise(ends))
