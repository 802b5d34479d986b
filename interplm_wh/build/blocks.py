"""Cut the activations of one SAE into blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from interplm_wh import schema
from interplm_wh.quote import quote_identifier, quote_literal
from interplm_wh.schema import Table
from interplm_wh.store import Transaction, layout

# A chunk is normalised in memory, which bounds it. What is counted of it is far smaller, so that many
# chunks are added up together. block_pair_residues relies on fewer than 2^26 residues in a block.
CHUNK_ROWS = 12_000_000
BLOCK_ROWS = 250_000_000
BLOCK_RESIDUES = 2**26 - 1

_PARTS = """
select
    e.part,
    list(distinct e.filename) as listed,
    min(e.protein_id) as first_protein,
    max(e.protein_id) as last_protein,
    sum(e.n_activations)::bigint as n_rows,
    sum(e.n_residues)::bigint as n_residues
from read_parquet($files::varchar[], hive_partitioning = false, filename = true) as e
semi join (select unnest($folders::varchar[]) as folder) as f on parse_dirpath(e.part) = f.folder
group by e.part
order by first_protein, e.part
"""


@dataclass(frozen=True)
class Chunk:
    """Some Parquet files of `activations` of one SAE.

    Attributes
    ----------
    parts : tuple of str
        Paths in the warehouse.
    listed : tuple of str
        Files of `encodings` that say which proteins are in them: a large lake has thousands, which
        cannot all be read for each chunk.
    first_protein, last_protein : int
        Bounds of their proteins.
    n_rows, n_residues : int
        Activations, and residues of the proteins.
    """

    parts: tuple[str, ...]
    listed: tuple[str, ...]
    first_protein: int
    last_protein: int
    n_rows: int
    n_residues: int


@dataclass(frozen=True)
class Block(Chunk):
    """Some chunks that are added up together.

    Attributes
    ----------
    chunks : tuple of Chunk
    """

    chunks: tuple[Chunk, ...]


def blocks(
    tx: Transaction,
    sae: str,
    folders: Sequence[str],
    *,
    block_rows: int = BLOCK_ROWS,
    block_residues: int = BLOCK_RESIDUES,
    chunk_rows: int = CHUNK_ROWS,
) -> list[Block]:
    """Group the files of folders of `activations`, in the order of their proteins.

    Each chunk has at most `chunk_rows` activations, or is a single file; each block has at most
    `block_rows` and `block_residues`, or is a single chunk.
    """
    there = [f"{folder}/*.parquet" for folder in tx.folder_paths("encodings", sae=sae)]
    if not there:
        return []
    rows = tx.con.execute(_PARTS, {"files": there, "folders": list(folders)}).fetchall()
    files = [Chunk((part,), tuple(listed), *facts) for part, listed, *facts in rows]
    chunks = [_joined(group) for group in _groups(files, chunk_rows, block_residues)]
    return [
        Block(**vars(_joined(group)), chunks=tuple(group))
        for group in _groups(chunks, block_rows, block_residues)
    ]


def _groups(items: Sequence[Chunk], max_rows: int, max_residues: int) -> list[list[Chunk]]:
    """Cut items into runs of at most so many activations and residues."""
    found: list[list[Chunk]] = []
    n_rows = n_residues = 0
    for item in items:
        n_rows, n_residues = n_rows + item.n_rows, n_residues + item.n_residues
        if found and n_rows <= max_rows and n_residues <= max_residues:
            found[-1].append(item)
        else:
            found.append([item])
            n_rows, n_residues = item.n_rows, item.n_residues
    return found


def _joined(items: Sequence[Chunk]) -> Chunk:
    return Chunk(
        tuple(part for item in items for part in item.parts),
        tuple(dict.fromkeys(file for item in items for file in item.listed)),
        min(item.first_protein for item in items),
        max(item.last_protein for item in items),
        sum(item.n_rows for item in items),
        sum(item.n_residues for item in items),
    )


def focus(tx: Transaction, sae: str, *, only: Sequence[str] | None = None) -> None:
    """Let tables that are kept per SAE hold the rows of one SAE only, until `release`.

    Parameters
    ----------
    only : sequence of str, optional
        The tables; all that are kept per SAE by default.
    """
    for table in _per_sae():
        if only is None or table.name in only:
            layout.lay_view(tx.con, table, tx.folder_paths(table.name, sae=sae), temporary=True)


def restrict(tx: Transaction, sae: str, chunk: Chunk, *, is_covered: bool = False) -> None:
    """Let `activations` and `encodings` hold one block or chunk only, until `focus` or `release`.

    Parameters
    ----------
    is_covered : bool
        Only proteins in which a source looked that `coverage` holds now.
    """
    located = [tx.locate(folder) / name for folder, _, name in (p.rpartition("/") for p in chunk.parts)]
    files = ", ".join(quote_literal(str(path)) for path in located)
    columns, encodings = schema.table("activations"), schema.table("encodings")
    tx.con.execute(
        layout.create_view(
            columns,
            f"select {quote_literal(sae)} as sae, {_names(columns)} "  # noqa: S608
            f"from read_parquet([{files}], hive_partitioning = false)",
            temporary=True,
        )
    )
    parts = ", ".join(quote_literal(p) for p in chunk.parts)
    listed = ", ".join(quote_literal(file) for file in chunk.listed)
    covered = " and protein_id in (select v.protein_id from coverage as v)" if is_covered else ""
    tx.con.execute(
        layout.create_view(
            encodings,
            f"select {quote_literal(sae)} as sae, {_names(encodings)} "  # noqa: S608
            f"from read_parquet([{listed}], hive_partitioning = false) where part in ({parts}){covered}",
            temporary=True,
        )
    )


@contextmanager
def only_sources(tx: Transaction, sources: Sequence[str] | None) -> Iterator[None]:
    """Let what is annotated hold some sources only, while the block runs; None for all of them."""
    if sources is None:
        yield
        return
    listed = ", ".join(map(quote_literal, sources))
    for name in ("concepts", "coverage"):
        select = f"from memory.main.{name} where source in ({listed})"  # not the one that is laid here
        tx.con.execute(layout.create_view(schema.table(name), select, temporary=True))
    try:
        yield
    finally:
        tx.con.execute("drop view temp.concepts")
        tx.con.execute("drop view temp.coverage")


def release(tx: Transaction) -> None:
    """Let every table hold the rows of all SAEs again."""
    for table in _per_sae():
        tx.con.execute(f"drop view if exists temp.{quote_identifier(table.name)}")


def _names(table: Table) -> str:
    return ", ".join(quote_identifier(c.name) for c in table.file_columns)


def _per_sae() -> list[Table]:
    return [t for t in schema.tables().values() if t.storage == "sae"]
