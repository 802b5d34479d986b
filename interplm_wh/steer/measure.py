"""What the PLM predicts before and after: one sequence, some positions, every dose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interplm_wh.plm.base import PLM
from interplm_wh.plm.batches import Piece, pieces
from interplm_wh.steer.copies import LETTERS, Copies, Float64, Int64, token_ids
from interplm_wh.steer.edit import Edit
from interplm_wh.steer.plan import Target

Advance = Callable[[float], None]


@dataclass(frozen=True)
class Effects:
    """Predictions at m positions before and after D doses, over V tokens.

    Attributes
    ----------
    positions : tuple of int
        1-based.
    kl : float64 [D, m]
        In nats; see `divergence`.
    true_before : float64 [m]
        Probability of the residue of the sequence.
    true_after : float64 [D, m]
    letters_before : float64 [m, 20]
        Probabilities of the amino acids in the order of `LETTERS`.
    letters_after : float64 [D, m, 20]
    entropy_before : float64 [m]
        In nats.
    entropy_after : float64 [D, m]
    """

    positions: tuple[int, ...]
    kl: Float64
    true_before: Float64
    true_after: Float64
    letters_before: Float64
    letters_after: Float64
    entropy_before: Float64
    entropy_after: Float64


@dataclass(frozen=True)
class Compared:
    """The steered edit (control 0) and K controls at w positions, for D doses.

    Attributes
    ----------
    positions : tuple of int
    kl, true_after, delta_norm : float64 [D, 1 + K, w]
    true_before : float64 [w]
    """

    positions: tuple[int, ...]
    kl: Float64
    true_before: Float64
    true_after: Float64
    delta_norm: Float64


def divergence(before: Float64, after: Float64) -> Float64:
    """Return the Kullback-Leibler divergence of `after` from `before`, in nats.

    Parameters
    ----------
    before, after : float64 [..., V]
        Logarithms of probabilities.
    """
    found: Float64 = (np.exp(before) * (before - after)).sum(axis=-1)
    return np.maximum(found, 0.0)  # sums of rounded terms may fall just below


def _entropy(logs: Float64) -> Float64:
    found: Float64 = -(np.exp(logs) * logs).sum(axis=-1)
    return np.maximum(found, 0.0)


@torch.inference_mode()
def effects(
    plm: PLM, layer: int, edits: Sequence[Edit], target: Target, *, is_masked: bool, advance: Advance
) -> Effects:
    """Measure every dose at the measured positions.

    Parameters
    ----------
    is_masked : bool
        Whether each measured residue is masked in a copy of its own; otherwise the PLM sees all of them.
    advance : callable
        Is told how many copies went through the PLM.
    """
    positions = target.measured
    before: list[Float64] = [np.empty(0)] * len(positions)
    after: list[list[Float64]] = [[np.empty(0)] * len(positions) for _ in edits]

    def run(copies: Copies, places: Sequence[int]) -> None:
        found, x = copies.plain()
        _keep(before, places, found)
        for i, edit in enumerate(edits):
            _keep(after[i], places, copies.steered(edit.change(x)))
        advance(len(copies.texts) * (1 + len(edits)))

    _each(plm, layer, target, positions, run, is_masked=is_masked)
    logs, moved = np.stack(before), np.stack([np.stack(one) for one in after])  # [m, V], [D, m, V]
    own = token_ids(plm, target.sequence)[np.array(positions) - 1]
    letters = token_ids(plm, LETTERS)
    return Effects(
        positions=positions,
        kl=divergence(logs[None], moved),
        true_before=_of(logs[None], own)[0],
        true_after=_of(moved, own),
        letters_before=np.exp(logs[:, letters]),
        letters_after=np.exp(moved[:, :, letters]),
        entropy_before=_entropy(logs),
        entropy_after=_entropy(moved),
    )


@torch.inference_mode()
def compare(
    plm: PLM,
    layer: int,
    edits: Sequence[Edit],
    units: Tensor,
    target: Target,
    *,
    is_masked: bool,
    advance: Advance,
) -> Compared:
    """Measure the steered edit and controls of the same length, in the same batches.

    Parameters
    ----------
    units : Tensor
        float32 [K, d_model], the directions of the controls at length 1.
    """
    positions = target.watched
    own = token_ids(plm, target.sequence)[np.array(positions, dtype=np.int64) - 1]
    shape = (len(edits), 1 + len(units), len(positions))
    kl, true_after, norms = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    true_before = np.zeros(len(positions))

    def run(copies: Copies, places: Sequence[int]) -> None:
        index = list(places)
        logs, x = copies.plain()
        true_before[index] = _of(logs[None], own[index])[0]
        advance(len(copies.texts))
        for i, edit in enumerate(edits):
            change = edit.change(x)
            for j in range(1 + len(units)):
                one = change if j == 0 else change.along(units[j - 1])
                moved = copies.steered(one)
                kl[i, j, index] = divergence(logs, moved)
                true_after[i, j, index] = _of(moved[None], own[index])[0]
                per_copy = one.norms.reshape(len(copies.texts), -1).square().sum(dim=1).sqrt()  # [B]
                norms[i, j, index] = per_copy[copies.rows].double().cpu().numpy()
                advance(len(copies.texts))

    _each(plm, layer, target, positions, run, is_masked=is_masked)
    return Compared(positions, kl, true_before, true_after, norms)


def _each(
    plm: PLM,
    layer: int,
    target: Target,
    positions: Sequence[int],
    run: Callable[[Copies, Sequence[int]], None],
    *,
    is_masked: bool,
) -> None:
    """Run batches of copies, with the places of their positions among all; halves where memory ran out."""
    length = len(target.sequence)

    def one_batch(batch: list[Piece]) -> None:
        if not is_masked:
            run(
                Copies.seeing(plm, target.sequence, positions, layer=layer, touched=target.touched),
                range(len(positions)),
            )
            return
        places = [piece.index for piece in batch]
        chosen = [positions[place] for place in places]
        run(Copies.masking(plm, target.sequence, chosen, layer=layer, touched=target.touched), places)

    n_copies = len(positions) if is_masked else 1
    plm.each_batch(pieces([length] * n_copies, plm.window), one_batch)


def _keep(rows: list[Float64], places: Sequence[int], found: Float64) -> None:
    for place, row in zip(places, found, strict=True):
        rows[place] = row


def _of(logs: Float64, ids: Int64) -> Float64:
    """Return the probability of one token per position, float64 [D, m], of logs [D, m, V]."""
    found: Float64 = np.exp(logs[:, np.arange(len(ids)), ids])
    return found
