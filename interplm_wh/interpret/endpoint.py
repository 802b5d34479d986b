"""Ask an OpenAI-compatible endpoint; the key comes from the environment and goes nowhere else."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from interplm_wh.errors import DownloadError, InputError, ModelError
from interplm_wh.ingest.retry import Retry, retry_after
from interplm_wh.interpret import completion
from interplm_wh.interpret.address import DEFAULT_URL, KEY_VARIABLE, SHOWN
from interplm_wh.interpret.answers import json_schema, plain
from interplm_wh.interpret.ask import Prompt
from interplm_wh.interpret.bounded import bounded
from interplm_wh.interpret.completion import NoCompletionError, Reply

if TYPE_CHECKING:
    import httpx2
    import openai

log = logging.getLogger(__name__)
EXTRA = "pip install 'interplm-wh[interpret]'"
DEFAULT_RETRY = Retry(attempts=6, first_seconds=1.0, cap_seconds=120.0, total_seconds=300.0)
_NO_KEY = "none"  # the client wants one; servers on this machine ask for none
_MASK = "[key]"
_SHORTEST_SECRET = 8  # what is shorter stands in ordinary text, too
_FIRST_TRIES = 3
_AGAIN = frozenset({408, 409, 429})
_OF_THE_PROMPT = frozenset({400, 413, 422})


class UnansweredError(Exception):
    """One prompt has no answer, though others may have one; the message says why."""


class NotTakenError(UnansweredError):
    """The endpoint answers, but does not take this prompt."""


class Endpoint:
    """An endpoint that is asked for answers; threads may share it.

    Parameters
    ----------
    model, url : str
    timeout : float
        Seconds for one whole answer.
    max_tokens : int
        Of one answer.
    retry : Retry

    Attributes
    ----------
    n_answered : int
        Requests that had an answer.
    """

    def __init__(self, model: str, url: str, *, timeout: float, max_tokens: int, retry: Retry) -> None:
        self._openai = _client_package()
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not self._key and url == DEFAULT_URL:
            raise InputError(
                f"${KEY_VARIABLE} is not set; put your key there, or name another endpoint with --base-url"
            )
        if not self._key.isascii() or not self._key.isprintable():
            raise InputError(f"${KEY_VARIABLE} has a character that no key has; set it anew")
        self._model, self._url, self._retry, self._timeout = model, url, retry, timeout
        self._max_tokens = max_tokens
        self._stop = threading.Event()
        self._form = _Form()
        self.n_answered = 0
        self._is_heard = False
        self._client = self._openai.OpenAI(
            api_key=self._key or _NO_KEY,
            base_url=url,
            timeout=timeout,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=self._openai.DefaultHttpxClient(
                follow_redirects=False, event_hooks={"response": [self._bound]}
            ),
        )

    def stop(self) -> None:
        """End all waits; nothing more is asked."""
        self._stop.set()

    def close(self) -> None:
        """Close all connections."""
        self.stop()
        self._client.close()

    def masked(self, text: str) -> str:
        """Return text without the key."""
        return text.replace(self._key, _MASK) if len(self._key) >= _SHORTEST_SECRET else text

    def ask(self, prompt: Prompt) -> Reply:
        """Return the answer to a prompt, asking again where another try may help.

        That is after a failed connection, an answer that does not come in time or breaks off, and the
        statuses 408, 409, 429 and 5xx. `Retry-After` is honoured.

        Raises
        ------
        UnansweredError
            If no try had an answer, or the endpoint does not take this prompt.
        DownloadError
            If the endpoint takes no prompt at all: the key, the model or the address is wrong.
        """
        waited, failure, attempt, started = 0.0, "", 0, time.monotonic()
        while attempt < self._most_tries and not self._stop.is_set():
            asked: float | None = None
            form = self._form
            try:
                reply = self._once(prompt, form)
                self.n_answered += 1
                self._is_heard = True
                return reply
            except self._openai.APIStatusError as error:
                self._is_heard = True
                failure = f"status {error.status_code}: {self._words(error)}"
                if error.status_code in _OF_THE_PROMPT and self._adapt(failure, form):
                    continue
                self._refuse(error, failure)
                asked = retry_after(error.response.headers.get("retry-after"))
            except self._openai.APIConnectionError as error:
                failure = self._fault(error.__cause__ or error)
            except NoCompletionError as error:
                failure = str(error)
            attempt += 1
            wait = self._retry.wait(attempt, asked)
            if attempt >= self._most_tries or waited + wait > self._retry.total_seconds:
                break
            log.warning("%s: %s; trying again in %.0f s", self._url, failure, wait)
            self._stop.wait(wait)
            waited += wait
        raise UnansweredError(
            f"no answer in {attempt} tries over {time.monotonic() - started:.0f} s "
            f"(last: {failure or 'stopped'})"
        )

    @property
    def _most_tries(self) -> int:
        """Few, until the endpoint has said anything: its address may be wrong."""
        return self._retry.attempts if self._is_heard else min(_FIRST_TRIES, self._retry.attempts)

    def _once(self, prompt: Prompt, form: _Form) -> Reply:
        more: dict[str, Any] = {form.limit_name: self._max_tokens}
        if form.has_schema:
            schema = json_schema(prompt.kind, prompt.n_predictions)
            more["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": prompt.kind, "strict": True, "schema": schema},
            }
        raw = self._client.chat.completions.with_raw_response.create(
            model=self._model,
            messages=[{"role": m["role"], "content": m["content"]} for m in prompt.messages],
            **more,
        )
        return completion.read(raw.content, masked=self.masked)

    def _adapt(self, failure: str, form: _Form) -> bool:
        """Leave out, or name otherwise, what this endpoint does not know; False where it knows all."""
        words = failure.lower()
        if form != self._form:  # another thread was told so meanwhile
            return True
        if form.has_schema and ("response_format" in words or "json_schema" in words):
            self._form = replace(form, has_schema=False)
        elif form.limit_name == "max_tokens" and "max_completion_tokens" in words:
            self._form = replace(form, limit_name="max_completion_tokens")
        return form != self._form

    def _refuse(self, error: openai.APIStatusError, failure: str) -> None:
        status = error.status_code
        if 300 <= status < 400:
            target = self.masked(plain(error.response.headers.get("location", "nowhere")))[:SHOWN]
            raise DownloadError(
                f"{self._url} sends on to {target}, which is not followed with a key; if it is the endpoint, "
                "name it with --base-url"
            ) from None
        if status in _OF_THE_PROMPT:
            raise NotTakenError(f"the endpoint does not take the prompt ({failure})") from None
        no_money = status == 429 and error.code == "insufficient_quota"
        if no_money or (status not in _AGAIN and status < 500):
            raise DownloadError(
                f"{self._url} refused the request ({failure}); check --base-url, --model and ${KEY_VARIABLE}"
            ) from None

    def _words(self, error: openai.APIStatusError) -> str:
        body = error.body
        told = body.get("message") if isinstance(body, dict) else None
        said = str(told) if told else error.response.text
        return self.masked(plain(said))[:SHOWN] or "no reason given"

    def _fault(self, error: BaseException) -> str:
        return self.masked(plain(f"{type(error).__name__}: {error}"))[:SHOWN]

    def _bound(self, response: httpx2.Response) -> None:
        """Let no answer take for ever, nor fill the memory."""
        response.stream = bounded(response, time.monotonic() + self._timeout)


@dataclass(frozen=True)
class _Form:
    """How requests are put; endpoints that do not know one form are asked in another."""

    has_schema: bool = True
    limit_name: str = "max_tokens"


def _client_package() -> Any:
    try:
        import openai
    except ModuleNotFoundError as error:
        raise ModelError(
            f"interpreting needs the package {error.name}, which is not installed; run {EXTRA}"
        ) from error
    return openai
