"""The texts that models are asked with: one file each, beside this module, under version control."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from interplm_wh.errors import ResourceError


@cache
def template(name: str) -> str:
    """Return the text of `name`.txt."""
    path = files(__name__) / f"{name}.txt"
    if not path.is_file():
        raise ResourceError(f"prompts/{name}.txt is missing from the installation; install interplm-wh again")
    return path.read_text(encoding="utf-8")
