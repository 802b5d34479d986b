"""Take from this process, for good, the right to open files: Linux's Landlock.

DuckDB decides by itself which paths it opens; here the kernel does. Numbers and structures are those
of ``linux/landlock.h``; system calls 444 to 446 have these numbers on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # flag of _CREATE_RULESET: return the version instead
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38  # prctl

_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# How many rights over files, from bit 0 on, each version knows.
_N_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_SINCE, _TCP = 4, 0b11  # bind and connect
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets and signals of other processes


def restrict(*, read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Leave this thread, and those that it starts, nothing but some files and folders.

    Parameters
    ----------
    read : iterable of Path
        Files, and folders with all below them, that may be read.
    write : iterable of Path
        Folders in which everything may be done but running programs.

    Returns
    -------
    bool
        Whether the kernel does so; False where it has no Landlock.

    Raises
    ------
    OSError
        If the kernel has it and refuses.
    """
    version = _version()
    if version < 1:
        return False
    rights = (1 << _N_FILE_RIGHTS[min(version, max(_N_FILE_RIGHTS))]) - 1
    attributes = [rights]
    if version >= _NETWORK_SINCE:
        attributes.append(_TCP)
    if version >= _SCOPES_SINCE:
        attributes.append(_SCOPES)
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    rules = _call(_CREATE_RULESET, packed, len(packed), 0)
    for path in read:
        _allow(rules, path, _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE)
    for path in write:
        _allow(rules, path, rights & ~1)  # bit 0: run a program
    if _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not take back privileges")
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return True


def _allow(rules: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)


def _version() -> int:
    """Return the version of Landlock; 0 or less where there is none."""
    if sys.platform != "linux":
        return 0
    return int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION))


def _call(number: int, *arguments: int | bytes) -> int:
    given = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = int(_libc().syscall(ctypes.c_long(number), *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock's call {number}: {os.strerror(code)}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
