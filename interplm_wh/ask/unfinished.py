"""Proteins that were to be encoded and are not: what `info` and `verify` say of them."""

from __future__ import annotations

from dataclasses import dataclass

from interplm_wh import sqlfile
from interplm_wh.store import Warehouse

SHOWN = 10
READ = frozenset({"encoding_failures", "encoding_plans", "encodings", "proteins"})
"""Tables without which nothing can be said."""


@dataclass(frozen=True)
class Unfinished:
    """What is left to encode with one SAE.

    Attributes
    ----------
    sae : str
    n_planned, n_missing, n_failed : int
        Proteins that were to be encoded; of them those that are not, and those that failed.
    missing : tuple of str
        The first ten of those that are not, as accessions.
    reasons : tuple of str
        Why some failed, each reason once, the first ten.
    dtype : str or None
        Number format of those that are encoded; None where none is.
    """

    sae: str
    n_planned: int
    n_missing: int
    n_failed: int
    missing: tuple[str, ...]
    reasons: tuple[str, ...]
    dtype: str | None = None

    def lines(self) -> list[str]:
        """Say it for people."""
        left = self.n_missing - len(self.missing)
        names = ", ".join(self.missing) + (f" and {left:,} more" if left else "")
        said = [
            f"{self.sae}: {self.n_missing:,} of {self.n_planned:,} proteins that were to be encoded are not: "
            f"{names}"
        ]
        if self.n_failed:
            said += [f"{self.sae}: {self.n_failed:,} of them failed:", *(f"  - {r}" for r in self.reasons)]
        same = f" --dtype {self.dtype}" if self.dtype not in (None, "float32") else ""
        return [
            *said,
            f"encode them with: interplm-wh encode --sae {self.sae}{same}; list them with: interplm-wh query "
            f"\"from not_encoded('{self.sae}')\"",
        ]


def unfinished(warehouse: Warehouse) -> list[Unfinished]:
    """Return what is left to encode, per SAE that an encoding was begun with."""
    counts = warehouse.sql(sqlfile.load("info", "unfinished").sql).to_pylist()
    return [
        Unfinished(
            row["sae"],
            row["n_planned"],
            row["n_missing"],
            row["n_failed"],
            *_named(warehouse, row["sae"], has_failed=bool(row["n_failed"])),
            row["dtype"],
        )
        for row in counts
    ]


def _named(warehouse: Warehouse, sae: str, *, has_failed: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    file = sqlfile.load("macros", "not_encoded")
    values = {**file.bind({"wanted_sae": sae}), "shown": SHOWN}
    first = warehouse.sql(f"select accession from ({file.sql}) limit $shown", values)  # noqa: S608
    missing = tuple(first["accession"].to_pylist())
    if not has_failed:
        return missing, ()
    reasons = f"select distinct reason from ({file.sql}) where reason is not null"  # noqa: S608
    why = warehouse.sql(f"{reasons} order by reason limit $shown", values)
    return missing, tuple(why["reason"].to_pylist())
