"""What of a warehouse is published, and the catalogue that says so.

Held back: rows of private proteins (unless they are asked for), what was sent to language models and what
they answered, input rows that were rejected, and where files lay on this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml

from interplm_wh import schema
from interplm_wh.errors import CheckError, InputError, faults_message
from interplm_wh.quote import quote_identifier
from interplm_wh.remote import scrub
from interplm_wh.remote.manifest import Entry
from interplm_wh.store import Warehouse, catalogue, files, layout, parts

THE_LAKE = "activations"
"""The one table that grows with residues; marts, examples and sequences do without it."""
NEVER = ("interpretation_prompts", "rejects")
_JSON = frozenset({"settings", "fingerprints"})
# Keys of the settings of runs that name proteins, and commands whose files are named like proteins.
_NAMING = frozenset({"accessions", "protein", "proteins"})
_NAMES_FILES = frozenset({"add structures"})
_NOT_TEXT = frozenset({"folders", "parts", "thresholds"})
_PRIVATE_RUNS = """
select f.folder
from folders as f
inner join steering_runs as r on f.source = r.run and f.sae = r.sae
where f.is_current and starts_with(f.table_name, 'steering_') and r.is_private
"""


@dataclass(frozen=True)
class Chosen:
    """What is to be published.

    Attributes
    ----------
    con : DuckDBPyConnection
        In memory, with the small tables as they are published.
    files : dict of str to Path
        Where each file is now, by its path in the warehouse; copies of what had to be changed.
    entries : tuple of Entry
        The same as they are listed, without the catalogue.
    n_private : int
        Private proteins among them.
    left_out : tuple of str
        What stays behind, for people.
    """

    con: duckdb.DuckDBPyConnection
    files: dict[str, Path]
    entries: tuple[Entry, ...]
    n_private: int
    left_out: tuple[str, ...]

    def digest(self) -> str:
        """Return the checksum of all that is said."""
        digest = hashlib.sha256()
        for entry in sorted(self.entries, key=lambda one: one.path):
            digest.update(f"{entry.path}\t{entry.n_bytes}\t{entry.sha256}\n".encode())
        for table in catalogue.catalogue_tables():
            name = quote_identifier(table.name)
            rows = self.con.execute(f"from {name} order by all").fetchall()
            digest.update(json.dumps([table.name, rows], default=str).encode())
        return digest.hexdigest()


def choose(wh: Warehouse, scratch: Path, *, lake: bool, with_private: bool) -> Chosen:
    """Choose what is published of a warehouse.

    Raises
    ------
    InputError
        If it has private proteins and these were not asked for.
    CheckError
        If files of it are damaged.
    """
    damaged = {name: fault for name, fault in wh.faults().items() if name not in parts.left_out(wh.con)}
    if damaged:
        faults = [f"{name}: {fault}" for name, fault in sorted(damaged.items())]
        raise CheckError(faults_message(wh.name, faults, "nothing was published; see: interplm-wh verify"))
    _refuse_strangers(wh, lake=lake)
    n_private = _private(wh, with_private=with_private)
    con = _copy(wh)
    left_out = _leave_out(con, wh, lake=lake, with_private=with_private)
    _scrub(con)
    if not with_private:
        _forget_names(con)
    found, entries = _lake_files(con, wh)
    for path in _beside(con, wh):
        source = _cleaned(wh.path / path, scratch / path)
        sha256 = files.sha256(source)
        found[path] = source
        # Weights of another SAE may come to have the same name.
        head, _, name = path.rpartition("/")
        place = f"{head}/{sha256[:16]}/{name}"
        entries.append(Entry(path, place, source.stat().st_size, sha256))
    return Chosen(con, found, tuple(entries), n_private, tuple(left_out))


def _private(wh: Warehouse, *, with_private: bool) -> int:
    (row,) = wh.sql(
        "select count(*) filter (where is_private) as n_private, count(*) as n from proteins"
    ).to_pylist()
    if row["n_private"] and not with_private:
        raise InputError(
            f"{wh.name} has {row['n_private']:,} private proteins of {row['n']:,} (is_private), and counts, "
            "examples and scores were made with them: nothing was published. Take them out of a copy of the "
            "warehouse (interplm-wh -w COPY remove proteins ACCESSION…, then build) and publish that, or "
            "publish them with all that is known of them: --with-private"
        )
    return int(row["n_private"])


def _refuse_strangers(wh: Warehouse, *, lake: bool) -> None:
    """Refuse tables that still name proteins which were taken out: they may have been private."""
    faults = []
    stays = {*NEVER, *parts.left_out(wh.con), *(() if lake else (THE_LAKE,))}
    for table in catalogue.lake_tables():
        keys = {"accession", "protein_id"} & {column.name for column in table.columns}
        if table.name in stays:
            continue
        for key in sorted(keys):
            name = quote_identifier(table.name)
            rows = wh.sql(
                f"select t.{key} as stranger from {name} as t anti join proteins as p using ({key}) "  # noqa: S608
                f"where t.{key} is not null order by all limit 1"
            )
            faults += [f"{table.name} names {stranger}" for stranger in rows["stranger"].to_pylist()]
    if faults:
        step = "nothing was published; see with: interplm-wh info, then run: interplm-wh build"
        raise CheckError(faults_message(f"{wh.name}: proteins that are no longer there", faults, step))


def _copy(wh: Warehouse) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set enable_progress_bar = false")
    for table in catalogue.catalogue_tables():
        name = quote_identifier(table.name)
        con.execute(catalogue.create_table(table))
        con.register("small", wh.sql(f"from {name}"))
        con.execute(f"insert into {name} by name from small")
        con.unregister("small")
    con.execute("delete from folders where not is_current")
    return con


def _leave_out(con: duckdb.DuckDBPyConnection, wh: Warehouse, *, lake: bool, with_private: bool) -> list[str]:
    """Take out what stays behind, and say what it is."""
    said: list[str] = []
    absent = set(parts.left_out(con))
    if not lake and _folders(con, THE_LAKE):
        absent.add(THE_LAKE)
    if absent:
        con.execute("delete from parts where list_contains($t::varchar[], table_name)", {"t": sorted(absent)})
        con.execute("delete from settings where setting = ?", [parts.LEFT_OUT])
        con.execute("insert into settings values (?, ?)", [parts.LEFT_OUT, ",".join(sorted(absent))])
        said.append(f"the table {', '.join(sorted(absent))} (--lake publishes it)")
    for table in NEVER:
        if gone := _folders(con, table):
            _forget(con, gone)
            said.append(f"the table {table}, which is never published")
    if not with_private:
        gone = wh.sql(_PRIVATE_RUNS)["folder"].to_pylist()
        if gone:
            n_runs = wh.sql("select count(*) as n from steering_runs where is_private")["n"].to_pylist()[0]
            _forget(con, gone)
            said.append(f"{n_runs} steering runs of sequences that were given, which count as private")
    return said


def _folders(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    rows = con.execute("select folder from folders where table_name = ?", [table]).fetchall()
    return [folder for (folder,) in rows]


def _forget(con: duckdb.DuckDBPyConnection, folders: Sequence[str]) -> None:
    gone = {"f": list(folders)}
    con.execute("delete from parts where list_contains($f::varchar[], parse_dirpath(path))", gone)
    con.execute("delete from folders where list_contains($f::varchar[], folder)", gone)


def _scrub(con: duckdb.DuckDBPyConnection) -> None:
    """Leave of each absolute path in the small tables the last name alone."""
    for table in catalogue.catalogue_tables():
        if table.name in _NOT_TEXT:
            continue
        for column in table.columns:
            if column.type == "string":
                change = scrub.json_text if column.name in _JSON and table.name == "runs" else scrub.text
                _change(con, table, column.name, change)


def _forget_names(con: duckdb.DuckDBPyConnection) -> None:
    """Take out of the runs which proteins they were about: some may have been private and be gone by now."""
    rows = con.execute("select run_id, command, settings, fingerprints from runs").fetchall()
    for run, command, settings, fingerprints in rows:
        is_named = command in _NAMES_FILES
        left = scrub.without(settings, _NAMING | ({"files"} if is_named else set()))
        checksums = "{}" if is_named else fingerprints
        if (left, checksums) != (settings, fingerprints):
            con.execute(
                "update runs set settings = ?, fingerprints = ? where run_id = ?", [left, checksums, run]
            )


def _change(con: duckdb.DuckDBPyConnection, table: schema.Table, column: str, change: object) -> None:
    assert callable(change)
    name, cell = quote_identifier(table.name), quote_identifier(column)
    rows = con.execute(f"select distinct {cell} from {name} where {cell} is not null").fetchall()  # noqa: S608
    for (before,) in rows:
        if (after := change(before)) != before:
            con.execute(f"update {name} set {cell} = ? where {cell} = ?", [after, before])  # noqa: S608


def _lake_files(con: duckdb.DuckDBPyConnection, wh: Warehouse) -> tuple[dict[str, Path], list[Entry]]:
    rows = con.execute("select path, n_bytes, sha256 from parts order by path").fetchall()
    # The name of a folder of the lake is unique, and never used for anything else.
    entries = [Entry(path, path, n_bytes, sha256) for path, n_bytes, sha256 in rows]
    return {entry.path: wh.path / entry.path for entry in entries}, entries


def _beside(con: duckdb.DuckDBPyConnection, wh: Warehouse) -> list[str]:
    """Return the paths of what the tables name beside the lake: weights, cards, structures."""
    from interplm_wh.train.card import CARD, PAGE

    found: list[str] = []
    for (sae,) in con.execute("select sae from saes order by sae").fetchall():
        weights = layout.weights(wh.path, sae)
        paths = [weights.with_name(name) for name in (weights.name, "sae.yaml", CARD, PAGE)]
        found += [path.relative_to(wh.path).as_posix() for path in paths if path.is_file()]
    named = wh.sql("select distinct file from structures order by file")["file"].to_pylist()
    return found + [path for path in named if layout.structure_file(wh.path, path)]


def _cleaned(source: Path, copy: Path) -> Path:
    """Return a file, or a copy of a text in which no path of this machine is left."""
    if source.suffix == ".yaml":
        raw = yaml.safe_load(source.read_text(encoding="utf-8"))
        content = yaml.safe_dump(scrub.value(raw), sort_keys=False, allow_unicode=True)
    elif source.suffix == ".md":
        content = scrub.text(source.read_text(encoding="utf-8"))
    else:
        return source
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(content, encoding="utf-8")
    return copy
