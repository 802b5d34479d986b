"""What is outside the SQL that both engines answer alike is named before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import small

from interplm_wh import build, resources, sqlfile
from interplm_wh.errors import ResourceError
from interplm_wh.spark import portable

HEAD = "-- output: planted\n-- grain:  x\n-- inputs: proteins\n-- params: none\n-- what:   Planted.\n"


def file(body: str) -> sqlfile.SqlFile:
    return sqlfile.parse(HEAD + body, name="planted", folder="marts")


def test_every_mart_is_portable() -> None:
    portable.require()


# Each gives other rows, or none, on Spark, and is translated without a word.
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("select hash(accession) as x from proteins", "hash"),
        ("select list(accession order by accession) as x from proteins", "ARRAY_AGG"),
        ("select first(accession order by length) as x from proteins", "FIRST"),
        ("select length::uinteger as x from proteins", "UINTEGER"),
        ("select length::hugeint as x from proteins", "INT128"),
        ("select string_split(sequence, '') as x from proteins", "SPLIT"),
        ("select unnest(generate_series(9, 6)) as x", "use range"),
        ("select random() as x from proteins", "RANDOM"),
        ("select regexp_extract(accession, 'Q') as x from proteins", "REGEXP_EXTRACT"),
        ("select accession as x from proteins using sample 10", "TABLESAMPLE"),
        ("from proteins select any_value(accession) as x", "ANY_VALUE"),
    ],
)
def test_what_engines_answer_differently_is_named(body: str, named: str) -> None:
    faults = portable.faults(file(body))
    assert any(named.lower() in fault.lower() for fault in faults), faults
    with pytest.raises(ResourceError, match=r"sql/marts/planted\.sql"):
        portable.translate(file(body))


def test_parameters_and_integer_division_are_written_as_spark_has_them() -> None:
    text = (
        HEAD.replace("none", "$first INTEGER  lowest")
        + "select protein_id // 2 as x from proteins where protein_id > $first"
    )
    found = portable.translate(sqlfile.parse(text, name="planted", folder="marts"))
    assert ":first" in found
    assert "DIV" in found


def test_a_file_outside_the_subset_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small.make(tmp_path / "w")
    sql = tmp_path / "sql" / "marts"
    sql.mkdir(parents=True)
    for one in (resources.folder("sql") / "marts").glob("*.sql"):
        text = one.read_text()
        if one.stem in ("max_examples", "firing"):
            text = text.replace("sae,\n", "sae,\n", 1) + "\norder by hash(feature)\n"
        (sql / one.name).write_text(text)
    folder = resources.folder
    monkeypatch.setattr(resources, "folder", lambda name: sql.parent if name == "sql" else folder(name))
    sqlfile.load_folder.cache_clear()
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    try:
        with pytest.raises(ResourceError, match="2 faults") as refused:
            build.build(path, engine="spark", master="local[1]")
    finally:
        sqlfile.load_folder.cache_clear()
    for name in ("max_examples", "firing"):
        assert f"sql/marts/{name}.sql: hash (" in str(refused.value)
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
