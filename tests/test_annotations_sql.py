"""The heads of `sql/ingest` hold: declared inputs suffice, and tables come out as their schemas say."""

from __future__ import annotations

import duckdb
import pytest

from interplm_wh import schema, sqlfile
from interplm_wh.ingest import annotation_lines
from tests.annotations_helpers import FEATURE_COLUMNS

OURS = ("annotations_", "uniprot_")
FILES = {n: f for n, f in sqlfile.load_folder("ingest").items() if n.startswith(OURS)}
_TEXTS = ", ".join(f'"{name}" varchar' for name in ("Entry", "Sequence", *FEATURE_COLUMNS))
_TABLE = ", ".join(f"{name} varchar" for name in (*annotation_lines.REQUIRED, *annotation_lines.OPTIONAL))
# What Python puts there before the first file runs.
ROOTS = {
    "uniprot_lines": f"row bigint, is_ragged boolean, {_TEXTS}",
    "known_proteins": "accession varchar, protein_id integer, length integer, sequence_md5 varchar",
    "seen_entries": "accession varchar, digest varchar",
    "annotation_lines": f"row bigint, item integer, part integer, place varchar, {_TABLE}, "
    "state varchar, reason varchar",
    "format_lines": "row bigint, line varchar",
    "format_records": "row bigint, accession varchar, codes varchar",
    "format_rows": 'row bigint, accession varchar, position varchar, value varchar, "values" varchar, '
    "pfama_acc varchar, seq_start varchar, seq_end varchar, md5 varchar",
    "covered_proteins": "protein_id integer",
    "concepts": ", ".join(f'"{c.name}" {c.sql_type}' for c in schema.table("concepts").columns),
}
SAMPLE = {"VARCHAR": "x", "BIGINT": 0, "INTEGER": 0, "DOUBLE": 0.5, "BOOLEAN": False}


def _provide(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create an empty relation, by the file that makes it where there is one."""
    if name in ROOTS:
        con.execute(f"create table if not exists {name} ({ROOTS[name]})")
        return
    maker = next(file for file in FILES.values() if file.output == name)
    for needed in maker.inputs:
        _provide(con, needed)
    con.execute(f"create table if not exists {name} as {maker.sql}", _values(maker))


def _values(file: sqlfile.SqlFile) -> dict[str, object]:
    return {param.name: SAMPLE[param.type] for param in file.params}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_reads_its_declared_inputs_alone(name: str) -> None:
    file, con = FILES[name], duckdb.connect()
    for needed in file.inputs:
        _provide(con, needed)
    present = {table for (table,) in con.execute("select table_name from duckdb_tables()").fetchall()}
    for extra in present - set(file.inputs):
        con.execute(f"drop table {extra}")
    con.execute(f"create temp table result as {file.sql}", _values(file))
    columns = [(c, t) for c, t, *_ in con.execute("describe result").fetchall()]
    assert set(file.grain) <= {column for column, _ in columns}
    if file.output in schema.tables():
        assert columns == [(c.name, c.sql_type) for c in schema.table(file.output).columns]


def test_the_categories_are_the_columns_of_the_usual_export() -> None:
    rows = duckdb.execute(FILES["uniprot_categories"].sql).fetchall()
    assert {column: key for _, column, key, _, _ in rows} == FEATURE_COLUMNS


def test_the_level_follows_the_category() -> None:
    rows = duckdb.execute(FILES["uniprot_categories"].sql).fetchall()
    assert {category for category, _, _, level, _ in rows if level == "residue"} == {
        "Active site",
        "Glycosylation",
        "Modified residue",
        "Disulfide bond",
    }
