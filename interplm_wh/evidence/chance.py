"""Both nulls of one concept, for all of its pairs on the same draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interplm_wh.evidence import draws, exchanges, shifts
from interplm_wh.evidence.counts import Floats, Ints, f1
from interplm_wh.evidence.facts import Concept, Pair

_CELLS = 1 << 22
"""Draws times what is drawn for each that are held at a time."""


def of_shifts(concept: Concept, seen: Floats, *, most: int, seed: int) -> draws.Chance:
    """Weigh all pairs of a concept against annotations that are turned around their proteins.

    Parameters
    ----------
    seen : float64 [n_pairs]
        F1 of each pair.
    most : int
        Draws at most.
    seed : int
        One seed gives one concept the same draws.
    """
    carriers = list(concept.spans)
    at = {protein: i for i, protein in enumerate(carriers)}
    pairs = [
        shifts.ShiftedPair(
            (at[protein], *profile(pair, concept, protein)) for protein in carriers if protein in pair.fired
        )
        for pair in concept.pairs
    ]
    rng, there, n = _rng(concept, seed), concept.n_to_find, len(carriers)

    def block(n_draws: int) -> Floats:
        uniform = rng.random((n_draws, n), dtype=np.float32)
        counts = [pair.counts(uniform) for pair in pairs]
        return _columns(concept, counts, there)

    return draws.draw(seen, _in_parts(block, n), most=most)


def of_exchanges(concept: Concept, seen: Floats, *, most: int, seed: int) -> draws.Chance:
    """Weigh all pairs of a concept against annotations that are exchanged; arguments as of `of_shifts`."""
    lengths = concept.members.length
    bands = exchanges.bands(lengths, concept.members.cluster)
    laid = [its for its in (exchanges.givers(concept.spans, band) for band in bands) if its is not None]
    to_find = [exchanges.to_find(its, lengths, by_instance=concept.counts.by_instance) for its in laid]
    pairs = [[exchanges.hits(its, pair.fired) for its in laid] for pair in concept.pairs]
    rng = _rng(concept, seed)

    def block(n_draws: int) -> Floats:
        drawn = exchanges.draw(laid, n_draws, rng)
        there, _ = _over_bands(to_find, drawn)
        return _columns(concept, [_over_bands(pair, drawn) for pair in pairs], there)

    return draws.draw(seen, _in_parts(block, max((len(its.band.size) for its in laid), default=1)), most=most)


def profile(pair: Pair, concept: Concept, protein: int) -> tuple[Ints, Ints]:
    """Return what a pair hits on one protein for every offset of its annotations; see `shift_profile`."""
    length = int(concept.members.length[protein])
    return shifts.shift_profile(pair.fired[protein], concept.spans[protein], length)


def _rng(concept: Concept, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, concept.counts.concept_id])


def _over_bands(tables: list[exchanges.Exchanged], drawn: list[Ints]) -> tuple[Ints, Ints]:
    both = [table.counts(one) for table, one in zip(tables, drawn, strict=True)]
    first, second = np.array(both).sum(axis=0)
    return first, second


def _columns(concept: Concept, counts: list[tuple[Ints, Ints]], there: Ints | int) -> Floats:
    """Return F1 of each draw and pair."""
    return np.stack(
        [
            f1(n_tp, pair.n_fired, n_hit if concept.counts.by_instance else n_tp, there)
            for pair, (n_tp, n_hit) in zip(concept.pairs, counts, strict=True)
        ],
        axis=1,
    )


def _in_parts(block: Callable[[int], Floats], n: int) -> Callable[[int], Floats]:
    """Make many draws a part at a time, so that memory is bounded."""
    step = max(1, _CELLS // max(n, 1))

    def all_of_them(n_draws: int) -> Floats:
        return np.concatenate([block(min(step, n_draws - done)) for done in range(0, n_draws, step)])

    return all_of_them
