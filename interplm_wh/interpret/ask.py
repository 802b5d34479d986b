"""What a model is asked: texts of `prompts/` around what is known of proteins.

Names come from databases and words from models: both are written as JSON, one object on a line, between two
lines that say that this is data. A name has no character that is not printed, and an end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from interplm_wh.interpret.answers import Kind, Words, plain
from interplm_wh.interpret.examples import Example
from interplm_wh.interpret.prompts import template

Message = dict[str, str]
NAME_CHARACTERS = 120
FLANK = 30
"""Residues that are shown on either side of the strongest one."""
SEQUENCE_CHARACTERS = 600
"""Residues of a sequence that is scored, beyond which its middle is left out."""
_TAIL = 200
_QUOTED = 2000


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes
    ----------
    kind : {'describe', 'predict'}
    feature : int
    messages : tuple of dict
        With `role` and `content`.
    accessions : tuple of str
        The proteins whose sequences are in it.
    n_predictions : int
        Numbers that are asked for; 0 where words are.
    """

    kind: Kind
    feature: int
    messages: tuple[Message, ...]
    accessions: tuple[str, ...]
    n_predictions: int = 0

    @property
    def n_characters(self) -> int:
        """Length of all messages."""
        return sum(len(message["content"]) for message in self.messages)

    def text(self, model: str, max_tokens: int) -> str:
        """Return all that the answer depends on, as JSON."""
        whole = {"model": model, "max_tokens": max_tokens, "messages": list(self.messages)}
        return json.dumps(whole, sort_keys=True)

    def key(self, model: str, endpoint: str, max_tokens: int) -> str:
        """Return the checksum under which its answer is kept."""
        return hashlib.sha256(f"{endpoint}\n{self.text(model, max_tokens)}".encode()).hexdigest()

    def again(self, answer: str, reason: str) -> Prompt:
        """Return the prompt that asks once more after an answer that cannot be used."""
        said = plain(answer)[:_QUOTED] or "(nothing)"
        more = (
            {"role": "assistant", "content": said},
            {"role": "user", "content": template("again").format(reason=reason).strip()},
        )
        return replace(self, messages=(*self.messages, *more))


def describing(feature: int, shown: Sequence[Example]) -> Prompt:
    """Ask for words on a feature."""
    data = _lines(_shown(number, one) for number, one in enumerate(shown, start=1))
    text = template("describe").replace("{data}", data)
    return Prompt("describe", feature, _messages(text), tuple(e.accession for e in shown))


def predicting(feature: int, words: Words, scored: Sequence[Example]) -> Prompt:
    """Ask what somebody who has the words would expect on proteins that were not shown."""
    told = _lines([{"summary": words.summary, "description": words.description}])
    data = _lines(_scored(number, one) for number, one in enumerate(scored, start=1))
    # The data last, since it may hold what looks like a place for something else.
    text = template("predict").replace("{n}", str(len(scored)))
    before, rest = text.split("{words}")
    between, after = rest.split("{data}")
    whole = "".join((before, told, between, data, after))
    return Prompt("predict", feature, _messages(whole), tuple(e.accession for e in scored), len(scored))


def _messages(text: str) -> tuple[Message, ...]:
    return (
        {"role": "system", "content": template("system").strip()},
        {"role": "user", "content": text.strip()},
    )


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def _named(number: int, one: Example) -> dict[str, Any]:
    row: dict[str, Any] = {"protein": number}
    for key, text in (("name", one.name), ("organism", one.organism)):
        if text and (said := plain(text)[:NAME_CHARACTERS].strip()):
            row[key] = said
    return row | {"length": len(one.sequence)}


def _shown(number: int, one: Example) -> dict[str, Any]:
    centre = one.position or FLANK + 1
    start = max(1, centre - FLANK)
    row = _named(number, one) | {"activation": round(one.activation, 2)}
    if one.kind == "active":
        row |= {"residues": one.residues}
    else:
        row |= {"kind": one.kind}
    return row | {"window_start": start, "window": one.sequence[start - 1 : centre + FLANK]}


def _scored(number: int, one: Example) -> dict[str, Any]:
    sequence = one.sequence
    if len(sequence) > SEQUENCE_CHARACTERS:
        head = SEQUENCE_CHARACTERS - _TAIL
        sequence = f"{sequence[:head]}...{sequence[-_TAIL:]}"
    return _named(number, one) | {"sequence": sequence}
