"""Which SAEs suggestions and rules are made for, and whether what they read is there."""

from __future__ import annotations

from collections.abc import Sequence

from interplm_wh import build, names
from interplm_wh.build import marts
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.store import Warehouse

_READ = ("concept_f1", "heldout_pairs")


def built_saes(
    wh: Warehouse,
    sae: str | None,
    *,
    reads: Sequence[str] = _READ,
    what: str = "pairs of concepts and features",
) -> list[str]:
    """Return the SAE that is asked for, or every one that is no control, in the order of names.

    Parameters
    ----------
    reads : sequence of str
        The tables that must be there and be up to date.
    what : str
        Their name, for people; a plural.

    Raises
    ------
    NotThereError
        If there is no such SAE, or none at all.
    InputError
        If what is to be read is missing or older than the data.
    """
    known = dict(wh.con.execute("select sae, role from saes order by sae").fetchall())
    encoded = {s for (s,) in wh.con.execute("select distinct sae from encodings").fetchall()}
    if sae is not None and sae not in known:
        near = names.nearest(sae, list(known))
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known) or 'none'}"
        raise NotThereError(f"there is no SAE {sae!r} in {wh.path}; {hint}")
    chosen = [sae] if sae is not None else [s for s, role in known.items() if role == "sae" and s in encoded]
    if not chosen:
        if controls := sorted(encoded):
            raise NotThereError(
                f"{', '.join(controls)}: controls alone are encoded; name one with: --sae NAME"
            )
        raise NotThereError(f"no SAE of {wh.path} has encoded proteins; run: interplm-wh encode, then build")
    needed = marts.with_ancestors(set(marts.resolve(reads)))
    for name in chosen:
        if name not in encoded or needed & set(build.stale(wh, [name])[name]):
            raise InputError(f"{name}: {what} are missing or older than the data; run: interplm-wh build")
    return chosen


def known_concept(wh: Warehouse, concept: str) -> None:
    """Refuse a concept that is not in the warehouse."""
    known = [c for (c,) in wh.con.execute("select concept from concepts order by concept").fetchall()]
    if concept not in known:
        near = names.nearest(concept, known)
        hint = f"did you mean {near}?" if near else "see: from concepts"
        raise NotThereError(f"there is no concept {concept!r} in {wh.path}; {hint}")
