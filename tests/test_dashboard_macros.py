"""What the dashboard reads, worked out by hand on a few residues: ties, bounds, and what is not there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest

from interplm_wh import schema, sqlfile
from interplm_wh.quote import quote_identifier
from interplm_wh.sqlfile import SqlFile
from interplm_wh.store.catalogue import create_macro
from tests import harness
from tests.harness import SAE, Rows

MACROS = sqlfile.load_folder("macros")
# What a page hands over with its question: sequences that were encoded just now.
LIVE = {
    "live_activations": "null::varchar as sequence, null::integer as position, null::integer as feature, "
    "null::float as value",
    "live_features": "null::varchar as sequence, null::integer as feature, null::float as activation, "
    "null::varchar as concept",
}
ASKED = [file for folder in ("macros", "dashboard", "live") for file in sqlfile.load_folder(folder).values()]
TRACK = "select position, amino_acid, value, activation from protein_activations(?, ?) where feature = ?"
VALUES: dict[str, Any] = {
    "wanted_accessions": [], "flank": 1, "n_cells": 1, "n_lanes": 1, "k": 1, "cut": 0.5, "length": 1,
    "lowest": 0.0, "highest": 1.0, "wanted_feature": 0, "wanted_position": 1, "known_first": False,
    "n_proteins": 1, "closest": 1.0, "most": 1, "least_apart": 1, "n_looked": 1,
}  # fmt: skip


# -- what every file says of itself -----------------------------------------------------------------


def empty(relation: str) -> str:
    """Return a typed SELECT without rows."""
    if relation in LIVE:
        return f"select {LIVE[relation]} where false"
    return harness.empty_select(relation)


def described(con: duckdb.DuckDBPyConnection, file: SqlFile) -> list[str]:
    """Return the names of a file's columns."""
    values = {p.name: VALUES.get(p.name, "x") for p in file.params}
    return [name for name, *_ in con.execute(f"describe {file.sql}", values).fetchall()]


@pytest.mark.parametrize("file", ASKED, ids=lambda f: f.name)
def test_a_file_reads_what_it_declares_and_nothing_else(file: SqlFile) -> None:
    macros = [sqlfile.load("macros", n) for n in file.inputs if n in sqlfile.load_folder("macros")]
    tables = set(file.inputs) - {macro.name for macro in macros}
    with harness.open_memory() as con:
        for name in sorted(tables | {name for macro in macros for name in macro.inputs}):
            con.execute(f"create table {quote_identifier(name)} as {empty(name)}")
        for macro in macros:
            con.execute(create_macro(macro))
        assert set(file.grain) - {"one row"} <= set(described(con, file))
        for name in file.inputs:
            con.execute("begin")
            con.execute(f"drop {'table' if name in tables else 'macro table'} {quote_identifier(name)}")
            with pytest.raises(duckdb.CatalogException, match=name):
                described(con, file)
            con.execute("rollback")


# -- a few residues ---------------------------------------------------------------------------------


def connect(relations: Mapping[str, Rows]) -> duckdb.DuckDBPyConnection:
    """Fill tables, and make the macros; a view that is given is a table, too."""
    views = {name: rows for name, rows in relations.items() if schema.table(name).storage == "view"}
    con = harness.connect({name: rows for name, rows in relations.items() if name not in views})
    for name, rows in views.items():
        con.execute(f"drop view {name}")
        con.execute(f"create table {name} as {harness.empty_select(name)}")
        harness.fill(con, name, rows)
    for macro in sqlfile.build_order(MACROS):
        con.execute(create_macro(macro))
    return con


