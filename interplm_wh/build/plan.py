"""Decide what a build has to make: what is current is left alone, new proteins cost only themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from interplm_wh import schema, sqlfile
from interplm_wh.build.marts import Mart, below, derived, resolve
from interplm_wh.quote import quote_identifier
from interplm_wh.schema import SQL_TYPES

Locate = Callable[[str], Path]
Action = Literal["current", "append", "rebuild"]

# Small tables that say how a build went or was asked for, not what it is made from.
_NOT_INPUTS = frozenset({"runs", "folders", "parts", "sources"})
# What these say about the proteins already counted is compared row by row, so that rows about new
# proteins do not make old counts stale.
_PER_PROTEIN = ("annotations", "coverage", "proteins")
_PER_SOURCE = ("annotations", "coverage")
_ANNOTATION_NAMES = frozenset({"annotations", "concepts"})

_PARTS_SEEN = """
create or replace temp table built_proteins as
select distinct e.protein_id
from encodings as e
semi join (select unnest($folders::varchar[]) as folder) as f on parse_dirpath(e.part) = f.folder
where e.sae = $sae
"""


@dataclass(frozen=True)
class Made:
    """What one folder of a mart was made from, as kept in `folders.fingerprint`.

    Attributes
    ----------
    recipe : str
        Checksum of the SQL, its parameters and its inputs other than proteins.
    merge : str
        Checksum of what only the merge of partial rows reads.
    seen : tuple of str
        Folders of `activations` that it counts; empty where the mart is made at once.
    content : str
        Checksum of what annotations, coverage and proteins say about the proteins in `seen`; where rows
        are counted source by source, of what proteins say.
    sources : tuple of (str, str)
        Then, the sources of annotations that are counted, each with the checksum of what it says.
    """

    recipe: str
    merge: str
    seen: tuple[str, ...]
    content: str
    sources: tuple[tuple[str, str], ...] = ()

    def dump(self) -> str:
        """Write it as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def load(text: str | None) -> Made:
        """Read it back."""
        raw = json.loads(text or "{}")
        return Made(
            raw.get("recipe", ""),
            raw.get("merge", ""),
            tuple(raw.get("seen", ())),
            raw.get("content", ""),
            tuple((source, content) for source, content in raw.get("sources", ())),
        )


@dataclass(frozen=True)
class Pass:
    """What is counted at once.

    Attributes
    ----------
    folders : tuple of str
        Folders of `activations`.
    sources : tuple of str or None
        Only these sources of annotations; None for all of them.
    """

    folders: tuple[str, ...]
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Step:
    """What is to be done for one mart of one SAE.

    Attributes
    ----------
    action : {'current', 'append', 'rebuild'}
    recipe, merge : str
        As in `Made`.
    fresh : tuple of str
        Folders of `activations` that are still to be counted.
    seen : tuple of str
        Those that are counted already.
    sources : tuple of str
        Sources of annotations that came after they were, to be counted in them.
    """

    mart: Mart
    sae: str
    action: Action
    recipe: str
    merge: str
    fresh: tuple[str, ...]
    seen: tuple[str, ...]
    sources: tuple[str, ...] = ()

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What is to be counted for it."""
        new = (Pass(self.fresh),) if self.fresh else ()
        return (*new, Pass(self.seen, self.sources)) if self.sources else new


def passes(steps: Sequence[Step]) -> dict[Pass, list[Mart]]:
    """Return what is to be counted for some marts of one SAE, each time with the marts that want it."""
    found: dict[Pass, list[Mart]] = {}
    for step in steps:
        for one in step.passes:
            found.setdefault(one, []).append(step.mart)
    return found


def digest(*parts: object) -> str:
    """Return a checksum of anything that prints."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def folders_of(con: duckdb.DuckDBPyConnection, table: str, sae: str | None) -> list[tuple[str, str | None]]:
    """Return (folder, fingerprint) of the current folders of a table."""
    return con.execute(
        "select folder, fingerprint from folders where is_current and table_name = $table "
        "and ($sae is null or sae is null or sae = $sae) order by rank",
        {"table": table, "sae": sae},
    ).fetchall()


def _input_state(con: duckdb.DuckDBPyConnection, name: str, sae: str) -> object:
    if name not in schema.tables() or name in _NOT_INPUTS:
        return None
    table = schema.table(name)
    if table.storage in ("lake", "sae"):
        return [folder for folder, _ in folders_of(con, name, sae)]
    where = " where sae = $sae" if name == "saes" else ""
    order = ", ".join(quote_identifier(c) for c in table.grain)
    params = {"sae": sae} if where else None
    rows = con.execute(f"from {quote_identifier(name)}{where} order by {order}", params).fetchall()
    return [list(map(str, row)) for row in rows]


def recipe(con: duckdb.DuckDBPyConnection, mart: Mart, sae: str, values: Mapping[str, Any]) -> str:
    """Return the checksum of all that a mart is made from, other than the proteins counted.

    Where blocks are merged, what only the merge reads is left to `merge_recipe`.
    """
    params = {p.name: values.get(p.name) for file in mart.files for p in file.params}
    for name in ("first_protein", "last_protein"):
        params.pop(name, None)
    columns = [(c.name, SQL_TYPES[c.type]) for c in schema.table(mart.name).columns]
    inputs = mart.final.inputs if mart.partial is None else mart.partial.inputs
    return digest([f.sql for f in mart.files], columns, params, _states(con, inputs, sae, mart))


