"""The process that runs one question: ``python -m interplm_wh.console.child``.

It reads a `Request` as JSON from standard input and writes a line of JSON to standard output: either
``{"error": …, "message": …}`` or ``{"is_truncated": …, "wide": …}``, followed by an Arrow IPC stream.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.ipc

from interplm_wh import schema, sqlfile
from interplm_wh.console import landlock, limits
from interplm_wh.console.admit import admit
from interplm_wh.console.request import Request
from interplm_wh.console.rows import first_rows
from interplm_wh.errors import InputError, InterplmError
from interplm_wh.store import layout
from interplm_wh.store.reader import GONE, Warehouse

# What is read to find out how many cores and how much memory there are; DuckDB does not start where
# a file that says so is there and cannot be opened.
_MACHINE = ("/proc/self/cgroup", "/proc/self/statm", "/sys/fs/cgroup", "/sys/devices/system/cpu")

_CATALOGUE = "wh"  # as a Warehouse names it
_THREADS = 2

# DuckDB stops before the kernel does, because its message is better.
_DUCKDB_SHARE = 0.75


def fence(root: Path, spill: Path) -> bool:
    """Leave this process the published files and `spill`; returns whether the kernel can."""
    readable = [root / layout.CATALOGUE, root / layout.LAKE, *map(Path, _MACHINE)]
    return landlock.restrict(read=[path for path in readable if path.exists()], write=[spill])


def lock(con: duckdb.DuckDBPyConnection, request: Request, spill: Path) -> None:
    """Fix all settings of a connection whose views are laid."""
    settings: dict[str, object] = {
        "threads": _THREADS,
        "TimeZone": "UTC",  # the machine's own cannot be read where files cannot be opened
        "memory_limit": f"{int(request.memory_bytes * _DUCKDB_SHARE)}B",
        "temp_directory": str(spill),
        "max_temp_directory_size": f"{request.spill_bytes}B",
        "secret_directory": str(spill),
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "allowed_directories": [str(Path(request.root, layout.LAKE))],
        "enable_external_access": False,
        "lock_configuration": True,  # last: nothing can be set after it
    }
    for name, value in settings.items():
        con.execute(f"set {name} = $value", {"value": value})


def _answer(request: Request, out: IO[bytes]) -> None:
    root, spill = Path(request.root), Path.cwd()
    # Read while files can be opened.
    schema.tables()
    sqlfile.load_folder("macros")
    fence(root, spill)
    with Warehouse(root, own_macros=True) as wh:
        lock(wh.con, request, spill)
        limits.bound_memory(request.memory_bytes)
        sql = admit(wh.con, request.sql, catalogue=_CATALOGUE)
        rows, is_truncated, wide = first_rows(
            wh.con, sql, max_rows=request.max_rows, max_bytes=request.max_bytes
        )
    out.write(json.dumps({"is_truncated": is_truncated, "wide": wide}).encode() + b"\n")
    with pa.ipc.new_stream(out, rows.schema) as stream:
        stream.write_table(rows)


def _refusal(error: Exception, request: Request) -> dict[str, str]:
    """Say in words what went wrong, and which exception the parent raises."""
    if isinstance(error, InterplmError):
        return {"error": type(error).__name__, "message": str(error)}
    message = str(error)
    if isinstance(error, MemoryError) or "Out of Memory Error" in message:
        needs, limit = "memory", request.memory_bytes
        if "max_temp_directory_size" in message:
            needs, limit = "disk for what does not fit in memory", request.spill_bytes
        message = (
            f"this needs more than {limit / 2**30:.2g} GiB of {needs}; narrow it down with where or limit"
        )
    if GONE.search(message):
        return {"error": "Gone", "message": message}
    return {"error": InputError.__name__, "message": message}


def main() -> None:
    """Answer the question on standard input."""
    request = Request(**json.load(sys.stdin))
    limits.end_with_parent(request.parent)
    limits.bound_time(request.seconds, threads=_THREADS, file_bytes=request.spill_bytes)
    # What libraries print must not stand in the answer.
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    with os.fdopen(answer, "wb") as out:
        try:
            _answer(request, out)
        # OSError: what DuckDB says about a row after the first comes through Arrow as one.
        except (InterplmError, duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
            out.write(json.dumps(_refusal(error, request)).encode() + b"\n")


if __name__ == "__main__":
    main()
