"""Run the files of `sql/marts/` on relations that a test gives, without a warehouse on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from interplm_wh import schema, sqlfile
from interplm_wh.build import marts
from interplm_wh.build.marts import empty_select
from interplm_wh.quote import quote_identifier
from interplm_wh.sqlfile import SqlFile

Rows = Sequence[Mapping[str, Any]] | pa.Table
Block = tuple[int, int]

SAE = "a"
EVERYTHING: Block = (0, 2**31 - 1)
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
MARTS = sqlfile.load_folder("marts")
ORDERED = [f for f in sqlfile.build_order(MARTS) if f.output in schema.tables()]
VIEWS = [f for f in ORDERED if schema.table(f.output).storage == "view"]
BLOCKS = [f for f in ORDERED if schema.table(f.output).storage in ("block", "chunk")]


def letter_concepts() -> list[dict[str, Any]]:
    """The twenty concepts that every warehouse has."""
    return [
        {
            "concept_id": i,
            "concept": f"amino_acid_{letter}",
            "category": "amino_acid",
            "level": "residue",
            "source": "sequence",
        }
        for i, letter in enumerate(LETTERS)
    ]


def thresholds(*values: float) -> list[dict[str, Any]]:
    """Rows of `thresholds`."""
    return [{"rank": i, "threshold": t} for i, t in enumerate(sorted(values), start=1)]


def settings(*, min_residues: int = 1500, min_domains: int = 25) -> list[dict[str, Any]]:
    """Rows of `settings`."""
    given = {"min_residues": min_residues, "min_domains": min_domains}
    return [{"setting": key, "value": str(value)} for key, value in given.items()]


def protein(protein_id: int, sequence: str, *, split: str = "valid", **more: Any) -> dict[str, Any]:
    """Return a row of `proteins`."""
    row = {"accession": f"P{protein_id}", "length": len(sequence), "is_private": False}
    row |= {"protein_id": protein_id, "sequence": sequence, "split": split, "sample_key": protein_id}
    return row | more


def open_memory() -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that does not take variables of Python for tables."""
    return duckdb.connect(config={"python_enable_replacements": False})


def connect(relations: Mapping[str, Rows]) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with every table of the schemas, filled from `relations`, and the views.

    A relation is an Arrow table or rows as dictionaries; columns that are not given are NULL, and
    `sae` is the SAE of the tests.
    """
    con = open_memory()
    names = [t.name for t in schema.tables().values() if t.storage != "view"]
    for name in [*names, *marts.LAID]:
        con.execute(f"create table {quote_identifier(name)} as {empty_select(name)}")
    for name, rows in relations.items():
        fill(con, name, rows)
    for view in VIEWS:
        con.execute(f"create view {quote_identifier(view.output)} as {view.sql}")
    return con


def fill(con: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> None:
    """Insert rows into a table by the names of their columns."""
    given = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows))
    columns = [column for column, *_ in con.execute(f"describe {quote_identifier(name)}").fetchall()]
    if given.num_columns and "sae" in columns and "sae" not in given.column_names:
        given = given.append_column("sae", pa.array([SAE] * given.num_rows, pa.string()))
    if given.num_rows:
        con.register("given", given)
        con.execute(f"insert into {quote_identifier(name)} by name select * from given")
        con.unregister("given")


def encode_all(con: duckdb.DuckDBPyConnection, *, sae: str = SAE) -> None:
    """Record every protein as encoded."""
    con.execute(
        "insert into encodings by name select $sae as sae, protein_id, length as n_residues, "
        "'part' as part, 0 as n_activations, 'float32' as dtype, false as is_halved, "
        "'0' as package_version from proteins",
        {"sae": sae},
    )


def insert(con: duckdb.DuckDBPyConnection, name: str, file: SqlFile, values: Mapping[str, Any]) -> None:
    """Run one file with the values of its own parameters and add its rows to a table."""
    con.execute(f"insert into {quote_identifier(name)} by name {file.sql}", file.bind(values))


def lay_block(con: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Make the tables that a build holds while it counts one block of proteins."""
    for file in BLOCKS:
        con.execute(f"delete from {quote_identifier(file.output)}")
        insert(con, file.output, file, values)


def make(
    con: duckdb.DuckDBPyConnection,
    name: str,
    *,
    sae: str = SAE,
    blocks: Sequence[Block] = (EVERYTHING,),
    presence: float = 0.05,
    scale_source: str = "all",
) -> None:
    """Make one table as a build does: partial rows per block of proteins, then the merge."""
    values = {"sae": sae, "presence": presence, "scale_source": scale_source, "weights": ""}
    final, partial = MARTS[name], MARTS.get(f"{name}_partial")
    bounds = [{**values, "first_protein": first, "last_protein": last} for first, last in blocks]
    if partial is not None:
        con.execute(f"create or replace temp table {partial.name} as {empty_select(name)}")
        for bound in bounds:
            lay_block(con, bound)
            insert(con, partial.name, partial, bound)
    con.execute(f"delete from {quote_identifier(name)} where sae = ?", [sae])
    per_block = any(p.name == "first_protein" for p in final.params)
    for bound in bounds if per_block else [values]:
        if per_block:
            lay_block(con, bound)
        insert(con, name, final, bound)


def build(con: duckdb.DuckDBPyConnection, **how: Any) -> None:
    """Make every table of one SAE, in the order that the files declare; arguments as of `make`."""
    for file in sqlfile.build_order(_merged()):
        if schema.table(file.output).storage == "sae":
            make(con, file.output, **how)


def _merged() -> dict[str, SqlFile]:
    found = {}
    for name, file in MARTS.items():
        if name.endswith("_partial"):
            continue
        partial = MARTS.get(f"{name}_partial")
        inputs = {*file.inputs, *(partial.inputs if partial else ())} - {f"{name}_partial"}
        found[name] = SqlFile(**{**vars(file), "inputs": tuple(sorted(inputs))})
    return found


def rows(
    con: duckdb.DuckDBPyConnection, relation: str, *columns: str, where: str = "true"
) -> list[tuple[Any, ...]]:
    """Return chosen columns of a relation as tuples, in the order of those columns."""
    listed = ", ".join(map(quote_identifier, columns)) or "*"
    return con.execute(f"select {listed} from {relation} where {where} order by all").fetchall()
