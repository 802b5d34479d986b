"""Annotations in the formats of other tools: positions, instances, coverage and faults of each."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import make

from interplm_wh import build, store
from interplm_wh.errors import InputError
from interplm_wh.ingest.annotation_formats import recognise
from interplm_wh.ingest.annotation_names import ANNOTATION_FORMATS, AnnotationFormat
from interplm_wh.ingest.annotations import AddAnnotationsReport, add_annotations
from tests.annotations_helpers import ask, put_proteins, rejects, spans

# 60, 60, 90 and 12 residues.
SEQUENCES = {"P1": "MKV" * 20, "P2": "ACD" * 20, "P3": "MKV" * 30, "P4": "ACDEFGHIKLMN"}
MD5 = {name: hashlib.md5(sequence.encode()).hexdigest() for name, sequence in SEQUENCES.items()}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_proteins(store.init(tmp_path_factory.mktemp("template") / "warehouse"), SEQUENCES)


@pytest.fixture
def four(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "warehouse"))


def load(warehouse: Path, name: str, text: str, **options: Any) -> AddAnnotationsReport:
    path = warehouse.parent / name
    path.write_text(text, encoding="utf-8")
    return add_annotations(warehouse, [path], **options)


def covered(warehouse: Path) -> list[str]:
    rows = ask(warehouse, "select accession from coverage inner join proteins using (protein_id) order by 1")
    return [accession for (accession,) in rows]


def instances(warehouse: Path) -> list[tuple[str, str, list[list[int]]]]:
    """Return (accession, concept, spans) of every instance."""
    return ask(
        warehouse,
        "select p.accession, c.concept, list([a.start, a.stop] order by a.start) as spans "
        "from annotations as a inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "group by p.accession, c.concept, a.instance_id order by all",
    )


# -- GFF3 ----------------------------------------------------------------------------------------

GFF3 = """##gff-version 3
##sequence-region P1 1 60
##sequence-region P2 1 60
##sequence-region Q9 1 10
P1\tlab\tDomain\t3\t9\t.\t.\t.\tID=d1;Name=SH3%2C%20first;Note=a note
P1\tlab\tDomain\t20\t29\t.\t.\t.\tID=d1;Name=SH3%2C%20first
P1\tlab\tpart\t3\t4\t.\t.\t.\tID=p1;Parent=d1
# a comment
P1\tlab\tsite\t60\t60\t0.5\t+\t.\tNote=zinc,second
P3\tlab\tHelix\t1\t90\t.\t.\t.\t.
###
##FASTA
>P1
P1\tlab\tDomain\t40\t41\t.\t.\t.\tName=none
"""


def test_gff3_names_type_and_label_and_joins_lines_of_one_id(four: Path) -> None:
    report = load(four, "lab.gff3", GFF3)
    # GFF3 is 1-based and inclusive, as the warehouse is: 3..9 stays 3..9. The part takes its Parent's Name.
    assert instances(four) == [
        ("P1", "Domain_SH3, first", [[3, 9], [20, 29]]),
        ("P1", "part_SH3, first", [[3, 4]]),
        ("P1", "site_zinc", [[60, 60]]),
        ("P3", "Helix", [[1, 90]]),
    ]
    assert (report.source, report.n_rows, report.n_annotations) == ("lab", 5, 5)
    assert ask(four, "select distinct evidence from annotations") == [("lab",)]


def test_gff3_covers_its_sequence_regions_and_else_all(four: Path) -> None:
    report = load(four, "lab.gff3", GFF3)
    assert (report.covers, covered(four)) == ("listed", ["P1", "P2", "P3"])
    text = "\n".join(line for line in GFF3.splitlines() if "region" not in line)
    report = load(four, "lab.gff3", text)
    assert (report.covers, covered(four)) == ("all", ["P1", "P2", "P3", "P4"])
    assert any("all that the warehouse has now" in line for line in report.lines())


@pytest.mark.parametrize(("line", "reason"), [
    ("P1\tx\tD\t0\t9\t.\t.\t.\t.", "start below 1"),
    ("P1\tx\tD\t55\t65\t.\t.\t.\tIs_circular=true", "stop beyond the end"),  # proteins do not close
    ("P1\tx\tD\t9\t3\t.\t.\t.\t.", "start after stop"),
    ("P1\tx\tD\t.\t3\t.\t.\t.\t.", "start is not a whole number"),
    ("P1\tx\tD\t3\t9\t.\t-\t.\t.", "the strand is -"),
    ("P1\tx\tD\t3\t9\t.\t.\t.", "8 fields with tabs between, not 9"),
    ("Q1\tx\tD\t3\t9\t.\t.\t.\t.", "unknown protein"),
    ("P1\tx\tD\t3\t9\t.\t.\t.\tName=a%00b", "a control character in a name"),
    ("P1\tx\tD\t3\t9\t.\t.\t.\tName=%FF", "percent escapes are not UTF-8"),
    ("P1\tx\t\t3\t9\t.\t.\t.\tName=a", "no type"),
    ("##sequence-region P1 1 61", "the sequence-region is not the whole sequence"),
])  # fmt: skip
def test_faults_of_gff3_are_named_with_their_lines(four: Path, line: str, reason: str) -> None:
    text = f"##gff-version 3\n##sequence-region P2 1 60\n\n{line}\nP2\tx\tD\t3\t9\t.\t.\t.\t.\n"
    with pytest.raises(InputError) as error:
        load(four, "lab.gff3", text)
    assert f"line 4 of lab.gff3: {line.split()[0] if line[0] != '#' else 'P1'}" in str(error.value)
    assert reason in str(error.value)
    assert "--skip-bad" in str(error.value)
    load(four, "lab.gff3", text, skip_bad=True)
    assert spans(four) == [("P2", "D", 3, 9)]
    assert reason in rejects(four)[0][1]
    # What is said of another sequence says nothing of P1.
    assert covered(four) == (["P1", "P2"] if "P1\tx\tD" in line and "fault" not in _state(reason) else ["P2"])


def _state(reason: str) -> str:
    """Whether the reason is of the format rather than of a span, so that the protein is not covered."""
    return "span" if reason.startswith(("start", "stop")) else "fault"


def test_gff_of_another_version_is_refused(four: Path) -> None:
    with pytest.raises(InputError, match="GFF of version 2; convert"):
        load(four, "lab.gff", "##gff-version 2\nP1\tx\tD\t3\t9\t.\t.\t.\ta b\n")


# -- BED -----------------------------------------------------------------------------------------


def test_bed_is_0_based_and_half_open_and_blocks_are_one_instance(four: Path) -> None:
    text = (
        'track name="x"\n'
        "P1\t0\t60\tall\t0\t+\n"  # 0..60 half-open is 1..60
        "P2 4 5 one\n"  # 4..5 is the residue 5
        # Blocks at 10+0 and 10+15, of 5 and 6: 11..15 and 26..31; 10 + 15 + 6 = 31 is the end.
        "P3\t10\t31\tsplit\t0\t.\t10\t31\t0\t2\t5,6,\t0,15,\n"
    )
    report = load(four, "lab.bed", text)
    assert instances(four) == [
        ("P1", "all", [[1, 60]]),
        ("P2", "one", [[5, 5]]),
        ("P3", "split", [[11, 15], [26, 31]]),
    ]
    assert (report.covers, report.n_rows) == ("all", 3)


@pytest.mark.parametrize(("line", "reason"), [
    ("P1\t5\t5\tempty", "start after stop"),  # 6..5
    ("P1\t50\t61\tlong", "stop beyond the end"),
    ("P1\t-1\t6\tlow", "start below 1"),
    ("P1\t5\t9", "3 columns"),
    ("P1\tx\t9\tn", "start is not a whole number"),
    ("P1\t5\t9\tn\t0\t-", "the strand is -"),
    ("P1\t9223372036854775807\t9\tn", "start is not a whole number"),
    ("P3\t10\t31\tn\t0\t.\t0\t0\t0\t3\t5,6\t0,15", "its blocks do not fit"),
    ("P3\t10\t30\tn\t0\t.\t0\t0\t0\t2\t5,6\t0,15", "its blocks do not fit"),
    ("P3\t10\t31\tn\t0\t.\t0\t0\t0\t1000000000\t21\t0", "its blocks do not fit"),
    ("P3\t10\t31\tn\t0\t.\t0\t0\t0\tx\ty\tz", "its blocks do not fit"),
])  # fmt: skip
def test_faults_of_bed_are_named(four: Path, line: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"(?s)line 1 of lab.bed.*{reason}"):
        load(four, "lab.bed", line + "\n")


def test_a_headless_table_is_no_bed(four: Path) -> None:
    # Its positions may be 1-based: that must be said by the name or by --format.
    with pytest.raises(InputError, match="has no column"):
        load(four, "lab.tsv", "P1\t3\t9\tloop\n")
    load(four, "lab.tsv", "P1\t3\t9\tloop\n", format="bed")
    assert spans(four) == [("P1", "loop", 4, 9)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["P1", "P2"]), st.integers(1, 60), st.integers(1, 60), st.sampled_from("abc")
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_gff3_bed_and_csv_say_the_same(four: Path, found: list[tuple[str, int, int, str]]) -> None:
    rows = [(name, min(a, b), max(a, b), concept) for name, a, b, concept in found]
    expected = sorted((name, concept, start, stop) for name, start, stop, concept in rows)
    gff = "".join(f"{n}\tx\t{c}\t{a}\t{b}\t.\t.\t.\t.\n" for n, a, b, c in rows)
    load(four, "lab.gff3", "##gff-version 3\n" + gff)
    assert spans(four) == expected
    load(four, "lab.bed", "".join(f"{n}\t{a - 1}\t{b}\t{c}\n" for n, a, b, c in rows))
    assert spans(four) == expected


# -- InterPro ------------------------------------------------------------------------------------


def interpro(name: str, *fields: str, md5: str | None = None, length: int | None = None) -> str:
    known = SEQUENCES.get(name, "M")
    return "\t".join([name, md5 or MD5.get(name, "0" * 32), str(length or len(known)), *fields]) + "\n"


def test_interpro_is_named_by_analysis_and_description(four: Path) -> None:
    text = (
        interpro("P1", "Pfam", "PF00018", "SH3 domain", "3", "50", "1e-9", "T", "01-01-2025", "IPR001452",
                 "SH3_dom", "GO:1|GO:2", "-")
        + interpro("P1", "Gene3D", "G3DSA:2.30", "-", "2", "51", "1e-9", "T", "01-01-2025", "IPR9", "Entry")
        + interpro("P2", "PANTHER", "PTHR1", "-", "1", "60", "0", "T", "01-01-2025", "-", "-")
        + interpro("P2", "Pfam", "PF00018", "SH3 domain", "9", "30", "2", "F", "01-01-2025")
    )  # fmt: skip
    report = load(four, "run.tsv", text)
    assert spans(four) == [
        ("P1", "Gene3D_Entry", 2, 51),
        ("P1", "Pfam_SH3 domain", 3, 50),
        ("P2", "PANTHER_PTHR1", 1, 60),
    ]
    assert ask(four, "select note, evidence from annotations order by start desc limit 1") == [
        ("IPR001452 SH3_dom", "PF00018")
    ]
    assert rejects(four) == [("P2", "the status is not T")]  # left out, which is no fault
    assert (report.n_rows, report.n_rejects, report.covers) == (4, 1, "all")


@pytest.mark.parametrize(("line", "reason"), [
    (interpro("P1", *["x"] * 3, "3", "9", "0", "T", "d", md5="f" * 32), "the md5 is that of another"),
    (interpro("P1", *["x"] * 3, "3", "9", "0", "T", "d", length=61), "the length is 61 there"),
    (interpro("P1", *["x"] * 3, "3", "61", "0", "T", "d"), "stop beyond the end"),
    (interpro("Q1", *["x"] * 3, "3", "9", "0", "T", "d"), "unknown protein"),
    ("P1\tx\n", "2 fields with tabs between"),
])  # fmt: skip
def test_interpro_of_another_sequence_is_refused(four: Path, line: str, reason: str) -> None:
    good = interpro("P2", *["x"] * 3, "3", "9", "0", "T", "d")
    with pytest.raises(InputError, match=f"(?s)line 2 of run.tsv.*{reason}"):
        load(four, "run.tsv", good + line)


# -- Pfam ----------------------------------------------------------------------------------------

PFAM_SCAN = """# pfam_scan.pl,  run at Mon Jan  1 2025
#
# <seq id> <alignment start> <alignment end> <envelope start> <envelope end> <hmm acc> <hmm name> …

