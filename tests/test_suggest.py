"""Missing annotations: what is suggested, why, and in which order."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from biotite.sequence.io import gff

from interplm_wh import commands, sqlfile, store
from interplm_wh.build.derived import Outdated
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.suggest import gff3, suggest, write_suggestions
from tests import planted_stretches as planted

CARRIERS = [f"{split}{i}" for split in "VT" for i in range(6)]
FIRST = [*range(5, 8), *range(11, 15)]
SECOND = range(6, 11)


@pytest.fixture(scope="module")
def once(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Domain_x, residues 5 to 14, stands on six proteins of either split, and is missing on T8 and T9.

    Feature 0 fires on its first three and last four residues, feature 1 on 6 to 10. T8, in one cluster
    with T0, which carries it, and T6, which does not: 0 fires on 5 to 9 and 13 to 14, 1 on 6 to 8. T9,
    private: 0 fires on 5 to 14. T7: 0 fires on 21 and 22, inside of a Domain_y.
    """
    proteins = {
        f"{split}{i}": ("valid" if split == "V" else "test", "", False) for split in "VT" for i in range(10)
    }
    proteins |= {name: ("test", "family", False) for name in ("T0", "T6", "T8")}
    proteins["T9"] = ("test", "", True)
    cells = [
        *(cell for name in CARRIERS for cell in planted.run_of(name, 0, FIRST)),
        *(cell for name in CARRIERS for cell in planted.run_of(name, 1, SECOND)),
        *planted.run_of("T7", 0, (21, 22)),
        *planted.run_of("T8", 0, (5, 6, 7, 8, 9, 13, 14)),
        *planted.run_of("T8", 1, (6, 7, 8)),
        *planted.run_of("T9", 0, range(5, 15)),
    ]
    spans = {
        "Domain_x": [(name, 5, 14) for name in CARRIERS],
        "Domain_y": [("V6", 20, 25), ("T7", 20, 25)],
    }
    return planted.make(
        empty_warehouse,
        tmp_path_factory.mktemp("planted"),
        proteins=proteins,
        spans=spans,
        cells=cells,
        n_features=3,
    )


