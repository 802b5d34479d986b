"""Words that are older than the data that they are on."""

from __future__ import annotations

import shlex

from interplm_wh import sqlfile
from interplm_wh.build.derived import Outdated
from interplm_wh.interpret.describe import SOURCE
from interplm_wh.store import Warehouse
from interplm_wh.store.rows import dictionaries

_NAMED = 20
"""Features that a command names; of more, it asks for all, or a sample."""


def outdated(wh: Warehouse) -> list[Outdated]:
    """Return the words that were made when the scale of their feature was another, by SAE and source."""
    found = []
    for row in dictionaries(wh.con, sqlfile.load("interpret", "older_words").sql):
        sae, source, features = row["sae"], row["source"], row["features"]
        how = ["describe"] if source == SOURCE else ["interpret", "--model", source]
        named = [word for feature in features[:_NAMED] for word in ("--feature", str(feature))]
        words = [*how, "--sae", sae, *(named if len(features) <= _NAMED else [])]
        count = f"words of {source} on {len(features):,} feature{'s' if len(features) > 1 else ''}"
        found.append(Outdated(sae, count, shlex.join(words)))
    return found
