"""One process at work on blocks of proteins, alone or beside others that it never hears of."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from interplm_wh import store
from interplm_wh.encode import models
from interplm_wh.encode.encoder import Encoder, Part, Place
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.outcome import Counted, Failure, Outcome
from interplm_wh.encode.plan import Group, Sequences, plan, with_sequences
from interplm_wh.encode.registered import Registered
from interplm_wh.encode.waiting import Waiting, identities
from interplm_wh.errors import CheckError, MismatchError, ModelError
from interplm_wh.store import Staging, Warehouse

log = logging.getLogger(__name__)

TRIES = 3
_FAILED = "select distinct protein_id from encoding_failures where list_contains($saes, sae)"
# What may be the fault of a block: of its proteins, or of a machine that fails for a moment. Not a full
# disk, a wrong input or a missing file, with which no block could be encoded.
FAULTS = (
    CheckError, MismatchError, ModelError,
    RuntimeError, MemoryError, ValueError, LookupError, ArithmeticError,
)  # fmt: skip


@dataclass
class Work:
    """What is to be encoded, and the models as soon as they are needed.

    Attributes
    ----------
    job : Job
    warehouse : Warehouse
    staging : Staging
    rows : tuple of SaeRow
    waiting : dict of str to Waiting
        Where the finished parts of each SAE wait.
    groups : dict of (str, int) to list of Group
        Per PLM and block, in order.
    failed_before : array of int32
        Proteins that could not be encoded by the last run.
    """

    job: Job
    warehouse: Warehouse
    staging: Staging
    rows: tuple[SaeRow, ...]
    waiting: dict[str, Waiting]
    groups: dict[tuple[str, int], list[Group]]
    failed_before: NDArray[np.int32]
    _registered: Registered
    _encoders: dict[str, Encoder] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, Place]:
        """Where the parts of each SAE are made and wait."""
        return {sae: Place(self.staging.path / "parts", one) for sae, one in self.waiting.items()}

    def staged(self, staging: Staging) -> Work:
        """Return the same with another staging folder; the models stay loaded."""
        return replace(self, staging=staging)

    def units(self) -> list[Unit]:
        """Return what there is to do; what failed before comes last of its PLM, when all else is done."""
        plms = list(dict.fromkeys(plm for plm, _ in self.groups))
        found = [
            (plms.index(plm), any(np.isin(group.ids, self.failed_before).any() for group in groups), block)
            for (plm, block), groups in self.groups.items()
        ]
        return [
            Unit(plms[plm], block, sum(group.n_residues for group in self.groups[plms[plm], block]))
            for plm, _, block in sorted(found)
        ]

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Encode blocks one after the other.

        Raises
        ------
        InputError
            If the PLM does not know a letter.
        MismatchError
            If an SAE explains another layer better.
        """
        for plm, of_plm in groupby(units, key=lambda unit: unit.plm):
            groups = [group for unit in of_plm for group in self.groups.get((plm, unit.block), ())]
            for group, sequences in with_sequences(self.warehouse, groups):
                yield self._do(plm, group, sequences)

    def _do(self, plm: str, group: Group, sequences: Sequences) -> Outcome:
        """Encode one group with those SAEs for which nobody else has done it or is doing it."""
        with ExitStack() as claims:
            rows = [row for row in group.saes if self._is_ours(row.sae, group, sequences, claims)]
            counted = [Counted(row.sae, n_skipped=len(group.ids)) for row in group.saes if row not in rows]
            failure = None
            if rows:
                parts, failure = self._tried(replace(group, saes=tuple(rows)), sequences)
                counted += [_counted(part) for part in parts]
        encoder = self._encoders.get(plm)
        said = ("", "") if encoder is None else (encoder.plm.dtype, str(encoder.plm.device))
        return Outcome(plm, group.block, group.n_residues, tuple(counted), failure, *said)

    def _is_ours(self, sae: str, group: Group, sequences: Sequences, claims: ExitStack) -> bool:
        """Claim a part; False where it is there, registered, or claimed by another.

        Looked for after the claim, and where it waits before where it is registered: it is at one of the
        two at any time.
        """
        waiting, name = self.waiting[sae], sequences.name(group)
        if waiting.has(name) or not claims.enter_context(waiting.claim(name)):
            return False
        return not (waiting.has(name) or self._registered.any_of(sae, group.ids))

    def _tried(self, group: Group, sequences: Sequences) -> tuple[list[Part], Failure | None]:
        """Encode a group; where that fails, once more, three times in all."""
        encoder = self.encoder(group.saes[0].plm)
        parts: list[Part] = []
        left, n_tries = group.saes, 0
        while fault := _attempt(
            encoder, replace(group, saes=left), sequences, places=self.places, parts=parts
        ):
            n_tries += 1
            log.warning("block %d, try %d of %d: %s", group.block, n_tries, TRIES, fault.reason)
            encoder.free_memory()
            done = {part.sae for part in parts}
            left = tuple(row for row in group.saes if row not in done)
            if n_tries == TRIES:
                names = tuple(row.sae for row in left)
                return parts, failed(names, group, sequences, fault.reason, is_memory=fault.is_memory)
        return parts, None

    def encoder(self, plm: str) -> Encoder:
        """Return the models of one PLM, loaded and checked; those of another are forgotten."""
        if plm not in self._encoders:
            self._encoders.clear()
            groups = [group for (name, _), its in self.groups.items() if name == plm for group in its]
            rows = [row for row in self.rows if row.plm == plm]
            encoder = Encoder.load(self.warehouse, rows, settings=self.job.settings)
            encoder.check_letters(groups)
            encoder.check_layers()
            self._encoders[plm] = encoder
        return self._encoders[plm]


