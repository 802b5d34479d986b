"""Take out of a warehouse what cannot be read any more and what no build makes anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from interplm_wh import progress, schema, store
from interplm_wh.build import derived, marts
from interplm_wh.errors import CheckError, faults_message
from interplm_wh.remove import RemoveReport
from interplm_wh.store import Transaction, parts
from interplm_wh.store.rows import dictionaries

# Without these an SAE is not what it was: they come from a copy, or the SAE goes.
_NEEDED = frozenset({"activations", "encodings", "features"})
# What stands and falls together: one run, one protein.
_FAMILIES = ("steering_", "variant")
_FOLDERS = (
    "select p.*, f.sae as of_sae, f.source from parts as p inner join folders as f "
    "on parse_dirpath(p.path) = f.folder and f.is_current order by p.path"
)


def remove_damaged(warehouse: str | Path) -> RemoveReport:
    """Take out what commands other than a build have made, where a file of it is damaged or missing.

    Of steering a whole run goes, of variants those of a protein, of other tables all rows of the SAE.

    Raises
    ------
    CheckError
        If something is damaged that cannot be left out: proteins, annotations, structures, activations.
    """
    with store.write(warehouse, command="remove damaged", settings={}) as tx:
        damaged = list(_damaged(tx))
        if not damaged:
            return RemoveReport("no file is damaged; nothing was removed")
        kept = [fault for table, _, _, fault in damaged if not _is_dispensable(table)]
        if kept:
            raise CheckError(
                faults_message(str(tx.root), kept, "nothing was removed; what to do says: interplm-wh verify")
            )
        gone = sorted({one for table, sae, source, _ in damaged for one in _drop(tx, table, sae, source)})
        derived.take_out_outdated(tx)
        tx.publish()
    return RemoveReport(f"removed {', '.join(gone)}; the commands that made them make them anew")


def _is_dispensable(table: str) -> bool:
    by_build = {mart.name for mart in marts.ordered()}
    return schema.table(table).storage == "sae" and table not in _NEEDED | by_build


def _damaged(tx: Transaction) -> Iterator[tuple[str, str | None, str | None, str]]:
    """Yield table, SAE, source and what is wrong, of each damaged file."""
    recorded = dictionaries(tx.con, _FOLDERS)
    with progress.track("comparing files with their checksums", total=len(recorded), unit="files") as bar:
        for part in recorded:
            for fault in parts.faults(tx.root / part["path"], part):
                yield part["table_name"], part["of_sae"], part["source"], fault
            bar.advance(1)


def _drop(tx: Transaction, table: str, sae: str | None, source: str | None) -> list[str]:
    """Drop what a damaged file belongs to; returns what is gone, in words."""
    family = next((prefix for prefix in _FAMILIES if table.startswith(prefix)), None)
    if family is None:
        tx.drop(table, sae=sae)
        return [f"{table} of {sae}"]
    names = [one.name for one in schema.tables().values() if one.storage == "sae"]
    for name in names:
        if name.startswith(family):
            tx.drop(name, sae=sae, source=source)
    return [f"{family.rstrip('_')} rows of {source} with {sae}"]