def answer(con: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return rows in the order of the answer."""
    return con.execute(sql, list(values)).fetchall()


def ask(con: duckdb.DuckDBPyConnection, folder: str, name: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a file."""
    file = sqlfile.load(folder, name)
    return con.execute(file.sql, file.bind(values)).fetchall()


def active(*cells: tuple[int, int, int, float]) -> list[dict[str, Any]]:
    """Rows of `activations`: protein, position, feature, value."""
    return [{"protein_id": p, "position": at, "feature": f, "value": v} for p, at, f, v in cells]


def scale(*values: float) -> list[dict[str, Any]]:
    """Rows of `features`, one a value."""
    return [{"feature": f, "max_activation": v} for f, v in enumerate(values)]


def peaks(*rows: tuple[int, int, float, int]) -> list[dict[str, Any]]:
    """Rows of `protein_features`: feature, protein, activation, position."""
    names = ("feature", "protein_id", "activation", "position")
    return [{**dict(zip(names, row, strict=True)), "n_residues": 1} for row in rows]


def concept(concept_id: int, name: str, *, source: str = "mine", level: str = "domain") -> dict[str, Any]:
    """A row of `concepts`; its category is what stands before the underscore."""
    category = name.split(":")[-1].split("_")[0]
    return {"concept_id": concept_id, "concept": name, "category": category, "level": level, "source": source}


def span(protein_id: int, concept_id: int, start: int, stop: int, instance: int = 0) -> dict[str, Any]:
    """A row of `annotations`."""
    found = {"protein_id": protein_id, "concept_id": concept_id, "start": start, "stop": stop}
    return {**found, "annotation_id": 0, "instance_id": instance}


def pair(name: str, feature: int, f1: float | None, **more: Any) -> dict[str, Any]:
    """A row of `heldout_pairs` that is found, unless it is said that it is not."""
    row = {"concept": name, "feature": feature, "threshold": 0.5, "test_f1_per_domain": f1}
    row |= {"valid_f1_per_domain": 0.9, "is_best": True, "is_testable": True, "is_found": True}
    return row | more


# Feature 0 is scaled by 2, feature 1 by 1; feature 2 is dead (scale 0) but fires; feature 3 never does.
# P0 has 10 residues, O'N 3, P2 23; P3 has none of them.
FEW: dict[str, Rows] = {
    "proteins": [
        harness.protein(0, "ACDEFGHIKL", name="kinase"),
        harness.protein(1, "ACD", accession="O'N"),
        harness.protein(2, "A" * 22 + "C"),
        harness.protein(3, "AC"),
    ],
    "features": scale(2.0, 1.0, 0.0, 1.0),
    "activations": active(
        (0, 3, 0, 1.0), (0, 4, 0, 2.0), (0, 9, 0, 2.0), (0, 10, 0, 0.5),
        (1, 1, 0, 5.0), (1, 1, 1, 0.25), (1, 1, 2, 7.0),
        (2, 23, 0, 1.0), (2, 23, 1, 0.25), (2, 1, 1, 0.5), (2, 6, 2, 3.0),
    ),
    "protein_features": peaks(
        (0, 0, 1.0, 4), (0, 1, 2.5, 1), (0, 2, 0.5, 23), (1, 1, 0.25, 1), (1, 2, 0.5, 1),
    ),
    "encodings": [{"protein_id": i} for i in range(4)],
}  # fmt: skip


@pytest.fixture(scope="module")
def few() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(FEW) as con:
        yield con


# -- one feature ------------------------------------------------------------------------------------


def test_a_track_has_the_active_residues_alone_in_their_order(few: duckdb.DuckDBPyConnection) -> None:
    assert answer(few, TRACK, SAE, "P0", 0) == [
        (3, "D", 1.0, 0.5), (4, "E", 2.0, 1.0), (9, "K", 2.0, 1.0), (10, "L", 0.5, 0.25),
    ]  # fmt: skip


def test_an_activation_above_its_scale_is_not_clipped(few: duckdb.DuckDBPyConnection) -> None:
    assert answer(few, TRACK, SAE, "O'N", 0) == [(1, "A", 5.0, 2.5)]
    assert answer(few, "from feature_strips(?, 0, ?)", SAE, ["O'N"]) == [("O'N", 1, 1, 2.5)]


def test_an_unscaled_feature_has_no_number_anywhere(few: duckdb.DuckDBPyConnection) -> None:
    assert answer(few, TRACK, SAE, "O'N", 2) == [(1, "A", 7.0, None)]
    assert answer(few, "from feature_strips(?, 2, ?)", SAE, ["O'N"]) == [("O'N", 1, 1, None)]
    assert answer(few, "from feature_windows(?, 2, ?)", SAE, ["O'N", "P2"]) == []


def test_strips_cut_a_protein_into_at_most_so_many_cells(few: duckdb.DuckDBPyConnection) -> None:
    asked = "from feature_strips(?, 0, ['P0', 'P2'], n_cells := ?)"
    # 10 residues in 4 cells: 3 each, the last has one. 23 in 4: 6 each, the last has five.
    assert answer(few, asked, SAE, 4) == [
        ("P0", 1, 3, 0.5), ("P0", 4, 6, 1.0), ("P0", 7, 9, 1.0), ("P0", 10, 10, 0.25), ("P2", 19, 23, 0.5),
    ]  # fmt: skip
    assert answer(few, asked, SAE, 1) == [("P0", 1, 10, 1.0), ("P2", 1, 23, 0.5)]
    # As many cells as residues, and more: one residue each.
    for n_cells in (10, 23, 10**6):
        rows = [row[1:3] for row in answer(few, asked, SAE, n_cells) if row[0] == "P0"]
        assert rows == [(3, 3), (4, 4), (9, 9), (10, 10)]


def test_a_window_ends_where_the_sequence_does(few: duckdb.DuckDBPyConnection) -> None:
    asked = "from feature_windows(?, 0, ['P0', 'O''N', 'P2', 'P3'], flank := ?)"
    # P0 has its maximum twice: the first counts. P3 does not have the feature.
    assert answer(few, asked, SAE, 2) == [
        ("O'N", 1, 0, "A", 2.5), ("O'N", 2, 1, "C", 0.0), ("O'N", 3, 2, "D", 0.0),
        ("P0", 2, -2, "C", 0.0), ("P0", 3, -1, "D", 0.5), ("P0", 4, 0, "E", 1.0), ("P0", 5, 1, "F", 0.0),
        ("P0", 6, 2, "G", 0.0),
        ("P2", 21, -2, "A", 0.0), ("P2", 22, -1, "A", 0.0), ("P2", 23, 0, "C", 0.5),
    ]  # fmt: skip
    for flank in (0, -1):
        assert [row[:2] for row in answer(few, asked, SAE, flank)] == [("O'N", 1), ("P0", 4), ("P2", 23)]
    for flank in (30, 10**6):
        assert [row[1] for row in answer(few, asked, SAE, flank) if row[0] == "P0"] == [*range(1, 11)]


@pytest.mark.parametrize("macro", ["feature_strips", "feature_windows"])
@pytest.mark.parametrize(
    ("sae", "feature", "accessions"),
    [
        (SAE, 0, []),
        (SAE, 0, None),
        (SAE, 0, [None]),
        (SAE, 0, ["no such", "P3", "P0' or true --"]),
        (SAE, 3, ["P0"]),
        (SAE, -1, ["P0"]),
        (SAE, 99, ["P0"]),
        (SAE, None, ["P0"]),
        (None, 0, ["P0"]),
        ("no such", 0, ["P0"]),
    ],
)
def test_what_is_not_there_has_no_rows(
    few: duckdb.DuckDBPyConnection, macro: str, sae: str | None, feature: int | None, accessions: Any
) -> None:
    assert answer(few, f"from {macro}(?, ?, ?::varchar[])", sae, feature, accessions) == []
    accession = accessions[0] if accessions else None
    if accession != "P0" or feature != 0 or sae != SAE:
        assert answer(few, TRACK, sae, accession, feature) == []
        assert answer(few, "from feature_bins(?, ?)", sae, feature) == []


def test_a_protein_that_is_asked_for_twice_is_drawn_once(few: duckdb.DuckDBPyConnection) -> None:
    assert len(answer(few, "from feature_strips(?, 0, ['P2', 'P2', NULL])", SAE)) == 1
    assert len(answer(few, "from feature_windows(?, 0, ['P2', 'P2', NULL], flank := 0)", SAE)) == 1


def test_bins_come_from_the_highest_down_and_proteins_without_the_feature_last() -> None:
    names = ("feature", "bin_low", "bin_high", "rank", "accession", "activation")
    drawn = [
        (1, 0.0, 0.4, 1, "P1", 0.4), (1, 0.0, 0.4, 2, "P4", 0.1),
        (1, 0.0, 0.0, 2, "P0", 0.0), (1, 0.0, 0.0, 1, "P2", 0.0),
        (1, 0.8, math.inf, 1, "P3", 1.5), (1, 0.4, 0.8, 1, "P4", 0.8), (2, 0.4, 0.8, 1, "P4", 0.8),
    ]  # fmt: skip
    proteins = [harness.protein(i, "A" * (i + 1), name="n" if i == 3 else None) for i in range(5)]
    rows = [dict(zip(names, row, strict=True)) for row in drawn]
    with connect({"proteins": proteins, "quantile_examples": rows}) as con:
        found = answer(con, "from feature_bins(?, 1)", SAE)
    assert [row[:4] for row in found] == [
        (0.8, math.inf, 1, "P3"), (0.4, 0.8, 1, "P4"), (0.0, 0.4, 1, "P1"), (0.0, 0.4, 2, "P4"),
        (0.0, 0.0, 1, "P2"), (0.0, 0.0, 2, "P0"),
    ]  # fmt: skip
    assert found[0][4:] == ("n", 1.5, 4)


# -- all features -----------------------------------------------------------------------------------

# The draw: f * 1103515245 mod 2147483647 is 0 for 0, 1103515245 for 1, 59546843 for 2, 1163062088 for 3,
# 119093686 for 4. So without meanings the order is 0, 2, 4, 1, 3.
CONCEPTS = [
    concept(0, "amino_acid_A", source="sequence"),
    concept(1, "amino_acid_C", source="sequence"),
    concept(20, "Domain_b"),
    concept(21, "Domain_a"),
    concept(22, "amino_acid_transport"),
    concept(23, "Motif_c"),
]
# 0: nothing. 1: two concepts with one F1, and a letter that is better. 2: letters only. 3: what only
# sounds like a letter. 4: a pair that is not found.
PAIRS = [
    pair("Domain_b", 1, 0.7, threshold=0.15, is_best=False),
    pair("Domain_a", 1, 0.7, is_best=False),
    pair("amino_acid_A", 1, 0.99),
    pair("amino_acid_C", 2, 0.6),
    pair("amino_acid_A", 2, 0.8, is_best=False),
    pair("amino_acid_transport", 3, 0.9),
    pair("Motif_c", 4, None, is_found=False, is_testable=False),
    pair("Domain_b", 1, 0.95, sae="other"),
]


def stats(n_proteins: int, pct: float) -> dict[str, Any]:
    """A row of `feature_stats` but for its feature."""
    row = {"max_activation": 2.0, "n_proteins": n_proteins, "pct_proteins": pct, "mean_activation": 0.5}
    return row | {"avg_pct_residues_when_present": 12.5 if n_proteins else None}


@pytest.fixture(scope="module")
def meant() -> Iterator[duckdb.DuckDBPyConnection]:
    shares = [(1, 10.0), (2, 20.0), (2, 20.0), (10, 100.0), (5, 50.0), (0, 0.0)]
    rows = [{"feature": f, **stats(*share)} for f, share in enumerate(shares)]
    held = [{"sae": SAE, **row} for row in PAIRS]
    activations = active(
        (0, 1, 3, 0.5), (0, 1, 2, 0.5), (0, 1, 1, 0.25), (0, 1, 0, 1.0), (0, 1, 5, 9.0), (0, 2, 4, 0.5),
    )  # fmt: skip
    tables = {
        "proteins": [harness.protein(0, "AC")],
        "feature_stats": [*rows, {"sae": "other", "feature": 0, **stats(1, 1.0)}],
        "concepts": CONCEPTS,
        "heldout_pairs": held,
        "features": scale(2.0, 1.0, 1.0, 1.0, 1.0, 0.0),
        "activations": activations,
        "protein_features": peaks(
            (0, 0, 0.5, 1), (1, 0, 0.25, 1), (2, 0, 0.5, 1), (3, 0, 0.5, 1), (4, 0, 0.5, 2),
        ),
    }  # fmt: skip
    tables["feature_stats"] = [{"sae": SAE, **row} for row in tables["feature_stats"]]
    with connect(tables) as con:
        yield con


def test_a_meaning_is_the_best_concept_and_a_letter_only_where_there_is_no_other(
    meant: duckdb.DuckDBPyConnection,
) -> None:
    assert answer(meant, "from feature_meanings order by all") == [
        ("a", 1, "Domain_a", "Domain", False, 0.5, 0.7),  # a tie: the first name
        ("a", 2, "amino_acid_A", "amino", True, 0.5, 0.8),
        ("a", 3, "amino_acid_transport", "amino", False, 0.5, 0.9),
        ("other", 1, "Domain_b", "Domain", False, 0.5, 0.95),
    ]


def test_the_landscape_has_features_that_are_ever_present_those_that_find_something_first(
    meant: duckdb.DuckDBPyConnection,
) -> None:
    found = answer(meant, "from feature_landscape(?)", SAE)
    assert [(row[0], row[6]) for row in found] == [
        (2, "amino_acid_A"), (1, "Domain_a"), (3, "amino_acid_transport"), (0, None), (4, None),
    ]  # fmt: skip
    assert found[1] == (1, 2, 20.0, 12.5, 0.5, 2.0, "Domain_a", "Domain", 0.7)
    assert found[3][6:] == (None, None, None)
    for k in range(4):
        assert answer(meant, "from feature_landscape(?, k := ?)", SAE, k) == found[:k]
    assert len(answer(meant, "from feature_landscape('other')")) == 1
    assert answer(meant, "from feature_landscape('no such')") == []


@pytest.mark.parametrize(
    ("meaning", "lowest", "highest", "wanted"),
    [
        ("any", 0, 100, [0, 1, 2, 3, 4]),
        ("concept", 0, 100, [1, 3]),  # a letter is none
        ("none", 0, 100, [0, 2, 4]),
        ("any", 20, 50, [1, 2, 4]),  # bounds belong to it
        ("concept", 20, 20, [1]),
        ("any", 50, 20, []),
        ("no such", 0, 100, []),
        (None, 0, 100, []),
    ],
)
def test_features_are_chosen_by_meaning_and_by_how_common_they_are(
    meant: duckdb.DuckDBPyConnection, meaning: str, lowest: float, highest: float, wanted: list[int]
) -> None:
    asked = "from features_where(?, meaning := ?, lowest := ?, highest := ?)"
    assert answer(meant, asked, SAE, meaning, lowest, highest) == [(feature,) for feature in wanted]


def test_the_features_of_a_residue_are_ordered_and_unscaled_ones_last(
    meant: duckdb.DuckDBPyConnection,
) -> None:
    assert answer(meant, "from residue_features(?, 'P0', 1)", SAE) == [
        (0, 1.0, 0.5, None), (2, 0.5, 0.5, "amino_acid_A"), (3, 0.5, 0.5, "amino_acid_transport"),
        (1, 0.25, 0.25, "Domain_a"), (5, 9.0, None, None),
    ]  # fmt: skip
    for sae, accession, position in ((SAE, "P0", 0), (SAE, "P0", 3), (SAE, "x", 1), ("x", "P0", 1)):
        assert answer(meant, "from residue_features(?, ?, ?)", sae, accession, position) == []


# -- one protein ------------------------------------------------------------------------------------


def test_a_heatmap_has_the_strongest_features_first_or_those_that_find_a_concept(
    meant: duckdb.DuckDBPyConnection,
) -> None:
    asked = "select rank, feature, concept from protein_heatmap(?, 'P0', k := ?, known_first := ?)"
    strongest = answer(meant, asked, SAE, 40, False)
    # Of the four at 0.5 the lowest feature first; letters are no concepts; the unscaled one is not shown.
    assert strongest == [
        (1, 0, None), (2, 2, None), (3, 3, "amino_acid_transport"), (4, 4, None), (5, 1, "Domain_a"),
    ]  # fmt: skip
    known = answer(meant, asked, SAE, 40, True)
    assert [row[1] for row in known] == [3, 1, 0, 2, 4]
    assert answer(meant, asked, SAE, 3, True) == known[:3]
    assert answer(meant, asked, SAE, 0, False) == []


def test_the_cells_of_a_heatmap_are_those_of_strips(few: duckdb.DuckDBPyConnection) -> None:
    # 23 residues in 4 cells of 6: feature 0 at residue 23; feature 1 at residues 1 and 23.
    assert answer(few, "from protein_heatmap(?, 'P2', n_cells := 4)", SAE) == [
        (1, 0, None, 19, 23, 0.5), (2, 1, None, 1, 6, 0.5), (2, 1, None, 19, 23, 0.25),
    ]  # fmt: skip
    assert answer(few, "from protein_heatmap(?, 'P2', n_cells := 1)", SAE) == [
        (1, 0, None, 1, 23, 0.5), (2, 1, None, 1, 23, 0.5),
    ]  # fmt: skip
    for n_cells in (23, 10**6):
        found = answer(few, "from protein_heatmap(?, 'P2', n_cells := ?)", SAE, n_cells)
        assert [row[3:5] for row in found] == [(23, 23), (1, 1), (23, 23)]
    for accession in ("P3", "no such", None):
        assert answer(few, "from protein_heatmap(?, ?)", SAE, accession) == []


def test_a_search_is_for_letters_as_they_are_whatever_their_case() -> None:
    accessions = ["AB", "0AB", "a_b", "O'N", "xab"]
    proteins = [harness.protein(i, "A", accession=a, name=None) for i, a in enumerate(accessions)]
    proteins[3]["name"] = "Abc kinase 100%"
    encodings = [{"protein_id": i} for i in range(4)]  # not xab
    with connect({"proteins": proteins, "encodings": encodings}) as con:

        def found(text: str | None, sae: str = SAE) -> list[str]:
            return [row[0] for row in ask(con, "dashboard", "protein_search", sae=sae, text=text)]

        assert found("aB") == ["AB", "0AB", "O'N"]  # the one of this accession first
        assert found("ABC") == ["O'N"]
        assert found("o'n") == ["O'N"]
        assert found("_") == ["a_b"]
        assert found("%") == ["O'N"]
        assert found("") == ["0AB", "AB", "O'N", "a_b"]
        assert found("xab") == found("ab", sae="no such") == found(None) == []
    many = {"proteins": [harness.protein(i, "A", accession=f"{i:03d}") for i in range(60)]}
    with connect({**many, "encodings": [{"protein_id": i} for i in range(60)]}) as con:
        found_rows = ask(con, "dashboard", "protein_search", sae=SAE, text="0")
    assert [row[0] for row in found_rows] == [f"{i:03d}" for i in range(50)]


# -- annotations ------------------------------------------------------------------------------------

KINDS = [
    concept(0, "amino_acid_A", source="sequence"),
    concept(20, "Domain_x"),
    concept(21, "Domain_any"),
    concept(22, "Helix"),
    concept(23, "Motif_any"),
    concept(24, "other:Domain_any", source="other"),
]


def annotated(*spans: dict[str, Any], length: int = 30) -> duckdb.DuckDBPyConnection:
    """Connect to two proteins with annotations."""
    proteins = [harness.protein(i, "A" * length) for i in range(2)]
    return connect({"proteins": proteins, "concepts": KINDS, "annotations": list(spans)})


def test_what_covers_most_residues_has_the_first_lane_and_overlaps_count_once() -> None:
    # Domain_x covers 10 residues by three spans of 28 in all, Helix 12 by one.
    spans = [span(0, 20, 1, 10), span(0, 20, 1, 9), span(0, 20, 2, 10), span(0, 22, 5, 16)]
    with annotated(*spans) as con:
        assert answer(con, "from annotations_of(['P0', 'P1', 'P0'])") == [
            ("P0", 1, "Helix", "Helix", 5, 16, 2, 4),
            ("P0", 2, "Domain_x", "Domain", 1, 9, 2, 4),
            ("P0", 2, "Domain_x", "Domain", 1, 10, 2, 4),
            ("P0", 2, "Domain_x", "Domain", 2, 10, 2, 4),
        ]


def test_lanes_are_counted_per_protein_and_ties_are_ordered_by_name() -> None:
    spans = [span(0, 22, 1, 3), span(0, 20, 8, 10), span(0, 23, 4, 4), span(1, 23, 1, 1)]
    with annotated(*spans) as con:
        found = answer(con, "from annotations_of(['P1', 'P0'], n_lanes := 2)")
        assert [(row[0], row[1], row[2], row[6]) for row in found] == [
            ("P0", 1, "Domain_x", 3), ("P0", 2, "Helix", 3), ("P1", 1, "Motif_any", 1),
        ]  # fmt: skip
        assert answer(con, "from annotations_of(['P0'], n_lanes := 0)") == []


def test_what_gathers_others_is_drawn_only_where_it_says_more() -> None:
    # Domain_any has the span of Domain_x, and one of its own; Motif_any has it as well, in a category
    # of its own.
    spans = [span(0, 20, 1, 9), span(0, 21, 1, 9), span(0, 21, 12, 13), span(0, 23, 1, 9)]
    with annotated(*spans, span(1, 21, 1, 9)) as con:
        found = answer(con, "from annotations_of(['P0', 'P1'])")
    assert [(row[0], *row[2:6]) for row in found] == [
        ("P0", "Domain_x", "Domain", 1, 9), ("P0", "Motif_any", "Motif", 1, 9),
        ("P0", "Domain_any", "Domain", 12, 13), ("P1", "Domain_any", "Domain", 1, 9),
    ]  # fmt: skip


def test_two_sources_that_gather_the_same_do_not_hide_each_other() -> None:
    with annotated(span(0, 21, 1, 9), span(0, 24, 1, 9)) as con:
        found = answer(con, "from annotations_of(['P0'])")
    assert [row[1:3] for row in found] == [(1, "Domain_any"), (2, "other:Domain_any")]


def test_a_span_ends_with_the_sequence_and_the_same_one_is_drawn_once() -> None:
    # Two instances of one span, and one that goes on beyond the last residue.
    with annotated(span(0, 20, 2, 9, 1), span(0, 20, 2, 9, 2), span(0, 20, 29, 40, 3)) as con:
        assert answer(con, "from annotations_of(['P0'])") == [
            ("P0", 1, "Domain_x", "Domain", 2, 9, 1, 2), ("P0", 1, "Domain_x", "Domain", 29, 30, 1, 2),
        ]  # fmt: skip
        asked = "from annotations_of(?::varchar[], only_concept := ?)"
        assert answer(con, asked, ["P1", "P0", "P0"], "Domain_x") == answer(
            con, "from annotations_of(['P0'])"
        )
        for accessions, name in (([], "Domain_x"), (None, "Domain_x"), (["P0"], "no such"), (["P0"], None)):
            assert answer(con, asked, accessions, name) == []
        for accessions in ([], None, [None], ["P1"], ["P0' or true --"]):
            assert answer(con, "from annotations_of(?::varchar[])", accessions) == []


# -- one concept ------------------------------------------------------------------------------------


def test_the_list_of_concepts_counts_valid_and_test_and_names_the_best_feature() -> None:
    support = [
        ("valid", "Domain_b", 30, 3), ("test", "Domain_b", 20, 2), ("train", "Domain_b", 900, 90),
        ("test", "Domain_a", 50, 5), ("valid", "amino_acid_A", 2000, 0), ("valid", "Motif_c", 51, 5),
    ]  # fmt: skip
    names = ("split", "concept", "n_residues", "n_domains")
    rows = [{**dict(zip(names, row, strict=True)), "level": "domain"} for row in support]
    tables = {
        "concepts": CONCEPTS,
        "concept_support": [*rows, {**rows[0], "sae": "other"}],
        "heldout_pairs": [{"sae": SAE, **row} for row in PAIRS],
        "settings": harness.settings(min_residues=1500, min_domains=4),
    }
    tables["concept_support"] = [{"sae": SAE, **row} for row in tables["concept_support"]]
    with connect(tables) as con:
        found = answer(con, "from concept_list(?)", SAE)
        # By instances, then residues, then name: of three with 5 instances, Motif_c has a residue more.
        assert [(row[0], *row[4:8]) for row in found] == [
            ("Motif_c", 5, 51, True, 4), ("Domain_a", 5, 50, True, None), ("Domain_b", 5, 50, True, None),
            ("amino_acid_A", 0, 2000, True, 1), ("amino_acid_C", 0, 0, False, 2),
            ("amino_acid_transport", 0, 0, False, 3),
        ]  # fmt: skip
        assert found[0][7:] == (4, 0.5, 0.9, None, False)
        assert found[1][7:] == (None, None, None, None, False)
        assert found[3][:4] == ("amino_acid_A", "amino", "sequence", "domain")
        assert found[3][4:] == (0, 2000, True, 1, 0.5, 0.9, 0.99, True)
        texts = {"ACID_T": ["amino_acid_transport"], "%": [], None: [], "motif": ["Motif_c"]}
        for text, wanted in texts.items():
            assert [row[0] for row in answer(con, "from concept_list(?, wanted := ?)", SAE, text)] == wanted
        # An SAE that there is not: nothing is known of any concept.
        nothing = answer(con, "from concept_list('no such')")
        assert {row[4:] for row in nothing} == {(0, 0, False, None, None, None, None, False)}
        assert len(nothing) == len(CONCEPTS)


def test_a_curve_orders_features_as_the_best_pair_is_chosen() -> None:
    # On valid: 5 is highest. 1, 2, 3 and 4 tie there: 4 has the higher F1 over residues, then 3 the higher
    # threshold, then 1 comes before 2. 6 is highest of all, on test and train only.
    rows = [
        ("valid", 5, 0.5, 0.9, 0.1), ("test", 5, 0.5, 0.1, 0.1), ("valid", 5, 0.0, 0.2, 0.2),
        ("valid", 1, 0.5, 0.8, 0.3), ("valid", 2, 0.5, 0.8, 0.3), ("valid", 3, 0.6, 0.8, 0.3),
        ("valid", 4, 0.5, 0.8, 0.4), ("test", 6, 0.5, 1.0, 1.0), ("train", 5, 0.5, 1.0, 1.0),
    ]  # fmt: skip
    names = ("split", "feature", "threshold", "f1_per_domain", "f1")
    measures = {"tp": 3, "fp": 1, "precision": 0.75, "recall": 0.5, "recall_per_domain": 0.25}
    scores = [{"concept": "Domain_a", **measures, **dict(zip(names, row, strict=True))} for row in rows]
    with connect({"concept_f1": [*scores, {**scores[0], "concept": "Domain_b"}]}) as con:
        found = answer(con, "from concept_curve(?, 'Domain_a')", SAE)
        assert [row[:3] for row in found] == [
            (5, "test", 0.5), (5, "valid", 0.0), (5, "valid", 0.5), (4, "valid", 0.5), (3, "valid", 0.6),
            (1, "valid", 0.5), (2, "valid", 0.5),
        ]  # fmt: skip
        assert found[2] == (5, "valid", 0.5, 0.75, 0.25, 0.9, 3, 1, 1, True)
        for k, n_rows in ((0, 0), (1, 3), (2, 4), (99, 7)):
            assert answer(con, "from concept_curve(?, 'Domain_a', k := ?)", SAE, k) == found[:n_rows]
        for sae, name in ((SAE, "no such"), ("no such", "Domain_a"), (None, None)):
            assert answer(con, "from concept_curve(?, ?)", sae, name) == []


def cases() -> duckdb.DuckDBPyConnection:
    """Connect to proteins of ten residues, with Domain_x of the source 'mine'.

    The threshold is 0.5, and the scale of the feature 2.

    =====  ===================================  ============  ==================================
    P0     instances 1 (2-3, 8-9) and 2 (5)     0.6 at 9      hit, one of two: by its second part (0.1 at 5)
    P1     instance 3 (1-4)                     0.75 at 7     missed: it fires elsewhere
    P2     instance 4 (1-4)                     0.5 at 2      missed: not above the threshold
    P3     instance 5 (1-4)                     none          missed, no activation
    P4     none                                 1.5 at 1      false alarm
    P5     none                                 0.5 at 1      no case: it does not fire
    P6     none, not covered                    1.5 at 1      no case: nobody looked
    P7     instance 6 (1-4), not encoded        none          no case
    P8     instance 7 (1-4), test               1.0 at 1      a hit of test
    P9     instances 8 (1-9) and 9 (8-12)       0.6 at 8      hit, both: they overlap
    P10    none, covered by another alone       1.5 at 1      no case
    =====  ===================================  ============  ==================================
    """
    proteins = [harness.protein(i, "A" * 10, split="test" if i == 8 else "valid") for i in range(11)]
    proteins[0]["name"] = "kinase"
    spans = [
        span(0, 20, 2, 3, 1), span(0, 20, 8, 9, 1), span(0, 20, 5, 5, 2), span(1, 20, 1, 4, 3),
        span(2, 20, 1, 4, 4), span(3, 20, 1, 4, 5), span(7, 20, 1, 4, 6), span(8, 20, 1, 4, 7),
        span(9, 20, 1, 9, 8), span(9, 20, 8, 12, 9), span(4, 24, 1, 4, 10),
    ]  # fmt: skip
    cells = [(0, 9, 1.2), (1, 7, 1.5), (2, 2, 1.0), (4, 1, 3.0), (5, 1, 1.0), (6, 1, 3.0), (8, 1, 2.0)]
    cells += [(9, 8, 1.2), (10, 1, 3.0)]
    weaker = (0, 5, 0, 0.2)
    covered = [{"source": "mine", "protein_id": i} for i in range(10) if i != 6]
    return connect(
        {
            "proteins": proteins,
            "concepts": KINDS,
            "annotations": spans,
            "coverage": [*covered, *({"source": "other", "protein_id": i} for i in (4, 10))],
            "encodings": [{"protein_id": i} for i in range(11) if i != 7],
            "features": scale(2.0, 0.0),
            "activations": active(*((p, at, 0, value) for p, at, value in cells), weaker, (0, 9, 1, 5.0)),
            "protein_features": peaks(*((0, p, value / 2, at) for p, at, value in cells)),
        }
    )


def test_cases_are_hits_misses_and_false_alarms_of_proteins_that_the_source_covers() -> None:
    asked = "from concept_cases(?, 'Domain_x', ?, ?, ?, k := ?)"
    six = pytest.approx(0.6)
    with cases() as con:
        found = answer(con, asked, SAE, 0, 0.5, "valid", 10)
        assert found == [
            ("false alarm", 1, "P4", None, 1.5, 1, 0, 0, 10),
            ("hit", 1, "P0", "kinase", six, 9, 1, 2, 10),
            ("hit", 2, "P9", None, six, 8, 2, 2, 10),
            ("missed", 1, "P1", None, 0.75, 7, 0, 1, 10),
            ("missed", 2, "P2", None, 0.5, 2, 0, 1, 10),
            ("missed", 3, "P3", None, 0.0, None, 0, 1, 10),
        ]
        assert [row[2] for row in answer(con, asked, SAE, 0, 0.5, "valid", 1)] == ["P4", "P0", "P1"]
        assert answer(con, asked, SAE, 0, 0.5, "valid", 0) == []
        assert [row[:3] for row in answer(con, asked, SAE, 0, 0.5, "test", 9)] == [("hit", 1, "P8")]
        # Lower: it fires on P2 and P5, too.
        lower = [row[:3] for row in answer(con, asked, SAE, 0, 0.15, "valid", 9)]
        assert ("hit", 3, "P2") in lower
        assert ("false alarm", 2, "P5") in lower
        # Strictly above, as a float: 0.2 / 2 is 0.1 and not above it; nor is 0.6 above 0.6.
        (first,) = [row for row in answer(con, asked, SAE, 0, 0.1, "valid", 9) if row[2] == "P0"]
        assert first[6:8] == (1, 2)
        at_bound = [row[:3] for row in answer(con, asked, SAE, 0, 0.6, "valid", 9)]
        assert ("missed", 2, "P0") in at_bound


def test_a_feature_that_never_fires_misses_every_case() -> None:
    asked = "from concept_cases(?, ?, ?, 0.0, 'valid')"
    with cases() as con:
        for feature in (1, 99, -1):  # dead, and there is none such
            found = answer(con, asked, SAE, "Domain_x", feature)
            assert [row[:3] for row in found] == [
                ("missed", rank, name) for rank, name in enumerate(("P0", "P1", "P2", "P3", "P9"), start=1)
            ]
            assert [row[4:8] for row in found] == [(0.0, None, 0, n) for n in (2, 1, 1, 1, 2)]
        for sae, name in ((SAE, "no such"), ("no such", "Domain_x"), (SAE, "amino_acid_A"), (None, None)):
            assert answer(con, asked, sae, name, 0) == []


def test_hits_beside_the_maximum_are_looked_for_on_the_strongest_100_proteins() -> None:
    # 103 proteins with the concept on residue 1, where the feature is weaker than on residue 2: the last
    # three are left out. 20 more have their maximum on it, and are hits without being looked through.
    n, more = range(103), range(103, 123)
    tables: dict[str, Rows] = {
        "proteins": [harness.protein(i, "AC", accession=f"{i:03d}") for i in (*n, *more)],
        "concepts": KINDS,
        "annotations": [span(i, 20, 1, 1, i) for i in (*n, *more)],
        "coverage": [{"source": "mine", "protein_id": i} for i in (*n, *more)],
        "encodings": [{"protein_id": i} for i in (*n, *more)],
        "features": scale(1.0),
        "activations": [
            *active(*((i, 1, 0, 0.6) for i in n)),
            *active(*((i, 2, 0, 1 - i / 1000) for i in n)),
            *active(*((i, 1, 0, 1 - i / 1000) for i in more)),
        ],
        "protein_features": [
            *peaks(*((0, i, 1 - i / 1000, 2) for i in n)),
            *peaks(*((0, i, 1 - i / 1000, 1) for i in more)),
        ],
    }
    with connect(tables) as con:
        found = answer(con, "from concept_cases(?, 'Domain_x', 0, 0.5, 'valid', k := 1000)", SAE)
        names = [f"{i:03d}" for i in (*range(100), *more)]
        assert [row[:3] for row in found] == [("hit", i + 1, name) for i, name in enumerate(names)]
        few = answer(con, "from concept_cases(?, 'Domain_x', 0, 0.5, 'valid', k := 1000, n_looked := 1)", SAE)
        assert [row[2] for row in few] == ["000", *(f"{i:03d}" for i in more)]


# -- several SAEs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two SAEs on the same two proteins, `c` on one of them; pairs of four concepts and a letter."""
    held = [
        pair("Domain_a", 1, 0.7), pair("Domain_a", 2, 0.9, is_best=False),
        pair("Domain_a", 3, 0.9, sae="b"), pair("Domain_b", 4, 0.9),
        pair("Motif_c", 5, None, is_testable=False, is_found=False),
        pair("amino_acid_transport", 6, 0.25, sae="b", is_found=False), pair("amino_acid_A", 7, 1.0),
    ]  # fmt: skip
    encodings = [{"sae": sae, "protein_id": i} for sae in "ab" for i in range(2)]
    tables: dict[str, Rows] = {
        "concepts": CONCEPTS,
        "heldout_pairs": [{"sae": SAE, **row} for row in held],
        "encodings": [*encodings, {"sae": "c", "protein_id": 0}],
        "saes": [
            {"sae": "b", "role": "neurons"}, {"sae": "z", "role": "sae"}, {"sae": "a", "role": "sae"},
            {"sae": "c", "role": "amino_acid"},
        ],
        "features": [{"sae": sae, "feature": f, "max_activation": 1.0} for sae in "abz" for f in range(2)],
        "sae_metrics": [
            {"sae": "a", "evaluated_on": "test", "l0": 3.5, "pct_dead": 10.0, "variance_explained": 0.5},
            {"sae": "a", "evaluated_on": "valid", "l0": 9.0},
            {"sae": "b", "evaluated_on": "valid", "l0": 9.0},
        ],
    }  # fmt: skip
    with connect(tables) as con:
        yield con


def test_saes_are_compared_on_the_best_pair_of_each_testable_concept(two: duckdb.DuckDBPyConnection) -> None:
    assert answer(two, "from saes_side_by_side('a', 'b')") == [
        ("Domain_a", "Domain", 1, 0.7, True, 3, 0.9, True, pytest.approx(-0.2), True),
        ("Domain_b", "Domain", 4, 0.9, True, None, None, False, 0.9, True),
        ("amino_acid_transport", "amino", None, None, False, 6, 0.25, False, -0.25, True),
    ]


def test_a_comparison_is_fair_where_both_have_the_same_proteins(two: duckdb.DuckDBPyConnection) -> None:
    def fair(left: str, right: str) -> set[tuple[bool]]:
        return set(answer(two, "select is_fair from saes_side_by_side(?, ?)", left, right))

    assert fair("a", "b") == fair("b", "a") == {(True,)}
    assert fair("a", "c") == fair("c", "a") == fair("a", "no such") == {(False,)}
    assert fair("a", "a") == {(True,)}
    assert fair("c", "no such") == set()
    assert [row[8] for row in answer(two, "from saes_side_by_side('a', 'a')")] == [0.0, 0.0]


def test_saes_are_listed_with_controls_last(two: duckdb.DuckDBPyConnection) -> None:
    quality = ask(two, "dashboard", "sae_quality")
    assert [row[0] for row in quality] == ["a", "z", "b", "c"]
    assert quality[0][6:] == (3.5, 0.5, None, 10.0)
    assert {row[6:] for row in quality[1:]} == {(None, None, None, None)}  # what was measured on valid
    assert [row[0] for row in ask(two, "dashboard", "built_saes")] == ["a", "z", "b"]


def test_a_warehouse_is_counted_and_an_empty_one_has_nothing() -> None:
    with connect({}) as con:
        assert ask(con, "dashboard", "warehouse_counts") == [(0, 0, 0, 0, 0, 0)]
        for name in ("sae_quality", "built_saes"):
            assert ask(con, "dashboard", name) == []
    proteins = [harness.protein(0, "ACD"), harness.protein(1, "A")]
    spans = [span(0, 20, 1, 2), span(0, 21, 1, 2)]
    tables = {"proteins": proteins, "annotations": spans, "concepts": KINDS}
    with connect({**tables, "plms": [{"plm": "p"}], "saes": [{"sae": "a"}, {"sae": "b"}]}) as con:
        assert ask(con, "dashboard", "warehouse_counts") == [(2, 4, 2, 5, 1, 2)]


# -- sequences encoded just now ---------------------------------------------------------------------


def with_live(tables: Mapping[str, Rows], *cells: tuple[str, int, int, float]) -> duckdb.DuckDBPyConnection:
    """Connect as a page does, with activations of sequences: name, position, feature, value."""
    con = connect(tables)
    con.execute(f"create table live_activations as {empty('live_activations')}")
    for cell in cells:
        con.execute("insert into live_activations values (?, ?, ?, ?)", cell)
    file = sqlfile.load("live", "live_features")
    con.execute(f"create table live_features as {file.sql}", {"sae": SAE})
    return con


def test_features_of_a_sequence_are_ranked_with_their_first_strongest_residue() -> None:
    tables: dict[str, Rows] = {
        "features": [*scale(2.0, 1.0, 1.0, 1.0, 0.0), {"sae": "other", "feature": 0, "max_activation": 9.0}],
        "concepts": CONCEPTS,
        "heldout_pairs": [{"sae": SAE, **row} for row in PAIRS],
        "feature_stats": [
            {"sae": SAE, "feature": 0, **stats(1, 12.5)},
            {"sae": "other", "feature": 0, **stats(1, 99.0)},
        ],
    }
    tables["features"] = [{"sae": SAE, **row} for row in tables["features"]]
    cells = (
        ("s", 2, 0, 3.0), ("s", 5, 0, 3.0), ("s", 7, 0, 1.0), ("s", 1, 1, 0.5), ("s", 1, 2, 0.25),
        ("s", 4, 3, 1.5), ("r", 4, 3, 0.01), ("r", 6, 1, 0.75),
        ("s", 1, 4, 8.0), ("s", 1, 9, 1.0),
    )  # fmt: skip
    with with_live(tables, *cells) as con:
        # 0: 3 / 2 at residues 2 and 5; 3: 1.5 as well. 2 finds a letter alone, 4 is unscaled,
        # and there is no feature 9.
        assert ask(con, "live", "live_features", sae=SAE) == [
            ("r", 1, 0.75, 6, 1, "Domain_a", 0.7, None),
            ("r", 3, pytest.approx(0.01), 4, 1, "amino_acid_transport", 0.9, None),
            ("s", 0, 1.5, 2, 3, None, None, 12.5),
            ("s", 3, 1.5, 4, 1, "amino_acid_transport", 0.9, None),
            ("s", 1, 0.5, 1, 1, "Domain_a", 0.7, None),
            ("s", 2, 0.25, 1, 1, None, None, None),
        ]
        asked = {"sae": SAE, "sequence": "s", "length": 7}
        assert ask(con, "live", "live_cells", **asked, k=9, n_cells=2) == [
            (1, 0, None, 1, 4, 1.5), (1, 0, None, 5, 7, 1.5), (2, 3, "amino_acid_transport", 1, 4, 1.5),
            (3, 1, "Domain_a", 1, 4, 0.5), (4, 2, None, 1, 4, 0.25),
        ]  # fmt: skip
        assert ask(con, "live", "live_cells", **asked, k=1, n_cells=1) == [(1, 0, None, 1, 7, 1.5)]
        assert ask(con, "live", "live_cells", **asked, k=0, n_cells=2) == []
        assert ask(con, "live", "live_features", sae="no such") == []
        for other in ("no such", None, "' or true --"):
            assert ask(con, "live", "live_cells", **{**asked, "sequence": other}, k=9, n_cells=2) == []


def test_neighbours_of_a_sequence_share_the_lower_of_both_activations() -> None:
    # The sequence has feature 0 at 1.0 and feature 1 at 0.5: 1.5 in all.
    # P0: min(1, 2.5) + min(0.5, 0.25) = 1.25, 83.3 %. P2: min(1, 0.5) + min(0.5, 0.5) = 1.0, as P1.
    shared = peaks(
        (0, 0, 2.5, 1), (1, 0, 0.25, 1), (0, 2, 0.5, 1), (1, 2, 0.5, 1), (0, 1, 1.0, 1), (3, 3, 1.0, 1),
    )  # fmt: skip
    with with_live({**FEW, "protein_features": shared}, ("s", 1, 0, 2.0), ("s", 1, 1, 0.5)) as con:
        found = ask(con, "live", "live_neighbours", sae=SAE, sequence="s", k=10)
        assert found == [
            ("P0", "kinase", pytest.approx(100 * 1.25 / 1.5), 2, 10),
            ("O'N", None, pytest.approx(100 / 1.5), 1, 3),
            ("P2", None, pytest.approx(100 / 1.5), 2, 23),
        ]
        assert len(ask(con, "live", "live_neighbours", sae=SAE, sequence="s", k=1)) == 1
        assert ask(con, "live", "live_neighbours", sae=SAE, sequence="s", k=0) == []
        for sae, name in ((SAE, "no such"), ("no such", "s"), (SAE, None)):
            assert ask(con, "live", "live_neighbours", sae=sae, sequence=name, k=10) == []


def test_only_the_hundred_strongest_features_of_a_sequence_are_compared() -> None:
    # 101 features at 1.0, 0.995 … 0.5: the weakest is left out, of the sum as well.
    n = range(101)
    heights = [(200 - i) / 200 for i in n]
    tables: dict[str, Rows] = {
        "proteins": [harness.protein(0, "AC"), harness.protein(1, "AC")],
        "features": scale(*(1.0 for _ in n)),
        "protein_features": peaks(*((i, 0, heights[i], 1) for i in n), (100, 1, 1.0, 1)),
    }
    with with_live(tables, *(("s", 1, i, heights[i]) for i in n)) as con:
        found = ask(con, "live", "live_neighbours", sae=SAE, sequence="s", k=10)
    assert found == [("P0", None, pytest.approx(100), 100, 2)]
