"""Concepts of a statement are scored as added ones are, and nothing is added."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import interplm_wh
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.evidence import score_sql
from tests import planted
from tests.planted import CONTROL, SAE, Protein

ALL_SPANS = """
select p.accession, a.start, a.stop, c.concept, c.level, a.instance_id as instance
from annotations as a
inner join proteins as p on a.protein_id = p.protein_id
inner join concepts as c on a.concept_id = c.concept_id
"""
COLUMNS = (
    "sae", "concept", "feature", "threshold", "valid_f1_per_domain", "test_precision",
    "test_recall_per_domain", "test_f1_per_domain", "is_testable", "is_found",
)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with spans that overlap, and instances of two spans."""
    rng = np.random.default_rng(11)
    of = []
    for one in planted.proteins(6, n=80):
        spans = {name: list(its) for name, its in one.spans.items()}
        for name in ("Domain_real", "Site_real"):
            for a, b in spans.get(name, [])[:1]:
                if rng.random() < 0.5:
                    spans[name].append((max(1, a - 3), min(one.length, b + 3)))
        of.append(Protein(one.accession, one.sequence, one.split, one.cluster, spans, one.fired))
    return planted.warehouse(tmp_path_factory.mktemp("built"), of)


def test_the_numbers_are_those_of_added_concepts(built: Path) -> None:
    with interplm_wh.open(built) as wh:
        frozen = wh.sql(
            "from heldout_pairs where is_best and not starts_with(concept, 'amino_acid')"
        ).to_pylist()
    found = score_sql(built, ALL_SPANS).to_pylist()
    assert {row["sae"] for row in found} == {SAE, CONTROL}

    def by_concept(rows: list[dict[str, object]]) -> dict[object, tuple[object, ...]]:
        return {(row["sae"], row["concept"]): tuple(row[name] for name in COLUMNS) for row in rows}

    expected = by_concept(frozen)
    assert len(expected) == 10
    assert by_concept(found) == expected


def test_rows_that_share_an_instance_are_one(built: Path) -> None:
    halves = """
    select accession, s.start, s.stop, 'halves' as concept, accession as instance
    from proteins, (values (1, 4), (20, 24)) as s (start, stop)
    """
    (row,) = score_sql(built, halves, saes=[SAE]).to_pylist()
    assert (row["n_valid_instances"], row["n_test_instances"]) == (40, 40)
    apart = halves.replace(", accession as instance", "")
    (row,) = score_sql(built, apart, saes=[SAE]).to_pylist()
    assert (row["n_valid_instances"], row["n_test_instances"]) == (80, 80)


def test_a_concept_that_no_feature_hits_has_no_feature(built: Path) -> None:
    with interplm_wh.open(built) as wh:
        never = wh.sql(
            "select p.accession, r.residue as start, r.residue as stop, 'never' as concept "
            "from proteins as p, unnest(range(1, p.length + 1)) as r (residue) "
            "anti join (select accession, position as residue from feature_activations) as f "
            "on p.accession = f.accession and r.residue = f.residue"
        )
        assert never.num_rows > 10
    pl.from_arrow(never).write_csv(built.parent / "never.csv")  # type: ignore[union-attr]
    (row,) = score_sql(built, f"from read_csv('{built.parent / 'never.csv'}')", saes=[SAE]).to_pylist()
    assert (row["feature"], row["threshold"], row["test_f1_per_domain"], row["n_tried"]) == (
        None,
        None,
        None,
        0,
    )
    assert not row["is_found"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 1 as accession", "no column start, stop, concept"),
        ("select 'P0000' as accession, 1 as start, 2 as stop, 'c' as concept where false", "gives no row"),
        ("select 'P0000' as accession, 'x' as start, 2 as stop, 'c' as concept", "whole numbers"),
        ("select 'P0000' as accession, 1.5 as start, 2 as stop, 'c' as concept", "whole numbers"),
        ("select 'nobody' as accession, 1 as start, 2 as stop, 'c' as concept", "no such protein: 1"),
        ("select 'P0000' as accession, 0 as start, 2 as stop, 'c' as concept", "start is below 1"),
        ("select 'P0000' as accession, 1 as start, 9999 as stop, 'c' as concept", "beyond the sequence"),
        ("select 'P0000' as accession, 1 as start, null as stop, 'c' as concept", "a column is empty"),
        (
            "select 'P0000' as accession, 1 as start, 2 as stop, 'c' as concept, 'all' as level",
            "neither residue nor domain",
        ),
        (
            "select 'P0000' as accession, 1 as start, 2 as stop, 'c' as concept, l as level "
            "from (values ('residue'), ('domain')) as t (l)",
            "concept has two levels",
        ),
        ("copy proteins to 'x.csv'", "SELECT"),
        ("from nothing_at_all", "nothing_at_all"),
        ("attach 'x.db'", "SELECT"),
    ],
)
def test_what_cannot_be_scored_is_said_in_words(built: Path, sql: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        score_sql(built, sql)
    assert words in str(caught.value)


def test_all_faults_are_said_at_once(built: Path) -> None:
    sql = """
    select a as accession, 1 as start, s as stop, 'c' as concept
    from (values ('x', 2), ('P0000', 9999)) as t (a, s)
    """
    with pytest.raises(InputError, match=r"(?s)no such protein.*beyond the sequence"):
        score_sql(built, sql)
    with pytest.raises(NotThereError, match="there is no SAE nobody"):
        score_sql(built, ALL_SPANS, saes=["nobody"])


def test_an_answer_is_printed_in_any_format_and_nothing_is_recorded(built: Path) -> None:
    before = (built / "warehouse.duckdb").stat().st_mtime_ns
    done = CliRunner().invoke(
        cli, ["-w", str(built), "score", "--sae", SAE, "--format", "json", "--sql", ALL_SPANS]
    )
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["concept"] for row in rows] == sorted(planted.LEVELS)
    table = CliRunner().invoke(cli, ["-w", str(built), "score", "--sae", SAE, "--sql", ALL_SPANS]).output
    for row in rows:
        (line,) = [line for line in table.splitlines() if f" {row['concept']} " in line]
        assert f"{row['valid_f1_per_domain']:.3f}" in line
        assert f"{row['test_f1_per_domain']:.3f}" in line
    assert (built / "warehouse.duckdb").stat().st_mtime_ns == before
