"""Telling that memory ran out from every other error."""

from __future__ import annotations

import torch

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "status_alloc_failed", "bad_alloc")


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or in main memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def free() -> None:
    """Give cached GPU memory back, so that a smaller batch has all of it."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
