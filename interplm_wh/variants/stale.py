"""What variants were made from, and whether that is still there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

import duckdb

from interplm_wh.build import plan
from interplm_wh.build.derived import Outdated
from interplm_wh.store import Warehouse
from interplm_wh.store.rows import first_row

VARIANTS, CHANGES = "variants", "variant_changes"
MEASUREMENTS, CORRELATIONS = "variant_measurements", "variant_correlations"
OF_PROTEINS = (VARIANTS, CHANGES, MEASUREMENTS, CORRELATIONS)
"""Tables with rows of proteins that no build makes."""
_WEIGHTS = "select sha256 from saes where sae = ?"
_SCALE = (
    "select md5(string_agg(feature || ':' || max_activation, ',' order by feature)) "
    "from features where sae = ?"
)
_SEQUENCE = "select md5(sequence) from proteins where accession = ?"
_MADE = (
    "select distinct sae, source, fingerprint from folders where is_current and table_name = 'variants' "
    "order by all"
)


def state(con: duckdb.DuckDBPyConnection, sae: str, accession: str) -> str:
    """Return what variants of a protein depend on: weights, scale and sequence."""
    asked = ((_WEIGHTS, sae), (_SCALE, sae), (_SEQUENCE, accession))
    return plan.digest([first_row(con, sql, [value]) for sql, value in asked])


def dump(state: str, *, dtype: str) -> str:
    """Write what a folder was made from, for `folders.fingerprint`."""
    return json.dumps({"state": state, "dtype": dtype})


def current_names(con: duckdb.DuckDBPyConnection, sae: str, accession: str, made: str) -> set[str]:
    """Return the variants of a protein that are there and made from `made`."""
    rows = con.execute(
        "select v.variant from variants as v where v.sae = $sae and v.accession = $accession "
        "and not exists (from folders as f where f.is_current and f.table_name = 'variants' "
        "and f.sae = $sae and f.source = $accession and f.fingerprint <> $made)",
        {"sae": sae, "accession": accession, "made": made},
    ).fetchall()
    return {name for (name,) in rows}


def command(sae: str, accession: str, more: Sequence[str] = ()) -> str:
    """Return the command that makes the variants of a protein anew."""
    return shlex.join(["variants", "--sae", sae, "--protein", accession, *more])


def outdated(wh: Warehouse) -> list[Outdated]:
    """Return the proteins whose variants are older than the data, by SAE."""
    found: list[Outdated] = []
    for sae, accession, fingerprint in wh.con.execute(_MADE).fetchall():
        made = json.loads(fingerprint)
        if made["state"] != state(wh.con, sae, accession):
            dtype = [] if made["dtype"] == "float32" else ["--dtype", made["dtype"]]
            one = Outdated(sae, f"variants of {accession}", command(sae, accession, dtype))
            found += [] if one in found else [one]
    return found
