"""Declarations of tables, and what derives from them."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interplm_wh import schema, sqlfile
from interplm_wh.build import marts
from interplm_wh.errors import ResourceError
from interplm_wh.quote import quote_identifier, quote_literal

CONTRACT = {
    "proteins", "residues", "concepts", "annotations", "coverage", "rejects", "plms", "saes", "features",
    "encodings", "activations", "feature_activations", "protein_features", "firing", "feature_stats",
    "feature_amino_acids", "activation_histogram", "max_examples", "quantile_examples", "concept_support",
    "concept_f1", "heldout_pairs", "parts", "runs",
}  # fmt: skip

text = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)))


def test_every_table_of_the_contract_is_declared() -> None:
    assert set(schema.tables()) >= CONTRACT


def test_every_declared_view_has_its_select_and_every_mart_its_schema() -> None:
    files = set(sqlfile.load_folder("marts"))
    views = {name for name, table in schema.tables().items() if table.storage in ("view", "block", "chunk")}
    assert views <= files
    assert {name.removesuffix("_partial") for name in files} <= set(schema.tables())


def test_what_chunks_add_to_is_never_read_before_all_chunks_are_counted() -> None:
    files = marts.derived() | {f.name: f for mart in marts.ordered() for f in mart.files}
    chunk = {name for name in marts.derived() if schema.table(name).storage == "chunk"}
    added = {name for name in marts.derived() if name not in chunk and chunk & set(files[name].inputs)}
    assert chunk and added
    assert not [name for name, file in files.items() if chunk & set(file.inputs) and added & set(file.inputs)]
    assert not [name for name in chunk if added & marts.below(files[name].inputs)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("what: x", "hwat: x"), "unknown"),
        (("grain: [a]", "grain: [b]"), "not there"),
        (("type: int32", "type: int31"), "needs a type"),
        (("storage: lake", "storage: pond"), "missing"),
        (("doc: d", "dok: d"), "needs a type"),
    ],
)
def test_a_wrong_declaration_is_refused(change: tuple[str, str], message: str) -> None:
    good = "table: t\nversion: 1\nstorage: lake\nwhat: x\ngrain: [a]\ncolumns:\n  a: {type: int32, doc: d}\n"
    assert schema.parse(good).columns[0].sql_type == "INTEGER"
    with pytest.raises(ResourceError, match=message):
        schema.parse(good.replace(*change))


def test_the_empty_select_has_the_columns_and_types_of_the_schema() -> None:
    with duckdb.connect() as con:
        for table in schema.tables().values():
            described = con.execute(f"describe {table.empty_select}").fetchall()
            assert [(row[0], row[1]) for row in described] == [(c.name, c.sql_type) for c in table.columns]


@given(text)
def test_quoted_text_comes_back_as_it_was(value: str) -> None:
    with duckdb.connect() as con:
        assert con.execute(f"select {quote_literal(value)}").fetchall() == [(value,)]


@given(text.filter(bool))
def test_a_quoted_identifier_names_the_column_as_it_was(name: str) -> None:
    with duckdb.connect() as con:
        relation = con.sql(f"select 1 as {quote_identifier(name)}")
        assert relation.columns == [name]


@pytest.mark.parametrize("quote", [quote_identifier, quote_literal])
def test_a_nul_character_is_refused(quote: object) -> None:
    assert callable(quote)
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")
