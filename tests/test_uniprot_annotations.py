"""UniProtKB exports: every feature is annotated or rejected, and entries are taken once."""

from __future__ import annotations

import gzip
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import ingest
from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.ingest import uniprot_annotations
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from tests.annotations_helpers import (
    FEATURE_COLUMNS,
    ask,
    put_proteins,
    read_export,
    rejects,
    spans,
    write_export,
)

SEQUENCE = "MKV" * 20  # 60 residues
OTHER = "ACD" * 20


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two proteins, to be copied."""
    warehouse = store.init(tmp_path_factory.mktemp("template") / "warehouse")
    return put_proteins(warehouse, {"P1": SEQUENCE, "P2": OTHER})


@pytest.fixture
def two(template: Path, tmp_path: Path) -> Path:
    """A warehouse with P1 and P2, 60 residues each."""
    return Path(shutil.copytree(template, tmp_path / "warehouse"))


def entry(accession: str = "P1", sequence: str = SEQUENCE, **columns: str) -> dict[str, str]:
    return {"Entry": accession, "Sequence": sequence, **columns}


def features_in(text: str, key: str) -> int:
    """Count the features of a text by its keys outside quotes."""
    return len(re.findall(rf"(?:^|; ){key} ", re.sub(r'="[^"]*"', "", text)))


# -- real entries --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the real entries and their annotations."""
    export = shared / "data" / "uniprot_real_158.tsv.gz"
    warehouse = store.init(tmp_path_factory.mktemp("real") / "warehouse")
    add_proteins(warehouse, [export])
    add_annotations(warehouse, [export])
    return warehouse


@pytest.mark.parametrize("column", sorted(FEATURE_COLUMNS))
def test_every_feature_of_the_real_entries_is_annotated_or_rejected(
    real: Path, shared: Path, column: str
) -> None:
    expected = Counter[str]()
    for row in read_export(shared / "data" / "uniprot_real_158.tsv.gz"):
        expected[row["Entry"]] += features_in(row[column], FEATURE_COLUMNS[column])
    category = column.removesuffix(" [FT]")
    seen = Counter[str]()
    for accession, n in ask(
        real,
        "select p.accession, count(distinct a.instance_id) from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "where c.concept in (?, ? || '_any') group by p.accession",
        [category, category],
    ):
        seen[accession] += n
    for accession, n in ask(
        real,
        "select accession, count(*) from rejects where starts_with(text, ? || ': ') "
        "and not starts_with(reason, 'clipped') group by accession",
        [category],
    ):
        seen[accession] += n
    assert sum(expected.values()) > 0
    assert seen == +expected


def test_the_real_entries_lose_four_features_with_reasons(real: Path) -> None:
    assert Counter(reason for _, reason in rejects(real)) == {
        "uncertain position": 3,
        "position in another isoform": 1,
    }


def test_both_notations_of_a_binding_site_name_one_concept(real: Path) -> None:
    rows = ask(
        real,
        "select p.accession, count(*) from annotations as a inner join concepts as c "
        "on a.concept_id = c.concept_id inner join proteins as p on a.protein_id = p.protein_id "
        "where c.concept = 'Binding site_ATP' and p.accession in ('P35626', 'P49916') "
        "group by all order by all",
    )
    assert rows == [("P35626", 2), ("P49916", 6)]  # /ligand="ATP" in the one, /note="ATP" in the other


def test_every_span_with_a_subtype_stands_again_in_any(real: Path) -> None:
    rows = ask(
        real,
        "select a.protein_id, c.category, a.start, a.stop, "
        "count(*) filter (where ends_with(c.concept, '_any')) as n_any, "
        "count(*) filter (where not ends_with(c.concept, '_any')) as n_subtype "
        "from annotations as a inner join concepts as c on a.concept_id = c.concept_id "
        "where c.concept <> c.category group by all having n_subtype > n_any",
    )
    assert rows == []


def test_keys_are_unique_and_an_instance_belongs_to_one_concept_of_one_protein(real: Path) -> None:
    ((n_rows, n_keys),) = ask(real, "select count(*), count(distinct annotation_id) from annotations")
    assert n_rows == n_keys == 3536
    assert not ask(
        real,
        "select instance_id from annotations group by instance_id "
        "having count(distinct (protein_id, concept_id)) > 1",
    )


def test_both_ends_of_a_disulfide_bond_are_one_instance(real: Path) -> None:
    rows = ask(
        real,
        "select list(a.start order by a.start), min(a.stop - a.start), max(a.stop - a.start) "
        "from annotations as a inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "where c.concept = 'Disulfide bond' and p.accession = 'P58928' group by a.instance_id order by 1",
    )
    assert rows == [([12, 21], 0, 0), ([13, 26], 0, 0), ([24, 30], 0, 0)]


def test_a_subtype_is_no_counter_and_no_mark_of_weak_evidence(real: Path) -> None:
    names = [name for (name,) in ask(real, "select concept from concepts where source = 'uniprot'")]
    assert not [n for n in names if re.search(r"\s\d+$|Potential|By similarity|;", n)]
    assert {"Domain_Ig-like C2-type", "Zinc finger_C2H2-type", "Glycosylation_N-linked (GlcNAc...)"} <= set(
        names
    )


