"""Every error that the package raises on purpose.

::

    InterplmError                 what a command line prints after "Error: " (exit code 1)
    ├── InputError                a file, row or sequence that cannot be taken as it is
    ├── NotThereError             a warehouse, table, SAE or protein that does not exist
    ├── LockedError               another process is writing to the warehouse
    ├── MismatchError             a model, layer or shape that does not belong together
    ├── CheckError                a schema check or a checksum that failed
    ├── EncodingError             proteins that could not be encoded, while all others were
    ├── DownloadError             a server that does not answer, or not with what it should
    ├── EngineError               Spark that is not there, does not answer or gave up
    ├── TrainingError             a training that went astray
    ├── ModelError                a model that cannot be loaded: absent, unreadable, unsafe, extra missing
    └── ResourceError             a file that the package itself should carry, or carries wrongly

A message says what, where, and the next step.
"""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_FAULTS = 10


class InterplmError(Exception):
    """Base of every error that the package raises on purpose."""


class InputError(InterplmError):
    """A file, row or sequence that cannot be taken as it is."""


class NotThereError(InterplmError):
    """A warehouse, table, SAE or protein that does not exist."""


class LockedError(InterplmError):
    """Another process is writing to the warehouse."""


class MismatchError(InterplmError):
    """A model, layer or shape that does not belong to the others."""


class CheckError(InterplmError):
    """A schema check or a checksum that failed."""


class EncodingError(InterplmError):
    """Proteins that could not be encoded, while all others were."""


class ModelError(InterplmError):
    """A model that cannot be loaded."""


class DownloadError(InterplmError):
    """A server that does not answer, or not with what it should."""


class EngineError(InterplmError):
    """Spark that is not there, does not answer, or gave up."""


class TrainingError(InterplmError):
    """A training whose loss or gradient is not finite."""


class ResourceError(InterplmError):
    """A file of the package itself that is missing or malformed."""


def faults_message(where: str, faults: Sequence[str], remedy: str) -> str:
    """Put all faults of one input into one message.

    Parameters
    ----------
    where : str
        The input that they were found in.
    faults : sequence of str
        One sentence per fault, in the order of the input; the first ten are shown.
    remedy : str
        The next step for the user.
    """
    shown = "".join(f"\n  - {fault}" for fault in faults[:SHOWN_FAULTS])
    more = len(faults) - SHOWN_FAULTS
    rest = f"\n  … and {more} more" if more > 0 else ""
    return f"{where}: {len(faults)} fault{'s' if len(faults) != 1 else ''}{shown}{rest}\n{remedy}"
