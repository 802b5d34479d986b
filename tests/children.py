"""Processes that answer questions to the console; a test's process may have others, such as Spark's."""

from __future__ import annotations

from contextlib import suppress

import psutil


def answering() -> list[psutil.Process]:
    """Return the children of this process that answer a question."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if "interplm_wh.console.child" in " ".join(child.cmdline()):
                found.append(child)
    return found
