"""What pages read: queries over the published warehouse, each answered once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import streamlit as st

from interplm_wh import sqlfile, store
from interplm_wh.store import Warehouse

_ANSWERS = 1000


@st.cache_resource(scope="session", show_spinner=False, max_entries=1)
def _opened(path: str) -> Warehouse:
    """Return this session's own connection: DuckDB's are not shared between threads."""
    return store.open(path, own_macros=True)


@st.cache_data(max_entries=_ANSWERS, show_spinner=False)
def _answer(
    path: str, publish: tuple[int, int], sql: str, values: tuple[tuple[str, Any], ...]
) -> pl.DataFrame:
    """Return rows; `publish` makes the same question another one once there is a newer publish."""
    return _opened(path).polars(sql, {name: list(v) if isinstance(v, tuple) else v for name, v in values})


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
        """Return the rows of one query, with values for its ``$name``."""
        return _answer(str(self.path), self.warehouse.stamp, sql, tuple(sorted(values.items())))

    def ask(self, name: str, values: Mapping[str, Any] = MappingProxyType({})) -> pl.DataFrame:
        """Return the rows of a file of `sql/dashboard/`."""
        file = sqlfile.load("dashboard", name)
        return self.rows(file.sql, file.bind(values))

    def row(self, sql: str, values: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any] | None:
        """Return the first row, or None."""
        found = self.rows(sql, values)
        return found.row(0, named=True) if len(found) else None
