"""Suggest missing annotations, and keep them in `suggestions`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from interplm_wh import progress, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.build import derived
from interplm_wh.errors import InputError
from interplm_wh.store import Transaction
from interplm_wh.suggest import choose, steps

_BEST = 20
_COLUMNS = {
    "concept": "concept",
    "accession": "protein",
    "start": "start",
    "stop": "stop",
    "score": "score",
    "precision": "precision",
    "feature": "feature",
    "max_activation": "activation",
    "n_agreeing": "agree",
    "n_others": "of",
    "n_carrying": "relatives",
    "n_relatives": "of",
}
_COUNTED = {
    "concept": "concept",
    "n_pairs": "features",
    "n_stretches": "stretches",
    "n_annotated": "annotated",
    "n_explained": "explained",
    "n_suggested": "suggested",
    "n_leading": "places",
}
_COUNTS = "from suggestion_counts where list_contains($saes, sae) and ($concept = '' or concept = $concept)"


@dataclass(frozen=True)
class SuggestReport:
    """What was suggested.

    Attributes
    ----------
    saes : tuple of str
    rows : pa.Table
        The leading rows of `suggestions` that were asked for, the best first.
    counts : tuple of dict
        Rows of `suggestion_counts`.
    n_private : int
        Suggestions on private proteins that were left out.
    made : tuple of str
        SAEs whose suggestions were made now; those of the others were there already.
    seconds : float
    """

    saes: tuple[str, ...]
    rows: pa.Table
    counts: tuple[dict[str, Any], ...]
    n_private: int
    made: tuple[str, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print the best of them, and what became of all stretches, for people."""
        rows = self.rows.slice(0, _BEST).to_pylist()
        said = f"{self.rows.num_rows:,} places where an annotation may be missing"
        more = f"; the best {len(rows)}:" if self.rows.num_rows > len(rows) else ":" if rows else ""
        return [
            said + more,
            "",
            *(_table(_COLUMNS, rows) if rows else ()),
            *(["", "Stretches on which features of a concept fire:", ""] if self.counts else ()),
            *(_table(_COUNTED, self.counts) if self.counts else ["no feature is found for a concept"]),
        ]

    def notes(self) -> list[str]:
        """Say what a reader of the rows has to know."""
        notes = [
            f"{', '.join(self.saes)}: {'kept in' if self.made else 'as they are in'} suggestions; "
            f"{self.seconds:,.1f} s; how much they are worth says: interplm-wh suggest --measure"
        ]
        if self.n_private:
            notes.insert(0, f"{self.n_private:,} on private proteins were left out (--private lists them)")
        return notes


def _table(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> list[str]:
    return plain_table(list(columns.values()), [[number(row[name]) for name in columns] for row in rows])


def suggest(
    warehouse: str | Path,
    *,
    sae: str | None = None,
    concept: str | None = None,
    min_precision: float = 0.0,
    with_private: bool = False,
) -> SuggestReport:
    """Suggest missing annotations.

    The suggestions of an SAE are made for all concepts and kept in `suggestions`; they are made anew when
    what they are made from has changed. What is asked for is read from there.

    Parameters
    ----------
    warehouse : str or Path
    sae : str, optional
        By default every SAE that is no control.
    concept : str, optional
    min_precision : float
        List suggestions of pairs that are at least so precise on test, 0 to 1.
    with_private : bool
        Whether private proteins are listed.

    Raises
    ------
    NotThereError
        If there is no such warehouse, SAE or concept.
    InputError
        If pairs are missing or older than the data, or `min_precision` is out of range.
    """
    started = time.monotonic()
    if not 0 <= min_precision <= 1:
        raise InputError(f"--min-precision {min_precision}: give a number from 0 to 1")
    with store.open(warehouse) as wh:
        saes = choose.built_saes(wh, sae)
        if concept is not None:
            choose.known_concept(wh, concept)
        behind = [name for name in saes if not derived.is_current(wh, "suggestions", name)]
    if behind:
        _make(warehouse, behind)
    with store.open(warehouse) as wh:
        file = sqlfile.load("suggest", "listed_suggestions")
        asked = {"saes": saes, "concept": concept or "", "min_precision": min_precision}
        everything = wh.sql(file.sql, {**asked, "with_private": True})
        rows = everything if with_private else wh.sql(file.sql, {**asked, "with_private": False})
        counts = wh.sql(f"{_COUNTS} order by sae, concept", {"saes": saes, "concept": concept or ""})
    return SuggestReport(
        saes=tuple(saes),
        rows=rows,
        counts=tuple(counts.to_pylist()),
        n_private=everything.num_rows - rows.num_rows,
        made=tuple(behind),
        seconds=time.monotonic() - started,
    )


def _make(warehouse: str | Path, saes: Sequence[str]) -> None:
    with (
        store.write(warehouse, command="suggest", settings={"saes": list(saes)}) as tx,
        progress.track("suggesting", total=len(saes) * steps.N_STEPS, unit="steps") as bar,
    ):
        for sae in saes:
            make_one(tx, sae, bar)
        tx.publish()


def make_one(tx: Transaction, sae: str, bar: progress.Bar) -> None:
    """Make the suggestions of one SAE in the working copy."""
    values = {"sae": sae, "pct_hidden": 0, "hide_by": "protein", "seed": 0, "split": ""}
    made_from = derived.recipe(tx.con, "suggestions", sae)
    derived.lay(tx.con, "suggest", steps.FOUND, values)
    steps.suggestions(tx.con, values, bar)
    counts = sqlfile.load("suggest", "suggestion_counts")
    for table, rows, bound in (
        ("suggestions", "from temp.marked_suggestions", {}),
        ("suggestion_counts", counts.sql, counts.bind(values)),
    ):
        folder = tx.new_folder(table, sae=sae)
        tx.write_query(folder, rows, bound)
        tx.replace(table, [folder], sae=sae, fingerprint=made_from)
