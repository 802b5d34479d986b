"""Check everything that a warehouse says of itself: schemas, and every Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interplm_wh import progress, schema, store
from interplm_wh.ask.unfinished import READ, Unfinished, unfinished
from interplm_wh.build import marts
from interplm_wh.build.scale import TABLE as SCALE
from interplm_wh.quote import quote_identifier
from interplm_wh.store import catalogue, checks, files, layout, ordered, parts


@dataclass(frozen=True)
class VerifyReport:
    """The outcome of `verify`.

    Attributes
    ----------
    n_tables, n_parts : int
        What was checked.
    faults : tuple of str
        One sentence per broken rule or damaged file.
    remakeable : tuple of str
        Tables with a damaged file that a build makes anew once it is gone.
    left_out : tuple of str
        Tables that stayed behind when the warehouse was published, and so were not checked.
    is_local : bool
        Whether it is on this machine.
    unfinished : tuple of Unfinished
        What was to be encoded and is not: no fault, the next run goes on with it.
    """

    n_tables: int
    n_parts: int
    faults: tuple[str, ...]
    remakeable: tuple[str, ...]
    left_out: tuple[str, ...]
    is_local: bool
    unfinished: tuple[Unfinished, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def lines(self) -> list[str]:
        """Print it for people."""
        without = f" (left out when it was published: {', '.join(self.left_out)})" if self.left_out else ""
        checked = f"{self.n_tables} tables and {self.n_parts} files checked{without}"
        left = [line for one in self.unfinished for line in one.lines()]
        if self.is_sound:
            return [f"{checked}: sound", *left]
        if not self.is_local:
            again = "what is published cannot be mended: ask who published it to publish it again"
            return [f"{checked}: {len(self.faults):,} faults", *(f"  - {f}" for f in self.faults), again]
        step = f"delete the damaged files of {', '.join(self.remakeable)}, then run: interplm-wh build"
        other = "other " if self.remakeable else ""
        return [
            f"{checked}: {len(self.faults):,} fault{'s' if len(self.faults) > 1 else ''}",
            *(f"  - {fault}" for fault in self.faults),
            *([step] if self.remakeable else ()),
            f"restore {other}damaged files from a copy; or take out what they belong to (interplm-wh remove) "
            f"and add, encode and build it again; a scale ({SCALE}) is taken anew by: interplm-wh scale; "
            "what other commands made (words, steering, variants, landscapes, evidence, suggestions) is "
            "taken out by: interplm-wh remove damaged, and made anew by them; a measurement by: "
            "interplm-wh evaluate",
            *left,
        ]


def verify(warehouse: str | Path) -> VerifyReport:
    """Check every schema rule and every Parquet file of a warehouse.

    Raises
    ------
    NotThereError
        If there is none.
    """
    with store.open_anywhere(warehouse) as wh:
        recorded = wh.sql("from parts order by path").to_pylist()
        tables = [*catalogue.catalogue_tables(), *catalogue.lake_tables()]
        views = _views()
        faults: list[str] = []
        with progress.track(
            "verifying", total=len(recorded) + len(tables) + len(views), unit="checks"
        ) as bar:
            absent = parts.left_out(wh.con)
            damaged = set(absent)  # what is not there cannot be read
            for part in recorded:
                with wh.located(part["path"]) as path:
                    found = parts.faults(path, part)
                faults += found
                if found:
                    damaged.add(part["table_name"])
                bar.advance(1)
            faults += wh.own_faults()
            faults += _weights_faults(wh)
            for name, of_table in wh.misplaced().items():
                faults += of_table.extra
                damaged.add(name)
            for table in tables:
                # A table with a damaged file cannot be read; that file is a fault already.
                if table.name not in damaged and not _reads_damaged(table, damaged):
                    name = quote_identifier(table.name)
                    by_order = table.name in ordered.UNIQUE_BY_ORDER
                    faults += checks.run(wh.con, table, name, keys_of=None if by_order else name)
                bar.advance(1)
            for name, inputs in views.items():
                if not damaged & set(inputs):
                    faults += checks.run(wh.con, schema.table(name), quote_identifier(name))
                bar.advance(1)
        if "structures" not in damaged:
            faults += _structure_faults(wh)
        left = tuple(unfinished(wh)) if wh.is_local and not READ & damaged else ()
    made = {mart.name for mart in marts.ordered()} - {SCALE}
    remakeable = sorted((damaged - set(absent)) & made) if wh.is_local else []
    return VerifyReport(
        n_tables=len(tables) + len(views),
        n_parts=len(recorded),
        faults=tuple(faults),
        remakeable=tuple(remakeable),
        left_out=tuple(absent),
        is_local=wh.is_local,
        unfinished=left,
    )


def _views() -> dict[str, tuple[str, ...]]:
    """Return the views over what a build makes, and the tables that they read.

    Their keys follow from those of the tables. Views over the lake itself have rows without number
    (each residue, each pair of a protein and a feature) and nothing that the lake's own checks miss.
    """
    found = {view.name: marts.resolve([view.name]) for view in catalogue.stored_views()}
    lake = {table.name for table in schema.tables().values() if table.storage == "lake"}
    return {name: inputs for name, inputs in found.items() if not lake & set(inputs)}


def _reads_damaged(table: schema.Table, damaged: set[str]) -> bool:
    return any((c.references or "").partition(".")[0] in damaged for c in table.columns)


def _structure_faults(wh: store.Warehouse) -> list[str]:
    faults: list[str] = []
    recorded = wh.sql("select distinct file, sha256 from structures order by file").to_pylist()
    with progress.track("verifying structures", total=len(recorded), unit="files") as bar:
        for row in recorded:
            if layout.structure_file(wh.path, row["file"]) is None:
                faults.append(f"{row['file']} is no file of structures of a warehouse")
            else:
                with wh.located(row["file"]) as path:
                    if not path.is_file():
                        faults.append(f"{row['file']} is missing; add the structure again")
                    elif files.sha256(path) != row["sha256"]:
                        faults.append(f"{row['file']} was changed; add the structure again")
            bar.advance(1)
    return faults


def _weights_faults(wh: store.Warehouse) -> list[str]:
    faults: list[str] = []
    for row in wh.sql("select sae, sha256 from saes where sha256 is not null order by sae").to_pylist():
        name = layout.weights(wh.path, row["sae"]).relative_to(wh.path).as_posix()
        with wh.located(name) as path:
            if not path.is_file():
                faults.append(f"{name} is missing")
            elif files.sha256(path) != row["sha256"]:
                faults.append(f"{name} was changed: its checksum is not the recorded one")
    return faults
