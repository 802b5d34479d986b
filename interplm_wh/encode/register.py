"""Making finished parts part of the warehouse: the only moments in which an encoding holds the lock.

Whoever has the lock registers what all workers have finished, so that many of them need few publishes.
Registering twice does nothing: a part whose proteins are registered is not taken.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from interplm_wh import store
from interplm_wh.encode import keep
from interplm_wh.encode.outcome import Failure
from interplm_wh.encode.waiting import Waiting, identities, read_rows
from interplm_wh.errors import InputError, LockedError, NotThereError
from interplm_wh.store import Staging, Transaction, layout
from interplm_wh.store.rows import value

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
INTERVAL_SHARE = 0.01
"""Of the time that a run has taken, at least, between two publishes: each leaves a folder for good, and a
run of days would leave tens of thousands. What waits is not lost, whatever happens."""
LAST_WAIT_SECONDS = 86_400.0
INTERRUPTED_WAIT_SECONDS = 10.0
_TURN_SECONDS = 1.0
_SHARE = 0.1
"""Of the time, at most, that goes into registering while there is more to encode."""

_FRESH = """
create or replace temp table fresh_encodings (
    sae varchar, part varchar, protein_id integer, n_residues integer, n_activations bigint,
    is_halved boolean, fingerprint varchar, dtype varchar, package_version varchar
)
"""
_LAY = """
insert into fresh_encodings by name
select $sae as sae, $folder || '/' || file as part, * exclude (file) from given_encodings
"""
# A part is stale where a protein was encoded by another or is not what it was; it is there where it was
# itself registered, by a process that was killed before it could take it away.
_STALE = """
select
    f.part,
    count(*) as n_proteins,
    bool_and(e.part is not null and parse_filename(e.part) = parse_filename(f.part)) as is_there
from fresh_encodings as f
left join proteins as p on f.protein_id = p.protein_id
left join encodings as e on f.sae = e.sae and f.protein_id = e.protein_id
where f.sae = $sae
group by f.part
having bool_or(
    p.protein_id is null or e.protein_id is not null
    or md5(p.accession || ':' || p.sequence) <> f.fingerprint
)
"""
_OTHER_FLOORS = """
select s.sae, s.min_value from saes as s
where list_contains($saes, s.sae) and s.min_value <> $min_value
    and exists (from encodings as e where e.sae = s.sae)
