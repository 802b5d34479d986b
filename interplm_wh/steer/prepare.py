"""What is asked for, looked up in the warehouse and checked before any model is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from interplm_wh.encode.models import SaeRow, sae_rows
from interplm_wh.errors import InputError, NotThereError, faults_message
from interplm_wh.steer import positions as places
from interplm_wh.steer.plan import Asked, Plan, Scaled, Target
from interplm_wh.store import Warehouse

N_WATCHED = 8
"""Touched and untouched positions at which controls are compared, where none are given."""
FEWEST_CONTROLS = 100


def prepare(wh: Warehouse, asked: Asked) -> Plan:
    """Look everything up.

    Raises
    ------
    NotThereError, InputError
        With every fault of features, proteins and positions in one message.
    """
    rows = sae_rows(wh, [asked.sae, *asked.read])
    scaled = {row.sae: _scaled(wh, row) for row in rows}
    steered = scaled[asked.sae]
    faults = [*_number_faults(asked), *_reader_faults(steered.row, [scaled[name].row for name in asked.read])]
    norms = wh.sql("select decoder_norm from features where sae = ? order by feature", [asked.sae])
    live = [
        feature
        for feature, (scale, norm) in enumerate(
            zip(steered.max_activations, norms["decoder_norm"].to_pylist(), strict=True)
        )
        if scale > 0 and norm != 0
    ]
    faults += _feature_faults(asked, live, len(steered.max_activations))
    targets, more = _targets(wh, asked)
    if faults + more:
        raise InputError(faults_message("steer", faults + more, "nothing was written; ask otherwise"))
    others = sorted(set(live) - set(asked.features))
    drawn = np.random.default_rng(asked.seed).permutation(others)[: asked.n_controls]
    readers = tuple(scaled[name] for name in dict.fromkeys(asked.read))
    return Plan(asked, steered, tuple(int(f) for f in drawn), len(others), readers, targets)


def _scaled(wh: Warehouse, row: SaeRow) -> Scaled:
    found = wh.sql("select max_activation from features where sae = ? order by feature", [row.sae])
    if not found.num_rows:
        raise NotThereError(f"{row.sae} has no scale yet, so that no dose means anything: interplm-wh build")
    return Scaled(row, tuple(float(value) for value in found["max_activation"].to_pylist()))


def _number_faults(asked: Asked) -> list[str]:
    faults = []
    if not asked.doses or not all(math.isfinite(dose) for dose in asked.doses):
        faults.append(f"--{asked.how} needs finite numbers")
    if 0 < asked.n_controls < FEWEST_CONTROLS or asked.n_controls < 0:
        faults.append(
            f"--controls {asked.n_controls}: a percentile among fewer than {FEWEST_CONTROLS} says little; "
            f"give {FEWEST_CONTROLS} or more, or 0 for none"
        )
    if not (math.isfinite(asked.temperature) and asked.temperature > 0):
        faults.append(f"--temperature {asked.temperature:g}: give a number above 0")
    for option, value, least in (
        ("--sample", asked.n_samples, 0), ("--sweeps", asked.n_sweeps, 1), ("--seed", asked.seed, 0)
    ):  # fmt: skip
        if value < least:
            faults.append(f"{option} {value}: give {least} or more")
    return faults


def _reader_faults(steered: SaeRow, readers: Sequence[SaeRow]) -> list[str]:
    faults = []
    for one in readers:
        if one.plm != steered.plm:
            faults.append(f"--read {one.sae} is an SAE of {one.plm}, not of {steered.plm}")
        elif one.layer < steered.layer:
            faults.append(
                f"--read {one.sae} reads layer {one.layer}, before layer {steered.layer}, which is edited: "
                "nothing moves there"
            )
    return faults


def _feature_faults(asked: Asked, live: Sequence[int], n_features: int) -> list[str]:
    faults = [] if asked.features else ["no feature is given"]
    alive = set(live)
    for feature in asked.features:
        if not 0 <= feature < n_features:
            faults.append(f"there is no feature {feature} in {asked.sae}, which has 0 to {n_features - 1}")
        elif feature not in alive:
            faults.append(
                f"feature {feature} of {asked.sae} is dead: it was never active on what its scale was taken "
                "from, or writes nothing, so that no dose means anything"
            )
    return faults


def _targets(wh: Warehouse, asked: Asked) -> tuple[tuple[Target, ...], list[str]]:
    if (asked.sequence is None) == (not asked.proteins):
        return (), ["give proteins of the warehouse, or one sequence"]
    faults: list[str] = []
    given: list[tuple[str | None, str, bool]] = []
    if asked.sequence is not None:
        given = [(None, asked.sequence, True)]
    for accession in asked.proteins:
        rows = wh.sql("select accession, sequence, is_private from proteins where accession = ?", [accession])
        given += [tuple(row.values()) for row in rows.to_pylist()]
        if not rows.num_rows:
            faults.append(f"there is no protein {accession!r}")
    targets = tuple(_target(asked, *one, faults) for one in given)
    return targets, list(dict.fromkeys(faults))


def _target(
    asked: Asked, accession: str | None, sequence: str, is_private: bool, faults: list[str]
) -> Target:
    every = tuple(range(1, len(sequence) + 1))

    def chosen(option: str, text: str | None, default: tuple[int, ...] = every) -> tuple[int, ...]:
        if text is None or text == places.ALL:
            return default if text is None else every
        try:
            found = places.parse(text, option=option)
        except InputError as error:
            faults.append(str(error))
            return default
        if gone := places.beyond(found, len(sequence)):
            name = accession or "the sequence"
            faults.append(
                f"{option} {places.write(gone)}: {name} has {len(sequence):,} residues, 1 to {len(sequence)}"
            )
        return found

    touched = chosen("--positions", asked.positions)
    measured = every if asked.mask == places.NONE else chosen("--mask", asked.mask)
    watched: tuple[int, ...] = ()
    if asked.n_controls:
        drawn = measured if asked.mask == places.NONE else _drawn(measured, touched, seed=asked.seed)
        watched = chosen("--watch", asked.watch, drawn)
    resampled = chosen("--resample", asked.resample) if asked.n_samples else ()
    return Target(accession, sequence, is_private, touched, measured, watched, resampled)


def _drawn(measured: Sequence[int], touched: Sequence[int], *, seed: int) -> tuple[int, ...]:
    """Draw positions of either kind."""
    rng = np.random.default_rng([seed, 1])
    kinds = sorted(set(measured) & set(touched)), sorted(set(measured) - set(touched))
    drawn = [int(p) for kind in kinds for p in rng.permutation(kind)[:N_WATCHED]]
    return tuple(sorted(drawn))
