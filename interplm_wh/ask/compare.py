"""SAEs side by side, over the same proteins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interplm_wh import build, names, schema, sqlfile, store
from interplm_wh.ask.table import number, plain_table
from interplm_wh.errors import MismatchError, NotThereError, faults_message

if TYPE_CHECKING:
    from interplm_wh.store import Warehouse

_HEADER = {
    "sae": "SAE",
    "architecture": "architecture",
    "k": "k",
    "layer": "layer",
    "n_features": "features",
    "l0": "L0",
    "variance_explained": "explained",
    "pct_recovered_unmasked": "unmasked %",
    "pct_recovered_masked": "masked %",
    "pct_dead": "dead %",
    "n_concepts_found": "concepts",
    "n_features_with_concept": "by features",
}
_LEGEND = (
    "explained: variance; unmasked %, masked %: of the loss recovered; concepts: found on held-out proteins"
)
_CONCEPTS = ("n_concepts_found", "n_features_with_concept")


@dataclass(frozen=True)
class Comparison:
    """SAEs side by side.

    Attributes
    ----------
    evaluated_on : str
        The proteins, as in `sae_metrics`.
    rows : pa.Table
        One row per SAE, the sparsest first: what `sql/evaluate/comparison.sql` gives, and
        ``n_concepts_found`` and ``n_features_with_concept`` (int64) as `report_summary` says, NULL where
        they were not built, or not over the same proteins.
    notes : tuple of str
        What a reader of the numbers has to know.
    """

    evaluated_on: str
    rows: pa.Table
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Print the table for people."""
        rows = self.rows.to_pylist()
        (n_proteins,) = {row["n_proteins"] for row in rows}
        cells = [[number(row[column]) for column in _HEADER] for row in rows]
        which = f"the same {n_proteins:,} proteins ({self.evaluated_on})"
        return [
            f"{len(rows)} SAEs on {which}, the sparsest first:" if len(rows) > 1 else f"one SAE on {which}:",
            "",
            *plain_table(list(_HEADER.values()), cells),
            "",
            _LEGEND,
        ]


def compare(
    warehouse: str | Path, saes: Sequence[str] = (), *, on: str = "test", chart: str | Path | None = None
) -> Comparison:
    """Put SAEs that were evaluated on the same proteins side by side.

    Parameters
    ----------
    warehouse : str or Path
    saes : sequence of str
        Names of SAEs; by default all that were evaluated.
    on : str
        What they were evaluated on: a split, or the name of a FASTA file.
    chart : str or Path, optional
        Where to draw sparsity against fidelity: .html, .svg, .png or .json (Vega-Lite).

    Raises
    ------
    NotThereError
        If there is no such SAE, or one was not evaluated on these proteins.
    MismatchError
        If they were evaluated on different proteins under one name.
    InputError
        If the chart's format is unknown, or the packages for charts are not installed.
    """
    if chart is not None:
        from interplm_wh.ask import compare_chart

        compare_chart.check(Path(chart))
    with store.open_anywhere(warehouse) as wh:
        _require_evaluated(wh, saes, on)
        file = sqlfile.load("evaluate", "comparison")
        rows = wh.sql(file.sql, file.bind({"wanted": on, "saes": list(saes)}))
        _require_same_proteins(rows.to_pylist(), on)
        concepts, about_concepts = _concepts(wh, rows["sae"].to_pylist())
    notes = [*_dtypes(rows.to_pylist()), *about_concepts]
    for name in _CONCEPTS:
        found = [concepts.get(sae, {}).get(name) for sae in rows["sae"].to_pylist()]
        rows = rows.append_column(name, pa.array(found, pa.int64()))
    if chart is not None:
        notes += compare_chart.draw(rows.to_pylist(), Path(chart), evaluated_on=on)
        notes.append(f"the chart is in {chart}")
    return Comparison(on, rows, tuple(notes))


def _require_evaluated(wh: Warehouse, saes: Sequence[str], on: str) -> None:
    known = wh.sql("select sae from saes order by sae")["sae"].to_pylist()
    for name in saes:
        if name not in known:
            near = names.nearest(name, known)
            hint = f"did you mean {near}?" if near else "add it with: interplm-wh add sae"
            raise NotThereError(f"there is no SAE {name!r} in {wh.path}; {hint}")
    rows = wh.sql("select sae, evaluated_on from sae_metrics order by all").to_pylist()
    done = {row["sae"] for row in rows if row["evaluated_on"] == on}
    if done and done >= set(saes):
        return
    others = sorted({row["evaluated_on"] for row in rows} - {on})
    absent = [name for name in saes if name not in done]
    what = f"{', '.join(absent)} not evaluated on {on}" if absent else f"no SAE was evaluated on {on}"
    hint = f"; there is --on {', '.join(others)}" if others and not done else ""
    words = " ".join(f"--sae {name}" for name in absent or ["NAME"])
    raise NotThereError(f"{what}{hint}; run: interplm-wh evaluate {words}{_where(on)}")


def _where(on: str) -> str:
    """Return the option of `evaluate` that leads to the same proteins."""
    if on not in ("all", *schema.table("proteins").column("split").values):
        return " --fasta FILE"
    return "" if on == "test" else f" --split {on}"


def _require_same_proteins(rows: Sequence[dict[str, Any]], on: str) -> None:
    """Refuse to lay numbers side by side that were measured on different proteins."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["fingerprint"], []).append(row)
    if len(groups) > 1:
        faults = [
            f"{group[0]['n_proteins']:,} proteins: {', '.join(row['sae'] for row in group)}"
            for group in groups.values()
        ]
        words = " ".join(f"--sae {row['sae']}" for row in rows)
        again = f"interplm-wh evaluate {words}{_where(on)}"
        remedy = f"evaluate them on the same ones ({again}), or name those that go together"
        raise MismatchError(faults_message(f"evaluated on different proteins called {on}", faults, remedy))


def _dtypes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say where the PLM ran in different number formats, which moves small differences."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row["dtype"], []).append(row["sae"])
    if len(groups) < 2:
        return []
    each = "; ".join(f"{dtype}: {', '.join(saes)}" for dtype, saes in sorted(groups.items()))
    return [
        f"the PLM ran in different number formats ({each}), so that small differences say little; evaluate "
        "with one --dtype"
    ]


def _concepts(wh: Warehouse, saes: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the last build says of the concepts of each SAE, where it can be compared."""
    folders = "select distinct sae from folders where is_current and table_name = 'heldout_pairs'"
    built = set(wh.sql(folders)["sae"].to_pylist())
    ready = [sae for sae in saes if sae in built]
    notes = []
    if without := [sae for sae in saes if sae not in built]:
        notes.append(f"concepts are not built for {', '.join(without)}; run: interplm-wh encode, then build")
    for sae, tables in build.stale(wh, ready).items():
        if tables:
            notes.append(f"{sae}: concepts are older than the data; bring them up to date with: build")
    file = sqlfile.load("evaluate", "shared_proteins")
    counted = wh.sql(file.sql, file.bind({"saes": ready})).to_pylist()
    if any(row["n_proteins"] != row["n_shared"] for row in counted):
        each = ", ".join(f"{row['sae']} {row['n_proteins']:,}" for row in counted)
        notes.append(
            f"concepts are left out: they were counted over different proteins ({each}; "
            f"{counted[0]['n_shared']:,} are shared); encode what is missing, then build"
        )
        return {}, notes
    return {sae: wh.sql("from report_summary($sae)", {"sae": sae}).to_pylist()[0] for sae in ready}, notes
