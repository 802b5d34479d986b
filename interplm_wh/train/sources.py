"""Hidden states for training: straight from the PLM, or from Parquet that was written once."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh import progress
from interplm_wh.encode.blocks import blocks
from interplm_wh.errors import CheckError
from interplm_wh.plm.base import PLM
from interplm_wh.store import layout
from interplm_wh.store.staging import sync

_ROW_GROUP = 4096
_CALL_RESIDUES = 8192


@dataclass(frozen=True)
class Sequences:
    """The proteins that a training reads.

    Attributes
    ----------
    accessions, texts : pa.ChunkedArray
        Compact in memory: millions of proteins are a few gigabytes.
    lengths : int64 array [n]
    """

    accessions: pa.ChunkedArray
    texts: pa.ChunkedArray
    lengths: NDArray[np.int64]

    def take(self, indices: Sequence[int]) -> list[str]:
        """Return some sequences in the order given."""
        found: list[str] = self.texts.take(pa.array(indices, pa.int64())).to_pylist()
        return found

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of all sequences in their order."""
        digest = hashlib.sha256()
        for chunk in self.texts.chunks:
            for text in chunk.to_pylist():
                digest.update(text.encode())
                digest.update(b"\n")
        return digest.hexdigest()


class PlmSource:
    """Hidden states that the PLM computes when they are asked for; a piece is a protein."""

    def __init__(self, plm: PLM, sequences: Sequences, *, layers: Sequence[int]) -> None:
        self.sizes = sequences.lengths
        self._plm, self._sequences, self._layers = plm, sequences, list(layers)

    def load(self, pieces: Sequence[int]) -> Mapping[int, Tensor]:
        """Run the PLM; see `HiddenStateSource.load`."""
        texts = self._sequences.take(pieces)
        found: dict[int, list[Tensor]] = {layer: [] for layer in self._layers}
        for call in _calls([len(text) for text in texts]):
            states = self._plm.hidden_states(texts[call], self._layers).states
            for layer, x in found.items():
                x.append(states[layer])
        return {layer: torch.cat(x) for layer, x in found.items()}


class EmbeddingsSource:
    """Hidden states of `lake/embeddings`, mapped into memory; a piece is a row group of every layer's file.

    Parameters
    ----------
    folders : mapping of int to Path
        Per layer, the folder that `write_embeddings` made.
    device : torch.device
        Where tensors go.
    """

    def __init__(self, folders: Mapping[int, Path], *, device: torch.device) -> None:
        self._device = device
        self._folders = dict(folders)
        self._files = {layer: _open(folder) for layer, folder in folders.items()}
        metas = [file.metadata for file in self._files.values()]
        sizes = [[meta.row_group(i).num_rows for i in range(meta.num_row_groups)] for meta in metas]
        if any(other != sizes[0] for other in sizes):
            raise CheckError(
                f"{next(iter(folders.values())).parent.parent}: the layers' files do not belong together; "
                "remove them, they are written again"
            )
        self.sizes = np.array(sizes[0], np.int64)

    def load(self, pieces: Sequence[int]) -> Mapping[int, Tensor]:
        """Read row groups; see `HiddenStateSource.load`."""
        return {layer: self._layer(layer, pieces) for layer in self._files}

    def _layer(self, layer: int, pieces: Sequence[int]) -> Tensor:
        file = self._files[layer]
        try:
            parts = [_matrix(file.read_row_group(piece, columns=["state"])["state"]) for piece in pieces]
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self._folders[layer], error) from error
        return torch.from_numpy(np.concatenate(parts)).to(self._device)  # [n, d]


