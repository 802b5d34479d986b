"""Files are recognised by what is in them, and read row by row as they stand."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interplm_wh.errors import InputError
from interplm_wh.ingest import readers

FASTA = b">sp|P1|A\nMKV\n"
UNIPROT = b'Entry\tLength\tSequence\nP1\t3\tM"V\nP2\t2\t"MK\n'
CSV = b'accession,sequence\nP1,"M,K"\n'
TSV = b"accession\tsequence\nP1\tMKV\n"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    return connection


def rows(
    con: duckdb.DuckDBPyConnection, path: Path, required: list[str], optional: list[str] | None = None
) -> list[tuple[object, ...]]:
    file = readers.recognise(path)
    with readers.reading(con, file):
        readers.create_view(con, file, "seen", required=required, optional=optional or [])
        return con.execute("from seen").fetchall()


@pytest.mark.parametrize(
    ("content", "kind"), [(FASTA, "fasta"), (UNIPROT, "uniprot"), (CSV, "csv"), (TSV, "tsv")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_recognised_by_content_not_by_name(
    tmp_path: Path, content: bytes, kind: str, packed: bool
) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(gzip.compress(content) if packed else content)
    file = readers.recognise(path)
    assert (file.format, file.is_gzip) == (kind, packed)


def test_parquet_is_recognised_by_content(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    pq.write_table(pa.table({"accession": ["P1"], "n": [7]}), path)
    assert readers.recognise(path).format == "parquet"
    assert readers.recognise(path).columns == ("accession", "n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (gzip.compress(b""), "is empty"),
        (b"\x00\x01\x02" * 50, "binary file"),
        (b"PK\x03\x04rest", "compressed with zip"),
        (b"\xfd7zXZ\x00", "compressed with xz"),
        (b'{"a": 1}', "no known kind"),
        (b"<html></html>", "no known kind"),
        (b"caf\xe9,b\n1,2\n", "not UTF-8"),
        (b"PAR1 and then nothing of it", "damaged Parquet"),
        (gzip.compress(b"PAR1xxx"), "Parquet inside gzip"),
        (b"a,b,A\n1,2,3\n", "more than once"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        readers.recognise(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe or device"):
        readers.recognise(tmp_path / "pipe")


def test_parquet_columns_that_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"value": [1.0], "Value": [7.0]}), tmp_path / "two.parquet")
    with pytest.raises(InputError, match="Value, value more than once"):
        readers.recognise(tmp_path / "two.parquet")


def test_lines_that_end_in_different_ways_are_named_as_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_bytes(b"accession,start\nP1,1\r\nP2,3\r\n")
    with duckdb.connect() as con, pytest.raises(InputError, match="lines end in different ways"):
        file = readers.recognise(path)
        with readers.reading(con, file):
            readers.create_view(con, file, "given", required=["accession", "start"])
            con.execute("from given").fetchall()


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        readers.recognise(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read"):
        readers.recognise(tmp_path)


def test_a_gzip_file_is_checked_to_its_last_byte(tmp_path: Path) -> None:
    packed = gzip.compress(b"accession,sequence\n" + os.urandom(5000).hex().encode())
    path = tmp_path / "data.gz"
    path.write_bytes(packed[:-9])
    with pytest.raises(InputError, match="truncated gzip"):
        readers.recognise(path)
    path.write_bytes(packed[:-8] + bytes(8))  # the checksum and the length
    with pytest.raises(InputError, match="damaged gzip"):
        readers.recognise(path)


def test_gzip_members_are_read_one_after_the_other(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(TSV) + gzip.compress(b"P2\tAC\n"))
    assert rows(con, path, ["accession"]) == [(1, False, "P1"), (2, False, "P2")]


def test_quotes_are_text_in_an_export_and_quotes_in_a_csv(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    export, table = tmp_path / "export.tsv", tmp_path / "table.csv"
    export.write_bytes(UNIPROT)
    table.write_bytes(CSV)
    assert rows(con, export, ["Entry", "Sequence"]) == [(1, False, "P1", 'M"V'), (2, False, "P2", '"MK')]
    assert rows(con, table, ["accession", "sequence"]) == [(1, False, "P1", "M,K")]


def test_rows_of_an_export_with_another_width_come_through_marked(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "export.tsv"
    path.write_bytes(b"Entry\tLength\tSequence\r\nP1\t3\r\nP2\t3\tMKV\tx\r\nP3\t3\tMKV\r\n")
    assert rows(con, path, ["Entry", "Sequence"]) == [
        (1, True, "P1", None),
        (2, True, "P2", "MKV"),
        (3, False, "P3", "MKV"),
    ]


def test_all_rows_of_a_csv_with_another_width_are_named(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    with pytest.raises(InputError, match=r"(?s)2 faults.*line 3 has missing columns.*line 4 has too many"):
        rows(con, path, ["a"])


def test_missing_columns_are_named_all_at_once(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"accession,length\nP1,3\n")
    with pytest.raises(InputError, match=r"no column sequence, split \(it has: accession, length\)"):
        rows(con, path, ["accession", "sequence", "split"])


def test_absent_optional_columns_and_empty_fields_are_null(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'Accession,NAME\nP1,\nP2,""\n')
    assert rows(con, path, ["accession"], ["name", "split"]) == [
        (1, False, "P1", None, None),
        (2, False, "P2", None, None),
    ]


@pytest.mark.parametrize(
    "name", ["we*ird.csv", "a[b].csv", "q?.csv", "{a,b}.csv", "o'x.csv", "sp ace.csv", "back\\slash.csv"]
)
def test_a_file_name_is_never_a_pattern(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    (tmp_path / "weXird.csv").write_bytes(b"a,b\n9,9\n")
    (tmp_path / "qX.csv").write_bytes(b"a,b\n9,9\n")
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    assert rows(con, tmp_path / name, ["a", "b"]) == [(1, False, "1", "2")]


def test_rows_keep_the_order_of_a_long_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("n\tx\n" + "".join(f"{i}\t{'y' * 60}\n" for i in range(1, 200_001)), encoding="utf-8")
    file = readers.recognise(path)
    with readers.reading(con, file):
        readers.create_view(con, file, "seen", required=["n"])
        con.execute("create table kept as from seen")
    assert con.execute("select count(*) from kept where row = n::bigint").fetchone() == (200_000,)
    assert con.execute("select current_setting('preserve_insertion_order')").fetchone() == (False,)


def test_text_that_is_not_utf8_further_down_is_refused(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 400_000 + b"caf\xe9,2\n")
    with pytest.raises(InputError, match="not utf-8 encoded"):
        rows(con, path, ["a"])


def test_a_parquet_file_with_flipped_bytes_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [os.urandom(20).hex() for _ in range(2000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        rows(con, path, ["a"])
