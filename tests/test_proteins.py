"""Proteins come in from any format; bad rows, twins and draws follow the rules."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.ingest.proteins import AddProteinsReport, add_proteins


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def table(path: Path, *rows: str, header: str = "accession,sequence") -> Path:
    return write(path, "\n".join((header, *rows)) + "\n")


def export(path: Path, *rows: tuple[str, str, str]) -> Path:
    """Write (accession, length, sequence) as a UniProtKB export."""
    lines = [f"{accession}\treviewed\tName\t{length}\t{sequence}" for accession, length, sequence in rows]
    return write(path, "\n".join(("Entry\tReviewed\tProtein names\tLength\tSequence", *lines)) + "\n")


def proteins(warehouse: Path, columns: str = "accession, sequence") -> list[tuple[Any, ...]]:
    with store.open(warehouse) as wh:
        return wh.con.execute(f"select {columns} from proteins order by protein_id").fetchall()


def splits(warehouse: Path) -> dict[str, str]:
    return dict(proteins(warehouse, "accession, split"))


def rejects(warehouse: Path) -> list[tuple[Any, ...]]:
    with store.open(warehouse) as wh:
        return wh.con.execute(
            "select row, accession, reason, text from rejects order by row, reason"
        ).fetchall()


def side(key: str, seed: int = 0) -> str:
    """The rule of the split, a second time."""
    return "valid" if hashlib.md5(f"{seed}:{key}".encode()).hexdigest()[31] < "8" else "test"


# -- formats -----------------------------------------------------------------------------------------


def test_fasta_headers_give_accession_name_organism_and_review(warehouse: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.fasta",
        ">sp|P12345|AATM_RABIT Aspartate aminotransferase OS=Oryctolagus cuniculus OX=9986 GN=GOT2 PE=1\n"
        "MKV\nLAA\n\n>tr|Q1|Q1_X\nMA\n>UniRef50_A0 some protein n=3\nMC\n>sp|O1|\nMD\n>plain\nME",
    )
    add_proteins(warehouse, [path])
    assert proteins(warehouse, "protein_id, accession, name, organism, reviewed, sequence, length") == [
        (0, "P12345", "Aspartate aminotransferase", "Oryctolagus cuniculus", True, "MKVLAA", 6),
        (1, "Q1", "Q1_X", None, False, "MA", 2),
        (2, "UniRef50_A0", "some protein n=3", None, None, "MC", 2),
        (3, "O1", None, None, True, "MD", 2),
        (4, "plain", None, None, None, "ME", 2),
    ]


def test_an_export_keeps_quotes_cofactors_and_organism(warehouse: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "u.tsv",
        "Entry\tReviewed\tProtein names\tOrganism\tLength\tSequence\tCofactor\n"
        "P1\treviewed\tThe \"3' protein\tHomo sapiens (Human)\t3\tMKV\tCOFACTOR: Name=Zn(2+);\n"
        "P2\tunreviewed\t\t\t2\tMA\t\n",
    )
    add_proteins(warehouse, [path])
    assert proteins(warehouse, "accession, name, organism, reviewed, note") == [
        ("P1", "The \"3' protein", "Homo sapiens (Human)", True, "COFACTOR: Name=Zn(2+);"),
        ("P2", None, None, False, None),
    ]


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "csv.gz"])
def test_tables_give_all_their_columns(warehouse: Path, tmp_path: Path, kind: str) -> None:
    columns: dict[str, list[Any]] = {
        "accession": ["P1", "P2"],
        "sequence": ["MKV", "MAA"],
        "name": ["one, two", None],
        "organism": ["Yeast", None],
        "split": ["train", None],
        "cluster": ["c1", None],
        "is_private": [True, None],
        "extra": [1, 2],
    }
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        delimiter = "\t" if kind == "tsv" else ","
        rows = [delimiter.join(columns)]
        for values in zip(*columns.values(), strict=True):
            rows.append(delimiter.join("" if v is None else f'"{v}"' for v in values))
        content = ("\n".join(rows) + "\n").encode()
        path.write_bytes(gzip.compress(content) if kind == "csv.gz" else content)
    report = add_proteins(warehouse, [path])
    assert proteins(warehouse, "accession, name, organism, split, cluster, is_private") == [
        ("P1", "one, two", "Yeast", "train", "c1", True),
        ("P2", None, None, side("MAA"), None, False),
    ]
    assert report.unread == ("extra",)
    assert "columns not read: extra" in "\n".join(report.lines())


def test_several_files_are_one_input_in_their_order(warehouse: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "z.fasta", ">B\nMK\n")
    second = table(tmp_path / "a.csv", "A,MKV")
    add_proteins(warehouse, [first, second])
    assert proteins(warehouse, "protein_id, accession") == [(0, "B"), (1, "A")]


def test_ids_go_on_where_the_warehouse_ends(warehouse: Path, tmp_path: Path) -> None:
    add_proteins(warehouse, [table(tmp_path / "1.csv", "A,MK", "B,MR")])
    add_proteins(warehouse, [table(tmp_path / "2.csv", "C,MC", "A,MK", "D,MD")])
    assert proteins(warehouse, "protein_id, accession") == [(0, "A"), (1, "B"), (2, "C"), (3, "D")]


def test_the_header_alone_adds_nothing_and_publishes_nothing(warehouse: Path, tmp_path: Path) -> None:
    before = (warehouse / "warehouse.duckdb").stat().st_ino
    report = add_proteins(warehouse, [table(tmp_path / "a.csv")])
    assert (report.n_rows, report.n_added) == (0, 0)
    assert (warehouse / "warehouse.duckdb").stat().st_ino == before


# -- tidying and faults ------------------------------------------------------------------------------


def test_case_stops_and_white_space_are_tidied_counted_and_said(warehouse: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.fasta", ">A\nmKv\n>B\nMK V \n>C\nMKA*\n>D\nM K\tv*\n>E\nMKV\n")
    report = add_proteins(warehouse, [path])
    assert proteins(warehouse) == [("A", "MKV"), ("B", "MKV"), ("C", "MKA"), ("D", "MKV"), ("E", "MKV")]
    assert (report.n_upper_cased, report.n_stop_dropped, report.n_space_removed) == (2, 2, 2)
    said = "\n".join(report.lines())
    assert "2 had lower-case" in said and "2 ended in *" in said and "2 had white space" in said


def test_rare_letters_are_taken(warehouse: Path, tmp_path: Path) -> None:
    add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MXUBZOJ")])
    assert proteins(warehouse) == [("A", "MXUBZOJ")]


BAD_ROWS = [
    ("A,MK*V", "'*' at position 3"),
    ("A,MKV**", "'*' at position 4"),
    ("A,MK-V", "'-' at position 3"),
    ("A,M1V", "'1' at position 2"),
    ("A,MK\u017f", "'\u017f' at position 3"),
    ("A,", "the sequence is empty"),
    ("A,*", "the sequence is empty"),
    (",MKV", "there is no accession"),
    ("A B,MKV", "white space or control"),
    (f"{'A' * 129},MKV", "the accession is too long"),
]


@pytest.mark.parametrize(("row", "words"), BAD_ROWS)
def test_a_bad_row_is_a_fault_with_its_place(warehouse: Path, tmp_path: Path, row: str, words: str) -> None:
    path = table(tmp_path / "a.csv", "OK,MKV", row)
    with pytest.raises(InputError) as caught:
        add_proteins(warehouse, [path])
    assert "row 2 of a.csv" in str(caught.value) and words in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    assert proteins(warehouse) == []


def test_all_faults_of_all_files_are_in_one_error(warehouse: Path, tmp_path: Path) -> None:
    first = table(
        tmp_path / "a.csv", "A,M-V,valid,", "B,,nowhere,perhaps", header="accession,sequence,split,is_private"
    )
    second = write(tmp_path / "b.fasta", ">\nMKV\n")
    with pytest.raises(InputError) as caught:
        add_proteins(warehouse, [first, second])
    text = str(caught.value)
    assert "5 faults" in text
    for words in (
        "row 1 of a.csv (A): the sequence holds a character",
        "row 2 of a.csv (B): is_private is neither true nor false (perhaps)",
        "row 2 of a.csv (B): the sequence is empty",
        "row 2 of a.csv (B): the split is not train, valid or test (nowhere)",
        "row 1 of b.fasta: there is no accession",
    ):
        assert words in text


def test_skip_bad_keeps_bad_rows_in_rejects(warehouse: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "A,MK-", "B,MKV")
    report = add_proteins(warehouse, [path], skip_bad=True)
    assert proteins(warehouse) == [("B", "MKV")]
    assert (report.n_rows, report.n_added, report.n_rejected) == (2, 1, 1)
    reason = "the sequence holds a character that is no letter A to Z"
    assert rejects(warehouse) == [(1, "A", reason, "'-' at position 3")]
    assert report.reasons == ((reason, 1),)
    before = (warehouse / "warehouse.duckdb").stat().st_ino
    again = add_proteins(warehouse, [path], skip_bad=True)
    assert (again.n_present, again.n_rejected) == (1, 1)
    assert (warehouse / "warehouse.duckdb").stat().st_ino == before  # nothing is new
    assert len(rejects(warehouse)) == 1  # the same row of the same file is kept once


def test_bad_rows_of_an_export_are_rejected_and_the_rest_is_added(warehouse: Path, tmp_path: Path) -> None:
    path = export(
        tmp_path / "u.tsv", ("A", "4", "MKV"), ("B", "x", "MKV"), ("C", "3", "MKV"), ("", "2", "MK")
    )
    with path.open("a", encoding="utf-8") as handle:
        handle.write("D\treviewed\tcut off")
    report = add_proteins(warehouse, [path])
    assert proteins(warehouse) == [("C", "MKV")]
    assert report.n_rejected == 4
    length = "the sequence is not as long as the row says"
    assert rejects(warehouse) == [
        (1, "A", length, "4 stated, 3 letters"),
        (2, "B", length, "x stated, 3 letters"),
        (4, None, "there is no accession", None),
        (5, "D", "the row has another number of fields than the header", None),
    ]


def test_missing_columns_and_unusable_files_are_refused(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column accession, sequence"):
        add_proteins(warehouse, [write(tmp_path / "a.csv", "id,seq\n1,M\n")])
    with pytest.raises(InputError, match="no column Sequence"):
        add_proteins(warehouse, [write(tmp_path / "u.tsv", "Entry\tLength\nP1\t3\n")])
    with pytest.raises(InputError, match="is empty"):
        add_proteins(warehouse, [write(tmp_path / "e", "")])
    with pytest.raises(InputError, match="at least one file"):
        add_proteins(warehouse, [])


@pytest.mark.parametrize("option", [{"sample": 0}, {"max_length": -1}])
def test_numbers_that_make_no_sense_are_refused(
    warehouse: Path, tmp_path: Path, option: dict[str, int]
) -> None:
    with pytest.raises(InputError, match="above 0"):
        add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")], **option)


def test_accessions_are_only_text(warehouse: Path, tmp_path: Path) -> None:
    odd = ["../../x", "';drop", "<script>", "$seed", "{}", "a/b", "Ünï", "null", "nan", "8"]
    add_proteins(warehouse, [table(tmp_path / "a.csv", *[f"{name},MK" for name in odd])])
    assert [a for (a,) in proteins(warehouse, "accession")] == odd


# -- the same again ----------------------------------------------------------------------------------


def test_the_same_protein_again_is_skipped_and_counted(warehouse: Path, tmp_path: Path) -> None:
    add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")])
    report = add_proteins(warehouse, [write(tmp_path / "b.fasta", ">A\nmk*\n>B\nMR\n>B\nMR\n")])
    assert (report.n_rows, report.n_added, report.n_present, report.n_repeated) == (3, 1, 1, 1)
    assert proteins(warehouse) == [("A", "MK"), ("B", "MR")]


def test_an_accession_with_another_sequence_is_a_fault_each_named(warehouse: Path, tmp_path: Path) -> None:
    add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK", "B,MR")])
    with pytest.raises(InputError) as caught:
        add_proteins(warehouse, [table(tmp_path / "b.csv", "A,MKV", "B,MRV", "C,MC", "C,MD")])
    text = str(caught.value)
    assert "row 1 of b.csv (A): the accession stands for another sequence already (in the warehouse)" in text
    assert "row 2 of b.csv (B)" in text
    assert (
        "row 4 of b.csv (C): the accession stands for another sequence already (earlier in the input)" in text
    )
    assert "3 faults" in text


def test_in_an_export_another_sequence_is_rejected_and_counted(warehouse: Path, tmp_path: Path) -> None:
    add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")])
    report = add_proteins(warehouse, [export(tmp_path / "u.tsv", ("A", "3", "MKV"), ("B", "2", "MR"))])
    assert (report.n_added, report.n_rejected) == (1, 1)
    assert proteins(warehouse) == [("A", "MK"), ("B", "MR")]
    assert rejects(warehouse)[0][:2] == (1, "A")


# -- splits ------------------------------------------------------------------------------------------


def test_the_split_is_md5_of_seed_and_sequence_or_cluster(tmp_path: Path) -> None:
    warehouse = store.init(tmp_path / "w", seed=7)
    letters = "ACDEFGHIKLMNPQRSTVWY"
    rows = [f"P{i},M{letters[i % 20]}{letters[i // 20]},{f'c{i // 4}' if i < 40 else ''}" for i in range(200)]
    add_proteins(warehouse, [table(tmp_path / "a.csv", *rows, header="accession,sequence,cluster")])
    stored = proteins(warehouse, "sequence, cluster, split")
    assert all(split == side(cluster or sequence, 7) for sequence, cluster, split in stored)
    n_valid = sum(split == "valid" for _, _, split in stored)
    assert 70 < n_valid < 130


def test_the_sample_key_is_seven_digits_of_md5_of_seed_and_accession(tmp_path: Path) -> None:
    warehouse = store.init(tmp_path / "w", seed=3)
    add_proteins(warehouse, [table(tmp_path / "a.csv", "P1,MK", "P2,MR")])
    for accession, key in proteins(warehouse, "accession, sample_key"):
        assert key == int(hashlib.md5(f"3:{accession}".encode()).hexdigest()[:7], 16)


def test_twins_stand_on_one_side_whenever_they_come(warehouse: Path, tmp_path: Path) -> None:
    other = "test" if side("MK") == "valid" else "valid"  # not what the hash says
    header = "accession,sequence,split"
    add_proteins(warehouse, [table(tmp_path / "a.csv", f"A,MK,{other}", "B,MK,", header=header)])
    add_proteins(warehouse, [table(tmp_path / "b.csv", "C,MK", "D,mk")])
    assert splits(warehouse) == dict.fromkeys("ABCD", other)


def test_a_twin_of_a_clustered_protein_goes_with_the_cluster(warehouse: Path, tmp_path: Path) -> None:
    header = "accession,sequence,cluster"
    name = next(f"c{i}" for i in range(100) if side(f"c{i}") != side("MK"))
    add_proteins(
        warehouse, [table(tmp_path / "a.csv", "A,MK,", f"B,MK,{name}", f"C,MR,{name}", header=header)]
    )
    assert set(splits(warehouse).values()) == {side(name)}


def test_relatives_follow_an_earlier_twin_without_a_cluster(warehouse: Path, tmp_path: Path) -> None:
    name = next(f"c{i}" for i in range(100) if side(f"c{i}") != side("MK"))
    add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")])
    rows = [f"B,MK,{name}", f"C,MR,{name}"]
    add_proteins(warehouse, [table(tmp_path / "b.csv", *rows, header="accession,sequence,cluster")])
    assert splits(warehouse) == dict.fromkeys("ABC", side("MK"))


def test_a_cluster_goes_with_the_split_that_is_given_for_one_of_it(warehouse: Path, tmp_path: Path) -> None:
    rows = ["A,MK,,c", "B,MR,train,c"]
    add_proteins(warehouse, [table(tmp_path / "a.csv", *rows, header="accession,sequence,split,cluster")])
    add_proteins(warehouse, [table(tmp_path / "b.csv", "C,MC,c", header="accession,sequence,cluster")])
    assert splits(warehouse) == dict.fromkeys("ABC", "train")


@pytest.mark.parametrize(
    ("before", "rows", "words"),
    [
        ([], ["A,MK,valid,", "B,MK,test,"], "in another split already (valid there, test here)"),
        ([], ["A,MK,valid,c", "B,MR,test,c"], "in another split already (valid there, test here)"),
        (["A,MK,valid,"], ["B,MK,test,"], "in another split already (valid there, test here)"),
        (["A,MK,valid,"], ["A,MK,test,"], "in another split already (valid there, test here)"),
        ([], ["A,MK,,c1", "B,MK,,c2"], "the same sequence stands in two clusters (c1 and c2)"),
        (["A,MK,,c1"], ["A,MK,,c2"], "in another cluster already (c1 in the warehouse, c2 here)"),
        (["A,MK,,"], ["A,MK,,c2"], "in another cluster already (none in the warehouse, c2 here)"),
        (
            ["A,MK,valid,", "B,MR,test,c"],
            ["C,MK,,c"],
            "it joins proteins of the warehouse that are in different splits (cluster c)",
        ),
    ],
)
def test_what_would_put_twins_or_relatives_on_both_sides_is_a_fault(
    warehouse: Path, tmp_path: Path, before: list[str], rows: list[str], words: str
) -> None:
    header = "accession,sequence,split,cluster"
    if before:
        add_proteins(warehouse, [table(tmp_path / "a.csv", *before, header=header)])
    with pytest.raises(InputError) as caught:
        add_proteins(warehouse, [table(tmp_path / "b.csv", *rows, header=header)])
    assert words in str(caught.value)
    assert len(proteins(warehouse)) == len(before)


# -- draws -------------------------------------------------------------------------------------------


def drawn(warehouse: Path) -> set[str]:
    return {a for (a,) in proteins(warehouse, "accession")}


def test_a_sample_is_the_first_by_md5_of_seed_and_accession(warehouse: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", *[f"P{i},M{'K' * i}" for i in range(1, 51)])
    report = add_proteins(warehouse, [path], sample=10, seed=5)
    ranked = sorted((hashlib.md5(f"5:P{i}".encode()).hexdigest(), f"P{i}") for i in range(1, 51))
    assert drawn(warehouse) == {accession for _, accession in ranked[:10]}
    assert (report.n_added, report.n_not_drawn) == (10, 40)
    again = add_proteins(warehouse, [path], sample=10, seed=5)
    assert (again.n_added, again.n_present, again.n_not_drawn) == (0, 10, 40)


def test_the_draw_is_made_among_those_that_are_short_enough(warehouse: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", *[f"P{i},M{'K' * i}" for i in range(1, 21)])
    report = add_proteins(warehouse, [path], sample=3, max_length=6)
    assert (report.n_added, report.n_too_long, report.n_not_drawn) == (3, 15, 2)
    assert max(len(sequence) for _, sequence in proteins(warehouse)) <= 6
    assert "15 are longer than --max-length" in "\n".join(report.lines())


def test_a_sample_larger_than_the_input_takes_all(warehouse: Path, tmp_path: Path) -> None:
    assert add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")], sample=9).n_added == 1


def total(report: AddProteinsReport) -> int:
    return (
        report.n_added + report.n_present + report.n_repeated + report.n_too_long + report.n_not_drawn
        + report.n_rejected
    )  # fmt: skip


def test_every_row_is_counted_once(warehouse: Path, tmp_path: Path) -> None:
    rows = ["A,MK", "A,MK", "B,MKKKKKKK", "C,M-", "D,MD", "E,ME", "F,MF", "A,MR"]
    report = add_proteins(
        warehouse, [table(tmp_path / "a.csv", *rows)], sample=2, max_length=5, skip_bad=True
    )
    assert report.n_rows == total(report) == 8
    assert (report.n_repeated, report.n_too_long, report.n_rejected) == (1, 1, 2)


# -- the runs ----------------------------------------------------------------------------------------


def test_the_run_keeps_settings_and_checksums(warehouse: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "A,MK")
    add_proteins(warehouse, [path], max_length=9)
    with store.open(warehouse) as wh:
        (run,) = wh.sql("select * from runs where command = 'add proteins'").to_pylist()
    assert '"max_length": 9' in run["settings"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() in run["fingerprints"]


def test_readers_have_the_warehouse_open_while_proteins_are_added(warehouse: Path, tmp_path: Path) -> None:
    with store.open(warehouse) as wh:
        add_proteins(warehouse, [table(tmp_path / "a.csv", "A,MK")])
        assert wh.con.execute("select count(*) from proteins").fetchone() == (0,)
        assert wh.refresh()
        assert wh.con.execute("select count(*) from proteins").fetchone() == (1,)


# -- real files --------------------------------------------------------------------------------------


def test_the_real_entries_of_uniprot_are_all_added(warehouse: Path, shared: Path) -> None:
    report = add_proteins(warehouse, [shared / "data" / "uniprot_real_158.tsv.gz"])
    assert (report.n_rows, report.n_added, report.n_rejected) == (158, 158, 0)
    with store.open(warehouse) as wh:
        apart = "select sequence from proteins group by sequence having count(distinct split) > 1"
        assert wh.con.execute(apart).fetchall() == []
        longest = wh.con.execute("select min(length), max(length) from proteins").fetchone()
        notes = wh.con.execute(
            "select count(*) from proteins where starts_with(note, 'COFACTOR:')"
        ).fetchone()
    assert longest == (20, 5207)
    assert notes is not None and notes[0] > 0


def test_the_synthetic_export_agrees_with_the_golden_proteins(warehouse: Path, golden: Path) -> None:
    add_proteins(warehouse, [golden / "proteins.csv.gz"])
    report = add_proteins(warehouse, [golden / "uniprot_synth.tsv.gz"])
    assert (report.n_present, report.n_added, report.n_rejected) == (300, 4, 0)
    with store.open(warehouse) as wh:
        twins = wh.con.execute(
            "select list(accession order by accession), count(distinct split) from proteins "
            "group by sequence having count(*) > 1"
        ).fetchall()
    assert twins == [(["O0AA00", "O9RB03"], 1)]


def test_signal_peptide_folds_stay_in_their_splits(warehouse: Path, shared: Path) -> None:
    add_proteins(warehouse, [shared / "data" / "signalp5_proteins.csv.gz"])
    with store.open(warehouse) as wh:
        rows = wh.con.execute("select distinct cluster, split from proteins order by cluster").fetchall()
    assert rows == [(f"fold{i}", s) for i, s in enumerate(["train", "train", "train", "valid", "test"])]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_an_export_as_large_as_swiss_prot_is_added_within_two_and_a_half_gigabytes(
    warehouse: Path, tmp_path: Path, shared: Path
) -> None:
    lines = gzip.decompress((shared / "data" / "uniprot_real_158.tsv.gz").read_bytes()).splitlines()
    entries = [line.split(b"\t", 1)[1] for line in lines[1:]]
    path = tmp_path / "export.tsv"
    with path.open("wb") as handle:
        handle.write(lines[0] + b"\n")
        for i in range(570_000):
            handle.write(b"P%06d\t%s\n" % (i, entries[i % len(entries)]))
    # The peak of this process alone: what getrusage says of it begins at the peak of the one that forked it.
    script = (
        "import sys; from pathlib import Path; from interplm_wh.ingest.proteins import add_proteins; "
        "print(add_proteins(sys.argv[1], [sys.argv[2]]).n_added); "
        "status = Path('/proc/self/status').read_text(); "
        "print(status.split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(warehouse), str(path)], capture_output=True, text=True, check=True
    )
    n_added, kilobytes = (int(line) for line in done.stdout.split())
    assert n_added == 570_000
    assert kilobytes < 2.5e6
