"""Reading a PyTorch file without running what it may carry."""

from __future__ import annotations

import pickle
import warnings
import zipfile
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from interplm_wh.errors import ModelError


def _check_archive(path: Path) -> None:
    """Compare the members of a zip archive, as which PyTorch saves, with their checksums."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: is damaged ({error}); download it again") from error
    if damaged is not None:
        raise ModelError(f"{path}: is damaged ({damaged} has another checksum); download it again")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.pt`` file, weights only.

    Raises
    ------
    ModelError
        If the file holds anything but tensors and plain values, is cut short, or is no such file.
    """
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Detected pickle protocol"
            )  # such a file is judged below
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # What follows the first sentence is PyTorch's advice to load it all the same.
        first = str(error).strip().partition(". ")[0].splitlines()[0]
        step = "nothing in it was run; ask its author for safetensors or a file of tensors alone"
        raise ModelError(f"{path}: refused, it is not a file of weights alone ({first}); {step}") from error
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        why = str(error) or "it ends too early"
        raise ModelError(f"{path}: cannot be read as PyTorch weights ({why}); download it again") from error
    if not isinstance(loaded, dict) or not all(isinstance(t, Tensor) for t in loaded.values()):
        raise ModelError(
            f"{path}: holds {type(loaded).__name__}, not named tensors; give the state dict of an SAE"
        )
    for name, tensor in loaded.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_complex() or tensor.is_quantized:
            kind = f"{str(tensor.layout).removeprefix('torch.')} {str(tensor.dtype).removeprefix('torch.')}"
            raise ModelError(f"{path}: {name} is a {kind} tensor; give dense real numbers")
    return {str(name): tensor.detach() for name, tensor in loaded.items()}
