"""What the weights of an SAE say of pairs of features: which decoder columns point the same way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interplm_wh.build.scale import weights_of
from interplm_wh.progress import Bar
from interplm_wh.store import Transaction

TABLE = "decoder_neighbours"
K = 10
_BLOCK_BYTES = 128 << 20

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


def lay_sae_directions(tx: Transaction, sae: str, bar: Bar) -> None:
    """Lay the relation `sae_directions`: of each feature, the `K` nearest others by decoder direction.

    It is empty where the SAE has no decoder of its own: made elsewhere, or raw neurons.

    Raises
    ------
    CheckError
        If its weights are not the ones that were added.
    """
    tensors, checksum = weights_of(tx, sae)
    features, neighbours, cosines = nearest(decoder_of(tensors), k=K, bar=bar)
    n_rows = len(features)
    rows = pa.table(
        {
            "sae": pa.array([sae] * n_rows, pa.string()),
            "weights": pa.array([checksum] * n_rows, pa.string()),
            "feature": features,
            "neighbour": neighbours,
            "cosine": cosines,
        }
    )
    tx.con.register("given_directions", rows)
    tx.con.execute("create or replace temp table sae_directions as from given_directions")
    tx.con.unregister("given_directions")


def decoder_of(tensors: Mapping[str, Float32]) -> Float32:
    """Return the decoder of an SAE's weights, float32 [d_model, n_features]; [0, 0] where it has none."""
    decoder = tensors.get("decoder.weight")
    if decoder is None and "encoder.weight" in tensors:  # tied: one matrix serves both
        decoder = tensors["encoder.weight"].T
    return np.empty((0, 0), np.float32) if decoder is None else decoder


def unit_columns(decoder: Float32) -> tuple[Int32, Float32]:
    """Return the features whose decoder column has a direction, and those columns at length 1.

    Returns
    -------
    features : int32 [n]
        0-based, ascending; columns of length 0 (dead features) are left out.
    unit : float32 [n, d_model]
    """
    length = np.linalg.norm(decoder.astype(np.float32), axis=0)
    alive = np.flatnonzero(np.isfinite(length) & (length > 0)).astype(np.int32)
    return alive, np.ascontiguousarray((decoder[:, alive] / length[alive]).T, dtype=np.float32)


def nearest(decoder: Float32, *, k: int, bar: Bar | None = None) -> tuple[Int32, Int32, Float32]:
    """Return the features nearest to each by the cosine of their decoder columns.

    Parameters
    ----------
    decoder : float32 [d_model, n_features]
    k : int
        Neighbours of each feature; fewer where there are not as many others. A column of length 0 has no
        direction: it has no neighbours and is none.
    bar : Bar, optional
        Says how far it is.

    Returns
    -------
    features, neighbours : int32 [n]
        0-based; by feature.
    cosines : float32 [n]
    """
    alive, unit = unit_columns(decoder)
    k = min(k, len(alive) - 1)
    if k < 1:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    step = max(1, _BLOCK_BYTES // (4 * len(alive)))
    found = []
    for first in range(0, len(alive), step):
        if bar is not None:
            bar.describe(f"comparing decoder columns, {first:,} of {len(alive):,}")
        cosine = unit[first : first + step] @ unit.T  # [b, n]
        rows = np.arange(len(cosine))
        cosine[rows, first + rows] = -np.inf
        best = np.argpartition(-cosine, k - 1, axis=1)[:, :k]  # [b, k]
        found.append((np.repeat(alive[first + rows], k), alive[best.ravel()], cosine[rows[:, None], best]))
    features, neighbours, cosines = zip(*found, strict=True)
    return (
        np.concatenate(features),
        np.concatenate(neighbours),
        np.concatenate([part.ravel() for part in cosines]),
    )
