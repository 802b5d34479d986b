"""Activations that were made elsewhere come in whole, once, and only when nothing is wrong with them."""

from __future__ import annotations

import gzip
import itertools
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplm_wh import store
from interplm_wh.errors import InputError
from interplm_wh.ingest import activation_blocks
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.proteins import add_proteins

HEADER = "accession,position,feature,value"
ROWS = ("P1,1,0,0.5", "P1,3,0,1.5", "P1,1,7,2", "P2,2,3,0.25")


@pytest.fixture(scope="module")
def filled_once(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    path = folder / "proteins.csv"
    path.write_text("accession,sequence\nP1,MKV\nP2,MK\nP3,MKVA\n", encoding="utf-8")
    warehouse = shutil.copytree(empty_warehouse, folder / "warehouse")
    add_proteins(warehouse, [path])
    return warehouse


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Path:
    """A warehouse with P1 (3 residues), P2 (2) and P3 (4)."""
    return shutil.copytree(filled_once, tmp_path.resolve() / "warehouse")


def table(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def query(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.open(warehouse) as wh:
        return wh.con.execute(sql).fetchall()


def stored(warehouse: Path, sae: str = "x") -> list[tuple[Any, ...]]:
    return query(
        warehouse,
        "select accession, position, feature, value from activations join proteins using (protein_id) "
        f"where sae = '{sae}' order by protein_id, feature, position",
    )


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "parquet", "parquet with other types"])
def test_rows_of_any_format_are_stored(filled: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    columns = list(zip(*(row.split(",") for row in ROWS), strict=True))
    if kind.startswith("parquet"):
        wide = kind == "parquet"
        accession = pa.array(columns[0])
        arrays = {
            "value": pa.array([float(v) for v in columns[3]], pa.float64() if wide else pa.float32()),
            "Accession": accession if wide else accession.dictionary_encode(),
            "position": pa.array([int(v) for v in columns[1]], pa.int64() if wide else pa.uint16()),
            "feature": pa.array([int(v) for v in columns[2]], pa.int32() if wide else pa.uint64()),
        }
        pq.write_table(pa.table(arrays), path)
    else:
        text = "\n".join((HEADER, *ROWS)) + "\n"
        content = (text.replace(",", "\t") if kind == "tsv" else text).encode()
        path.write_bytes(gzip.compress(content) if kind == "csv.gz" else content)
    report = add_activations(filled, path, sae="x")
    assert stored(filled) == [("P1", 1, 0, 0.5), ("P1", 3, 0, 1.5), ("P1", 1, 7, 2.0), ("P2", 2, 3, 0.25)]
    assert (report.n_activations, report.n_proteins, report.n_uncovered) == (4, 2, 1)


def test_a_new_sae_is_registered_with_the_features_that_are_seen_or_given(
    filled: Path, tmp_path: Path
) -> None:
    path = table(tmp_path / "a.csv", *ROWS)
    guessed = add_activations(filled, path, sae="guessed")
    given = add_activations(filled, path, sae="given", n_features=10)
    assert (guessed.n_features, guessed.is_guessed, given.n_features, given.is_guessed) == (
        8,
        True,
        10,
        False,
    )
    assert "give --n-features if it has more" in guessed.lines()[0]
    assert query(
        filled,
        "select sae, n_features, plm, architecture, input_norm, role, min_value, is_forced, source from saes "
        "order by sae",
    ) == [
        ("given", 10, None, "external", "none", "sae", 0.0, False, "a.csv"),
        ("guessed", 8, None, "external", "none", "sae", 0.0, False, "a.csv"),
    ]


def test_encodings_name_the_part_of_each_protein(filled: Path, tmp_path: Path) -> None:
    add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae="x")
    rows = query(
        filled, "select accession, n_residues, n_activations, dtype, part from encodings join proteins "
        "using (protein_id) order by accession"
    )  # fmt: skip
    assert [row[:4] for row in rows] == [("P1", 3, 3, "float32"), ("P2", 2, 1, "float32")]
    parts = query(filled, "select path from parts where table_name = 'activations'")
    assert {(part,) for *_, part in rows} == set(parts)
    assert all((filled / part).is_file() for (part,) in parts)


def test_zeros_are_left_out_and_counted_and_their_proteins_are_encoded(filled: Path, tmp_path: Path) -> None:
    rows = ("P1,1,0,0", "P1,2,0,0.0", "P1,3,0,-0.0", "P2,1,1,1e-60", "P2,2,1,1")
    report = add_activations(filled, table(tmp_path / "a.csv", *rows), sae="x")
    assert (report.n_activations, report.n_zero, report.n_proteins, report.n_silent) == (1, 4, 2, 1)
    assert stored(filled) == [("P2", 2, 1, 1.0)]
    assert "4 rows with the value 0" in "\n".join(report.lines())


def test_covers_all_makes_every_protein_encoded(filled: Path, tmp_path: Path) -> None:
    listed = add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae="listed")
    every = add_activations(filled, tmp_path / "a.csv", sae="every", covers="all")
    assert "1 proteins of the warehouse are not in the file" in "\n".join(listed.lines())
    assert (every.n_proteins, every.n_silent, every.n_uncovered) == (3, 1, 0)
    rows = query(filled, "select sae, count(*) from encodings group by sae order by sae")
    assert rows == [("every", 3), ("listed", 2)]


