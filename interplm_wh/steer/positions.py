"""Positions as they are written: 1-5,9; 1-based, ends included."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from interplm_wh.errors import InputError

_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
ALL, NONE = "all", "none"
_MOST = 1_000_000


def parse(text: str, *, option: str) -> tuple[int, ...]:
    """Read positions; returns them ascending, each once.

    Raises
    ------
    InputError
        If the text is no list of positions, or a range runs backwards.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last < _MOST:
            raise InputError(
                f"{option} {text!r}: {part.strip()!r} is no position; write them from 1, as in 1-5,9"
            )
        found |= set(range(first, last + 1))
    return tuple(sorted(found))


def write(positions: Sequence[int]) -> str:
    """Return positions as they are read, runs as ranges."""
    runs = []
    for _, members in groupby(enumerate(sorted(positions)), key=lambda pair: pair[1] - pair[0]):
        run = [position for _, position in members]
        runs.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}")
    return ",".join(runs)


def beyond(positions: Sequence[int], length: int) -> tuple[int, ...]:
    """Return the positions that a sequence does not have."""
    return tuple(p for p in positions if p > length)
