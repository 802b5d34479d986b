"""What suggestions are worth: hide annotations before anything is chosen, and see how many come back.

On a share of the proteins that carry a concept, in valid and in test, its annotations are hidden, with
their twins under `…_any` and under kinds of it. Pairs are chosen on the rest of valid: the proteins where
the concept is hidden are left out there. On test they make suggestions as `suggest` does, but ranked by
precision on valid, since test is what they are scored on. Nothing is built anew: what the features fire on
where a concept is hidden is counted and taken off the counts of all of valid.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interplm_wh import progress, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.build import derived
from interplm_wh.errors import InputError, MismatchError
from interplm_wh.store import Transaction, Warehouse
from interplm_wh.suggest import choose, steps

HideBy = Literal["protein", "cluster"]
CONTROLS = ("amino_acid", "position")
TABLE = "suggestion_trials"
_CHOSEN = ("hidden_cells", "hidden_counts", "rest_f1", "pairs_of_rest", "precision_of_rest")
_HIDDEN = (*steps.SPANS, "hidden_support", "rest_support", "hidden_residues")
_COLUMNS = {
    "concept": "concept",
    "n_pairs": "features",
    "n_hidden": "hidden",
    "n_recovered": "recovered",
    "n_touched": "touched",
    "n_suggestions": "suggestions",
    "precision": "recovering",
    "lift_amino_acid": "x letters",
    "lift_position": "x place",
    "precision_touching": "touching",
    "lift_touching_amino_acid": "x letters",
    "lift_touching_position": "x place",
    "precision_of_best": "of the best",
}
_TOTAL = "all"


@dataclass(frozen=True)
class TrialReport:
    """What came back of what was hidden.

    Attributes
    ----------
    sae : str
    hide_by, pct_hidden, seed
        How it was hidden.
    concepts : tuple of dict
        Rows of the macro `suggestion_worth`; that of all concepts together first, with concept None.
    missing_controls : tuple of str
        Roles of controls that the SAE does not have.
    seconds : float
    """

    sae: str
    hide_by: HideBy
    pct_hidden: int
    seed: int
    concepts: tuple[dict[str, Any], ...]
    missing_controls: tuple[str, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        rows = [
            [number(_TOTAL if name == "concept" and row[name] is None else row[name]) for name in _COLUMNS]
            for row in self.concepts
        ]
        what = f"{self.pct_hidden} % of the {self.hide_by}s of each concept hidden, seed {self.seed}"
        lines = [f"{self.sae}: {what}; scored on test:", ""]
        if not rows:
            few = "no concept could be tried: none has five instances left on valid and one hidden on test"
            return [*lines, few]
        lines += plain_table(list(_COLUMNS.values()), rows)
        lines += [
            "",
            "recovered: overlap over union of 0.5 or more; touched: a residue or more",
            "recovering, touching: share of suggestions that do, a lower bound of precision: what was not "
            "hidden is unknown, not wrong",
            "x letters, x place: the lift, that share over the control's by amino acid and by position",
            "of the best: share of the best-ranked suggestions that recover, as many as were hidden",
        ]
        if self.missing_controls:
            roles = " and ".join(role.replace("_", " ") for role in self.missing_controls)
            lines.append(f"there is no control by {roles}; make it with: interplm-wh controls {self.sae}")
        return [*lines, f"kept in {TABLE}; {self.seconds:,.1f} s"]


def measure_suggestions(
    warehouse: str | Path,
    *,
    sae: str | None = None,
    pct_hidden: int = 20,
    hide_by: HideBy = "protein",
    seed: int = 0,
) -> tuple[TrialReport, ...]:
    """Measure what suggestions are worth, and keep it in `suggestion_trials`.

    Parameters
    ----------
    warehouse : str or Path
    sae : str, optional
        By default every SAE that is no control.
    pct_hidden : int
        Share of what carries a concept on which it is hidden, 1 to 99 percent.
    hide_by : {'protein', 'cluster'}
        What is drawn.
    seed : int

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE.
    InputError
        If `pct_hidden` is out of range, or pairs are missing or older than the data.
    MismatchError
        If a control has not encoded the same proteins.
    """
    if not 1 <= pct_hidden <= 99:
        raise InputError(f"--hide {pct_hidden}: give a percentage from 1 to 99")
    with store.open(warehouse) as wh:
        detectors = {name: _detectors(wh, name) for name in choose.built_saes(wh, sae)}
    values = {"pct_hidden": pct_hidden, "hide_by": hide_by, "seed": seed, "split": "test"}
    return tuple(_measure(warehouse, name, controls, values) for name, controls in detectors.items())


def _detectors(wh: Warehouse, sae: str) -> dict[str, str]:
    """Return the SAE and its controls by role, all of the same proteins."""
    rows = wh.sql(
        "select role, min(sae) as sae from saes where control_of = $sae and list_contains($roles, role) "
        "group by role order by role",
        {"sae": sae, "roles": list(CONTROLS)},
    ).to_pylist()
    controls = {row["role"]: row["sae"] for row in rows}
    for name in controls.values():
        choose.built_saes(wh, name)
        differing = wh.sql(
            "select protein_id from encodings where list_contains($both, sae) "
            "group by protein_id having count(*) <> 2",
            {"both": [sae, name]},
        ).num_rows
        if differing:
            raise MismatchError(
                f"{name}, a control of {sae}, differs from it by {differing:,} encoded proteins; make it "
                f"anew with: interplm-wh controls {sae}"
            )
    return {"sae": sae, **controls}


def _measure(
    warehouse: str | Path, sae: str, detectors: dict[str, str], values: dict[str, Any]
) -> TrialReport:
    started = time.monotonic()
    how = {name: values[name] for name in ("pct_hidden", "hide_by", "seed")}
    with (
        store.write(warehouse, command="suggest", settings={"sae": sae, "measure": True, **how}) as tx,
        progress.track(f"{sae}: hiding", total=steps.N_STEPS * len(detectors), unit="steps") as bar,
    ):
        folder = tx.new_folder(TABLE, sae=sae)
        for i, (detector, name) in enumerate(_each(tx, sae, detectors, values, bar)):
            file = sqlfile.load("suggest", TABLE)
            bound = {**values, "sae": sae, "detector": detector, "detector_sae": name}
            tx.write_query(folder, file.sql, file.bind(bound), name=f"part-{i}.parquet")
        label = f"{values['hide_by']} {values['pct_hidden']} {values['seed']}"
        tx.replace(
            TABLE, [folder], sae=sae, source=label, fingerprint=derived.recipe(tx.con, "suggestions", sae)
        )
        tx.publish()
    with store.open(warehouse) as wh:
        rows = wh.sql(
            "from suggestion_worth($sae, $hide_by, $pct_hidden, $seed)", {"sae": sae, **how}
        ).to_pylist()
    return TrialReport(
        sae=sae,
        concepts=tuple(rows),
        missing_controls=tuple(role for role in CONTROLS if role not in detectors),
        seconds=time.monotonic() - started,
        **how,
    )


def _each(
    tx: Transaction, sae: str, detectors: dict[str, str], values: dict[str, Any], bar: progress.Bar
) -> Iterator[tuple[str, str]]:
    """Hide once, then lay what each detector suggests, one after the other."""
    derived.lay(tx.con, "suggest", _HIDDEN, {**values, "sae": sae})
    for detector, name in detectors.items():
        bound = {**values, "sae": name, "takes_best": detector != "sae"}
        derived.lay(tx.con, "suggest", _CHOSEN, bound)
        steps.suggestions(tx.con, bound, bar)
        derived.lay(tx.con, "suggest", ["recoveries"], bound)
        yield detector, name