order by s.sae
"""


@dataclass
class Registrar:
    """Registers what is finished, now and then.

    Attributes
    ----------
    root : Path
        The warehouse.
    staging : Staging
        The staging folder of this run.
    waiting : mapping of str to Waiting
        Where the finished parts of each SAE wait.
    plan : Plan
        Which proteins are meant.
    min_value : float
        Raw activations above it are kept.
    settings : mapping
        For `runs`.
    discarded : dict of str to int
        Proteins per SAE that were encoded in vain, by whichever worker.
    """

    root: Path
    staging: Staging
    waiting: Mapping[str, Waiting]
    plan: keep.Plan
    min_value: float
    settings: Mapping[str, object]
    discarded: dict[str, int] = field(default_factory=dict)
    _is_planned: bool = False
    _failed: list[Failure] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL_SECONDS)

    def failed(self, failure: Failure) -> None:
        """Take proteins that could not be encoded, to be named in the warehouse."""
        self._failed.append(failure)

    def register_if_due(self) -> None:
        """Register what is finished if it is time; if somebody else is writing or just has, later.

        Each publish adds folders: many workers shall not make more of them than one. Only which proteins
        are meant is said at once, so that what a run leaves that fails early has a name.
        """
        if not self._is_planned:
            self._begin()
        if time.monotonic() < self._due:
            return
        age = time.time() - (self.root / layout.CATALOGUE).stat().st_mtime
        interval = self._interval()
        if age < interval:
            self._due = time.monotonic() + min(interval, interval - age)
            return
        try:
            self.register(wait_seconds=0)
        except LockedError as error:
            self._due = time.monotonic() + interval
            log.info("not registered yet: %s", error)

    def _begin(self) -> None:
        saes = list(self.waiting)
        with store.open(self.root) as wh:
            self._is_planned = keep.is_planned(wh, saes, self.plan)
        if self._is_planned:
            return
        with suppress(LockedError), self._writing(wait_seconds=0) as tx:  # later, then
            self._refuse_changed(tx)
            if keep.plans(tx, saes, self.plan):
                tx.publish()
            self._is_planned = True

    def _writing(self, *, wait_seconds: float) -> AbstractContextManager[Transaction]:
        return store.write(
            self.root,
            command="encode",
            settings=self.settings,
            staging=self.staging,
            wait_seconds=wait_seconds,
        )

    def finish(self, *, wait_seconds: float) -> None:
        """Register all that is finished, unless another worker does.

        Raises
        ------
        LockedError
            If another process still writes after `wait_seconds`.
        """
        deadline = time.monotonic() + wait_seconds
        is_said = False
        while self._is_needed():
            left = max(0.0, deadline - time.monotonic())
            try:
                return self.register(wait_seconds=min(_TURN_SECONDS, left))
            except LockedError as error:
                if not left:
                    raise
                if not is_said:
                    log.warning("waiting to register what is encoded: %s", error)
                is_said = True

    def _is_needed(self) -> bool:
        return bool(self._failed) or any(place.entries() for place in self.waiting.values())

    def register(self, *, wait_seconds: float) -> None:
        """Register all that is finished, whoever has finished it.

        Raises
        ------
        LockedError
            If another process still writes after `wait_seconds`.
        NotThereError
            If an SAE was removed or replaced meanwhile.
        InputError
            If it has been encoded with another smallest value meanwhile.
        """
        if not self._is_needed():
            return
        started = time.monotonic()
        with self._writing(wait_seconds=wait_seconds) as tx:
            self._refuse_changed(tx)
            tx.con.execute(_FRESH)
            done = [entry for sae in self.waiting for entry in self._take(tx, sae)]
            is_new_plan = keep.plans(tx, list(self.waiting), self.plan)
            is_listed = keep.failures(tx, self._failed)
            if is_new_plan or is_listed or value(tx.con, "select count(*) from fresh_encodings"):
                tx.publish()
            for entry in done:
                self._remove(entry)
        self._failed, self._is_planned = [], True
        now = time.monotonic()
        self._due = now + max(self._interval(), (now - started) / _SHARE)

    def _interval(self) -> float:
        """Return the seconds from one publish to the next, by this or another worker."""
        return max(INTERVAL_SECONDS, INTERVAL_SHARE * (time.monotonic() - self._started))

    def _refuse_changed(self, tx: Transaction) -> None:
        """Refuse parts of an SAE that is not what it was, and take them away."""
        now = identities(tx.con, list(self.waiting), min_value=self.min_value)
        gone = [sae for sae, place in self.waiting.items() if now.get(sae) != place.path.name]
        values = {"saes": list(self.waiting), "min_value": self.min_value}
        others = tx.con.execute(_OTHER_FLOORS, values).fetchall()
        for sae in {*gone, *(sae for sae, _ in others)}:
            for entry in self.waiting[sae].entries():
                self._remove(entry)
        if gone:
            raise NotThereError(
                f"{', '.join(gone)}: removed or replaced while encoding (other weights, layer or PLM "
                "under one name); nothing was registered"
            )
        if others:
            faults = ", ".join(f"{sae} with {value:g}" for sae, value in others)
            raise InputError(
                f"--min-value {self.min_value:g}: proteins were encoded meanwhile by {faults}; nothing was "
                "registered; give the same value to all workers"
            )

    def _take(self, tx: Transaction, sae: str) -> list[Path]:
        """Append the waiting parts of one SAE; returns what waits no more once that is published."""
        entries = self.waiting[sae].entries()
        folder = tx.new_folder("activations", sae=sae)
        found = list(self._sound(entries, folder))
        for rows in found:
            tx.con.register("given_encodings", rows)
            tx.con.execute(_LAY, {"sae": sae, "folder": self.staging.final_name(folder)})
            tx.con.unregister("given_encodings")
        self._discard_stale(tx, sae, folder)
        if any(folder.glob("*.parquet")):
            encodings = tx.new_folder("encodings", sae=sae)
            tx.write_query(encodings, "from fresh_encodings where sae = $sae", {"sae": sae})
            tx.append(folder)
            tx.append(encodings)
            tx.con.execute("update saes set min_value = ? where sae = ?", [self.min_value, sae])
        return entries

    def _sound(self, entries: Sequence[Path], folder: Path) -> Iterator[pa.Table]:
        """Link parts into a folder and yield their rows: those that are as they were written, of two with one
        protein the first."""
        taken: set[int] = set()
        for entry in entries:
            found = read_rows(entry)
            if found is None:
                log.warning("%s: is not what was written; it is encoded again by the next run", entry)
                continue
            part, rows = found
            ids = set(rows["protein_id"].to_pylist())
            if ids & taken:
                self._count_discarded(entry.parent.parent.name.removeprefix("sae="), len(ids))
                continue
            taken |= ids
            _link(part, folder / part.name)
            yield rows.append_column("file", pa.array([part.name] * len(rows)))

    def _discard_stale(self, tx: Transaction, sae: str, folder: Path) -> None:
        """Drop parts whose proteins changed, or that another run has registered."""
        for part, n_proteins, is_there in tx.con.execute(_STALE, {"sae": sae}).fetchall():
            (folder / Path(part).name).unlink()
            tx.con.execute("delete from fresh_encodings where part = ?", [part])
            if not is_there:
                self._count_discarded(sae, n_proteins)

    def _count_discarded(self, sae: str, n_proteins: int) -> None:
        log.warning("%s: %d proteins changed or were encoded meanwhile", sae, n_proteins)
        self.discarded[sae] = self.discarded.get(sae, 0) + n_proteins

    def _remove(self, entry: Path) -> None:
        """Take a part out of its place at once, then remove it."""
        gone = self.staging.scratch / uuid.uuid4().hex
        with suppress(FileNotFoundError):  # where locks do not hold, another was faster
            entry.rename(gone)
            shutil.rmtree(gone)


def _link(file: Path, name: Path) -> None:
    """Give a file a second name; where the file system has none, copy it."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(file, name)
