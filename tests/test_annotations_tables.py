"""Tables of anyone's own concepts: taken literally, all faults named at once, sources beside each other."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplm_wh import store
from interplm_wh.errors import InputError, LockedError
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from tests.annotations_helpers import ask, put_proteins, rejects, spans, write_export, write_table

SEQUENCES = {"P1": "MKV" * 20, "P2": "ACD" * 20, "P3": "MKV" * 30}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with three proteins, to be copied."""
    return put_proteins(store.init(tmp_path_factory.mktemp("template") / "warehouse"), SEQUENCES)


@pytest.fixture
def three(template: Path, tmp_path: Path) -> Path:
    """A warehouse with three proteins of 60, 60 and 90 residues."""
    return Path(shutil.copytree(template, tmp_path / "warehouse"))


def row(accession: str, start: Any, stop: Any, concept: str = "loop", **more: Any) -> dict[str, Any]:
    return {"accession": accession, "start": start, "stop": stop, "concept": concept, **more}


def add(warehouse: Path, tmp_path: Path, *rows: dict[str, Any], name: str = "lab.csv", **options: Any) -> Any:
    return add_annotations(warehouse, [write_table(tmp_path / name, rows)], **options)


def concepts(warehouse: Path) -> list[tuple[int, str, str, str, str]]:
    """Return the concepts that are no amino acids."""
    return ask(
        warehouse,
        "select concept_id, concept, category, level, source from concepts where source <> 'sequence' "
        "order by concept_id",
    )


# -- what is taken -------------------------------------------------------------------------------


def test_concepts_are_taken_literally_without_any(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "Domain_SH3"), row("P2", 1, 60, "loop 3"))
    assert spans(three) == [("P1", "Domain_SH3", 3, 9), ("P2", "loop 3", 1, 60)]
    assert concepts(three) == [
        (20, "Domain_SH3", "Domain", "domain", "lab"),
        (21, "loop 3", "loop 3", "domain", "lab"),
    ]


def test_category_level_note_and_evidence_are_taken_where_given(three: Path, tmp_path: Path) -> None:
    given = {"category": "kinetics", "level": "residue", "note": "fast", "evidence": "paper"}
    add(three, tmp_path, row("P1", 3, 3, "site_a", **given), row("P1", 5, 5, "site_a"))
    assert concepts(three) == [(20, "site_a", "kinetics", "residue", "lab")]
    assert ask(three, "select note, evidence from annotations order by start") == [
        ("fast", "paper"),
        (None, None),
    ]


def test_rows_share_an_instance_within_one_protein_and_concept(three: Path, tmp_path: Path) -> None:
    rows = [
        row("P1", 3, 9, "a", instance="x"),
        row("P1", 20, 29, "a", instance="x"),  # the same instance
        row("P1", 20, 29, "b", instance="x"),  # another concept
        row("P2", 20, 29, "a", instance="x"),  # another protein
        row("P1", 40, 41, "a"),  # without an instance: one by itself, each
        row("P1", 40, 41, "a"),
    ]
    add(three, tmp_path, *rows)
    found = ask(
        three,
        "select p.accession, c.concept, list(a.start order by a.start) from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "group by p.accession, c.concept, a.instance_id order by all",
    )
    assert found == [
        ("P1", "a", [3, 20]),
        ("P1", "a", [40]),
        ("P1", "a", [40]),
        ("P1", "b", [20]),
        ("P2", "a", [20]),
    ]


def test_tsv_gzip_and_parquet_give_what_csv_gives(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9), row("P2", 4, 5))
    expected = spans(three)
    tsv = tmp_path / "lab.tsv"
    tsv.write_text("concept\tstop\tStart\taccession\nloop\t9\t3\tP1\nloop\t5\t4\tP2\n")
    parquet = tmp_path / "lab.parquet"
    columns = {"accession": ["P1", "P2"], "start": [3.0, 4.0], "stop": [9, 5], "concept": ["loop", "loop"]}
    pq.write_table(pa.table(columns), parquet)
    for path in (tsv, parquet):
        add_annotations(three, [path])
        assert spans(three) == expected


def test_several_files_are_one_source(three: Path, tmp_path: Path) -> None:
    one = write_table(tmp_path / "a.csv", [row("P1", 3, 9, instance="x")])
    two = write_table(tmp_path / "b.csv", [row("P1", 30, 39, instance="x"), row("P2", 1, 2)])
    report = add_annotations(three, [one, two], source="lab")
    assert (report.n_files, report.n_rows, report.n_annotations) == (2, 3, 3)
    assert ask(three, "select count(distinct instance_id) from annotations") == [(2,)]


