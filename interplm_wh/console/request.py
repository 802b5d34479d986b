"""What the parent tells the child of a console."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """What a child is asked.

    Attributes
    ----------
    root : str
        The warehouse, absolute.
    sql : str
    max_rows, max_bytes : int
        Of the answer.
    seconds : float
        After which the child ends by itself.
    memory_bytes, spill_bytes : int
        What it may use of memory and of disk.
    parent : int
        The process that asks; the child ends with it.
    """

    root: str
    sql: str
    max_rows: int
    max_bytes: int
    seconds: float
    memory_bytes: int
    spill_bytes: int
    parent: int
