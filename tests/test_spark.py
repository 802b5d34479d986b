"""Every file of `sql/marts/` gives the same rows on Spark as on DuckDB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from interplm_wh import schema
from interplm_wh.quote import quote_identifier
from interplm_wh.spark import portable
from interplm_wh.spark.session import session
from interplm_wh.sqlfile import SqlFile
from tests import harness, spark_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

FILES = sorted(harness.MARTS.values(), key=lambda f: f.name)
VALUES: dict[str, Any] = {
    "sae": harness.SAE,
    "presence": 0.05,
    "scale_source": "all",
    "weights": "",
    "first_protein": 0,
    "last_protein": 2**31 - 1,
}
SEQUENCES = ["ACDEFGHIKL", "MNPQRSTVWYX", "AACCAACC", "KLKLKLKL", "GGGG", "A", "WWYYWW", "ACACAC", "DEDEDE"]


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """One local session with few partitions."""
    few = {"spark.sql.shuffle.partitions": "1", "spark.sql.adaptive.enabled": "false"}
    with session("local[1]", settings={**spark_tables.TINY, **few}) as found:
        yield found


@pytest.fixture(scope="module")
def built() -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables of a proteome with overlaps, twins, ties, a dead feature and two sources."""
    spans = [(i % 9, 20 + i % 4, 1 + i % 3, 2 + (5 * i) % 7, i % 23) for i in range(60)]
    cells = [
        (p, r, (p + r + k) % 4) for p in range(9) for r in range(1, len(SEQUENCES[p]) + 1) for k in (0, 1)
    ]
    relations: dict[str, harness.Rows] = {
        "thresholds": harness.thresholds(0, 0.15, 0.5, 0.6, 0.8),
        "settings": harness.settings(min_residues=3, min_domains=2),
        "saes": [
            {"sae": sae, "role": role, "control_of": of, "plm": plm, "layer": layer, "min_value": 0.0}
            for sae, role, of, plm, layer in (
                (harness.SAE, "sae", None, "p", 1),
                ("b", "sae", None, "p", 1),
                ("c", "sae", None, "p", 2),
                ("n", "neurons", None, "p", 1),
                ("o", "neurons", "b", "p", 1),
                ("x", "position", "b", None, None),
                ("y", "amino_acid", None, None, None),
            )
        ],
        "sae_features": [{"feature": f} for f in range(5)],
        "sae_directions": [
            {"weights": "", "feature": f, "neighbour": g, "cosine": (f + g) % 3 / 4}
            for f in range(5)
            for g in range(5)
            if f != g
        ],
        "concepts": [
            *harness.letter_concepts(),
            {"concept_id": 20, "concept": "Domain_SH3", "level": "domain", "source": "uniprot"},
            {"concept_id": 21, "concept": "Active site", "level": "residue", "source": "uniprot"},
            {"concept_id": 22, "concept": "Helix", "level": "domain", "source": "ours"},
            {"concept_id": 23, "concept": "Domain_any", "level": "domain", "source": "uniprot"},
        ],
        "proteins": [
            harness.protein(
                i,
                sequence,
                split=("valid", "test", "test")[i % 3],
                accession=f"Q{i // 2}{i % 2}",
                sample_key=i * 97,
                cluster=("one", None, "two", "one")[i % 4],
            )
            for i, sequence in enumerate(SEQUENCES)
        ],
        "annotations": [
            {
                "annotation_id": n,
                "protein_id": p,
                "concept_id": c,
                "start": a,
                "stop": b,
                "instance_id": 100 * p + i,
            }
            for n, (p, c, a, b, i) in enumerate(spans)
            if a <= min(b, len(SEQUENCES[p]))
        ],
        "coverage": [
            {"source": s, "protein_id": p} for s in ("uniprot", "ours") for p in range(9) if p + len(s) != 9
        ],
        "activations": [
            {"protein_id": p, "position": r, "feature": f, "value": (1 + (7 * p + 3 * r + f) % 20) / 10}
            for p, r, f in sorted(cells)
        ],
        "structure_residues": [
            {
                "structure": f"s{p % 2}:A",
                "protein_id": p,
                "position": r,
                "chain": "A",
                "residue_name": "ALA",
                "amino_acid": "A",
                "x": None if r == 3 else 2.7 * r + p / 8,
                "y": r % 3 / 4,
                "z": r % 5 / 3,
            }
            for p in (0, 1)
            for r in range(1, 11)
        ],
    }
    con = harness.connect(relations)
    harness.encode_all(con)
    harness.build(con)
    harness.lay_block(con, VALUES)
    with con:
        yield con


def test_the_rows_to_compare_are_many_in_every_table(built: duckdb.DuckDBPyConnection) -> None:
    for file in FILES:
        name = file.output.removesuffix("_partial")
        ((n_rows,),) = built.execute(f"select count(*) from {quote_identifier(name)}").fetchall()
        assert n_rows > 0, name


@pytest.fixture(scope="module")
def both(
    spark: SparkSession, built: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SparkSession, duckdb.DuckDBPyConnection]:
    """The same inputs in both engines, handed over as Parquet."""
    folder = tmp_path_factory.mktemp("tables")
    names = {name for file in FILES for name in file.inputs}
    for name in sorted(names):
        final = name.removesuffix("_partial")
        if name != final:
            built.execute(f"create table {name} as {harness.empty_select(final)}")
            harness.insert(built, name, harness.MARTS[name], VALUES)
        path = folder / f"{name}.parquet"
        built.execute(f"copy {quote_identifier(name)} to '{path}' (format parquet)")
        spark.read.parquet(str(path)).createOrReplaceTempView(name)
    return spark, built


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_rows_are_the_same_on_spark(
    both: tuple[SparkSession, duckdb.DuckDBPyConnection], file: SqlFile
) -> None:
    spark, con = both
    frame = spark.sql(portable.translate(file), args=file.bind(VALUES))
    theirs = [tuple(row) for row in frame.collect()]
    ours = con.execute(file.sql, file.bind(VALUES)).fetchall()
    declared = schema.table(file.output.removesuffix("_partial")).columns
    assert frame.columns == [c.name for c in declared]
    assert ours
    assert_same_rows(ours, theirs)


def assert_same_rows(ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> None:
    """Compare rows in any order; every number exactly."""

    def ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return sorted(rows, key=lambda row: [(v is None, math.inf if v is None else v) for v in row])

    assert ordered(ours) == ordered(theirs)
