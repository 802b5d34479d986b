"""A console for one SELECT at a time, with the tables beside it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import cache, partial

import polars as pl
import pyarrow as pa
import streamlit as st

from interplm_wh import sqlfile
from interplm_wh.ask import write_rows
from interplm_wh.console import Answer
from interplm_wh.console.run import MAX_SQL_CHARACTERS
from interplm_wh.dashboard import asking, dictionary, frame
from interplm_wh.dashboard.charts.answer import MARKS, across_columns, answer, natural_mark, number_columns
from interplm_wh.dashboard.charts.save import saved
from interplm_wh.errors import InterplmError

TITLE, ADDRESS, ICON = "SQL", "sql", ":material/database:"
_STOPPED = "This was left before it had an answer; press Run to ask again."
_CSV_HELP = (
    "Text is written as it is: a spreadsheet takes a cell that begins with =, +, - or @ for a formula. "
    "Import it as text there, or use Parquet. Lists and structs are written as text."
)


def show() -> None:
    """Draw the page."""
    st.title("Ask in SQL")
    tables, console = st.columns([2, 3], gap="large")
    with console:
        _console()
    with tables:
        dictionary.show(_take)


@cache
def _questions() -> dict[str, str]:
    return {file.what: file.sql for file in sqlfile.load_folder("cookbook").values()}


def _take(sql: str) -> None:
    st.session_state["sql"] = sql


def _take_question() -> None:
    question = st.session_state["question"]
    if question is not None:
        _take(_questions()[question])


def _console() -> None:
    bounds = asking.BOUNDS
    st.selectbox(
        "Example questions",
        list(_questions()),
        index=None,
        key="question",
        on_change=_take_question,
        filter_mode="contains",
        placeholder="Choose one to fill in its SQL, and ask it",
    )
    with st.form("ask", border=False):
        sql = st.text_area(
            "One SELECT",
            key="sql",
            bind="query-params",
            height=220,
            max_chars=MAX_SQL_CHARACTERS,
            placeholder="from saes",
            help=(
                f"It only reads, and this warehouse alone, for at most {bounds.seconds:g} seconds and "
                f"{bounds.rows:,} rows; the question has at most {MAX_SQL_CHARACTERS:,} letters. "
                "The address of this page holds the question: who opens a copied address asks it, within the "
                "same bounds."
            ),
        )
        asked = st.form_submit_button("Run", type="primary", icon=":material/play_arrow:")
    if not sql.strip():
        st.caption("Type a SELECT, choose an example question, or look at a table beside.")
        return
    if asked or st.session_state.get("answered") != sql:
        # Before it is asked: a page that is left meanwhile does not ask the same again and again.
        st.session_state["answered"], st.session_state["answer"] = sql, _STOPPED
        st.session_state["answer"] = _answer(sql)
    found = st.session_state["answer"]
    if isinstance(found, str):
        st.error(frame.plain_lines(found))
    else:
        _show(found)


def _answer(sql: str) -> Answer | str:
    with st.spinner("Asking"):
        try:
            return asking.ask_in_turn(frame.current().reader.path, sql, bounds=asking.BOUNDS)
        except InterplmError as error:
            return str(error)


def _show(found: Answer) -> None:
    rows = found.rows.rename_columns(_distinct(found.rows.column_names))
    n = rows.num_rows
    st.caption(
        f"The first {n:,} rows of more; the files hold these"
        if found.is_truncated
        else frame.counted(n, "row")
    )
    data = pl.DataFrame(rows)
    table, chart = st.tabs(["Table", "Chart"])
    with table:
        st.dataframe(data, hide_index=True, alt="The rows of the answer")
        _downloads({"csv": partial(_file, rows, "csv"), "parquet": partial(_file, rows, "parquet")})
    with chart:
        _chart(data)


def _distinct(names: list[str]) -> list[str]:
    """Return column names of which none stands twice."""
    taken: set[str] = set()
    found = []
    for name in names:
        one, i = name, 1
        while one in taken:
            i += 1
            one = f"{name} ({i})"
        taken.add(one)
        found.append(one)
    return found


def _file(rows: pa.Table, form: str) -> bytes:
    out = io.BytesIO()
    write_rows(rows, out, form="csv" if form == "csv" else "parquet")
    return out.getvalue()


def _downloads(files: Mapping[str, Callable[[], bytes]]) -> None:
    """Draw a button for each format; the file is made when its button is pressed."""
    for column, (form, make) in zip(st.columns(len(files)), files.items(), strict=True):
        column.download_button(
            form.upper() if form != "parquet" else "Parquet",
            make,
            f"answer.{form}",
            on_click="ignore",
            width="stretch",
            help=_CSV_HELP if form == "csv" else None,
        )


def _chart(data: pl.DataFrame) -> None:
    numbers, columns = number_columns(data), across_columns(data)
    if not numbers or len(columns) < 2:
        st.caption("A chart needs a column of numbers, and another one.")
        return
    one, two, three, four = st.columns(4)
    start = next((i for i, name in enumerate(columns) if name not in numbers), 0)
    across = one.selectbox("Across", columns, index=start, key="across")
    others = [name for name in numbers if name != across]
    if not others:
        st.caption("There is no other column of numbers to draw upwards.")
        return
    up = two.selectbox("Up", others, index=len(others) - 1, key="up")
    colour = three.selectbox("Colour", columns, index=None, key="colour", placeholder="one for all")
    mark = four.selectbox("As", MARKS, index=MARKS.index(natural_mark(data[across])), key="mark")
    drawn = answer(data, across=across, up=up, mark=mark, colour=colour)
    if not drawn.n_rows:
        st.caption("No row has a finite number in both columns.")
        return
    st.altair_chart(drawn.chart, alt="The answer as a chart")
    said = [frame.counted(drawn.n_rows, "row")]
    if drawn.n_left_out:
        said.append(f"{drawn.n_left_out:,} without a finite number are left out")
    if drawn.repeats and mark != "points":
        how = "stacked" if mark == "bars" else "joined by a vertical line"
        said.append(f"several rows have one place across and are {how}")
    st.caption("; ".join(said))
    _downloads({"svg": partial(saved, drawn.chart, "svg"), "png": partial(saved, drawn.chart, "png")})


if __name__ == "__main__":  # as Streamlit runs a page
    show()
