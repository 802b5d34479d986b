"""What is in a warehouse, and what is out of date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import build, interpret, landscape, sqlfile, store, variants
from interplm_wh.ask.table import plain_table
from interplm_wh.ask.unfinished import READ, Unfinished, unfinished
from interplm_wh.build import derived
from interplm_wh.build.derived import Outdated
from interplm_wh.controls import pairs
from interplm_wh.store import parts


@dataclass(frozen=True)
class Info:
    """What is in a warehouse.

    Attributes
    ----------
    name : str
        Its folder, or its address and version.
    proteins, sources, structures, plms, saes, evaluations, runs, storage : list of dict
        The rows of the questions of the same names in `sql/info/`.
    stale : dict of str to list of str
        For each SAE, the tables that are missing or older than what they are made from.
    damaged : dict of str to str
        What is wrong with the files of a table, where they are not as they were published.
    unfinished : list of Unfinished
        What was to be encoded and is not, per SAE.
    outdated : list of Outdated
        What other commands made that is older than what it was made from.
    left_out : list of str
        Tables that stayed behind when it was published.
    is_local : bool
        Whether it is on this machine; of a published one nothing is known to be out of date.
    """

    name: str
    proteins: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    structures: list[dict[str, Any]]
    plms: list[dict[str, Any]]
    saes: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    storage: list[dict[str, Any]]
    stale: dict[str, list[str]]
    unfinished: list[Unfinished]
    outdated: list[Outdated]
    damaged: dict[str, str]
    left_out: list[str]
    is_local: bool

    def lines(self) -> list[str]:
        """Print it for people."""
        lines = [f"warehouse {self.name}", ""]
        sections = ("proteins", "sources", "structures", "plms", "saes", "evaluations", "storage", "runs")
        for name in sections:
            rows: list[dict[str, Any]] = getattr(self, name)
            lines += [name, *(f"  {line}" for line in _section(rows)), ""]
        behind = {sae: tables for sae, tables in self.stale.items() if tables}
        for sae, tables in behind.items():
            lines.append(f"{sae}: missing or older than the data: {', '.join(tables)}")
        if behind:
            lines.append("bring tables up to date with: interplm-wh build")
        lines += [line for one in self.unfinished for line in one.lines()]
        lines += derived.again("older than the data", self.outdated)
        lines += [f"{table} cannot be read: {fault}" for table, fault in sorted(self.damaged.items())]
        if self.damaged:
            lines.append("what to do about files that are damaged says: interplm-wh verify")
        if self.left_out:
            lines.append(f"left out when it was published: {', '.join(self.left_out)}")
        if not self.is_local:
            lines.append("published, and read-only; to change it or go on from it, fetch it: pull")
        elif not behind and not self.outdated and not self.damaged and not self.unfinished:
            lines.append("every table is up to date")
        return lines


def _section(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["none"]
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return plain_table(list(rows[0]), cells)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def info(warehouse: str | Path) -> Info:
    """Describe a warehouse.

    Raises
    ------
    NotThereError
        If there is none.
    """
    with store.open_anywhere(warehouse) as wh:
        files = {name: file for name, file in sqlfile.load_folder("info").items() if name != "unfinished"}
        questions = {name: wh.sql(file.sql).to_pylist() for name, file in files.items()}
        encoded = [row["sae"] for row in questions["saes"] if row["n_proteins"]]
        absent = parts.left_out(wh.con)
        damaged = {table: fault for table, fault in wh.faults().items() if table not in absent}
        # What is published is as it was then; to find out more would be to fetch what it was made from.
        is_words = wh.is_local and "interpretations" not in damaged
        return Info(
            wh.name,
            **questions,
            stale=build.stale(wh, encoded) if wh.is_local else {},
            unfinished=unfinished(wh) if wh.is_local and not READ & damaged.keys() else [],
            outdated=[*_outdated(wh), *(interpret.outdated(wh) if is_words else ())],
            damaged=damaged,
            left_out=absent,
            is_local=wh.is_local,
        )


def _outdated(wh: store.Warehouse) -> list[Outdated]:
    if not wh.is_local:
        return []
    return [
        *derived.outdated(wh), *pairs.outdated(wh), *landscape.outdated(wh), *variants.outdated(wh),
    ]  # fmt: skip
