"""Sparsity against fidelity, drawn with Altair."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplm_wh.ask.chart_labels import PLACES, log_ticks, padded, places
from interplm_wh.errors import InputError
from interplm_wh.store.files import write_whole

FORMATS = {".html": "html", ".png": "png", ".svg": "svg", ".json": "json"}
EXTRA = "pip install 'interplm-wh[charts]'"
_PANELS = {
    "pct_recovered_masked": "Loss recovered, masked (%)",
    "pct_recovered_unmasked": "Loss recovered, unmasked (%)",
    "variance_explained": "Variance explained",
}
_TOOLTIP = {
    "sae": "SAE",
    "architecture": "architecture",
    "k": "k",
    "layer": "layer",
    "n_features": "features",
    "l0": "L0",
    "variance_explained": "variance explained",
    "pct_recovered_masked": "recovered %, masked",
    "pct_recovered_unmasked": "recovered %, unmasked",
    "pct_dead": "dead %",
    "n_concepts_found": "concepts found",
}
# Colours that are told apart with any colour vision (Okabe and Ito, 2008, and a grey), the palest ones
# last; shapes say the same once more. Points are filled, so that a line such as "stroke" would not be seen.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#F0E442",
)  # fmt: skip
_STAR = "M0,-1L.24,-.32L.95,-.31L.38,.12L.59,.81L0,.4L-.59,.81L-.38,.12L-.95,-.31L-.24,-.32Z"
_SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left",
    _STAR,
)  # fmt: skip
_WIDTH, _HEIGHT, _PADDING = 340, 320, 40


def check(path: Path) -> None:
    """Refuse a chart that could not be written, before anything is asked.

    Raises
    ------
    InputError
        If the format is unknown, the folder is not there, or a package is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"--chart {path}: the format is not known; use one of {', '.join(FORMATS)}")
    if not path.resolve().parent.is_dir():
        raise InputError(f"--chart {path}: there is no folder {path.resolve().parent}; make it first")
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"charts need the package {error.name}, which is not installed; run {EXTRA}"
        ) from error


def draw(rows: Sequence[dict[str, Any]], path: Path, *, evaluated_on: str) -> list[str]:
    """Draw L0, on a logarithmic axis, against each measure of fidelity that there is.

    Parameters
    ----------
    rows : sequence of dict
        Rows of a `Comparison`.
    path : Path
        An HTML file carries all that it needs.

    Returns
    -------
    list of str
        What could not be drawn.
    """
    shown = [row for row in rows if row["l0"] > 0]
    notes = [
        f"{row['sae']} is not in the chart: no feature is active, and 0 has no place on a logarithmic axis"
        for row in rows
        if row["l0"] <= 0
    ]
    panels = [column for column in _PANELS if any(row[column] is not None for row in shown)]
    if not panels:
        raise InputError("no SAE has anything to draw: none has an active feature with a measure of fidelity")
    chart = _chart(shown, panels, evaluated_on)
    write_whole(path, content(chart, FORMATS[path.suffix.lower()]))
    return notes


def content(chart: Any, kind: str) -> bytes:
    """Return a chart as a file of one of the kinds of `FORMATS`."""
    if kind == "html":
        page: str = chart.to_html(inline=True)  # with the scripts in it, so that it opens without a network
        return page.encode()
    if kind == "png":
        image = io.BytesIO()
        chart.save(image, format="png", scale_factor=2)
        return image.getvalue()
    text = io.StringIO()
    chart.save(text, format=kind)
    return text.getvalue().encode()


def _chart(rows: Sequence[dict[str, Any]], panels: Sequence[str], evaluated_on: str) -> Any:
    import altair

    alt: Any = altair  # its own annotations leave gaps
    architectures = sorted({row["architecture"] for row in rows})
    drawn = [_panel(alt, rows, column, architectures) for column in panels]
    return (
        alt.hconcat(*drawn, spacing=45)
        .properties(title=f"Sparsity against fidelity on {rows[0]['n_proteins']:,} proteins ({evaluated_on})")
        .configure_view(stroke=None)
        .configure_axis(gridColor="#ececec", domainColor="#888", tickColor="#888", titlePadding=8)
        .configure_title(anchor="start", fontSize=15, offset=14)
        .configure_legend(orient="bottom", title=None, labelFontSize=12, symbolSize=90)
    )


def _panel(alt: Any, rows: Sequence[dict[str, Any]], column: str, architectures: Sequence[str]) -> Any:
    """Draw one measure, with names where there is room for them."""
    shown = [row for row in rows if row[column] is not None]
    logs = padded([math.log10(row["l0"]) for row in shown], _WIDTH, _PADDING)
    ends = padded([row[column] for row in shown], _HEIGHT, _PADDING)
    points = [
        (_share(math.log10(row["l0"]), logs) * _WIDTH, (1 - _share(row[column], ends)) * _HEIGHT)
        for row in shown
    ]
    found = places(points, [row["sae"] for row in shown], width=_WIDTH, height=_HEIGHT)
    data = [
        {key: row[key] for key in _TOOLTIP} | {"place": place}
        for row, place in zip(shown, found, strict=True)
    ]
    domain = [10 ** logs[0], 10 ** logs[1]]
    ticks = log_ticks(*domain)
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X(
            "l0:Q",
            title="L0: active features per residue (log)",
            scale=alt.Scale(type="log", domain=domain, nice=False),
            axis=alt.Axis(format="~s", values=ticks if len(ticks) > 1 else alt.Undefined),
        ),
        y=alt.Y(
            f"{column}:Q",
            title=_PANELS[column],
            scale=alt.Scale(domain=list(ends), zero=False, nice=False),
            axis=alt.Axis(tickCount=6),
        ),
        tooltip=[
            alt.Tooltip(f"{key}:{'N' if key in ('sae', 'architecture') else 'Q'}", title=title)
            for key, title in _TOOLTIP.items()
        ],
    )
    labels = [  # no encoding moves a text by pixels, so that each place is a layer
        base.transform_filter(alt.datum.place == index)
        .mark_text(dx=place.dx, dy=place.dy, align=place.align, baseline="middle", fontSize=11, color="#333")
        .encode(text="sae:N")
        for index, place in enumerate(PLACES)
        if index in found
    ]
    return alt.layer(_marks(alt, base, architectures), *labels).properties(width=_WIDTH, height=_HEIGHT)


def _marks(alt: Any, base: Any, architectures: Sequence[str]) -> Any:
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(architectures))]
    shapes = [_SHAPES[i % len(_SHAPES)] for i in range(len(architectures))]
    return base.mark_point(filled=True, size=90, opacity=0.9).encode(
        color=alt.Color("architecture:N", scale=alt.Scale(domain=architectures, range=colours)),
        shape=alt.Shape("architecture:N", scale=alt.Scale(domain=architectures, range=shapes)),
    )


def _share(value: float, ends: tuple[float, float]) -> float:
    return (value - ends[0]) / (ends[1] - ends[0])
