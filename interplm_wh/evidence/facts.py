"""What the nulls move: where concepts are annotated and features fire, on the proteins of test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from interplm_wh.evidence.counts import Ints, Spans
from interplm_wh.evidence.tested import Counts, Members, Seen, by_value, counts, rows, within
from interplm_wh.store import Warehouse

_MOST_FIRED = 1 << 24
"""Residues where features fire that are held at a time, some 30 bytes each; more if one concept has more."""


@dataclass(frozen=True)
class Pair:
    """Where the feature of a pair fires at its threshold."""

    fired: Mapping[int, Ints]
    """By the index of a protein: positions where the feature fires, 1-based, in order."""
    n_fired: int
    """Residues where it fires."""


@dataclass(frozen=True)
class Concept:
    """One concept with all its pairs.

    Attributes
    ----------
    counts : Counts
        What is seen.
    members : Members
    spans : mapping of int to Spans
        By the index of a protein.
    pairs : tuple of Pair
        In the order of `counts`.
    """

    counts: Counts
    members: Members
    spans: Mapping[int, Spans]
    pairs: tuple[Pair, ...]

    @property
    def n_to_find(self) -> int:
        """Instances of the concept, or residues."""
        return int(self.counts.n_to_find.sum())


def concepts(wh: Warehouse, sae: str, seen: Seen, of: Mapping[str, Members]) -> Iterator[Concept]:
    """Yield tested concepts with what the nulls need, in their order.

    What fires is read for some concepts at a time, so that memory is bounded.
    """
    concept_id = np.array(seen.pairs["concept_id"], np.int64)
    lowest = float(min(seen.pairs["threshold"], default=0.0))
    for batch in _batches(seen, concept_id):
        ids, features = np.unique(concept_id[batch]), np.unique(seen.pairs["feature"][batch])
        spans = rows(wh, "tested_spans", {"sae": sae, "concepts": ids.tolist()})
        values = {"sae": sae, "features": features.tolist(), "lowest": lowest}
        firing = rows(wh, "tested_firing", values)
        for one in counts(seen, of, only=set(ids.tolist())):
            its = of[one.source]
            pairs = (
                _pair(firing, feature, threshold, its)
                for feature, threshold in zip(one.feature.tolist(), one.threshold.tolist(), strict=True)
            )
            yield Concept(one, its, _spans(spans, one.concept_id, its), tuple(pairs))


def _batches(seen: Seen, concept_id: Ints) -> Iterator[slice]:
    """Yield runs of pairs, of whole concepts, that fire on no more than `_MOST_FIRED` residues together."""
    first, n = 0, 0
    for own in by_value(concept_id):
        its = int(
            seen.counted["n_fired"][within(seen.counted["concept_id"], int(concept_id[own.start]))].sum()
        )
        if n and n + its > _MOST_FIRED:
            yield slice(first, own.start)
            first, n = own.start, 0
        n += its
    if len(concept_id):
        yield slice(first, len(concept_id))


def _spans(found: Mapping[str, Any], concept_id: int, members: Members) -> dict[int, Spans]:
    part = within(found["concept_id"], concept_id)
    at, _ = members.index_of(found["protein_id"][part])
    return {
        int(at[own.start]): Spans(
            found["start"][part][own],
            found["stop"][part][own],
            np.unique(found["instance_id"][part][own], return_inverse=True)[1].astype(np.int64),
        )
        for own in by_value(at)
    }


def _pair(found: Mapping[str, Any], feature: int, threshold: float, members: Members) -> Pair:
    part = within(found["feature"], feature)
    at, is_member = members.index_of(found["protein_id"][part])
    kept = is_member & (found["activation"][part] > np.float32(threshold))
    position, at = found["position"][part][kept], at[kept]
    return Pair({int(at[own.start]): position[own] for own in by_value(at)}, len(position))
