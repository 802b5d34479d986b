"""How far other features moved: activations of SAEs on later layers, before and after each dose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from interplm_wh.evaluate.reconstruction import chunks
from interplm_wh.plm.base import PLM, Look
from interplm_wh.sae.base import SAE
from interplm_wh.steer.copies import Copies, Float64
from interplm_wh.steer.edit import Edit, read
from interplm_wh.steer.plan import Target


@dataclass(frozen=True)
class Readable:
    """An SAE that reads along.

    Attributes
    ----------
    name : str
    layer : int
    sae : SAE
    scale : Tensor
        float32 [n_features], raw units; 0 where a feature is dead.
    """

    name: str
    layer: int
    sae: SAE
    scale: Tensor


@dataclass(frozen=True)
class Seen:
    """What is read where the PLM sees all residues.

    Attributes
    ----------
    activation : float64 [L]
        Highest of the steered features before, normalised.
    state_norm : float64 [L]
        Length of the hidden state that is edited.
    delta_norm : float64 [D, L]
        How far it was moved.
    activations : pa.Table
        dose, read_sae, feature, position, is_touched, before, after: normalised, where either is above 0.
    """

    activation: Float64
    state_norm: Float64
    delta_norm: Float64
    activations: pa.Table


@torch.inference_mode()
def see(plm: PLM, layer: int, edits: Sequence[Edit], readers: Sequence[Readable], target: Target) -> Seen:
    """Read hidden states of one sequence before and after every dose."""
    every = range(1, len(target.sequence) + 1)
    copies = Copies.seeing(plm, target.sequence, every, layer=layer, touched=target.touched)
    layers = sorted({layer, *(one.layer for one in readers)})
    states: dict[int, Tensor] = {}
    looks = {index: _keeping(states, index) for index in layers}
    _, x = copies.plain(looks)
    whole = states[layer][0, copies.columns]  # [L, d]
    before = {one.name: _activations(one, states, copies) for one in readers}
    norms = np.zeros((len(edits), len(target.sequence)))
    touched = np.array(target.touched) - 1
    tables = [_table({})]
    for i, edit in enumerate(edits):
        change = edit.change(x)
        norms[i, touched] = change.norms.double().cpu().numpy()
        if readers:
            copies.steered(change, looks)
        for one in readers:
            tables.append(
                _pairs(edit.dose, one.name, before[one.name], _activations(one, states, copies), target)
            )
    first = edits[0]
    scale = torch.tensor(first.max_activations, device=x.device)
    strongest = (read(first.sae, whole, first.features) / scale).amax(dim=1)
    return Seen(
        strongest.double().cpu().numpy(),
        whole.norm(dim=1).double().cpu().numpy(),
        norms,
        pa.concat_tables(tables),
    )


def _keeping(states: dict[int, Tensor], index: int) -> Look:
    def look(found: Tensor) -> None:
        states[index] = found

    return look


def _activations(one: Readable, states: Mapping[int, Tensor], copies: Copies) -> Tensor:
    """Return normalised activations, sparse [L, n_features]; dead features are left out."""
    x = states[one.layer][0, copies.columns]  # [L, d]
    alive = one.scale > 0
    parts = []
    for chunk in chunks(one.sae, x):
        f = one.sae.encode(x[chunk])
        parts.append(torch.where(alive, f / one.scale, 0.0).to_sparse())
    return torch.cat(parts).coalesce().cpu()


def _pairs(dose: float, name: str, before: Tensor, after: Tensor, target: Target) -> pa.Table:
    """Lay what was active before or after side by side."""
    n_features = before.shape[1]
    sides = []
    for found in (before, after):
        row, feature = found.indices().numpy()
        sides.append((row.astype(np.int64) * n_features + feature, found.values().double().numpy()))
    keys = np.union1d(sides[0][0], sides[1][0])
    values = []
    for key, value in sides:
        laid = np.zeros(len(keys))
        laid[np.searchsorted(keys, key)] = value
        values.append(laid)
    position = keys // n_features + 1
    return _table(
        {
            "dose": np.full(len(keys), dose),
            "read_sae": [name] * len(keys),
            "feature": keys % n_features,
            "position": position,
            "is_touched": np.isin(position, target.touched),
            "before": values[0],
            "after": values[1],
        }
    )


_SCHEMA = pa.schema(
    [
        ("dose", pa.float64()), ("read_sae", pa.string()), ("feature", pa.int32()),
        ("position", pa.int32()), ("is_touched", pa.bool_()), ("before", pa.float64()),
        ("after", pa.float64()),
    ]
)  # fmt: skip


def _table(columns: Mapping[str, object]) -> pa.Table:
    return pa.table(
        {name: pa.array(columns.get(name, []), _SCHEMA.field(name).type) for name in _SCHEMA.names}
    )
