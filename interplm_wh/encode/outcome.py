"""What became of one group of proteins: passed between processes as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Counted:
    """What one SAE got.

    Attributes
    ----------
    sae : str
    n_proteins, n_residues, n_activations : int
        Encoded.
    n_halved : int
        Proteins whose batch was halved because memory ran out.
    n_skipped : int
        Proteins whose part was there, or in the hands of another worker.
    """

    sae: str
    n_proteins: int = 0
    n_residues: int = 0
    n_activations: int = 0
    n_halved: int = 0
    n_skipped: int = 0


@dataclass(frozen=True)
class Failure:
    """Proteins of one block that could not be encoded, however often it was tried.

    Attributes
    ----------
    saes : tuple of str
    ids : tuple of int
        Their protein_id.
    accessions : tuple of str
    reason : str
        What the last try ended with.
    n_tries : int
    is_memory : bool
        Whether memory ran out: the fault of these proteins, not of the machine as such.
    """

    saes: tuple[str, ...]
    ids: tuple[int, ...]
    accessions: tuple[str, ...]
    reason: str
    n_tries: int
    is_memory: bool

    def line(self) -> str:
        """Name the proteins, the first five of many, and the reason."""
        shown = ", ".join(self.accessions[:5])
        more = f" and {len(self.accessions) - 5:,} more" if len(self.accessions) > 5 else ""
        return f"{', '.join(self.saes)}: {shown}{more}: {self.reason}"


@dataclass(frozen=True)
class Outcome:
    """What became of one group.

    Attributes
    ----------
    plm : str
    block, n_residues : int
    counted : tuple of Counted
    failure : Failure or None
    dtype, device : str
        Of the PLM; empty where it was not needed.
    """

    plm: str
    block: int
    n_residues: int
    counted: tuple[Counted, ...]
    failure: Failure | None
    dtype: str
    device: str


@dataclass(frozen=True)
class Beat:
    """A sign of life between outcomes: residues that are done, of which the outcome comes later."""

    n_residues: int = 0


@dataclass(frozen=True)
class GaveUp:
    """No more blocks are taken: one after the other failed."""


HOPELESS = 3
"""Blocks that fail in a row, not for want of memory: the fault is not theirs then."""


@dataclass
class Patience:
    """What one worker has of it."""

    n_in_a_row: int = 0

    def is_over(self, outcome: Outcome) -> bool:
        """Whether the worker is to take no more blocks after one with this outcome."""
        if outcome.failure is not None:
            self.n_in_a_row += not outcome.failure.is_memory
        elif any(one.n_proteins for one in outcome.counted):
            self.n_in_a_row = 0
        return self.n_in_a_row >= HOPELESS


def to_json(outcomes: Sequence[Outcome]) -> str:
    """Return outcomes as one line of JSON."""
    return json.dumps([asdict(outcome) for outcome in outcomes])


def from_json(text: str) -> list[Outcome]:
    """Return the outcomes of `to_json`."""
    return [_outcome(one) for one in json.loads(text)]


def _outcome(one: dict[str, Any]) -> Outcome:
    failure = one["failure"]
    if failure is not None:
        lists = {name: tuple(failure[name]) for name in ("saes", "ids", "accessions")}
        failure = Failure(**{**failure, **lists})
    counted = tuple(Counted(**each) for each in one["counted"])
    return Outcome(**{**one, "counted": counted, "failure": failure})
