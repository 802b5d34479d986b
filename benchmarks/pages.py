"""The dashboard's pages on a large warehouse: what each asks, and how long it takes to be drawn.

The pages themselves are run, by Streamlit's test harness, with the answers of earlier runs forgotten:
the queries are those of the pages, and a repeated run finds the files and DuckDB warm. What a page
takes as a whole is measured in Chromium, on a server of its own. The sequence page is given stored
activations in the place of a model's, since the generated ones belong to no model.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import polars as pl
import pyarrow as pa
import streamlit as st
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

import interplm_wh.dashboard.live as live
from benchmarks import generate, scoring
from interplm_wh import build, sqlfile, store
from interplm_wh.dashboard.reading import Reader
from interplm_wh.dashboard.serve import APP
from interplm_wh.store import Warehouse
from tests.browser import browser, dashboard

SAE, CONTROL = generate.SAE, "bench-control"
CONTROL_PARTS = 10
MAX_QUERIES, MAX_PAGE = 300.0, 2.0
"""Milliseconds of a page's queries when warm; seconds of the whole page in a browser."""
MAX_ROWS, MAX_CELLS = 5_000, 50_000
"""Rows of one chart; cells of a heat map."""
TITLES = {
    "overview": "What is in this warehouse", "feature": "Feature", "concept": "", "protein": "",
    "sequence": "Which features", "compare": "Two SAEs", "sql": "Ask in SQL",
}  # fmt: skip
_CHOICES = {"bin", "order", "split", "zoom"}
"""What a page leaves out of its address where it takes no notice of it."""
_FIRST_NAME = re.compile(r"\bfrom\s+([\w.]+)")
_TURN = """(address) => {
    window.hasRun = false;
    const app = document.querySelector('[data-testid="stApp"]');
    const runs = new MutationObserver(() => { window.hasRun = true; runs.disconnect(); });
    runs.observe(app, {attributeFilter: ["data-test-script-state"]});
    history.pushState({}, "", address);
    dispatchEvent(new PopStateEvent("popstate", {state: {}}));
}"""
_DRAWN = """(heading) => {
    const app = document.querySelector('[data-testid="stApp"]');
    const title = document.querySelector("h1");
    if (window.hasRun === false || !app || !title || app.dataset.testScriptState !== "notRunning") return 0;
    if (!title.innerText.startsWith(heading)) return 0;
    if (document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')) return 0;
    const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
    const shown = charts.filter((chart) => chart.offsetParent !== null);  // the others are in hidden tabs
    if (!shown.every((chart) => chart.querySelector("canvas, svg.marks"))) return 0;
    return performance.now();
}"""


@dataclass(frozen=True, eq=False)  # a key of mappings, by itself
class Case:
    """One visit: a page, the values in its address, and what is typed into it."""

    page: str
    name: str
    query: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass
class Asked:
    """What one run of a page asked.

    Attributes
    ----------
    queries : dict of str to float
        Milliseconds of each query that DuckDB answered.
    questions : Counter
        How often the page asked each question, answered from memory or not.
    """

    queries: dict[str, float] = field(default_factory=dict)
    questions: Counter[str] = field(default_factory=Counter)

    def took(self, name: str, milliseconds: float) -> None:
        """Add a query; a second one of a name is kept beside the first."""
        n = sum(one == name or one.startswith(f"{name} #") for one in self.queries)
        self.queries[f"{name} #{n + 1}" if n else name] = milliseconds

    @property
    def total(self) -> float:
        """Milliseconds of all queries."""
        return sum(self.queries.values())

    @property
    def n_repeated(self) -> int:
        """Questions that had been asked before in the same run."""
        return self.questions.total() - len(self.questions)


def prepare(name: str) -> Path:
    """Return a warehouse of one size with every table, and a small control beside its SAE."""
    path = scoring.prepare(name)
    with store.open(path) as wh:
        there = wh.sql("select sae from saes")["sae"].to_pylist()
    if CONTROL not in there:
        with store.write(path, command="benchmark") as tx:
            scoring.link_activations(tx, path.parent, sae=CONTROL, role="neurons", n_parts=CONTROL_PARTS)
            tx.publish()
    build.build(path)
    return path