def test_rows_in_any_order_become_whole_proteins_in_ordered_parts_of_bounded_size(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation_blocks, "BLOCK_ROWS", 60)
    lengths = {f"Q{i}": 5 + i for i in range(40)}
    path = table(
        tmp_path / "more.csv", *(f"{a},{'M' * n}" for a, n in lengths.items()), header="accession,sequence"
    )
    add_proteins(filled, [path])
    rows = [
        f"{accession},{position},{feature},{position % 5 + 1}"
        for accession, length in lengths.items()
        for position in range(1, length + 1)
        for feature in range(position % 4)
    ]
    random.Random(0).shuffle(rows)
    report = add_activations(filled, table(tmp_path / "a.csv", *rows), sae="x")
    assert sorted(f"{a},{p},{f},{v:.0f}" for a, p, f, v in stored(filled)) == sorted(rows)
    parts = query(filled, "select path, n_rows, first_protein, last_protein from parts where sae = 'x' "
                  "and table_name = 'activations' order by first_protein")  # fmt: skip
    assert report.n_parts == len(parts) > 3
    assert all(n_rows <= 60 + 69 for _, n_rows, _, _ in parts)
    assert all(before[3] < after[2] for before, after in itertools.pairwise(parts))
    for part, *_ in parts:
        keys = pq.read_table(filled / part).select(["protein_id", "feature", "position"]).to_pylist()
        assert [tuple(k.values()) for k in keys] == sorted(tuple(k.values()) for k in keys)


# -- faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("P9,1,0,1", "the accession is not in the warehouse (row 3: P9"),
        ("P2,0,0,1", "the position is not within the protein (row 3: P2, position 0 of 2"),
        ("P2,3,0,1", "the position is not within the protein (row 3: P2, position 3 of 2"),
        ("P2,-1,0,1", "the position is not within the protein"),
        ("P2,1,-1,1", "the feature is not one of the SAE (row 3: P2, position 1 of 2, feature -1 of 8"),
        ("P2,1,8,1", "the feature is not one of the SAE"),
        ("P2,1,3000000000,1", "the feature is not one of the SAE"),
        ("P2,1,0,nan", "negative (row 3: P2, position 1 of 2, feature 0 of 8, value nan"),
        ("P2,1,0,inf", "the value is NaN, infinite or negative"),
        ("P2,1,0,1e39", "the value is NaN, infinite or negative"),
        ("P2,1,0,-0.5", "the value is NaN, infinite or negative"),
        ("P2,1.5,0,1", "a value is missing or is no number (row 3: P2, position 1.5 of 2, feature 0 of 8"),
        ("P2,one,0,1", "a value is missing or is no number (row 3: P2, position one of 2"),
        ("P2,1,0,abc", "1 fault"),
        ("P2,1,0,", "1 fault"),
        (",1,0,1", "a value is missing or is no number"),
        ("P1,1,0,3", "P1, position 1, feature 0 stands 2 times"),
        ("P1,1,0,0", "P1, position 1, feature 0 stands 2 times"),
    ],
)  # fmt: skip
def test_a_bad_row_refuses_the_file(filled: Path, tmp_path: Path, row: str, words: str) -> None:
    path = table(tmp_path / "a.csv", "P1,1,0,0.5", "P1,3,7,0.5", row)
    with pytest.raises(InputError) as caught:
        add_activations(filled, path, sae="x", n_features=8)
    assert words in str(caught.value)
    assert query(filled, "select * from saes") == [] and stored(filled) == []


