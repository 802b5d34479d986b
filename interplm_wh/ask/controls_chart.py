"""An SAE beside its controls, drawn with Altair: F1 per concept, concepts found, features with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplm_wh.ask.compare_chart import FORMATS, content
from interplm_wh.controls.kinds import TITLES
from interplm_wh.store.files import write_whole

# The SAE stands out; controls that the PLM has a part in are warm, those without it grey.
_SIDES = {
    "sae_f1": ("sae", None, "#0072B2"),
    "neurons_f1": ("neurons", "published", "#E69F00"),
    "neurons_both_signs_f1": ("neurons", "all", "#D55E00"),
    "shuffled_f1": ("shuffled", "all", "#CC79A7"),
    "amino_acid_f1": ("amino_acid", "all", "#555555"),
    "position_f1": ("position", "all", "#999999"),
}
_WIDTH, _STEP = 380, 44
_LONGEST = 30


def draw(
    summary: Sequence[dict[str, Any]], concepts: Sequence[dict[str, Any]], path: Path, *, sae: str
) -> None:
    """Draw best F1 per concept by control, and how many concepts and features each finds.

    Parameters
    ----------
    summary, concepts : sequence of dict
        Rows of the macros `control_summary` and `control_concepts`.
    path : Path
        An HTML file carries all that it needs.
    sae : str
    """
    write_whole(path, content(_chart(summary, concepts, sae), FORMATS[path.suffix.lower()]))


def _name(role: str, feature_set: str | None, sae: str) -> str:
    if role == "sae":
        return sae if len(sae) <= _LONGEST else f"{sae[: _LONGEST - 1]}…"
    if role == "neurons":
        return f"{TITLES[role]}, {'as published' if feature_set == 'published' else 'both signs'}"
    return TITLES[role]


def _chart(summary: Sequence[dict[str, Any]], concepts: Sequence[dict[str, Any]], sae: str) -> Any:
    import altair

    alt: Any = altair  # its own annotations leave gaps
    own = {(row["role"], row["feature_set"]): row for row in summary if row["scale"] == "own"}
    sides = [
        (column, role, feature_set, colour)
        for column, (role, feature_set, colour) in _SIDES.items()
        if (role, feature_set or "all") in own
    ]
    order = [_name(role, feature_set, sae) for _, role, feature_set, _ in sides]
    colours = [colour for *_, colour in sides]
    colour = alt.Color("side:N", scale=alt.Scale(domain=order, range=colours), legend=None)
    y = alt.Y("side:N", sort=order, title=None, axis=alt.Axis(labelLimit=300, ticks=False))
    scores = [
        {"side": _name(role, feature_set, sae), "concept": row["concept"], "f1": row[column]}
        for column, role, feature_set, _ in sides
        for row in concepts
    ]
    bars = [
        {
            "side": _name(role, feature_set, sae),
            "n_concepts_found": own[role, feature_set or "all"]["n_concepts_found"],
            "n_features_with_concept": own[role, feature_set or "all"]["n_features_with_concept"],
        }
        for _, role, feature_set, _ in sides
    ]
    height = _STEP * len(order)
    first = next(iter(own.values()))
    return (
        alt.hconcat(
            _strips(alt, scores, y, colour).properties(width=_WIDTH, height=height),
            _bars(alt, bars, "n_concepts_found", "Concepts found", order, colour, height),
            _bars(alt, bars, "n_features_with_concept", "Features with a concept", order, colour, height),
            spacing=30,
        )
        .properties(
            title=alt.Title(
                f"{_name('sae', None, sae)} beside its controls",
                subtitle=f"{first['n_concepts']:,} concepts on {first['n_proteins']:,} proteins; feature and "
                "threshold chosen on valid, read on test",
            )
        )
        .configure_view(stroke=None)
        .configure_axis(gridColor="#ececec", domainColor="#888", tickColor="#888", titlePadding=8)
        .configure_title(anchor="start", fontSize=15, offset=14, subtitleColor="#555")
    )


def _strips(alt: Any, scores: Sequence[dict[str, Any]], y: Any, colour: Any) -> Any:
    """Draw a point per concept over a box per side."""
    base = alt.Chart(alt.Data(values=list(scores)))
    x = alt.X("f1:Q", title="F1 on test of the best pair of each concept", scale=alt.Scale(domain=[0, 1]))
    boxes = base.mark_boxplot(
        size=22, opacity=0.25, outliers=False, median={"color": "#222", "thickness": 2}
    ).encode(x=x, y=y, color=colour)
    points = (
        base.transform_window(rank="row_number()", groupby=["side"])
        .transform_calculate(jitter="(datum.rank * 7 % 11 - 5) * 1.4")  # the same picture each time
        .mark_circle(size=26, opacity=0.75)
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-22, 22])),
            color=colour,
            tooltip=[
                alt.Tooltip("side:N", title="of"),
                alt.Tooltip("concept:N"),
                alt.Tooltip("f1:Q", title="F1 on test", format=".3f"),
            ],
        )
    )
    found = alt.Chart(alt.Data(values=[{"at": 0.5}])).mark_rule(strokeDash=[4, 3], color="#888")
    return alt.layer(boxes, points, found.encode(x="at:Q"))


def _bars(
    alt: Any,
    rows: Sequence[dict[str, Any]],
    column: str,
    title: str,
    order: Sequence[str],
    colour: Any,
    height: int,
) -> Any:
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X(f"{column}:Q", title=title, axis=alt.Axis(format="d", tickMinStep=1, tickCount=4)),
        y=alt.Y("side:N", sort=list(order), title=None, axis=None),
    )
    numbers = base.mark_text(align="left", dx=4, color="#333").encode(
        text=alt.Text(f"{column}:Q", format=",d")
    )
    return (base.mark_bar(size=22).encode(color=colour) + numbers).properties(width=170, height=height)
