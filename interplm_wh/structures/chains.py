"""Chains of a structure file: residues with letters, the author's numbers and C-alphas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from interplm_wh.errors import InputError
from interplm_wh.structures.atoms import HeavyAtoms
from interplm_wh.structures.file import StructureFile

EXTRA = "pip install 'interplm-wh[dashboard]'"
UNKNOWN = "X"
_CHAIN = re.compile(r"[A-Za-z0-9_+.-]{0,16}")
_RESIDUE = re.compile(r"[A-Za-z0-9_+*'-]{1,8}")
_CODE = re.compile(r"[A-Za-z0-9]?")
Source = Literal["alphafold", "file"]


@dataclass(frozen=True)
class Residue:
    """One residue of a chain.

    Attributes
    ----------
    name : str
        As the file names it, for instance MSE.
    number : int or None
        The author's; None where the residue is missing from the model and the file gives it none.
    insertion : str
        Insertion code, or ''.
    ca : tuple of float or None
        x, y, z of the C-alpha in Å; None where it is missing.
    b_factor : float or None
        Of the C-alpha: Å², or pLDDT.
    heavy : HeavyAtoms or None
        All atoms that the model has of it, hydrogen left out; None without any.
    """

    name: str
    number: int | None
    insertion: str
    ca: tuple[float, float, float] | None = None
    b_factor: float | None = None
    heavy: HeavyAtoms | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Chain:
    """One protein chain of the first model.

    Attributes
    ----------
    name : str
        The author's.
    residues : tuple of Residue
        In the order of the sequence.
    is_complete : bool
        Whether residues that are missing from the model are among them, because the file lists the
        whole sequence.
    """

    name: str
    residues: tuple[Residue, ...]
    is_complete: bool

    @property
    def letters(self) -> str:
        """One letter per residue; that of the parent where it is modified, X where there is none."""
        return "".join(letter(r.name) for r in self.residues)


@dataclass(frozen=True)
class Model:
    """What is read of a structure file.

    Attributes
    ----------
    chains : tuple of Chain
        Of protein, in the order of the file.
    resolution : float or None
        In Å.
    source : {'alphafold', 'file'}
    """

    chains: tuple[Chain, ...]
    resolution: float | None
    source: Source


@cache
def letter(name: str) -> str:
    """Return the letter of a residue, that of its parent where it is modified; X where there is none.

    Source: the Chemical Component Dictionary of the wwPDB, as biotite carries it. A component made of
    several residues, such as the chromophore CRO, has none.
    """
    from biotite.structure import info

    found = info.one_letter_code(name)
    return found if found is not None and len(found) == 1 and found.isalpha() else UNKNOWN


@cache
def is_amino_acid(name: str) -> bool | None:
    """Whether a component can be part of a protein chain; None where it is not known."""
    from biotite.structure import info

    kind = info.link_type(name)
    return None if kind is None else "PEPTIDE" in kind.upper()


def require_extra() -> None:
    """Refuse to go on without the package that reads structures.

    Raises
    ------
    InputError
    """
    try:
        import biotite.structure  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"structures need the package {error.name}, which is not installed; run {EXTRA}"
        ) from error


def read_model(file: StructureFile, path: Path) -> Model:
    """Read the first model of a structure file.

    Raises
    ------
    InputError
        If it cannot be parsed or has no protein chain.
    """
    require_extra()
    from interplm_wh.structures import mmcif, pdb

    with parsing(path), np.errstate(over="ignore"):  # what is too large for a coordinate is infinite
        model = pdb.read(file.text) if file.format == "pdb" else mmcif.read(file.text)
    _check_names(model, path)
    if not model.chains:
        raise InputError(f"{path} has no protein chain; give a structure of a protein")
    return model


def _check_names(model: Model, path: Path) -> None:
    """Refuse names that no structure has: they are shown, and may be meant for who shows them."""
    for chain in model.chains:
        named = [("chain", chain.name, _CHAIN)]
        named += [("residue", residue.name, _RESIDUE) for residue in chain.residues]
        named += [("insertion code", residue.insertion, _CODE) for residue in chain.residues]
        for what, name, known in named:
            if not known.fullmatch(name):
                raise InputError(f"{path} names a {what} {name[:40]!r}, which is no name of one; rename it")


@contextmanager
def parsing(path: Path | str) -> Iterator[None]:
    """Turn what a parser raises on a malformed file into one sentence about the file."""
    from biotite import InvalidFileError
    from biotite.file import DeserializationError
    from biotite.structure import BadStructureError

    malformed = (
        InvalidFileError, DeserializationError, BadStructureError, ValueError, KeyError, IndexError,
        TypeError, OverflowError,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # elements and charges, of which nothing is read
            yield
    except malformed as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0][:200]
        raise InputError(f"{path} cannot be read as a structure ({reason}); fetch it again") from error
