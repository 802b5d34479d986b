"""Write structures into a warehouse: rows and files together, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import schema, sqlfile
from interplm_wh.errors import InputError
from interplm_wh.quote import quote_literal
from interplm_wh.store import Transaction, layout, staging
from interplm_wh.store import files as store_files
from interplm_wh.store.rows import first_row, value
from interplm_wh.store.transaction import named_folders
from interplm_wh.structures import rows
from interplm_wh.structures.chains import Model
from interplm_wh.structures.file import StructureFile
from interplm_wh.structures.match import Match

TABLES = ("structures", "structure_residues")
_FLUSH_ROWS = 500_000
_PLACED = (
    "select n.*, p.accession from new_structures as n semi join fresh_structures using (structure) "
    "inner join proteins as p on n.protein_id = p.protein_id order by n.structure"
)


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    placed : tuple of dict
        New rows of `structures`, with `accession`.
    n_replaced, n_present : int
        Earlier structures that made place, and those that were there as they are.
    n_restored : int
        Files of the latter that were lost or damaged.
    """

    placed: tuple[dict[str, Any], ...]
    n_replaced: int
    n_present: int
    n_restored: int


class StructureWriter:
    """The structures that one command adds."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.con: duckdb.DuckDBPyConnection = tx.con
        self._scratch = tx.staging.scratch / layout.STRUCTURES
        self._scratch.mkdir()
        self._structures: list[dict[str, Any]] = []
        self._residues: list[dict[str, Any]] = []
        self._n_flushed = 0
        self._copies: dict[str, Path] = {}
        self._finals: set[str] = set()

    @property
    def n_structures(self) -> int:
        """Structures given so far."""
        return len(self._structures)

    def add(self, file: StructureFile, model: Model, matches: list[Match]) -> None:
        """Take the chains of one file that were matched.

        Raises
        ------
        InputError
            If two of its chains have one name, or atoms lie where no protein has them; nothing is taken.
        """
        once = {match.chain.name for match in matches}
        if len(once) < len(matches):
            raise InputError("two of its chains have one name; name them apart")
        structures = [rows.structure_row(file, model, match) for match in matches]
        residues = [row for match in matches for row in rows.residue_rows(file, model, match)]
        self._structures += structures
        self._residues += residues
        if len(self._residues) >= _FLUSH_ROWS:
            self._flush()
        target = self._tx.root / rows.file_path(file)
        if not (target.is_file() and store_files.sha256(target) == file.sha256):
            copy = self._scratch / target.name
            copy.write_bytes(file.data)
            self._copies[rows.file_path(file)] = copy

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._residues, schema.table("structure_residues").arrow)
        pq.write_table(table, self._scratch / f"residues-{self._n_flushed}.parquet")
        self._residues = []
        self._n_flushed += 1

    def finish(self) -> Written:
        """Put rows and files into the warehouse and publish; does not publish where nothing is new."""
        self._flush()
        self._compare()
        n_replaced = int(value(self.con, "select count(*) from outdated_structures"))
        n_fresh = int(value(self.con, "select count(*) from fresh_structures"))
        restored = self._restored()
        placed = tuple(self.con.sql(_PLACED).to_arrow_table().to_pylist())
        if n_fresh:
            for table in TABLES:
                self._drop_outdated(table)
            self._append("structures", "from new_structures semi join fresh_structures using (structure)")
            residues = f"read_parquet({quote_literal(str(self._scratch / 'residues-*.parquet'))})"
            self._append(
                "structure_residues", f"from {residues} semi join fresh_structures using (structure)"
            )
        self._publish(is_changed=n_fresh > 0)
        return Written(placed, n_replaced, self.n_structures - n_fresh, len(restored))

    def _compare(self) -> None:
        """Make `fresh_structures`, which the warehouse lacks, and `outdated_structures`."""
        table = schema.table("structures")
        given = pa.Table.from_pylist(self._structures, table.arrow)
        self.con.register("given", given)
        self.con.execute("create or replace temp table new_structures as from given")
        self.con.unregister("given")
        for name in ("fresh_structures", "outdated_structures"):
            select = sqlfile.load("structures", name)
            self.con.execute(f"create or replace temp table {select.output} as {select.sql}")

    def _restored(self) -> list[str]:
        """Return the files that are put back for structures that are there already."""
        fresh = {
            path for (path,) in self.con.execute("select distinct file from fresh_structures").fetchall()
        }
        return sorted(set(self._copies) - fresh)

    def _drop_outdated(self, name: str) -> None:
        """Write those folders of a table anew that hold an outdated structure."""
        table = schema.table(name)
        by_source: dict[str | None, list[Path]] = {}
        folders = "select source, folder from folders where is_current and table_name = ? order by rank"
        for source, folder in self.con.execute(folders, [name]).fetchall():
            by_source.setdefault(source, []).append(self._tx.locate(folder))
        if None in by_source:  # without a name of its own a folder goes only with all others
            by_source = {None: [path for paths in by_source.values() for path in paths]}
        for source, paths in by_source.items():
            select = f"({layout.view_select(table, paths)})"
            held = f"select 1 from {select} semi join outdated_structures using (structure) limit 1"  # noqa: S608
            if first_row(self.con, held) is not None:
                self._tx.drop(name, source=source)
                self._append(name, f"from {select} anti join outdated_structures using (structure)")

    def _append(self, name: str, query: str) -> None:
        """Append the rows of a query as a folder with a name of its own, so that it can be replaced."""
        if first_row(self.con, f"select 1 from ({query}) limit 1") is None:  # noqa: S608
            return
        folder = self._tx.new_folder(name)
        self._finals.add(self._tx.staging.final_name(folder))
        self._tx.write_query(folder, query)
        self._tx.append(folder, source=folder.name)

    def _publish(self, *, is_changed: bool) -> None:
        """Give the files their names and publish the rows; without the rows, take new files away again."""
        moved: list[Path] = []
        try:
            self._move(moved)
            if is_changed:
                self._tx.publish()
        except BaseException:
            if not named_folders(self._tx.root) & self._finals:
                for path in moved:
                    path.unlink(missing_ok=True)
            raise

    def _move(self, moved: list[Path]) -> None:
        if not self._copies:
            return
        folder = self._tx.root / layout.STRUCTURES
        folder.mkdir(exist_ok=True)
        for final, copy in sorted(self._copies.items()):
            target = self._tx.root / final
            staging.sync(copy)
            if not target.exists():
                moved.append(target)
            copy.replace(target)
        staging.sync(folder)
