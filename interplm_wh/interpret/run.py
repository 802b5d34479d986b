"""Ask a language model what features are, and score what it says."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from interplm_wh import progress, store
from interplm_wh.errors import DownloadError, InputError
from interplm_wh.ingest.retry import Retry
from interplm_wh.interpret import ask, cost, examples, journal
from interplm_wh.interpret.address import address
from interplm_wh.interpret.answers import Words
from interplm_wh.interpret.cost import Cost
from interplm_wh.interpret.describe import SOURCE as BASELINE
from interplm_wh.interpret.endpoint import DEFAULT_RETRY, Endpoint
from interplm_wh.interpret.examples import Choice, Examples
from interplm_wh.interpret.publish import registered
from interplm_wh.interpret.report import DryRun, InterpretReport
from interplm_wh.interpret.session import Asking, NotKeptError, Outcome, Session, interpret_one
from interplm_wh.store import Warehouse

DEFAULT_SAMPLE = 100
MOST_AT_ONCE = 16
_GIVE_UP_AFTER = 3  # features in a row without an answer
_MODEL = re.compile(r"[!-~]{1,200}")


def interpret(
    warehouse: str | Path,
    sae: str,
    *,
    model: str,
    confirm: Callable[[Cost], bool],
    features: Sequence[int] = (),
    sample: int = DEFAULT_SAMPLE,
    seed: int = 0,
    base_url: str | None = None,
    price_in: float | None = None,
    price_out: float | None = None,
    dry_run: bool = False,
    concurrency: int = 4,
    timeout: float = 120.0,
    max_tokens: int = 4000,
    retry: Retry = DEFAULT_RETRY,
) -> InterpretReport | DryRun:
    """Let a model say what features are, and score its words on proteins that it was not shown.

    Answers are kept as they come: the same command goes on where it was cut off, and sends nothing twice.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    model : str
        As the endpoint names it.
    confirm : callable
        Is told the cost before anything is sent, where anything is; False ends it.
    features : sequence of int
        0-based; by default a sample.
    sample, seed : int
        Features to draw, and the seed of the draw.
    base_url : str, optional
        Of an OpenAI-compatible endpoint; by default $OPENAI_BASE_URL, else OpenAI's. The key is
        $OPENAI_API_KEY, which is neither logged nor stored.
    price_in, price_out : float, optional
        For a million tokens.
    dry_run : bool
        Whether to say what would be sent, and send nothing.
    concurrency : int
        Prompts on the way at once, 1 to 16.
    timeout : float
        Seconds for one answer.
    max_tokens : int
        Of one answer.
    retry : Retry
        How long to go on asking for one answer.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or a feature is not there, dead, or nowhere to be shown.
    InputError
        If what is read is older than the data, a setting is wrong, a sequence is private, or `confirm`
        says no.
    DownloadError
        If the endpoint is not there, or takes no prompts; what was answered before is kept.
    LockedError
        If another process interprets features of the same warehouse.
    """
    started = time.monotonic()
    _check(model, price_in, price_out, concurrency, timeout, max_tokens, sample)
    asking = Asking(sae, model, address(base_url), max_tokens)
    with store.open(warehouse) as wh:
        choice, found = _examples(wh, sae, features, sample, seed)
        if dry_run:
            kept = journal.look(wh, model=model, endpoint=asking.url)
            return _plan(choice, found, asking, Session(asking, kept), price_in, price_out)
        with (
            closing(
                Endpoint(model, asking.url, timeout=timeout, max_tokens=max_tokens, retry=retry)
            ) as endpoint,
            journal.hold(wh, model=model, endpoint=asking.url) as kept,
        ):
            plan = _plan(choice, found, asking, Session(asking, kept), price_in, price_out)
            if plan.cost.n_prompts and not confirm(plan.cost):
                raise InputError("nothing was sent, as was wished")
            session = Session(asking, kept, endpoint, wh)
            with registered(warehouse, choice, asking, session, kept, found) as outcomes:
                _run(session, endpoint, found, asking, concurrency, outcomes)
    with store.open(warehouse) as wh:
        beside = wh.sql("from words_beside_baseline($sae)", {"sae": sae}).to_pylist()
    money = None
    if price_in is not None and price_out is not None:
        money = (session.n_tokens_in * price_in + session.n_tokens_out * price_out) / 1e6
    failures = tuple((o.feature, o.reason) for o in outcomes if o.reason is not None)
    return InterpretReport(
        sae, model, len(found), sum(o.words is not None for o in outcomes),
        sum(o.predictions is not None for o in outcomes), choice.n_private, failures,
        session.n_sent, session.n_tokens_in, session.n_tokens_out, money, tuple(beside),
        time.monotonic() - started,
    )  # fmt: skip


def _check(
    model: str, price_in: float | None, price_out: float | None, concurrency: int, timeout: float,
    max_tokens: int, sample: int,
) -> None:  # fmt: skip
    if not _MODEL.fullmatch(model) or model == BASELINE:
        raise InputError(
            f"--model {model[:200]!r}: a name has 1 to 200 characters without spaces, and is not {BASELINE}"
        )
    if (price_in is None) != (price_out is None):
        raise InputError("give both --price-in and --price-out, or neither")
    if min(price_in or 0, price_out or 0) < 0 or min(timeout, max_tokens, sample) <= 0:
        raise InputError("prices are 0 or more; time, tokens and the sample are above 0")
    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise InputError(f"--concurrency {concurrency}: give a number from 1 to {MOST_AT_ONCE}")


def _examples(
    wh: Warehouse, sae: str, features: Sequence[int], sample: int, seed: int
) -> tuple[Choice, dict[int, Examples]]:
    choice = examples.choose_features(wh, sae, features=features, sample=sample, seed=seed)
    found: dict[int, Examples] = {}
    with progress.track(f"{sae}: choosing examples", total=len(choice.features), unit="features") as bar:
        for batch in examples.batches(choice):
            examples.lay(wh.con, choice, batch)
            found |= {one.feature: one for one in examples.fetch(wh.con)}
            bar.advance(len(batch))
    return choice, found


def _plan(
    choice: Choice, found: dict[int, Examples], asking: Asking, session: Session,
    price_in: float | None, price_out: float | None,
) -> DryRun:  # fmt: skip
    """Walk through all features with the answers that are kept, and count what is missing."""
    first: ask.Prompt | None = None
    n_prompts = n_characters = n_out = 0
    for one in found.values():
        try:
            interpret_one(session, one, asking)
        except NotKeptError as missing:
            first = first or missing.prompt
            rest = [missing.prompt]
            if missing.prompt.kind == "describe" and one.scored:
                rest.append(ask.predicting(one.feature, Words("", " " * 800), one.scored))
            n_prompts += len(rest)
            n_characters += sum(prompt.n_characters for prompt in rest)
            n_out += sum(cost.WORDS_TOKENS if p.kind == "describe" else _numbers(p) for p in rest)
    told = Cost(
        choice.sae, asking.model, asking.url, len(found), n_prompts, len(session.used), choice.n_private,
        cost.tokens(n_characters), n_out, asking.max_tokens, price_in, price_out,
    )  # fmt: skip
    return DryRun(told, first)


def _numbers(prompt: ask.Prompt) -> int:
    return cost.NUMBER_TOKENS * prompt.n_predictions + 20


def _run(
    session: Session, endpoint: Endpoint, found: dict[int, Examples], asking: Asking, concurrency: int,
    outcomes: list[Outcome],
) -> None:  # fmt: skip
    """Interpret all features, some at once; what is done goes to `outcomes` as it is.

    Raises
    ------
    DownloadError
        If the endpoint does not answer at first, or on three features in a row, or takes none of the first
        three prompts.
    """
    stopped = threading.Event()
    waiting = iter(found.values())

    def work(one: Examples) -> Outcome | None:
        return None if stopped.is_set() else interpret_one(session, one, asking)

    n_silent = 0
    with (
        progress.track(f"{asking.sae}: asking {asking.model}", total=len(found), unit="features") as bar,
        ThreadPoolExecutor(max_workers=concurrency) as pool,
    ):
        try:
            futures: list[Future[Outcome | None]] = [pool.submit(work, one) for one in waiting]
            for future in as_completed(futures):
                outcome = future.result()
                if outcome is None:
                    continue
                is_useless = outcome.words is None and not endpoint.n_answered
                n_silent = n_silent + 1 if outcome.is_unanswered or is_useless else 0
                is_absent = outcome.is_unanswered and not endpoint.n_answered
                if is_absent or n_silent >= _GIVE_UP_AFTER:
                    raise DownloadError(
                        f"{asking.url} gives no answer: {outcome.reason}; check --base-url or the network, "
                        "then run the command again: what was answered is kept, and not asked again"
                    )
                outcomes.append(outcome)
                bar.advance(1)
        finally:
            stopped.set()
            endpoint.stop()
