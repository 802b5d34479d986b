"""The synthetic proteome of the demo: reproducible, a true UniProtKB export, motifs where it says."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from interplm_wh.demo.export import EXPORT_COLUMNS, feature_text, write_export
from interplm_wh.demo.families import COMPOSITIONS, FAMILIES, Mark
from interplm_wh.demo.generator import Annotation, DemoProtein, generate

STANDARD = set("ACDEFGHIKLMNPQRSTVWY")


@pytest.fixture(scope="module")
def proteins() -> list[DemoProtein]:
    return generate(400, seed=3)


def _spans(proteins: list[DemoProtein], key: str, note: str = "") -> list[tuple[str, int]]:
    """Return (residues, 0-based start) of all annotations of a kind."""
    return [
        (p.sequence[a.start - 1 : a.stop], a.start - 1)
        for p in proteins
        for a in p.annotations
        if a.mark.key == key and a.mark.note.startswith(note)
    ]


def test_one_seed_gives_the_same_proteins_and_another_seed_others(proteins: list[DemoProtein]) -> None:
    assert generate(400, seed=3) == proteins
    assert not {p.sequence for p in proteins} & {p.sequence for p in generate(400, seed=4)}


def test_a_longer_proteome_begins_with_the_shorter_one(proteins: list[DemoProtein]) -> None:
    assert generate(30, seed=3) == proteins[:30]


def test_sequences_are_distinct_and_hold_the_standard_amino_acids_only(proteins: list[DemoProtein]) -> None:
    assert set("".join(p.sequence for p in proteins)) == STANDARD
    assert len({p.sequence for p in proteins}) == len({p.accession for p in proteins}) == 400
    assert all(p.sequence.startswith("M") and 40 <= len(p.sequence) <= 500 for p in proteins)


def test_every_annotation_lies_inside_its_protein(proteins: list[DemoProtein]) -> None:
    assert all(1 <= a.start <= a.stop <= len(p.sequence) for p in proteins for a in p.annotations)


@pytest.mark.parametrize(
    ("key", "note", "pattern"),
    [
        ("ZN_FING", "C2H2-type", r"[YF].C.{2,4}C.{3}F.{5}L.{2}H.{3}H"),
        ("SIGNAL", "", r"M[KR]{1,3}.{1,2}[LAVFI]{9,13}[GSTP].A.A"),
        ("TRANSIT", "Mitochondrion", r"M.{16,28}R.[FYA][SA]"),
        ("CARBOHYD", "N-linked (GlcNAc...) asparagine", r"N"),
        ("BINDING", "", r"G.{4}GK[ST]|."),
        ("COILED", "", r"([ILV]..L...){4,8}"),
        ("HELIX", "", r"([LIFMA]..[ALIMV][LIAFV]..){2,3}"),
        ("DOMAIN", "EF-hand", r".{9}D.[DNEQ].[DS]G.[IL][ST]..E.{8}"),
        ("DOMAIN", "EGF-like", r"[^C]{2}C[^C]{5}C.*C.C.*C"),
        ("MOTIF", "Nuclear localization signal", r"P[KR]K[KR]{3}[VL]"),
        ("ACT_SITE", "Proton acceptor", r"D"),
        ("MOD_RES", "Phosphoserine", r"S"),
        ("LIPID", "S-farnesyl cysteine", r"C"),
        ("COMPBIAS", "Acidic residues", r"[EDSGNPQ]{12,24}"),
    ],
)
def test_annotated_residues_are_the_planted_motif(
    proteins: list[DemoProtein], key: str, note: str, pattern: str
) -> None:
    found = _spans(proteins, key, note)
    assert len(found) >= 10
    assert all(re.fullmatch(pattern, residues) for residues, _ in found)


def test_disulfides_join_cysteines(proteins: list[DemoProtein]) -> None:
    bonds = _spans(proteins, "DISULFID")
    assert len(bonds) >= 60
    assert all(residues[0] == residues[-1] == "C" and len(residues) > 1 for residues, _ in bonds)


def test_nearly_every_sequon_is_annotated_and_every_annotated_one_is_a_sequon(
    proteins: list[DemoProtein],
) -> None:
    there = {(p.accession, m.start()) for p in proteins for m in re.finditer("N(?=[^P][ST])", p.sequence)}
    said = {(p.accession, a.start - 1) for p in proteins for a in p.annotations if a.mark.key == "CARBOHYD"}
    assert said <= there
    assert 0 < len(there - said) < 0.1 * len(said)


def test_repeats_are_counted_in_the_note_of_proteins_that_have_several(proteins: list[DemoProtein]) -> None:
    for protein in proteins:
        notes = [a.mark.note for a in protein.annotations if a.mark.note.startswith("SH3")]
        expected = ["SH3"] if len(notes) == 1 else [f"SH3 {i + 1}" for i in range(len(notes))]
        assert notes == expected


def test_every_family_of_the_table_stands_in_the_proteome() -> None:
    seen = Counter(a.mark.key for p in generate(1_000, seed=5) for a in p.annotations)
    marks = [f.mark for f in FAMILIES.values() if f.mark] + [
        m for f in FAMILIES.values() for m in f.sites.values()
    ]
    assert {mark.key for mark in marks} | {"DISULFID", "REGION"} == set(seen)
    assert min(seen.values()) > 25


def test_features_are_written_in_uniprots_notation() -> None:
    ligand = Mark("Binding site", "BINDING", ligand="ATP")
    assert feature_text(Annotation(Mark("Helix", "HELIX"), 3, 9)) == 'HELIX 3..9; /evidence="ECO:0000255"'
    assert feature_text(Annotation(Mark("Domain [FT]", "DOMAIN", "SH3 1"), 5, 5)) == (
        'DOMAIN 5; /note="SH3 1"; /evidence="ECO:0000255"'
    )
    assert feature_text(Annotation(ligand, 8, 15)) == (
        'BINDING 8..15; /ligand="ATP"; /ligand_id="ChEBI:CHEBI:30616"; /evidence="ECO:0000255"'
    )


def test_the_export_has_uniprots_columns_and_the_same_bytes_each_time(
    proteins: list[DemoProtein], tmp_path: Path
) -> None:
    path = write_export(proteins, tmp_path / "a.tsv.gz")
    assert path.read_bytes() == write_export(proteins, tmp_path / "b.tsv.gz").read_bytes()
    plain = write_export(proteins, tmp_path / "c.tsv")
    assert gzip.decompress(path.read_bytes()) == plain.read_bytes()
    text = plain.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert tuple(rows[0]) == EXPORT_COLUMNS
    assert [(r["Entry"], r["Sequence"]) for r in rows] == [(p.accession, p.sequence) for p in proteins]
    assert all(int(r["Length"]) == len(r["Sequence"]) for r in rows)
    with_helix = next(r for r in rows if r["Helix"])
    assert re.fullmatch(r'(HELIX \d+\.\.\d+; /evidence="ECO:0000255"(; )?)+', with_helix["Helix"])


def test_the_export_has_the_columns_of_a_real_one(shared: Path, proteins: list[DemoProtein]) -> None:
    with gzip.open(shared / "data" / "uniprot_real_158.tsv.gz", "rt", encoding="utf-8") as real:
        assert tuple(real.readline().rstrip("\n").split("\t")) == EXPORT_COLUMNS


def test_compositions_name_amino_acids_once() -> None:
    for text in COMPOSITIONS.values():
        letters = [word[0] for word in text.split()]
        assert len(set(letters)) == len(letters)
        assert set(letters) <= STANDARD