def merge_recipe(con: duckdb.DuckDBPyConnection, mart: Mart, sae: str) -> str:
    """Return the checksum of what the merge of a mart's blocks reads, other than their rows."""
    inputs = () if mart.partial is None else mart.final.inputs
    return digest(_states(con, inputs, sae, mart))


def _states(con: duckdb.DuckDBPyConnection, inputs: Sequence[str], sae: str, mart: Mart) -> object:
    texts = [derived()[name].sql for name in sorted(below(inputs)) if name in derived()]
    by_content = (
        {"activations", "encodings", *_PER_PROTEIN, *_ANNOTATION_NAMES} if mart.is_per_block else set()
    )
    names = [name for name in resolve(inputs) if name not in by_content]
    return texts, {name: _input_state(con, name, sae) for name in names}


def is_by_source(mart: Mart) -> bool:
    """Whether the rows that one source of annotations adds do not depend on other sources."""
    return mart.partial is not None and bool(set(_PER_SOURCE) & set(resolve(mart.partial.inputs)))


class Planner:
    """Compares what marts were made from with what is there now.

    What annotations, coverage and proteins say is summed up once: a planner holds as long as they do
    not change.

    Parameters
    ----------
    con : DuckDBPyConnection
        With the tables of a warehouse.
    locate : callable
        Returns where a folder is.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, locate: Locate) -> None:
        self.con = con
        self.locate = locate
        self._checksums: dict[tuple[str, str, tuple[str, ...]], dict[str, str]] = {}

    def content(self, mart: Mart, sae: str, seen: Sequence[str]) -> str:
        """Return the checksum of what the inputs say about the proteins in folders of `activations`.

        What is counted source by source is left to `sources`.
        """
        inputs = set(resolve(mart.inputs))
        if is_by_source(mart):
            inputs -= set(_PER_SOURCE)
        return digest([[n, self._checksum(n, sae, tuple(seen))] for n in _PER_PROTEIN if n in inputs])

    def sources(self, mart: Mart, sae: str, seen: Sequence[str]) -> dict[str, str]:
        """Return, for each source of annotations, the checksum of what it says about those proteins."""
        if not is_by_source(mart):
            return {}
        of_table = [self._checksum(name, sae, tuple(seen)) for name in _PER_SOURCE]
        names = sorted({source for found in of_table for source in found})
        return {source: digest([found.get(source) for found in of_table]) for source in names}

    def _checksum(self, name: str, sae: str, seen: tuple[str, ...]) -> dict[str, str]:
        """Return what a table says of the proteins of folders, by source where it has sources."""
        key = name, sae, seen
        if key not in self._checksums:
            self.con.execute(_PARTS_SEEN, {"sae": sae, "folders": list(seen)})
            rows = self.con.execute(sqlfile.load("build", f"content_{name}").sql).fetchall()
            self._checksums[key] = dict(rows)
            self.con.execute("drop table built_proteins")
        return self._checksums[key]

    def made(self, step: Step, folders: tuple[str, ...]) -> Made:
        """Return what a folder of a mart is made from that counts these folders of `activations`."""
        mart, sae = step.mart, step.sae
        if not mart.is_per_block:
            return Made(step.recipe, step.merge, folders, digest([]))
        sources = tuple(self.sources(mart, sae, folders).items())
        return Made(step.recipe, step.merge, folders, self.content(mart, sae, folders), sources)

    def is_whole(self, folder: str) -> bool:
        """Whether every file of a folder is there with the size that it had."""
        parts = self.con.execute(
            "select path, n_bytes from parts where parse_dirpath(path) = ?", [folder]
        ).fetchall()
        paths = [(self.locate(folder) / path.rpartition("/")[2], n_bytes) for path, n_bytes in parts]
        return all(path.is_file() and path.stat().st_size == n_bytes for path, n_bytes in paths)

    def step(self, mart: Mart, sae: str, values: Mapping[str, Any]) -> Step:
        """Say what is to be done for a mart; `values` are those of the parameters of the SQL files."""
        now, merge = recipe(self.con, mart, sae, values), merge_recipe(self.con, mart, sae)
        folders = folders_of(self.con, mart.name, sae)
        made = [Made.load(text) for _, text in folders]
        everything = (
            tuple(folder for folder, _ in folders_of(self.con, "activations", sae))
            if mart.is_per_block
            else ()
        )
        seen = tuple(folder for one in made for folder in one.seen)
        usable = (
            bool(made)
            and all(self.is_whole(folder) for folder, _ in folders)
            and all(one.recipe == now for one in made)
            and set(seen) <= set(everything)
            and all(self._is_as_it_was(mart, sae, one) for one in made if mart.is_per_block)
        )
        if not usable:
            return Step(mart, sae, "rebuild", now, merge, everything, ())
        fresh = tuple(folder for folder in everything if folder not in set(seen))
        counted = {source for one in made for source, _ in one.sources}
        sources = tuple(source for source in self.sources(mart, sae, seen) if source not in counted)
        is_current = not fresh and not sources and all(one.merge == merge for one in made)
        return Step(mart, sae, "current" if is_current else "append", now, merge, fresh, seen, sources)

    def _is_as_it_was(self, mart: Mart, sae: str, made: Made) -> bool:
        """Whether what was counted says the same now; a source may have come since."""
        now = self.sources(mart, sae, made.seen)
        return made.content == self.content(mart, sae, made.seen) and all(
            now.get(source) == content for source, content in made.sources
        )
