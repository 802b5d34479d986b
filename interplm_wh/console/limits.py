"""What the kernel holds a console's child process to, even when nobody watches it any more."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
from pathlib import Path

_END_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG
# How much later than its parent the kernel ends a child: the parent's message comes first.
_GRACE_SECONDS = 2.0


def bound_time(seconds: float, *, threads: int, file_bytes: int) -> None:
    """End this process by itself soon after its deadline, and let it write no core or huge file.

    The clock is the kernel's, so that a child whose parent was killed does not go on.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
    _lower(resource.RLIMIT_CPU, math.ceil((seconds + _GRACE_SECONDS) * threads))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, file_bytes)


def end_with_parent(parent: int) -> None:
    """End this process when the one that started it has ended; on Linux at once, elsewhere at its deadline.

    Parameters
    ----------
    parent : int
        Its process id: it may have ended before the kernel was asked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)


def bound_memory(more_bytes: int) -> None:
    """Let this process map only so much more than it has now; without effect on macOS.

    What is mapped before is libraries and the stacks of threads: a gigabyte of addresses, and more on
    a machine with more cores, of which little is memory.
    """
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        _lower(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + more_bytes)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(kind, (limit, limit))
