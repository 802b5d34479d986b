"""A structure without 3D: its C-alphas in the plane, and which of them are near each other."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl
from altair.typing import ChartType
from numpy.typing import NDArray

from interplm_wh.dashboard.charts.look import PLAIN, activation_colour

_MOST_POINTS = 4_000
_HEIGHT = 540
_BOND = 4.5
"""Å between C-alphas of neighbours at most."""


def trace(residues: pl.DataFrame, *, dark: bool) -> ChartType:
    """Draw the C-alphas of a chain, seen along the axis in which they are spread least.

    Parameters
    ----------
    residues : DataFrame
        position, residue_number, insertion_code, amino_acid, x, y, z (Å), activation (null where the
        feature is not active); in the order of positions, at least one.
    dark : bool
        Whether the page is dark.
    """
    points = _thinned(_in_plane(residues))
    across, along = (np.abs(points[axis].to_numpy()).max() + 2 for axis in ("u", "v"))
    # One Å is as long on both axes, however wide the chart is.
    scale = f"max({across} / width, {along} / height)"
    axes = {
        name: alt.Scale(
            domain=[alt.ExprRef(f"-{scale} * {side}"), alt.ExprRef(f"{scale} * {side}")],
            nice=False,
            zero=False,
        )
        for name, side in (("u", "width"), ("v", "height"))
    }
    x = alt.X("u:Q", scale=axes["u"], axis=None)
    y = alt.Y("v:Q", scale=axes["v"], axis=None)
    tips = [
        alt.Tooltip("amino_acid:N", title="amino acid"),
        alt.Tooltip("position:Q", title="residue", format="d"),
        alt.Tooltip("author:N", title="in the file"),
        alt.Tooltip("activation:Q", format=".3f"),
    ]
    base = alt.Chart(points).encode(x=x, y=y, tooltip=tips)
    line = (
        alt.Chart(points)
        .mark_line(color=PLAIN, opacity=0.55, strokeWidth=2)
        .encode(x=x, y=y, detail="stretch:N", order="position:Q")
    )
    silent = (
        base.transform_filter("!isValid(datum.activation) || datum.activation <= 0")
        .mark_circle(color=PLAIN, opacity=0.8, size=22)
        .encode()
    )
    active = (
        base.transform_filter("datum.activation > 0")
        .mark_circle(opacity=1, size=90, stroke=PLAIN, strokeWidth=0.6)
        .encode(color=activation_colour(dark=dark), order=alt.Order("activation:Q"))
    )
    chart: ChartType = alt.layer(line, silent, active).properties(height=_HEIGHT).configure_view(stroke=None)
    return chart


def contact_map(cells: pl.DataFrame, residues: pl.DataFrame, *, dark: bool) -> ChartType:
    """Draw pairs of near residues, coloured where the feature is active on one of them.

    Parameters
    ----------
    cells : DataFrame
        Of `sql/dashboard/structure_contacts.sql`.
    residues : DataFrame
        position and activation.
    dark : bool
        Whether the page is dark.
    """
    first, last = int(residues["position"][0]), int(residues["position"][-1])
    scale = alt.Scale(domain=[first - 0.5, last + 0.5], nice=False, zero=False)
    edges = [
        (pl.col(name) + shift).alias(edge)
        for name, shift, edge in (
            ("start", -0.5, "left"),
            ("stop", 0.5, "right"),
            ("other_start", -0.5, "low"),
            ("other_stop", 0.5, "high"),
        )
    ]
    pairs = cells.select(
        *edges, "start", "other_start", "n_contacts", "distance", pl.col("activation").fill_null(0)
    )
    tips = [
        alt.Tooltip("start:Q", title="residue", format="d"),
        alt.Tooltip("other_start:Q", title="and residue", format="d"),
        alt.Tooltip("n_contacts:Q", title="contacts", format=","),
        alt.Tooltip("distance:Q", title="nearest, in Å", format=".1f"),
        alt.Tooltip("activation:Q", format=".3f"),
    ]
    base = alt.Chart(pairs)
    colour = alt.condition("datum.activation > 0", activation_colour(dark=dark), alt.value(PLAIN))
    halves = [
        base.mark_rect().encode(
            x=_edge(alt.X, a, scale, "Residue"), x2=b, y=_edge(alt.Y, c, scale, "Residue"), y2=d,
            color=colour, tooltip=tips,
        )
        for a, b, c, d in (("left", "right", "low", "high"), ("low", "high", "left", "right"))
    ]  # fmt: skip
    own = (
        residues.filter(pl.col("activation") > 0)
        .top_k(_MOST_POINTS, by="activation")
        .select("position", "activation", left=pl.col("position") - 0.5, right=pl.col("position") + 0.5)
    )
    diagonal = (
        alt.Chart(own)
        .mark_rect()
        .encode(
            x=_edge(alt.X, "left", scale, "Residue"), x2="right", y=_edge(alt.Y, "left", scale, "Residue"),
            y2="right", color=activation_colour(dark=dark),
            tooltip=[
                alt.Tooltip("position:Q", title="residue", format="d"),
                alt.Tooltip("activation:Q", format=".3f"),
            ],
        )
    )  # fmt: skip
    chart: ChartType = alt.layer(*halves, diagonal).properties(height=_HEIGHT)
    return chart


def _edge(channel: type[alt.X] | type[alt.Y], field: str, scale: alt.Scale, title: str) -> alt.X | alt.Y:
    return channel(f"{field}:Q", scale=scale, title=title, axis=alt.Axis(grid=False))


def principal_axes(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the axes of largest, second and smallest spread, as columns of a rotation.

    Parameters
    ----------
    xyz : float64 array [n, 3]
    """
    centred = xyz - xyz.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])  # no mirror image
    return np.asarray(axes, dtype=np.float64)


def _in_plane(residues: pl.DataFrame) -> pl.DataFrame:
    """Put C-alphas into the plane of their two first principal components, as u and v."""
    xyz = residues.select("x", "y", "z").to_numpy()
    flat = (xyz - xyz.mean(axis=0)) @ principal_axes(xyz)[:, :2]
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    breaks = (np.diff(residues["position"].to_numpy()) > 1) | (steps > _BOND)
    return residues.select(
        "position",
        "amino_acid",
        "activation",
        author=pl.concat_str(pl.col("residue_number").cast(pl.String), "insertion_code"),
        u=pl.Series(flat[:, 0]),
        v=pl.Series(flat[:, 1]),
        stretch=pl.Series(np.concatenate([[0], np.cumsum(breaks)])),
    )


def _thinned(points: pl.DataFrame) -> pl.DataFrame:
    """Leave out silent residues between others where there are more than a chart can carry."""
    step = -(-len(points) // _MOST_POINTS)
    if step == 1:
        return points
    every = pl.int_range(pl.len()) % step == 0
    strongest = pl.col("activation").fill_null(0).rank("ordinal", descending=True) <= _MOST_POINTS // 8
    return points.filter(every | (strongest & (pl.col("activation") > 0)))
