"""An SAE beside its controls: what each finds on held-out proteins, over the same proteins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from interplm_wh import build, names, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.controls import pairs
from interplm_wh.controls.kinds import KINDS, TITLES
from interplm_wh.errors import InputError, MismatchError, NotThereError

if TYPE_CHECKING:
    from interplm_wh.store import Warehouse

By = Literal["control", "concept"]
_SCALES = {"own": "each under its own scale", "valid": "each under the scale of valid alone"}
_HEADER = {
    "n_concepts_found": "concepts found",
    "n_features_with_concept": "features with a concept",
    "mean_best_test_f1": "mean test F1",
    "n_tried": "pairs tried",
    "n_concepts": "concepts",
    "n_proteins": "proteins",
}
_F1 = {
    "sae_f1": "SAE",
    "neurons_f1": "neurons",
    "neurons_both_signs_f1": "both signs",
    "shuffled_f1": "shuffled",
    "amino_acid_f1": "amino acids",
    "position_f1": "position",
}
_LEGEND = (
    "found: F1 above 0.5 on valid and on test, feature and threshold chosen on valid; mean: of the best pair "
    "of every concept, 0 where nothing fires on it; tried: concept, feature and threshold with a hit on valid"
)


@dataclass(frozen=True)
class ControlComparison:
    """An SAE beside its controls.

    Attributes
    ----------
    sae : str
    by : {'control', 'concept'}
        What the rows are printed by.
    summary : pa.Table
        The rows of the macro `control_summary`: one per scale, SAE or control, and, for neurons, set of
        features.
    concepts : pa.Table
        The rows of the macro `control_concepts`, under the SAEs' own scales: one per testable concept.
    notes : tuple of str
        What a reader of the numbers has to know.
    """

    sae: str
    by: By
    summary: pa.Table
    concepts: pa.Table
    notes: tuple[str, ...]

    @property
    def rows(self) -> pa.Table:
        """The table that was asked for."""
        return self.summary if self.by == "control" else self.concepts

    def lines(self) -> list[str]:
        """Print the table for people."""
        if self.by == "concept":
            return self._concept_lines()
        rows = self.summary.to_pylist()
        said: list[str] = []
        for scale, words in _SCALES.items():
            cells = [
                [label(row), *(number(row[column]) for column in _HEADER)]
                for row in rows
                if row["scale"] == scale
            ]
            if cells:
                said += [f"{self.sae} and its controls, {words}:", ""]
                said += [*plain_table(["", *_HEADER.values()], cells), ""]
        return [*said, _LEGEND]

    def _concept_lines(self) -> list[str]:
        there = [column for column in _F1 if any(v is not None for v in self.concepts[column].to_pylist())]
        cells = [
            [row["concept"], *("-" if row[column] is None else f"{row[column]:.3f}" for column in there)]
            for row in self.concepts.to_pylist()
        ]
        return [
            f"F1 on test of the best pair of each concept, of {self.sae} and its controls:",
            "",
            *plain_table(["concept", *(_F1[column] for column in there)], cells),
        ]


def label(row: dict[str, Any]) -> str:
    """Return what a row of `control_summary` is, in words."""
    if row["role"] == "sae":
        return str(row["sae"])
    if row["role"] == "neurons":
        return f"{TITLES['neurons']}, {'as published' if row['feature_set'] == 'published' else 'both signs'}"
    return TITLES[row["role"]]


def compare_controls(
    warehouse: str | Path, sae: str, *, by: By = "control", chart: str | Path | None = None
) -> ControlComparison:
    """Put an SAE beside its controls, over the proteins that all of them have.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    by : {'control', 'concept'}
        What the rows of the answer are.
    chart : str or Path, optional
        Where to draw it: .html, .svg, .png or .json (Vega-Lite).

    Raises
    ------
    NotThereError
        If there is no such SAE, it has no control, or nothing was counted since the last build.
    MismatchError
        If they were counted over different proteins; nothing is counted again here.
    InputError
        If it is a control itself, the chart's format is unknown, or the packages for charts are not
        installed.
    """
    if chart is not None:
        from interplm_wh.ask import compare_chart

        compare_chart.check(Path(chart))
    with store.open(warehouse, own_macros=True) as wh:
        _require_sae(wh, sae)
        rows = wh.sql("select role, control from sae_controls where sae = $sae", {"sae": sae}).to_pylist()
        rows.sort(key=lambda row: KINDS.index(row["role"]))
        sides = [sae, *(row["control"] for row in rows)]
        _require_controls(sae, rows)
        _require_same_proteins(wh, sae, sides)
        _require_counted(wh, sae, sides)
        summary = wh.sql("from control_summary($sae)", {"sae": sae})
        concepts = wh.sql("from control_concepts($sae)", {"sae": sae})
        notes = _notes(wh, sae, sides, [row["role"] for row in rows])
    if chart is not None:
        from interplm_wh.ask import controls_chart

        controls_chart.draw(summary.to_pylist(), concepts.to_pylist(), Path(chart), sae=sae)
        notes.append(f"the chart is in {chart}")
    return ControlComparison(sae, by, summary, concepts, tuple(notes))


def _require_sae(wh: Warehouse, sae: str) -> None:
    known = {row["sae"]: row["role"] for row in wh.sql("select sae, role from saes").to_pylist()}
    if sae not in known:
        near = names.nearest(sae, known)
        hint = f"did you mean {near}?" if near else "add it with: interplm-wh add sae"
        raise NotThereError(f"there is no SAE {sae!r} in {wh.path}; {hint}")
    if known[sae] != "sae":
        raise InputError(f"{sae} is itself a control ({TITLES[known[sae]]}); name an SAE")


def _require_controls(sae: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        raise NotThereError(f"{sae} has no control; make them with: interplm-wh controls {sae}")


def _require_same_proteins(wh: Warehouse, sae: str, sides: Sequence[str]) -> None:
    file = sqlfile.load("evaluate", "shared_proteins")
    counted = {row["sae"]: row for row in wh.sql(file.sql, file.bind({"saes": list(sides)})).to_pylist()}
    n = {side: counted[side]["n_proteins"] if side in counted else 0 for side in sides}
    n_shared = max((row["n_shared"] for row in counted.values()), default=0)
    if all(one == n_shared for one in n.values()):
        return
    each = ", ".join(f"{side} {one:,}" for side, one in n.items())
    first = f"interplm-wh encode --sae {sae}; then: " if n[sae] != max(n.values()) else ""
    raise MismatchError(
        f"{sae} and its controls have encoded different proteins ({each}; {n_shared:,} are shared); bring "
        f"them together with: {first}interplm-wh controls {sae}"
    )


def _require_counted(wh: Warehouse, sae: str, sides: Sequence[str]) -> None:
    behind = [side for side in sides if not pairs.are_current(wh.con, side)]
    if behind:
        raise NotThereError(
            f"{', '.join(behind)}: not counted since the last build; run: interplm-wh controls {sae}"
        )


def _notes(wh: Warehouse, sae: str, sides: Sequence[str], roles: Sequence[str]) -> list[str]:
    notes = [
        f"{side}: concepts are older than the data; bring them up to date with: interplm-wh controls {sae}"
        for side, tables in build.stale(wh, sides).items()
        if tables
    ]
    if absent := [TITLES[kind] for kind in KINDS if kind not in roles]:
        notes.append(f"not made yet: {', '.join(absent)}; make them with: interplm-wh controls {sae}")
    return notes
