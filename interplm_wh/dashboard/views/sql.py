"""A console for one SELECT at a time, with the tables beside it."""

from __future__ import annotations

import io
from functools import cache

import polars as pl
import pyarrow.parquet as pq
import streamlit as st

from interplm_wh import schema, sqlfile
from interplm_wh.ask import write_rows
from interplm_wh.console import Answer, ask
from interplm_wh.dashboard import frame
from interplm_wh.errors import InterplmError

TITLE, ADDRESS, ICON = "SQL", "sql", ":material/database:"
_SECONDS, _ROWS = 30.0, 5000
_MARKS = {"bars": st.bar_chart, "line": st.line_chart, "points": st.scatter_chart}


def show() -> None:
    """Draw the page."""
    st.title("Ask in SQL")
    tables, console = st.columns([1, 2], gap="large")
    with tables:
        _tables()
    with console:
        _console()


@cache
def _questions() -> dict[str, str]:
    return {file.what: file.sql for file in sqlfile.load_folder("cookbook").values()}


def _take() -> None:
    st.session_state["sql"] = _questions()[st.session_state["question"]]


def _console() -> None:
    st.selectbox(
        "Example questions",
        list(_questions()),
        index=None,
        key="question",
        on_change=_take,
        placeholder="Choose one to fill in its SQL",
    )
    with st.form("ask", border=False):
        sql = st.text_area(
            "One SELECT",
            key="sql",
            bind="query-params",
            height=220,
            placeholder="from saes",
            help=f"It reads this warehouse alone, for at most {_SECONDS:.0f} seconds and {_ROWS:,} rows.",
        )
        asked = st.form_submit_button("Run", type="primary", icon=":material/play_arrow:")
    if not sql.strip():
        return
    if asked or st.session_state.get("answered") != sql:
        st.session_state["answer"] = _answer(sql)
        st.session_state["answered"] = sql
    found = st.session_state["answer"]
    if isinstance(found, str):
        st.error(frame.plain(found))
    else:
        _show(found)


def _answer(sql: str) -> Answer | str:
    try:
        with st.spinner("Asking"):
            return ask(frame.current().reader.path, sql, max_rows=_ROWS, seconds=_SECONDS)
    except InterplmError as error:
        return str(error)


def _show(answer: Answer) -> None:
    rows = answer.rows
    more = f", the first {rows.num_rows:,} of more" if answer.is_truncated else ""
    st.caption(f"{rows.num_rows:,} rows{more} in {answer.seconds:.1f} s")
    table, chart = st.tabs(["Table", "Chart"])
    names = [
        f"{name} ({i})" if rows.column_names.count(name) > 1 else name
        for i, name in enumerate(rows.column_names)
    ]
    data = pl.DataFrame(rows.rename_columns(names))
    with table:
        st.dataframe(data, hide_index=True, alt="The rows of the answer")
        left, right = st.columns(2)
        csv, parquet = io.BytesIO(), io.BytesIO()
        write_rows(rows.rename_columns(names), csv, form="csv")
        pq.write_table(rows.rename_columns(names), parquet)
        left.download_button("CSV", csv.getvalue(), "answer.csv", "text/csv", width="stretch")
        right.download_button("Parquet", parquet.getvalue(), "answer.parquet", width="stretch")
    with chart:
        _chart(data)


def _chart(data: pl.DataFrame) -> None:
    numbers = [name for name in data.columns if data[name].dtype.is_numeric()]
    if not numbers or not len(data):
        st.caption("A chart needs a column of numbers.")
        return
    x, y, kind = st.columns(3)
    across = x.selectbox("Across", data.columns, key="across")
    up = y.selectbox("Up", numbers, index=len(numbers) - 1, key="up")
    mark = kind.selectbox("As", list(_MARKS), key="mark")
    if across == up:
        st.caption("Choose two columns.")
        return
    _MARKS[mark](data, x=across, y=up)


def _tables() -> None:
    st.subheader("Tables")
    text = st.text_input("Find a table or a column", key="find", bind="query-params").strip().lower()
    reader = frame.current().reader
    there = set(
        reader.rows("select distinct table_name from information_schema.tables")["table_name"].to_list()
    )
    for name in sorted(there & set(schema.tables())):
        table = schema.table(name)
        hits = [c for c in table.columns if text in c.name.lower() or text in c.doc.lower()]
        if text and text not in name and not hits:
            continue
        with st.expander(name):
            st.caption(frame.plain(table.what))
            st.dataframe(
                pl.DataFrame(
                    [{"column": c.name, "type": str(c.type), "meaning": c.doc} for c in table.columns]
                ),
                hide_index=True,
                alt=f"Columns of {name}",
            )
    st.subheader("Macros")
    for file in sqlfile.load_folder("macros").values():
        if text and text not in file.name and text not in file.what.lower():
            continue
        with st.expander(f"{file.name}({', '.join(p.name for p in file.params)})"):
            st.caption(frame.plain(file.what))


if __name__ == "__main__":  # as Streamlit runs a page
    show()
