"""Which blocks a worker takes that shares the work with others it never hears of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from interplm_wh.errors import InputError


@dataclass(frozen=True)
class Shard:
    """One of so many equal shares of the blocks.

    Attributes
    ----------
    index, count : int
        The share, from 1 to `count`.
    """

    index: int
    count: int

    def takes(self, block: int) -> bool:
        """Whether a block is in this share.

        Every n-th one is: blocks hold about the same number of residues, their numbers never change, and
        what other workers have finished meanwhile moves none of them.
        """
        return block % self.count == self.index - 1

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
