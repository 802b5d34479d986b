"""The SQL that reads UniProt's feature text, on text made here."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplm_wh.ingest.annotation_writer import make

LENGTH = 100


def read(column: str, *texts: str) -> list[dict[str, Any]]:
    """Parse texts of one column, one entry each, of proteins with 100 residues."""
    con = duckdb.connect()
    make(con, "uniprot_categories")
    names = [name for (name,) in con.execute("select column_name from uniprot_categories").fetchall()]
    columns = ", ".join(f'"{name}" varchar' for name in ("Entry", "Sequence", *names))
    con.execute(f"create table uniprot_lines (row bigint, is_ragged boolean, {columns})")
    con.executemany(
        f'insert into uniprot_lines (row, is_ragged, "Entry", "{column}") values (?, false, ?, ?)',
        [[i, f"P{i}", text] for i, text in enumerate(texts, start=1)],
    )
    con.execute(
        f"create table uniprot_entries as select row, entry as accession, row::integer as protein_id, "
        f"{LENGTH} as length, null::varchar as reason from uniprot_lines"
    )
    make(con, "uniprot_features")
    make(con, "uniprot_qualifiers")
    make(con, "uniprot_spans")
    found = con.sql("select * from uniprot_spans order by row, item")
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        row["spans"] = [(span["start"], span["stop"]) for span in row["spans"]]
    return rows


def only(column: str, text: str) -> dict[str, Any]:
    (row,) = read(column, text)
    return row


@pytest.mark.parametrize(
    "note",
    [
        "SH3; second part",
        "see REGION 5..9",
        "see; REGION 5..9; below",
        'the "Walker" motif',
        'the "A"; then B',
        'ends with a "quote"',
        "a/b; /evidence of c",
        "EC 1.2.3.4",
    ],
)
def test_a_note_holds_semicolons_quotes_and_words_like_keys(note: str) -> None:
    rows = read("Region", f'REGION 2..4; /note="{note}"; /evidence="ECO:1"; REGION 7; /note="next"')
    assert [(r["note"], r["evidence"], r["spans"]) for r in rows] == [
        (note, "ECO:1", [(2, 4)]),
        ("next", None, [(7, 7)]),
    ]


_SAFE_NOTE = st.text(alphabet=st.sampled_from('abcXYZ 0123456789";/.,()-_='), min_size=1, max_size=30).filter(
    # what UniProt itself could not write without an ambiguity, and what is no text at all
    lambda note: (
        note == note.strip()
        and not re.search(r'"+;( ?/| [A-Z]|$)|/[a-z_]+="', note + ";")
        and not re.search(r'"+; ?$|^"', note)
    )
)
_FEATURE = st.tuples(st.integers(1, LENGTH), st.integers(1, LENGTH), st.none() | _SAFE_NOTE)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(_FEATURE, min_size=1, max_size=4), min_size=1, max_size=15))
def test_what_is_written_is_read_again(entries: list[list[tuple[int, int, str | None]]]) -> None:
    texts, expected = [], []
    for row, features in enumerate(entries, start=1):
        pieces = []
        for one, other, note in features:
            start, stop = sorted((one, other))
            pieces.append(f"REGION {start}..{stop}" + (f'; /note="{note}"; /id="x"' if note else ""))
            expected.append((row, [(start, stop)], note, None))
        texts.append("; ".join(pieces))
    assert [(r["row"], r["spans"], r["note"], r["reason"]) for r in read("Region", *texts)] == expected


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.text(alphabet=st.sampled_from('REGION_ 0123.<>?;:/note="'), max_size=60), min_size=1, max_size=20
    )
)
def test_no_character_of_any_text_is_lost(texts: list[str]) -> None:
    kept = [""] * len(texts)
    for row in read("Region", *texts):
        kept[row["row"] - 1] += row["text"]
    for text, left in zip(texts, kept, strict=True):
        assert all(text.count(c) <= left.count(c) for c in set(text) - set("; "))


@pytest.mark.parametrize(
    ("position", "span"),
    [
        ("5", (5, 5)),
        ("5..9", (5, 9)),
        ("<1..9", (1, 9)),
        ("90..>100", (90, 100)),
        ("<1", (1, 1)),
        ("100", (100, 100)),
    ],
)
def test_less_and_greater_are_dropped(position: str, span: tuple[int, int]) -> None:
    row = only("Region", f"REGION {position}")
    assert (row["spans"], row["reason"], row["is_clipped"]) == ([span], None, False)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ("?", "uncertain position"),
        ("?..9", "uncertain position"),
        ("1..?", "uncertain position"),
        ("<1..?", "uncertain position"),
        ("1..?30", "uncertain position"),
        ("?40", "uncertain position"),
        ("P12345-2:5", "position in another isoform"),
        ("P12345-2:5..9", "position in another isoform"),
        ("9..5", "start after stop"),
        ("0..5", "position below 1"),
        ("0", "position below 1"),
        ("101", "start beyond the sequence"),
        ("101..110", "start beyond the sequence"),
        ("abc", "unreadable position"),
        ("5-9", "unreadable position"),
        ("5..", "unreadable position"),
        ("25 125 Ig-like C2-type 1.", "unreadable position"),
        ("99999999999999999999", "unreadable position"),
    ],
)
def test_a_position_that_cannot_be_taken_has_a_reason(position: str, reason: str) -> None:
    row = only("Domain [FT]", f'DOMAIN {position}; /note="SH3"')
    assert (row["spans"], row["reason"], row["is_clipped"]) == ([], reason, False)


def test_a_stop_beyond_the_sequence_is_clipped() -> None:
    row = only("Helix", "HELIX 95..107")
    assert (row["spans"], row["reason"], row["is_clipped"]) == ([(95, 100)], None, True)


@pytest.mark.parametrize(
    ("position", "ends", "is_clipped"),
    [
        ("5..9", [5, 9], False),
        ("9", [9], False),
        ("9..9", [9], False),
        ("?..20", [20], False),
        ("20..?", [20], False),
        ("?40..20", [20], False),
        ("<5..9", [5, 9], False),
        ("5..120", [5], True),
    ],
)
def test_a_disulfide_bond_is_its_known_ends(position: str, ends: list[int], is_clipped: bool) -> None:
    row = only("Disulfide bond", f"DISULFID {position}")
    assert row["spans"] == [(end, end) for end in ends]
    assert (row["reason"], row["is_clipped"]) == (None, is_clipped)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ("?", "uncertain position"),
        ("?..?", "uncertain position"),
        ("?..120", "start beyond the sequence"),
        ("101..120", "start beyond the sequence"),
        ("9..5", "start after stop"),
        ("0..5", "position below 1"),
    ],
)
def test_a_disulfide_bond_without_a_known_end_is_rejected(position: str, reason: str) -> None:
    row = only("Disulfide bond", f"DISULFID {position}")
    assert (row["spans"], row["reason"]) == ([], reason)


@pytest.mark.parametrize(
    ("note", "subtype"),
    [
        ("SH3", "SH3"),
        ("Ig-like C2-type 3", "Ig-like C2-type"),
        ("RING-type 1", "RING-type"),
        ("RING-type 2; atypical", "RING-type"),
        ("Sushi 2", "Sushi"),
        ("C2H2-type 10", "C2H2-type"),
        ("EGF-like 1; calcium-binding", "EGF-like"),
        ("Helicase C-terminal 1", "Helicase C-terminal"),
        ("Alpha-1", "Alpha-1"),
        ("V5", "V5"),
        ("3", ""),
        ("Potential", ""),
        ("By similarity", ""),
        ("Proton acceptor (Potential)", "Proton acceptor"),
        ("N-linked (GlcNAc...) (Probable)", "N-linked (GlcNAc...)"),
        ("Sushi 2 (By similarity)", "Sushi"),
        ("N-linked (GlcNAc...) (complex) asparagine; by host", "N-linked (GlcNAc...) (complex) asparagine"),
    ],
)
def test_the_subtype_is_the_note_without_counter_and_remark(note: str, subtype: str) -> None:
    row = only("Domain [FT]", f'DOMAIN 5..9; /note="{note}"')
    assert (row["subtype"], row["note"]) == (subtype, note)


def test_old_marks_of_weak_evidence_become_the_evidence() -> None:
    row = only("Signal peptide", 'SIGNAL 1..17; /note="Potential"')
    assert (row["subtype"], row["evidence"]) == ("", "Potential")


@pytest.mark.parametrize(
    ("qualifiers", "subtype"),
    [
        ('; /ligand="Zn(2+)"; /ligand_id="ChEBI:CHEBI:29105"; /ligand_note="catalytic"', "Zn(2+)"),
        ('; /ligand="heme b"; /ligand_part="Fe"; /note="axial binding residue"', "heme b"),
        ('; /note="ATP; via amide nitrogen"', "ATP"),
        ("", ""),
    ],
)
def test_a_binding_site_is_named_by_its_ligand(qualifiers: str, subtype: str) -> None:
    assert only("Binding site", f"BINDING 5{qualifiers}")["subtype"] == subtype


def test_a_feature_of_another_column_is_rejected() -> None:
    rows = read("Turn", "TURN 5..9; HELIX 10..12")
    assert [r["reason"] for r in rows] == [None, "feature of another column"]


def test_text_beside_features_is_kept_beside_what_was_read() -> None:
    rows = read("Turn", "TURN 5..9; stray 4; TURN 10..12")
    assert [r["reason"] for r in rows] == [None, None, "text beside the features"]
    assert rows[-1]["text"] == "TURN 5..9; stray 4; TURN 10..12"


def test_a_quote_that_does_not_close_rejects_what_it_may_have_swallowed() -> None:
    rows = read("Domain [FT]", 'DOMAIN 1..5; /note="SH3; DOMAIN 10..20; /note="PH"')
    assert [r["reason"] for r in rows] == ["quotes do not pair"]
    assert "DOMAIN 10..20" in rows[0]["text"]
