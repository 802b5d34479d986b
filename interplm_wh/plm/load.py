"""Loading a protein language model from the hub or a local folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import hub
from interplm_wh.errors import MismatchError, ModelError

if TYPE_CHECKING:
    import torch

    from interplm_wh.plm.base import PLM

_SMALL_FILES = ("*.json", "*.txt", "*.model")
_SAFE_WEIGHTS = "*.safetensors"
_OLD_WEIGHTS = "*.bin"
_IDENTITY = ("config.json", "vocab.txt", "tokenizer.json", "spiece.model", "added_tokens.json")
"""Files beside the weights that what a model makes of a sequence depends on."""
_SHORT_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
DTYPES = ("float32", "bfloat16", "float16")


def plm_slug(source: str) -> str:
    """Return the name of a PLM: letters, digits, dots, dashes and underscores of its id.

    ``facebook/esm2_t6_8M_UR50D`` becomes ``facebook--esm2_t6_8M_UR50D``; a local folder gives its name.
    """
    name = Path(source).expanduser().resolve().name if hub.is_local(source) else source.replace("/", "--")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "plm"


def fetch(source: str, revision: str | None) -> hub.Fetched:
    """Return the folder of a PLM: downloaded, from the hub's cache, or as it is.

    Raises
    ------
    ModelError
        If there is none.
    MismatchError
        If a local folder is not the one that `revision` names.
    """
    if not hub.is_local(source):
        found = hub.fetch_folder(source, (*_SMALL_FILES, _SAFE_WEIGHTS), revision=revision)
        if any(found.path.glob(_SAFE_WEIGHTS)):
            return found
        return hub.fetch_folder(source, (*_SMALL_FILES, _OLD_WEIGHTS), revision=revision)
    folder = Path(source).expanduser().resolve()
    if not folder.is_dir():
        raise ModelError(f"{source}: there is no such folder; give a folder with config.json, or a hub id")
    present = hub.folder_revision(folder, (*_IDENTITY, _SAFE_WEIGHTS, _OLD_WEIGHTS))
    if revision is not None and revision != present:
        raise MismatchError(
            f"{folder}: the model's files are {present}, not {revision} as recorded; "
            "put the recorded files back, or register the SAE with a copy of the folder under another name"
        )
    return hub.Fetched(folder, present)


def _model_type(folder: Path, source: str) -> str:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{source}: config.json cannot be read ({error}); give a folder as the hub holds it"
        ) from error
    if not isinstance(config, dict) or config.get("is_folding_model"):
        raise ModelError(f"{source}: config.json is not that of a protein language model")
    if "model_type" not in config:
        raise ModelError(
            f"{source}: config.json does not say its model_type; give a model in the layout of transformers"
        )
    return str(config["model_type"])


def require_known(folder: Path, source: str) -> str:
    """Return the kind of the model in a folder, a key of `registry.MODELS`.

    Raises
    ------
    ModelError
        If its config.json cannot be read, or names a kind that is not supported.
    """
    with hub.extra_needed():
        from interplm_wh.plm.registry import MODELS
    kind = _model_type(folder, source)
    if kind not in MODELS:
        known = ", ".join(f"{model.title} (type {name!r})" for name, model in MODELS.items())
        raise ModelError(f"{source}: models of type {kind!r} are not supported; these are: {known}")
    return kind


def choose_device(device: str | None) -> torch.device:
    """Return the device that was asked for, else CUDA where there is one, else the CPU.

    Raises
    ------
    ModelError
        If the device does not exist on this machine.
    """
    with hub.extra_needed():
        import torch
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"--device {device}: not a device; use cpu, cuda or cuda:N") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"--device {device}: this installation of PyTorch finds no GPU; use --device cpu")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"--device {device}: there is no such GPU; PyTorch finds {torch.cuda.device_count()}, "
            "counted from 0"
        )
    if chosen.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=chosen).cpu()
        except (RuntimeError, AssertionError, ImportError) as error:
            raise ModelError(
                f"--device {device}: this installation of PyTorch cannot compute on it; use cpu, cuda or "
                "cuda:N"
            ) from error
    return chosen


def load_plm(
    source: str, *, revision: str | None = None, device: str | None = None, dtype: str = "float32"
) -> PLM:
    """Load a protein language model.

    Parameters
    ----------
    source : str
        Hub id such as ``facebook/esm2_t6_8M_UR50D``, or a local folder.
    revision : str, optional
        Branch, tag or commit on the hub; for a local folder the ``sha256:…`` that it must have.
    device : str, optional
        ``cpu``, ``cuda`` or ``cuda:N``; a GPU is used by default where there is one.
    dtype : {'float32', 'bfloat16', 'float16'}
        Number format of the weights; ``fp32``, ``bf16`` and ``fp16`` mean the same.

    Raises
    ------
    ModelError
        If the model cannot be found, read or run here.
    MismatchError
        If a local folder is not the one that `revision` names.
    """
    dtype = _SHORT_DTYPES.get(dtype, dtype)
    if dtype not in DTYPES:
        raise ModelError(f"--dtype {dtype}: unknown number format; use one of {', '.join(DTYPES)}")
    chosen = choose_device(device)
    fetched = fetch(source, revision)
    with hub.extra_needed():
        from interplm_wh.plm.registry import MODELS
        from interplm_wh.plm.weights import Checkpoint
    kind = require_known(fetched.path, source)
    checkpoint = Checkpoint(
        folder=fetched.path,
        name=plm_slug(source),
        source=str(fetched.path) if hub.is_local(source) else source,
        revision=fetched.revision,
        device=chosen,
        dtype=dtype,
    )
    return MODELS[kind](checkpoint)
