"""The scoring tables against an oracle in numpy, on random proteomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import harness, oracle
from tests.oracle import Concept, Protein, Span, World

# Values on and around the bounds that the tables compare with.
VALUES = [0.0499, 0.05, 0.1, 0.15, 0.4, 0.5, 0.6, 0.6000001, 0.8, 0.95, 1.0, 1.3, 1e-9]
CONCEPTS = (
    Concept("Domain_any", "domain", "uniprot"),
    Concept("Domain_SH3", "domain", "uniprot"),
    Concept("Active site", "residue", "uniprot"),
    Concept("Motif_ours", "domain", "ours"),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small proteomes in which overlaps, shared instances, ties and dead features are common."""
    n_features = draw(st.integers(1, 3))
    proteins = tuple(
        Protein(
            protein_id=i,
            accession=f"{draw(st.sampled_from('ZYX'))}{i}",
            sequence=draw(st.text("ACX", min_size=1, max_size=8)),
            split=draw(st.sampled_from(["valid", "valid", "test", "test", "train"])),
            sample_key=draw(st.integers(0, 2**28 - 1)),
            is_encoded=draw(st.integers(0, 9)) > 0,
        )
        for i in range(draw(st.integers(0, 14)))
    )
    values = {}
    for protein in proteins:
        cells = st.tuples(st.integers(1, len(protein.sequence)), st.integers(0, n_features - 1))
        for position, feature in draw(st.sets(cells, max_size=12)) if protein.is_encoded else ():
            values[protein.protein_id, position, feature] = np.float32(draw(st.sampled_from(VALUES)))
    scale = None
    if draw(st.booleans()):
        given_scale = st.sampled_from([np.float32(1), np.float32(0.7), np.float32(0)])
        scale = {f: draw(given_scale) for f in range(n_features)}
    return World(
        n_features=n_features,
        proteins=proteins,
        concepts=CONCEPTS,
        spans=draw(spans(proteins)),
        covered=draw(coverage(proteins)),
        values=values,
        thresholds=tuple(
            sorted(draw(st.sets(st.sampled_from([0.0, 0.05, 0.15, 0.5, 0.6, 0.8, 1.0]), min_size=1)))
        ),
        presence=draw(st.sampled_from([0.0, 0.05, 0.5])),
        min_residues=draw(st.integers(0, 6)),
        min_domains=draw(st.integers(0, 6)),
        min_value=draw(st.sampled_from([0.0, 0.0, 0.3])),
        scale=scale,
    )


@st.composite
def spans(draw: st.DrawFn, proteins: Sequence[Protein]) -> tuple[Span, ...]:
    """Spans that overlap and, two at a time, share an instance."""
    found = []
    for protein in proteins:
        for _ in range(draw(st.integers(0, 6))):
            start = draw(st.integers(1, len(protein.sequence)))
            stop = draw(st.integers(start, len(protein.sequence)))
            concept = draw(st.integers(0, len(CONCEPTS) - 1))
            instance = 100 * protein.protein_id + 10 * concept + draw(st.integers(0, 3))
            found.append(Span(protein.protein_id, CONCEPTS[concept].name, start, stop, instance))
    return tuple(found)


@st.composite
def coverage(draw: st.DrawFn, proteins: Sequence[Protein]) -> frozenset[tuple[str, int]]:
    """Sources that look in most of the proteins."""
    return frozenset(
        (source, p.protein_id)
        for source in ("uniprot", "ours")
        for p in proteins
        if draw(st.integers(0, 4)) > 0
    )


def connect(world: World) -> duckdb.DuckDBPyConnection:
    """Put a world into tables."""
    ids = {c.name: 20 + i for i, c in enumerate(world.concepts)}
    con = harness.connect(
        {
            "thresholds": harness.thresholds(*world.thresholds),
            "settings": harness.settings(min_residues=world.min_residues, min_domains=world.min_domains),
            "saes": [{"min_value": world.min_value}],
            "concepts": harness.letter_concepts()
            + [
                {
                    "concept_id": ids[c.name],
                    "concept": c.name,
                    "category": "x",
                    "level": c.level,
                    "source": c.source,
                }
                for c in world.concepts
            ],
            "proteins": [
                harness.protein(
                    p.protein_id, p.sequence, split=p.split, accession=p.accession, sample_key=p.sample_key
                )
                for p in world.proteins
            ],
            "annotations": [
                {
                    "annotation_id": i,
                    "instance_id": s.instance,
                    "protein_id": s.protein_id,
                    "concept_id": ids[s.concept],
                    "start": s.start,
                    "stop": s.stop,
                }
                for i, s in enumerate(world.spans)
            ],
            "coverage": [{"source": s, "protein_id": p} for s, p in sorted(world.covered)],
            "activations": [
                {"protein_id": p, "position": r, "feature": f, "value": v}
                for (p, r, f), v in sorted(world.values.items())
            ],
            "encodings": [
                {"protein_id": p.protein_id, "n_residues": len(p.sequence)} for p in oracle.encoded(world)
            ],
            "sae_features": [
                {"feature": f, "checkpoint_max": None if world.scale is None else world.scale[f]}
                for f in range(world.n_features)
            ],
        }
    )
    return con