# -- what is visited -----------------------------------------------------------------------------


def cases(wh: Warehouse) -> list[Case]:
    """Choose ordinary and extreme features, concepts and proteins."""

    def ask(sql: str) -> list[Any]:
        return list(wh.sql(sql, {"sae": SAE}).to_pylist()[0].values())

    by_proteins = "select feature from feature_stats where sae = $sae and n_proteins > 0 order by n_proteins"
    (common,) = ask(f"{by_proteins} desc, feature limit 1")
    (rare,) = ask(f"{by_proteins}, feature limit 1")
    (some,) = ask(
        "select quantile_disc(feature, 0.5) as f from feature_stats where sae = $sae and n_proteins > 0"
    )
    (many,) = ask("select concept from concept_list($sae) where source != 'sequence' limit 1")
    (few,) = ask(
        "select last(concept order by n_instances desc) from concept_list($sae) where is_scored "
        "and source != 'sequence'"
    )
    (longest,) = ask(
        "select accession from proteins where $sae != '' order by length desc, accession limit 1"
    )
    (dense,) = ask(
        "select p.accession from encodings as e inner join proteins as p using (protein_id) "
        "where e.sae = $sae order by e.n_activations desc, p.accession limit 1"
    )
    (short,) = ask("select accession from proteins where $sae != '' order by length, accession limit 1")
    select = f"from feature_examples('{SAE}', {common})"
    return [
        Case("overview", "all of it"),
        Case("feature", "commonest", {"feature": str(common)}),
        Case("feature", "commonest, closely", {"feature": str(common), "zoom": "true"}),
        Case("feature", "rarest, without it", {"feature": str(rare), "bin": "without it"}),
        Case("feature", "rarest", {"feature": str(rare)}),
        Case("feature", "middle", {"feature": str(some)}),
        Case("concept", "most instances", {"concept": many}),
        Case("concept", "most instances, valid", {"concept": many, "split": "valid (chosen on)"}),
        Case("concept", "fewest instances", {"concept": few}),
        Case("concept", "a letter", {"concept": "amino_acid_L"}),
        Case("protein", "longest", {"protein": longest, "k": "100"}),
        Case(
            "protein", "longest, by meaning", {"protein": longest, "k": "100", "order": "known concept first"}
        ),
        Case("protein", "most activations", {"protein": dense, "k": "100"}),
        Case("protein", "shortest", {"protein": short}),
        Case("protein", "search", {"protein": "q0"}),
        Case("sequence", "twenty sequences", text=_fasta(wh)),
        Case("compare", "with a control", {"with": CONTROL}),
        Case("sql", "one SELECT", {"sql": select}),
    ]


_TYPED = f"""
    select accession, sequence, protein_id
    from (select *, sum(length) over (order by protein_id) as n_before, row_number() over () as n
          from proteins)
    where n_before <= {live.MOST_RESIDUES} and n <= {live.MOST_SEQUENCES}
"""


def _fasta(wh: Warehouse) -> str:
    rows = wh.sql(_TYPED).to_pylist()
    return "".join(f">{row['accession']}\n{row['sequence']}\n" for row in rows)


def stored_activations(wh: Warehouse) -> pa.Table:
    """Return what `live.encode` would of the sequences that are typed."""
    return wh.sql(
        f"select t.accession as sequence, a.position, a.feature, a.value from activations as a "
        f"inner join ({_TYPED}) as t on a.protein_id = t.protein_id where a.sae = $sae",
        {"sae": SAE},
    )


# -- queries -------------------------------------------------------------------------------------


def _names() -> dict[str, str]:
    folders = ("dashboard", "live")
    return {file.sql: file.name for f in folders for file in sqlfile.load_folder(f).values()}


@contextmanager
def listening() -> Iterator[Asked]:
    """Record each query of the pages that are run meanwhile, and its time."""
    asked, names = Asked(), _names()
    answer, ask = Warehouse.polars, Reader.rows

    def timed(self: Warehouse, query: str, *arguments: Any, **named: Any) -> pl.DataFrame:
        start = time.perf_counter()
        rows = answer(self, query, *arguments, **named)
        found = _FIRST_NAME.search(query)
        name = names.get(query) or (found[1] if found else query)
        asked.took(name, 1000 * (time.perf_counter() - start))
        return rows

    def counted(self: Reader, sql: str, values: Mapping[str, Any] | None = None) -> pl.DataFrame:
        asked.questions[f"{sql} {sorted((values or {}).items())}"] += 1
        return ask(self, sql, values or {})

    with patch.object(Warehouse, "polars", timed), patch.object(Reader, "rows", counted):
        yield asked


