"""FASTA text becomes records, whatever the line length, line ends and batches."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplm_wh.errors import InputError
from interplm_wh.ingest import fasta, readers

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
SEQUENCES = st.text("ACDEFGHIKLMNPQRSTVWYX", max_size=40)


@given(st.lists(st.tuples(WORDS, SEQUENCES), max_size=8), st.integers(1, 15), st.sampled_from(["\n", "\r\n"]))
def test_records_come_back_as_they_were_written(records: list[tuple[str, str]], width: int, end: str) -> None:
    text = ""
    for header, sequence in records:
        lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
        text += end.join((f">{header}", *lines)) + end
    assert list(fasta.records(io.StringIO(text, newline=""))) == records


def test_lines_keep_their_white_space_and_headers_their_marks() -> None:
    assert list(fasta.records(io.StringIO(">a > b\nMK \n V\n\n>c"))) == [("a > b", "MK  V"), ("c", "")]


def test_batches_number_the_records_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "_BATCH_CHARACTERS", 50)
    path = tmp_path / "a.fasta.gz"
    path.write_bytes(gzip.compress("".join(f">P{i}\n{'M' * 20}\n" for i in range(1, 31)).encode()))
    tables = list(fasta.tables(readers.recognise(path)))
    assert len(tables) > 5
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == [{"row": i, "header": f"P{i}", "sequence": "M" * 20} for i in range(1, 31)]


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    path.write_bytes(b"\xef\xbb\xbf>P1\nMK\n")
    (table,) = fasta.tables(readers.recognise(path))
    assert table.to_pylist() == [{"row": 1, "header": "P1", "sequence": "MK"}]


def test_text_that_is_not_utf8_further_down_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    path.write_bytes(b">P1\n" + b"MK\n" * 500_000 + b">caf\xe9\nMK\n")
    with pytest.raises(InputError, match="not UTF-8 text"):
        list(fasta.tables(readers.recognise(path)))
