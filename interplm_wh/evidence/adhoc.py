"""Score concepts that a question gives, without adding anything to the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from interplm_wh import progress, sqlfile, store
from interplm_wh.ask.table import plain_table
from interplm_wh.console.admit import FILE_FUNCTIONS, TABLE_FUNCTIONS, admit
from interplm_wh.errors import InputError, faults_message
from interplm_wh.evidence.chosen import built
from interplm_wh.store import Warehouse

NEEDED = ("accession", "start", "stop", "concept")
OPTIONAL = ("level", "instance")
_ROWS = pa.schema(
    [
        ("row_number", pa.int64()), ("accession", pa.string()), ("start", pa.int64()), ("stop", pa.int64()),
        ("concept", pa.string()), ("level", pa.string()), ("instance", pa.string()),
    ]
)  # fmt: skip


def score_sql(warehouse: str | Path, sql: str, *, saes: Sequence[str] = ()) -> pa.Table:
    """Score the concepts of a SELECT: feature and threshold chosen on valid, read on test.

    Parameters
    ----------
    warehouse : str or Path
    sql : str
        One reading statement with the columns accession, start, stop and concept, and optionally level
        ('domain' by default) and instance; positions are 1-based and inclusive. It may read files.
    saes : sequence of str
        By default all that were built.

    Returns
    -------
    Table
        The columns of the question `adhoc_pairs`, by SAE and concept. All encoded proteins count: one
        without a span is one without the concept.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or nothing was built.
    InputError
        If the statement is refused, lacks a column or gives spans that cannot be.
    """
    with store.open(warehouse) as wh:
        names = built(wh, saes)
        rows = _rows(wh, sql)
        _refuse_faults(wh, rows)
        with progress.track("scoring", total=len(names), unit="SAEs") as bar:
            found = []
            for sae in names:
                bar.describe(sae)
                found.append(_score(wh, sae, rows))
                bar.advance(1)
    return pa.concat_tables(found)


def lines(found: pa.Table) -> list[str]:
    """Print the rows of `score_sql` for people."""
    numbers = ("valid_f1_per_domain", "test_precision", "test_recall_per_domain", "test_f1_per_domain")
    header = (
        "SAE", "concept", "feature", "threshold", "valid F1", "precision", "recall", "test F1",
        "instances on valid", "on test", "tried", "found",
    )  # fmt: skip
    cells = [
        (
            row["sae"], row["concept"],
            *(("", "") if row["feature"] is None else (str(row["feature"]), f"{row['threshold']:g}")),
            *("" if row[name] is None else f"{row[name]:.3f}" for name in numbers),
            f"{row['n_valid_instances']:,}", f"{row['n_test_instances']:,}", f"{row['n_tried']:,}",
            "yes" if row["is_found"] else "no" if row["is_testable"] else "not testable",
        )
        for row in found.to_pylist()
    ]  # fmt: skip
    return plain_table(header, cells)


def _rows(wh: Warehouse, sql: str) -> pa.Table:
    """Return the rows of somebody's statement under the names and types that are wanted."""
    try:
        given = wh.sql(admit(wh.con, sql, catalogue="wh", functions=TABLE_FUNCTIONS | FILE_FUNCTIONS))
    except duckdb.Error as error:
        raise InputError(str(error)) from error
    if missing := [name for name in NEEDED if name not in given.column_names]:
        raise InputError(
            f"the statement gives no column {', '.join(missing)}; name them with AS: {', '.join(NEEDED)}"
        )
    n = given.num_rows
    if not n:
        raise InputError("the statement gives no row, so that there is nothing to score")
    defaults = {"level": pa.array(["domain"] * n), "instance": pa.nulls(n), "row_number": pa.array(range(n))}
    columns = {
        field.name: given[field.name] if field.name in given.column_names and field.name != "row_number"
        else defaults[field.name]
        for field in _ROWS
    }  # fmt: skip
    try:
        return pa.table([columns[field.name].cast(field.type) for field in _ROWS], schema=_ROWS)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"start and stop must be whole numbers, and the rest text: {error}") from error


def _refuse_faults(wh: Warehouse, rows: pa.Table) -> None:
    found = _ask(wh, "adhoc_faults", {}, {"given_rows": rows}).to_pylist()
    if found:
        faults = [f"{row['fault']}: {row['n']:,}, for instance {row['example']}" for row in found]
        raise InputError(faults_message("the statement", faults, "leave such rows out with WHERE"))


def _score(wh: Warehouse, sae: str, rows: pa.Table) -> pa.Table:
    spans = _ask(wh, "adhoc_spans", {"sae": sae}, {"given_rows": rows})
    support = _ask(wh, "adhoc_support", {}, {"adhoc_spans": spans})
    counts = _ask(wh, "adhoc_counts", {"sae": sae}, {"adhoc_spans": spans})
    return _ask(wh, "adhoc_pairs", {"sae": sae}, {"adhoc_counts": counts, "adhoc_support": support})


def _ask(wh: Warehouse, name: str, values: Mapping[str, str], tables: Mapping[str, pa.Table]) -> pa.Table:
    return wh.sql(sqlfile.load("adhoc", name).sql, values, tables=tables)
