"""Where 3Dmol.js comes from: the content network, or a file of this machine."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from interplm_wh.errors import InputError

VARIABLE = "INTERPLM_WH_3DMOL"
VERSION = "2.5.5"
HOST = "cdn.jsdelivr.net"
URL = f"https://{HOST}/npm/3dmol@{VERSION}/build/3Dmol-min.js"
# Of build/3Dmol-min.js of npm's 3dmol at VERSION: the browser runs nothing else that the network sends.
INTEGRITY = "sha384-OsczYbldvrHgslr9fFp/i4GiLSeuw9l+QIlv99ITw8soOwXcoGeflFMLg+CU/X1d"
_MOST = 16 << 20
_REMEDY = f"name build/3Dmol-min.js of npm's package 3dmol, or unset ${VARIABLE} to take it from {HOST}"


@dataclass(frozen=True)
class Library:
    """3Dmol.js as a page has it.

    Attributes
    ----------
    text : str or None
        The script itself; None where the browser fetches it from `URL`.
    """

    text: str | None

    @property
    def json(self) -> dict[str, str]:
        """What the page is told."""
        return {"url": URL, "integrity": INTEGRITY} if self.text is None else {"text": self.text}

    @property
    def source(self) -> str:
        """What a Content-Security-Policy allows for it."""
        return URL if self.text is None else script_hash(self.text)


def script_hash(text: str) -> str:
    """Return how a Content-Security-Policy names one inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def library() -> Library:
    """Return 3Dmol.js as the environment says.

    Raises
    ------
    InputError
        If the variable names a file that is no script.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return Library(None)
    path = Path(named).expanduser()
    try:
        if path.stat().st_size > _MOST:
            raise InputError(f"${VARIABLE} names {path}, which is too large for it; {_REMEDY}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"${VARIABLE} names {path}, which cannot be read ({error.strerror}); {_REMEDY}"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"${VARIABLE} names {path}, which is no text; {_REMEDY}") from error
    if "3Dmol" not in text:
        raise InputError(f"${VARIABLE} names {path}, which is not 3Dmol.js; {_REMEDY}")
    return Library(text)