def test_whole_numbers_may_be_written_with_a_point(filled: Path, tmp_path: Path) -> None:
    add_activations(filled, table(tmp_path / "a.csv", "P1,1.0,3.,0.5", "P1,3,7.00,0.5"), sae="x")
    assert [row[1:3] for row in stored(filled)] == [(1, 3), (3, 7)]


def test_more_features_than_any_sae_has_are_refused(filled: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "P1,1,1048576,0.5")
    for given in (None, 2**20 + 1):
        with pytest.raises(InputError, match="at most 1,048,576 features"):
            add_activations(filled, path, sae="x", n_features=given)


def test_all_faults_are_in_one_error(filled: Path, tmp_path: Path) -> None:
    rows = ("P1,1,0,1", "P1,1,0,1", "P8,1,0,1", "P9,1,0,1", "P9,2,0,1", "P1,9,0,nan", "P1,2,9,-1")
    with pytest.raises(InputError) as caught:
        add_activations(filled, table(tmp_path / "a.csv", *rows), sae="x", n_features=5)
    text = str(caught.value)
    assert "6 faults" in text
    for words in (
        "not in the warehouse (row 3: P8",
        "not in the warehouse (2 rows, the first is row 4: P9",
        "not within the protein (row 6",
        "NaN, infinite or negative (2 rows, the first is row 6",
        "not one of the SAE (row 7",
        "P1, position 1, feature 0 stands 2 times",
    ):
        assert words in text


def test_missing_columns_and_wrong_types_are_named_at_once(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column position, value"):
        add_activations(filled, table(tmp_path / "a.csv", "P1,1", header="accession,feature"), sae="x")
    path = tmp_path / "a.parquet"
    columns = {"accession": [1.5], "position": [1.0], "feature": ["1"], "value": ["x"]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError) as caught:
        add_activations(filled, path, sae="x")
    for words in ("accession is double, not text", "position is double, not an integer",
                  "feature is string, not an integer", "value is string, not a number"):  # fmt: skip
        assert words in str(caught.value)


def test_null_and_nan_in_parquet_are_faults(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {
        "accession": ["P1", "P1", None], "position": [1, None, 1], "feature": [0, 0, 1],
        "value": pa.array([float("nan"), 1.0, 1.0], pa.float32()),
    }  # fmt: skip
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError) as caught:
        add_activations(filled, path, sae="x")
    assert "missing or is no number (2 rows, the first is row 2" in str(caught.value)
    assert "NaN, infinite or negative (row 1" in str(caught.value)


@pytest.mark.parametrize("content", ["", HEADER + "\n", ">P1\nMKV\n"])
def test_files_without_activations_are_refused(filled: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"is empty|has no rows|is fasta"):
        add_activations(filled, path, sae="x")


def test_a_truncated_parquet_file_is_refused(filled: Path, tmp_path: Path, golden: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes((golden / "activations.parquet").read_bytes()[:100_000])
    with pytest.raises(InputError, match="truncated or damaged Parquet"):
        add_activations(filled, path, sae="x")


# -- names and repetition ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["8", "2024-01-01", "a.b_c-1", "true", "null", "A" * 64])
def test_names_stay_text(filled: Path, tmp_path: Path, name: str) -> None:
    add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae=name)
    assert query(filled, "select distinct sae, typeof(sae) from activations") == [(name, "VARCHAR")]
    assert query(filled, "select distinct sae, typeof(sae) from encodings") == [(name, "VARCHAR")]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", ".x", "a b", "A" * 65, "ä", "x\n"])
def test_names_that_are_no_folder_are_refused(filled: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="choose another"):
        add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae=name)


