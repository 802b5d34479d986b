"""Reading a file of tensors without running what it carries or believing the sizes that it claims."""

from __future__ import annotations

import pickle
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from interplm_wh.errors import ModelError

SAFETENSORS = ".safetensors"
_NOT_WEIGHTS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull",
    b"<!doctype html": "a web page, not the file itself; download it again from its own address",
    b"<html": "a web page, not the file itself; download it again from its own address",
}
"""What a download that went wrong begins with, in lower case."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file, or of a PyTorch file, weights only.

    Raises
    ------
    ModelError
        If the file holds anything but dense tensors, is cut short or damaged, or lies about its sizes.
    """
    _check_beginning(path)
    tensors = _read_safetensors(path) if path.suffix == SAFETENSORS else _read_torch(path)
    for name, tensor in tensors.items():
        _check_tensor(path, name, tensor)
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _check_beginning(path: Path) -> None:
    with path.open("rb") as file:
        beginning = file.read(200).lstrip().lower()
    for start, what in _NOT_WEIGHTS.items():
        if beginning.startswith(start):
            raise ModelError(f"{path}: is {what}")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as safetensors ({error}); download it again") from error
    return tensors


def _check_archive(path: Path) -> None:
    """Refuse a zip archive, as which PyTorch saves, that is damaged or would unpack to more than it is."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED]
            if packed or sum(member.file_size for member in members) > path.stat().st_size:
                raise ModelError(
                    f"{path}: refused, its content is packed or overlaps, which PyTorch never writes; "
                    "ask its author for safetensors"
                )
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: is damaged ({error}); download it again") from error
    if damaged is not None:
        raise ModelError(f"{path}: is damaged ({damaged} has another checksum); download it again")


# What the unpickler raises on bytes that are no pickle, besides UnpicklingError.
_UNREADABLE = (
    OSError, EOFError, RuntimeError, ValueError, LookupError, AttributeError, TypeError, AssertionError,
)  # fmt: skip


def _read_torch(path: Path) -> Mapping[str, Tensor]:
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
    except _UNREADABLE as error:
        why = (
            str(error) if isinstance(error, RuntimeError | ValueError | OSError) and str(error) else "damaged"
        )
        step = "give a file that PyTorch or safetensors wrote, or download it again"
        raise ModelError(f"{path}: cannot be read as PyTorch weights ({why}); {step}") from error
    if not isinstance(loaded, dict) or not all(isinstance(t, Tensor) for t in loaded.values()):
        raise ModelError(
            f"{path}: holds {type(loaded).__name__}, not named tensors; give the state dict of an SAE"
        )
    return {str(name): tensor for name, tensor in loaded.items()}


def _check_tensor(path: Path, name: str, tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_complex() or tensor.is_quantized:
        kind = f"{str(tensor.layout).removeprefix('torch.')} {str(tensor.dtype).removeprefix('torch.')}"
        raise ModelError(f"{path}: {name} is a {kind} tensor; give dense real numbers")
    # A view may repeat a few bytes to any size; a copy of it would fill the memory.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelError(
            f"{path}: refused, {name} claims {tensor.numel():,} numbers, more than the file holds for it; "
            "ask its author for safetensors"
        )
