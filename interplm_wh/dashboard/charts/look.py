"""Colours and names that all charts share."""

from __future__ import annotations

import altair as alt
import polars as pl

# Okabe and Ito (2008): told apart with any colour vision, on light and on dark.
KINDS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#8C6D31")
PLAIN = "#8A8F98"
"""Of what has no kind."""
ONE = "#0072B2"
ACTIVATION = alt.Scale(scheme="viridis", domain=[0, 1], clamp=True)
"""Of normalised activations; what the scale has not seen is drawn like its end."""
NO_KIND = "no known concept"


def drawable(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return rows whose texts can be places on an axis, or entries of a legend.

    Vega keeps these as keys of an object, where one name is taken; it gets a letter that is not seen.
    """
    taken = "__proto__"
    return rows.with_columns(pl.col(name).replace(taken, taken + "\u200b") for name in columns)


def kinds_of(column: pl.Series, *, most: int = len(KINDS)) -> list[str]:
    """Return the commonest values of a column, in order; the others share one colour."""
    counts = column.drop_nulls().value_counts(sort=True)
    return [str(value) for value in counts[column.name].to_list()[:most]]


def kind_scale(kinds: list[str], *, others: tuple[str, ...] = ()) -> alt.Scale:
    """Return one colour per kind, and grey for the others."""
    return alt.Scale(domain=[*kinds, *others], range=[*KINDS[: len(kinds)], *(PLAIN for _ in others)])
