"""Which proteins other workers have registered since this one began."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from interplm_wh.store import Warehouse, published

_FOLDERS = (
    "select sae, folder from wh.folders where is_current and table_name = 'encodings' "
    "and list_contains($saes, sae)"
)


class Registered:
    """Proteins that SAEs have encoded beyond those of a warehouse as it was opened.

    Only folders that are new are read, and only where there was a new publish.

    Parameters
    ----------
    warehouse : Warehouse
        Open, as the plan was made from.
    saes : sequence of str
    """

    def __init__(self, warehouse: Warehouse, saes: Sequence[str]) -> None:
        self._root = warehouse.path
        self._saes = list(saes)
        self._stamp: tuple[int, int] | None = warehouse.stamp
        found = warehouse.con.execute(_FOLDERS, {"saes": self._saes}).fetchall()
        self._known = {folder for _, folder in found}
        self._ids: dict[str, NDArray[np.int32]] = {sae: np.empty(0, np.int32) for sae in saes}

    def any_of(self, sae: str, ids: NDArray[np.int32]) -> bool:
        """Whether one of these proteins was registered meanwhile."""
        self._refresh()
        return bool(np.isin(ids, self._ids[sae]).any())

    def _refresh(self) -> None:
        stamp = published.stamp(self._root)
        if stamp == self._stamp:
            return
        with duckdb.connect() as con:
            published.attach(con, self._root, name="wh")
            found = con.execute(_FOLDERS, {"saes": self._saes}).fetchall()
        for sae, folder in found:
            if folder not in self._known:
                self._known.add(folder)
                self._ids[sae] = np.concatenate([self._ids[sae], *_ids(self._root / folder)])
        self._stamp = stamp


def _ids(folder: Path) -> list[NDArray[np.int32]]:
    return [
        pq.read_table(path, columns=["protein_id"], partitioning=None)["protein_id"].to_numpy()
        for path in sorted(folder.glob("*.parquet"))
    ]
