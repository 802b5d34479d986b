"""The activations of an SAE as a sparse AnnData matrix, written in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interplm_wh import __version__, names, progress, sqlfile, store
from interplm_wh.errors import InputError, ModelError, NotThereError
from interplm_wh.export import target
from interplm_wh.store import Warehouse

if TYPE_CHECKING:
    from interplm_wh.export.h5ad import Sparse

By = Literal["protein", "residue"]
Split = Literal["train", "valid", "test"]
BLOCK_VALUES = 2_000_000
"""Values that are read and written at once."""
_ROWS = "matrix_rows"
_BYTES_PER_OBS = {"protein": 1_500, "residue": 400}
"""What a row's own columns take while they are written, measured with generous room."""
_BYTES_PER_FEATURE = 1_000
EXTRA = "pip install 'interplm-wh[anndata]'"


@dataclass(frozen=True)
class MatrixReport:
    """What `export_matrix` wrote.

    Attributes
    ----------
    sae : str
    by : {'protein', 'residue'}
    output : Path
    n_obs, n_vars, n_values : int
        Rows, columns, and values that are stored.
    n_private : int
        Private proteins that were left out.
    """

    sae: str
    by: By
    output: Path
    n_obs: int
    n_vars: int
    n_values: int
    n_private: int

    def lines(self) -> list[str]:
        """Describe it for people."""
        rows = "proteins" if self.by == "protein" else "residues"
        lines = [
            f"{self.sae}: {self.n_obs:,} {rows} x {self.n_vars:,} features, {self.n_values:,} values, in "
            f"{self.output}"
        ]
        if self.n_private:
            lines.append(f"  {self.n_private:,} private proteins were left out (--private takes them in)")
        return lines


def export_matrix(
    warehouse: str | Path,
    sae: str,
    output: str | Path,
    *,
    by: By = "protein",
    split: Split | None = None,
    proteins: Sequence[str] = (),
    with_private: bool = False,
    force: bool = False,
) -> MatrixReport:
    """Write activations as an AnnData file: X is float32, normalised; features are 0-based columns.

    By protein, X [protein, feature] is the highest activation of the feature on the protein (CSC, of
    `protein_features`); by residue, X [residue, feature] is that of each residue (CSR, of `activations`).
    A feature without a scale has no values. `obs` is from `proteins`, `var` from `features`,
    `feature_stats` and `heldout_pairs`. Values are written in pieces: memory grows with rows and
    columns alone.

    Parameters
    ----------
    warehouse : str or Path
        A folder, or the address of a published one.
    sae : str
    output : str or Path
        A name that ends in .h5ad; it appears whole or not at all.
    by : {'protein', 'residue'}
    split : {'train', 'valid', 'test'}, optional
    proteins : sequence of str
        Accessions; all by default.
    with_private : bool
    force : bool
        Replace a file that is there.

    Raises
    ------
    NotThereError
        If there is no such SAE or protein, or nothing was built.
    InputError
        If the file may not be written, or rows and columns would not fit into memory.
    ModelError
        If the extra `anndata` is not installed.
    """
    path = target.check(output, force=force)
    if path.suffix != ".h5ad":
        raise InputError(f"{path.name}: a matrix is written as .h5ad; choose a name that ends so")
    try:
        from interplm_wh.export import h5ad
    except ModuleNotFoundError as error:
        raise ModelError(f"a matrix needs the package {error.name}; run {EXTRA}") from error
    with store.open_anywhere(warehouse) as wh:
        _require(wh, sae)
        asked = {"sae": sae, "split": split, "accessions": list(proteins)}
        obs = _ask(wh, "matrix_proteins", {**asked, "with_private": True})
        _require_proteins(wh, sae, obs, proteins)
        everyone = obs.num_rows
        if not with_private:
            obs = obs.filter(pa.compute.invert(obs["is_private"]))
        _require_rows(wh, sae, obs)
        var = _ask(wh, "matrix_features", {"sae": sae})
        rows, n_obs = _numbered(obs, by)
        _require_memory(wh, n_obs, var.num_rows, by)
        with target.written(path) as partial, h5ad.opened(partial) as file:
            about = {"sae": sae, "by": by, "warehouse_package_version": __version__}
            h5ad.write_frames(file, obs, var, by=by, about=about)
            with h5ad.sparse(file, n_obs, var.num_rows, is_csc=by == "protein") as matrix:
                _write_values(wh, sae, by, rows, matrix)
            n_values = matrix.n_values
    return MatrixReport(sae, by, path, n_obs, var.num_rows, n_values, everyone - obs.num_rows)


