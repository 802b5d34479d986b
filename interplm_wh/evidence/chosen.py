"""Which SAEs a command works on."""

from __future__ import annotations

from collections.abc import Sequence

from interplm_wh import build
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.store import Warehouse


def built(wh: Warehouse, saes: Sequence[str]) -> list[str]:
    """Return SAEs whose tables are there and as new as the data; by default all that have any.

    Parameters
    ----------
    saes : sequence of str
        Names that somebody gave.

    Raises
    ------
    NotThereError
        If an SAE is unknown or was not built.
    InputError
        If its tables are older than the data.
    """
    known = [row["sae"] for row in wh.sql("select sae from saes").to_pylist()]
    there = [row["sae"] for row in wh.sql("select distinct sae from firing order by sae").to_pylist()]
    wanted = list(dict.fromkeys(saes)) or there
    if unknown := [sae for sae in wanted if sae not in known]:
        raise NotThereError(f"there is no SAE {', '.join(unknown)}; see: interplm-wh info")
    if missing := [sae for sae in wanted if sae not in there]:
        raise NotThereError(f"nothing was built for {', '.join(missing)}; run: interplm-wh build")
    if not wanted:
        raise NotThereError(f"nothing was built in {wh.path}; run: interplm-wh build")
    if behind := [sae for sae, tables in build.stale(wh, wanted).items() if tables]:
        raise InputError(f"{', '.join(behind)}: tables are older than the data; run first: interplm-wh build")
    return wanted
