"""Questions in SQL from readers of the pages: a few at a time, each within bounds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from interplm_wh.console import Answer, ask
from interplm_wh.errors import InputError

_AT_ONCE = 2
# Of the whole process: a page that is opened in a hundred tabs starts two children and no more.
_TURNS = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True)
class Bounds:
    """What one question may take.

    Attributes
    ----------
    seconds : float
        After which it is stopped.
    rows : int
        Of the answer.
    wait_seconds : float
        How long a question waits for its turn where two others are being answered.
    """

    seconds: float = 30.0
    rows: int = 5000
    wait_seconds: float = 5.0


BOUNDS = Bounds()


def ask_in_turn(warehouse: Path, sql: str, *, bounds: Bounds) -> Answer:
    """Ask when it is this question's turn; may be called from any thread.

    Raises
    ------
    InterplmError
        As `ask`; or if others took too long.
    """
    if not _TURNS.acquire(timeout=bounds.wait_seconds):
        raise InputError(
            f"{_AT_ONCE} other questions are being answered, and no more are at a time; "
            f"each ends within {bounds.seconds:g} s: press Run again then"
        )
    try:
        return ask(warehouse, sql, max_rows=bounds.rows, seconds=bounds.seconds)
    finally:
        _TURNS.release()
