"""One table or view as a file of text or Parquet, row group by row group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from interplm_wh import names, schema, store
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.export import target
from interplm_wh.quote import quote_identifier, quote_literal

_TEXT = "format csv, header true, delimiter {delimiter}"
_FORMS = {
    ".csv": _TEXT.format(delimiter="','"),
    ".csv.gz": _TEXT.format(delimiter="','") + ", compression gzip",
    ".tsv": _TEXT.format(delimiter="'\t'"),
    ".tsv.gz": _TEXT.format(delimiter="'\t'") + ", compression gzip",
    ".parquet": "format parquet, compression zstd",
}
_LASTING = frozenset({"catalogue", "lake", "sae", "view"})


@dataclass(frozen=True)
class TableReport:
    """What `export_table` wrote.

    Attributes
    ----------
    table : str
    output : Path
    n_rows, n_bytes : int
    """

    table: str
    output: Path
    n_rows: int
    n_bytes: int

    def lines(self) -> list[str]:
        """Describe it for people."""
        return [f"{self.table}: {self.n_rows:,} rows, {self.n_bytes / 1e6:,.1f} MB, in {self.output}"]


def export_table(warehouse: str | Path, name: str, output: str | Path, *, force: bool = False) -> TableReport:
    """Write a table or view, with all its rows and columns; those of private proteins as well.

    Parameters
    ----------
    warehouse : str or Path
        A folder, or the address of a published one.
    name : str
        A table or view of docs/tables.md.
    output : str or Path
        A name that ends in .csv, .tsv (both also .gz) or .parquet; it appears whole or not at all.
    force : bool
        Replace a file that is there.

    Raises
    ------
    NotThereError
        If there is no such table.
    InputError
        If the ending is another one, or the file may not be written.
    """
    path = target.check(output, force=force)
    form = next((how for ending, how in _FORMS.items() if path.name.endswith(ending)), None)
    if form is None:
        raise InputError(f"{path.name}: no format has this ending; choose one of {', '.join(_FORMS)}")
    known = [table.name for table in schema.tables().values() if table.storage in _LASTING]
    if name not in known:
        near = names.nearest(name, known)
        hint = f"did you mean {near}?" if near else "docs/tables.md lists them"
        raise NotThereError(f"there is no table {name!r}; {hint}")
    with store.open_anywhere(warehouse) as wh, target.written(path) as partial:
        copy = f"copy {quote_identifier(name)} to {quote_literal(str(partial))} ({form})"
        try:
            ((n_rows,),) = wh.execute(copy)
        except duckdb.CatalogException as error:
            raise NotThereError(
                f"{wh.name} was published by another version of interplm-wh, and has no {name}"
            ) from error
        n_bytes = partial.stat().st_size
    return TableReport(name, path, n_rows, n_bytes)
