"""Build every mart of every SAE from its activations, and publish them together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import names, progress, store
from interplm_wh.build import blocks, derived, directions, marts, plan, scale
from interplm_wh.build.engine import Engine, opened
from interplm_wh.build.make import DuckDB, finish, parameters
from interplm_wh.errors import InputError
from interplm_wh.store import Transaction, Warehouse, catalogue, layout

MAX_THRESHOLDS = 10
MAX_SETTING = 2**62


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes
    ----------
    settings : dict
        Thresholds, minimums and presence that hold now.
    rebuilt, appended, current : tuple of str
        ``SAE/table`` that was made anew, extended by new proteins, or left alone.
    taken_out : tuple of Outdated
        What other commands had made from tables that are no more.
    """

    settings: dict[str, Any]
    rebuilt: tuple[str, ...]
    appended: tuple[str, ...]
    current: tuple[str, ...]
    taken_out: tuple[derived.Outdated, ...] = ()

    def lines(self) -> list[str]:
        """Describe the build for people."""
        settings = ", ".join(f"{key} {_shown(value)}" for key, value in self.settings.items())
        return [
            f"settings: {settings}",
            f"tables: {len(self.rebuilt)} built, {len(self.appended)} extended, "
            f"{len(self.current)} unchanged",
            *derived.again("taken out, since it was older than the data", self.taken_out),
        ]


def _shown(value: object) -> str:
    return " ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)


def build(
    warehouse: str | Path,
    *,
    select: Sequence[str] = (),
    thresholds: Sequence[float] | None = None,
    min_residues: int | None = None,
    min_domains: int | None = None,
    presence: float | None = None,
    engine: str = "duckdb",
    master: str | None = None,
) -> BuildReport:
    """Make every table that is missing or out of date.

    Parameters
    ----------
    warehouse : str or Path
    select : sequence of str
        Build only these tables, and those that they read.
    thresholds : sequence of float, optional
        At most 10 activation thresholds; a feature fires strictly above one.
    min_residues, min_domains : int, optional
        A concept is scored with more residues, or more instances, than these in valid and test.
    presence : float, optional
        A feature is present strictly above this activation. What is not given is as in the last
        build.
    engine : {'duckdb', 'spark'}
        What runs the SQL: both give the same tables, and each goes on from what the other has made.
    master : str, optional
        Spark's, such as ``spark://host:7077``; all cores of this machine by default.

    Returns
    -------
    BuildReport

    Raises
    ------
    InputError
        If a setting is out of range or `select` names an unknown table.
    EngineError
        If Spark is asked for and cannot be started, or gives up.
    LockedError
        If another process is writing.
    """
    wanted = _wanted(select)
    settings = {"min_residues": min_residues, "min_domains": min_domains, "presence": presence}
    given = {key: value for key, value in settings.items() if value is not None}
    _check_settings(given, thresholds)
    asked = {**given, "thresholds": thresholds, "engine": engine}
    with (
        store.write(warehouse, command="build", settings=asked) as tx,
        opened(engine, master, layout.root_of(warehouse)) as runs_on,
    ):
        is_changed = _apply_settings(tx, given, thresholds)
        steps = run(tx, wanted, engine=runs_on)
        taken_out = derived.take_out_outdated(tx)
        if is_changed or taken_out or any(step.action != "current" for step in steps):
            tx.publish()
        return _report(tx, steps, taken_out)


def _wanted(select: Sequence[str]) -> set[str] | None:
    made = {mart.name for mart in marts.ordered()}
    views = {view.name: marts.resolve([view.name]) for view in catalogue.stored_views()}
    known = [*sorted(made), *views]
    for name in select:
        if name not in known:
            nearest = names.nearest(name, known)
            hint = f"; did you mean {nearest}?" if nearest else f"; the tables are {', '.join(sorted(known))}"
            raise InputError(f"there is no table {name} to build{hint}")
    wanted = {table for name in select for table in views.get(name, [name])}
    return marts.with_ancestors(wanted & made) if select else None


def _check_settings(given: Mapping[str, float], thresholds: Sequence[float] | None) -> None:
    faults = [
        f"{key} must be a number from 0 to {MAX_SETTING:,}, not {value}"
        for key, value in given.items()
        if not 0 <= value <= MAX_SETTING
    ]
    if thresholds is not None:
        if not 0 < len(set(thresholds)) == len(thresholds) <= MAX_THRESHOLDS:
            faults.append(f"thresholds must be 1 to {MAX_THRESHOLDS} different numbers")
        faults += [
            f"the threshold {t} is not a number from 0 upwards" for t in thresholds if not 0 <= t < math.inf
        ]
    if faults:
        raise InputError("; ".join(faults))


