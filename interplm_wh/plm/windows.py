"""Overlapping windows over a protein that is longer than a model can hold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Window:
    """One window and the residues that are taken from it.

    Attributes
    ----------
    start, stop : int
        Residues that the model sees: 0-based, `stop` excluded.
    keep_start, keep_stop : int
        Residues that are taken from this window, counted in the protein like `start` and `stop`.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def windows(length: int, window: int) -> tuple[Window, ...]:
    """Cover a protein by windows, each residue taken where it is farthest from a window's edge.

    Neighbouring windows overlap by at least half a window, so that a residue away from the
    protein's ends sees at least a quarter of a window on both sides. Windows have equal sizes and
    even distances; a residue that lies equally far in two windows is taken from the first.

    Parameters
    ----------
    length : int
        Residues of the protein, at least 1.
    window : int
        Residues that the model can hold, at least 2.

    Returns
    -------
    tuple of Window
        In the order of the protein; what is kept covers each residue exactly once.
    """
    if length <= window:
        return (Window(0, length, 0, length),)
    n = 1 + -(-(length - window) // (window - window // 2))
    starts = [i * (length - window) // (n - 1) for i in range(n)]
    cuts = [(a + b + window + 1) // 2 for a, b in pairwise(starts)]
    keeps = zip([0, *cuts], [*cuts, length], strict=True)
    return tuple(Window(s, s + window, a, b) for s, (a, b) in zip(starts, keeps, strict=True))
