"""Answers of models: what they must look like, and what is taken of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

Kind = Literal["describe", "predict"]
SUMMARY_CHARACTERS, DESCRIPTION_CHARACTERS = 120, 2000
ANSWER_CHARACTERS = 20_000
_FENCED = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


class AnswerError(ValueError):
    """An answer that cannot be used; the message says why."""


@dataclass(frozen=True)
class Words:
    """What a feature is.

    Attributes
    ----------
    summary : str
        At most 120 characters.
    description : str
        At most 2000 characters.
    """

    summary: str
    description: str


def json_schema(kind: Kind, n: int) -> dict[str, Any]:
    """Return the JSON schema of an answer.

    Parameters
    ----------
    n : int
        Numbers that are asked for.
    """
    properties: dict[str, Any]
    if kind == "describe":
        properties = {
            "summary": {"type": "string", "maxLength": SUMMARY_CHARACTERS},
            "description": {"type": "string", "maxLength": DESCRIPTION_CHARACTERS},
        }
    else:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        properties = {"predictions": {"type": "array", "items": number, "minItems": n, "maxItems": n}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_words(text: str) -> Words:
    """Return the words of an answer.

    Raises
    ------
    AnswerError
        Unless it is one JSON object with a summary and a description that are not too long.
    """
    found = _object(text, {"summary", "description"})
    return Words(
        _text(found["summary"], "summary", SUMMARY_CHARACTERS),
        _text(found["description"], "description", DESCRIPTION_CHARACTERS),
    )


def read_predictions(text: str, n: int) -> tuple[float, ...]:
    """Return the predictions of an answer, as many as were asked for, each from 0 to 1.

    Raises
    ------
    AnswerError
        Unless it is one JSON object with such a list.
    """
    numbers = _object(text, {"predictions"})["predictions"]
    if not isinstance(numbers, list):
        raise AnswerError("predictions is no list")
    if len(numbers) != n:
        raise AnswerError(f"predictions has {len(numbers)} numbers and not {n}")
    for place, one in enumerate(numbers, start=1):
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 <= one <= 1:
            raise AnswerError(f"prediction {place} is no number from 0 to 1")
    return tuple(float(one) for one in numbers)


def plain(text: str) -> str:
    """Return text on one line, without characters that are not printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _object(text: str, keys: set[str]) -> dict[str, Any]:
    if len(text) > ANSWER_CHARACTERS:
        raise AnswerError(f"the answer is longer than {ANSWER_CHARACTERS:,} characters")
    fenced = _FENCED.match(text.strip())
    try:
        found = json.loads(fenced[1] if fenced else text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise AnswerError("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise AnswerError("the answer is no JSON object")
    if set(found) != keys:
        raise AnswerError(f"the JSON object must have {' and '.join(sorted(keys))}, and nothing else")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _text(value: object, name: str, most: int) -> str:
    if not isinstance(value, str):
        raise AnswerError(f"{name} is no text")
    said = plain(value)
    if not said:
        raise AnswerError(f"{name} is empty")
    if len(said) > most:
        raise AnswerError(f"{name} is longer than {most:,} characters")
    return said