@dataclass(frozen=True)
class Visited:
    """What was measured of one case: medians over its repeats."""

    case: Case
    n_queries: int
    n_repeated: int
    total: float
    slowest: str
    most_rows: int
    most_cells: int


def visit(path: Path, case: Case, *, n: int, encoded: pa.Table) -> Visited:
    """Run one page `n` times, each time as if nothing had been asked before."""
    runs: list[Asked] = []
    encode: Callable[..., pa.Table] = lambda *_: encoded  # noqa: E731
    with patch.object(sys, "argv", ["app.py", str(path)]), patch.object(live, "encode", encode):
        app = AppTest.from_file(str(APP), default_timeout=300).run()
        if case.page != "overview":
            app.switch_page(f"views/{case.page}.py")
        for name, value in {"sae": SAE, **case.query}.items():
            app.query_params[name] = value
        app.run()
        if not app.title or not _unescaped(app.title[0].value).startswith(heading(case)):
            raise SystemExit(f"{case.page}, {case.name}: the page shows something else")
        if lost := (set(case.query) & _CHOICES) - set(app.query_params):
            raise SystemExit(
                f"{case.page}, {case.name}: the page took no notice of {', '.join(sorted(lost))}"
            )
        if case.text:
            app.text_area(key="text").set_value(case.text).run()
        for _ in range(n):
            st.cache_data.clear()
            with listening() as asked:
                app.run()
            runs.append(asked)
            if app.exception:
                raise SystemExit(f"{case.page}, {case.name}: {app.exception[0].message}")
    medians = {
        name: statistics.median(run.queries.get(name, 0.0) for run in runs) for name in runs[-1].queries
    }
    slowest = max(medians, key=medians.__getitem__)
    rows, cells = drawn_rows(app)
    return Visited(
        case=case,
        n_queries=len(runs[-1].queries),
        n_repeated=runs[-1].n_repeated,
        total=statistics.median(run.total for run in runs),
        slowest=f"{slowest} {medians[slowest]:.0f}",
        most_rows=rows,
        most_cells=cells,
    )


def drawn_rows(app: AppTest) -> tuple[int, int]:
    """Return the rows of the largest table and chart, and the cells of the largest heat map."""
    rows = [len(table.value) for table in app.dataframe]
    cells = [0]
    for chart in app.get("vega_lite_chart"):
        sizes = [pa.ipc.open_stream(data.data.data).read_all().num_rows for data in chart.proto.datasets]
        is_map = '"zoom"' in chart.proto.spec
        (cells if is_map else rows).append(max(sizes, default=0))
    return max(rows, default=0), max(cells)


# -- the whole page ------------------------------------------------------------------------------


@dataclass
class Drawn:
    """Seconds until a page stands complete, one per round.

    Attributes
    ----------
    cold : list of float
        In a browser that has never seen a page of the server: 140 files, 5 MB, are Streamlit's own.
    fresh : list of float
        In a browser that has those, as a new session.
    again : list of float
        In a session that is open, by a change of the address.
    """

    cold: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)

    @property
    def medians(self) -> list[float]:
        """Median of each kind."""
        return [statistics.median(taken) for taken in (self.cold, self.fresh, self.again)]


def address(case: Case) -> str:
    """Return where a case is found on the server."""
    page = "" if case.page == "overview" else case.page
    return f"/{page}?{urlencode({'sae': SAE, **case.query})}"


def _unescaped(markdown: str) -> str:
    return markdown.replace(":red[]", "").replace("\\", "")


def heading(case: Case) -> str:
    """Return what the heading begins with once the page is there."""
    if case.page == "feature":
        return f"Feature {case.query['feature']}"
    if case.page == "concept":
        return case.query["concept"]
    return TITLES.get(case.page) or case.query["protein"].upper()


