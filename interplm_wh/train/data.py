"""The proteins that a training reads: splits of the warehouse, and FASTA files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from interplm_wh.errors import InputError
from interplm_wh.ingest import fasta
from interplm_wh.store import Warehouse
from interplm_wh.train.plan import TrainingPlan
from interplm_wh.train.sources import Sequences

_SPLITS = (
    "select accession, sequence from proteins where list_contains($splits, split) "
    "and ($max_length::integer is null or length <= $max_length) order by protein_id"
)


def read_sequences(warehouse: Warehouse, plan: TrainingPlan) -> Sequences:
    """Read the proteins of a plan, those of the warehouse first, in a fixed order.

    Raises
    ------
    InputError
        If there is none.
    """
    tables = [
        warehouse.sql(_SPLITS, {"splits": list(plan.splits), "max_length": plan.max_length}),
        *(table for file in plan.files for table in _fasta(Path(file), plan.max_length)),
    ]
    rows = pa.concat_tables([table.cast(_SCHEMA) for table in tables])
    if not len(rows):
        where = " and ".join([*(f"split {s!r}" for s in plan.splits), *plan.files])
        limit = f" of at most {plan.max_length:,} residues" if plan.max_length is not None else ""
        raise InputError(
            f"training {plan.name}: there is no protein{limit} in {where}; name other splits, or FASTA files"
        )
    lengths = pa.compute.utf8_length(rows["sequence"]).to_numpy()
    return Sequences(rows["accession"], rows["sequence"], lengths.astype("int64"))


_SCHEMA = pa.schema([("accession", pa.large_string()), ("sequence", pa.large_string())])
_BATCH = 10_000


def _fasta(path: Path, max_length: int | None) -> Iterator[pa.Table]:
    batch: list[tuple[str, str]] = []
    for accession, text in fasta.proteins(path):
        if text and (max_length is None or len(text) <= max_length):
            batch.append((accession, text))
        if len(batch) == _BATCH:
            yield _table(batch)
            batch = []
    yield _table(batch)


def _table(batch: Sequence[tuple[str, str]]) -> pa.Table:
    columns = [[row[i] for row in batch] for i in (0, 1)]
    return pa.table([pa.array(column, pa.large_string()) for column in columns], schema=_SCHEMA)
