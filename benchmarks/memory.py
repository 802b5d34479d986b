"""The most memory that a process had at once."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_gb() -> float:
    """Return the largest resident set of this process, in GB (1e9 bytes).

    Not what `getrusage` says, where the system says more: on Linux that begins with the peak of the process
    that started this one.
    """
    if not _STATUS.exists():
        return _gb(resource.RUSAGE_SELF)
    kibibytes = _STATUS.read_text().partition("VmHWM:")[2].split()[0]
    return int(kibibytes) * 1024 / 1e9


def children_peak_gb() -> float:
    """Return the largest resident set of a process that this one started, or its own where that is larger."""
    return max(peak_gb(), _gb(resource.RUSAGE_CHILDREN))


def _gb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
