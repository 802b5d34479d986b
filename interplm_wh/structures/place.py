"""Put a chain on a sequence: by containment where that is certain, else by local alignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from interplm_wh.errors import InputError

if TYPE_CHECKING:
    from interplm_wh.structures.chains import Chain, Residue

MIN_IDENTITY, MIN_OVERLAP = 90.0, 70.0
"""Percent of the aligned residues that must agree, and of the shorter sequence that must be aligned."""
MIN_LENGTH = 20
"""A shorter chain says too little of what it belongs to, unless it is all of the protein."""
_BREAK = 4.5  # Å; C-alphas of neighbours are 3.8 apart, 2.9 around a cis peptide bond
_MAX_STARTS = 4_000
_MAX_CELLS = 40_000_000  # half a gigabyte of tables
_GAP = (-11, -1)  # of blastp, with BLOSUM62


class AmbiguousError(InputError):
    """A chain that fits a sequence at several places."""


@dataclass(frozen=True)
class Fit:
    """A chain on a sequence.

    Attributes
    ----------
    index : int32 array [n_residues of the chain]
        0-based place of each residue in the sequence; -1 where it has none.
    n_aligned, n_identical : int
        Residues that have a place, and those that agree with the sequence there.
    how : {'contained', 'aligned'}
    """

    index: NDArray[np.int32]
    n_aligned: int
    n_identical: int
    how: Literal["contained", "aligned"]

    @property
    def pct_identity(self) -> float:
        """Share of the aligned residues that agree, in percent."""
        return 100 * self.n_identical / self.n_aligned if self.n_aligned else 0.0

    def fault(self, chain: Chain, sequence: str) -> str | None:
        """Say why the fit is too poor; None where it is not."""
        shorter = min(len(chain.residues), len(sequence))
        overlap = 100 * self.n_aligned / shorter
        if self.pct_identity >= MIN_IDENTITY and overlap >= MIN_OVERLAP:
            return None
        return (
            f"{self.n_identical} of {self.n_aligned} aligned residues agree ({self.pct_identity:.1f} %, "
            f"at least {MIN_IDENTITY:.0f} % are needed), which is {overlap:.1f} % of the shorter sequence "
            f"(at least {MIN_OVERLAP:.0f} %; the chain has {len(chain.residues)} residues, the protein "
            f"{len(sequence)})"
        )


def fit(chain: Chain, sequence: str) -> Fit:
    """Put a chain on a sequence.

    Raises
    ------
    AmbiguousError
        If it fits exactly at several places and its numbers do not tell which.
    InputError
        If the two are too long to be aligned.
    """
    letters = chain.letters
    index = contained(chain, sequence, is_strict=True)
    if index is None and chain.is_complete and letters.count(sequence) == 1:
        start = letters.index(sequence)
        index = np.full(len(letters), -1, np.int32)
        index[start : start + len(sequence)] = np.arange(len(sequence))
    if index is not None:
        n_aligned = int((index >= 0).sum())
        return Fit(index, n_aligned, n_aligned, "contained")
    return _aligned(letters, sequence)


def segments(chain: Chain) -> list[Sequence[Residue]]:
    """Return the stretches of a chain within which nothing is missing.

    That is the whole chain where the file lists its sequence; otherwise it is cut where neighbouring
    C-alphas are too far apart for a peptide bond.
    """
    if chain.is_complete:
        return [chain.residues]
    found, start = [], 0
    for i, (before, after) in enumerate(zip(chain.residues, chain.residues[1:], strict=False), start=1):
        if _is_broken(before, after):
            found.append(chain.residues[start:i])
            start = i
    return [*found, chain.residues[start:]]


def texts(parts: Sequence[Sequence[Residue]]) -> list[str]:
    """Return the letters of stretches of a chain."""
    from interplm_wh.structures.chains import letter

    return ["".join(letter(r.name) for r in part) for part in parts]


def _is_broken(before: Residue, after: Residue) -> bool:
    if before.ca is None or after.ca is None:
        return before.number is None or after.number is None or after.number - before.number not in (0, 1)
    return float(np.linalg.norm(np.subtract(before.ca, after.ca))) > _BREAK


def contained(chain: Chain, sequence: str, *, is_strict: bool = False) -> NDArray[np.int32] | None:
    """Return the places of a chain whose stretches all stand in a sequence, letter by letter.

    Of several ways to place the stretches in order, that is taken which agrees with the author's
    numbers at most of the breaks; then that which begins at the position that is the first number.

    Parameters
    ----------
    is_strict : bool
        Raise where several ways are left, rather than return None.

    Raises
    ------
    AmbiguousError
    """
    parts = segments(chain)
    words = texts(parts)
    starts = [list(_occurrences(text, sequence)) for text in words]
    if not all(starts) or sum(map(len, starts)) > _MAX_STARTS:
        return None
    ways = _ways(parts, words, starts)
    if len(ways) > 1:
        ways = [way for way in ways if way[0] + 1 == parts[0][0].number] or ways
    if len(ways) > 1 and is_strict:
        shown = ", ".join(str(way[0] + 1) for way in ways[:5])
        raise AmbiguousError(
            f"it fits at several places, which begin at {shown}, and its numbers do not tell"
        )
    if len(ways) != 1:
        return None
    places = [start + np.arange(len(text)) for start, text in zip(ways[0], words, strict=True)]
    return np.concatenate(places).astype(np.int32)


def _occurrences(text: str, sequence: str) -> Iterator[int]:
    at = sequence.find(text)
    while at >= 0:
        yield at
        at = sequence.find(text, at + 1)


def _ways(parts: list[Sequence[Residue]], words: list[str], starts: list[list[int]]) -> list[tuple[int, ...]]:
    """Return the best ways to place stretches in order, at most two for each start of the last one."""
    best: dict[int, tuple[int, list[tuple[int, ...]]]] = {s: (0, [(s,)]) for s in starts[0]}
    for k in range(1, len(parts)):
        step = _step(parts[k - 1], parts[k])
        following: dict[int, tuple[int, list[tuple[int, ...]]]] = {}
        for start in starts[k]:
            for before, (score, ways) in best.items():
                if before + len(words[k - 1]) > start:
                    continue
                reached = score + (start - before == step)
                here, kept = following.get(start, (-1, []))
                longer = [(*way, start) for way in ways]
                if reached > here:
                    following[start] = (reached, longer[:2])
                elif reached == here:
                    following[start] = (here, [*kept, *longer][:2])
        best = following
    top = max((score for score, _ in best.values()), default=-1)
    return [way for score, ways in best.values() if score == top for way in ways]


def _step(before: Sequence[Residue], after: Sequence[Residue]) -> int | None:
    """Return how far apart two stretches begin, by the numbers of what stands at the break."""
    last, first = before[-1].number, after[0].number
    return None if last is None or first is None else len(before) - 1 + first - last


def _aligned(letters: str, sequence: str) -> Fit:
    from biotite.sequence import ProteinSequence
    from biotite.sequence.align import SubstitutionMatrix, align_optimal

    if len(letters) * len(sequence) > _MAX_CELLS:
        raise InputError(
            f"a chain of {len(letters):,} residues cannot be aligned with a protein of {len(sequence):,}: "
            "they are too long, and neither holds the other; give a structure of a part of it"
        )
    matrix = SubstitutionMatrix.std_protein_matrix()
    known = set(matrix.get_alphabet1().get_symbols())
    one, other = (
        ProteinSequence("".join(c if c in known else "X" for c in text)) for text in (letters, sequence)
    )
    found = align_optimal(one, other, matrix, gap_penalty=_GAP, local=True, max_number=1)
    index = np.full(len(letters), -1, np.int32)
    if found:
        trace = found[0].trace
        pairs = trace[(trace >= 0).all(axis=1)]
        index[pairs[:, 0]] = pairs[:, 1]
    n_identical = sum(letters[i] == sequence[at] for i, at in enumerate(index) if at >= 0)
    return Fit(index, int((index >= 0).sum()), n_identical, "aligned")
