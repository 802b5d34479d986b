"""Names that users give: what they may look like, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from interplm_wh.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a word, or None where none is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else None


def check_name(name: str, *, what: str) -> str:
    """Return a name that is safe as a folder and in a table.

    Raises
    ------
    InputError
        Unless it has 1 to 64 letters, digits, dots, underscores and hyphens, the first of them a
        letter or a digit.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{what} {name!r}: a name has 1 to 64 letters, digits, '.', '_' and '-', "
            "and begins with a letter or a digit; choose another"
        )
    return name


def check_sae_name(name: str, existing: Iterable[str]) -> str:
    """Return the name of an SAE, refusing one that differs from an existing one only in case.

    Raises
    ------
    InputError
        As `check_name`; or where folders of the two names would be one on some file systems.
    """
    check_name(name, what="SAE")
    for other in existing:
        if other != name and other.lower() == name.lower():
            raise InputError(
                f"SAE {name!r}: there is {other!r}, which differs only in case; choose another name"
            )
    return name
