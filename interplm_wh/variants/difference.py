"""What the features of mutants have that those of the wild type have not, residue by residue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh.sae.base import SAE
from interplm_wh.sae.sparse import CHUNK_RESIDUES, CHUNK_VALUES


@dataclass(frozen=True)
class Changes:
    """Changed activations of some variants, ordered by (variant, feature, position).

    Attributes
    ----------
    variant : int32 array [n]
        Index of the variant in its block.
    feature : int32 array [n]
        0-based.
    position : int32 array [n]
        Residue, 1-based.
    wild_type, mutant : float32 array [n]
        Raw activations.
    """

    variant: NDArray[np.int32]
    feature: NDArray[np.int32]
    position: NDArray[np.int32]
    wild_type: NDArray[np.float32]
    mutant: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.variant)


@dataclass
class WildType:
    """The wild type, encoded once, and what counts as a change from it.

    Attributes
    ----------
    sae : SAE
    length : int
        Residues of the protein.
    floors : Tensor
        float32 [n_features], raw: a change is more than this; 0 for a feature without a scale.
    is_dead : bool array [n_features]
        Features without a scale, which are never returned.
    residue, feature : Tensor
        int64 [n]: where features with a scale are active, residues 0-based and ascending.
    value : Tensor
        float32 [n].
    unscaled : set of int
        Features without a scale that were active in a mutant so far.
    """

    sae: SAE
    length: int
    floors: Tensor
    is_dead: NDArray[np.bool_]
    residue: Tensor
    feature: Tensor
    value: Tensor
    unscaled: set[int] = field(default_factory=set)

    @classmethod
    @torch.inference_mode()
    def of(cls, sae: SAE, x: Tensor, *, scale: NDArray[np.float32], min_change: float) -> WildType:
        """Encode the wild type.

        Parameters
        ----------
        x : Tensor
            float32 [length, d_model], its hidden states.
        scale : float32 array [n_features]
            Highest activation of each feature; 0 where it is dead.
        min_change : float
            Changes of normalised activation up to this count as none.
        """
        found = []
        for start, stop in _slices(len(x), _rows_at_once(sae)):
            dense = sae.encode(x[start:stop])  # [n, F]
            dense[:, torch.from_numpy(scale == 0)] = 0
            residue, feature = dense.nonzero(as_tuple=True)
            found.append((residue + start, feature, dense[residue, feature]))
        residue, feature, value = (torch.cat(parts) for parts in zip(*found, strict=True))
        floors = torch.from_numpy((np.float32(min_change) * scale).astype(np.float32)).to(x.device)
        return cls(sae, len(x), floors, scale == 0, residue, feature, value)

    @torch.inference_mode()
    def changes(self, x: Tensor) -> Changes:
        """Compare a block of mutants with the wild type.

        Parameters
        ----------
        x : Tensor
            float32 [n_variants * length, d_model], the mutants one after the other.
        """
        at_once = _rows_at_once(self.sae)
        n_together = max(1, at_once // self.length)
        cubes = x.view(-1, self.length, x.shape[1])  # [n_variants, length, d]
        parts = [
            self._compare(cubes[first:last, start:stop], first, start)
            for first, last in _slices(len(cubes), n_together)
            for start, stop in _slices(self.length, min(self.length, at_once))
        ]
        return self._ordered(parts)

    def _compare(self, x: Tensor, first: int, start: int) -> list[NDArray[np.generic]]:
        """Compare one stretch [k, n, d] of some mutants with that of the wild type; rows in no order."""
        k, n = x.shape[:2]
        dense = self.sae.encode(x.flatten(0, 1))  # [k * n, F]
        edges = torch.tensor([start, start + n], device=self.residue.device)
        low, high = torch.searchsorted(self.residue, edges).tolist()
        residue, feature = self.residue[low:high] - start, self.feature[low:high]
        by_row, by_feature = dense.stride()
        cube = dense.as_strided((k, n, dense.shape[1]), (n * by_row, by_row, by_feature))  # [k, n, F]
        there = cube[:, residue, feature]  # [k, high - low]
        cube[:, residue, feature] = 0  # what is left is not active in the wild type
        before = self.value[low:high]
        is_changed = (there - before).abs() > self.floors[feature]
        of_variant, of_active = is_changed.nonzero(as_tuple=True)
        row, new_feature, value = self._above(dense)
        new_variant, new_residue = np.divmod(row, n)
        return [
            np.concatenate([_numpy(of_variant), new_variant]) + first,
            np.concatenate([_numpy(feature[of_active]), new_feature]),
            np.concatenate([_numpy(residue[of_active]), new_residue]) + start + 1,
            np.concatenate([_numpy(before[of_active]), np.zeros(len(value), np.float32)]),
            np.concatenate([_numpy(there[is_changed]), value]),
        ]

    def _above(self, dense: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return row, feature and value of what is above the floors; features without a scale are noted."""
        is_by_feature = dense.T.is_contiguous()  # as most architectures give it
        memory = dense.T if is_by_feature else dense.contiguous()
        floors = self.floors[:, None] if is_by_feature else self.floors
        found: NDArray[np.int64]
        if memory.device.type == "cpu":
            found = np.flatnonzero(memory.numpy() > floors.numpy())  # numpy finds them faster than torch
            value = memory.numpy().reshape(-1)[found]
        else:
            places = (memory > floors).flatten().nonzero().squeeze(1)
            found, value = places.cpu().numpy(), memory.flatten()[places].cpu().numpy()
        slow, fast = np.divmod(found, memory.shape[1])
        feature, row = (slow, fast) if is_by_feature else (fast, slow)
        is_unscaled = self.is_dead[feature]
        if is_unscaled.any():
            self.unscaled.update(np.unique(feature[is_unscaled]).tolist())
            row, feature, value = row[~is_unscaled], feature[~is_unscaled], value[~is_unscaled]
        return row, feature, value

    def _ordered(self, parts: list[list[NDArray[np.generic]]]) -> Changes:
        variant, feature, position, before, after = map(np.concatenate, zip(*parts, strict=True))
        key = (variant * self.sae.n_features + feature) * (self.length + 1) + position
        order = np.argsort(key)
        return Changes(
            variant[order].astype(np.int32),
            feature[order].astype(np.int32),
            position[order].astype(np.int32),
            before[order].astype(np.float32),
            after[order].astype(np.float32),
        )


def _rows_at_once(sae: SAE) -> int:
    return max(1, min(CHUNK_RESIDUES, CHUNK_VALUES // sae.n_features))


def _slices(n: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, step):
        yield start, min(start + step, n)


def _numpy(tensor: Tensor) -> NDArray[np.generic]:
    found: NDArray[np.generic] = tensor.cpu().numpy()
    return found
