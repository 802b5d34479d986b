"""The edit itself: how far a hidden state is moved along what some features write.

x' = x + (f' - f) W_dec, times the token's own scale where the SAE normalises its input. The features are
read, set, and their difference is written: what the SAE does not explain of x stays as it is, and nothing
is selected anew (no second top-k). Where f' is f, x' is x itself, bit for bit.

Source: Simon and Zou, "InterPLM", Nature Methods (2025): the error of the reconstruction is added back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from interplm_wh.evaluate.reconstruction import chunks
from interplm_wh.plm.base import Patch
from interplm_wh.sae.base import SAE
from interplm_wh.steer.plan import How


@dataclass(frozen=True)
class Change:
    """How far n tokens are moved.

    Attributes
    ----------
    delta : Tensor
        float32 [n, d_model], in the units of the hidden states.
    is_changed : Tensor
        bool [n]: whether any feature is set to another value.
    sign : Tensor
        float32 [n]: 1 where the features are raised on the whole, -1 where they are lowered.
    """

    delta: Tensor
    is_changed: Tensor
    sign: Tensor

    @property
    def norms(self) -> Tensor:
        """Euclidean length of each move, float32 [n]."""
        lengths: Tensor = self.delta.norm(dim=1)
        return lengths

    def along(self, direction: Tensor) -> Change:
        """Return moves of the same tokens and lengths along one direction, [d_model] of length 1."""
        lengths = self.sign * self.norms  # [n]
        return Change(lengths[:, None] * direction, self.is_changed, self.sign)

    def apply(self, x: Tensor) -> Tensor:
        """Return x' [n, d_model]; rows that are not changed are those of x."""
        return torch.where(self.is_changed[:, None], x + self.delta, x)


@dataclass(frozen=True)
class Edit:
    """Some features of an SAE, set to one dose.

    Attributes
    ----------
    sae : SAE
    features : tuple of int
        0-based.
    max_activations : tuple of float
        The scale of each, raw units.
    how : {'clamp', 'scale'}
        f' is the dose times the scale, or the dose times f.
    dose : float
        In normalised units for 'clamp': 1 is the scale.
    """

    sae: SAE
    features: tuple[int, ...]
    max_activations: tuple[float, ...]
    how: How
    dose: float

    def change(self, x: Tensor) -> Change:
        """Return how far hidden states are moved.

        Parameters
        ----------
        x : Tensor
            float32 [n, d_model], as a PLM gives it.
        """
        f = read(self.sae, x, self.features)  # [n, k]
        if self.how == "clamp":
            wanted = self.dose * torch.tensor(self.max_activations, device=x.device).expand_as(f)
        else:
            wanted = self.dose * f
        step = wanted - f  # [n, k]
        chosen = torch.tensor(self.features, device=x.device)
        written = step @ self.sae.directions(chosen)  # [n, d], in the SAE's units
        delta = self.sae.normalisation(x).undo_change(written)
        return Change(delta, (step != 0).any(dim=1), torch.where(step.sum(dim=1) < 0, -1.0, 1.0))

    def patch(self, touched: Tensor) -> Patch:
        """Return what edits the states of some tokens on the way, bool [B, T]."""

        def edit(states: Tensor, _is_residue: Tensor) -> Tensor:
            return put(states, touched, self.change(states[touched]))

        return edit


def put(states: Tensor, touched: Tensor, change: Change) -> Tensor:
    """Return states [B, T, d_model] with those of touched tokens, bool [B, T], moved."""
    if not bool(change.is_changed.any()):
        return states
    fresh = states.clone()
    fresh[touched] = change.apply(states[touched])
    return fresh


def read(sae: SAE, x: Tensor, features: Sequence[int]) -> Tensor:
    """Return raw activations of some features, float32 [n, k], a chunk at a time."""
    return torch.cat([sae.encode_few(x[chunk], features) for chunk in chunks(sae, x)])


def unit_directions(sae: SAE, features: Sequence[int], *, device: torch.device) -> Tensor:
    """Return what features write, at length 1: float32 [k, d_model]."""
    rows = sae.directions(torch.tensor(features, dtype=torch.long, device=device))
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return unit