def draw(url: str, found: list[Case], *, n: int) -> dict[Case, Drawn]:
    """Open each case `n` times in a new browser, in a new session, and in a session that is open."""
    drawn = {case: Drawn() for case in found}
    with browser() as visits:
        for _ in range(n):
            for case in found:
                page = visits.open("about:blank", height=2400)
                go = partial(page.goto, url + address(case))
                drawn[case].cold.append(_timed(page, case, go))
                page.goto("about:blank")
                drawn[case].fresh.append(_timed(page, case, go))
                page.context.close()
            page = visits.open(url, height=2400)
            _wait(page, TITLES["overview"])
            for case in [*found[1:], found[0]]:
                drawn[case].again.append(_timed(page, case, partial(page.evaluate, _TURN, address(case))))
            page.context.close()
        if visits.faults:
            raise SystemExit("\n".join(visits.faults))
    return drawn


def _timed(page: Page, case: Case, go: Callable[[], object]) -> float:
    start = time.perf_counter()
    go()
    _wait(page, heading(case))
    return time.perf_counter() - start


def _wait(page: Page, title: str) -> None:
    page.wait_for_function(_DRAWN, arg=title, polling="raf", timeout=60_000)


# -- the table -----------------------------------------------------------------------------------


def _line(seen: Visited, drawn: Drawn | None) -> str:
    times = drawn.medians if drawn else []
    late = "  !" if seen.total > MAX_QUERIES or max(times[1:], default=0.0) > MAX_PAGE else ""
    page = " ".join(f"{taken:6.2f}" for taken in times)
    asked = f"{seen.n_queries:3} {seen.n_repeated:3} {seen.total:6.0f}  {seen.slowest:<30}"
    many = f" {seen.most_rows:6,} {seen.most_cells:7,}"
    return f"  {seen.case.page:<9} {seen.case.name:<22} {asked}{many}  {page}{late}"


def summary(seen: list[Visited], drawn: Mapping[Case, Drawn]) -> list[str]:
    """Return a line per page: its worst case."""
    lines = [f"per page, its worst case: queries at most {MAX_QUERIES:.0f} ms, a page at most {MAX_PAGE:g} s"]
    for page in dict.fromkeys(one.case.page for one in seen):
        of_page = [one for one in seen if one.case.page == page]
        times = [drawn[one.case].medians for one in of_page if one.case in drawn]
        cold, fresh, again = (f"{max(of):.2f}" for of in zip(*times, strict=True)) if times else "---"
        worst = max(of_page, key=lambda one: one.total)
        lines.append(
            f"  {page:<9} {worst.total:4.0f} ms of queries on {worst.case.name} (slowest: {worst.slowest}); "
            f"whole page {again} s in an open session, {fresh} s in a new one, {cold} s in a new browser"
        )
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print what every case took, then a line per page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--size", default="192M", choices=list(generate.SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", nargs="*", default=list(TITLES), choices=list(TITLES))
    parser.add_argument("--no-browser", action="store_true", help="measure the queries alone")
    parser.add_argument("--keep", action="store_true", help="keep the warehouse")
    options = parser.parse_args(arguments)
    path = prepare(options.size)
    with store.open(path) as wh:
        found = [case for case in cases(wh) if case.page in options.pages]
        encoded = stored_activations(wh)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {options.size}: medians of {options.rounds} "
        f"rounds, earlier answers forgotten; a chart: {MAX_ROWS:,} rows at most, a heat map {MAX_CELLS:,}\n"
        f"  {'page':<9} {'case':<22} {'asks':>4} {'2x':>2} {'ms':>6}  {'slowest, ms':<30} {'rows':>6} "
        f"{'cells':>7}  {'cold':>6} {'new':>6} {'open':>6}  (s, whole page)"
    )
    seen = [visit(path, case, n=options.rounds, encoded=encoded) for case in found]
    drawn: dict[Case, Drawn] = {}
    if not options.no_browser:
        with dashboard(path) as url:
            drawn = draw(url, [case for case in found if not case.text], n=options.rounds)
    print("\n".join(_line(one, drawn.get(one.case)) for one in seen))
    print("\n".join(summary(seen, drawn)), flush=True)
    if not options.keep:
        shutil.rmtree(scoring.OUT / options.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
