"""Colours and names that all charts share."""

from __future__ import annotations

import json
from typing import Literal

import altair as alt
import polars as pl

# Okabe and Ito (2008): told apart with any colour vision, on light and on dark.
KINDS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#8C6D31")
PLAIN = "#8A8F98"
"""Of what has no kind."""
ONE = "#0072B2"
# Source: ColorBrewer's YlGnBu without its palest, and viridis without its darkest; both grow evenly in
# lightness, so that they are read with any colour vision, and in grey.
_ON_LIGHT = ("#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58")
_ON_DARK = ("#46347f", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
NO_KIND = "no known concept"
OTHER = "other"


def activation_stops(*, dark: bool) -> tuple[str, ...]:
    """Return the colours of normalised activations, evenly spaced from 0 to 1 and mixed in RGB."""
    return _ON_DARK if dark else _ON_LIGHT


def activation_scale(*, dark: bool) -> alt.Scale:
    """Return the scale of normalised activations; what lies beyond 0 and 1 is drawn like its end.

    Weak ones are near the background on light and on dark, so that strong ones stand out on both.
    """
    stops = activation_stops(dark=dark)
    places = [i / (len(stops) - 1) for i in range(len(stops))]
    return alt.Scale(domain=places, range=list(stops), clamp=True, interpolate="rgb")


def activation_colour(*, dark: bool, orient: Literal["top", "bottom"] = "top") -> alt.Color:
    """Return the channel that colours by normalised activation, with its legend."""
    most = "datum.value >= 1 ? '1 and more' : datum.label"  # the scale ends there, activations need not
    legend = alt.Legend(title="Activation", orient=orient, values=[0, 0.5, 1], labelExpr=most)
    return alt.Color("activation:Q", scale=activation_scale(dark=dark), legend=legend)


def letter_colour(*, dark: bool) -> alt.Condition:
    """Return the colour of letters over cells coloured by activation: dark over bright, bright over dark."""
    strong, weak = ("#111111", "#FFFFFF") if dark else ("#FFFFFF", "#111111")
    return alt.condition(alt.datum.activation > 0.55, alt.value(strong), alt.value(weak))


def literal(value: object) -> str:
    """Return texts as a literal of Vega's expressions.

    In an axis's expression Vega-Lite puts a call with quotes wherever it finds ``datum.label``, in a
    literal too, so that the word is spelt otherwise.
    """
    return json.dumps(value).replace("datum", "\\u0064atum")


def drawable(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return rows whose texts can be places on an axis, or entries of a legend.

    Vega keeps these as keys of an object, where one name is taken: it gets a letter that is not seen. And
    Vega-Lite writes an order of them into an expression, where two characters would end the line.
    """
    taken = "__proto__"
    return rows.with_columns(
        pl.col(name).str.replace_all("[\u2028\u2029]", " ").replace(taken, taken + "\u200b")
        for name in columns
    )


def kinds_of(column: pl.Series, *, most: int = len(KINDS)) -> list[str]:
    """Return the commonest values of a column, in order; the others share one colour."""
    counts = drawable(column.to_frame(), column.name)[column.name].drop_nulls().value_counts(sort=True)
    return [str(value) for value in counts[column.name].to_list()[:most]]


def kind_scale(kinds: list[str], *, others: tuple[str, ...] = ()) -> alt.Scale:
    """Return one colour per kind, and grey for the others."""
    return alt.Scale(domain=[*kinds, *others], range=[*KINDS[: len(kinds)], *(PLAIN for _ in others)])


def columns_of(width: int) -> alt.ExprRef:
    """Return how many columns of so many pixels a legend below a chart has, in any window."""
    return alt.ExprRef(expr=f"max(1, floor(width / {width}))")


def by_category(rows: pl.DataFrame, kinds: list[str]) -> tuple[pl.DataFrame, alt.Scale]:
    """Return rows with other categories than `kinds` under `OTHER`, and the colours of the categories."""
    kept = pl.when(pl.col("category").is_in(kinds)).then("category").otherwise(pl.lit(OTHER))
    shown = drawable(rows, "category").with_columns(category=kept)
    others = (OTHER,) if (shown["category"] == OTHER).any() else ()
    return shown, kind_scale(kinds, others=others)
