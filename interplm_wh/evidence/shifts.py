"""The first null: each protein's annotations turned around its sequence by any offset."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from interplm_wh.evidence.counts import HALF, Ints, Spans

_MOST_PAIRS = 1 << 16
"""Pairs of a fired and an annotated residue that are counted one by one; beyond, by Fourier transforms."""


def shift_profile(fired: Ints, spans: Spans, length: int) -> tuple[Ints, Ints]:
    """Return what a feature hits on one protein for every offset of its annotations.

    A span that is turned beyond the end goes on at the beginning, and its instance stays one.

    Parameters
    ----------
    fired : int64 [n]
        Positions where the feature fires, 1-based, each once.
    spans : Spans
        Within the sequence.
    length : int
        Residues of the protein.

    Returns
    -------
    n_tp, n_hit : int64 [length]
        By offset: residues of the concept where the feature fires, instances with such a residue.
    """
    width = spans.stop - spans.start + 1
    which = np.repeat(spans.instance, width)
    within = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
    covered = np.repeat(spans.start, width) + within
    n = spans.n_instances
    by_instance = _correlated(fired, covered, which, n, length) > 0
    n_hit = by_instance.sum(axis=0)
    once = np.unique(covered)
    n_tp = _correlated(fired, once, np.zeros(len(once), np.int64), 1, length)[0]
    return n_tp, n_hit


def _correlated(fired: Ints, covered: Ints, group: Ints, n_groups: int, length: int) -> Ints:
    """Count, by group and offset, the fired residues that covered ones are turned to; [n_groups, length]."""
    if len(fired) * len(covered) <= _MOST_PAIRS:
        offset = (fired[:, None] - covered[None, :]) % length
        counted = np.bincount((offset + group[None, :] * length).ravel(), minlength=n_groups * length)
        return counted.reshape(n_groups, length)
    there = np.zeros(length)
    there[fired - 1] = 1.0
    cover = np.zeros((n_groups, length))
    cover[group, covered - 1] = 1.0
    turned = np.fft.irfft(np.fft.rfft(there) * np.conj(np.fft.rfft(cover, axis=1)), length, axis=1)
    return np.rint(turned).astype(np.int64)


class ShiftedPair:
    """The profiles of one pair, on the proteins where it has both the concept and the feature.

    Parameters
    ----------
    profiles : iterable of (protein, n_tp, n_hit)
        The index of a protein among those that offsets are drawn for, and what `shift_profile` returned.
    """

    def __init__(self, profiles: Iterable[tuple[int, Ints, Ints]]) -> None:
        kept = list(profiles)
        self._proteins = np.array([protein for protein, _, _ in kept], np.int64)
        lengths = np.array([len(n_tp) for _, n_tp, _ in kept], np.int64)
        self._lengths = lengths
        self._first = np.cumsum(lengths) - lengths
        # Both counts of a place in one number, so that they are looked up at once.
        packed = [(n_tp << HALF) | n_hit for _, n_tp, n_hit in kept]
        self._packed = np.concatenate(packed) if packed else np.empty(0, np.int64)

    def counts(self, uniform: npt.NDArray[np.float32]) -> tuple[Ints, Ints]:
        """Return the counts of draws.

        Parameters
        ----------
        uniform : float32 [n_draws, n_proteins]
            From [0, 1): how far each protein's annotations are turned, as a share of its length.

        Returns
        -------
        n_tp, n_hit : int64 [n_draws]
        """
        drawn = uniform[:, self._proteins].astype(np.float64)
        offset = np.minimum((drawn * self._lengths).astype(np.int64), self._lengths - 1)
        both = self._packed[self._first + offset].sum(axis=1)
        return both >> HALF, both & ((1 << HALF) - 1)