def _apply_settings(tx: Transaction, given: Mapping[str, Any], thresholds: Sequence[float] | None) -> bool:
    before = tx.con.execute("from settings order by all").fetchall(), _thresholds(tx)
    for key, value in given.items():
        tx.con.execute("update settings set value = ? where setting = ?", [str(value), key])
    if thresholds is not None:
        tx.con.execute("delete from thresholds")
        for rank, threshold in enumerate(sorted(thresholds), start=1):
            tx.con.execute("insert into thresholds values (?, ?)", [rank, threshold])
    return before != (tx.con.execute("from settings order by all").fetchall(), _thresholds(tx))


def _thresholds(tx: Transaction) -> tuple[float, ...]:
    return tuple(t for (t,) in tx.con.execute("select threshold from thresholds order by rank").fetchall())


def run(
    tx: Transaction,
    wanted: set[str] | None = None,
    *,
    saes: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> list[plan.Step]:
    """Bring marts up to date in the working copy: all, or those wanted, of SAEs with encoded proteins."""
    engine = engine or DuckDB()
    if saes is None:
        rows = tx.con.execute("select distinct sae from encodings order by sae").fetchall()
        saes = [sae for (sae,) in rows]
    todo = [mart for mart in marts.ordered() if wanted is None or mart.name in wanted]
    steps: list[plan.Step] = []
    with progress.track("building", total=len(saes) * len(todo), unit="steps") as bar:
        for sae in saes:
            blocks.focus(tx, sae)
            try:
                steps += _bring_up_to_date(tx, todo, sae, engine, bar)
            finally:
                blocks.release(tx)
    return steps


def _bring_up_to_date(
    tx: Transaction, todo: Sequence[marts.Mart], sae: str, engine: Engine, bar: progress.Bar
) -> Iterator[plan.Step]:
    """Make the marts of one SAE that are missing or out of date, each after those that it reads."""
    values = parameters(tx.con, sae)
    for mart in todo:
        if mart.name == scale.TABLE:
            yield scale.fix(tx, mart, sae, engine=engine, bar=bar)
            bar.advance(1)
    rest = [mart for mart in todo if mart.name != scale.TABLE]
    planner = plan.Planner(tx.con, tx.locate)
    per_block = {m.name: planner.step(m, sae, values) for m in rest if m.is_per_block}
    written = engine.count_blocks(tx, list(per_block.values()), values, bar)
    for mart in rest:
        bar.describe(f"{sae}: {mart.name}")
        # What the merge reads may have changed since the blocks were counted; the blocks have not.
        step = planner.step(mart, sae, values)
        if step.action != "current":
            if mart.name == directions.TABLE:
                directions.lay_sae_directions(tx, sae, bar)
            finish(tx, planner, step, values, written.get(mart.name, ()), engine=engine)
            blocks.focus(tx, sae, only=[mart.name])
        bar.advance(1)
        yield step


def _report(
    tx: Transaction, steps: Sequence[plan.Step], taken_out: Sequence[derived.Outdated]
) -> BuildReport:
    def named(action: plan.Action) -> tuple[str, ...]:
        return tuple(f"{s.sae}/{s.mart.name}" for s in steps if s.action == action)

    settings = dict(tx.con.execute("from settings order by setting").fetchall())
    return BuildReport(
        {"thresholds": _thresholds(tx), **settings},
        named("rebuild"),
        named("append"),
        named("current"),
        tuple(taken_out),
    )


def stale(wh: Warehouse, saes: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each SAE, the marts that are missing or out of date, in the order of building."""
    found: dict[str, list[str]] = {}
    planner = plan.Planner(wh.con, wh.path.joinpath)
    for sae in saes:
        values = parameters(wh.con, sae)
        behind: set[str] = set()
        for mart in marts.ordered():
            if mart.name == scale.TABLE:
                is_behind = not plan.folders_of(wh.con, mart.name, sae)
            else:
                is_behind = bool(behind & set(marts.resolve(mart.inputs))) or (
                    planner.step(mart, sae, values).action != "current"
                )
            if is_behind:
                behind.add(mart.name)
        found[sae] = [mart.name for mart in marts.ordered() if mart.name in behind]
    return found
