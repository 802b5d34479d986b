"""A PLM with its weights shuffled: the same numbers in every tensor, in an order that means nothing.

Source: the randomised control of Simon and Zou, "InterPLM: discovering interpretable features in protein
language models via sparse autoencoders", Nature Methods (2025).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interplm_wh import hub, progress
from interplm_wh.errors import InputError, ModelError
from interplm_wh.plm.load import fetch, load_plm, require_known
from interplm_wh.store.staging import sync

if TYPE_CHECKING:
    from torch import Tensor

NOTE = "shuffled.json"
MAX_SEED = 2**31 - 1
# Constants of the architecture that some files keep beside the weights: other ones are another model.
_CONSTANTS = ("inv_freq", "position_ids")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # as transformers looks for them
_COPIED = ("*.json", "*.txt", "*.model")


@dataclass(frozen=True)
class ShuffleReport:
    """What was shuffled.

    Attributes
    ----------
    output : Path
        The new folder.
    source : str
        Hub id or absolute path of the model.
    revision : str or None
    seed : int
    n_tensors, n_weights : int
        Tensors that were shuffled, and the numbers in them.
    """

    output: Path
    source: str
    revision: str | None
    seed: int
    n_tensors: int
    n_weights: int

    def lines(self) -> list[str]:
        """Describe it for people."""
        return [
            f"{self.output}: {self.n_weights:,} weights of {self.source} ({self.revision}) in "
            f"{self.n_tensors:,} tensors, each shuffled within itself (seed {self.seed})",
            f"use it as any PLM: interplm-wh add sae SOURCE --plm {self.output} --name N --layer L",
        ]


def shuffle(plm: str, output: str | Path, *, seed: int = 0, revision: str | None = None) -> ShuffleReport:
    """Write a copy of a PLM whose weights are permuted within each tensor.

    The permutation of a tensor depends on the seed and on its name alone: the same on every machine, in
    whatever file it stands. Tensors with the same content, as tied ones have, get the same one. Only
    floating-point tensors are shuffled, and of those not the constants of rotary embeddings.

    Parameters
    ----------
    plm : str
        Hub id or local folder.
    output : str or Path
        Folder that is made; it appears whole or not at all.
    seed : int
        0 to 2^31 - 1.
    revision : str, optional
        As in `load_plm`.

    Raises
    ------
    InputError
        If `output` exists, its parent does not, or the seed is out of range.
    ModelError
        If the model is not found, not of a kind that is supported, or not complete.
    """
    output = Path(output).expanduser()
    if output.exists() or output.is_symlink():
        raise InputError(f"{output} is there already; choose another folder, or remove it first")
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: there is no folder {output.resolve().parent}; make it first")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"--seed {seed}: give a number from 0 to {MAX_SEED:,}")
    fetched = fetch(plm, revision)
    require_known(fetched.path, plm)
    source = str(fetched.path) if hub.is_local(plm) else plm
    fresh = output.resolve().with_name(f".{output.name}.{uuid.uuid4().hex}")
    fresh.mkdir()
    try:
        n_tensors, n_weights = _write_weights(fetched.path, fresh, seed)
        _copy_small(fetched.path, fresh)
        note = {"source": source, "revision": fetched.revision, "seed": seed}
        (fresh / NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
        load_plm(str(fresh), device="cpu")  # complete, and of sizes that fit its config.json
        for path in fresh.iterdir():
            sync(path)
        if output.exists():
            raise InputError(f"{output} was made meanwhile; choose another folder, or remove it first")
        fresh.rename(output.resolve())
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return ShuffleReport(output, source, fetched.revision, seed, n_tensors, n_weights)


def note_of(source: str) -> str | None:
    """Say of which model a folder is the shuffled copy, as `plms.shuffled_from` has it; None of another."""
    path = Path(source) / NOTE
    if not path.is_file():
        return None
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"{note['source']} ({note['revision']}), seed {note['seed']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: cannot be read ({error!r}); make the folder again: interplm-wh shuffle"
        ) from error


def permutation(name: str, n: int, *, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the order in which the entries of a tensor are laid, int64 [n], 0-based.

    Parameters
    ----------
    name : str
        Of the tensor.
    n : int
        Its number of entries.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    # The legacy generator: NumPy promises its stream for ever, of the newer ones it does not.
    state = np.random.RandomState(np.frombuffer(digest, "<u4"))
    order: np.ndarray[Any, np.dtype[np.int64]] = state.permutation(n)
    return order


def _write_weights(folder: Path, fresh: Path, seed: int) -> tuple[int, int]:
    """Write every file of weights with its tensors shuffled; returns how many tensors and numbers."""
    with hub.extra_needed():
        from safetensors.torch import save_file
    files = _files(folder)
    leaders = _leaders(files)
    n_tensors = n_weights = 0
    with progress.track("shuffling", total=len(leaders), unit="tensors") as bar:
        for file in files:
            found = {}
            for name, tensor in _tensors(file):
                bar.advance(1)
                found[name] = tensor.clone()
                if _is_weight(name, tensor):
                    found[name] = shuffled(tensor, leaders[name], seed=seed)
                    n_tensors, n_weights = n_tensors + 1, n_weights + tensor.numel()
            name = file.name if file.suffix == ".safetensors" else f"{file.stem}.safetensors"
            save_file(found, fresh / name, metadata={"format": "pt"})
    if files[0].suffix == ".bin":
        _index_bin(folder, fresh)
    return n_tensors, n_weights


def shuffled(tensor: Tensor, name: str, *, seed: int) -> Tensor:
    """Return a tensor with the entries of another in a new order; shape and dtype are the same."""
    import torch

    order = torch.from_numpy(permutation(name, tensor.numel(), seed=seed))
    return tensor.reshape(-1)[order].reshape(tensor.shape).contiguous()


def _is_weight(name: str, tensor: Tensor) -> bool:
    return tensor.is_floating_point() and not name.endswith(_CONSTANTS)


def _files(folder: Path) -> list[Path]:
    """Return the files that transformers would read."""
    for pattern in _WEIGHTS:
        if found := sorted(folder.glob(pattern)):
            return found
    raise ModelError(f"{folder}: there is no file of weights ({' or '.join(_WEIGHTS)}); download it again")


def _leaders(files: Sequence[Path]) -> Mapping[str, str]:
    """Return, for every tensor, the first name among those with the same content: ties stay ties."""
    groups: dict[str, list[str]] = {}
    for file in files:
        for name, tensor in _tensors(file):
            groups.setdefault(_digest(tensor), []).append(name)
    return {name: min(names) for names in groups.values() for name in names}


def _digest(tensor: Tensor) -> str:
    import torch

    content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    return f"{tuple(tensor.shape)}:{tensor.dtype}:{hashlib.sha256(content).hexdigest()}"


def _tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    """Read the tensors of a file in the order of their names; nothing in it is run."""
    from interplm_wh.sae.checkpoint import read_tensors

    yield from sorted(read_tensors(file).items())


def _index_bin(folder: Path, fresh: Path) -> None:
    """Name the files as transformers looks for them."""
    index = next(folder.glob("pytorch_model.bin.index.json"), None)
    if index is None:
        (only,) = fresh.glob("*.safetensors")
        only.rename(fresh / "model.safetensors")
        return
    content = json.loads(index.read_text(encoding="utf-8"))
    content["weight_map"] = {
        name: f"{Path(file).stem}.safetensors" for name, file in content["weight_map"].items()
    }
    (fresh / "model.safetensors.index.json").write_text(json.dumps(content), encoding="utf-8")


def _copy_small(folder: Path, fresh: Path) -> None:
    """Copy configuration and vocabulary; the index of files that are not there any more is left out."""
    for path in sorted({path for pattern in _COPIED for path in folder.glob(pattern)}):
        if not path.name.endswith(".bin.index.json") and not (fresh / path.name).exists():
            shutil.copyfile(path, fresh / path.name)
