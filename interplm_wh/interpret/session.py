"""Prompts and their answers: those that are kept, and those that are sent for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.interpret import answers, ask
from interplm_wh.interpret.answers import ANSWER_CHARACTERS, AnswerError, Words
from interplm_wh.interpret.ask import Prompt
from interplm_wh.interpret.endpoint import Endpoint, NotTakenError, UnansweredError
from interplm_wh.interpret.examples import Examples
from interplm_wh.interpret.journal import Journal, Row

Read = TypeVar("Read")
_PRIVATE = (
    "select count(*) as n from proteins where list_contains($accessions, accession) and "
    "(is_private or sequence in (select sequence from proteins where is_private))"
)


class NotKeptError(Exception):
    """A prompt has no answer yet, and is not to be sent."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(prompt.kind)
        self.prompt = prompt


@dataclass(frozen=True)
class Asking:
    """How prompts are sent, as far as the answer depends on it.

    Attributes
    ----------
    sae, model, url : str
    max_tokens : int
    """

    sae: str
    model: str
    url: str
    max_tokens: int

    def key(self, prompt: Prompt) -> str:
        """Return the checksum under which an answer is kept."""
        return prompt.key(self.model, self.url, self.max_tokens)


class Session:
    """Answers to prompts; threads may share it, and a prompt that two ask at once is sent once.

    Parameters
    ----------
    asking : Asking
    journal : Journal
    endpoint : Endpoint, optional
        Without one nothing is sent.
    warehouse : Warehouse, optional
        Read before each prompt is sent, to see that none of its proteins is private; not used otherwise.

    Attributes
    ----------
    used : dict of str to None
        Checksums of the prompts whose answers were used.
    n_sent, n_tokens_in, n_tokens_out : int
        Answers that came now, and their tokens.
    """

    def __init__(
        self, asking: Asking, journal: Journal, endpoint: Endpoint | None = None,
        warehouse: store.Warehouse | None = None,
    ) -> None:  # fmt: skip
        self._asking, self._journal = asking, journal
        self._endpoint, self._warehouse = endpoint, warehouse
        self._lock = threading.Lock()
        self._at_work: dict[str, threading.Lock] = {}
        self.used: dict[str, None] = {}
        self.n_sent = self.n_tokens_in = self.n_tokens_out = 0

    def answer(self, prompt: Prompt) -> Row:
        """Return the row of a prompt in `interpretation_prompts`.

        Raises
        ------
        NotKeptError
            If it has no answer yet, and nothing is to be sent.
        UnansweredError, DownloadError
            If the endpoint gives none.
        InputError
            If a sequence in it is private, or the disk is full.
        """
        key = self._asking.key(prompt)
        with self._lock:
            mine = self._at_work.setdefault(key, threading.Lock())
        with mine:
            row = self._journal.find(key) or self._send(prompt, key)
        self.used[key] = None
        return row

    def _send(self, prompt: Prompt, key: str) -> Row:
        if self._endpoint is None or self._warehouse is None:
            raise NotKeptError(prompt)
        refuse_private(self._warehouse, prompt)
        self._journal.require_room()
        reply = self._endpoint.ask(prompt)
        status, reason = "valid", None
        if reply.refusal is not None:
            status, reason = "refused", f"refused: {reply.refusal}"
        else:
            try:
                _read(prompt, reply.text)
            except AnswerError as error:
                status, reason = "invalid", str(error)
        row: Row = {
            "sae": self._asking.sae, "sha256": key, "feature": prompt.feature, "kind": prompt.kind,
            "model": self._asking.model, "endpoint": self._asking.url,
            "text": prompt.text(self._asking.model, self._asking.max_tokens),
            "accessions": json.dumps(prompt.accessions), "status": status, "reason": reason,
            "answer": reply.text[:ANSWER_CHARACTERS], "n_tokens_in": reply.n_tokens_in,
            "n_tokens_out": reply.n_tokens_out, "created": datetime.now(UTC).replace(tzinfo=None),
        }  # fmt: skip
        self._journal.keep(row)
        with self._lock:
            self.n_sent += 1
            self.n_tokens_in += reply.n_tokens_in or 0
            self.n_tokens_out += reply.n_tokens_out or 0
        return row

    def masked(self, text: str) -> str:
        """Return text without the key."""
        return self._endpoint.masked(text) if self._endpoint else text


def refuse_private(warehouse: store.Warehouse, prompt: Prompt) -> None:
    """Refuse a prompt with a sequence that is private in what is published now.

    Raises
    ------
    InputError
        If there is one.
    """
    warehouse.refresh()
    (row,) = warehouse.sql(_PRIVATE, {"accessions": list(prompt.accessions)}).to_pylist()
    if row["n"]:
        raise InputError(
            f"feature {prompt.feature}: {row['n']} of the proteins in a prompt are private; it is not sent. "
            "Run the command again: it leaves them out"
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one feature.

    Attributes
    ----------
    feature : int
    words : Words or None
    sha256 : str or None
        The prompt whose answer has the words.
    predictions : dict of str to float
        By accession; empty where there are none.
    reason : str or None
        Why something is missing.
    is_unanswered : bool
        Whether that is because the endpoint gave no answer.
    """

    feature: int
    words: Words | None = None
    sha256: str | None = None
    predictions: dict[str, float] | None = None
    reason: str | None = None
    is_unanswered: bool = False


def interpret_one(session: Session, examples: Examples, asking: Asking) -> Outcome:
    """Ask for words on one feature, then for predictions by them; each once more where it cannot be used."""
    done = Outcome(examples.feature)
    try:
        prompt, words = _obtain(session, ask.describing(examples.feature, examples.shown), answers.read_words)
        words = Words(session.masked(words.summary), session.masked(words.description))
        done = replace(done, words=words, sha256=asking.key(prompt))
        if not examples.scored:
            return replace(done, reason="no protein of test is left to score on")
        n = len(examples.scored)
        asked = ask.predicting(examples.feature, words, examples.scored)
        _, numbers = _obtain(session, asked, lambda text: answers.read_predictions(text, n))
    except (AnswerError, UnansweredError) as error:
        is_silent = isinstance(error, UnansweredError) and not isinstance(error, NotTakenError)
        return replace(done, reason=str(error), is_unanswered=is_silent)
    named = zip((e.accession for e in examples.scored), numbers, strict=True)
    return replace(done, predictions=dict(named))


def _obtain(session: Session, prompt: Prompt, read: Callable[[str], Read]) -> tuple[Prompt, Read]:
    row = session.answer(prompt)
    if row["status"] != "valid":
        prompt = prompt.again(row["answer"], row["reason"])
        row = session.answer(prompt)
    if row["status"] != "valid":
        raise AnswerError(row["reason"])
    return prompt, read(row["answer"])


def _read(prompt: Prompt, text: str) -> None:
    if prompt.kind == "describe":
        answers.read_words(text)
    else:
        answers.read_predictions(text, prompt.n_predictions)
