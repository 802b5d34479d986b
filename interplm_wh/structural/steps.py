"""The measurements of both tests: the SQL of `sql/structural/`, in blocks of proteins, and Student's t."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from interplm_wh import sqlfile
from interplm_wh.progress import Bar
from interplm_wh.quote import quote_identifier
from interplm_wh.structural import student

FOLDER = "structural"
PAPER: Mapping[str, Any] = {
    "paper_presence": 0.6, "paper_distance": 6.0, "paper_minimum": 25, "paper_proteins": 100, "n_draws": 5,
}  # fmt: skip
"""As published (Simon and Zou, Nature Methods 2025, methods)."""
_BLOCK = 256  # proteins
_OF_BLOCK = (
    "placed_residues", "near_residues", "surroundings", "protein_effects", "paper_surroundings",
    "paper_shuffles", "paper_effects",
)  # fmt: skip
_LAID = ("tested_structures", "fired_maxima", "centres", "paper_centres", *_OF_BLOCK)
_BLOCKS = (
    "select min(protein_id), max(protein_id) from (select protein_id, (row_number() over (order by "
    "protein_id) - 1) // ? as block from tested_structures) group by block order by block"
)


@dataclass(frozen=True)
class Settings:
    """What the test of ours is made with; the paper's has its own.

    Attributes
    ----------
    presence : float
        Activation that the strongest residue of a protein must be above.
    max_distance : float
        Of the C-alphas of a contact, in Å.
    min_separation : int
        Of the two residues of a contact in the sequence.
    min_plddt : float
        Residues of predictions with a lower one are left out.
    min_proteins : int
        Proteins, one of each cluster, from which a feature is tested.
    fdr : float
        False-discovery rate of a class.
    """

    presence: float = 0.6
    max_distance: float = 8.0
    min_separation: int = 6
    min_plddt: float = 70.0
    min_proteins: int = 10
    fdr: float = 0.05


@dataclass(frozen=True)
class Measured:
    """What was measured of one SAE.

    Attributes
    ----------
    counts : pa.Table
        `feature_counts`.
    differences : pa.Table
        `weighed_differences`: those of `paired_differences`, with p, low and high.
    """

    counts: pa.Table
    differences: pa.Table


def tested_structures(con: duckdb.DuckDBPyConnection, sae: str) -> list[tuple[int, int]]:
    """Lay `tested_structures`, and return the first and the last protein of each block of them."""
    _lay(con, "tested_structures", {"sae": sae})
    return con.execute(_BLOCKS, [_BLOCK]).fetchall()


def measure(
    con: duckdb.DuckDBPyConnection, sae: str, settings: Settings, blocks: Sequence[tuple[int, int]], bar: Bar
) -> Measured:
    """Measure all features of an SAE on the proteins of `tested_structures`.

    Parameters
    ----------
    con : DuckDBPyConnection
        With the tables of a warehouse.
    blocks : sequence of tuple of int
        From `tested_structures`.
    bar : Bar
        Advances by two for each block.
    """
    values = {
        **asdict(settings), **PAPER, "sae": sae, "lowest": min(settings.presence, PAPER["paper_presence"]),
        "widest": max(settings.max_distance, PAPER["paper_distance"]),
    }  # fmt: skip
    for number, (first, last) in enumerate(blocks):
        bar.describe(f"{sae}: strongest residues")
        of_block = {**values, "first_protein": first, "last_protein": last}
        _lay(con, "placed_residues", of_block)
        _lay(con, "fired_maxima", of_block, is_first=number == 0)
        bar.advance(1)
    for name in ("centres", "paper_centres"):
        _lay(con, name, values)
    for number, (first, last) in enumerate(blocks):
        bar.describe(f"{sae}: residues near them")
        of_block = {**values, "first_protein": first, "last_protein": last}
        for name in _OF_BLOCK:
            _lay(con, name, of_block, is_first=number == 0 or not name.endswith("_effects"))
        bar.advance(1)
    found = Measured(_ask(con, "feature_counts", values), _weighed(_ask(con, "paired_differences", values)))
    _drop_all(con)
    return found


def _weighed(differences: pa.Table) -> pa.Table:
    n, mean, deviation = (
        differences[name].to_numpy().astype(np.float64) for name in ("n_proteins", "mean", "deviation")
    )
    p, low, high = student.weigh(n, mean, deviation)
    for name, column in (("p", p), ("low", low), ("high", high)):
        differences = differences.append_column(name, pa.array(column, pa.float64()))
    return differences


def _lay(
    con: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any], *, is_first: bool = True
) -> None:
    """Make the temporary table of a file of `sql/structural/`, or add rows to it."""
    file = sqlfile.load(FOLDER, name)
    table = quote_identifier(name)
    begin = f"create or replace temp table {table} as" if is_first else f"insert into temp.{table}"
    con.execute(f"{begin} {file.sql}", file.bind(values))


def _ask(con: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any]) -> pa.Table:
    file = sqlfile.load(FOLDER, name)
    return con.sql(file.sql, params=file.bind(values)).to_arrow_table()


def _drop_all(con: duckdb.DuckDBPyConnection) -> None:
    for name in _LAID:
        con.execute(f"drop table if exists temp.{quote_identifier(name)}")
