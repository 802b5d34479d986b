"""What an interrupted training goes on from: complete, atomic, and without anything that could run."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from interplm_wh.errors import CheckError
from interplm_wh.store import files
from interplm_wh.store.staging import sync
from interplm_wh.train.stream import Place

log = logging.getLogger(__name__)

_PREFIX = "step-"
_STATE = "state"
KEPT = 2
"""Checkpoints that stay: a damaged one leaves the one before."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two steps.

    Attributes
    ----------
    step : int
        Steps that were taken.
    place : Place
        Of the next batch.
    seconds, waited : float
        Time spent on steps, and of it on waiting for hidden states.
    metrics : list of dict
        What was logged so far.
    windows : dict of str to dict
        Per SAE, the sums since then.
    saes : dict of str to dict of str to Tensor
        Per SAE, what its trainer's `state` returned.
    """

    step: int
    place: Place
    seconds: float
    waited: float
    metrics: list[dict[str, Any]]
    windows: Mapping[str, dict[str, Any]]
    saes: Mapping[str, Mapping[str, Tensor]]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, which appears whole or not at all, and remove the oldest ones."""
    final = folder / f"{_PREFIX}{checkpoint.step:010d}"
    fresh = folder / f".new-{uuid.uuid4().hex}"
    fresh.mkdir(parents=True)
    try:
        sums: dict[str, str] = {}
        for name, state in checkpoint.saes.items():
            path = fresh / f"{name}.safetensors"
            _write(path, state)
            sums[name] = files.sha256(path)
            sync(path)
        content = {
            "step": checkpoint.step,
            "place": checkpoint.place.settings(),
            "seconds": checkpoint.seconds,
            "waited": checkpoint.waited,
            "sha256": sums,
            "metrics": checkpoint.metrics,
            "windows": dict(checkpoint.windows),
        }
        text = json.dumps(content)
        (fresh / _STATE).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="utf-8")
        sync(fresh / _STATE)
        sync(fresh)
        if final.exists():
            shutil.rmtree(final)
        fresh.replace(final)
        sync(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    for old in _all(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _write(path: Path, state: Mapping[str, Tensor]) -> None:
    try:
        save_file({key: tensor.cpu().contiguous() for key, tensor in state.items()}, path)
    except SafetensorError as error:
        raise CheckError(
            f"{path.parent.parent}: the checkpoint cannot be written ({error}); free some space and run the "
            "same command again, it goes on from the checkpoint before"
        ) from error


def latest(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint that is whole, warning of damaged ones; None where there is none.

    What a killed process left half written is removed.

    Raises
    ------
    CheckError
        If there are checkpoints and all are damaged.
    """
    for leftover in folder.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    faults: list[str] = []
    for path in reversed(_all(folder)):
        try:
            return _read(path)
        except CheckError as error:
            log.warning("%s; going on from the checkpoint before it", error)
            faults.append(str(error))
    if faults:
        raise CheckError(f"{folder}: no checkpoint is whole ({faults[0]}); begin anew with --restart")
    return None


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))


def _read(path: Path) -> Checkpoint:
    try:
        told, _, text = (path / _STATE).read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(text.encode()).hexdigest() != told:
            raise CheckError(f"{path / _STATE}: is damaged (sha256 differs)")
        content = json.loads(text)
        saes = {}
        for name, expected in content.pop("sha256").items():
            file = path / f"{name}.safetensors"
            if files.sha256(file) != expected:
                raise CheckError(f"{file}: is damaged (sha256 differs)")
            saes[name] = load_file(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckError(f"{path}: the checkpoint is damaged ({error})") from error
    return Checkpoint(**{**content, "place": Place(**content["place"])}, saes=saes)
