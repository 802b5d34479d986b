"""The page that draws a structure with 3Dmol.js: safe to show, whatever the structure's file says.

The page is a `data:` address, so that its frame has an origin of its own and reaches nothing of the
dashboard. Its policy lets two scripts run, each named by its checksum, and no connection. What comes
from files and tables travels as JSON in which no character can end a script.
"""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interplm_wh.dashboard.charts.look import PLAIN, activation_stops
from interplm_wh.dashboard.charts.structure import principal_axes
from interplm_wh.dashboard.structure.library import HOST, VARIABLE, Library, script_hash
from interplm_wh.structures import Drawing

_FAINT = 0.35
_UNSAFE = re.compile("[<>&\u2028\u2029]")
_ELSEWHERE = "The C-alpha trace and the contact map, above, need none of it."


def activation_colour(activation: float, *, dark: bool) -> str:
    """Return the colour that charts give a normalised activation."""
    stops = [bytes.fromhex(stop[1:]) for stop in activation_stops(dark=dark)]
    at = min(max(activation, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    pairs = zip(stops[low], stops[low + 1], strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in pairs)


def safe_json(value: Any) -> str:
    """Return JSON that can stand in any script of a page."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def page(drawing: Drawing, residues: pl.DataFrame, *, what: str, library: Library, dark: bool = False) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    drawing : Drawing
    residues : DataFrame
        position, chain, residue_number, insertion_code, amino_acid, activation: the residues of the
        model that stand at a position of the protein. Others are drawn faintly.
    what : str
        What is coloured, for instance 'feature 249'.
    library : Library
    dark : bool
    """
    template, script = _resources()
    parts = {
        "@THEME@": "dark" if dark else "light",
        "@POLICY@": (
            f"default-src 'none'; script-src {script_hash(script)} {library.source}; "
            "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
        ),
        "@DATA@": safe_json(_data(drawing, residues, what, dark=dark) | {"library": library.json}),
        "@SCRIPT@": script,
    }
    return re.sub("|".join(parts), lambda found: parts[found[0]], template)


def address(html: str) -> str:
    """Return the page as an address that has an origin of its own."""
    return f"data:text/html;charset=utf-8;base64,{base64.b64encode(html.encode()).decode()}"


@cache
def _resources() -> tuple[str, str]:
    here = Path(__file__).parent
    return (here / "viewer.html").read_text("utf-8"), (here / "viewer.js").read_text("utf-8")


def _data(drawing: Drawing, residues: pl.DataFrame, what: str, *, dark: bool) -> dict[str, Any]:
    placed = {
        (row["chain"], row["residue_number"], row["insertion_code"]): row
        for row in residues.iter_rows(named=True)
    }
    own = [placed.get(residue.key) for residue in drawing.residues]
    active = [(row["activation"], -i) for i, row in enumerate(own) if row and row["activation"]]
    return {
        "residues": [
            [residue.key[0], residue.order, residue.fold, group, _colour(row, dark=dark)]
            for residue, row, group in zip(drawing.residues, own, _groups(drawing, own), strict=True)
        ],
        "names": [residue.name for residue in drawing.residues],
        "said": [row and _said(row) for row in own],
        "atoms": {
            "owners": drawing.owners.tolist(),
            "names": drawing.names,
            "elements": [element.capitalize() or "C" for element in drawing.elements],
            "xyz": np.round(_turned(drawing, own), 2).ravel().tolist(),
        },
        "strongest": -max(active)[1] if active else None,
        "scale": activation_stops(dark=dark),
        "faint": _FAINT,
        "colours": {"silent": PLAIN, "others": PLAIN},
        "words": {
            "label": f"Structure coloured by {what}; turn it with the arrow keys, zoom with + and -",
            "silent": "not active",
            "unreachable": (
                f"3Dmol.js, which draws structures, could not be loaded from {HOST}. {_ELSEWHERE} Without "
                f"internet, give the dashboard a copy: set {VARIABLE} to 3Dmol-min.js of npm's package 3dmol."
            ),
            "webgl": f"This browser draws nothing in 3D, as WebGL is off or missing. {_ELSEWHERE}",
            "broken": f"3Dmol.js could not draw this structure. {_ELSEWHERE}",
        },
    }  # fmt: skip


def _turned(drawing: Drawing, own: list[dict[str, Any] | None]) -> NDArray[np.float64]:
    """Return coordinates as they are seen where the protein's C-alphas are spread widest, as in the trace."""
    xyz = drawing.xyz.astype(float)
    is_own = [
        own[owner] is not None and name == "CA"
        for owner, name in zip(drawing.owners.tolist(), drawing.names, strict=True)
    ]
    seen = xyz[is_own] if any(is_own) else xyz
    turned: NDArray[np.float64] = (xyz - seen.mean(axis=0)) @ principal_axes(seen)
    return turned


def _groups(drawing: Drawing, own: list[dict[str, Any] | None]) -> list[str]:
    """Return how each residue is drawn; a cartoon needs the oxygens that a C-alpha model lacks."""
    n_alphas: dict[str, int] = {}
    n_oxygens: dict[str, int] = {}
    for owner, name in zip(drawing.owners.tolist(), drawing.names, strict=True):
        residue = drawing.residues[owner]
        if residue.kind == "protein":
            counts = n_oxygens if name == "O" else n_alphas
            counts[residue.key[0]] = counts.get(residue.key[0], 0) + 1
    thin = {chain for chain, n in n_alphas.items() if n_oxygens.get(chain, 0) < n / 2}
    groups = []
    for residue, row in zip(drawing.residues, own, strict=True):
        style = "trace" if residue.kind == "protein" and residue.key[0] in thin else "cartoon"
        if residue.kind == "other":
            groups.append("own-sphere" if row else "ligand")
        else:
            groups.append(f"{'own' if row else 'rest'}-{style}")
    return groups


def _colour(row: dict[str, Any] | None, *, dark: bool) -> str:
    return activation_colour(row["activation"], dark=dark) if row and row["activation"] else PLAIN


def _said(row: dict[str, Any]) -> list[Any]:
    author = f"{row['chain']} {row['residue_number']}{row['insertion_code']}".strip()
    activation = round(row["activation"], 4) if row["activation"] else None
    return [row["amino_acid"], row["position"], author, activation]
