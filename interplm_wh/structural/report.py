"""What `structure` found, for people and programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from interplm_wh.ask.table import number, plain_table

CLASSES = ("structural", "sequential", "both", "undecided")
_BEST = 10
_COLUMNS = {
    "feature": "feature",
    "class": "class",
    "n_proteins": "proteins",
    "structural_effect": "structural",
    "structural_q": "q",
    "sequential_effect": "sequential",
    "sequential_q": "q",
    "difference": "difference",
    "difference_q": "q",
    "paper_class": "paper",
}


@dataclass(frozen=True)
class StructureReport:
    """What was found.

    Attributes
    ----------
    saes : tuple of str
    rows : pa.Table
        Rows of `feature_structure` that were asked for: classes in the order of `CLASSES`, of each the
        features with the largest difference first.
    is_chosen : bool
        Whether features were named, all of which are listed then.
    n_structures : dict of str to int
        By SAE, the proteins that it has encoded and that have a structure.
    made : tuple of str
        SAEs that were tested now; what there is of the others is current.
    seconds : float
    """

    saes: tuple[str, ...]
    rows: pa.Table
    is_chosen: bool
    n_structures: dict[str, int]
    made: tuple[str, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        rows = self.rows.to_pylist()
        said: list[str] = []
        for sae in self.saes:
            of_sae = [row for row in rows if row["sae"] == sae]
            said += [*self._counted(sae, of_sae), ""]
            shown = of_sae if self.is_chosen else _best(of_sae)
            if shown:
                cells = [[number(row[name]) for name in _COLUMNS] for row in shown]
                said += [*plain_table(list(_COLUMNS.values()), cells), ""]
        return [
            *said,
            "structural, sequential: mean activation of contacts, and of neighbours in the sequence, less "
            "that of controls",
            f"{'kept' if self.made else 'as they are'} in feature_structure; {self.seconds:,.1f} s",
        ]

    def _counted(self, sae: str, rows: list[dict[str, Any]]) -> list[str]:
        by_class = Counter(row["class"] for row in rows)
        tested = [row for row in rows if row["difference"] is not None]
        least = rows[0]["min_proteins"] if rows else 0
        said = [
            f"{sae}: {len(rows):,} features on {self.n_structures[sae]:,} proteins with a structure: "
            + ", ".join(f"{by_class[name]:,} {name}" for name in CLASSES),
            f"  {len(rows) - len(tested):,} of the undecided have fewer than {least} proteins to compare",
        ]
        labels = Counter(row["paper_class"] for row in rows if row["paper_class"] is not None)
        if labels:
            said.append(
                f"  the paper's test labels {sum(labels.values()):,}: "
                + ", ".join(f"{labels[name]:,} {name}" for name in (*CLASSES[:3], "neither"))
            )
        return said


def _best(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first features of each class, less those that are undecided."""
    return [row for name in CLASSES[:3] for row in [one for one in rows if one["class"] == name][:_BEST]]