# -- entries -------------------------------------------------------------------------------------


def test_an_entry_that_comes_twice_is_taken_once(two: Path, tmp_path: Path) -> None:
    once = entry(Helix="HELIX 5..9")
    add_annotations(two, [write_export(tmp_path / "a.tsv", [once, once])])
    assert spans(two) == [("P1", "Helix", 5, 9)]
    assert rejects(two) == [("P1", "repeats an earlier entry")]


def test_the_second_of_two_different_entries_is_rejected(two: Path, tmp_path: Path) -> None:
    rows = [entry(Helix="HELIX 5..9"), entry(Helix="HELIX 20..29")]
    add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert spans(two) == [("P1", "Helix", 5, 9)]
    assert rejects(two) == [("P1", "differs from an earlier entry of the same accession")]


def test_entries_repeat_across_files_and_slices(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uniprot_annotations, "SLICE_ENTRIES", 1)
    monkeypatch.setattr(uniprot_annotations, "_BATCH_ENTRIES", 1)
    first = write_export(tmp_path / "a.tsv", [entry(Helix="HELIX 5..9"), entry(Helix="HELIX 5..9")])
    second = write_export(tmp_path / "b.tsv", [entry(Helix="HELIX 6..9"), entry("P2", OTHER, Turn="TURN 3")])
    add_annotations(two, [first, second])
    assert spans(two) == [("P1", "Helix", 5, 9), ("P2", "Turn", 3, 3)]
    assert ask(two, "select row, reason from rejects order by row") == [
        (2, "repeats an earlier entry"),
        (3, "differs from an earlier entry of the same accession"),
    ]


