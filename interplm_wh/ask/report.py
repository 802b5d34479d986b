"""What the SAEs of a warehouse find on held-out proteins."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import build, store
from interplm_wh.ask.table import plain_table
from interplm_wh.errors import NotThereError
from interplm_wh.evaluate import learnt

SHOWN_PAIRS = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaeReport:
    """What one SAE finds.

    Attributes
    ----------
    sae, role : str
    summary : dict
        The row of the macro `report_summary`.
    pairs : tuple of dict
        The rows of the macro `report_pairs`: the best pair of every scored concept, the best on
        test first.
    stale : tuple of str
        Tables that are missing or older than what they are made from.
    """

    sae: str
    role: str
    summary: dict[str, Any]
    pairs: tuple[dict[str, Any], ...]
    stale: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What the SAEs of a warehouse find, one by one."""

    saes: tuple[SaeReport, ...]
    n_pairs_shown: int

    def lines(self) -> list[str]:
        """Print it for people."""
        return [line for one in self.saes for line in _lines(one, self.n_pairs_shown)]


def _lines(one: SaeReport, n_shown: int) -> list[str]:
    s = one.summary
    mean = "–" if s["mean_best_test_f1"] is None else f"{s['mean_best_test_f1']:.3f}"  # noqa: RUF001
    concepts = [p for p in one.pairs if not p["is_amino_acid"]]
    lines = [
        f"{one.sae}" + ("" if one.role == "sae" else f" (control: {one.role})"),
        f"  proteins encoded          {s['n_proteins']:,}",
        f"  features                  {s['n_features']:,} ({_dead(s)})",
        f"  concepts scored           {s['n_concepts']:,} ({_apart(s)})",
        f"  concepts found            {s['n_concepts_found']:,} (F1 above 0.5 on valid and on test)",
        f"  features with a concept   {s['n_features_with_concept']:,}",
        f"  mean F1 of best pairs     {mean} (on test)",
        f"  amino acids found         {s['n_amino_acids_found']} of 20 (not counted above)",
    ]
    if s["n_concepts"] < s["n_concepts_annotated"]:
        lines.append(
            f"  {s['n_concepts_annotated'] - s['n_concepts']:,} more concepts are annotated but not scored: "
            "too few residues and instances (lower the minimums with: interplm-wh build --min-residues N "
            "--min-domains N), or a name that says no kind, such as Domain_any"
        )
    if one.stale:
        lines.append(
            f"  older than the data: {', '.join(one.stale)}; bring them up to date with: interplm-wh build"
        )
    if concepts:
        header = ("concept", "feature", "threshold", "precision", "recall", "test F1", "valid F1", "found")
        rows = [_cells(pair) for pair in concepts[:n_shown]]
        lines += ["", *(f"  {line}" for line in plain_table(header, rows))]
        if len(concepts) > n_shown:
            lines.append(f"  … and {len(concepts) - n_shown:,} more: report --pairs {len(concepts)}")
    return [*lines, ""]


def _dead(s: dict[str, Any]) -> str:
    dead = f"{s['n_dead_features']:,} dead"
    if s["n_unscaled_features"]:
        dead += f", of which {s['n_unscaled_features']:,} fire on proteins that the scale was not taken from"
    return dead


def _apart(s: dict[str, Any]) -> str:
    apart = f"{s['n_not_testable']:,} not testable"
    if s["n_not_testable"]:
        apart += ": under 5 instances on valid or on test"
    if s["n_concepts_without_pair"]:
        apart += f"; {s['n_concepts_without_pair']:,} on which no feature fires on valid"
    return apart


def _cells(pair: dict[str, Any]) -> tuple[str, ...]:
    def number(key: str) -> str:
        return "–" if pair[key] is None else f"{pair[key]:.3f}"  # noqa: RUF001

    return (
        pair["concept"],
        str(pair["feature"]),
        f"{pair['threshold']:g}",
        number("test_precision"),
        number("test_recall_per_domain"),
        number("test_f1_per_domain"),
        number("valid_f1_per_domain"),
        "yes" if pair["is_found"] else "no" if pair["is_testable"] else "not testable",
    )


def report(warehouse: str | Path, *, sae: str | None = None, n_pairs: int = SHOWN_PAIRS) -> Report:
    """Read what was found from the published tables.

    Parameters
    ----------
    warehouse : str or Path
    sae : str, optional
        One SAE; all that were built by default.
    n_pairs : int
        Pairs that `Report.lines` shows for each SAE.

    Raises
    ------
    NotThereError
        If there is no such SAE, or nothing was built.
    """
    with store.open(warehouse) as wh:
        known = wh.sql("from saes order by role = 'sae' desc, sae").to_pylist()
        chosen = [row for row in known if sae is None or row["sae"] == sae]
        if not chosen:
            what = f"there is no SAE {sae}" if sae else "there is no SAE"
            raise NotThereError(f"{what} in {warehouse}; add one with: interplm-wh add sae")
        built = {row["sae"] for row in wh.sql("select distinct sae from features").to_pylist()}
        ready = [row for row in chosen if row["sae"] in built]
        if not ready:
            raise NotThereError(
                f"nothing was built in {warehouse}; run: interplm-wh encode, then interplm-wh build"
            )
        for row in ready:
            if learnt_from := learnt.what_of(Path(warehouse), row["sae"], evaluated_on="test"):
                log.warning(
                    "%s was trained on %s: what it finds there is not held out", row["sae"], learnt_from
                )
        stale = build.stale(wh, [row["sae"] for row in ready])
        found = tuple(
            SaeReport(
                row["sae"],
                row["role"],
                wh.sql("from report_summary($sae)", {"sae": row["sae"]}).to_pylist()[0],
                tuple(wh.sql("from report_pairs($sae)", {"sae": row["sae"]}).to_pylist()),
                tuple(stale[row["sae"]]),
            )
            for row in ready
        )
    return Report(found, n_pairs)
