"""Reading a PyTorch file without running what it may carry."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from interplm_wh.errors import ModelError


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.pt`` file, weights only.

    Raises
    ------
    ModelError
        If the file holds anything but tensors and plain values, is cut short, or is no such file.
    """
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
    return {str(name): tensor.detach() for name, tensor in loaded.items()}
