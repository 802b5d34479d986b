"""Which proteins each SAE still has to encode, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh.encode.blocks import blocks
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.shard import WHOLE, Shard
from interplm_wh.encode.waiting import entry_name
from interplm_wh.errors import InputError
from interplm_wh.store import Warehouse

_ENCODED = "select protein_id from encodings where sae = ?"
# Those of every n-th block alone: the others in between would fill the memory.
_SEQUENCES = (
    "select protein_id, accession, sequence, md5(accession || ':' || sequence) as fingerprint "
    "from proteins semi join wanted using (protein_id) where protein_id between ? and ? order by protein_id"
)
_SPAN = 32


@dataclass(frozen=True)
class Group:
    """Proteins of one block that the same SAEs of one PLM still have to encode.

    Attributes
    ----------
    block : int
        Number of the block among those of all proteins of the warehouse, from 0.
    saes : tuple of SaeRow
    ids, lengths : int32 array [n]
        In the order of protein_id.
    """

    block: int
    saes: tuple[SaeRow, ...]
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @property
    def n_residues(self) -> int:
        """Residues of all proteins."""
        return int(self.lengths.sum())


@dataclass(frozen=True)
class Sequences:
    """The proteins of a group as the PLM reads them.

    Attributes
    ----------
    accessions, texts : list of str
    fingerprints : list of str
        md5 of accession and sequence: shows whether a protein changed before it was registered.
    """

    accessions: list[str]
    texts: list[str]
    fingerprints: list[str]

    def name(self, group: Group) -> str:
        """Return under which name the part of their group waits."""
        return entry_name(int(group.ids[0]), int(group.ids[-1]), self.fingerprints)


def encoded_ids(warehouse: Warehouse, sae: str) -> NDArray[np.int32]:
    """Return the proteins that an SAE has encoded."""
    found: NDArray[np.int32] = warehouse.sql(_ENCODED, [sae])["protein_id"].to_numpy()
    return found


def plan(
    warehouse: Warehouse, saes: Sequence[SaeRow], *, like: str | None = None, share: Shard = WHOLE
) -> list[Group]:
    """Return what is left to encode of a share with some SAEs of one PLM, in the order of proteins.

    SAEs that lack the same proteins of a block share them in one group, so that a part depends on
    the proteins that its SAE lacks alone, not on the SAEs beside it. With `like`, only proteins that
    this SAE has encoded.
    """
    table = warehouse.sql("select protein_id, length from proteins order by protein_id")
    ids, lengths = table["protein_id"].to_numpy(), table["length"].to_numpy()
    wanted = np.ones(len(ids), np.bool_) if like is None else np.isin(ids, encoded_ids(warehouse, like))
    missing = {row: wanted & ~np.isin(ids, encoded_ids(warehouse, row.sae)) for row in saes}
    groups: list[Group] = []
    found = blocks(lengths.tolist())
    taken = share.taken([int(lengths[block.start : block.stop].sum()) for block in found])
    for number, block in ((number, found[number]) for number in sorted(taken)):
        alike: dict[bytes, list[SaeRow]] = {}
        for row in saes:
            alike.setdefault(missing[row][block.start : block.stop].tobytes(), []).append(row)
        for mask, rows in alike.items():
            chosen = np.flatnonzero(np.frombuffer(mask, np.bool_)) + block.start
            if len(chosen):
                groups.append(Group(number, tuple(rows), ids[chosen], lengths[chosen]))
    return groups


def with_sequences(warehouse: Warehouse, groups: Sequence[Group]) -> Iterator[tuple[Group, Sequences]]:
    """Read the sequences of groups, a span of blocks at a time.

    Raises
    ------
    InputError
        If proteins were removed meanwhile.
    """
    for first in range(0, len(groups), _SPAN):
        span = groups[first : first + _SPAN]
        low, high = int(min(g.ids[0] for g in span)), int(max(g.ids[-1] for g in span))
        wanted = pa.table({"protein_id": np.unique(np.concatenate([g.ids for g in span]))})
        table = warehouse.sql(_SEQUENCES, [low, high], tables={"wanted": wanted})
        ids = table["protein_id"].to_numpy()
        for group in span:
            rows = np.searchsorted(ids, group.ids)
            if rows[-1] >= len(ids) or (ids[rows] != group.ids).any():
                raise InputError(f"{warehouse.path}: proteins were removed while encoding; run encode again")
            mine = table.take(rows)
            yield group, Sequences(*(mine[c].to_pylist() for c in ("accession", "sequence", "fingerprint")))