def test_slices_give_what_one_piece_gives(
    warehouse: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = shared / "data" / "uniprot_real_158.tsv.gz"
    add_proteins(warehouse, [export])
    add_annotations(warehouse, [export])
    query = (
        "select annotation_id, instance_id, protein_id, c.concept, start, stop, note, evidence "
        "from annotations as a inner join concepts as c on a.concept_id = c.concept_id order by all"
    )
    whole = ask(warehouse, query)
    monkeypatch.setattr(uniprot_annotations, "SLICE_ENTRIES", 40)
    monkeypatch.setattr(uniprot_annotations, "_BATCH_ENTRIES", 16)
    add_annotations(warehouse, [export])
    assert ask(warehouse, query) == whole
    assert ask(warehouse, "select max(row) <= 158 from rejects") == [(True,)]


def test_an_unknown_protein_is_one_reject(two: Path, tmp_path: Path) -> None:
    rows = [entry(Helix="HELIX 5..9"), entry("Q9", Helix="HELIX 5..9; HELIX 10..12", Turn="TURN 3..4")]
    report = add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert rejects(two) == [("Q9", "unknown protein")]
    assert (report.n_rejects, report.n_clipped, report.n_covered) == (1, 0, 1)


def test_positions_on_another_sequence_are_not_taken(two: Path, tmp_path: Path) -> None:
    rows = [entry(sequence=SEQUENCE[1:], Helix="HELIX 5..9"), entry("P2", OTHER.lower(), Helix="HELIX 1..2")]
    add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert spans(two) == [("P2", "Helix", 1, 2)]
    assert rejects(two) == [("P1", "other sequence than in the warehouse")]


def test_without_a_sequence_column_the_accession_decides(two: Path, tmp_path: Path) -> None:
    add_annotations(two, [write_export(tmp_path / "a.tsv", [{"Entry": "P1", "Helix": "HELIX 5..9"}])])
    assert spans(two) == [("P1", "Helix", 5, 9)]


def test_a_line_of_another_width_is_rejected_and_the_rest_is_taken(two: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Entry\tHelix\tTurn\nP1\tHELIX 5..9\nP2\tHELIX 1..2\t\n\tHELIX 1..2\t\nP1\tHELIX 4\t\n")
    add_annotations(two, [path])
    assert spans(two) == [("P1", "Helix", 4, 4), ("P2", "Helix", 1, 2)]
    assert ask(two, "select row, accession, reason from rejects order by row") == [
        (1, "P1", "wrong number of columns"),
        (3, None, "no accession"),
    ]


def test_clipped_features_are_annotated_and_counted(two: Path, tmp_path: Path) -> None:
    rows = [entry(Helix="HELIX 50..70; HELIX 61..70", **{"Disulfide bond": "DISULFID 5..99"})]
    report = add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert spans(two) == [("P1", "Disulfide bond", 5, 5), ("P1", "Helix", 50, 60)]
    assert (report.n_rejects, report.n_clipped) == (1, 2)
    assert dict(report.reasons) == {
        "clipped: stop beyond the sequence": 2,
        "start beyond the sequence": 1,
    }


def test_one_feature_written_twice_and_rejected_twice_is_two_rejects(two: Path, tmp_path: Path) -> None:
    report = add_annotations(
        two, [write_export(tmp_path / "a.tsv", [entry(Helix="HELIX ?..9; HELIX ?..9; HELIX ?..9")])]
    )
    assert report.n_rejects == 3
    assert ask(two, "select text from rejects order by text") == [
        ("Helix: HELIX ?..9",),
        ("Helix: HELIX ?..9 (2)",),
        ("Helix: HELIX ?..9 (3)",),
    ]


def test_overlapping_and_identical_features_are_instances_of_their_own(two: Path, tmp_path: Path) -> None:
    text = 'DOMAIN 8..40; /note="SH3"; DOMAIN 8..40; /note="SH3"; DOMAIN 10..20; /note="SH3 2"'
    add_annotations(two, [write_export(tmp_path / "a.tsv", [entry(**{"Domain [FT]": text})])])
    rows = ask(
        two,
        "select c.concept, count(*), count(distinct a.instance_id) from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id group by c.concept order by c.concept",
    )
    assert rows == [("Domain_SH3", 3, 3), ("Domain_any", 3, 3)]


def test_note_and_evidence_are_kept_as_written(two: Path, tmp_path: Path) -> None:
    text = 'DOMAIN 8..40; /note="SH3 1; the \'first\'"; /evidence="ECO:0000255|PROSITE-ProRule:PRU1"'
    add_annotations(two, [write_export(tmp_path / "a.tsv", [entry(**{"Domain [FT]": text})])])
    assert ask(two, "select distinct note, evidence from annotations") == [
        ("SH3 1; the 'first'", "ECO:0000255|PROSITE-ProRule:PRU1")
    ]


# -- the file ------------------------------------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_and_may_be_absent(two: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Turn\tLength\tEntry\r\nTURN 3..4\t60\tP1\r\n\t60\tP2\r\n")
    report = add_annotations(two, [path])
    assert spans(two) == [("P1", "Turn", 3, 4)]
    assert (report.n_covered, report.unread) == (2, ())


def test_columns_that_are_no_category_are_named_in_the_report(two: Path, tmp_path: Path) -> None:
    rows = [entry(Turn="TURN 3..4", Transmembrane="TRANSMEM 1..9", Reviewed="reviewed")]
    report = add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert report.unread == ("Transmembrane",)
    assert "columns not read: Transmembrane" in report.lines()


def test_an_export_without_features_is_refused(two: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no feature column"):
        add_annotations(two, [write_export(tmp_path / "a.tsv", [entry()])])


def test_an_export_without_entries_is_refused(two: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Entry\tTurn\n")
    with pytest.raises(InputError, match="no entry"):
        add_annotations(two, [path])


def test_bytes_that_are_no_text_refuse_the_export_and_change_nothing(two: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    body = b"".join(b"X%d\t%s\n" % (i, b"TURN 3..4; " * 20) for i in range(6000))
    path.write_bytes(b"Entry\tTurn\n" + body + b"P1\tTURN \xff\n")
    with pytest.raises(InputError, match=re.escape(str(path))):
        add_annotations(two, [path])
    assert spans(two) == []
    assert ask(two, "select count(*) from rejects") == [(0,)]


def test_plain_and_gzip_give_the_same(two: Path, tmp_path: Path) -> None:
    plain = write_export(tmp_path / "a.tsv", [entry(Helix="HELIX 5..9")])
    packed = tmp_path / "b.tsv"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    add_annotations(two, [plain])
    first = spans(two)
    add_annotations(two, [packed])
    assert spans(two) == first == [("P1", "Helix", 5, 9)]


def test_an_export_covers_its_own_entries_with_and_without_features(two: Path, tmp_path: Path) -> None:
    put_proteins(two, {"P3": "MKV"})
    rows = [entry(Helix="HELIX 5..9"), entry("P2", OTHER)]
    report = add_annotations(two, [write_export(tmp_path / "a.tsv", rows)])
    assert report.covers == "listed"
    covered = ask(
        two,
        "select accession from coverage inner join proteins using (protein_id) "
        "where source = 'uniprot' order by accession",
    )
    assert covered == [("P1",), ("P2",)]


def test_a_warehouse_without_proteins_is_told_what_to_do_first(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="add proteins first"):
        add_annotations(warehouse, [write_export(tmp_path / "a.tsv", [entry(Turn="TURN 3")])])


def test_nothing_but_our_own_lines_reaches_standard_output(
    two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_annotations(two, [write_export(tmp_path / "a.tsv", [entry(Turn="TURN 3")])])
    with store.open(two) as wh, store.write(two, command="test") as tx:
        for con in (wh.con, tx.con, tx.con.cursor()):
            assert con.execute("select current_setting('enable_progress_bar')").fetchall() == [(False,)]
    assert capfd.readouterr().out == ""


def test_the_benchmark_measures_what_the_commands_write_and_nothing_of_who_starts_them(shared: Path) -> None:
    held = b"\1" * 1_500_000_000
    steps = ingest.run(source=shared / "data" / "uniprot_real_158.tsv.gz", n_entries=2 * 158)
    assert [(step.name, step.rows) for step in steps] == [
        ("add proteins", 2 * 158),
        ("add annotations", 2 * 3536),
    ]
    assert all(0 < step.peak_gb < len(held) / 1e9 and step.seconds > 0 for step in steps)
