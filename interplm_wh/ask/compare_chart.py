"""Sparsity against fidelity, drawn with Altair."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplm_wh.errors import InputError

FORMATS = {".html": "html", ".png": "png", ".svg": "svg", ".json": "json"}
EXTRA = "pip install 'interplm-wh[charts]'"
_PANELS = {
    "pct_recovered_masked": "Loss recovered, masked residues (%)",
    "pct_recovered_unmasked": "Loss recovered, residues in sight (%)",
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
    "pct_recovered_unmasked": "recovered %, in sight",
    "pct_dead": "dead %",
    "n_concepts_found": "concepts found",
}
# Colours that are told apart with any colour vision (Okabe and Ito, 2008), the palest ones last; shapes
# say the same once more.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke", "wedge")
_WIDTH, _HEIGHT = 300, 280


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
    content = io.BytesIO() if path.suffix.lower() == ".png" else io.StringIO()
    kind = FORMATS[path.suffix.lower()]
    options = {"html": {"inline": True}, "png": {"scale_factor": 2}}.get(kind, {})
    chart.save(content, format=kind, **options)
    value = content.getvalue()
    path.write_bytes(value if isinstance(value, bytes) else value.encode())
    return notes


def _chart(rows: Sequence[dict[str, Any]], panels: Sequence[str], evaluated_on: str) -> Any:
    import altair as alt

    architectures = sorted({row["architecture"] for row in rows})
    data = [{key: row[key] for key in _TOOLTIP} | {"is_above": i % 2 == 0} for i, row in enumerate(rows)]
    n_proteins = rows[0]["n_proteins"]
    drawn = [_panel(alt, column, architectures) for column in panels]
    return (
        alt.hconcat(*drawn, spacing=50, data=alt.Data(values=data))
        .properties(title=f"Sparsity against fidelity on {n_proteins:,} proteins ({evaluated_on})")
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e8e8e8", domainColor="#888", tickColor="#888", titlePadding=8)
        .configure_title(anchor="start", fontSize=15, offset=14)
        .configure_legend(orient="bottom", title=None, labelFontSize=12, symbolSize=90)
    )


def _panel(alt: Any, column: str, architectures: Sequence[str]) -> Any:
    """Draw one measure; names stand above and below their points by turns, so that few overlap."""
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(architectures))]
    shapes = [_SHAPES[i % len(_SHAPES)] for i in range(len(architectures))]
    field = "architecture:N"
    base = alt.Chart().transform_filter(alt.datum[column] != None)  # noqa: E711
    base = base.encode(
        x=alt.X(
            "l0:Q",
            title="L0: active features per residue (log)",
            scale=alt.Scale(type="log", padding=36, nice=False),
            axis=alt.Axis(format="~s", tickCount=5, labelOverlap="greedy"),
        ),
        y=alt.Y(
            f"{column}:Q",
            title=_PANELS[column],
            scale=alt.Scale(zero=False, padding=24, nice=False),
            axis=alt.Axis(tickCount=6),
        ),
        tooltip=[
            alt.Tooltip(f"{key}:{'N' if key in ('sae', 'architecture') else 'Q'}", title=title)
            for key, title in _TOOLTIP.items()
        ],
    )
    points = base.mark_point(filled=True, size=90, opacity=0.9).encode(
        color=alt.Color(field, scale=alt.Scale(domain=architectures, range=colours)),
        shape=alt.Shape(field, scale=alt.Scale(domain=architectures, range=shapes)),
    )
    labels = [
        base.transform_filter(alt.datum.is_above == is_above)
        .mark_text(dy=dy, fontSize=11, color="#333")
        .encode(text="sae:N")
        for is_above, dy in ((True, -13), (False, 15))
    ]
    return alt.layer(points, *labels).properties(width=_WIDTH, height=_HEIGHT)
