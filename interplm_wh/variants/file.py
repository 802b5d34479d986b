"""The Parquet file of what variants change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import schema
from interplm_wh.store.parquet import ROW_GROUP_ROWS
from interplm_wh.variants import stale

if TYPE_CHECKING:
    from interplm_wh.variants.difference import Changes


class Writer:
    """Writes changes in the order in which they come, a row group at a time."""

    def __init__(self, file: pq.ParquetWriter, protein_id: int) -> None:
        self._file, self._protein_id = file, protein_id
        self._waiting: list[pa.Table] = []

    def add(self, changes: Changes, names: Sequence[str]) -> None:
        """Take the changes of a block of variants, whose names are ascending."""
        arrow = schema.table(stale.CHANGES).arrow
        columns = {
            "protein_id": np.full(len(changes), self._protein_id, np.int32),
            "variant": pa.DictionaryArray.from_arrays(changes.variant, pa.array(names)).cast(pa.string()),
            "feature": changes.feature,
            "position": changes.position,
            "wild_type_value": changes.wild_type,
            "mutant_value": changes.mutant,
        }
        self._waiting.append(pa.table([pa.array(columns[name]) for name in arrow.names], schema=arrow))
        if sum(map(len, self._waiting)) >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._waiting:
            self._file.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP_ROWS)
            self._waiting = []


@contextmanager
def writing(path: Path, protein_id: int) -> Iterator[Writer]:
    """Open the file of the changes of one protein."""
    integers = dict.fromkeys(("protein_id", "feature", "position"), "DELTA_BINARY_PACKED")
    floats = dict.fromkeys(("wild_type_value", "mutant_value"), "BYTE_STREAM_SPLIT")
    with pq.ParquetWriter(
        path,
        schema.table(stale.CHANGES).arrow,
        compression="zstd",
        compression_level=3,
        use_dictionary=["variant"],
        column_encoding={**integers, **floats},
    ) as file:
        writer = Writer(file, protein_id)
        yield writer
        writer.flush()
