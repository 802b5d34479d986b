"""The marts: which files of `sql/marts/` make them, and which kind of work each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from interplm_wh import schema, sqlfile
from interplm_wh.errors import ResourceError
from interplm_wh.sqlfile import SqlFile

PARTIAL = "_partial"
_BLOCK_PARAMS = {"first_protein", "last_protein"}
# What a build lays from the weights of an SAE: no tables of the warehouse.
LAID = {
    "sae_features": (
        "null::varchar as sae, null::integer as feature, null::float as decoder_norm, "
        "null::float as checkpoint_max"
    ),
    "sae_directions": (
        "null::varchar as sae, null::varchar as weights, null::integer as feature, "
        "null::integer as neighbour, null::float as cosine"
    ),
}


@dataclass(frozen=True)
class Mart:
    """One table that a build makes for each SAE.

    Attributes
    ----------
    name : str
    final : SqlFile
        Merges the partial rows; or makes the rows of one block, or all rows at once.
    partial : SqlFile or None
        Makes the additive rows of one block.
    """

    name: str
    final: SqlFile
    partial: SqlFile | None

    @property
    def is_per_block(self) -> bool:
        """Whether new proteins only add to it."""
        return self.partial is not None or self.is_appended

    @property
    def is_appended(self) -> bool:
        """Whether each block's rows stand for themselves, so that nothing is merged."""
        return {p.name for p in self.final.params} >= _BLOCK_PARAMS

    @property
    def is_sum(self) -> bool:
        """Whether merging only adds up the rows of blocks, so that those of a single block are merged."""
        return self.partial is not None and self.final.inputs == (self.name + PARTIAL,)

    @property
    def files(self) -> tuple[SqlFile, ...]:
        """The SQL files that make it."""
        return (self.final,) if self.partial is None else (self.partial, self.final)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The relations that it reads, less its own partial rows."""
        names = {i for file in self.files for i in file.inputs} - {self.name + PARTIAL}
        return tuple(sorted(names))


def _marts() -> dict[str, Mart]:
    files = sqlfile.load_folder("marts")
    found: dict[str, Mart] = {}
    for name, file in files.items():
        if name.endswith(PARTIAL):
            if name.removesuffix(PARTIAL) not in files:
                raise ResourceError(
                    f"sql/marts/{name}.sql has no {name.removesuffix(PARTIAL)}.sql to merge it"
                )
            continue
        if schema.table(name).storage == "sae":
            found[name] = Mart(name, file, files.get(name + PARTIAL))
    return found


def empty_select(relation: str) -> str:
    """Return a typed SELECT without rows for any input of a mart, partial rows included."""
    if relation in LAID:
        return f"select {LAID[relation]} where false"
    return schema.table(relation.removesuffix(PARTIAL)).empty_select


@cache
def derived() -> dict[str, SqlFile]:
    """Return the stored views, and the tables that are held while a block is counted, by name."""
    files = sqlfile.load_folder("marts")
    kinds = ("view", "block", "chunk")
    return {n: f for n, f in files.items() if n in schema.tables() and schema.table(n).storage in kinds}


def resolve(inputs: Sequence[str]) -> tuple[str, ...]:
    """Replace what is derived among the inputs by the tables that it reads, all the way down."""
    return tuple(sorted(below(inputs) - set(derived())))


def below(inputs: Sequence[str]) -> set[str]:
    """Return the inputs and, of those that are derived, what they read, all the way down."""
    found: set[str] = set()
    waiting = list(inputs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += derived()[name].inputs if name in derived() else ()
    return found


@dataclass(frozen=True)
class Phase:
    """What is made together while a block is counted.

    Attributes
    ----------
    tables : tuple of SqlFile
        The temporary tables, in the order of making.
    marts : tuple of Mart
        Those whose rows are written then.
    """

    tables: tuple[SqlFile, ...]
    marts: tuple[Mart, ...]


@dataclass(frozen=True)
class Phases:
    """The three phases of counting a block.

    Attributes
    ----------
    before : Phase
        Tables of the block that need no activations.
    chunk : Phase
        For each chunk: its own tables, the rows that it adds to tables of the block, and the marts that
        read it.
    after : Phase
        What is made from the rows that all chunks have added.
    """

    before: Phase
    chunk: Phase
    after: Phase


def phases(marts: Sequence[Mart]) -> Phases:
    """Sort the temporary tables that some marts need, and the marts, by when they are made."""
    inputs = [name for mart in marts for file in mart.files for name in file.inputs]
    needed = below(inputs)
    tables = [
        file
        for file in sqlfile.build_order(derived())
        if file.name in needed and schema.table(file.name).storage in ("block", "chunk")
    ]
    of_chunk = {file.name for file in tables if schema.table(file.name).storage == "chunk"}
    in_chunk = [file for file in tables if file.name in of_chunk or of_chunk & set(file.inputs)]
    added = {file.name for file in in_chunk}
    after = [file for file in tables if file not in in_chunk and added & below(file.inputs)]
    early = [mart for mart in marts if of_chunk & set(mart.inputs)]
    return Phases(
        Phase(tuple(file for file in tables if file not in in_chunk and file not in after), ()),
        Phase(tuple(in_chunk), tuple(early)),
        Phase(tuple(after), tuple(mart for mart in marts if mart not in early)),
    )


def ordered() -> list[Mart]:
    """Return all marts, each after those that it reads."""
    marts = _marts()
    merged = {name: replace(mart.final, inputs=resolve(mart.inputs)) for name, mart in marts.items()}
    return [marts[file.name] for file in sqlfile.build_order(merged)]


def with_ancestors(names: set[str]) -> set[str]:
    """Return the marts and all marts that they read."""
    marts = _marts()
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in marts and name not in found:
            found.add(name)
            waiting += resolve(marts[name].inputs)
    return found
