"""Weigh the pairs that were chosen on valid, on the proteins of test."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from interplm_wh import progress, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.build import derived
from interplm_wh.encode.register import LAST_WAIT_SECONDS
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.evidence import measure, tested
from interplm_wh.evidence.chosen import built
from interplm_wh.evidence.counts import LEAST_CLUSTERS
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction, Warehouse

TABLES = ("pair_evidence", "control_excess")
MOST_RESAMPLES, MOST_DRAWS = 100_000, 1000


@dataclass(frozen=True)
class ScoreReport:
    """What may be claimed of each SAE.

    Attributes
    ----------
    saes : tuple of dict
        The rows of the question `evidence_summary`.
    seconds : float
    """

    saes: tuple[dict[str, Any], ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        shown = {
            "SAE": "sae", "tried": "n_tried", "pairs tested": "n_tested", "claimed": "n_claimed",
            "concepts tested": "n_concepts_tested", "concepts claimed": "n_concepts_claimed",
            "under 10 clusters": "n_few_clusters", "too long to turn": "n_too_long",
        }  # fmt: skip
        cells = [[number(row[key]) for key in shown.values()] for row in self.saes]
        coarse = [row["sae"] for row in self.saes if row["n_clusters"] < LEAST_CLUSTERS]
        hint = (
            f"{', '.join(coarse)}: test holds fewer than {LEAST_CLUSTERS} clusters, so that nothing can be "
            "claimed; give finer ones with: interplm-wh split --by cluster --keep-splits"
        )
        return [
            *plain_table(list(shown), cells),
            *([hint] if coarse else []),
            f"claimed: q at most {self.saes[0]['fdr']:g} under both nulls; kept in pair_evidence and "
            f"control_excess; {self.seconds:,.1f} s; next: report",
        ]


def score(
    warehouse: str | Path,
    saes: Sequence[str] = (),
    *,
    n_resamples: int = 1000,
    draws_per_pair: int = 20,
    fdr: float = 0.05,
    seed: int = 0,
) -> ScoreReport:
    """Weigh every pair of `heldout_pairs` on test, and keep it in `pair_evidence` and `control_excess`.

    Two nulls, of which a claim needs both: annotations turned around their protein, and annotations
    exchanged between proteins of about one length. Intervals resample clusters of relatives.

    Parameters
    ----------
    warehouse : str or Path
    saes : sequence of str
        By default all that were built.
    n_resamples : int
        Resamples of clusters.
    draws_per_pair : int
        Draws of each null at most, for each pair that is tested: what is far from chance takes so many.
    fdr : float
        False-discovery rate of what is claimed.
    seed : int

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or nothing that can be tested.
    InputError
        If a number is out of range, or tables are older than the data.
    LockedError
        If another process is writing when all is measured.
    """
    started = time.monotonic()
    settings = measure.Settings(n_resamples, draws_per_pair, seed)
    _check(settings, fdr)
    root = Path(warehouse).resolve()
    values = {"fdr": fdr, "seed": seed}
    with store.open(root) as wh:
        n_pairs = {sae: tested.n_pairs(wh, sae) for sae in built(wh, saes)}
        if not sum(n_pairs.values()):
            raise NotThereError(
                f"{warehouse}: no pair can be tested: a concept needs 5 instances on valid and on test, and "
                "a feature that fires on it; see: interplm-wh report"
            )
        weighed = [sae for sae, n in n_pairs.items() if n]
        with progress.track("weighing pairs", total=sum(n_pairs.values()), unit="pairs") as bar:
            measured = [_measure(wh, sae, settings, bar) for sae in weighed]
    kept = {**values, "saes": weighed, "resamples": n_resamples, "draws_per_pair": draws_per_pair}
    with store.write(root, command="score", settings=kept, wait_seconds=LAST_WAIT_SECONDS) as tx:
        for one in measured:
            _put(tx, one, values)
        tx.publish()
        summary = sqlfile.load("evidence", "evidence_summary")
        found = tx.con.sql(summary.sql, params={"saes": weighed}).to_arrow_table().to_pylist()
    return ScoreReport(tuple(found), time.monotonic() - started)


def unweighed(warehouse: str | Path) -> list[str]:
    """Return the SAEs with pairs that can be tested and whose evidence is missing or out of date."""
    with store.open(warehouse) as wh:
        return [
            sae
            for sae in built(wh, ())
            if tested.n_pairs(wh, sae) and not all(derived.is_current(wh, table, sae) for table in TABLES)
        ]


@dataclass(frozen=True)
class _Measured:
    """What was measured of one SAE: relations by name, and the state of what it was measured on."""

    sae: str
    states: dict[str, str]
    relations: dict[str, pa.Table]


def _check(settings: measure.Settings, fdr: float) -> None:
    faults = [
        f"{name} {value}: give a number from 1 to {most:,}"
        for name, value, most in (
            ("--resamples", settings.n_resamples, MOST_RESAMPLES),
            ("--draws-per-pair", settings.draws_per_pair, MOST_DRAWS),
        )
        if not 1 <= value <= most
    ]
    if not 0 < fdr < 1:
        faults.append(f"--fdr {fdr}: give a number between 0 and 1")
    if settings.seed < 0:
        faults.append(f"--seed {settings.seed}: give a number from 0 upwards")
    if faults:
        raise InputError("; ".join(faults))


def _measure(wh: Warehouse, sae: str, settings: measure.Settings, bar: progress.Bar) -> _Measured:
    states = {table: derived.recipe(wh.con, table, sae) for table in TABLES}
    shares = sqlfile.load("evidence", "span_shares")
    controls = sqlfile.load("evidence", "controls")
    names = [row["control"] for row in wh.sql(controls.sql, {"sae": sae}).to_pylist()]
    relations = {
        "measured_pairs": measure.pairs(wh, sae, settings, bar),
        "measured_controls": measure.controls(wh, sae, names, settings),
        "span_shares": wh.sql(shares.sql, {"sae": sae}),
    }
    return _Measured(sae, states, relations)


def _put(tx: Transaction, one: _Measured, values: Mapping[str, Any]) -> None:
    """Put what was measured in the place of what was measured before."""
    for table, state in one.states.items():
        if derived.recipe(tx.con, table, one.sae) != state:
            raise InputError(
                f"{one.sae}: the warehouse was changed while its pairs were weighed; nothing was recorded; "
                "bring its tables up to date with: interplm-wh build, and score it once more"
            )
    for name, table in one.relations.items():
        tx.con.register("given", table)
        tx.con.execute(f"create or replace temp table {quote_identifier(name)} as from given")
        tx.con.unregister("given")
    for name in TABLES:
        file = sqlfile.load("evidence", name)
        folder = tx.new_folder(name, sae=one.sae)
        tx.write_query(folder, file.sql, file.bind({"sae": one.sae, **values}))
        tx.replace(name, [folder], sae=one.sae, fingerprint=one.states[name])
