"""What was interpreted comes into the tables, also where an error ended it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from interplm_wh import store
from interplm_wh.errors import InterplmError, LockedError
from interplm_wh.interpret import journal, keep
from interplm_wh.interpret.examples import Choice, Examples
from interplm_wh.interpret.session import Asking, Outcome, Session


@contextmanager
def registered(
    warehouse: str | Path, choice: Choice, asking: Asking, session: Session, kept: journal.Journal,
    found: dict[int, Examples],
) -> Iterator[list[Outcome]]:  # fmt: skip
    """Publish what was done in the block, also where it ended with an error of ours."""
    outcomes: list[Outcome] = []
    try:
        yield outcomes
    except InterplmError:
        if outcomes:
            _publish(warehouse, choice, asking, session, kept, found, outcomes)
        raise
    _publish(warehouse, choice, asking, session, kept, found, outcomes)


def _publish(
    warehouse: str | Path, choice: Choice, asking: Asking, session: Session, kept: journal.Journal,
    found: dict[int, Examples], outcomes: Sequence[Outcome],
) -> None:  # fmt: skip
    settings = {
        "sae": choice.sae, "model": asking.model, "endpoint": asking.url, "max_tokens": asking.max_tokens,
        "features": sorted(o.feature for o in outcomes),
    }  # fmt: skip
    try:
        with store.write(warehouse, command="interpret", settings=settings) as tx:
            keep.prompts(tx, list(kept.fresh.values()), sae=choice.sae, used=list(session.used))
            keep.register(tx, choice, asking.model, outcomes, found)
            tx.publish()
    except LockedError as error:
        raise LockedError(
            f"{error}; all answers are kept, and the same command puts them into the tables"
        ) from None
    kept.empty()
