"""Where prompts are sent, and which variables of the environment say so."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from interplm_wh.errors import InputError
from interplm_wh.interpret.answers import plain

KEY_VARIABLE, URL_VARIABLE = "OPENAI_API_KEY", "OPENAI_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"
SHOWN = 300
"""Characters of an address, or of what an endpoint says, that a message has at most."""


def address(base_url: str | None) -> str:
    """Return the address to send to: as given, or of the environment, or OpenAI's.

    Raises
    ------
    InputError
        If it is none, or has a name, a password or a query, which might be secret.
    """
    given = base_url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    try:
        parts = urlsplit(given)
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
        is_there = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_plain = is_there = False
    if not is_plain or "@" in given:
        raise InputError(
            f"the base URL must be http(s)://HOST/PATH without name, password or query; a key goes into "
            f"${KEY_VARIABLE}"
        )
    if not is_there:
        raise InputError(f"{plain(given)[:SHOWN]}: no address; give --base-url http(s)://HOST/PATH")
    return given.rstrip("/")
