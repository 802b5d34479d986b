"""What pages read: queries over the published warehouse, each answered once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import duckdb
import polars as pl
import pyarrow as pa
import streamlit as st

from interplm_wh import sqlfile, store
from interplm_wh.errors import InterplmError
from interplm_wh.store import Warehouse

_ANSWERS = 500
# A fault of the page and not of the files.
_OF_THE_QUESTION = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
_log = logging.getLogger(__name__)


@st.cache_resource(scope="session", show_spinner=False, max_entries=1)
def _opened(path: str) -> Warehouse:
    """Return this session's own connection, on the publish that it has seen.

    A run that was not finished when the next one began goes on in a thread of its own: a `Warehouse`
    answers them one after the other.
    """
    return store.open(path, own_macros=True)


class _NewerPublish(Exception):
    """What was open is no longer there, and a newer publish was opened in its place."""


@st.cache_data(max_entries=_ANSWERS, show_spinner=False)
def _answer(
    path: str, publish: tuple[int, int], sql: str, values: tuple[tuple[str, Any], ...]
) -> pl.DataFrame:
    """Return rows; `publish` makes the same question another one once there is a newer publish."""
    warehouse = _opened(path)
    rows = warehouse.polars(sql, {name: list(v) if isinstance(v, tuple) else v for name, v in values})
    if warehouse.stamp != publish:
        raise _NewerPublish
    return rows


class Reader:
    """The warehouse as one page sees it.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def warehouse(self) -> Warehouse:
        """This session's connection."""
        return _opened(str(self.path))

    def rows(self, sql: str, values: Mapping[str, Any] = MappingProxyType({})) -> pl.DataFrame:
        """Return the rows of one query, with values for its ``$name``.

        Where a vacuum has removed what this session had open, the page is drawn again from the newest
        publish, as a whole: it never holds numbers of two. Files that cannot be read are named on it.
        """
        asked = tuple(sorted(values.items()))
        return _readable(lambda: _answer(str(self.path), self.warehouse.stamp, sql, asked))

    def rows_beside(
        self, tables: Mapping[str, pa.Table], sql: str, values: Mapping[str, Any] = MappingProxyType({})
    ) -> pl.DataFrame:
        """Return the rows of a query over the warehouse and `tables`."""
        return _readable(lambda: self.warehouse.polars(sql, values, tables=tables))

    def ask(self, name: str, values: Mapping[str, Any] = MappingProxyType({})) -> pl.DataFrame:
        """Return the rows of a file of `sql/dashboard/`."""
        file = sqlfile.load("dashboard", name)
        return self.rows(file.sql, file.bind(values))

    def row(self, sql: str, values: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any] | None:
        """Return the first row, or None."""
        found = self.rows(sql, values)
        return found.row(0, named=True) if len(found) else None


def _readable(ask: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of a question; of one that cannot be answered, say on the page why."""
    try:
        return ask()
    except _NewerPublish:
        st.rerun()
    except InterplmError as error:
        _say(str(error))
    except duckdb.Error as error:
        if isinstance(error, _OF_THE_QUESTION):
            raise
        _log.warning("a question of a page was not answered: %s", error)
        first, *_ = str(error).splitlines()
        _say(f"{first}\nTo see which files are damaged: interplm-wh verify")


def _say(fault: str) -> NoReturn:
    """End this run of the page with what is wrong."""
    st.error("The warehouse cannot be read as it is.", icon=":material/error:")
    st.code(fault, language=None, wrap_lines=True)
    st.stop()