def failed(
    saes: tuple[str, ...], group: Group, sequences: Sequences, reason: str, *, is_memory: bool = False
) -> Failure:
    """Name the proteins of a group that was tried three times in vain."""
    ids = tuple(int(one) for one in group.ids)
    return Failure(saes, ids, tuple(sequences.accessions), reason, TRIES, is_memory)


@dataclass(frozen=True)
class _Fault:
    reason: str
    is_memory: bool


def _attempt(
    encoder: Encoder,
    group: Group,
    sequences: Sequences,
    *,
    places: dict[str, Place],
    parts: list[Part],
) -> _Fault | None:
    """Encode a group into `parts`; returns what went wrong, without the error, which would hold memory."""
    from interplm_wh.plm import memory

    try:
        parts.extend(encoder.encode(group, sequences, places=places))
    except FAULTS as error:
        words = str(error).strip() or type(error).__name__
        return _Fault(words.partition("\n")[0], isinstance(error, ModelError) or memory.ran_out(error))
    return None


def _counted(part: Part) -> Counted:
    return Counted(
        part.sae.sae,
        n_proteins=len(part.group.ids),
        n_residues=part.group.n_residues,
        n_activations=int(part.n_activations.sum()),
        n_halved=sum(part.is_halved),
    )


@contextmanager
def open_work(job: Job) -> Iterator[Work]:
    """Open a warehouse and plan a job on it.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE.
    InputError
        If the activations of an SAE were made elsewhere.
    """
    with store.open(job.root) as wh, store.stage(wh.path) as staging:
        work = plan_work(wh, staging, job)
        try:
            yield work
        finally:
            for waiting in work.waiting.values():
                waiting.tidy()


def plan_work(warehouse: Warehouse, staging: Staging, job: Job) -> Work:
    """Plan a job on an open warehouse; errors as of `open_work`."""
    rows = tuple(models.sae_rows(warehouse, job.saes))
    applied = identities(warehouse.con, job.saes, min_value=job.settings.min_value)
    waiting = {row.sae: Waiting.of(warehouse.path, row.sae, applied[row.sae]) for row in rows}
    groups: dict[tuple[str, int], list[Group]] = {}
    for plm in dict.fromkeys(row.plm for row in rows):
        of_plm = [row for row in rows if row.plm == plm]
        for group in plan(warehouse, of_plm, like=job.like, share=job.shard):
            groups.setdefault((plm, group.block), []).append(group)
    failed_before = warehouse.sql(_FAILED, {"saes": list(job.saes)})["protein_id"].to_numpy()
    registered = Registered(warehouse, job.saes)
    return Work(job, warehouse, staging, rows, waiting, groups, failed_before, registered)
