"""Encode proteins: PLM, SAEs, sparse rows, Parquet parts."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import hub, progress, store
from interplm_wh.encode import layer_check, models
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.part import Proteins, write_part
from interplm_wh.encode.plan import Group, Sequences, encoded_ids, plan, with_sequences
from interplm_wh.encode.register import INTERRUPTED_WAIT_SECONDS, LAST_WAIT_SECONDS, Part, Registrar
from interplm_wh.encode.report import EncodedSae, EncodeReport
from interplm_wh.errors import InputError, LockedError, MismatchError

if TYPE_CHECKING:
    from torch import Tensor

    from interplm_wh.plm.base import PLM, HiddenStates
    from interplm_wh.sae.base import SAE
    from interplm_wh.store import Warehouse

log = logging.getLogger(__name__)

_LETTERS = (
    "select accession, sequence from proteins where protein_id between $low and $high "
    "and regexp_matches(sequence, '[^' || $alphabet || ']') order by protein_id limit 1000"
)


@dataclass(frozen=True)
class _Settings:
    dtype: str
    device: str | None
    min_value: float
    token_budget: int | None


@dataclass
class _Tally:
    """What was encoded with one SAE so far."""

    n_present: int
    n_proteins: int = 0
    n_residues: int = 0
    n_activations: int = 0
    n_halved: int = 0


def encode(
    warehouse: str | Path,
    saes: Sequence[str],
    *,
    dtype: str = "float32",
    device: str | None = None,
    min_value: float | None = None,
    token_budget: int | None = None,
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
    settings = {"saes": list(saes), "dtype": dtype, "device": device, "token_budget": token_budget}
    with store.open(root) as wh:
        rows = models.sae_rows(wh, saes)
        floor = _floor(wh, rows, min_value)
        tallies = {row.sae: _Tally(len(encoded_ids(wh, row.sae))) for row in rows}
        chosen = _Settings(dtype, device, floor, token_budget)
        used = ("", "")
        with store.stage(root) as staging:
            registrar = Registrar(root, staging, "", floor, {**settings, "min_value": floor})
            for plm in dict.fromkeys(row.plm for row in rows):
                mine = [row for row in rows if row.plm == plm]
                used = _encode_plm(wh, mine, chosen, registrar, tallies) or used
    encoded = tuple(
        EncodedSae(
            name, t.n_proteins, t.n_residues, t.n_activations, t.n_present, t.n_halved,
            registrar.discarded.get(name, 0),
        )
        for name, t in tallies.items()
    )  # fmt: skip
    return EncodeReport(encoded, *used, time.monotonic() - started)


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


def _encode_plm(
    wh: Warehouse, rows: Sequence[SaeRow], chosen: _Settings, registrar: Registrar, tallies: dict[str, _Tally]
) -> tuple[str, str] | None:
    """Encode with all SAEs of one PLM; returns its number format and device, None if nothing was left."""
    groups = plan(wh, rows)
    if not groups:
        return None
    with hub.extra_needed():
        plm = models.open_plm(wh, rows[0].plm, device=chosen.device, dtype=chosen.dtype)
        saes = {row.sae: models.open_sae(wh, row, plm) for row in rows}
    registrar.dtype = plm.dtype
    _check_letters(wh, plm, groups)
    _check_layers(wh, plm, rows, saes)
    n_residues = sum(group.n_residues for group in groups)
    try:
        with progress.track(f"encoding with {plm.name}", total=n_residues, unit="residues") as bar:
            for group, sequences in with_sequences(wh, groups):
                _encode_group(group, sequences, plm, saes, chosen, registrar, tallies)
                registrar.register_if_due()
                bar.advance(group.n_residues)
    except BaseException:
        _register_interrupted(registrar)
        raise
    _register_last(registrar)
    return plm.dtype, str(plm.device)


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


def _check_letters(wh: Warehouse, plm: PLM, groups: Sequence[Group]) -> None:
    """Refuse letters that the PLM does not know before anything is computed."""
    values = {
        "low": int(groups[0].ids[0]),
        "high": int(max(group.ids[-1] for group in groups)),
        "alphabet": "".join(sorted(plm.alphabet)),
    }
    plm.check_letters({r["accession"]: r["sequence"] for r in wh.sql(_LETTERS, values).to_pylist()})


def _check_layers(wh: Warehouse, plm: PLM, rows: Sequence[SaeRow], saes: dict[str, SAE]) -> None:
    """Check the layer of SAEs that were added before there was a protein."""
    for row in rows:
        folder = models.sae_folder(wh.path, row.sae)
        if row.architecture == "identity" or row.is_forced or layer_check.is_checked(folder):
            continue
        sequences = wh.sql(layer_check.PROTEINS_SQL)["sequence"].to_pylist()
        check = layer_check.check_layer(plm, saes[row.sae], row.layer, sequences)
        check.require(row.sae)
        if check.is_doubtful:
            explained = check.explained[row.layer]
            log.warning("%s: explains only %.2f of the variance of layer %d", row.sae, explained, row.layer)
        layer_check.save_check(folder, check)


def _encode_group(
    group: Group,
    sequences: Sequences,
    plm: PLM,
    saes: dict[str, SAE],
    chosen: _Settings,
    registrar: Registrar,
    tallies: dict[str, _Tally],
) -> None:
    from interplm_wh.sae.sparse import sparse_rows

    layers = sorted({row.layer for row in group.saes})
    hidden = plm.hidden_states(sequences.texts, layers, token_budget=chosen.token_budget)
    for layer in layers:
        _check_finite(plm, hidden, layer, sequences.accessions)
    proteins = Proteins(group.ids, group.lengths)
    for row in group.saes:
        path = registrar.folder(row.sae) / f"{group.ids[0]:08d}-{group.ids[-1]:08d}.parquet"
        chunks = sparse_rows(
            saes[row.sae], hidden.states[row.layer], hidden.offsets, min_value=chosen.min_value
        )
        n_rows = write_part(path, proteins, chunks)
        registrar.add(
            Part(row, path, group.ids, group.lengths, n_rows, hidden.is_halved, sequences.fingerprints)
        )
        _count(tallies[row.sae], group, int(n_rows.sum()), hidden)


def _count(tally: _Tally, group: Group, n_activations: int, hidden: HiddenStates) -> None:
    tally.n_proteins += len(group.ids)
    tally.n_residues += group.n_residues
    tally.n_activations += n_activations
    tally.n_halved += Counter(hidden.is_halved)[True]


def _check_finite(plm: PLM, hidden: HiddenStates, layer: int, accessions: Sequence[str]) -> None:
    """Refuse hidden states that no SAE can read.

    Raises
    ------
    MismatchError
        With the first protein.
    """
    state: Tensor = hidden.states[layer]
    is_bad = ~state.isfinite().all(dim=1)
    if bool(is_bad.any()):
        first = int(is_bad.nonzero()[0])
        index = next(i for i in range(len(accessions)) if first < hidden.offsets[i + 1])
        step = "use --dtype float32" if plm.dtype != "float32" else "download the model again"
        raise MismatchError(
            f"{plm.name}: the hidden states of {accessions[index]} at layer {layer} are not finite "
            f"(position {first - hidden.offsets[index] + 1}, {plm.dtype}); {step}"
        )
