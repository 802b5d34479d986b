"""One Parquet part of `activations`: written under a temporary name, checked, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from interplm_wh import schema
from interplm_wh.errors import CheckError
from interplm_wh.store import ordered
from interplm_wh.store.parquet import ROW_GROUP_ROWS, activation_writer_options

if TYPE_CHECKING:
    from interplm_wh.sae.sparse import SparseRows

_TEMPORARY = ".unchecked"


@dataclass(frozen=True)
class Proteins:
    """The proteins of one part, in the order of protein_id.

    Attributes
    ----------
    ids : int32 array [n]
    lengths : int32 array [n]
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]


def write_part(path: Path, *, proteins: Proteins, chunks: Iterator[SparseRows]) -> NDArray[np.int64]:
    """Write the rows of some proteins as one file that appears only when it is sound.

    Parameters
    ----------
    path : Path
        The file; its name ends in .parquet.
    proteins : Proteins
    chunks : iterator of SparseRows
        Ordered by (protein, feature, position); `protein` counts within `proteins`.

    Returns
    -------
    int64 array [n]
        Rows per protein.

    Raises
    ------
    CheckError
        If what stands on disk is not what was written, or not in order, or not positive and finite.
    """
    unchecked = path.with_name(path.name + _TEMPORARY)
    n_rows = np.zeros(len(proteins.ids), np.int64)
    table = schema.table("activations")
    # Nothing in these depends on threads or time: the same rows give the same bytes.
    options = {key: value for key, value in activation_writer_options().items() if key != "row_group_size"}
    try:
        with pq.ParquetWriter(unchecked, table.arrow, **options) as writer:
            for batch in _row_groups(proteins, chunks, n_rows, table.arrow):
                writer.write_table(batch, row_group_size=ROW_GROUP_ROWS)
        check_part(unchecked, proteins=proteins, n_rows=n_rows)
        unchecked.rename(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return n_rows


def _row_groups(
    proteins: Proteins, chunks: Iterator[SparseRows], n_rows: NDArray[np.int64], arrow: pa.Schema
) -> Iterator[pa.Table]:
    """Yield tables of exactly one row group each, but for the last; counts rows in `n_rows`."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for rows in chunks:
        n_rows += np.bincount(rows.protein, minlength=len(n_rows))
        columns = {
            "protein_id": proteins.ids[rows.protein],
            "position": rows.position,
            "feature": rows.feature,
            "value": rows.value,
        }
        waiting.append(pa.table([pa.array(columns[name]) for name in arrow.names], schema=arrow))
        n_waiting += len(rows)
        if n_waiting >= ROW_GROUP_ROWS:
            together = pa.concat_tables(waiting).combine_chunks()
            n_full = n_waiting // ROW_GROUP_ROWS * ROW_GROUP_ROWS
            for start in range(0, n_full, ROW_GROUP_ROWS):
                yield together.slice(start, ROW_GROUP_ROWS)
            waiting, n_waiting = [together.slice(n_full)], n_waiting - n_full
    if n_waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def check_part(path: Path, *, proteins: Proteins, n_rows: NDArray[np.int64]) -> None:
    """Read a part again and compare it with what it should hold.

    Raises
    ------
    CheckError
    """
    found = np.zeros(len(proteins.ids), np.int64)
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(batch_size=ordered.BATCH_ROWS)
        try:
            for batch in ordered.in_order(batches, schema.table("activations")):
                row = np.searchsorted(proteins.ids, batch["protein_id"].to_numpy())
                position, value = batch["position"].to_numpy(), batch["value"].to_numpy()
                is_inside = (position >= 1) & (position <= proteins.lengths[row])
                if not (is_inside & (value > 0) & (value < np.inf)).all():
                    raise CheckError(f"{path}: holds positions or values that cannot be; encode again")
                found += np.bincount(row, minlength=len(found))
        except ordered.OrderError as error:
            raise CheckError(f"{path}: {error}; encode again") from error
    if (found != n_rows).any():
        raise CheckError(f"{path}: holds {found.sum():,} rows, {n_rows.sum():,} were written; encode again")
