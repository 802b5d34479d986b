"""Files whose rows are in strictly ascending order: an order that makes their key unique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interplm_wh.schema import Table

# Counted in hundreds of millions of rows: grouping them by their key needs more memory than a
# laptop has, while one pass over the file, two row groups at a time, needs none. A protein, or a variant of
# one, stands in one file only, or files that were written together hold ranges of the order of their own, so
# that rows that are unique in each file are unique.
UNIQUE_BY_ORDER = frozenset({"activations", "protein_features", "variant_changes"})
BATCH_ROWS = 1 << 20


class OrderError(ValueError):
    """Rows are not in strictly ascending order."""


def order_fault(path: Path, table: Table) -> str | None:
    """Say where a file of a table in `UNIQUE_BY_ORDER` is not in strictly ascending order.

    Returns
    -------
    str or None
        None where it is, and for other tables.
    """
    if table.name not in UNIQUE_BY_ORDER:
        return None
    with pq.ParquetFile(path) as file:
        try:
            for _ in in_order(file.iter_batches(batch_size=BATCH_ROWS, columns=_key(table)), table):
                pass
        except OrderError as error:
            return str(error)
    return None


def in_order(batches: Iterable[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    """Pass on batches of a table as long as their rows are in strictly ascending order.

    Raises
    ------
    OrderError
        With the first row that is not.
    """
    before: list[pa.Array] | None = None
    first_row = 0
    for batch in batches:
        columns = [batch[name] for name in _key(table)]
        if before is not None:
            columns = [pa.concat_arrays(pair) for pair in zip(before, columns, strict=True)]
        bad = ~_ascends(columns)
        if bad.any():
            row = first_row + int(bad.argmax()) + 1
            raise OrderError(f"row {row:,} and the next are not in order, or the same")
        yield batch
        first_row += batch.num_rows - (0 if before is not None else 1)
        before = [column[len(column) - 1 :] for column in columns]


def _key(table: Table) -> list[str]:
    return [name for name in table.order if name != "sae"]


def _ascends(columns: list[pa.Array]) -> npt.NDArray[np.bool_]:
    """Whether each row is below the next, as bool [n - 1]."""
    is_below = np.zeros(len(columns[0]) - 1, dtype=np.bool_)
    is_equal = np.ones(len(columns[0]) - 1, dtype=np.bool_)
    for column in map(_numbers, columns):
        here, following = column[:-1], column[1:]
        is_below |= is_equal & (here < following)
        is_equal &= here == following
    return is_below


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return a column as numbers in the order of its values; text is ordered by its bytes."""
    if not pa.types.is_string(column.type):
        found: npt.NDArray[np.int64] = column.to_numpy(zero_copy_only=False).astype(np.int64)
        return found
    coded = column.dictionary_encode()
    place = np.empty(len(coded.dictionary), np.int64)
    place[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(len(place))
    of_rows: npt.NDArray[np.int64] = place[coded.indices.to_numpy()]
    return of_rows