def test_columns_that_are_not_read_are_named(three: Path, tmp_path: Path) -> None:
    report = add(three, tmp_path, row("P1", 3, 9, score=1.5))
    assert report.unread == ("score",)


# -- coverage ------------------------------------------------------------------------------------


def covered(warehouse: Path, source: str = "lab") -> list[str]:
    rows = ask(
        warehouse,
        "select accession from coverage inner join proteins using (protein_id) where source = ? order by 1",
        [source],
    )
    return [accession for (accession,) in rows]


def test_a_table_covers_all_proteins_and_says_so(three: Path, tmp_path: Path) -> None:
    report = add(three, tmp_path, row("P1", 3, 9))
    assert covered(three) == ["P1", "P2", "P3"]
    assert any("covers 3 proteins (all that the warehouse has now)" in line for line in report.lines())
    put_proteins(three, {"P4": "MKV"})
    assert covered(three) == ["P1", "P2", "P3"]  # present when it was loaded


def test_rows_that_are_there_twice_are_said_aloud(three: Path, tmp_path: Path) -> None:
    once, twice = row("P1", 3, 9), row("P2", 3, 9)
    report = add(three, tmp_path, once, twice, twice, twice, row("P1", 3, 8))
    assert report.n_repeated == 2
    assert any(line.startswith("2 annotations repeat") for line in report.lines())
    assert not any("repeat" in line for line in add(three, tmp_path, once, twice).lines())


def test_listed_covers_the_proteins_of_the_file(three: Path, tmp_path: Path) -> None:
    report = add(three, tmp_path, row("P1", 3, 9), row("P1", 4, 9), covers="listed")
    assert (covered(three), report.n_covered) == (["P1"], 1)


@pytest.mark.parametrize(
    "text", ["P2\nP1\n", "accession\nP1\nP2\nP2\n", "Entry\tx\nP1\t\nP2\t\n", "accession,split\nP1,a\nP2,b\n"]
)
def test_a_file_of_accessions_covers_these(three: Path, tmp_path: Path, text: str) -> None:
    listing = tmp_path / "looked.txt"
    listing.write_text(text)
    report = add(three, tmp_path, row("P1", 3, 9), row("P3", 3, 9), covers=str(listing))
    assert covered(three) == ["P1", "P2"]
    assert report.n_outside == 1
    assert ask(three, "select covers, n_covered from sources") == [("looked.txt", 2)]


def test_covered_proteins_that_are_unknown_are_all_named(three: Path, tmp_path: Path) -> None:
    listing = tmp_path / "looked.txt"
    listing.write_text("P1\nQ1\nQ2\n")
    with pytest.raises(InputError, match=r"(?s)2 faults.*Q1 is not.*Q2 is not"):
        add(three, tmp_path, row("P1", 3, 9), covers=str(listing))


def test_an_export_can_cover_all(three: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "e.tsv", [{"Entry": "P1", "Turn": "TURN 3"}])
    add_annotations(three, [export], covers="all")
    assert covered(three, "uniprot") == ["P1", "P2", "P3"]


# -- faults --------------------------------------------------------------------------------------

BAD_ROWS = [
    (row("Q9", 3, 9), "unknown protein"),
    (row("", 3, 9), "no accession"),
    (row("P1", 9, 3), "start after stop"),
    (row("P1", 0, 3), "start below 1"),
    (row("P1", -4, 3), "start below 1"),
    (row("P1", 3, 61), "stop beyond the end"),
    (row("P1", 61, 70), "start beyond the end"),
    (row("P1", "x", 3), "start is not a whole number"),
    (row("P1", 3.5, 9), "start is not a whole number"),
    (row("P1", 3, "1e1"), "stop is not a whole number"),
    (row("P1", "", 3), "no start"),
    (row("P1", 3, ""), "no stop"),
    (row("P1", 3, 9, ""), "no concept"),
    (row("P1", 3, 9, "other", level="protein"), "level is neither residue nor domain"),
]


@pytest.mark.parametrize(
    ("bad", "reason"), BAD_ROWS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_bad_row_refuses_the_table_and_is_named(
    three: Path, tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=rf"row 2 of lab\.csv: .*{reason}") as caught:
        add(three, tmp_path, row("P1", 3, 9), bad)
    assert "--skip-bad" in str(caught.value)
    assert spans(three) == []


def test_all_faults_are_in_one_message_and_nothing_is_changed(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 1, 2))
    with pytest.raises(InputError) as caught:
        add(three, tmp_path, *(bad for bad, _ in BAD_ROWS[:8]))
    assert "8 faults" in str(caught.value)
    for place, (_, reason) in enumerate(BAD_ROWS[:8], start=1):
        assert f"row {place} of lab.csv" in str(caught.value)
        assert reason in str(caught.value)
    assert "P1 3..61 loop (60 residues): stop beyond the end" in str(caught.value)
    assert spans(three) == [("P1", "loop", 1, 2)]


