"""What a warehouse says of the machine that made it: paths, which are nobody else's business."""

from __future__ import annotations

import json
import re
from collections.abc import Set
from pathlib import PurePosixPath
from typing import Any

# Where a path begins within a text: not behind a letter, a digit, or what an address or a pattern has.
_WITHIN = re.compile(
    r"(?<![\w.:/~\-+*\])<>])(?:file://)?(?:~|/)[^\s'\",;:()\[\]{}<>|]*/([^\s'\",;:()\[\]{}<>|/]+)/?"
)
_WHOLE = re.compile(r"(?:file://)?(?:~[^/]*|/)/?[^\n]*")


def text(value: str) -> str:
    """Return a text in which of each absolute path the last name alone is left."""
    if _WHOLE.fullmatch(value) and "/" in value.strip("/~"):
        return PurePosixPath(value).name
    return _WITHIN.sub(lambda found: found[1], value)


def value(given: Any) -> Any:
    """Do so with every text in lists and mappings; their keys stay."""
    if isinstance(given, str):
        return text(given)
    if isinstance(given, list):
        return [value(one) for one in given]
    if isinstance(given, dict):
        return {key: value(one) for key, one in given.items()}
    return given


def json_text(given: str) -> str:
    """Do so with JSON; what is none is taken as a text."""
    try:
        return json.dumps(value(json.loads(given)))
    except ValueError:
        return text(given)


def without(given: str, keys: Set[str]) -> str:
    """Return a mapping, as JSON, without some of its keys."""
    found = json.loads(given)
    if not keys & found.keys():
        return given
    return json.dumps({key: one for key, one in found.items() if key not in keys})