@given(world=worlds(), cut=st.integers(0, 14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_table_is_that_of_the_oracle_in_one_block_and_in_two(world: World, cut: int) -> None:
    source = "all" if world.scale is None else "checkpoint"
    with connect(world) as con:
        for blocks in ([harness.EVERYTHING], [(0, cut), (cut + 1, harness.EVERYTHING[1])]):
            harness.build(con, blocks=blocks, presence=world.presence, scale_source=source)
            compare_scores(con, world)
            compare_statistics(con, world)


def compare_scores(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Compare concepts: support, counts, F1, held-out pairs."""
    found = harness.rows(
        con, "concept_support", "split", "concept", "level", "n_residues", "n_domains", "n_proteins"
    )
    assert {row[:2]: row[2:] for row in found} == oracle.support(world)
    names = dict(harness.rows(con, "concepts", "concept_id", "concept"))
    counted = harness.rows(
        con, "concept_counts", "split", "concept_id", "feature", "threshold", "tp", "tp_per_domain"
    )
    expected = {key: (tp, hit) for key, (tp, _, hit) in oracle.counts(world).items()}
    assert {(s, names[c], f, t): rest for s, c, f, t, *rest in counted} == {
        k: list(v) for k, v in expected.items()
    }
    for source in ("sequence", "uniprot", "ours"):
        fired = harness.rows(
            con, "source_firing", "split", "feature", "threshold", "n_residues", where=f"source = '{source}'"
        )
        assert {row[:3]: row[3] for row in fired} == oracle.firing(world, source)
    scores = {key: list(measures.values()) for key, measures in oracle.f1(world).items()}
    measures = [
        "tp",
        "fp",
        "tp_per_domain",
        "precision",
        "recall",
        "recall_per_domain",
        "f1",
        "f1_per_domain",
    ]
    found = harness.rows(con, "concept_f1", "split", "concept", "feature", "threshold", *measures)
    assert {row[:4]: list(row[4:]) for row in found} == scores
    pairs = con.execute("select * exclude (sae) from heldout_pairs order by all").fetchall()
    assert pairs == oracle.heldout(world)


def compare_statistics(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Compare statistics and examples."""
    peaks = harness.rows(
        con, "protein_features", "feature", "protein_id", "activation", "position", "n_residues"
    )
    assert {row[:2]: row[2:] for row in peaks} == oracle.protein_features(world)
    compare_stats(con, world)
    letters = harness.rows(con, "feature_amino_acids", "feature", "amino_acid", "n_residues", "enrichment")
    assert_close({row[:2]: row[2:] for row in letters}, oracle.amino_acids(world))
    bins = harness.rows(con, "activation_histogram", "feature", "bin_low", "bin_high", "n_residues")
    assert {row[:3]: row[3] for row in bins} == oracle.histogram(world)
    tops = harness.rows(con, "max_examples", "feature", "rank", "accession", "position", "activation")
    assert tops == oracle.max_examples(world)
    draws = harness.rows(
        con, "quantile_examples", "feature", "bin_low", "bin_high", "rank", "accession", "activation"
    )
    assert draws == oracle.quantile_examples(world)


def compare_stats(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Compare feature_stats, whose sums are rounded to 2^-26 and 2^-32 per summand."""
    for expected, (feature, *_) in zip(
        oracle.stats(world), harness.rows(con, "features", "feature"), strict=True
    ):
        columns = list(expected)
        (found,) = harness.rows(con, "feature_stats", *columns, where=f"feature = {feature}")
        for column, ours in zip(columns, found, strict=True):
            assert ours == pytest.approx(expected[column], abs=2e-8), column


def assert_close(found: dict[Any, tuple[Any, ...]], expected: dict[Any, tuple[Any, ...]]) -> None:
    """Compare dictionaries of tuples of numbers to the last bits."""
    assert set(found) == set(expected)
    for key, numbers in expected.items():
        assert all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(found[key], numbers, strict=True))
