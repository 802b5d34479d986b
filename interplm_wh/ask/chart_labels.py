"""Room for names beside the points of a chart, and an axis to measure it by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LETTER, _LINE, _POINT = 6.1, 11.0, 12.0
"""Pixels: width of a letter at size 11, height of a line, side of a point."""


@dataclass(frozen=True)
class Place:
    """Where a name stands: pixels right of and below its point, and how it is aligned."""

    dx: int
    dy: int
    align: str


PLACES = (
    Place(10, 0, "left"), Place(-10, 0, "right"), Place(0, -13, "center"), Place(0, 14, "center"),
    Place(8, -11, "left"), Place(8, 12, "left"), Place(-8, -11, "right"), Place(-8, 12, "right"),
)  # fmt: skip
_Box = tuple[float, float, float, float]


def padded(values: Sequence[float], pixels: float, padding: float) -> tuple[float, float]:
    """Return the ends of an axis of a length in pixels, with padding inside of both.

    Where all values are equal, but for rounding, the axis reaches a tenth of them beyond.
    """
    low, high = min(values), max(values)
    margin = (high - low) * padding / (pixels - 2 * padding)
    if math.isclose(low, high, rel_tol=1e-6, abs_tol=1e-9):
        margin = abs(low) / 10 or 1.0
    return low - margin, high + margin


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten between two numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [v for p in powers for m in (1, 2, 5) if low <= (v := m * 10.0**p) <= high]


def places(
    points: Sequence[tuple[float, float]], names: Sequence[str], *, width: float, height: float
) -> list[int | None]:
    """Choose a place for each name where it covers no point, no other name and no edge.

    Parameters
    ----------
    points : sequence of (float, float)
        Pixels from the left and from the top.
    names : sequence of str
    width, height : float
        Of the drawing, in pixels.

    Returns
    -------
    list of int or None
        Index in `PLACES`; None where there is no room.
    """
    taken = [_around(x, y) for x, y in points]
    found: list[int | None] = []
    for (x, y), name in zip(points, names, strict=True):
        chosen = None
        for index, place in enumerate(PLACES):
            box = _box(x, y, name, place)
            is_inside = box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height
            if is_inside and not any(_overlap(box, other) for other in taken if other != _around(x, y)):
                chosen = index
                taken.append(box)
                break
        found.append(chosen)
    return found


def _around(x: float, y: float) -> _Box:
    return x - _POINT / 2, y - _POINT / 2, x + _POINT / 2, y + _POINT / 2


def _box(x: float, y: float, name: str, place: Place) -> _Box:
    length = _LETTER * len(name)
    left = x + place.dx - {"left": 0.0, "center": length / 2, "right": length}[place.align]
    top = y + place.dy - _LINE / 2
    return left, top, left + length, top + _LINE


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
