"""The files in `sql/`: one SELECT each, under a parsed head.

The head has five keys: ``output`` (the table, macro or question), ``grain``, ``inputs`` (the
relations that the SELECT reads), ``params`` (``$name TYPE [= default]  what it is``, one a line)
and ``what``. A line that starts with ``--`` and spaces continues the key above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from interplm_wh import resources
from interplm_wh.errors import ResourceError

_KEYS = ("output", "grain", "inputs", "params", "what")
_KEY_LINE = re.compile(r"^-- (\w+):\s*(.*)$")
_MORE_LINE = re.compile(r"^--\s{2,}(.*)$")
_PARAM = re.compile(r"^\$(\w+)\s+([A-Z]+(?:\[\])?)(?:\s*=\s*(\S+))?\s*(.*)$")
_USE = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Param:
    """One bound parameter: `default` is SQL text, or None where a value must be given."""

    name: str
    type: str
    default: str | None
    doc: str


@dataclass(frozen=True)
class SqlFile:
    """One file of `sql/`.

    Attributes
    ----------
    name : str
        The file's stem.
    folder : str
        The folder in `sql/`.
    output : str
        The table, macro or question that the SELECT answers.
    grain, inputs : tuple of str
    params : tuple of Param
    what : str
    sql : str
        The SELECT, with ``$name`` where values are bound.
    """

    name: str
    folder: str
    output: str
    grain: tuple[str, ...]
    inputs: tuple[str, ...]
    params: tuple[Param, ...]
    what: str
    sql: str

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this file's own parameters, refusing a missing one."""
        missing = [p.name for p in self.params if p.name not in values]
        if missing:
            raise ResourceError(f"sql/{self.folder}/{self.name}.sql needs a value for {', '.join(missing)}")
        return {p.name: values[p.name] for p in self.params}

    @property
    def macro_body(self) -> str:
        """The SELECT with bare names where ``$name`` stood: what CREATE MACRO takes."""
        return _USE.sub(r"\1", self.sql)


def _head(lines: Iterable[str], where: str) -> dict[str, list[str]]:
    head: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        if match := _KEY_LINE.match(line):
            key = match[1]
            if key not in _KEYS or key in head:
                raise ResourceError(f"{where}: unknown or repeated key {key!r} in the head")
            head[key] = [match[2].strip()]
        elif (match := _MORE_LINE.match(line)) and key:
            head[key].append(match[1].strip())
        else:
            raise ResourceError(f"{where}: cannot read the line {line!r} of the head")
    if absent := [k for k in _KEYS if k not in head]:
        raise ResourceError(f"{where}: the head lacks {', '.join(absent)}")
    return head


def _params(lines: Iterable[str], where: str) -> tuple[Param, ...]:
    found: list[Param] = []
    for line in lines:
        if line in ("", "none"):
            continue
        if match := _PARAM.match(line):
            found.append(Param(match[1], match[2], match[3], match[4].strip()))
        elif found:
            last = found.pop()
            found.append(Param(last.name, last.type, last.default, f"{last.doc} {line}".strip()))
        else:
            raise ResourceError(f"{where}: cannot read the parameter {line!r}")
    return tuple(found)


def _names(lines: list[str]) -> tuple[str, ...]:
    words = [word.strip() for word in " ".join(lines).split(",")]
    return tuple(word for word in words if word and word != "none")


def parse(text: str, *, name: str, folder: str) -> SqlFile:
    """Read one SQL file.

    Raises
    ------
    ResourceError
        If the head is incomplete, a parameter is undeclared or unused, or the body is not one SELECT.
    """
    where = f"sql/{folder}/{name}.sql"
    lines = text.splitlines()
    n_head = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    head = _head(lines[:n_head], where)
    params = _params(head["params"], where)
    sql = "\n".join(lines[n_head:]).strip().removesuffix(";").strip()
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise ResourceError(f"{where}: {error}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ResourceError(f"{where}: must hold exactly one SELECT")
    used, declared = set(statements[0].named_parameters), {p.name for p in params}
    if used != declared:
        raise ResourceError(
            f"{where}: undeclared {sorted(used - declared)}, unused {sorted(declared - used)}"
        )
    return SqlFile(
        name=name,
        folder=folder,
        output=" ".join(head["output"]),
        grain=_names(head["grain"]),
        inputs=_names(head["inputs"]),
        params=params,
        what=" ".join(head["what"]),
        sql=sql,
    )


def load_path(path: Path) -> SqlFile:
    """Read the SQL file at a path."""
    return parse(path.read_text(encoding="utf-8"), name=path.stem, folder=path.parent.name)


@cache
def load(folder: str, name: str) -> SqlFile:
    """Read ``sql/<folder>/<name>.sql``."""
    return parse(resources.text(f"sql/{folder}/{name}.sql"), name=name, folder=folder)


@cache
def load_folder(folder: str) -> dict[str, SqlFile]:
    """Read every file of one folder of `sql/`, by name."""
    paths = sorted((resources.folder("sql") / folder).glob("*.sql"))
    return {path.stem: load_path(path) for path in paths}


def build_order(files: Mapping[str, SqlFile]) -> list[SqlFile]:
    """Order files so that each comes after those that write its inputs.

    Raises
    ------
    ResourceError
        If the files depend on each other in a circle.
    """
    graph = {name: [i for i in file.inputs if i in files] for name, file in sorted(files.items())}
    try:
        return [files[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise ResourceError(f"sql files depend on each other in a circle: {error.args[1]}") from error
