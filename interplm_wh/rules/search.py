"""The bounded search for rules of one concept; every count is SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from interplm_wh.build import derived
from interplm_wh.evidence import bootstrap
from interplm_wh.evidence.counts import Floats
from interplm_wh.store.rows import value

N_HEADS, N_PARTNERS, N_BEAM = 20, 13, 10
"""Features that a rule begins with; more of each other kind; rules of two that a third one joins.

20 + 3 x 13 features at most, one bit each, are fewer than the 62 that fit into a number.
"""
N_RESAMPLES = 1000
MIN_CLUSTERS = 5
"""Fewer clusters of test say nothing of how sure a gain is: one, drawn again, is always itself."""
BOUNDS = {"n_heads": N_HEADS, "n_partners": N_PARTNERS}
OF_SAE = ("rule_concepts", "false_alarms", "rule_candidates", "rule_cells", "operators")
_OF_CONCEPT = ("rule_residues", "rule_masks", "rule_instances")
_COUNTS = ("tp", "n_fired", "n_hit", "n_to_find")
_GAINS = pa.schema(
    [
        pa.field("rule_id", pa.int64()),
        pa.field("gain_low", pa.float64()),
        pa.field("gain_high", pa.float64()),
    ]
)


def search(con: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> int:
    """Choose the best rule of two and of three features on valid: `compared_rules`, the single feature as 0.

    Parameters
    ----------
    values : mapping
        `sae` and `concept_id`; the tables of `OF_SAE` are there.

    Returns
    -------
    int
        Rules that were tried.
    """
    derived.lay(con, "rules", (*_OF_CONCEPT, "single_rules", "rule_scores"), values)
    con.execute("create or replace temp table compared_rules as from rule_scores")
    n_tried = 0
    for n_features, kind in ((2, "rules_of_two"), (3, "rules_of_three")):
        derived.lay(con, "rules", (kind, "rule_scores", "best_rules"), {**values, "n_best": N_BEAM})
        n_tried += value(con, "select count(*) from rules_tried")
        con.execute(
            "insert into compared_rules select r.* replace (?::bigint as rule_id) from best_rules as r "
            "where r.f1_per_domain > (select max(c.f1_per_domain) from compared_rules as c) "
            "order by r.f1_per_domain desc, r.f1 desc, r.rule_id limit 1",
            [n_features],
        )
    return n_tried


def weigh(con: duckdb.DuckDBPyConnection, values: Mapping[str, Any], concept: str) -> None:
    """Say how sure the gains of `compared_rules` on test are: `rule_gains`, from paired resamples."""
    derived.lay(con, "rules", ["rule_clusters"], values)
    table = con.sql("from rule_clusters order by unit, rule_id").to_arrow_table()
    ids = np.unique(table["rule_id"].to_numpy())
    shape = (table.num_rows // len(ids), len(ids))
    counts = {name: table[name].to_numpy().astype(np.float64).reshape(shape) for name in _COUNTS}
    rng = np.random.default_rng(int.from_bytes(hashlib.md5(concept.encode()).digest()[:8]))
    drawn = bootstrap.weights(shape[0], N_RESAMPLES, rng)
    single = _resampled(drawn, counts, slice(0, 1))
    low, high = _resampled(drawn, counts, slice(1, None)).excess_over(single)
    if shape[0] < MIN_CLUSTERS:
        low, high = np.full((2, len(ids) - 1), np.nan)
    gains = pa.table([ids[1:], low, high], schema=_GAINS)
    con.register("given", gains)
    con.execute(
        "create or replace temp table rule_gains as "
        "select rule_id, nullif(gain_low, 'nan') as gain_low, nullif(gain_high, 'nan') as gain_high "
        "from given"
    )
    con.unregister("given")


def _resampled(drawn: Floats, counts: Mapping[str, Floats], rules: slice) -> bootstrap.Resampled:
    return bootstrap.resample(
        drawn,
        n_tp=counts["tp"][:, rules],
        n_fired=counts["n_fired"][:, rules],
        n_hit=counts["n_hit"][:, rules],
        n_to_find=counts["n_to_find"][:, rules],
    )