def test_a_name_like_another_but_for_case_is_refused(filled: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", *ROWS)
    add_activations(filled, path, sae="Layer")
    with pytest.raises(InputError, match="differs only in case"):
        add_activations(filled, path, sae="layer")


def test_the_same_file_again_changes_nothing(filled: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", *ROWS)
    add_activations(filled, path, sae="x")
    before = (filled / "warehouse.duckdb").stat().st_ino
    renamed = path.rename(tmp_path / "renamed.csv")
    report = add_activations(filled, renamed, sae="x")
    assert (report.n_proteins, report.n_known, report.n_activations) == (0, 2, 0)
    assert "nothing to add" in report.lines()[0]
    assert (filled / "warehouse.duckdb").stat().st_ino == before


def test_the_same_file_adds_the_proteins_that_it_had_left_out(filled: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", *ROWS)
    add_activations(filled, path, sae="x")
    report = add_activations(filled, path, sae="x", covers="all")
    assert (report.n_proteins, report.n_known, report.n_uncovered) == (1, 2, 0)
    assert len(stored(filled)) == 4


def test_another_file_with_an_encoded_protein_is_refused(filled: Path, tmp_path: Path) -> None:
    add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae="x")
    other = table(tmp_path / "b.csv", "P2,1,0,1", "P1,1,0,1", "P3,1,0,1")
    with pytest.raises(InputError, match=r"(?s)2 faults.*P1 is encoded already.*P2 is encoded.*remove sae x"):
        add_activations(filled, other, sae="x")
    assert len(stored(filled)) == 4


def test_another_file_with_other_proteins_goes_into_the_same_sae(filled: Path, tmp_path: Path) -> None:
    add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae="x")
    report = add_activations(filled, table(tmp_path / "b.csv", "P3,4,7,1"), sae="x")
    assert (report.is_new, report.n_features, report.n_uncovered) == (False, 8, 0)
    assert len(stored(filled)) == 5
    with pytest.raises(InputError, match="has 8 features, not 9"):
        add_activations(filled, tmp_path / "b.csv", sae="x", n_features=9)


def test_a_feature_beyond_the_registered_sae_is_refused(filled: Path, tmp_path: Path) -> None:
    add_activations(filled, table(tmp_path / "a.csv", *ROWS), sae="x")
    with pytest.raises(InputError, match="feature 8 of 8"):
        add_activations(filled, table(tmp_path / "b.csv", "P3,4,8,1"), sae="x")


# -- golden data -------------------------------------------------------------------------------------


def test_the_golden_activations_are_stored_as_they_are(warehouse: Path, golden: Path) -> None:
    add_proteins(warehouse, [golden / "proteins.csv.gz"])
    report = add_activations(warehouse, golden / "activations.parquet", sae="golden")
    assert (report.n_activations, report.n_proteins, report.n_features) == (574_161, 300, 256)
    with store.open(warehouse) as wh:
        wh.con.execute(
            "create temp table given as from read_parquet(?)", [str(golden / "activations.parquet")]
        )
        ours = "select accession, position, feature, value from activations join proteins using (protein_id)"
        for left, right in ((ours, "from given"), ("from given", ours)):
            rest = wh.con.execute(f"select count(*) from ({left} except all {right})").fetchone()
            assert rest == (0,)


# -- an end at any moment ----------------------------------------------------------------------------

_SLOW = """
import sys, time
from interplm_wh.ingest import activation_blocks, activations
activation_blocks.BLOCK_ROWS = 20_000
lay = activation_blocks.lay_block
def lay_slowly(tx, block):
    time.sleep(0.05)
    lay(tx, block)
activation_blocks.lay_block = lay_slowly
activations.add_activations(sys.argv[1], sys.argv[2], sae="x")
"""


@pytest.mark.parametrize("reached", ["scratch/blocks/*/*.parquet", "lake/activations/*/*/part-00003.parquet"])
def test_a_killed_run_leaves_the_warehouse_as_it_was_and_the_next_one_completes(
    warehouse: Path, golden: Path, reached: str
) -> None:
    add_proteins(warehouse, [golden / "proteins.csv.gz"])
    file = golden / "activations.parquet"
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(warehouse), str(file)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list((warehouse / ".staging").glob(f"*/{reached}")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert query(warehouse, "select * from saes") == []
    assert query(warehouse, "select count(*) from activations") == [(0,)]
    report = add_activations(warehouse, file, sae="x")
    assert report.n_activations == 574_161
    assert list((warehouse / ".staging").iterdir()) == []
