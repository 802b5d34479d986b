"""Blocks of proteins: what is encoded, written and found again as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BLOCK_PROTEINS = 4096
BLOCK_RESIDUES = 32_768


@dataclass(frozen=True)
class Block:
    """Consecutive proteins, in the order of protein_id.

    Attributes
    ----------
    start, stop : int
        Rows of the table of proteins, `stop` excluded.
    """

    start: int
    stop: int


def blocks(lengths: Sequence[int]) -> list[Block]:
    """Cut proteins into blocks of at most 32,768 residues (and 4,096 proteins).

    A longer protein is a block by itself. Boundaries depend on the proteins before them alone, so
    that those that are appended move none.

    Parameters
    ----------
    lengths : sequence of int
        Lengths of all proteins of the warehouse, in the order of protein_id.
    """
    found: list[Block] = []
    start = n_residues = 0
    for row, length in enumerate(lengths):
        if row > start and (row - start == BLOCK_PROTEINS or n_residues + length > BLOCK_RESIDUES):
            found.append(Block(start, row))
            start, n_residues = row, 0
        n_residues += length
    if start < len(lengths):
        found.append(Block(start, len(lengths)))
    return found
