"""The file format of AnnData: frames by its own writer, the matrix piece by piece beside them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from anndata.io import write_elem

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHUNK = 1 << 16
_DTYPES = {"data": np.float32, "indices": np.int32}


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Make an AnnData file."""
    with _Disk(path, "w+") as disk, h5py.File(disk, "w", driver="fileobj") as file:
        file.attrs["encoding-type"] = "anndata"
        file.attrs["encoding-version"] = "0.1.0"
        for name in ("layers", "obsm", "varm", "obsp", "varp"):
            write_elem(file, name, {})
        yield file
        file.flush()
        disk.check()


class _Disk(io.FileIO):
    """A file for HDF5, which crashes the process where one of its writes fails: they are told to `check`."""

    _fault: OSError | None = None

    def write(self, content: Buffer, /) -> int:
        """Write all of it, or keep the fault."""
        left = memoryview(content).cast("B")
        n_bytes = len(left)
        try:
            while self._fault is None and left:
                left = left[super().write(left) :]
        except OSError as error:
            self._fault = OSError(error.errno, error.strerror, self.name)
        return n_bytes

    def check(self) -> None:
        """Raise what was kept.

        Raises
        ------
        OSError
            If something could not be written.
        """
        if self._fault is not None:
            raise self._fault


def write_frames(
    file: h5py.File,
    obs: pa.Table,
    var: pa.Table,
    *,
    by: Literal["protein", "residue"],
    about: Mapping[str, Any],
) -> None:
    """Write what is known of rows and columns.

    Parameters
    ----------
    obs : Table
        Proteins; by residue, each becomes as many rows as it is long.
    var : Table
        Features.
    """
    proteins = _frame(obs.drop_columns(["accession", "is_private"]))
    proteins.index = pd.Index(obs["accession"].to_pylist(), dtype=object)
    proteins["name"] = proteins["name"].fillna("")
    for name in ("organism", "split", "cluster"):
        proteins[name] = _categories(obs[name])
    write_elem(file, "obs", proteins if by == "protein" else _residues(proteins))
    features = _frame(var)
    features.index = pd.Index([str(number) for number in var["feature"].to_pylist()], dtype=object)
    features["concept"] = _categories(var["concept"])
    features["is_concept_found"] = pd.array(var["is_concept_found"].to_pylist(), dtype="boolean")
    write_elem(file, "var", features)
    write_elem(file, "uns", dict(about))


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame whose strings are plain ones."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_numpy(zero_copy_only=False)
        columns[name] = pd.Series(values, dtype=object if pa.types.is_string(column.type) else None)
    return pd.DataFrame(columns)


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Return names as categories, plain strings in alphabetical order."""
    known = pd.Index(sorted(set(column.drop_null().to_pylist())), dtype=object)
    return pd.Categorical(column.to_numpy(), categories=known)


def _residues(proteins: pd.DataFrame) -> pd.DataFrame:
    """Return one row per residue: accession, position (1-based) and split."""
    lengths = proteins["length"].to_numpy()
    number = np.repeat(np.arange(len(proteins)), lengths)
    position = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
    accession = pd.Categorical.from_codes(number, categories=proteins.index)
    frame = pd.DataFrame({"accession": accession, "position": position})
    frame["split"] = pd.Categorical.from_codes(
        proteins["split"].cat.codes.to_numpy()[number], categories=proteins["split"].cat.categories
    )
    frame.index = pd.Index(
        [f"{name}:{at}" for name, n in zip(proteins.index, lengths, strict=True) for at in range(1, n + 1)],
        dtype=object,
    )
    return frame


class Sparse:
    """X as it is written: values come in the order of its major axis."""

    def __init__(self, group: h5py.Group, n_major: int) -> None:
        self._counts = np.zeros(n_major, np.int64)
        self._sets = {
            name: group.create_dataset(
                name, (0,), maxshape=(None,), chunks=(_CHUNK,), dtype=dtype, compression="gzip",
                compression_opts=1, shuffle=True,
            )
            for name, dtype in _DTYPES.items()
        }  # fmt: skip
        self.n_values = 0

    def append(
        self, major: npt.NDArray[Any], minor: npt.NDArray[Any], values: npt.NDArray[np.float32]
    ) -> None:
        """Write the next values: int [n], int [n], float32 [n], ordered by (major, minor)."""
        stop = self.n_values + len(values)
        for name, content in (("data", values), ("indices", minor)):
            self._sets[name].resize((stop,))
            self._sets[name][self.n_values : stop] = content
        np.add.at(self._counts, major, 1)
        self.n_values = stop

    def indptr(self) -> npt.NDArray[np.int64]:
        """Return where each row or column begins, as int64 [n_major + 1]."""
        return np.concatenate([[0], np.cumsum(self._counts)]).astype(np.int64)


@contextmanager
def sparse(file: h5py.File, n_obs: int, n_vars: int, *, is_csc: bool) -> Iterator[Sparse]:
    """Write X while the block runs."""
    group = file.create_group("X")
    group.attrs["encoding-type"] = "csc_matrix" if is_csc else "csr_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.array([n_obs, n_vars], np.int64)
    matrix = Sparse(group, n_vars if is_csc else n_obs)
    yield matrix
    group.create_dataset("indptr", data=matrix.indptr())
