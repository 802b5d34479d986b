"""Substitutions as people write them: A12V, p.Ala12Val, several with a colon between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from interplm_wh.errors import InputError

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
"""What a residue can be changed to."""
_THREE = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G",
    "His": "H", "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S",
    "Thr": "T", "Trp": "W", "Tyr": "Y", "Val": "V", "Asx": "B", "Glx": "Z", "Pyl": "O", "Sec": "U",
    "Xaa": "X",
}  # fmt: skip
_ONE_LETTER = re.compile(r"([A-Z])([1-9][0-9]{0,8})([A-Z])")
_THREE_LETTERS = re.compile(r"([A-Za-z]{3})([1-9][0-9]{0,8})([A-Za-z]{3})")
_HGVS = re.compile(r"p\.(?:\((.*)\)|\[(.*)\]|(.*))")
_STRETCH = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, order=True)
class Substitution:
    """One residue that is another in the mutant.

    Attributes
    ----------
    position : int
        1-based.
    wild_type, mutant : str
        One letter each.
    """

    position: int
    wild_type: str
    mutant: str

    def __str__(self) -> str:
        return f"{self.wild_type}{self.position}{self.mutant}"


@dataclass(frozen=True)
class Variant:
    """One mutant.

    Attributes
    ----------
    substitutions : tuple of Substitution
        In the order of positions, each position once.
    """

    substitutions: tuple[Substitution, ...]

    @property
    def name(self) -> str:
        """Its text, as in `variants`."""
        return ":".join(map(str, self.substitutions))

    def of(self, sequence: str) -> str:
        """Return the sequence of the mutant."""
        letters = list(sequence)
        for one in self.substitutions:
            letters[one.position - 1] = one.mutant
        return "".join(letters)


def parse(text: str) -> Variant:
    """Read a variant: substitutions with ``:`` or ``;`` between, in either notation.

    Raises
    ------
    InputError
        If it is no list of substitutions, or names a position twice.
    """
    words = text.strip()
    if match := _HGVS.fullmatch(words):
        words = next(part for part in match.groups() if part is not None)
    found = sorted(_substitution(word.strip().removeprefix("p."), text) for word in re.split("[:;]", words))
    positions = [one.position for one in found]
    if twice := {str(p) for p in positions if positions.count(p) > 1}:
        raise InputError(f"{text.strip()} changes position {', '.join(sorted(twice))} more than once")
    return Variant(tuple(found))


def _substitution(word: str, text: str) -> Substitution:
    if match := _ONE_LETTER.fullmatch(word):
        return Substitution(int(match[2]), match[1], match[3])
    if match := _THREE_LETTERS.fullmatch(word):
        letters = [_THREE.get(code.capitalize()) for code in (match[1], match[3])]
        if letters[0] and letters[1]:
            return Substitution(int(match[2]), letters[0], letters[1])
    raise InputError(f"{text.strip()!r} is no substitution such as A12V, p.Ala12Val or A12V:G20D")


def faults(variant: Variant, sequence: str) -> list[str]:
    """Say why a variant cannot be one of a sequence; what stands there is named."""
    found: list[str] = []
    for one in variant.substitutions:
        of = "" if str(one) == variant.name else f" of {variant.name}"
        if one.position > len(sequence):
            found.append(f"{one}{of}: the protein has {len(sequence):,} residues")
            continue
        there = sequence[one.position - 1]
        if there != one.wild_type:
            found.append(f"{one}{of}: position {one.position} is {there}, not {one.wild_type}")
        elif one.mutant == there:
            found.append(f"{one}{of}: changes nothing; leave it out")
        if one.mutant not in LETTERS:
            found.append(f"{one}{of}: {one.mutant} is none of the 20 amino acids")
    return found


def scan(sequence: str, stretch: str) -> Iterator[Variant]:
    """Yield all single substitutions of a stretch, ``10-40`` (1-based, inclusive), ``12`` or ``all``.

    Raises
    ------
    InputError
        If it is no stretch of the sequence.
    """
    match = _STRETCH.fullmatch(stretch)
    if match is None and stretch != "all":
        raise InputError(f"--scan {stretch}: give a stretch such as 10-40, one position, or all")
    start, stop = (int(match[1]), int(match[2] or match[1])) if match else (1, len(sequence))
    if not 1 <= start <= stop <= len(sequence):
        raise InputError(
            f"--scan {stretch}: the protein has residues 1 to {len(sequence):,}; give a stretch of these"
        )
    for position in range(start, stop + 1):
        there = sequence[position - 1]
        yield from (Variant((Substitution(position, there, to),)) for to in LETTERS if to != there)
