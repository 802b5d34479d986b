"""Warehouses that both engines build from the same data, and every table of them row by row."""

from __future__ import annotations

import glob
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from interplm_wh import schema, store
from interplm_wh.build import marts
from interplm_wh.quote import quote_identifier

_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:MetaspaceSize=256m"
# The same for Spark in a process that a test starts.
ENVIRONMENT = {"SPARK_SUBMIT_OPTS": _JAVA}
# For a Java that ends soon: what it runs is compiled quickly rather than well.
SHORT = {
    "spark.default.parallelism": "2",
    "spark.driver.extraJavaOptions": f"{_JAVA} -Xms1600m -Xmn700m",
    "spark.executor.extraJavaOptions": f"{_JAVA} -Xms600m -Xmn350m",
}
# For a few rows: no code is generated, which takes longer than to run it.
TINY = {**SHORT, "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
TOLERANCE = 1e-6
# What was run when, and the names and sizes of files; so is `encodings.part`.
_NOT_DATA = {"folders", "parts", "runs"}


def unbuilt(path: Path, target: Path) -> Path:
    """Copy a warehouse without what a build makes."""
    shutil.copytree(path, target)
    with store.write(target, command="test") as tx:
        for mart in marts.ordered():
            tx.drop(mart.name)
        tx.publish()
    return target


def staged(path: Path) -> set[Path]:
    """Folders that a running build has begun to fill."""
    # Not `Path.glob`, which fails where a folder goes while it looks.
    return {Path(name).parent for name in glob.glob(f"{path}/.staging/**/part-*.parquet", recursive=True)}  # noqa: PTH207


def assert_same_tables(ours: Path, theirs: Path, *, filled: bool = True) -> None:
    """Compare every table of two warehouses: integers and text exactly, floats within 1e-6.

    Parameters
    ----------
    filled : bool
        Whether every table that a build makes must have rows.
    """
    built = {mart.name for mart in marts.ordered()}
    with store.open(ours) as one, store.open(theirs) as other:
        for table in schema.tables().values():
            if table.storage in ("block", "chunk") or table.name in _NOT_DATA:
                continue
            order = ", ".join(map(quote_identifier, table.grain))
            sql = f"select {table.column_list} from {quote_identifier(table.name)} order by {order}"
            expected, found = one.sql(sql), other.sql(sql)
            assert expected.num_rows == found.num_rows, table.name
            assert expected.num_rows or not filled or table.name not in built, table.name
            for column in (c for c in table.columns if (table.name, c.name) != ("encodings", "part")):
                assert_same_values(f"{table.name}.{column.name}", expected[column.name], found[column.name])


def assert_same_values(name: str, expected: pa.ChunkedArray, found: pa.ChunkedArray) -> None:
    """Compare two columns, NULL with NULL."""
    assert expected.type == found.type, name
    if not pa.types.is_floating(expected.type):
        assert expected.equals(found), name
        return
    assert expected.is_null().equals(found.is_null()), name
    ours, theirs = expected.drop_null().to_numpy(), found.drop_null().to_numpy()
    np.testing.assert_allclose(theirs, ours, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
