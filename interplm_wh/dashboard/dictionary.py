"""The data dictionary beside the console: tables with their columns, macros with an example call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh import schema, sqlfile
from interplm_wh.dashboard import frame
from interplm_wh.quote import quote_literal
from interplm_wh.sqlfile import Param, SqlFile

_TABLES = "select distinct table_name from information_schema.tables"
# Which of the example values stands for a parameter, by the end of its name.
_EXAMPLES = {
    "left_sae": "sae", "right_sae": "other_sae", "sae": "sae", "feature": "feature", "accession": "accession",
    "accessions": "accession", "concept": "concept",
}  # fmt: skip
_FALLBACKS = {"VARCHAR": "test", "INTEGER": 1, "DOUBLE": 0.5, "BOOLEAN": True}


@dataclass(frozen=True)
class Entry:
    """What can be asked: a table or a macro.

    Attributes
    ----------
    name, kind, what : str
    parts : tuple of tuple of str
        Columns, or parameters: name, type, default and meaning.
    example : str
        SQL that shows some of it.
    """

    name: str
    kind: str
    what: str
    parts: tuple[tuple[str, str, str, str], ...]
    example: str

    def mentions(self, text: str) -> bool:
        """Whether a text stands in a name or a description, whatever its case."""
        words = (self.name, self.what, *(word for part in self.parts for word in (part[0], part[3])))
        return any(text.lower() in word.lower() for word in words)


def show(take: Callable[[str], None]) -> None:
    """Draw the dictionary.

    Parameters
    ----------
    take : callable
        Puts SQL into the console.
    """
    st.subheader("Tables and macros")
    text = st.text_input(
        "Find", key="find", bind="query-params", placeholder="a word of a name or a description"
    ).strip()
    found = {entry.name: entry for entry in _entries() if entry.mentions(text)}
    if not found:
        st.caption("No table, column or macro has this in its name or description.")
        return
    name = st.selectbox(
        "Look at",
        list(found),
        index=None,
        key="look",
        bind="query-params",
        placeholder=f"Choose one of {len(found)}",
        filter_mode="contains",
    )
    if name is None:
        listed = [{"name": e.name, "kind": e.kind, "what": e.what} for e in found.values()]
        st.dataframe(pl.DataFrame(listed), hide_index=True, alt="What can be asked, with its meaning")
        return
    _show(found[name], take)


def _show(entry: Entry, take: Callable[[str], None]) -> None:
    st.caption(frame.plain(f"{entry.kind}. {entry.what}"))
    named = "parameter" if entry.kind == "Macro" else "column"
    parts = pl.DataFrame(entry.parts, schema=[named, "type", "default", "meaning"], orient="row")
    shown = [named, "meaning", "type", *(["default"] if entry.kind == "Macro" else [])]
    st.dataframe(parts.select(shown), hide_index=True, alt=f"The {named}s of {entry.name}")
    st.code(entry.example, language="sql", wrap_lines=True)
    st.button(
        "Ask this", key="example", icon=":material/play_arrow:", on_click=take, args=(entry.example,),
        help="It is put into the box, and asked.",
    )  # fmt: skip


def _entries() -> Iterator[Entry]:
    """Yield what this warehouse has, tables first."""
    reader = frame.current().reader
    there = set(reader.rows(_TABLES)["table_name"].to_list())
    for name in sorted(there & set(schema.tables())):
        table = schema.table(name)
        columns = tuple((c.name, c.sql_type, "", c.comment) for c in table.columns)
        kind = "View" if table.storage == "view" else "Table"
        yield Entry(name, kind, table.what, columns, f"from {name} limit 20")
    sae = frame.current().sae
    (values,) = reader.ask("example_values", {"sae": sae["sae"] if sae else None}).to_dicts()
    for file in sqlfile.load_folder("macros").values():
        params = tuple((p.name, p.type, p.default or "", p.doc) for p in file.params)
        yield Entry(file.name, "Macro", file.what, params, call(file, values))


def call(file: SqlFile, values: dict[str, Any]) -> str:
    """Return a call of a macro with values that are there; those with a default are left out."""
    given = ", ".join(_literal(p, values) for p in file.params if p.default is None)
    return f"from {file.name}({given})"


def _literal(param: Param, values: dict[str, Any]) -> str:
    known = next((values[what] for end, what in _EXAMPLES.items() if param.name.endswith(end)), None)
    kind = param.type.removesuffix("[]")
    value = _FALLBACKS[kind] if known is None else known
    text = quote_literal(str(value)) if kind == "VARCHAR" else str(value).lower()
    return f"[{text}]" if param.type.endswith("[]") else text
