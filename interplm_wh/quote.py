"""Quoting for the few places where DuckDB does not bind: CREATE VIEW, COMMENT, ATTACH, identifiers."""

from __future__ import annotations


def quote_identifier(name: str) -> str:
    """Return `name` as a double-quoted SQL identifier."""
    if "\0" in name:
        raise ValueError("an SQL identifier cannot hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return `text` as a single-quoted SQL string."""
    if "\0" in text:
        raise ValueError("an SQL string cannot hold a NUL character")
    return "'" + text.replace("'", "''") + "'"