@pytest.fixture
def warehouse(once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(once, tmp_path.resolve() / "w")


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interplm_wh", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def kept(warehouse: Path) -> list[dict[str, Any]]:
    with store.open(warehouse) as wh:
        return wh.sql("from suggestions order by concept, rank").to_pylist()


def test_stretches_are_bridged_scored_and_ranked_as_documented(warehouse: Path) -> None:
    report = suggest(warehouse, with_private=True)
    # Feature 1: 30 of its 33 residues on test are right, all of its valid stretches (5 of 10 residues)
    # cover an instance, feature 0 agrees, and one of two relatives carries it.
    # Feature 0: 42 of 61; three residues are bridged, as on valid; T9 has no relative, and nobody agrees.
    found = [
        (r["rank"], r["accession"], r["start"], r["stop"], r["feature"], r["is_leading"], r["n_firing"])
        for r in kept(warehouse)
    ]
    assert found == [
        (1, "T8", 6, 8, 1, True, 3),
        (2, "T8", 5, 14, 0, False, 7),
        (3, "T9", 5, 14, 0, True, 10),
    ]
    first, second, third = kept(warehouse)
    assert first["precision"] == pytest.approx(30 / 33)
    assert second["precision"] == pytest.approx(42 / 61)
    assert first["score"] == pytest.approx(30 / 33 * (1 + 1 + 1 + 1 / 2) / 4)
    assert second["score"] == pytest.approx(42 / 61 * (1 + 1 + 1 + 1 / 2) / 4)
    assert third["score"] == pytest.approx(42 / 61 * (1 + 1 + 0 + 0) / 4)
    assert [r["relative_length"] for r in (first, second)] == [0.3, 1.0]
    assert (first["n_others"], first["n_agreeing"], first["n_relatives"], first["n_carrying"]) == (1, 1, 2, 1)
    assert (third["n_others"], third["n_agreeing"], third["n_relatives"]) == (1, 0, 0)
    assert report.rows["rank"].to_pylist() == [1, 3]


def test_what_other_annotations_explain_is_left_out_and_counted(warehouse: Path) -> None:
    (counts,) = suggest(warehouse).counts
    assert counts == {
        "sae": "s", "concept": "Domain_x", "n_pairs": 2, "n_stretches": 28, "n_annotated": 24,
        "n_explained": 1, "n_suggested": 3, "n_leading": 2,
    }  # fmt: skip


def test_a_concept_for_which_the_feature_is_as_precise_explains_it(warehouse: Path, tmp_path: Path) -> None:
    # Other_z, of another category and source, covers what feature 0 fires on: as precise on valid.
    rows = [(name, 1, 30, "Other_z") for name in ("V0", "V1", "V2", "V3", "V4", "V5", "T8")]
    table = planted.write(tmp_path / "z.csv", ("accession", "start", "stop", "concept"), rows)
    add_annotations(warehouse, [table], source="theirs")
    commands.build(warehouse)
    (counts, *_) = suggest(warehouse, concept="Domain_x").counts
    assert (counts["n_explained"], counts["n_suggested"]) == (3, 1)
    assert [row["accession"] for row in kept(warehouse) if row["concept"] == "Domain_x"] == ["T9"]


def test_private_proteins_are_left_out_unless_asked_for(warehouse: Path) -> None:
    report = suggest(warehouse)
    assert report.rows["accession"].to_pylist() == ["T8"]
    assert report.n_private == 1
    assert any("private" in note for note in report.notes())
    for form in ("csv", "json", "gff3"):
        assert "T9" not in run("-w", warehouse, "suggest", "--format", form).stdout
        assert "T9" in run("-w", warehouse, "suggest", "--private", "--format", form).stdout


def test_filters_list_less_and_keep_all(warehouse: Path) -> None:
    assert suggest(warehouse, min_precision=0.8, with_private=True).rows["feature"].to_pylist() == [1]
    assert suggest(warehouse, concept="Domain_y").rows.num_rows == 0
    assert len(kept(warehouse)) == 3
    assert suggest(warehouse, sae="s").made == ()


def test_gff3_is_read_by_biotite(warehouse: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.gff3"
    assert run("-w", warehouse, "suggest", "--format", "gff3", "--output", path).stdout == ""
    ((seqid, source, kind, start, stop, score, strand, phase, attributes),) = gff.GFFFile.read(str(path))
    assert (seqid, source, kind, start, stop) == ("T8", "interplm-wh", "sequence_feature", 6, 8)
    assert score == pytest.approx(30 / 33 * 3.5 / 4, rel=1e-5)
    assert (strand, phase) == (None, None)
    assert attributes["Name"] == "Domain_x"
    assert (attributes["feature"], attributes["n_agreeing"]) == ("1", "1")
    assert float(attributes["precision"]) == pytest.approx(30 / 33, rel=1e-5)


def test_gff3_escapes_what_the_format_reserves(warehouse: Path, tmp_path: Path) -> None:
    (row,) = suggest(warehouse).rows.to_pylist()
    odd = {**row, "concept": "A;B=C,D&E%F\tü (β)", "accession": ">x y;z"}
    path = tmp_path / "odd.gff3"
    path.write_text("\n".join(gff3.lines([odd])) + "\n", encoding="utf-8")
    assert path.read_text(encoding="ascii").count("\t") == 8
    ((seqid, *_, attributes),) = gff.GFFFile.read(str(path))
    assert (seqid, attributes["Name"]) == (">x y;z", "A;B=C,D&E%F\tü (β)")


def test_every_format_has_the_same_rows(warehouse: Path) -> None:
    report = suggest(warehouse, with_private=True)
    for form in ("csv", "json"):
        stream = io.BytesIO()
        write_suggestions(report, stream, form=form)  # type: ignore[arg-type]
        lines = stream.getvalue().decode().splitlines()
        found = [json.loads(line)["accession"] for line in lines] if form == "json" else lines[1:]
        assert len(found) == 2
    table = run("-w", warehouse, "suggest").stdout
    assert "1 places where an annotation may be missing" in table or "T8" in table


def test_they_are_made_again_when_annotations_change_and_info_says_so(
    warehouse: Path, tmp_path: Path
) -> None:
    suggest(warehouse)
    assert commands.info(warehouse).outdated == []
    rows = [(name, 5, 14, "Domain_x") for name in (*CARRIERS, "T8")]
    table = planted.write(tmp_path / "more.csv", ("accession", "start", "stop", "concept"), rows)
    add_annotations(warehouse, [table], source="lab")
    with pytest.raises(InputError, match="older than the data; run: interplm-wh build"):
        suggest(warehouse)
    assert [one.command for one in commands.info(warehouse).outdated] == ["suggest --sae s"] * 2
    built = commands.build(warehouse)
    assert [one.what for one in built.taken_out] == ["suggestion_counts", "suggestions"]
    assert "interplm-wh suggest --sae s" in built.lines()[-1]
    assert suggest(warehouse, with_private=True).rows["accession"].to_pylist() == ["T7", "T9"]
    assert commands.info(warehouse).outdated == []


def test_a_damaged_table_is_made_again(warehouse: Path) -> None:
    suggest(warehouse)
    for path in (warehouse / "lake" / "suggestions").rglob("*.parquet"):
        path.unlink()
    assert not commands.verify(warehouse).is_sound
    assert commands.info(warehouse).outdated == [Outdated("s", "suggestions", "suggest --sae s")]
    assert suggest(warehouse).rows.num_rows == 1
    assert commands.verify(warehouse).is_sound


def test_they_go_with_their_sae_and_with_removed_proteins(warehouse: Path) -> None:
    suggest(warehouse)
    assert commands.verify(warehouse).is_sound
    commands.remove_proteins(warehouse, ["T8"])
    assert kept(warehouse) == []
    assert suggest(warehouse, with_private=True).rows["accession"].to_pylist() == ["T9"]
    assert commands.verify(warehouse).is_sound
    commands.remove_sae(warehouse, "s")
    assert kept(warehouse) == []
    assert commands.verify(warehouse).is_sound


def test_wrong_questions_are_refused_with_the_remedy(warehouse: Path, empty_warehouse: Path) -> None:
    with pytest.raises(NotThereError, match="no SAE 'S'"):
        suggest(warehouse, sae="S")
    with pytest.raises(NotThereError, match="did you mean Domain_x"):
        suggest(warehouse, concept="Domain_xx")
    with pytest.raises(InputError, match="from 0 to 1"):
        suggest(warehouse, min_precision=7)
    with pytest.raises(NotThereError, match="interplm-wh encode"):
        suggest(empty_warehouse)
    for words in (("--measure", "--format", "csv"), ("--seed", 3)):
        found = run("-w", warehouse, "suggest", *words)
        assert found.returncode == 2
        assert "--measure" in found.stderr


@pytest.mark.parametrize("folder", ["suggest", "rules"])
def test_every_file_reads_exactly_what_it_declares(folder: str) -> None:
    files = sqlfile.load_folder(folder)
    assert len(files) > 10
    for name, file in files.items():
        tree = sqlglot.parse_one(file.sql, read="duckdb")
        read = {table.name for table in tree.find_all(sqlglot.exp.Table) if table.name}
        assert read - {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)} == set(file.inputs), name
