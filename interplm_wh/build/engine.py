"""What runs the SQL of a build: DuckDB in this process, or Spark on many machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from interplm_wh.errors import InputError
from interplm_wh.progress import Bar
from interplm_wh.store import Transaction

if TYPE_CHECKING:
    from interplm_wh.build.marts import Mart
    from interplm_wh.build.plan import Step

Name = Literal["duckdb", "spark"]


class Engine(Protocol):
    """Writes the rows of marts; what is to be made, and what it is recorded as, is not its affair."""

    def count_blocks(
        self, tx: Transaction, steps: Sequence[Step], values: Mapping[str, Any], bar: Bar
    ) -> dict[str, list[Path]]:
        """Count every block of one SAE that marts have not seen, once for all of them.

        Parameters
        ----------
        steps : sequence of Step
            Of marts that are made per block, all of one SAE.
        values : mapping
            Values of the parameters of the SQL files.

        Returns
        -------
        dict of str to list of Path
            What each mart's blocks were written to: files in a new folder of the mart where they stay as
            they are; where they are to be merged, one path for each block.
        """

    def merge(
        self,
        tx: Transaction,
        mart: Mart,
        values: Mapping[str, Any],
        folder: Path,
        *,
        old: Sequence[Path] = (),
        written: Sequence[Path] = (),
    ) -> None:
        """Write all rows of a mart into a new folder of it.

        Parameters
        ----------
        old : sequence of Path
            Folders of the mart whose rows are added to those of the blocks.
        written : sequence of Path
            The blocks, as `count_blocks` returned them.
        """


@contextmanager
def opened(name: str, master: str | None, root: Path) -> Iterator[Engine]:
    """Start an engine, which ends with the block.

    Parameters
    ----------
    name : {'duckdb', 'spark'}
    master : str, optional
        Spark's; all cores of this machine by default.
    root : Path
        The warehouse.

    Raises
    ------
    InputError
        If there is no such engine, or `master` is given without Spark or is none.
    EngineError
        If Spark cannot be started.
    ResourceError
        If an SQL file is not one that Spark answers like DuckDB.
    """
    if name not in get_args(Name):
        raise InputError(f"there is no engine {name}; the engines are {' and '.join(get_args(Name))}")
    if name == "duckdb":
        if master is not None:
            raise InputError("a master is Spark's; leave --master out, or say --engine spark")
        from interplm_wh.build.make import DuckDB

        yield DuckDB()
        return
    from interplm_wh.spark.session import require_pyspark

    require_pyspark()
    from interplm_wh.spark.engine import open_engine

    with open_engine(master, root) as engine:
        yield engine
