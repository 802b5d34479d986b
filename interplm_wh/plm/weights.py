"""Loading weights with transformers: complete, in the number format asked for, and quietly."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers.utils import logging

from interplm_wh.errors import ModelError

_logging: Any = logging  # its annotations do not follow its decorators
_DAMAGED = (
    OSError, ValueError, RuntimeError, LookupError, EOFError, pickle.UnpicklingError, SafetensorError,
)  # fmt: skip
"""What the libraries raise of files that are cut short or hold something else."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Checkpoint:
    """A folder as the Hugging Face hub holds it, and how it is opened.

    Attributes
    ----------
    folder : Path
        Folder with config.json, vocabulary and weights.
    name : str
        Slug of the model's id.
    source : str
        Hub id or absolute path of the local folder.
    revision : str or None
        Commit on the hub, or ``sha256:…`` of the files of a local folder.
    device : torch.device
    dtype : {'float32', 'bfloat16', 'float16'}
    """

    folder: Path
    name: str
    source: str
    revision: str | None
    device: torch.device
    dtype: str


@dataclass(frozen=True)
class Loaded:
    """A model on its device.

    Attributes
    ----------
    model : Module
        In evaluation mode.
    headless : tuple of str
        Weights of the masked-token head that the folder lacks; empty where it is complete, or where
        the model has none.
    """

    model: Any
    headless: tuple[str, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what transformers reports of a checkpoint off standard error.

    What would matter in it, weights that are missing and letters that are read otherwise, is
    checked and raised.
    """
    verbosity = _logging.get_verbosity()
    bars = _logging.is_progress_bar_enabled()
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()
    try:
        yield
    finally:
        _logging.set_verbosity(verbosity)
        if bars:
            _logging.enable_progress_bar()


def load_weights(
    model_class: Any,
    checkpoint: Checkpoint,
    *,
    sizes: Sequence[str],
    spare: Sequence[str] = (),
    head: str | None = None,
) -> Loaded:
    """Load a model; weights that the folder lacks are an error, never random numbers.

    Parameters
    ----------
    model_class : type
        Class of transformers, the smallest that holds the encoder and its masked-token head.
    checkpoint : Checkpoint
    sizes : sequence of str
        Keys that config.json must have: without one, transformers would take another model's size.
    spare : sequence of str
        Parts of the names of weights that hidden states do not depend on.
    head : str, optional
        What the names of the masked-token head's weights begin with; these may be missing.

    Raises
    ------
    ModelError
        If the folder does not hold a complete model.
    """
    folder = checkpoint.folder
    _require_sizes(folder, sizes)
    try:
        with quiet():
            model, info = model_class.from_pretrained(
                folder,
                dtype=DTYPES[checkpoint.dtype],
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
            )
    except _DAMAGED as error:
        raise ModelError(
            f"{_at_fault(folder)}: the model cannot be loaded: {error}; download it again"
        ) from error
    absent = _needed(info["missing_keys"], spare)
    misshapen = _needed((str(k[0] if isinstance(k, tuple) else k) for k in info["mismatched_keys"]), spare)
    headless = [key for key in (*absent, *misshapen) if head is not None and key.startswith(head)]
    if len(headless) < len(absent) + len(misshapen):
        found = f"missing {absent[:5]}, of another shape {misshapen[:5]}"
        raise ModelError(f"{folder}: the weights do not fit config.json: {found}; download the model again")
    return Loaded(model.eval().to(checkpoint.device), tuple(headless))


def _at_fault(folder: Path) -> Path:
    """Return the file that cannot be opened, else the only file of weights, else the folder."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    for path in files:
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, framework="pt"):
                    pass
            except (OSError, SafetensorError):
                return path
    return files[0] if len(files) == 1 else folder


def _require_sizes(folder: Path, sizes: Sequence[str]) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if lacking := [key for key in sizes if key not in config]:
        raise ModelError(
            f"{folder}: config.json does not say {', '.join(lacking)}; "
            "give the model in the layout that transformers reads, for instance a newer revision of it"
        )


def _needed(keys: Iterable[str], spare: Sequence[str]) -> list[str]:
    return sorted(key for key in keys if not any(part in key for part in spare))
