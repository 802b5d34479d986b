"""What the SAEs of a warehouse find on held-out proteins."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import build, store
from interplm_wh.ask.table import plain_table
from interplm_wh.build import derived
from interplm_wh.build.derived import Outdated
from interplm_wh.controls.kinds import TITLES
from interplm_wh.errors import NotThereError
from interplm_wh.evaluate import learnt
from interplm_wh.evidence.counts import LEAST_CLUSTERS

SHOWN_PAIRS = 20
_EVIDENCE = ("pair_evidence", "control_excess")
# Controls behind their SAE, in the order in which they are always named.
_IN_ORDER = """
from saes
order by
    role != 'sae' and control_of is null, coalesce(control_of, sae), role != 'sae',
    list_position(['neurons', 'shuffled', 'amino_acid', 'position'], role), sae
"""

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
    outdated : tuple of Outdated
        Its evidence, where that is older than what it was weighed on.
    relatives : dict
        The row of the macro `report_relatives`.
    """

    sae: str
    role: str
    summary: dict[str, Any]
    pairs: tuple[dict[str, Any], ...]
    stale: tuple[str, ...]
    outdated: tuple[Outdated, ...]
    relatives: dict[str, Any]


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
    concepts = [p for p in one.pairs if not p["is_amino_acid"]]
    lines = [
        one.sae + ("" if one.role == "sae" else f" ({_control(one)})"),
        f"  proteins encoded          {s['n_proteins']:,}",
        f"  features                  {s['n_features']:,} ({_dead(s)})",
        f"  concepts scored           {s['n_concepts']:,} ({_apart(s)})",
        f"  concepts found            {s['n_concepts_found']:,} (F1 above 0.5 on valid and on test)",
        f"  features with a concept   {s['n_features_with_concept']:,}",
        f"  mean F1 of best pairs     {_number(s['mean_best_test_f1'])} (on test)",
        f"  amino acids found         {s['n_amino_acids_found']} of 20 (not counted above)",
        f"  relatives                 {_relatives(one.relatives)}",
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
    lines += [f"  {line}" for line in _evidence(one)]
    if concepts and n_shown:
        columns = {**_COLUMNS, **(_WEIGHED if s["n_tested"] else {}), "found": _found}
        rows = [tuple(show(pair) for show in columns.values()) for pair in concepts[:n_shown]]
        lines += ["", *(f"  {line}" for line in plain_table(tuple(columns), rows))]
        lines += [f"  {line}" for line in (_LEGEND if s["n_tested"] else ())]
        if len(concepts) > n_shown:
            lines.append(f"  … and {len(concepts) - n_shown:,} more: report --pairs {len(concepts)}")
    return [*lines, ""]


_LEGEND = (
    "found: F1 above 0.5 on valid and on test; claimed: more on test than either null gives, whatever the F1",
    "excess: F1 less that of the best control, over the proteins that both have",
)


def _control(one: SaeReport) -> str:
    of = one.summary["control_of"]
    return f"control{f' of {of}' if of else ''}: {TITLES[one.role]}"


def _relatives(r: dict[str, Any]) -> str:
    if not r["n_clustered"]:
        return "not looked for; find them with: interplm-wh split --by cluster"
    said = f"{r['n_with_relative']:,} of {r['n_test']:,} proteins of test have one in valid"
    if unknown := r["n_held_out"] - r["n_clustered"]:
        said += f"; {unknown:,} proteins have no cluster, so that only their sequence was compared"
    return said


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


def _evidence(one: SaeReport) -> list[str]:
    """Say what may be claimed, or how to find out."""
    s = one.summary
    if not s["n_tested"]:
        return ["intervals, nulls and controls have not been weighed: interplm-wh score"]
    lines = [
        f"concepts claimed          {s['n_concepts_claimed']:,} of {s['n_concepts_tested']:,} tested (q at "
        f"most {s['fdr']:g} under both nulls)",
        f"pairs claimed             {s['n_claimed']:,} of {s['n_tested']:,} tested, chosen from "
        f"{s['n_tried']:,} tried on valid",
    ]
    if s["n_relatives"]:
        lines.append(
            f"mean F1 without relatives {_number(s['mean_best_f1_without_relatives'])} (on test, less "
            f"{s['n_relatives']:,} proteins with a relative in valid)"
        )
    lines += derived.again("older than the data", one.outdated)
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"  # noqa: RUF001


def _between(low: float | None, high: float | None, *, signed: bool = False) -> str:
    if low is None or high is None:
        return ""
    return f"{low:+.2f} … {high:+.2f}" if signed else f"{low:.2f} … {high:.2f}"


def _found(pair: dict[str, Any]) -> str:
    return "yes" if pair["is_found"] else "no" if pair["is_testable"] else "not testable"


def _claimed(pair: dict[str, Any]) -> str:
    if pair["is_concept_claimed"] is False and pair["n_positive_clusters"] < LEAST_CLUSTERS:
        return f"no: {pair['n_positive_clusters']} clusters"
    return {True: "yes", False: "no", None: ""}[pair["is_concept_claimed"]]


_COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "concept": lambda p: p["concept"],
    "feature": lambda p: str(p["feature"]),
    "threshold": lambda p: f"{p['threshold']:g}",
    "precision": lambda p: _number(p["test_precision"]),
    "recall": lambda p: _number(p["test_recall_per_domain"]),
    "valid F1": lambda p: _number(p["valid_f1_per_domain"]),
    "test F1": lambda p: _number(p["test_f1_per_domain"]),
}
_WEIGHED: dict[str, Callable[[dict[str, Any]], str]] = {
    "95 % interval": lambda p: _between(p["f1_low"], p["f1_high"]),
    "q": lambda p: "" if p["q_best"] is None else f"{p['q_best']:.2g}",
    "best control": lambda p: f"{_number(p['control_f1'])} {p['control_role']}" if p["control"] else "",
    "excess": lambda p: "" if p["excess"] is None else f"{p['excess']:+.3f}",
    "its interval": lambda p: _between(p["excess_low"], p["excess_high"], signed=True),
    "claimed": lambda p: _claimed(p),
}


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
    with store.open_anywhere(warehouse, own_macros=True) as wh:
        known = wh.sql(_IN_ORDER).to_pylist()
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
            if learnt_from := learnt.what_of(wh.path, row["sae"], evaluated_on="test"):
                log.warning(
                    "%s was trained on %s: what it finds there is not held out", row["sae"], learnt_from
                )
        names = [row["sae"] for row in ready]
        stale = build.stale(wh, names) if wh.is_local else {name: [] for name in names}
        outdated = [one for one in derived.outdated(wh) if one.what in _EVIDENCE] if wh.is_local else []
        found = tuple(
            SaeReport(
                row["sae"],
                row["role"],
                wh.sql("from report_summary($sae)", {"sae": row["sae"]}).to_pylist()[0],
                tuple(wh.sql("from report_pairs($sae)", {"sae": row["sae"]}).to_pylist()),
                tuple(stale[row["sae"]]),
                tuple(one for one in outdated if one.sae == row["sae"]),
                wh.sql("from report_relatives($sae)", {"sae": row["sae"]}).to_pylist()[0],
            )
            for row in ready
        )
    return Report(found, n_pairs)