def test_a_row_with_two_faults_names_both(three: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown protein, start is not a whole number, stop below 1"):
        add(three, tmp_path, row("Q9", "x", 0))


def test_skip_bad_keeps_bad_rows_in_rejects(three: Path, tmp_path: Path) -> None:
    report = add(three, tmp_path, row("P1", 3, 9), *(bad for bad, _ in BAD_ROWS), skip_bad=True)
    assert spans(three) == [("P1", "loop", 3, 9)]
    assert sorted(reason for _, reason in rejects(three)) == sorted(reason for _, reason in BAD_ROWS)
    assert report.n_rejects == len(BAD_ROWS)
    assert ask(three, "select min(row), max(row) from rejects") == [(2, len(BAD_ROWS) + 1)]
    assert ask(three, "select n_annotations, n_rejects from sources") == [(1, len(BAD_ROWS))]


def test_a_table_of_which_nothing_can_be_taken_is_refused(three: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of 2 rows can be taken \(unknown protein \(2\)\)"):
        add(three, tmp_path, row("P8", 3, 9), row("P9", 3, 9), skip_bad=True)
    assert ask(three, "select count(*) from sources where source <> 'sequence'") == [(0,)]


@pytest.mark.parametrize(
    ("column", "one", "other"), [("level", "residue", "domain"), ("category", "north", "south")]
)
def test_one_concept_with_two_levels_or_categories_is_a_fault(
    three: Path, tmp_path: Path, column: str, one: str, other: str
) -> None:
    rows = [row("P1", 3, 9, **{column: one}), row("P2", 3, 9), row("P3", 3, 9, **{column: other})]
    with pytest.raises(InputError, match=r"row 3 of lab\.csv: .*concept has two"):
        add(three, tmp_path, *rows)
    add(three, tmp_path, *rows, skip_bad=True)
    assert [accession for accession, *_ in spans(three)] == ["P1", "P2"]


def test_a_level_that_is_none_does_not_become_the_concept_s(three: Path, tmp_path: Path) -> None:
    rows = [row("P1", 3, 9, level="protein"), row("P2", 3, 9), row("P3", 3, 9, level="residue")]
    add(three, tmp_path, *rows, skip_bad=True)
    assert rejects(three) == [("P1", "level is neither residue nor domain")]
    assert [level for _, _, _, level, _ in concepts(three)] == ["residue"]


def test_missing_columns_are_all_named_at_once(three: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start, concept"):
        add_annotations(three, [write_table(tmp_path / "a.csv", [{"accession": "P1", "stop": 3}])])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b">P1\nMKV\n", "FASTA holds no annotations"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"accession,start,stop,concept\n", "no row"),
        (b"PAR1 and no more", "truncated or damaged Parquet"),
    ],
)
def test_a_file_without_annotations_is_refused(
    three: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "lab.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        add_annotations(three, [path])


def test_exports_and_tables_are_not_one_source(three: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "e.tsv", [{"Entry": "P1", "Turn": "TURN 3"}])
    table = write_table(tmp_path / "a.csv", [row("P1", 3, 9)])
    with pytest.raises(InputError, match="one after the other"):
        add_annotations(three, [export, table])


# -- sources -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source"),
    [("lab.csv", "lab"), ("my.sites.v2.csv.gz", "my.sites.v2"), ("2024-01-01.tsv", "2024-01-01")],
)
def test_a_source_is_named_after_its_file(three: Path, tmp_path: Path, name: str, source: str) -> None:
    assert add(three, tmp_path, row("P1", 3, 9), name=name).source == source


@pytest.mark.parametrize("source", ["", "my lab", "-x", "a/b", "x" * 65, "sequence", "Sequence"])
def test_a_name_that_cannot_be_a_source_is_refused(three: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match="--source"):
        add(three, tmp_path, row("P1", 3, 9), source=source)


def test_several_tables_need_a_name(three: Path, tmp_path: Path) -> None:
    files = [write_table(tmp_path / name, [row("P1", 3, 9)]) for name in ("a.csv", "b.csv")]
    with pytest.raises(InputError, match="--source"):
        add_annotations(three, files)


