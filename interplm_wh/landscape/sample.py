"""Which features are active together on a sample of residues: the SQL of `sql/landscape/`, in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from interplm_wh import sqlfile
from interplm_wh.progress import Bar
from interplm_wh.quote import quote_identifier
from interplm_wh.store.rows import first_row, value

FOLDER = "landscape"
# Residues with both features, from which a pair counts, of one SAE and of two; residues with one, from which
# a feature is matched.
MIN_BOTH, MIN_BOTH_MATCHED, MIN_RESIDUES = 5, 3, 10
# Proteins with either feature, from which their spread says something.
MIN_PROTEINS = 5
# What is counted in a few seconds, whatever the sparsity: pairs of activations of the same residue.
MOST_PAIRS = 40_000_000
MOST_PRODUCTS = 200_000_000
FEWEST_RESIDUES, MOST_RESIDUES = 2_000, 50_000
# What fits into memory at once.
_CHUNK = 10_000_000


@dataclass(frozen=True)
class Sample:
    """What a sample is drawn from, and how much of it.

    Attributes
    ----------
    sae, other_sae : str
        Both have encoded its proteins; the same where there is one.
    n_proteins, n_residues : int
        Proteins at most; residues that are aimed at.
    """

    sae: str
    other_sae: str
    n_proteins: int
    n_residues: int


def affordable_residues(con: duckdb.DuckDBPyConnection, sae: str, other_sae: str, *, n_draws: int = 0) -> int:
    """Return how many residues can be compared in some seconds, by how many features are active on each."""
    own, other = _n_active(con, sae), _n_active(con, other_sae)
    pairs = own**2 / 2 if sae == other_sae else own * other * (1 + n_draws)
    most = MOST_PAIRS if sae == other_sae else MOST_PRODUCTS
    return min(MOST_RESIDUES, max(FEWEST_RESIDUES, int(most / max(pairs, 1))))


def _n_active(con: duckdb.DuckDBPyConnection, sae: str) -> float:
    query = "select sum(n_activations) / greatest(sum(n_residues), 1) from encodings where sae = ?"
    return float(value(con, query, [sae]) or 0)


def lay_coactive(
    con: duckdb.DuckDBPyConnection, sample: Sample, *, presence: float, k: int, bar: Bar
) -> None:
    """Lay the relations `coactive_pairs` and `coactive_errors` about pairs of features of one SAE."""
    bar.describe(f"{sample.sae}: drawing residues")
    lay(con, "sampled_residues", vars(sample))
    lay(con, "sampled_activations", {"sae": sample.sae, "cut": presence})
    for number, bounds in enumerate(_ranges(con, _n_pairs(con, "sampled_activations") / 2)):
        bar.describe(f"{sample.sae}: counting pairs of features from feature {bounds['first_feature']:,}")
        lay(con, "pair_counts", {**bounds, "min_both": MIN_BOTH}, is_first=number == 0)
    bar.describe(f"{sample.sae}: standard errors")
    lay(con, "coactive_pairs", {"k": k})
    lay(con, "coactive_errors", {"min_proteins": MIN_PROTEINS})
    bar.advance(1)


def lay_matched(con: duckdb.DuckDBPyConnection, sample: Sample, *, n_draws: int, k: int, bar: Bar) -> None:
    """Lay the relations `matched_pairs`, `matched_errors` and `chance_values` about features of two SAEs."""
    what = f"{sample.sae} and {sample.other_sae}"
    bar.describe(f"{what}: drawing residues")
    lay(con, "sampled_residues", vars(sample))
    lay(con, "shifted_residues", {"n_draws": n_draws})
    lay(con, "sampled_activations", {"sae": sample.sae, "cut": 0})
    lay(con, "other_activations", {"other_sae": sample.other_sae})
    lay(con, "level_sums", {"min_residues": MIN_RESIDUES})
    ranges = list(_ranges(con, _n_pairs(con, "other_activations")))
    for draw in range(n_draws + 1):
        by_chance = f", by chance, draw {draw} of {n_draws}" if draw else ""
        for number, bounds in enumerate(ranges):
            bar.describe(f"{what}: correlating features{by_chance}")
            lay(con, "crossed_pairs", {**bounds, "draw": draw, "min_both": MIN_BOTH_MATCHED})
            if draw:
                lay(con, "chance_best", {"draw": draw}, is_first=draw == 1 and number == 0)
            else:
                lay(con, "crossed_best", {"k": k}, is_first=number == 0)
        bar.advance(1)
    _keep_highest_of_chunks(con)
    bar.describe(f"{what}: standard errors")
    lay(con, "matched_pairs", {"k": k})
    lay(con, "matched_sums", {})
    lay(con, "matched_errors", {"min_proteins": MIN_PROTEINS})
    lay(con, "chance_values", {})


def _n_pairs(con: duckdb.DuckDBPyConnection, other: str) -> float:
    """Return how many pairs of activations on the same residue are going to be counted."""
    draw = " where draw = 0" if other == "other_activations" else ""
    counts = "select residue, count(*) as n from"
    query = (
        f"select sum(a.n * b.n) from ({counts} sampled_activations group by residue) as a "  # noqa: S608
        f"inner join ({counts} {quote_identifier(other)}{draw} group by residue) as b using (residue)"
    )
    return float(value(con, query) or 0)


def _keep_highest_of_chunks(con: duckdb.DuckDBPyConnection) -> None:
    """Features of the other SAE stand in every chunk: of each draw, keep the highest."""
    con.execute(
        "create or replace temp table chance_best as select draw, is_other, feature, max(value) as value "
        "from chance_best group by all"
    )


def _ranges(con: duckdb.DuckDBPyConnection, n_pairs: float) -> Iterator[dict[str, int]]:
    """Cut the features that are active in the sample so that each range has about so many pairs."""
    row = first_row(con, "select min(feature), max(feature) from sampled_activations")
    first, last = (0, 0) if row is None or row[0] is None else row
    step = math.ceil((last - first + 1) / max(1, math.ceil(n_pairs / _CHUNK)))
    for low in range(first, last + 1, step):
        yield {"first_feature": low, "last_feature": min(low + step - 1, last)}


def lay(
    con: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any], *, is_first: bool = True
) -> None:
    """Make the temporary table of a file of `sql/landscape/`, or add rows to it."""
    file = sqlfile.load(FOLDER, name)
    table = quote_identifier(name)
    begin = f"create or replace temp table {table} as" if is_first else f"insert into temp.{table}"
    con.execute(f"{begin} {file.sql}", file.bind(values))


def drop_all(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what was laid."""
    for name in sqlfile.load_folder(FOLDER):
        con.execute(f"drop table if exists temp.{quote_identifier(name)}")