sp|P1|ONE_HUMAN      5     48      3     50 PF00018.31  SH3_1   Domain  1  48  48  60.1  1e-15   1 CL0010
P2      5     48      3     50 PF00019.31  Weak    Family  1  48  48   9.1  0.1   0 No_clan
"""
_HIT = (
    "{a}  {aa}  {la}  {b}  {ba}  {lb}  1e-9  50.0  0.1  1  1  1e-9  {e}  50.0  0.1  "
    "1  48  5  48  3  50  0.9  text {{x}}\n"
)


def test_pfam_scan_takes_envelopes_of_significant_matches(four: Path) -> None:
    load(four, "scan.out", PFAM_SCAN)
    assert spans(four) == [("P1", "Pfam_SH3_1", 3, 50)]  # not the alignment's 5..48
    assert rejects(four) == [("P2", "not significant")]
    assert ask(four, "select note, evidence from annotations") == [("Domain", "PF00018")]


@pytest.mark.parametrize(
    ("program", "is_scan"), [("hmmscan", True), ("hmmsearch", False), (None, True), (None, False)]
)
def test_domtblout_is_read_with_either_side_as_the_protein(
    four: Path, program: str | None, is_scan: bool
) -> None:
    hmm, protein = ("SH3_1", "PF00018.31", 48), ("P1", "-", 60)
    one, two = (hmm, protein) if is_scan else (protein, hmm)

    def hit(evalue: str) -> str:
        return _HIT.format(a=one[0], aa=one[1], la=one[2], b=two[0], ba=two[1], lb=two[2], e=evalue)

    tail = f"#\n# Program:         {program}\n" if program else ""
    head = "#  --- full sequence ---\n# target name  accession  tlen query name\n# -----\n"
    load(four, "hits.domtblout", head + hit("1e-9") + hit("0.02") + tail)
    assert spans(four) == [("P1", "Pfam_SH3_1", 3, 50)]
    assert rejects(four) == [("P1", "the i-Evalue is above 0.01")]
    # The protein is 60 residues long.
    wrong = (head + hit("1e-9") + tail).replace(" 60 ", " 61 ")
    with pytest.raises(InputError, match="the length is 61 there"):
        load(four, "hits.domtblout", wrong)


def test_domtblout_without_a_known_side_is_refused(four: Path) -> None:
    text = _HIT.format(a="mine", aa="-", la=48, b="P1", ba="-", lb=60, e="1e-9")
    with pytest.raises(InputError, match="neither side is known"):
        load(four, "hits.domtblout", text)
    load(four, "hits.domtblout", text + "# Program: hmmscan\n")
    assert spans(four) == [("P1", "HMM_mine", 3, 50)]


def test_regions_of_pfam_are_checked_by_md5(four: Path) -> None:
    head = "pfamseq_acc\tseq_version\tcrc64\tmd5\tpfamA_acc\tseq_start\tseq_end\n"
    load(four, "regions.tsv", head + f"P1\t1\tx\t{MD5['P1']}\tPF00018\t3\t50\n")
    assert spans(four) == [("P1", "Pfam_PF00018", 3, 50)]
    with pytest.raises(InputError, match="md5 is that of another"):
        load(four, "regions.tsv", head + f"P1\t1\tx\t{MD5['P2']}\tPF00018\t3\t50\n")


# -- secondary structure -------------------------------------------------------------------------


def test_runs_of_secondary_structure_are_spans_and_coil_is_none(four: Path) -> None:
    # HHHH at 1..4, C at 5, EE at 6..7, - at 8, G at 9, TT at 10..11, ~ at 12; P1 is coil from end to end.
    text = ">sp|P4|X some text\nHHHHCEE\n-GTT~\n>P1\n" + "C" * 60 + "\n"
    report = load(four, "dssp.fasta", text)
    assert spans(four) == [
        ("P4", "DSSP_3-10 helix", 9, 9),
        ("P4", "DSSP_Helix", 1, 4),
        ("P4", "DSSP_Strand", 6, 7),
        ("P4", "DSSP_Turn", 10, 11),
    ]
    assert (report.source, report.covers, covered(four)) == ("dssp", "listed", ["P1", "P4"])
    assert len(instances(four)) == 4


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet="HGIEBTSP-", min_size=12, max_size=12))
def test_secondary_structure_can_be_written_back(four: Path, codes: str) -> None:
    load(four, "dssp.fasta", f">P4\n{codes}\n")
    letters = {"Helix": "H", "3-10 helix": "G", "Pi helix": "I", "Strand": "E", "Bridge": "B", "Turn": "T",
               "Bend": "S", "PPII helix": "P"}  # fmt: skip
    back = ["-"] * 12
    for _, concept, start, stop in spans(four):
        back[start - 1 : stop] = letters[concept.removeprefix("DSSP_")] * (stop - start + 1)
    assert "".join(back) == codes


@pytest.mark.parametrize(("text", "reason"), [
    (">P4\nHHHH\n", "4 letters of structure"),
    (">P4\nHHHHHHHHHHHX\n", "unknown letter X"),
    (">P4\nHHHHHHHHHHHH\n>P4\nHHHHHHHHHHHH\n", "there more than once"),
    (">Q1\nHHHHHHHHHHHH\n", "unknown protein"),
])  # fmt: skip
def test_a_string_of_another_protein_is_refused_and_covers_nothing(
    four: Path, text: str, reason: str
) -> None:
    with pytest.raises(InputError, match=f"(?s)record 1 of ss.txt.*{reason}"):
        load(four, "ss.txt", text, format="secondary-structure")
    report = load(four, "ss.txt", text, format="secondary-structure", skip_bad=True)
    assert (spans(four), covered(four), report.covers) == ([], [], "listed")


def test_sequences_are_no_annotations(four: Path) -> None:
    with pytest.raises(InputError, match="FASTA holds no annotations"):
        load(four, "a.fasta", ">P1\nMKVL\n")


# -- numbers per residue -------------------------------------------------------------------------

# Residues 3..5 and 9 of P4 are at 70 or above; 5 is exactly 70.
NUMBERS = [10, 20, 90, 80, 70, 69.9, 1, 2, 71, 3, 4, 5]


def long_table(values: list[Any], name: str = "P4") -> str:
    rows = "".join(f"{name},{place},{value}\n" for place, value in enumerate(values, start=1))
    return "accession,position,value\n" + rows


def test_numbers_are_cut_at_the_threshold_into_runs_of_residues(four: Path) -> None:
    report = load(four, "plddt.csv", long_table(NUMBERS), concept="confident", at_least=70)
    assert spans(four) == [("P4", "confident", 3, 5), ("P4", "confident", 9, 9)]
    assert ask(four, "select level from concepts where concept = 'confident'") == [("residue",)]
    assert (report.covers, covered(four), report.n_rows) == ("listed", ["P4"], 12)
    load(four, "plddt.csv", long_table(NUMBERS), concept="low", at_most=3, at_least=2)
    assert spans(four) == [("P4", "low", 8, 8), ("P4", "low", 10, 10)]


def test_lists_of_numbers_say_what_rows_say(four: Path) -> None:
    joined = ", ".join(map(str, NUMBERS))
    texts = [f'"[{joined}]"', ";".join(map(str, NUMBERS)), " ".join(map(str, NUMBERS))]
    for text in texts:
        load(four, "x.csv", f"accession,values\nP4,{text}\n", concept="c", at_least=70)
        assert spans(four) == [("P4", "c", 3, 5), ("P4", "c", 9, 9)]
    pq.write_table(pa.table({"accession": ["P4"], "values": [NUMBERS]}), four.parent / "x.parquet")
    add_annotations(four, [four.parent / "x.parquet"], concept="c", at_least=70)
    assert spans(four) == [("P4", "c", 3, 5), ("P4", "c", 9, 9)]


def test_a_protein_that_lacks_numbers_is_not_covered_unless_gaps_are_allowed(four: Path) -> None:
    text = long_table(["", *NUMBERS[1:]]) + "P1,3,90\n"
    with pytest.raises(InputError, match=r"(?s)2 faults.*P4.*1 residues have no value.*P1.*59 residues"):
        load(four, "x.csv", text, concept="c", at_least=70)
    whole = text + "".join(f"P2,{place},{place}\n" for place in range(1, 61))
    load(four, "x.csv", whole, concept="c", at_least=60, skip_bad=True)
    assert (spans(four), covered(four)) == ([("P2", "c", 60, 60)], ["P2"])
    load(four, "x.csv", text, concept="c", at_least=70, allow_gaps=True)
    assert covered(four) == ["P1", "P4"]
    assert spans(four) == [("P1", "c", 3, 3), ("P4", "c", 3, 5), ("P4", "c", 9, 9)]


@pytest.mark.parametrize(("row", "reason"), [
    ("P4,13,5", "the position is outside the sequence"),
    ("P4,0,5", "the position is outside the sequence"),
    ("P4,x,5", "the position is not a whole number"),
    ("P4,1,5", "the position is there more than once"),
    ("P4,2,many", "the value is no number"),
    ("P4,2,nan", "the value is not finite"),
    ("P4,2,inf", "the value is not finite"),
    ("Q1,2,5", "unknown protein"),
])  # fmt: skip
def test_faults_of_numbers_are_named(four: Path, row: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load(four, "x.csv", long_table([1, ""]) + row + "\n", concept="c", at_least=70)


def test_settings_of_numbers_are_needed_and_only_there(four: Path) -> None:
    with pytest.raises(InputError, match=r"--concept NAME.*--at-least X or --at-most X"):
        load(four, "x.csv", long_table(NUMBERS))
    with pytest.raises(InputError, match="no number passes"):
        load(four, "x.csv", long_table(NUMBERS), concept="c", at_least=3, at_most=2)
    with pytest.raises(InputError, match="for numbers per residue"):
        load(four, "x.bed", "P1\t1\t2\tn\n", concept="c")


# -- every format --------------------------------------------------------------------------------


def test_names_are_text_whatever_they_hold(four: Path) -> None:
    names = ["<script>alert(1)</script>", "../../etc/passwd", 'it\'s "quoted"; drop table x', "é — 漢"]
    load(four, "lab.bed", "".join(f"P1\t1\t2\t{name}\n" for name in names))
    assert sorted(concept for _, concept, _, _ in spans(four)) == sorted(names)


def test_gzip_is_read_and_a_damaged_one_refused(four: Path) -> None:
    path = four.parent / "lab.bed.gz"
    path.write_bytes(gzip.compress(b"P1\t1\t2\tn\n"))
    add_annotations(four, [path])
    assert (spans(four), ask(four, "select source from sources")) == ([("P1", "n", 2, 2)], [("lab",)])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(InputError, match="truncated gzip"):
        add_annotations(four, [path])


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"P1\t1\t2\t\xff\n"])
def test_binary_and_other_encodings_are_refused(four: Path, content: bytes) -> None:
    path = four.parent / "lab.bed"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"binary|UTF-8"):
        add_annotations(four, [path])


def test_a_line_without_end_is_refused(four: Path) -> None:
    path = four.parent / "lab.bed"
    path.write_bytes(b"P1\t1\t2\tn\nP1\t1\t2\t" + b"n" * 17_000_000)
    with pytest.raises(InputError, match="cannot be read"):
        add_annotations(four, [path])


_WORDS = st.sampled_from([
    "P1", "P4", "0", "-1", "12", "1e9", "9" * 20, "nan", "", ".", "-", "T", "PF00018", "Name=%zz%FF;ID=",
    "0,", "[1", "'", "##FASTA", ">P1", "#", "HHHH", "{}", "NULL", "##sequence-region P1 1 60", "f" * 32,
])  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(ANNOTATION_FORMATS), st.sampled_from("\t ,"), st.lists(
    st.lists(_WORDS, min_size=1, max_size=24), min_size=1, max_size=4,
))  # fmt: skip
def test_anything_is_read_or_refused(
    four: Path, form: AnnotationFormat, separator: str, lines: list[list[str]]
) -> None:
    text = "\n".join(separator.join(words) for words in lines) + "\n"
    numbers: dict[str, Any] = {"concept": "c", "at_least": 1} if form == "scores" else {}
    try:
        load(four, "x.txt", text, format=form, source="x", skip_bad=True, **numbers)
    except InputError as error:
        assert str(error)
    lengths = ask(
        four, "select count(*) from annotations join proteins using (protein_id) where stop > length"
    )
    assert lengths == [(0,)]


def test_the_command_line_takes_a_threshold(four: Path) -> None:
    (four.parent / "plddt.csv").write_text(long_table(NUMBERS))
    command = [sys.executable, "-m", "interplm_wh", "-w", str(four), "add", "annotations"]
    given = [str(four.parent / "plddt.csv"), "--concept", "confident", "--at-least", "70"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("plddt: 2 annotations of 1 concepts on 1 proteins, from 12 rows\n")
    wrong = subprocess.run([*command, given[0], "--format", "gff"], capture_output=True, check=False)
    assert wrong.returncode == 2


def test_formats_cannot_be_mixed_and_a_comment_alone_is_no_row(four: Path) -> None:
    (four.parent / "a.bed").write_text("P1\t1\t2\tn\n")
    (four.parent / "b.gff3").write_text(GFF3)
    with pytest.raises(InputError, match=r"different formats.*\(bed, gff3\)"):
        add_annotations(four, [four.parent / "a.bed", four.parent / "b.gff3"], source="x")
    with pytest.raises(InputError, match="has no row"):
        load(four, "c.gff3", "##gff-version 3\n")
    with pytest.raises(InputError, match="UniProtKB export"):
        load(four, "d.tsv", "Entry\tvalues\nP1\t3\n", format="scores", concept="c", at_least=1)


def test_several_files_count_their_rows_on(four: Path) -> None:
    one, two = four.parent / "a.bed", four.parent / "b.bed"
    one.write_text("P1\t1\t2\tn\n\n# end\n")
    two.write_text("P1\t1\t99\tn\n")
    with pytest.raises(InputError, match=r"line 1 of b\.bed"):
        add_annotations(four, [one, two], source="x")
    add_annotations(four, [one, two], source="x", skip_bad=True)
    assert ask(four, "select row from rejects") == [(4,)]  # line 1 of the second, after 3 lines


def test_every_format_is_seen_from_its_content(tmp_path: Path) -> None:
    contents = {
        "gff3": GFF3, "interpro": interpro("P1", *["x"] * 3, "3", "9", "0", "T", "d"),
        "pfam-scan": PFAM_SCAN, "secondary-structure": ">P1\nHHCC\n", "scores": "accession,values\nP1,3\n",
        "pfam-regions": "uniprot_acc\tmd5\tpfamA_acc\tseq_start\tseq_end\nP1\tx\tPF1\t1\t2\n",
        "table": "accession,start,stop,concept,value\n", "uniprot": "Entry\tTurn\n",
        "bed": "track name=x\nP1\t1\t2\tn\n",
        "domtblout": _HIT.format(a="h", aa="PF00018", la=4, b="P1", ba="-", lb=60, e="1"),
    }  # fmt: skip
    for form, text in contents.items():
        path = tmp_path / "file.txt"
        path.write_text(text)
        assert recognise(path).format == form


def test_a_concept_of_a_gff3_is_scored_after_a_build(tmp_path: Path) -> None:
    warehouse = make(tmp_path / "w")  # 20 proteins of 30 residues; feature 0 fires on even positions
    lines = [f"P{n:04}\tlab\tsite\t{p}\t{p}\t.\t.\t.\tName=even" for n in range(20) for p in range(2, 31, 2)]
    path = tmp_path / "even.gff3"
    path.write_text("##gff-version 3\n" + "\n".join(lines) + "\n")
    add_annotations(warehouse, [path])
    build.build(warehouse, min_residues=5, min_domains=3)
    # Threshold 0: every even residue fires, and no other, in all 10 test proteins.
    assert ask(
        warehouse,
        "select tp, fp, recall from concept_f1 where concept = 'site_even' and feature = 0 "
        "and threshold = 0 and split = 'test'",
    ) == [(150, 0, 1.0)]
