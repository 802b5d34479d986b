"""Heads of SQL files: what they declare is what the engine sees."""

from __future__ import annotations

import pytest

from interplm_wh import resources, schema, sqlfile
from interplm_wh.errors import ResourceError

GOOD = """-- output: x
-- grain:  a, b
-- inputs: t, u
-- params: $k INTEGER = 3   how many
--                          at most
--         $name VARCHAR    whose
-- what:   Rows of t
--         and u.
select a, b from t, u where c = $name limit $k
"""


def test_the_head_is_read_with_its_continuation_lines() -> None:
    file = sqlfile.parse(GOOD, name="x", folder="marts")
    assert file.grain == ("a", "b")
    assert file.inputs == ("t", "u")
    assert file.what == "Rows of t and u."
    assert file.params == (
        sqlfile.Param("k", "INTEGER", "3", "how many at most"),
        sqlfile.Param("name", "VARCHAR", None, "whose"),
    )
    assert file.macro_body.endswith("where c = name limit k")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("-- grain:  a, b\n", ""), "lacks grain"),
        (("-- what:", "-- why:"), "unknown or repeated key 'why'"),
        (("$name VARCHAR    whose", "$other VARCHAR    whose"), "undeclared"),
        (("limit $k", "limit 3"), "unused"),
        (("select a", "create table y as select a"), "exactly one SELECT"),
        (("limit $k", "limit $k; select 1"), "exactly one SELECT"),
        (("select a", "selekt a"), "syntax error"),
        (("-- inputs:", "--inputs:"), "cannot read the line"),
    ],
)
def test_a_wrong_file_is_refused(change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ResourceError, match=message):
        sqlfile.parse(GOOD.replace(*change), name="x", folder="marts")


def test_binding_names_the_missing_value() -> None:
    file = sqlfile.parse(GOOD, name="x", folder="marts")
    assert file.bind({"k": 1, "name": "n", "more": 2}) == {"k": 1, "name": "n"}
    with pytest.raises(ResourceError, match="needs a value for name"):
        file.bind({"k": 1})


def test_files_are_ordered_after_what_they_read() -> None:
    def file(name: str, *inputs: str) -> sqlfile.SqlFile:
        return sqlfile.SqlFile(name, "marts", name, ("a",), inputs, (), "w", "select 1")

    chain = {"c": file("c", "b", "table"), "a": file("a"), "b": file("b", "a")}
    assert [f.name for f in sqlfile.build_order(chain)] == ["a", "b", "c"]
    with pytest.raises(ResourceError, match="circle"):
        sqlfile.build_order({"a": file("a", "b"), "b": file("b", "a")})


def test_every_file_in_the_package_can_be_read() -> None:
    folders = [path for path in sorted(resources.folder("sql").iterdir()) if path.is_dir()]
    assert {"marts", "macros", "ingest", "cookbook", "info"} <= {path.name for path in folders}
    for folder in folders:
        for file in sqlfile.load_folder(folder.name).values():
            assert file.what
            assert file.grain


def test_a_macro_parameter_is_never_named_like_a_column() -> None:
    # DuckDB would compare the column with itself.
    for file in sqlfile.load_folder("macros").values():
        tables = [schema.table(name) for name in file.inputs if name not in sqlfile.load_folder("macros")]
        read = {column.name for table in tables for column in table.columns}
        assert not {p.name for p in file.params} & read, file.name
