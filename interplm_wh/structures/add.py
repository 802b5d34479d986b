"""Add structures: files into the warehouse, and their chains onto proteins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import progress, store
from interplm_wh.errors import InputError, faults_message
from interplm_wh.store.rows import value
from interplm_wh.structures import chain_map, match
from interplm_wh.structures import chains as reading
from interplm_wh.structures import file as files
from interplm_wh.structures.writer import StructureWriter, Written

_REMEDY = "mend or leave out these files, say with --map which protein they are of, or pass --skip-bad"
_SHOWN = 20


@dataclass(frozen=True)
class AddStructuresReport:
    """What `add_structures` did.

    Attributes
    ----------
    n_files : int
        Files read.
    written : Written
        Structures that are new, replaced others, or were there already.
    placed : tuple of dict
        The new rows of `structures`, with `accession`.
    bad : tuple of str
        One sentence per file that was left out as it did not fit.
    notes : tuple of str
        What else was left out.
    """

    n_files: int
    written: Written
    placed: tuple[dict[str, Any], ...]
    bad: tuple[str, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return what a user should read."""
        n_proteins = len({row["accession"] for row in self.placed})
        said = [
            f"{len(self.placed):,} structures on {n_proteins:,} proteins added from {self.n_files:,} files"
        ]
        said += [_line(row) for row in self.placed[:_SHOWN]]
        if len(self.placed) > _SHOWN:
            said.append(f"  … and {len(self.placed) - _SHOWN:,} more, in the table structures")
        counted = (
            (self.written.n_present, "were in the warehouse already"),
            (self.written.n_replaced, "earlier ones of the same names are replaced"),
            (self.written.n_restored, "files that were lost or damaged are back"),
        )
        said += [f"  {n:,} {what}" for n, what in counted if n]
        said += [f"  {note}" for note in self.notes]
        if self.bad:
            said += [f"  {len(self.bad):,} files are left out:", *(f"    {fault}" for fault in self.bad)]
        return said


def _line(row: dict[str, Any]) -> str:
    rule = {"map": "the map", "name": "its name", "sequence": "its sequence"}[row["matched_by"]]
    return (
        f"  {row['structure']} on {row['accession']}, by {rule} ({row['fit']}): "
        f"{row['n_residues_matched']:,} residues, {row['pct_coverage']:.1f} % of the protein, "
        f"identity {row['pct_identity']:.1f} %"
    )


def add_structures(
    warehouse: str | Path,
    paths: Sequence[str | Path],
    *,
    mapping: str | Path | None = None,
    chains: Sequence[str] = (),
    skip_bad: bool = False,
) -> AddStructuresReport:
    """Add structures of proteins that are in the warehouse.

    A file belongs to the proteins that `mapping` says; else to the one that its name says
    (`P12345.pdb`, `AF-P12345-F1-model_v6.cif`); else each chain belongs to the protein whose
    sequence is its own. A structure takes the place of an earlier one of the same name.

    Parameters
    ----------
    warehouse : str or Path
    paths : sequence of path
        PDB or mmCIF files, plain or gzip, or folders of them. Of two of one name the mmCIF is taken.
    mapping : path, optional
        A table (CSV, TSV, Parquet) with accession, structure (the file's name without its ending)
        and chain, which may be empty.
    chains : sequence of str, optional
        Chains to take, as their authors name them; all by default.
    skip_bad : bool
        Leave out, and name, files that cannot be taken, instead of refusing all.

    Raises
    ------
    InputError
        If there is no file or no protein, or with all files that cannot be taken.
    """
    reading.require_extra()
    found, notes = _files(paths)
    settings = {
        "files": [path.name for path in found], "map": None if mapping is None else str(mapping),
        "chains": list(chains), "skip_bad": skip_bad,
    }  # fmt: skip
    with store.write(warehouse, command="add structures", settings=settings) as tx:
        if not value(tx.con, "select count(*) from proteins"):
            raise InputError("the warehouse has no proteins to place structures on; run add proteins first")
        given = None
        if mapping is not None:
            tx.fingerprint_input(Path(mapping))
            given = chain_map.read_map(tx.con, Path(mapping))
        writer = StructureWriter(tx)
        bad = _read_all(writer, found, given, chains)
        if bad and not (skip_bad and writer.n_structures):
            raise InputError(faults_message("add structures", bad, "; ".join([*notes, _REMEDY])))
        if given is not None and given.unused:
            notes.append(f"{given.path.name} names structures that no file is: {', '.join(given.unused)}")
        written = writer.finish()
    return AddStructuresReport(len(found), written, written.placed, tuple(bad), tuple(notes))


def _read_all(
    writer: StructureWriter,
    paths: Sequence[Path],
    given: chain_map.ChainMap | None,
    chains: Sequence[str],
) -> list[str]:
    """Read and match every file; returns one sentence for each that cannot be taken."""
    bad: list[str] = []
    with progress.track("reading structures", total=len(paths), unit="files") as bar:
        for path in paths:
            try:
                file = files.read(path)
                model = match.selected(reading.read_model(file, path), chains)
                writer.add(file, model, match.matches(writer.con, model, file.name, given))
            except InputError as error:
                text = str(error)
                bad.append(text if text.startswith(str(path)) else f"{path}: {text}")
            bar.advance(1)
    return bad


def _files(paths: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """Return the files to read, each name once, and what is left out."""
    if not paths:
        raise InputError("add structures: give at least one file or folder")
    notes: list[str] = []
    listed: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            listed.append(path)
            continue
        inside = sorted(child for child in path.iterdir() if child.is_file())
        wanted = [child for child in inside if files.is_structure(child)]
        if not wanted:
            raise InputError(f"{path} holds no file with one of {', '.join(files.SUFFIXES)}; give another")
        if len(wanted) < len(inside):
            others = ", ".join(child.name for child in inside if child not in wanted)
            notes.append(f"no structures, by their names: {others[:200]}")
        listed += wanted
    return _distinct(listed, notes), notes


def _distinct(paths: Iterable[Path], notes: list[str]) -> list[Path]:
    """Take one file of each name, the mmCIF rather than the PDB file.

    Raises
    ------
    InputError
        If two of one kind have one name.
    """
    by_name: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        by_name.setdefault(files.safe_name(path).casefold(), []).append(path)
    faults: list[str] = []
    kept: list[Path] = []
    for same in by_name.values():
        cif = [p for p in same if p.name.lower().removesuffix(".gz").endswith((".cif", ".mmcif"))]
        chosen = cif if cif and len(cif) < len(same) else same
        if len(chosen) > 1:
            faults.append(f"{', '.join(map(str, chosen))} have one name; rename all but one")
        notes += [f"{p.name} is left out: {chosen[0].name} says more" for p in same if p not in chosen]
        kept.append(chosen[0])
    if faults:
        raise InputError(faults_message("add structures", faults, "names tell structures apart"))
    return kept
