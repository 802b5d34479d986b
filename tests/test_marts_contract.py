"""Every file of `sql/marts/` reads what it declares and gives the columns of its schema."""

from __future__ import annotations

import duckdb
import pytest

from interplm_wh import schema
from interplm_wh.quote import quote_identifier
from interplm_wh.sqlfile import SqlFile
from tests import harness

FILES = sorted(harness.MARTS.values(), key=lambda f: f.name)
VALUES = {
    "sae": "a",
    "presence": 0.05,
    "scale_source": "all",
    "weights": "",
    "first_protein": 0,
    "last_protein": 9,
}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_mart_reads_only_declared_inputs_and_gives_the_declared_columns(file: SqlFile) -> None:
    with harness.open_memory() as con:
        for name in file.inputs:
            con.execute(f"create table {quote_identifier(name)} as {harness.empty_select(name)}")
        described = con.execute(f"describe {file.sql}", file.bind(VALUES)).fetchall()
    declared = schema.table(file.output.removesuffix("_partial")).columns
    assert [(name, kind) for name, kind, *_ in described] == [(c.name, c.sql_type) for c in declared]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_declared_input_is_read(file: SqlFile) -> None:
    with harness.open_memory() as con:
        for name in file.inputs:
            con.execute(f"create table {quote_identifier(name)} as {harness.empty_select(name)}")
        for name in file.inputs:
            con.execute("begin")
            con.execute(f"drop table {quote_identifier(name)}")
            with pytest.raises(duckdb.CatalogException, match=name):
                con.execute(f"describe {file.sql}", file.bind(VALUES))
            con.execute("rollback")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_file_is_named_after_its_output_and_states_its_grain(file: SqlFile) -> None:
    assert file.name == file.output
    assert file.grain == schema.table(file.output.removesuffix("_partial")).grain


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_file_has_at_most_about_sixty_lines(file: SqlFile) -> None:
    assert len(file.sql.splitlines()) <= 70
