"""What is said of errors that nobody raised on purpose: a full disk, a damaged file, a key that stops it."""

from __future__ import annotations

import errno
import os
import re

STOPPED = "stopped; what was published before is intact, and the same command goes on from there"

# What the machine refuses, whatever is written or read, and what to do about it.
_REMEDIES = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "free some of your quota and run the same command again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) and run the same command again",
    errno.EROFS: "copy what lies there to where you may write, and use the copy",
    errno.EACCES: "ask its owner, or copy the warehouse and use the copy",
    errno.EPERM: "ask its owner, or copy the warehouse and use the copy",
    errno.EMFILE: "raise the limit on open files (ulimit -n) and run the same command again",
    errno.EIO: "the disk itself may be failing: copy what is there before anything else",
}
_WORDS = {os.strerror(number): number for number in _REMEDIES}
_PATH = re.compile(r'file \\*"([^"\\]+)\\*"')


def of_the_machine(error: BaseException) -> tuple[str, int] | None:
    """Return the file that the machine refuses to write or read, and errno; None where it is not that.

    DuckDB has no errno of its own: it puts the system's words into the message, at times in JSON.
    """
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return str(error.filename or ""), error.errno
    text = str(error)
    for words, number in _WORDS.items():
        if words in text:
            found = _PATH.search(text)
            return found[1] if found else "", number
    return None


def explain(error: Exception) -> str:
    """Say what happened and what to do about it, in one line where that is known.

    Parameters
    ----------
    error : Exception
        Anything but an error of the package's own, which says all of this itself.
    """
    refused = of_the_machine(error)
    if refused is not None:
        file, number = refused
        where = f": {file}" if file else ""
        return f"{os.strerror(number)}{where}; nothing half-written was published; {_REMEDIES[number]}"
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}; nothing half-written was published"
    return _of_duckdb(type(error).__name__, str(error))


def _of_duckdb(kind: str, text: str) -> str:
    first = text.partition("\n")[0] or kind
    if "Query interrupted" in text or kind == "InterruptException":
        return STOPPED
    if "see: interplm-wh verify" in text:
        return first.removeprefix("Invalid Input Error: ")
    if "Corrupt database file" in text:
        return f"the catalogue is damaged ({first}); restore it from a copy, or begin anew with init"
    if "max_temp_directory_size" in text:
        return (
            "the disk has no room for what memory cannot hold; nothing was published; free some space, or "
            "let DuckDB take more memory with INTERPLM_WH_MEMORY=8GB in front, and run the same command again"
        )
    if "No files found" in text or "Cannot open file" in text:
        return f"a file of the warehouse is gone ({first}); see: interplm-wh verify"
    if "Parquet" in text or "parquet" in first:
        return f"a file of the warehouse is damaged ({first}); see: interplm-wh verify"
    if "Symlink loop" in text:
        return f"{first}; give a path that leads to a file"
    if kind == "OutOfMemoryException":
        return (
            "DuckDB needs more memory than it may take; nothing was published; let it take more with "
            "INTERPLM_WH_MEMORY=8GB in front, and run the same command again"
        )
    return f"{kind}: {text or first}; run it again with --debug to see where"