def _open(folder: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(_only_file(folder), memory_map=True, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> CheckError:
    return CheckError(
        f"{folder}: the hidden states are damaged ({error}); remove that folder, they are written again"
    )


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    array = column.combine_chunks()
    flat: NDArray[np.float32] = array.flatten().to_numpy()
    return flat.reshape(len(array), -1)


def _only_file(folder: Path) -> Path:
    return folder / "part-0.parquet"


def embeddings_folder(root: Path, plm: PLM, layer: int, *, fingerprint: str) -> Path:
    """Return where hidden states of these proteins are kept: its name tells models and sequences apart."""
    identity = f"{plm.name}\n{plm.revision}\n{plm.dtype}\n{layer}\n{fingerprint}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return root / layout.LAKE / layout.EMBEDDINGS / f"plm={plm.name}" / f"layer={layer}" / name


def write_embeddings(root: Path, plm: PLM, sequences: Sequences, *, layers: Sequence[int]) -> dict[int, Path]:
    """Write hidden states of all proteins once; layers that are there are not written again.

    A folder appears whole or not at all.

    Returns
    -------
    dict of int to Path
        Folder per layer.
    """
    fingerprint = sequences.fingerprint
    folders = {x: embeddings_folder(root, plm, x, fingerprint=fingerprint) for x in layers}
    missing = [layer for layer, folder in folders.items() if not folder.exists()]
    if not missing:
        return folders
    fresh = {layer: folders[layer].with_name(f"{layout.UNFINISHED}{uuid.uuid4().hex}") for layer in missing}
    try:
        _write(plm, sequences, fresh)
        for layer, folder in fresh.items():
            sync(_only_file(folder))
            _move(folder, folders[layer])
            sync(folder.parent)
    finally:
        for folder in fresh.values():
            shutil.rmtree(folder, ignore_errors=True)
    return folders


def _move(folder: Path, final: Path) -> None:
    """Give a folder its name, unless another training was faster with the same content."""
    try:
        folder.replace(final)
    except OSError:
        if not final.is_dir():
            raise


def _write(plm: PLM, sequences: Sequences, fresh: Mapping[int, Path]) -> None:
    schema = _schema(plm.d_model)
    writers = {}
    for layer, folder in fresh.items():
        folder.mkdir(parents=True)
        writers[layer] = pq.ParquetWriter(
            _only_file(folder), schema, compression="none", use_dictionary=False, write_page_checksum=True
        )
    total = int(sequences.lengths.sum())
    with progress.track(f"hidden states of {plm.name}", total=total, unit="residues") as bar:
        for block in blocks(sequences.lengths.tolist()):
            texts = sequences.texts.slice(block.start, block.stop - block.start).to_pylist()
            names = sequences.accessions.slice(block.start, block.stop - block.start).to_pylist()
            states = plm.hidden_states(texts, list(fresh)).states
            for layer, writer in writers.items():
                for rows in _tables(names, texts, states[layer].cpu().numpy(), schema):
                    writer.write_table(rows)
            bar.advance(sum(map(len, texts)))
    for writer in writers.values():
        writer.close()


def _schema(d_model: int) -> pa.Schema:
    """Return the columns of the files: their width is the model's, so that no fixed schema has them."""
    state = pa.list_(pa.field("element", pa.float32(), nullable=False), d_model)
    columns = [("accession", pa.string()), ("position", pa.int32()), ("state", state)]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


def _tables(names: list[str], texts: list[str], x: NDArray[np.float32], schema: pa.Schema) -> Iterator[Any]:
    lengths = [len(text) for text in texts]
    owner = np.repeat(np.arange(len(names)), lengths)
    position = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
    for start in range(0, len(x), _ROW_GROUP):
        rows = slice(start, start + _ROW_GROUP)
        columns = [
            pa.array(names).take(pa.array(owner[rows])),
            pa.array(position[rows]),
            pa.FixedSizeListArray.from_arrays(pa.array(x[rows].reshape(-1)), type=schema.field("state").type),
        ]
        yield pa.table(columns, schema=schema)


def _calls(lengths: Sequence[int]) -> Iterator[slice]:
    """Group proteins so that one call of the PLM has enough to make even batches of."""
    first = 0
    size = 0
    for index, length in enumerate(lengths):
        if size and size + length > _CALL_RESIDUES:
            yield slice(first, index)
            first, size = index, 0
        size += length
    yield slice(first, len(lengths))
