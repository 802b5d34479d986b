"""What the landscape of an SAE was made from, and whether that is still there."""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb

from interplm_wh.build import plan
from interplm_wh.build.derived import Outdated
from interplm_wh.build.make import parameters
from interplm_wh.store import Warehouse

MAP, PAIRS, VIEW = "feature_map", "sampled_pairs", "feature_pairs"
_MADE = (
    "select table_name, sae, fingerprint from folders where is_current and table_name in ('feature_map', "
    "'sampled_pairs') order by sae, table_name, rank"
)


def map_state(con: duckdb.DuckDBPyConnection, sae: str) -> str:
    """Return what a map depends on: the weights."""
    return plan.digest(parameters(con, sae)["weights"])


def pairs_state(con: duckdb.DuckDBPyConnection, saes: Sequence[str]) -> str:
    """Return what sampled pairs depend on: the activations of the SAEs, their scales, and what is present."""
    folders = [
        [name for name, _ in plan.folders_of(con, table, sae)]
        for sae in saes
        for table in ("activations", "features", "encodings")
    ]
    return plan.digest(folders, parameters(con, saes[0])["presence"] if len(saes) == 1 else None)


def match_source(other: str) -> str:
    """Return the source under which an SAE keeps its matches with another."""
    return f"matched:{other}"


def dump(state: str, saes: Sequence[str], *, command: str) -> str:
    """Write what a folder was made from, and what makes it anew, for `folders.fingerprint`."""
    return json.dumps({"state": state, "saes": list(saes), "command": command})


def outdated(wh: Warehouse) -> list[Outdated]:
    """Return the parts of landscapes that are older than the data, by SAE."""
    found: list[Outdated] = []
    for table, sae, fingerprint in wh.con.execute(_MADE).fetchall():
        made = json.loads(fingerprint)
        is_map = table == MAP
        now = map_state(wh.con, sae) if is_map else pairs_state(wh.con, made["saes"])
        if made["state"] != now:
            others = [f" with {other}" for other in made["saes"] if other != sae]
            found.append(Outdated(sae, "".join([MAP if is_map else VIEW, *others]), made["command"]))
    return found
