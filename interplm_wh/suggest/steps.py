"""The steps of `sql/suggest/`: each is a temporary table that the next ones read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from interplm_wh import progress
from interplm_wh.build import derived

GAPS = (0, 1, 3, 7, 15, 31)
"""Residues between two that fire and belong to one stretch: what is tried on valid for each pair."""

SPANS = ("known_spans", "hidden_proteins", "hidden_spans")
GAPS_TRIED = ("gaps_tried", "fired_stretches", "gaps_chosen")
JUDGED = (
    "explaining_concepts", "fired_stretches", "judged_stretches", "agreeing_features", "relatives",
    "typical_lengths", "ranked_suggestions", "marked_suggestions",
)  # fmt: skip
N_STEPS = len(GAPS_TRIED) + len(JUDGED)
FOUND = (*SPANS, "pairs_found", "precision_built")
"""The pairs of suggestions as a build found them; `pct_hidden` is 0."""


def suggestions(con: duckdb.DuckDBPyConnection, values: Mapping[str, Any], bar: progress.Bar) -> None:
    """Make `marked_suggestions` from `chosen_pairs`; the gaps of pairs are chosen on valid."""
    tried = {**values, "gaps": list(GAPS), "split": "valid"}
    for name, bound in [*((n, tried) for n in GAPS_TRIED), *((n, values) for n in JUDGED)]:
        bar.describe(f"{values['sae']}: {name.replace('_', ' ')}")
        derived.lay(con, "suggest", [name], bound)
        bar.advance(1)
