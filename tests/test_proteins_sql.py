"""The SQL that adds proteins and activations, or splits them, reads what its heads declare, no more."""

from __future__ import annotations

import duckdb
import pytest

from interplm_wh import sqlfile

FILES = [
    file
    for name, file in sqlfile.load_folder("ingest").items()
    if name.startswith(("proteins_", "activations_", "clusters_"))
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_reads_just_its_declared_inputs(file: sqlfile.SqlFile) -> None:
    sql = file.sql
    for param in sorted(file.params, key=lambda p: -len(p.name)):
        sql = sql.replace(f"${param.name}", f"null::{param.type}")
    with duckdb.connect() as con:
        assert con.get_table_names(sql) == set(file.inputs)
