"""How often chance does as well as what was seen: as many draws as the answer needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interplm_wh.evidence.counts import Floats, Ints

ENOUGH = 20
"""Draws that do as well, after which no more are needed."""
FIRST, GROWTH = 200, 3


@dataclass(frozen=True)
class Chance:
    """What chance gave, pair by pair.

    Attributes
    ----------
    n_draws, n_exceeding : int64 [n_pairs]
        Draws that were looked at, and those that did as well as the pair, or better.
    n_max_draws, n_max_exceeding : int64 [n_pairs]
        The same for the best of all pairs in a draw.
    """

    n_draws: Ints
    n_exceeding: Ints
    n_max_draws: Ints
    n_max_exceeding: Ints

    @property
    def p(self) -> Floats:
        """(1 + exceeding) / (1 + draws): never 0, and valid however the number of draws was found.

        Source: Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9:39;
        for a number of draws that depends on them, Besag and Clifford (1991), Biometrika 78:301.
        """
        return (1 + self.n_exceeding) / (1 + self.n_draws)

    @property
    def p_max(self) -> Floats:
        """The same, against the best of all pairs: for any of them to be this good by chance."""
        return (1 + self.n_max_exceeding) / (1 + self.n_max_draws)


def draw(observed: Floats, chance: Callable[[int], Floats], *, most: int, enough: int = ENOUGH) -> Chance:
    """Draw until every pair was reached often enough, or as often as is allowed.

    Parameters
    ----------
    observed : float64 [n_pairs]
    chance : callable
        Takes a number of draws and returns their statistics, float64 [n_draws, n_pairs]: new ones
        at each call.
    most : int
        Draws at most.
    enough : int
        A pair needs no more draws than up to the one that is the so-manieth to do as well.
    """
    n = len(observed)
    tallies = [_Tally.empty(n), _Tally.empty(n)]
    done, size = 0, min(FIRST, most)
    while size and not all(tally.is_over(enough) for tally in tallies):
        drawn = chance(size)
        tallies[0].add(drawn >= observed, enough)
        tallies[1].add(drawn.max(axis=1, keepdims=True) >= observed, enough)
        done += size
        size = min(done * (GROWTH - 1), most - done)
    one, best = tallies
    return Chance(one.n_draws, one.n_exceeding, best.n_draws, best.n_exceeding)


@dataclass(frozen=True)
class _Tally:
    n_draws: Ints
    n_exceeding: Ints

    @staticmethod
    def empty(n: int) -> _Tally:
        return _Tally(np.zeros(n, np.int64), np.zeros(n, np.int64))

    def is_over(self, enough: int) -> bool:
        return bool((self.n_exceeding >= enough).all())

    def add(self, exceeds: np.ndarray[tuple[int, int], np.dtype[np.bool_]], enough: int) -> None:
        """Count draws, of each pair up to the one with which it has enough."""
        so_far = self.n_exceeding + np.cumsum(exceeds, axis=0)
        is_open = self.n_exceeding < enough
        counted = np.where(so_far[-1] >= enough, np.argmax(so_far >= enough, axis=0) + 1, len(exceeds))
        self.n_draws[:] += np.where(is_open, counted, 0)
        self.n_exceeding[:] = np.where(is_open, np.minimum(so_far[-1], enough), self.n_exceeding)
