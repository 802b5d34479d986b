"""Processes that a test starts: those that answer questions to the console, and those that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import psutil

_KILLED = """
import os, pkgutil, signal, sys
from interplm_wh.cli import cli

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

place, name = sys.argv[1].rsplit(".", 1)
setattr(pkgutil.resolve_name(place), name, die)
cli(sys.argv[2:])
"""
BEFORE, AFTER = "interplm_wh.store.catalogue.write", "interplm_wh.store.staging.Staging.forget_moves"
"""The first call before and after a publish."""


def kill_at(place: str, words: Sequence[str]) -> None:
    """Run the command line in a process that is killed as soon as it calls the function `place`."""
    killed = subprocess.run([sys.executable, "-c", _KILLED, place, *words], check=False)
    assert killed.returncode == -signal.SIGKILL


def answering() -> list[psutil.Process]:
    """Return the children of this process that answer a question."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if "interplm_wh.console.child" in " ".join(child.cmdline()):
                found.append(child)
    return found
