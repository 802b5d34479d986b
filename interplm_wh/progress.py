"""Progress on standard error for anything that may take over two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Bar(Protocol):
    """What a loop tells of its progress."""

    def advance(self, amount: float) -> None:
        """Say that `amount` more units are done."""

    def describe(self, text: str) -> None:
        """Change the text before the bar."""


class _Rate(ProgressColumn):
    """Units per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Show the speed of one task."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed else "")


class _RichBar:
    def __init__(self, progress: Progress, text: str, total: float | None) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total)

    def advance(self, amount: float) -> None:
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=text)


@contextmanager
def track(text: str, *, total: float | None = None, unit: str = "steps") -> Iterator[Bar]:
    """Show a bar with rate and time left while the block runs.

    Parameters
    ----------
    text : str
        What is being done.
    total : float, optional
        Units in all; without it the bar only moves.
    unit : str
        What is counted, in the plural.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}" + ("/{task.total:,.0f}" if total is not None else "")),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        yield _RichBar(progress, text, total)
