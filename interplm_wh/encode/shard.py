"""Which blocks a worker takes that shares the work with others it never hears of."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass

from interplm_wh.errors import InputError


@dataclass(frozen=True)
class Shard:
    """One of so many equal shares of the residues.

    Attributes
    ----------
    index, count : int
        The share, from 1 to `count`.
    """

    index: int
    count: int

    def taken(self, sizes: Sequence[int]) -> frozenset[int]:
        """Return which blocks are in this share.

        Each block goes to the share that has fewest residues yet, the first of several, so that shares
        differ by one block at most. What was finished meanwhile and what is appended move no block.

        Parameters
        ----------
        sizes : sequence of int
            Residues of each block, of all proteins of the warehouse.
        """
        shares = [(0, index) for index in range(1, min(self.count, len(sizes)) + 1)]
        found = set()
        for block, size in enumerate(sizes):
            n_residues, index = heapq.heappop(shares)
            heapq.heappush(shares, (n_residues + size, index))
            if index == self.index:
                found.add(block)
        return frozenset(found)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard(1, 1)


def parse(text: str) -> Shard:
    """Read I/N.

    Raises
    ------
    InputError
        If it is not of that form, or I is not from 1 to N.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text, re.ASCII)
    if found is None:
        raise InputError(f"{text!r} is no shard; give I/N, for instance 1/4 for the first of four")
    index, count = int(found[1]), int(found[2])
    if not 1 <= index <= count:
        raise InputError(f"{text} is no shard; shards of {count} are numbered from 1 to {count}")
    return Shard(index, count)
