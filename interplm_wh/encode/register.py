"""Making finished parts part of the warehouse: the only moments in which an encoding holds the lock."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh import __version__, store
from interplm_wh.encode.models import SaeRow
from interplm_wh.errors import LockedError, NotThereError
from interplm_wh.store import Staging, Transaction

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
LAST_WAIT_SECONDS = 86_400.0
INTERRUPTED_WAIT_SECONDS = 10.0
_SHARE = 0.1
"""Of the time, at most, that goes into registering while there is more to encode."""

_FRESH = """
create or replace temp table fresh_encodings as
select * from given_encodings
"""
_STALE = """
select distinct f.sae, f.part
from fresh_encodings as f
left join proteins as p on f.protein_id = p.protein_id
left join encodings as e on f.sae = e.sae and f.protein_id = e.protein_id
where
    p.protein_id is null or e.protein_id is not null
    or md5(p.accession || ':' || p.sequence) <> f.fingerprint
"""
_GONE = """
select distinct f.sae from fresh_encodings as f
where not exists (from saes as s where s.sae = f.sae and s.sha256 = f.sha256)
order by f.sae
"""


@dataclass(frozen=True)
class Part:
    """A finished part of one SAE that no catalogue names yet.

    Attributes
    ----------
    sae : SaeRow
    path : Path
        The staged file.
    ids, lengths : int32 array [n]
    n_activations : int64 array [n]
    is_halved : tuple of bool
    fingerprints : list of str
    """

    sae: SaeRow
    path: Path
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    n_activations: NDArray[np.int64]
    is_halved: tuple[bool, ...]
    fingerprints: list[str]


@dataclass
class Registrar:
    """Collects finished parts and registers them now and then.

    Attributes
    ----------
    root : Path
        The warehouse.
    staging : Staging
    dtype : str
    min_value : float
    settings : mapping
        For `runs`.
    discarded : dict of str to int
        Proteins per SAE that were encoded in vain.
    """

    root: Path
    staging: Staging
    dtype: str
    min_value: float
    settings: Mapping[str, Any]
    discarded: dict[str, int] = field(default_factory=dict)
    _folders: dict[str, Path] = field(default_factory=dict)
    _parts: list[Part] = field(default_factory=list)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL_SECONDS)

    def folder(self, sae: str) -> Path:
        """Return the staged folder for the next parts of one SAE."""
        if sae not in self._folders:
            self._folders[sae] = self.staging.new_folder("activations", sae=sae)
        return self._folders[sae]

    def add(self, part: Part) -> None:
        """Take a finished part, and register if it is time and nobody else is writing."""
        self._parts.append(part)

    def register_if_due(self) -> None:
        """Register what is finished if it is time; if somebody else is writing, later."""
        if time.monotonic() < self._due:
            return
        try:
            self.register(wait_seconds=0)
        except LockedError as error:
            self._due = time.monotonic() + INTERVAL_SECONDS
            log.info("not registered yet: %s", error)

    def register(self, *, wait_seconds: float) -> None:
        """Register all that is finished.

        Raises
        ------
        LockedError
            If another process still writes after `wait_seconds`.
        NotThereError
            If an SAE was removed meanwhile.
        """
        if not self._parts:
            return
        started = time.monotonic()
        with store.write(
            self.root,
            command="encode",
            settings=self.settings,
            staging=self.staging,
            wait_seconds=wait_seconds,
        ) as tx:
            self._lay_fresh(tx)
            self._refuse_gone(tx)
            self._discard_stale(tx)
            for sae, folder in self._folders.items():
                self._append(tx, sae, folder)
            tx.publish()
        self._folders, self._parts = {}, []
        now = time.monotonic()
        self._due = now + max(INTERVAL_SECONDS, (now - started) / _SHARE)

    def _part_name(self, part: Part) -> str:
        return f"{self.staging.final_name(part.path.parent)}/{part.path.name}"

    def _lay_fresh(self, tx: Transaction) -> None:
        """Lay `fresh_encodings`: a row per SAE and protein."""
        rows = [
            pa.table(
                {
                    "sae": [part.sae.sae] * len(part.ids),
                    "sha256": [part.sae.sha256] * len(part.ids),
                    "part": [self._part_name(part)] * len(part.ids),
                    "protein_id": part.ids,
                    "n_residues": part.lengths,
                    "n_activations": part.n_activations,
                    "is_halved": list(part.is_halved),
                    "fingerprint": part.fingerprints,
                    "dtype": [self.dtype] * len(part.ids),
                    "package_version": [__version__] * len(part.ids),
                }
            )
            for part in self._parts
        ]
        tx.con.register("given_encodings", pa.concat_tables(rows))
        tx.con.execute(_FRESH)
        tx.con.unregister("given_encodings")

    def _refuse_gone(self, tx: Transaction) -> None:
        if gone := [sae for (sae,) in tx.con.execute(_GONE).fetchall()]:
            raise NotThereError(
                f"{', '.join(gone)}: removed or replaced while encoding; nothing was registered"
            )

    def _discard_stale(self, tx: Transaction) -> None:
        """Drop parts whose proteins changed, or that another run has registered."""
        stale = set(tx.con.execute(_STALE).fetchall())
        for part in self._parts:
            name = self._part_name(part)
            if (part.sae.sae, name) in stale:
                log.warning("%s: %d proteins changed or were encoded meanwhile", part.sae.sae, len(part.ids))
                self.discarded[part.sae.sae] = self.discarded.get(part.sae.sae, 0) + len(part.ids)
                part.path.unlink(missing_ok=True)
                tx.con.execute("delete from fresh_encodings where part = ?", [name])
        self._parts = [part for part in self._parts if (part.sae.sae, self._part_name(part)) not in stale]

    def _append(self, tx: Transaction, sae: str, folder: Path) -> None:
        if not any(folder.glob("*.parquet")):
            return
        encodings = tx.new_folder("encodings", sae=sae)
        tx.write_query(encodings, "from fresh_encodings where sae = $sae", {"sae": sae})
        tx.append(folder)
        tx.append(encodings)
        tx.con.execute("update saes set min_value = ? where sae = ?", [self.min_value, sae])
