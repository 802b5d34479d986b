"""Hidden states of residues in random order, without a copy on disk and able to go on anywhere.

Pieces of the input (proteins, or row groups of a file) are put in random order, cut into chunks of
about as many residues as the buffer holds, and each chunk's residues are shuffled. Which residues a
batch has depends on the seed and the batch's place alone, so that a training that was cut off goes on
with the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from interplm_wh.errors import InputError, MismatchError


class HiddenStateSource(Protocol):
    """Where hidden states come from.

    Attributes
    ----------
    sizes : int64 array [n_pieces]
        Residues of each piece.
    """

    sizes: NDArray[np.int64]

    def load(self, pieces: Sequence[int]) -> Mapping[int, Tensor]:
        """Return the hidden states of some pieces in their order, per layer float32 [n_residues, d]."""


@dataclass(frozen=True)
class Place:
    """Where in the stream a batch is: epoch, chunk of it, batch of that; all from 0."""

    epoch: int = 0
    chunk: int = 0
    batch: int = 0

    def settings(self) -> dict[str, int]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Batch:
    """Residues of one step.

    Attributes
    ----------
    states : dict of int to Tensor
        Per layer, float32 [batch, d].
    following : Place
        Place of the batch after it.
    """

    states: Mapping[int, Tensor]
    following: Place


class Stream:
    """Batches without end.

    Parameters
    ----------
    source : HiddenStateSource
    batch : int
        Residues of a batch; those of a chunk that do not fill one are left out of this epoch.
    buffer : int
        Residues of a chunk, about.
    seed : int

    Raises
    ------
    InputError
        If there are fewer residues than a batch has.
    """

    def __init__(self, source: HiddenStateSource, *, batch: int, buffer: int, seed: int) -> None:
        total = int(source.sizes.sum())
        if total < batch:
            found = (
                "no residues" if not total else f"only {total:,} residues, fewer than a batch of {batch:,}"
            )
            raise InputError(f"the stream of hidden states has {found}; give more proteins")
        self._source, self._batch, self._buffer, self._seed = source, batch, buffer, seed

    def batches(self, start: Place) -> Iterator[Batch]:
        """Yield batches from a place on."""
        place = start
        while True:
            chunks = self._chunks(place.epoch)
            while place.chunk < len(chunks):
                yield from self._of_chunk(chunks[place.chunk], place)
                place = Place(place.epoch, place.chunk + 1)
            place = Place(place.epoch + 1)

    def first_chunk(self) -> Mapping[int, Tensor]:
        """Return the hidden states that the stream begins with, for statistics before training."""
        return self._load(self._chunks(0)[0])

    def _chunks(self, epoch: int) -> list[NDArray[np.int64]]:
        """Cut the pieces of an epoch, in random order, into chunks that hold at least a batch."""
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._source.sizes))
        ends = np.cumsum(self._source.sizes[order])
        chunks: list[NDArray[np.int64]] = []
        first, done = 0, 0
        while first < len(order):
            full = int(np.searchsorted(ends, done + self._buffer, side="right"))
            enough = int(np.searchsorted(ends, done + self._batch, side="left")) + 1
            last = max(full, enough)
            if ends[-1] - ends[last - 1] < self._batch:
                last = len(order)  # too few would be left for a chunk of their own
            chunks.append(order[first:last])
            first, done = last, int(ends[last - 1])
        return chunks

    def _of_chunk(self, chunk: NDArray[np.int64], place: Place) -> Iterator[Batch]:
        states = self._load(chunk)
        n = int(self._source.sizes[chunk].sum())
        rng = np.random.default_rng((self._seed, place.epoch, 1 + place.chunk))
        order = from_numpy(rng.permutation(n))
        for index in range(place.batch, n // self._batch):
            rows = order[index * self._batch : (index + 1) * self._batch]
            following = replace(place, batch=index + 1)
            yield Batch({layer: x[rows.to(x.device)] for layer, x in states.items()}, following)

    def _load(self, chunk: NDArray[np.int64]) -> Mapping[int, Tensor]:
        states = self._source.load(chunk.tolist())
        for layer, x in states.items():
            if not bool(x.isfinite().all()):
                raise MismatchError(
                    f"the hidden states of layer {layer} are not finite; use --dtype float32 for the PLM, "
                    "or download the model again"
                )
        return states
