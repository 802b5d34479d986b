"""Answers of an endpoint, of which nothing is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from interplm_wh.interpret.address import SHOWN
from interplm_wh.interpret.answers import ANSWER_CHARACTERS, plain


class NoCompletionError(Exception):
    """An answer that is no chat completion."""


@dataclass(frozen=True)
class Reply:
    """What came.

    Attributes
    ----------
    text : str
    refusal : str or None
        Why there is no answer, in the words of the endpoint.
    n_tokens_in, n_tokens_out : int or None
    """

    text: str
    refusal: str | None
    n_tokens_in: int | None
    n_tokens_out: int | None


def read(body: bytes, *, masked: Callable[[str], str]) -> Reply:
    """Read a chat completion.

    Parameters
    ----------
    body : bytes
    masked : callable
        Takes secrets out of a text.

    Raises
    ------
    NoCompletionError
        If it is none.
    """
    try:
        found = json.loads(body)
        choice = found["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        raise NoCompletionError("what came is no chat completion") from None
    if choice.get("finish_reason") == "content_filter":
        refusal = refusal or "content filter"
    usage = found.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    text = content if isinstance(content, str) else ""
    return Reply(
        masked(text)[: ANSWER_CHARACTERS + 1],
        masked(plain(str(refusal))[:SHOWN]) if refusal else None,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
    return value if is_count and isinstance(value, int) else None
