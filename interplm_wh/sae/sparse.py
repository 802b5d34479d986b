"""The features that are active, as rows: what an encoding is stored as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh.sae.base import SAE

CHUNK_RESIDUES = 512
"""Residues that are encoded at once: the result stays near the processor's cache."""
CHUNK_VALUES = 1 << 24
"""Values (residues x features) that one encoding holds at most."""


@dataclass(frozen=True)
class SparseRows:
    """Active features of some proteins, ordered by (protein, feature, position).

    Attributes
    ----------
    protein : int32 array [n]
        Index of the protein in its block.
    position : int32 array [n]
        Residue, 1-based.
    feature : int32 array [n]
        0-based.
    value : float32 array [n]
        Raw activation, above the smallest value that is kept.
    """

    protein: NDArray[np.int32]
    position: NDArray[np.int32]
    feature: NDArray[np.int32]
    value: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.value)


def groups(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of runs of proteins that are encoded together: 512 residues, or one protein."""
    first = 0
    for last in range(1, len(offsets)):
        is_end = last == len(offsets) - 1
        if is_end or offsets[last + 1] - offsets[first] > CHUNK_RESIDUES:
            yield first, last
            first = last


def sparse_rows(
    sae: SAE, x: Tensor, *, offsets: Sequence[int], min_value: float = 0.0
) -> Iterator[SparseRows]:
    """Encode proteins and yield their active features in the order in which they are stored.

    What is held at once does not grow with the block: short proteins are encoded together, a long
    one by slices of features.

    Parameters
    ----------
    sae : SAE
    x : Tensor
        float32 [n_residues, d_model], the proteins one after the other.
    offsets : sequence of int
        First row of each protein, and the number of rows at the end.
    min_value : float
        Only values above it are yielded.
    """
    for first, last in groups(offsets):
        start, stop = offsets[first], offsets[last]
        if sae.is_rowwise and (stop - start) * sae.n_features > CHUNK_VALUES:
            yield _by_residues(sae, x[start:stop], first, min_value)
            continue
        width = max(1, CHUNK_VALUES // max(1, stop - start)) if last - first == 1 else sae.n_features
        for feature in range(0, sae.n_features, width):
            chosen = slice(feature, min(feature + width, sae.n_features))
            dense = sae.encode(x[start:stop], features=chosen)  # [n, F]
            rows = _rows(dense, feature, min_value)
            yield _by_protein(rows, first, [o - start for o in offsets[first : last + 1]])


def _by_residues(sae: SAE, x: Tensor, protein: int, min_value: float) -> SparseRows:
    """Encode one long protein by slices of residues, where a slice of features would cost as much as all.

    What is active is all held: such an SAE has few active features per residue.
    """
    step = max(1, CHUNK_VALUES // sae.n_features)
    found: list[SparseRows] = []
    for start in range(0, len(x), step):
        rows = _rows(sae.encode(x[start : start + step]), 0, min_value)
        found.append(SparseRows(rows.protein, rows.position + np.int32(start + 1), rows.feature, rows.value))
    position, feature, value = (
        np.concatenate([getattr(rows, name) for rows in found]) for name in ("position", "feature", "value")
    )
    order = np.argsort(feature, kind="stable")
    owner = np.full(len(order), protein, np.int32)
    return SparseRows(owner, position[order], feature[order], value[order])


def _rows(dense: Tensor, first_feature: int, min_value: float) -> SparseRows:
    """Return the values above `min_value` in the order of (feature, row); `protein` is empty yet."""
    columns = dense.T.contiguous()  # [F, n], a copy only where the SAE gave rows
    found, values = (_found_on_cpu if dense.device.type == "cpu" else _found_on_device)(columns, min_value)
    feature, row = np.divmod(found.astype(np.int32), np.int32(columns.shape[1]))
    return SparseRows(np.empty(0, np.int32), row, feature + np.int32(first_feature), values)


def _found_on_cpu(columns: Tensor, min_value: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return flat indices, ascending, and values: numpy finds them faster than torch does."""
    flat = columns.numpy().reshape(-1)
    found = np.flatnonzero(flat > min_value)
    return found, flat[found]


def _found_on_device(columns: Tensor, min_value: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the same, copying from the device only what is found."""
    flat = columns.reshape(-1)
    found = (flat > min_value).nonzero().squeeze(1)
    return found.cpu().numpy(), flat[found].cpu().numpy()


def _by_protein(rows: SparseRows, first: int, offsets: Sequence[int]) -> SparseRows:
    """Bring rows of several proteins into the order of (protein, feature, position)."""
    lengths = np.diff(offsets)
    owner = np.repeat(np.arange(len(lengths), dtype=np.int16), lengths)
    protein = owner[rows.position]
    position = rows.position + 1 - np.asarray(offsets, np.int32)[protein]
    if len(lengths) == 1:
        return SparseRows(protein.astype(np.int32) + np.int32(first), position, rows.feature, rows.value)
    order = np.argsort(protein, kind="stable")
    return SparseRows(
        protein[order].astype(np.int32) + np.int32(first),
        position[order],
        rows.feature[order],
        rows.value[order],
    )


def feature_maxima(sae: SAE, x: Tensor) -> NDArray[np.float32]:
    """Return the highest value of each feature over the rows of `x`, float32 [n_features]."""
    maxima = np.zeros(sae.n_features, np.float32)
    for start in range(0, len(x), CHUNK_RESIDUES):
        dense = sae.encode(x[start : start + CHUNK_RESIDUES])  # [n, F]
        np.maximum(maxima, dense.amax(dim=0).cpu().numpy(), out=maxima)
    return maxima
