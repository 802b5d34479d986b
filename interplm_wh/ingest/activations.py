"""Add activations that were made elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from interplm_wh import __version__, names, sqlfile, store
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import activation_blocks, readers
from interplm_wh.progress import track
from interplm_wh.store import Transaction
from interplm_wh.store.rows import first_row, value

Covers = Literal["listed", "all"]

_COMMAND = "add activations"


@dataclass(frozen=True)
class AddActivationsReport:
    """What `add_activations` did.

    Attributes
    ----------
    sae : str
    is_new : bool
        Whether the SAE was registered.
    n_features : int
    is_guessed : bool
        Whether `n_features` was taken from the highest feature of the file.
    n_activations, n_zero : int
        Rows stored; rows left out because their value is 0.
    n_proteins, n_silent : int
        Proteins that count as encoded from now on; those of them without an activation.
    n_known : int
        Proteins of the file that an earlier run had added from it.
    n_uncovered : int
        Proteins of the warehouse that do not count as encoded for the SAE.
    n_parts : int
        Parquet files written.
    """

    sae: str
    is_new: bool
    n_features: int
    is_guessed: bool
    n_activations: int
    n_zero: int
    n_proteins: int
    n_silent: int
    n_known: int
    n_uncovered: int
    n_parts: int

    def lines(self) -> list[str]:
        """Return what a user should read."""
        if not self.n_proteins:
            return [
                f"{self.sae}: all {self.n_known:,} proteins of this file are there already; nothing to add"
            ]
        features = f"{self.n_features:,} features"
        if self.is_guessed:
            features += ", by the highest in the file; give --n-features if it has more"
        said = [
            f"{self.n_activations:,} activations of {self.n_proteins:,} proteins added to "
            f"{'the new SAE' if self.is_new else 'the SAE'} {self.sae} ({features})"
        ]
        counted = (
            (self.n_zero, "rows with the value 0 are left out"),
            (self.n_silent, "of these proteins have no activation and count as encoded"),
            (self.n_known, "proteins were there already, from the same file"),
            (self.n_uncovered, "proteins of the warehouse are not in the file and count as not encoded"),
        )
        return said + [f"  {n:,} {what}" for n, what in counted if n]


def add_activations(
    warehouse: str | Path,
    file: str | Path,
    *,
    sae: str,
    n_features: int | None = None,
    covers: Covers = "listed",
) -> AddActivationsReport:
    """Add the activations of one file, and register its SAE if it is new.

    Parameters
    ----------
    warehouse : str or Path
    file : str or Path
        CSV, TSV or Parquet with accession, position (1-based), feature (0-based) and value (raw).
    sae : str
        Name of the SAE.
    n_features : int, optional
        Number of its features; otherwise one more than the highest in the file.
    covers : {'listed', 'all'}
        The proteins that count as encoded: those in the file, or every protein of the warehouse,
        where absence then means that nothing is active.

    Raises
    ------
    InputError
        If the file cannot be read, with all that is wrong in it; if proteins of it are encoded for
        the SAE already and do not come from this same file.
    """
    source = readers.recognise(file)
    _check_columns(source)
    settings = {"file": str(file), "sae": sae, "n_features": n_features, "covers": covers}
    with store.write(warehouse, command=_COMMAND, settings=settings) as tx:
        known = [name for (name,) in tx.con.execute("select sae from saes").fetchall()]
        is_new = names.check_sae_name(sae, known) not in known
        activation_blocks.profile(tx, source)
        n = _n_features(tx, sae, n_features)
        n_known = _check_encoded(tx, source, sae)
        cut = {"sae": sae, "covers": covers, "block_rows": activation_blocks.BLOCK_ROWS}
        activation_blocks.make(tx, "activations_blocks", cut)
        blocks = activation_blocks.scatter(tx, source)
        activation_blocks.refuse_faults(tx, source, n, blocks)
        if blocks:
            _write(tx, sae, blocks)
            if is_new:
                _register(tx, sae, n, source.name)
            tx.publish()
        return AddActivationsReport(
            sae=sae,
            is_new=is_new,
            n_features=n,
            is_guessed=is_new and n_features is None,
            n_known=n_known,
            n_parts=len(blocks),
            **_counts(tx, sae),
        )


def _check_columns(file: readers.DataFile) -> None:
    """Refuse a file without the columns, or with columns of types that hold no such numbers."""
    if file.format in ("fasta", "uniprot"):
        raise InputError(f"{file.path} is {file.format}; activations come as CSV, TSV or Parquet")
    readers.require(file, activation_blocks.COLUMNS)
    if file.format != "parquet":
        return
    fields = {field.name.casefold(): field.type for field in pq.read_schema(file.path)}
    faults = [
        f"{name} is {fields[name]}, not {wanted}"
        for name, (wanted, fits) in _TYPES.items()
        if not any(fit(fields[name]) for fit in fits)
    ]
    if faults:
        raise InputError(faults_message(str(file.path), faults, "write the columns with these types"))


def _is_dictionary_of_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type))


_INTEGER = ("an integer", (pa.types.is_integer,))
_TYPES = {
    "accession": (
        "text",
        (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, _is_dictionary_of_text),
    ),
    "position": _INTEGER,
    "feature": _INTEGER,
    "value": ("a number", (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)),
}

# Far above any SAE; below it, a slip in one row cannot make every table as long as a list of numbers.
MAX_FEATURES = 2**20


def _n_features(tx: Transaction, sae: str, given: int | None) -> int:
    """Return the number of features: registered, given, or one more than the highest in the file."""
    registered = first_row(tx.con, "select n_features from saes where sae = ?", [sae])
    if registered is None:
        highest = value(tx.con, "select max(max_feature) from activation_profile")
        n = given if given is not None else max(int(highest or 0) + 1, 1)
        if not 0 < n <= MAX_FEATURES:
            what = "--n-features" if given is not None else f"the highest feature of the file, {n - 1:,},"
            raise InputError(f"{what} is out of range; an SAE has at most {MAX_FEATURES:,} features")
        return n
    if given not in (None, registered[0]):
        raise InputError(f"{sae} has {registered[0]:,} features, not {given:,}; leave --n-features out")
    return int(registered[0])


def _check_encoded(tx: Transaction, file: readers.DataFile, sae: str) -> int:
    """Return how many proteins of the file came from this same file before; refuse others."""
    digest = tx.fingerprint_input(file.path)
    encoded = tx.con.execute(
        "select f.accession from activation_profile as f semi join encodings as e "
        "on f.protein_id = e.protein_id and e.sae = $sae order by f.protein_id",
        {"sae": sae},
    ).fetchall()
    if encoded and not _was_added(tx, sae, digest):
        faults = [f"{accession} is encoded already" for (accession,) in encoded]
        remedy = (
            f"choose another name, or first: interplm-wh remove sae {sae} "
            "(an SAE takes several files where they hold different proteins)"
        )
        raise InputError(faults_message(f"{file.path} for the SAE {sae}", faults, remedy))
    return len(encoded)


def _was_added(tx: Transaction, sae: str, digest: str) -> bool:
    """Whether an earlier run added a file with this checksum to the SAE."""
    runs = tx.con.execute("select settings, fingerprints from runs where command = ?", [_COMMAND]).fetchall()
    return any(
        json.loads(settings)["sae"] == sae and digest in set(json.loads(fingerprints).values())
        for settings, fingerprints in runs
    )


def _write(tx: Transaction, sae: str, blocks: Sequence[int]) -> None:
    """Write one part per block, and the encodings that name them."""
    folder = tx.new_folder("activations", sae=sae)
    part = sqlfile.load("ingest", "activations_part").sql
    with track(f"writing {sae}", total=len(blocks), unit="parts") as bar:
        for block in blocks:
            activation_blocks.lay_block(tx, block)
            tx.write_query(folder, part, name=f"part-{block:05d}.parquet")
            shutil.rmtree(activation_blocks.block_folder(tx, block), ignore_errors=True)
            bar.advance(1)
    encodings = tx.new_folder("encodings", sae=sae)
    select = sqlfile.load("ingest", "activations_encodings")
    values = {"folder": tx.staging.final_name(folder), "package_version": __version__}
    tx.write_query(encodings, select.sql, select.bind(values))
    tx.append(folder)
    tx.append(encodings)


def _register(tx: Transaction, sae: str, n_features: int, source: str) -> None:
    tx.con.execute(
        "insert into saes by name select $sae as sae, 'external' as architecture, "
        "$n_features::integer as n_features, 'none' as input_norm, 'sae' as role, $source as source, "
        "0.0::double as min_value, false as is_forced",
        {"sae": sae, "n_features": n_features, "source": source},
    )


def _counts(tx: Transaction, sae: str) -> dict[str, int]:
    """Return the numbers of the report that the tables hold."""
    queries = {
        "n_activations": "select coalesce(sum(n_positive), 0)::bigint from activation_blocks",
        "n_zero": "select coalesce(sum(n_zero), 0)::bigint from activation_profile "
        "semi join activation_blocks using (protein_id)",
        "n_proteins": "select count(*) from activation_blocks",
        "n_silent": "select count(*) from activation_blocks where n_positive = 0",
        "n_uncovered": "select count(*) from proteins as p anti join encodings as e "
        "on p.protein_id = e.protein_id and e.sae = $sae",
    }
    return {
        name: int(value(tx.con, query, {"sae": sae} if "$sae" in query else None))
        for name, query in queries.items()
    }
