"""The proteins that SAEs are evaluated on."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from interplm_wh import sqlfile
from interplm_wh.errors import InputError, NotThereError, faults_message
from interplm_wh.ingest import fasta as fasta_file

if TYPE_CHECKING:
    from interplm_wh.store import Warehouse

Split = Literal["test", "valid", "train", "all"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Proteins:
    """Proteins that SAEs are evaluated on.

    Attributes
    ----------
    evaluated_on : str
        The split, or the name of the FASTA file.
    accessions, sequences : tuple of str
    n_private : int
        Private proteins of the split that were left out.
    """

    evaluated_on: str
    accessions: tuple[str, ...]
    sequences: tuple[str, ...]
    n_private: int = 0

    @property
    def lengths(self) -> list[int]:
        """Residues of each protein."""
        return [len(text) for text in self.sequences]

    @property
    def fingerprint(self) -> str:
        """What is the same for the same proteins: the first 16 digits of a SHA-256."""
        digest = hashlib.sha256()
        for accession, sequence in zip(self.accessions, self.sequences, strict=True):
            digest.update(f"{accession}:{sequence}\n".encode())
        return digest.hexdigest()[:16]


def of_split(warehouse: Warehouse, split: Split, *, max_proteins: int | None) -> Proteins:
    """Choose proteins of the warehouse, without the private ones.

    Raises
    ------
    InputError
        If there is no such split.
    NotThereError
        If the split has no protein that may be used.
    """
    if split not in SPLITS:
        raise InputError(f"--split {split}: there is no such split; use one of {', '.join(SPLITS)}")
    file = sqlfile.load("evaluate", "chosen_proteins")
    limit = 2**31 - 1 if max_proteins is None else max_proteins
    chosen = warehouse.sql(file.sql, file.bind({"split": split, "max_proteins": limit}))
    private = "select count(*) as n from proteins where is_private and ($split = 'all' or split = $split)"
    n_private: int = warehouse.sql(private, {"split": split})["n"][0].as_py()
    if not chosen.num_rows:
        what = "no protein" if split == "all" else f"no protein of the split {split!r}"
        if n_private:
            what += f" but {n_private:,} private ones, which are left out of what may be published"
        raise NotThereError(
            f"there is {what} in {warehouse.path}; add proteins, or give others with --split or --fasta"
        )
    return Proteins(
        split, tuple(chosen["accession"].to_pylist()), tuple(chosen["sequence"].to_pylist()), n_private
    )


def of_fasta(path: Path, *, max_proteins: int | None) -> Proteins:
    """Choose proteins of a FASTA file in the same order as those of a split.

    Raises
    ------
    InputError
        If the file is not FASTA, holds no protein or one accession twice, or has the name of a split.
    """
    if path.name in SPLITS:
        raise InputError(f"{path}: a file named like a split could not be told from it; rename the file")
    records = list(fasta_file.proteins(path))
    if not records:
        raise InputError(f"{path}: holds no protein; give a FASTA file with at least one")
    names = Counter(name for name, _ in records)
    if faults := [f"{name}: {n} records" for name, n in names.items() if n > 1]:
        remedy = "name each record by itself, or leave all but one out"
        raise InputError(faults_message(f"{path}: accessions must be unique", faults, remedy))
    records.sort(key=lambda record: (hashlib.md5(record[0].encode()).hexdigest(), record))
    chosen = records[:max_proteins]
    return Proteins(path.name, tuple(name for name, _ in chosen), tuple(text for _, text in chosen))
