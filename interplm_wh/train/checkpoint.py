"""What an interrupted training goes on from: complete, atomic, and without anything that could run."""

from __future__ import annotations

import json
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

_PREFIX = "step-"
_STATE = "state.json"
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
            save_file({key: tensor.cpu().contiguous() for key, tensor in state.items()}, path)
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
        (fresh / _STATE).write_text(json.dumps(content), encoding="utf-8")
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


def latest(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint; what a killed process left half written is removed.

    Raises
    ------
    CheckError
        If it is damaged.
    """
    for leftover in folder.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    found = _all(folder)
    return _read(found[-1]) if found else None


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))


def _read(path: Path) -> Checkpoint:
    remedy = f"remove that folder to go on from the checkpoint before it, or {path.parent} to start anew"
    try:
        content = json.loads((path / _STATE).read_text(encoding="utf-8"))
        saes = {}
        for name, expected in content["sha256"].items():
            file = path / f"{name}.safetensors"
            if files.sha256(file) != expected:
                raise CheckError(f"{file}: is damaged (sha256 differs); {remedy}")
            saes[name] = load_file(file)
        return Checkpoint(
            content["step"],
            Place(**content["place"]),
            content["seconds"],
            content["waited"],
            content["metrics"],
            content["windows"],
            saes,
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckError(f"{path}: the checkpoint is damaged ({error}); {remedy}") from error
