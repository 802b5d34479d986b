"""The marts: which files of `sql/marts/` make them, and which kind of work each is."""

from __future__ import annotations

from dataclasses import dataclass

from interplm_wh import schema, sqlfile
from interplm_wh.errors import ResourceError
from interplm_wh.sqlfile import SqlFile

PARTIAL = "_partial"
_BLOCK_PARAMS = {"first_protein", "last_protein"}


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


def views() -> dict[str, SqlFile]:
    """Return the stored views by name."""
    files = sqlfile.load_folder("marts")
    return {n: f for n, f in files.items() if n in schema.tables() and schema.table(n).storage == "view"}


def resolve(inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Replace stored views among the inputs by the tables that they read, all the way down."""
    stored = views()
    found: set[str] = set()
    waiting = list(inputs)
    while waiting:
        name = waiting.pop()
        if name in stored:
            waiting += stored[name].inputs
        else:
            found.add(name)
    return tuple(sorted(found))


def ordered() -> list[Mart]:
    """Return all marts, each after those that it reads."""
    marts = _marts()
    merged = {
        name: SqlFile(
            name=name,
            folder="marts",
            output=mart.final.output,
            grain=mart.final.grain,
            inputs=resolve(mart.inputs),
            params=mart.final.params,
            what=mart.final.what,
            sql=mart.final.sql,
        )
        for name, mart in marts.items()
    }
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