def test_loading_a_source_again_replaces_it(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "old"), row("P1", 3, 99, "kept"), skip_bad=True)
    again = add(three, tmp_path, row("P2", 4, 5, "kept", level="residue"), covers="listed")
    assert "replaces the 1 annotations on 3 covered proteins" in "\n".join(again.lines())
    assert spans(three) == [("P2", "kept", 4, 5)]
    assert [(name, level) for _, name, _, level, _ in concepts(three)] == [("kept", "residue")]
    assert (covered(three), rejects(three)) == (["P2"], [])
    assert ask(three, "select source, covers, n_annotations, n_covered, n_rejects from sources") == [
        ("lab", "listed", 1, 1, 0)
    ]


def test_concept_keys_stay_when_a_source_is_loaded_again(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "m"), row("P1", 3, 9, "z"))
    before = {name: key for key, name, *_ in concepts(three)}
    add(three, tmp_path, row("P1", 3, 9, "z"), row("P1", 3, 9, "a"), row("P1", 3, 9, "m"))
    after = {name: key for key, name, *_ in concepts(three)}
    assert {name: after[name] for name in before} == before
    assert after["a"] == max(before.values()) + 1


def test_the_amino_acids_keep_the_first_twenty_keys(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "amino_acid_A"))
    rows = ask(
        three, "select concept_id, concept from concepts where source = 'sequence' order by concept_id"
    )
    assert [key for key, _ in rows] == list(range(20))
    assert concepts(three)[0][1] == "lab:amino_acid_A"


def test_a_name_that_another_source_has_is_qualified_and_stays_so(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "Helix"), name="first.csv")
    add(three, tmp_path, row("P2", 3, 9, "Helix"), name="second.csv")
    assert [(name, source) for _, name, _, _, source in concepts(three)] == [
        ("Helix", "first"),
        ("second:Helix", "second"),
    ]
    before = concepts(three)
    add(three, tmp_path, row("P1", 3, 9, "other"), name="first.csv")  # 'Helix' is free again
    add(three, tmp_path, row("P2", 4, 9, "Helix"), name="second.csv")
    assert concepts(three)[0] == before[1]
    assert spans(three) == [("P1", "other", 3, 9), ("P2", "second:Helix", 4, 9)]


def test_two_concepts_that_would_get_one_name_are_refused(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9, "x"), name="first.csv")
    with pytest.raises(InputError, match="two concepts would be called second:x"):
        add(three, tmp_path, row("P1", 3, 9, "x"), row("P1", 3, 9, "second:x"), name="second.csv")


def test_keys_are_unique_over_all_sources_after_reloads(three: Path, tmp_path: Path) -> None:
    for _ in range(2):
        for name in ("first.csv", "second.csv"):
            add(three, tmp_path, row("P1", 3, 9, "a"), row("P2", 3, 9, "b"), row("P3", 1, 2, "b"), name=name)
    ((n, n_annotations, n_instances),) = ask(
        three, "select count(*), count(distinct annotation_id), count(distinct instance_id) from annotations"
    )
    assert n == n_annotations == n_instances == 6


def test_sources_stand_beside_each_other(three: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "e.tsv", [{"Entry": "P1", "Turn": "TURN 3; TURN 99"}])
    add_annotations(three, [export])
    add(three, tmp_path, row("P1", 3, 9))
    assert spans(three) == [("P1", "Turn", 3, 3), ("P1", "loop", 3, 9)]
    add(three, tmp_path, row("P2", 3, 9))
    assert rejects(three) == [("P1", "start beyond the sequence")]
    assert ask(three, "select source, count(*) from coverage group by source order by source") == [
        ("lab", 3),
        ("uniprot", 1),
    ]


def test_a_run_is_recorded_with_the_checksums_of_its_files(three: Path, tmp_path: Path) -> None:
    add(three, tmp_path, row("P1", 3, 9))
    ((settings, fingerprints),) = ask(
        three, "select settings, fingerprints from runs where command = 'add annotations'"
    )
    assert '"source": "lab"' in settings
    assert "lab.csv" in fingerprints


def test_the_holder_of_the_lock_is_named(three: Path, tmp_path: Path) -> None:
    with store.write(three, command="encode"), pytest.raises(LockedError, match="encode"):
        add(three, tmp_path, row("P1", 3, 9))


def test_a_laboratory_s_own_table_is_taken_whole(warehouse: Path, shared: Path) -> None:
    add_proteins(warehouse, [shared / "data" / "signalp5_proteins.csv.gz"])
    table = shared / "data" / "signalp5_annotations.csv.gz"
    with gzip.open(table, "rt") as handle:
        expected = sorted(
            (r["accession"], r["concept"], int(r["start"]), int(r["stop"])) for r in csv.DictReader(handle)
        )
    report = add_annotations(warehouse, [table])
    assert spans(warehouse) == expected
    assert (report.n_covered, report.n_rejects) == (20758, 0)
