"""Encode proteins: PLM, SAEs, sparse rows, Parquet parts; by this process or by several."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interplm_wh import progress, store
from interplm_wh.controls.residues import Taken, encode_rules
from interplm_wh.encode import models, shard
from interplm_wh.encode.encoder import Settings
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.keep import Plan
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.outcome import HOPELESS, Beat, Failure, GaveUp, Outcome, Patience
from interplm_wh.encode.plan import encoded_ids
from interplm_wh.encode.register import INTERRUPTED_WAIT_SECONDS, LAST_WAIT_SECONDS, Registrar
from interplm_wh.encode.report import EncodedSae, EncodeReport
from interplm_wh.encode.work import TRIES, Work, open_work
from interplm_wh.errors import EncodingError, InputError, LockedError, faults_message
from interplm_wh.store.rows import value

if TYPE_CHECKING:
    from interplm_wh.store import Warehouse

log = logging.getLogger(__name__)

Engine = Literal["local", "spark"]
_OTHER_FORMATS = """
select sae, dtype, count(*) as n_proteins
from encodings
where list_contains($saes, sae) and dtype <> $dtype
group by sae, dtype
order by sae, dtype
"""


@dataclass
class _Tally:
    """What was encoded with one SAE so far."""

    n_present: int
    n_proteins: int = 0
    n_residues: int = 0
    n_activations: int = 0
    n_halved: int = 0


@dataclass
class _Run:
    """One run of `encode`: what it counts."""

    tallies: dict[str, _Tally]
    discarded: dict[str, int] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    dtype: str = ""
    device: str = ""

    def take(self, outcome: Outcome) -> None:
        """Count what became of one group."""
        self.dtype, self.device = outcome.dtype or self.dtype, outcome.device or self.device
        for one in outcome.counted:
            tally = self.tallies[one.sae]
            tally.n_present += one.n_skipped
            tally.n_proteins += one.n_proteins
            tally.n_residues += one.n_residues
            tally.n_activations += one.n_activations
            tally.n_halved += one.n_halved
        if outcome.failure is not None:
            self.failed.append(outcome.failure)

    def error(self, remedy: str) -> EncodingError:
        """Return the error that names what failed."""
        n_proteins = len({one for failure in self.failed for one in failure.ids})
        what = f"{n_proteins:,} proteins could not be encoded"
        return EncodingError(faults_message(what, [failure.line() for failure in self.failed], remedy))

    def report(self, seconds: float, rules: Mapping[str, Taken], share: str | None) -> EncodeReport:
        """Say what was done, with controls that were made from residues behind the SAEs."""
        encoded = [
            EncodedSae(
                sae=name,
                n_proteins=tally.n_proteins,
                n_residues=tally.n_residues,
                n_activations=tally.n_activations,
                n_present=tally.n_present,
                n_halved=tally.n_halved,
                n_discarded=self.discarded.get(name, 0),
            )
            for name, tally in self.tallies.items()
        ]
        encoded += [
            EncodedSae(
                sae=name,
                n_proteins=one.n_proteins,
                n_residues=one.n_residues,
                n_activations=one.n_activations,
                n_present=one.n_present,
                n_halved=0,
                n_discarded=0,
            )
            for name, one in rules.items()
        ]
        return EncodeReport(tuple(encoded), self.dtype, self.device, seconds, share)


def encode(
    warehouse: str | Path,
    saes: Sequence[str],
    *,
    dtype: str = "float32",
    device: str | None = None,
    min_value: float | None = None,
    token_budget: int | None = None,
    like: str | None = None,
    share: str | None = None,
    devices: Sequence[str] = (),
    engine: Engine = "local",
    master: str | None = None,
) -> EncodeReport:
    """Encode every protein that an SAE has not encoded yet; SAEs of one PLM share its passes.

    What is finished is registered every ten seconds, less often in a long run, on Ctrl-C, and at the end.
    A run that was cut off is continued by the next, with the same files as if it had not been; so are
    several at once.

    Parameters
    ----------
    warehouse : str or Path
    saes : sequence of str
        Names of SAEs.
    dtype : {'float32', 'bfloat16', 'float16'}
        Number format of the PLM; recorded.
    device : str, optional
    min_value : float, optional
        Raw activations above it are kept; by default as before, and all positive ones at first.
    token_budget : int, optional
        Most tokens in one batch of the PLM; by default what suits the device.
    like : str, optional
        Only proteins that this SAE has encoded; by default all of the warehouse.
    share : str, optional
        I/N: only the I-th of N shares of the residues.
    devices : sequence of str, optional
        One process for each; a number means a GPU.
    engine : {'local', 'spark'}
        Spark hands the blocks to its workers, which see the warehouse under the same path.
    master : str, optional
        Address of the Spark cluster.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE.
    InputError
        If the PLM does not know a letter, `min_value` is not that of an earlier run, or arguments do not go
        together.
    MismatchError
        If an SAE explains another layer better.
    EncodingError
        If proteins could not be encoded; all others are then, unless one block after the other fails.
    """
    started = time.monotonic()
    _refuse_together(device, share, devices, engine=engine, master=master)
    root = Path(warehouse).resolve()
    part = shard.parse(share) if share is not None else shard.WHOLE
    with store.open(root) as wh:
        rules = models.rules_among(wh, saes)
        rows = models.sae_rows(wh, [name for name in saes if name not in rules])
        settings = Settings(dtype, device, _floor(wh, rows, min_value), token_budget)
        tallies = {row.sae: _Tally(len(encoded_ids(wh, row.sae))) for row in rows}
        n_proteins = int(value(wh.con, "select count(*) from proteins"))
        _warn_of_formats(wh, rows, dtype)
    job = Job(root, tuple(row.sae for row in rows), settings, like, part)
    source = _source(devices, engine=engine, master=master)
    run = _Run(tallies)
    if rows:
        with open_work(job) as work:
            plan = Plan(like, n_proteins)
            registrar = Registrar(
                root, work.staging, work.waiting, plan, settings.min_value, job.said(), run.discarded
            )
            _encode(work, source, registrar=registrar, run=run)
    # Made in a moment, and by one of many.
    done = {} if part.index > 1 else encode_rules(root, rules, like=like, wait_seconds=LAST_WAIT_SECONDS)
    if run.failed:
        raise run.error(
            "all others are; the list is the table encoding_failures; run encode again to try these again"
        )
    return run.report(time.monotonic() - started, done, share)


Source = Callable[[Work, Sequence[Unit]], Iterator[Outcome | Beat | GaveUp]]
"""Encodes blocks and yields what became of them, with beats where that takes long."""


def _refuse_together(
    device: str | None, share: str | None, devices: Sequence[str], *, engine: Engine, master: str | None
) -> None:
    """Refuse what says twice where to encode."""
    if devices and device is not None:
        raise InputError("devices and device do not go together; give one of them")
    if engine == "spark" and (devices or share is not None):
        raise InputError("Spark hands the blocks out itself; leave out devices and share")
    if engine != "spark" and master is not None:
        raise InputError(f"the master {master} is one of Spark; give engine='spark' with it")


def _source(devices: Sequence[str], *, engine: Engine, master: str | None) -> Source:
    """Return what hands out blocks and yields what became of them."""
    if engine == "spark":
        from interplm_wh.encode.on_spark import outcomes as on_spark

        return lambda work, units: on_spark(work, units, master=master)
    if devices:
        from interplm_wh.encode.devices import named
        from interplm_wh.encode.devices import outcomes as on_devices

        chosen = named(devices)
        return lambda work, units: on_devices(work, units, devices=chosen)
    return _alone


def _alone(work: Work, units: Sequence[Unit]) -> Iterator[Outcome | Beat | GaveUp]:
    """Encode blocks in this process, until one after the other fails."""
    patience = Patience()
    yield Beat(0)
    for outcome in work.run(units):
        yield outcome
        if patience.is_over(outcome):
            yield GaveUp()
            return


def _warn_of_formats(wh: Warehouse, rows: Sequence[SaeRow], dtype: str) -> None:
    """Say where proteins have been encoded in another number format, whose values are not quite these."""
    saes = [row.sae for row in rows]
    for row in wh.sql(_OTHER_FORMATS, {"saes": saes, "dtype": dtype}).to_pylist():
        log.warning(
            "%s: %d proteins were encoded in %s, these are in %s: their activations differ in the last "
            "digits; for one format give --dtype %s",
            row["sae"], row["n_proteins"], row["dtype"], dtype, row["dtype"],
        )  # fmt: skip


def _floor(wh: Warehouse, rows: Sequence[SaeRow], min_value: float | None) -> float:
    """Return the smallest value that is dropped, the same for all SAEs and for earlier runs."""
    if min_value is not None and not (math.isfinite(min_value) and min_value >= 0):
        raise InputError(f"--min-value {min_value}: give a number that is not below 0")
    recorded = {row.sae: row.min_value for row in rows if len(encoded_ids(wh, row.sae))}
    floor = min_value if min_value is not None else next(iter(recorded.values()), 0.0)
    if faults := [f"{sae} with {value:g}" for sae, value in recorded.items() if value != floor]:
        raise InputError(
            f"--min-value {floor:g}: proteins are encoded already by {', '.join(faults)}; "
            "give the same value (one run for each), or remove the SAE and add it again"
        )
    return floor


def _encode(work: Work, source: Source, *, registrar: Registrar, run: _Run) -> None:
    """Encode what is left, and register it with what others have finished."""
    units = work.units()
    n_residues = sum(unit.n_residues for unit in units)
    try:
        with progress.track("encoding", total=n_residues, unit="residues") as bar:
            for outcome in source(work, units):
                if isinstance(outcome, GaveUp):
                    raise run.error(
                        f"stopped after {HOPELESS} blocks in a row, each tried {TRIES} times: "
                        "the fault is hardly theirs; mend it, then run encode again"
                    )
                bar.advance(outcome.n_residues)
                if isinstance(outcome, Outcome):
                    if outcome.failure is not None:
                        registrar.failed(outcome.failure)
                    run.take(outcome)
                registrar.register_if_due()
    except BaseException:
        _register_interrupted(registrar)
        raise
    registrar.finish(wait_seconds=LAST_WAIT_SECONDS)


def _register_interrupted(registrar: Registrar) -> None:
    """Keep what was finished before an error or Ctrl-C."""
    try:
        registrar.finish(wait_seconds=INTERRUPTED_WAIT_SECONDS)
    except LockedError as error:
        log.warning("what was finished last is registered by the next run: %s", error)
