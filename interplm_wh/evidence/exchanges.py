"""The second null: a concept's annotations exchanged between proteins of about one length.

Whole clusters of relatives are exchanged: between relatives nothing would change. A giver's spans begin
where they do on the giver, counted from the N-terminus, and end with the receiver's sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interplm_wh.evidence.counts import HALF, Ints, Spans

N_BANDS = 10


@dataclass(frozen=True)
class Band:
    """Proteins of about one length, in whole clusters.

    Attributes
    ----------
    members : int64 [n_proteins]
        Indices of proteins, cluster after cluster.
    size : int64 [n_clusters]
        Proteins of each cluster.
    """

    members: Ints
    size: Ints

    @property
    def first(self) -> Ints:
        """Where each cluster begins; int64 [n_clusters]."""
        return np.cumsum(self.size) - self.size

    @property
    def cluster(self) -> Ints:
        """The cluster of each member, within the band; int64 [n_proteins]."""
        return np.repeat(np.arange(len(self.size)), self.size)

    @property
    def place(self) -> Ints:
        """The place of each member in its cluster; int64 [n_proteins]."""
        return np.arange(len(self.members)) - self.first[self.cluster]


def bands(lengths: Ints, clusters: Ints, *, n_bands: int = N_BANDS) -> list[Band]:
    """Divide proteins into bands of equally many clusters, by the mean length of a cluster.

    Parameters
    ----------
    lengths : int64 [n_proteins]
    clusters : int64 [n_proteins]
        Which cluster each is of: 0, 1, 2 and so on.
    n_bands : int
    """
    n = int(clusters.max()) + 1 if len(clusters) else 0
    size = np.bincount(clusters, minlength=n)
    mean = np.bincount(clusters, weights=lengths, minlength=n) / np.maximum(size, 1)
    order = np.argsort(mean, kind="stable")
    by_cluster = np.split(np.argsort(clusters, kind="stable"), np.cumsum(size)[:-1]) if n else []
    return [
        Band(np.concatenate([by_cluster[cluster] for cluster in part]), size[part])
        for part in np.array_split(order, min(n_bands, max(n, 1)))
        if len(part)
    ]


def receivers(n_clusters: int, n_givers: int, n_draws: int, rng: np.random.Generator) -> Ints:
    """Draw the clusters that get the annotations of each giver; int64 [n_givers, n_draws].

    They are the first places of a random permutation of all clusters, one for each draw: a shuffle in
    the manner of Fisher and Yates that ends when all givers have their receiver.
    """
    order = np.repeat(np.arange(n_clusters, dtype=np.int64)[:, None], n_draws, axis=1)
    draw = np.arange(n_draws)
    for giver in range(n_givers):
        other = rng.integers(giver, n_clusters, n_draws)
        taken = order[other, draw]
        order[other, draw] = order[giver]
        order[giver] = taken
    return order[:n_givers]


@dataclass(frozen=True)
class Givers:
    """The annotations of those proteins of a band that have any, side by side.

    Attributes
    ----------
    band : Band
    clusters : int64 [n_givers]
        Clusters of the band that have annotations to give.
    of_cluster : int64 [n_givers]
        Where each cluster's proteins begin, among the proteins that give.
    place, size : int64 [n_giving_proteins]
        Place of each in its cluster, and the size of that.
    instance_start, instance_stop : int64 [n]
        Spans sorted by protein, then instance.
    of_protein : int64 [n_giving_proteins]
        Where each protein's instances begin, among instances.
    of_instance : int64 [n_instances]
        Where each instance's spans begin.
    residue_start, residue_stop : int64 [m]
        The same residues as runs that do not overlap.
    runs_of_protein : int64 [n_giving_proteins]
        Where each protein's runs begin.
    """

    band: Band
    clusters: Ints
    of_cluster: Ints
    place: Ints
    size: Ints
    instance_start: Ints
    instance_stop: Ints
    of_protein: Ints
    of_instance: Ints
    residue_start: Ints
    residue_stop: Ints
    runs_of_protein: Ints


def givers(spans: Mapping[int, Spans], band: Band) -> Givers | None:
    """Lay the annotations of a band side by side; None where it has none."""
    at = [i for i, protein in enumerate(band.members.tolist()) if protein in spans]
    if not at:
        return None
    its = [_by_instance(spans[int(protein)]) for protein in band.members[at]]
    runs = [_runs(one.residues) for one in its]
    cluster = band.cluster[at]
    n_spans = np.array([len(one.start) for one in its])
    n_instances = np.array([one.n_instances for one in its])
    n_runs = np.array([len(start) for start, _ in runs])
    within = [np.flatnonzero(np.diff(one.instance, prepend=-1)) for one in its]
    first = np.flatnonzero(np.diff(cluster, prepend=-1))
    return Givers(
        band,
        cluster[first],
        first,
        band.place[at],
        band.size[cluster],
        np.concatenate([one.start for one in its]),
        np.concatenate([one.stop for one in its]),
        np.cumsum(n_instances) - n_instances,
        np.concatenate(within) + np.repeat(np.cumsum(n_spans) - n_spans, n_instances),
        np.concatenate([start for start, _ in runs]),
        np.concatenate([stop for _, stop in runs]),
        np.cumsum(n_runs) - n_runs,
    )


def _by_instance(spans: Spans) -> Spans:
    order = np.argsort(spans.instance, kind="stable")
    return Spans(spans.start[order], spans.stop[order], spans.instance[order])


def _runs(residues: Ints) -> tuple[Ints, Ints]:
    """Return the first and last residues of runs of neighbours."""
    begins = np.flatnonzero(np.diff(residues, prepend=-1) != 1)
    return residues[begins], residues[np.append(begins[1:], len(residues)) - 1]


class Exchanged:
    """What the exchange of a band's clusters gives for every giver and receiver, counted in advance.

    Parameters
    ----------
    n_clusters : int
        Of the band.
    receiver : int64 [n]
        Clusters of the band that are not always at 0, in order.
    first, second : int64 [n, n_givers]
        Two counts of each receiver with each giver's annotations.
    """

    def __init__(self, n_clusters: int, receiver: Ints, first: Ints, second: Ints) -> None:
        n, n_givers = first.shape
        self._column = np.full(n_clusters, n, np.int64)
        self._column[receiver] = np.arange(n)
        # Both counts of a place in one number, so that they are looked up at once; the last is 0.
        packed = np.zeros((n_givers, n + 1), np.int64)
        packed[:, :n] = (first << HALF | second).T
        self._packed = packed.ravel()
        self._row = np.arange(n_givers, dtype=np.int64)[:, None] * (n + 1)

    def counts(self, drawn: Ints) -> tuple[Ints, Ints]:
        """Return both counts in each draw; int64 [n_draws] each.

        Parameters
        ----------
        drawn : int64 [n_givers, n_draws]
            Of `receivers`.
        """
        both = self._packed[self._row + self._column[drawn]].sum(axis=0)
        return both >> HALF, both & ((1 << HALF) - 1)


def to_find(of: Givers, lengths: Ints, *, by_instance: bool) -> Exchanged:
    """Count what there is to find with the annotations of each giver.

    Parameters
    ----------
    of : Givers
    lengths : int64 [n_proteins]
        Of all proteins.
    by_instance : bool
        Whether instances are to be found, or residues: those that lie within the receiver.
    """
    its = lengths[of.band.members][:, None]
    if by_instance:
        begins = np.minimum.reduceat(of.instance_start, of.of_instance)
        counted = np.add.reduceat((begins[None, :] <= its).astype(np.int64), of.of_protein, axis=1)
    else:
        within = np.clip(
            its - of.residue_start[None, :] + 1, 0, (of.residue_stop - of.residue_start + 1)[None, :]
        )
        counted = np.add.reduceat(within, of.runs_of_protein, axis=1)
    everyone = np.arange(len(of.band.members))
    found = _of_clusters(of, everyone, counted)
    return Exchanged(len(of.band.size), np.arange(len(of.band.size)), found, np.zeros_like(found))


def hits(of: Givers, fired: Mapping[int, Ints]) -> Exchanged:
    """Count what a feature hits with the annotations of each giver.

    What lies beyond a receiver's sequence cannot fire there, so that spans need not be cut to it.

    Parameters
    ----------
    of : Givers
    fired : mapping of int to int64 array
        By protein: positions where the feature fires, 1-based, each once.

    Returns
    -------
    Exchanged
        Residues that are right, and instances that are hit.
    """
    at = np.array([i for i, p in enumerate(of.band.members.tolist()) if p in fired], np.int64)
    last = int(of.instance_stop.max())
    up_to = np.zeros((len(at), last + 1), np.int64)  # fired residues up to a position
    for i, protein in enumerate(of.band.members[at].tolist()):
        positions = fired[protein]
        up_to[i, positions[positions <= last]] = 1
    np.cumsum(up_to, axis=1, out=up_to)
    in_runs = up_to[:, of.residue_stop] - up_to[:, of.residue_start - 1]
    n_tp = np.add.reduceat(in_runs, of.runs_of_protein, axis=1)
    is_span_hit = up_to[:, of.instance_stop] > up_to[:, of.instance_start - 1]
    is_hit = np.logical_or.reduceat(is_span_hit, of.of_instance, axis=1)
    n_hit = np.add.reduceat(is_hit.astype(np.int64), of.of_protein, axis=1)
    receiver = np.unique(of.band.cluster[at])
    return Exchanged(len(of.band.size), receiver, _of_clusters(of, at, n_tp), _of_clusters(of, at, n_hit))


def _of_clusters(of: Givers, at: Ints, counted: Ints) -> Ints:
    """Add up what the members of a receiver get from those of a giver; int64 [n_receivers, n_givers].

    Members get the annotations of the other cluster's members in turn, from the first again where
    there are fewer.

    Parameters
    ----------
    at : int64 [n]
        Members of the band, in order.
    counted : int64 [n, n_giving_proteins]
    """
    if not len(at):
        return np.zeros((0, len(of.clusters)), np.int64)
    is_its_turn = of.band.place[at][:, None] % of.size[None, :] == of.place[None, :]
    of_giver = np.add.reduceat(np.where(is_its_turn, counted, 0), of.of_cluster, axis=1)
    first = np.flatnonzero(np.diff(of.band.cluster[at], prepend=-1))
    found: Ints = np.add.reduceat(of_giver, first, axis=0)
    return found


def draw(of: Sequence[Givers], n_draws: int, rng: np.random.Generator) -> list[Ints]:
    """Exchange within each band that has anything to give; by band, int64 [n_givers, n_draws]."""
    return [receivers(len(its.band.size), len(its.clusters), n_draws, rng) for its in of]
