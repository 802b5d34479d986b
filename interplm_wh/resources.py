"""Find `sql/`, `schemas/` and `pipelines/`: inside an installed wheel, else in the checkout."""

from __future__ import annotations

from pathlib import Path

from interplm_wh.errors import ResourceError

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_resources"
_CHECKOUT = _PACKAGE.parent
FOLDERS = ("sql", "schemas", "pipelines")


def folder(name: str) -> Path:
    """Return the folder of one kind of resource.

    Parameters
    ----------
    name : {'sql', 'schemas', 'pipelines'}

    Raises
    ------
    ResourceError
        If neither the installed package nor the checkout has it.
    """
    for base in (_INSTALLED, _CHECKOUT):
        candidate = base / name
        if name in FOLDERS and candidate.is_dir():
            return candidate
    raise ResourceError(f"the folder {name!r} is missing from the installation; install interplm-wh again")


def text(relative: str) -> str:
    """Return the text of a resource such as ``schemas/proteins.yaml``."""
    kind, _, rest = relative.partition("/")
    path = folder(kind) / rest
    if not path.is_file():
        raise ResourceError(f"{relative} is missing from the installation; install interplm-wh again")
    return path.read_text(encoding="utf-8")
