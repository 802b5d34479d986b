"""Progress on standard error for anything that may take over two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

FIRST_SECONDS, PLAIN_SECONDS = 2.0, 10.0
"""Without a terminal: when the first line comes, and how often the others do."""


class Bar(Protocol):
    """What a loop tells of its progress."""

    def advance(self, amount: float) -> None:
        """Say that `amount` more units are done."""

    def describe(self, text: str) -> None:
        """Change the text before the bar."""

    def expect(self, amount: float) -> None:
        """Say that there are `amount` more units than was known."""


def _speed(rate: float) -> str:
    """Return a rate as people read it: what is slow is not 0."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class _Rate(ProgressColumn):
    """Units per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Show the speed of one task."""
        speed = task.finished_speed or task.speed
        return Text(f"{_speed(speed)} {self._unit}/s" if speed else "")


class _RichBar:
    def __init__(self, progress: Progress, text: str, total: float | None, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total, completed=done)

    def advance(self, amount: float) -> None:
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def expect(self, amount: float) -> None:
        total = self._progress.tasks[self._task].total
        self._progress.update(self._task, total=None if total is None else total + amount)


class _PlainBar:
    """A line now and then, for a log file."""

    def __init__(self, text: str, total: float | None, unit: str, done: float) -> None:
        self._text, self._total, self._unit = text, total, unit
        self._before = self._done = done
        self._started = time.monotonic()
        self._due = self._started + FIRST_SECONDS

    def advance(self, amount: float) -> None:
        self._done += amount
        self._say_if_due()

    def describe(self, text: str) -> None:
        self._text = text
        self._say_if_due()

    def expect(self, amount: float) -> None:
        if self._total is not None:
            self._total += amount

    def _say_if_due(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + PLAIN_SECONDS
        rate = (self._done - self._before) / (now - self._started)
        of = f" of {self._total:,.0f}" if self._total is not None else ""
        left = ""
        if self._total is not None and rate > 0:
            left = f", about {(self._total - self._done) / rate:,.0f} s left"
        print(
            f"{self._text}: {self._done:,.0f}{of} {self._unit}, {_speed(rate)} {self._unit}/s{left}",
            file=sys.stderr, flush=True,
        )  # fmt: skip


@contextmanager
def track(text: str, *, total: float | None = None, unit: str = "steps", done: int = 0) -> Iterator[Bar]:
    """Show a bar with rate and time left while the block runs; without a terminal, a line now and then.

    Parameters
    ----------
    text : str
        What is being done.
    total : float, optional
        Units in all; without it the bar only moves.
    unit : str
        What is counted, in the plural.
    done : int
        Units of earlier runs, which count for the total but not for the rate.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainBar(text, total, unit, done)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}" + ("/{task.total:,.0f}" if total is not None else "")),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _RichBar(progress, text, total, done)
