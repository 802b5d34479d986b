"""Encode proteins: PLM, SAEs, sparse rows, Parquet parts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import progress, store
from interplm_wh.controls.residues import Taken, encode_rules
from interplm_wh.encode import models
from interplm_wh.encode.encoder import Encoder, Settings
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.plan import Group, encoded_ids, plan, with_sequences
from interplm_wh.encode.register import INTERRUPTED_WAIT_SECONDS, LAST_WAIT_SECONDS, Part, Registrar
from interplm_wh.encode.report import EncodedSae, EncodeReport
from interplm_wh.errors import InputError, LockedError

if TYPE_CHECKING:
    from interplm_wh.store import Warehouse

log = logging.getLogger(__name__)


@dataclass
class _Tally:
    """What was encoded with one SAE so far."""

    n_present: int
    n_proteins: int = 0
    n_residues: int = 0
    n_activations: int = 0
    n_halved: int = 0

    def add(self, part: Part) -> None:
        """Count one part."""
        self.n_proteins += len(part.ids)
        self.n_residues += int(part.lengths.sum())
        self.n_activations += int(part.n_activations.sum())
        self.n_halved += sum(part.is_halved)


@dataclass
class _Job:
    """One run of `encode`: where its parts go and what it counts."""

    registrar: Registrar
    tallies: dict[str, _Tally]
    dtype: str = ""
    device: str = ""

    def report(self, seconds: float, rules: Mapping[str, Taken]) -> EncodeReport:
        """Say what was done, with controls that were made from residues behind the SAEs."""
        encoded = [
            EncodedSae(
                sae=name,
                n_proteins=tally.n_proteins,
                n_residues=tally.n_residues,
                n_activations=tally.n_activations,
                n_present=tally.n_present,
                n_halved=tally.n_halved,
                n_discarded=self.registrar.discarded.get(name, 0),
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
        return EncodeReport(tuple(encoded), self.dtype, self.device, seconds)


def encode(
    warehouse: str | Path,
    saes: Sequence[str],
    *,
    dtype: str = "float32",
    device: str | None = None,
    min_value: float | None = None,
    token_budget: int | None = None,
    like: str | None = None,
) -> EncodeReport:
    """Encode every protein that an SAE has not encoded yet; SAEs of one PLM share its passes.

    What is finished is registered every ten seconds or so, on Ctrl-C, and at the end. A run that was
    cut off is continued by the next, with the same files as if it had not been.

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

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE.
    InputError
        If the PLM does not know a letter, or `min_value` is not that of an earlier run.
    MismatchError
        If an SAE explains another layer better, or hidden states are not finite.
    """
    started = time.monotonic()
    root = Path(warehouse).resolve()
    with store.open(root) as wh, store.stage(root) as staging:
        rules = models.rules_among(wh, saes)
        rows = models.sae_rows(wh, [name for name in saes if name not in rules])
        settings = Settings(dtype, device, _floor(wh, rows, min_value), token_budget)
        said = {"saes": list(saes), **asdict(settings)}
        job = _Job(
            Registrar(root, staging, dtype, settings.min_value, said),
            {row.sae: _Tally(len(encoded_ids(wh, row.sae))) for row in rows},
        )
        for plm in dict.fromkeys(row.plm for row in rows):
            mine = [row for row in rows if row.plm == plm]
            if groups := plan(wh, mine, like=like):
                _encode_plm(Encoder.load(wh, mine, settings=settings), groups, job=job)
    done = encode_rules(root, rules, like=like, wait_seconds=LAST_WAIT_SECONDS)
    return job.report(time.monotonic() - started, done)


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


def _encode_plm(encoder: Encoder, groups: Sequence[Group], *, job: _Job) -> None:
    """Encode what is left with all SAEs of one PLM, and register it."""
    plm, registrar = encoder.plm, job.registrar
    registrar.dtype, job.dtype, job.device = plm.dtype, plm.dtype, str(plm.device)
    encoder.check_letters(groups)
    encoder.check_layers()
    n_residues = sum(group.n_residues for group in groups)
    try:
        with progress.track(f"encoding with {plm.name}", total=n_residues, unit="residues") as bar:
            for group, sequences in with_sequences(encoder.warehouse, groups):
                for part in encoder.encode(group, sequences, registrar=registrar):
                    job.tallies[part.sae.sae].add(part)
                registrar.register_if_due()
                bar.advance(group.n_residues)
    except BaseException:
        _register_interrupted(registrar)
        raise
    _register_last(registrar)


def _register_interrupted(registrar: Registrar) -> None:
    """Keep what was finished before an error or Ctrl-C."""
    try:
        registrar.register(wait_seconds=INTERRUPTED_WAIT_SECONDS)
    except LockedError as error:
        log.warning("what was finished last is lost: %s", error)


def _register_last(registrar: Registrar) -> None:
    try:
        registrar.register(wait_seconds=0)
    except LockedError as error:
        log.warning("all is encoded; waiting to register it: %s", error)
        registrar.register(wait_seconds=LAST_WAIT_SECONDS)
