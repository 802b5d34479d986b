"""A file that is written for somebody: it appears whole, and replaces nothing that was not meant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interplm_wh.errors import InputError


def check(output: str | Path, *, force: bool) -> Path:
    """Return where a file is to be written.

    Raises
    ------
    InputError
        If there is no such folder, or something is there that may not be replaced.
    """
    path = Path(output).expanduser().absolute()
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}; make it, or choose another")
    if path.is_dir() or (path.exists() and not force):
        raise InputError(f"{path} is there already; choose another name, or replace a file with --force")
    return path


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a temporary file that takes the name of `path` when the block ends without an error."""
    partial = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