def _ask(wh: Warehouse, name: str, values: dict[str, Any], rows: pa.Table | None = None) -> pa.Table:
    file = sqlfile.load("export", name)
    return wh.sql(file.sql, file.bind(values), tables={} if rows is None else {_ROWS: rows})


def _require(wh: Warehouse, sae: str) -> None:
    known = wh.sql("select sae from saes order by sae")["sae"].to_pylist()
    if sae not in known:
        near = names.nearest(sae, known)
        hint = f"did you mean {near}?" if near else "add it with: interplm-wh add sae"
        raise NotThereError(f"there is no SAE {sae!r} in {wh.name}; {hint}")
    if not wh.sql("select 1 as one from features where sae = $sae limit 1", {"sae": sae}).num_rows:
        raise NotThereError(f"{sae}: nothing was built in {wh.name}; run: interplm-wh encode, then build")


def _require_proteins(wh: Warehouse, sae: str, obs: pa.Table, proteins: Sequence[str]) -> None:
    there = set(obs["accession"].to_pylist())
    absent = [accession for accession in proteins if accession not in there]
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise NotThereError(
            f"{sae} has encoded no protein {', '.join(absent[:3])}{more} of what was asked for in {wh.name}"
        )


def _require_rows(wh: Warehouse, sae: str, obs: pa.Table) -> None:
    if not obs.num_rows:
        raise NotThereError(
            f"{sae} has encoded none of the proteins that were asked for in {wh.name}; private ones are "
            "taken in with --private"
        )


def _require_memory(wh: Warehouse, n_obs: int, n_vars: int, by: By) -> None:
    needed = n_obs * _BYTES_PER_OBS[by] + n_vars * _BYTES_PER_FEATURE
    limit = store.memory_bytes()
    if needed > limit:
        rows = "proteins" if by == "protein" else "residues"
        raise InputError(
            f"the columns of {n_obs:,} {rows} may take {needed / 1e9:,.1f} GB of memory, more than the "
            f"{limit / 1e9:,.1f} GB that are allowed; export a part (--split, --protein), or allow more with "
            f"INTERPLM_WH_MEMORY={int(needed / 1e9) + 1}GB in front"
        )


def _numbered(obs: pa.Table, by: By) -> tuple[pa.Table, int]:
    """Return protein_id, place and first residue of each protein of the matrix, and the number of rows."""
    lengths = obs["length"].to_numpy().astype(np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)])
    table = pa.table(
        {
            "protein_id": obs["protein_id"],
            "row_number": pa.array(np.arange(obs.num_rows, dtype=np.int64)),
            "first_row": pa.array(first[:-1]),
        }
    )
    return table, obs.num_rows if by == "protein" else int(first[-1])


def _write_values(wh: Warehouse, sae: str, by: By, rows: pa.Table, matrix: Sparse) -> None:
    sizes = _ask(wh, f"matrix_sizes_{by}", {"sae": sae}, rows)
    steps, counts = sizes["step"].to_numpy(), sizes["n_values"].to_numpy()
    ids = rows["protein_id"].to_numpy()
    with progress.track("writing the matrix", total=int(counts.sum()), unit="values") as bar:
        for first, last in _blocks(counts):
            bound: dict[str, Any] = {"sae": sae, "first": int(steps[first]), "last": int(steps[last])}
            if by == "residue":
                bound["first_protein"] = int(ids[steps[first]])
                bound["last_protein"] = int(ids[steps[last]])
            found = _ask(wh, f"matrix_values_{by}", bound, rows)
            matrix.append(
                found["major"].to_numpy(), found["minor"].to_numpy(), found["activation"].to_numpy()
            )
            bar.advance(float(counts[first : last + 1].sum()))


def _blocks(counts: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of steps that have about `BLOCK_VALUES` values together."""
    first, total = 0, 0
    for place, count in enumerate(counts.tolist()):
        if total and total + count > BLOCK_VALUES:
            yield first, place - 1
            first, total = place, 0
        total += count
    if total:
        yield first, len(counts) - 1
