"""Batches of windows by length under a token budget, as a function of the sequences alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interplm_wh.plm.windows import windows

CPU_TOKEN_BUDGET, DEVICE_TOKEN_BUDGET = 1024, 16_384
"""Tokens of a batch unless a caller says otherwise: what stays near a processor's cache (8,192 take
twice the time there), and what keeps a GPU busy."""
SPECIAL_TOKENS = 2
"""Tokens that stand around each sequence (start and end) at most."""


@dataclass(frozen=True)
class Piece:
    """One window of one sequence in a block.

    Attributes
    ----------
    index : int
        The sequence, by its position in the block.
    start, stop : int
        Residues that the model sees: 0-based in the sequence, `stop` excluded.
    row : int
        Row of the block's hidden states that holds the first residue kept.
    skip, n_kept : int
        Residues of the window in front of those kept, and how many are kept.
    """

    index: int
    start: int
    stop: int
    row: int
    skip: int
    n_kept: int

    @property
    def length(self) -> int:
        """Residues that the model sees."""
        return self.stop - self.start


def offsets(lengths: Sequence[int]) -> tuple[int, ...]:
    """Return the first row of each sequence, and the number of rows at the end."""
    rows = [0]
    for length in lengths:
        rows.append(rows[-1] + length)
    return tuple(rows)


def pieces(lengths: Sequence[int], window: int) -> list[Piece]:
    """Cut sequences into windows, in the order of the block."""
    found: list[Piece] = []
    for index, (length, first) in enumerate(zip(lengths, offsets(lengths), strict=False)):
        for w in windows(length, window):
            skip, n_kept = w.keep_start - w.start, w.keep_stop - w.keep_start
            found.append(Piece(index, w.start, w.stop, first + w.keep_start, skip, n_kept))
    return found


def batches(found: Sequence[Piece], token_budget: int) -> list[list[Piece]]:
    """Group pieces of similar length, longest first.

    Parameters
    ----------
    found : sequence of Piece
    token_budget : int
        Tokens of a batch at most, padding and special tokens included; a piece that is longer
        makes a batch by itself.
    """
    grouped: list[list[Piece]] = []
    for piece in sorted(found, key=lambda p: (-p.length, p.index, p.start)):
        widest = grouped[-1][0].length + SPECIAL_TOKENS if grouped else 0
        if grouped and widest * (len(grouped[-1]) + 1) <= token_budget:
            grouped[-1].append(piece)
        else:
            grouped.append([piece])
    return grouped
