"""One PLM and its SAEs at work: checks before anything is computed, then block by block."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh import __version__, hub
from interplm_wh.encode import layer_check, models
from interplm_wh.encode.models import SaeRow
from interplm_wh.encode.part import Proteins, write_part
from interplm_wh.encode.plan import Group, Sequences
from interplm_wh.encode.waiting import Waiting, write_rows
from interplm_wh.errors import MismatchError

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM, HiddenStates
    from interplm_wh.sae.base import SAE
    from interplm_wh.store import Warehouse

_LETTERS = (
    "select accession, sequence from proteins semi join wanted using (protein_id) "
    "where protein_id between $low and $high and regexp_matches(sequence, '[^' || $alphabet || ']') "
    "order by protein_id limit 1000"
)


@dataclass(frozen=True)
class Settings:
    """How the models are applied.

    Attributes
    ----------
    dtype : str
        Number format of the PLM.
    device : str or None
    min_value : float
        Raw activations above it are kept.
    token_budget : int or None
        Most tokens in one batch; None: what suits the device.
    """

    dtype: str
    device: str | None
    min_value: float
    token_budget: int | None


@dataclass(frozen=True)
class Place:
    """Where the parts of one SAE are made, and where they wait.

    Attributes
    ----------
    scratch : Path
        In the staging folder of this process, so that what a killed one leaves is removed.
    waiting : Waiting
    """

    scratch: Path
    waiting: Waiting

    @contextmanager
    def made(self) -> Iterator[Path]:
        """Make a folder for one part; what is still there at the end is removed."""
        folder = self.scratch / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Part:
    """A finished part of one SAE.

    Attributes
    ----------
    sae : SaeRow
    group : Group
        Its proteins.
    n_activations : int64 array [n]
    is_halved : tuple of bool
    fingerprints : list of str
    """

    sae: SaeRow
    group: Group
    n_activations: NDArray[np.int64]
    is_halved: tuple[bool, ...]
    fingerprints: list[str]

    def rows(self, dtype: str) -> pa.Table:
        """Return what is registered of it, a row per protein; the part itself is named then."""
        n = len(self.group.ids)
        return pa.table(
            {
                "protein_id": self.group.ids,
                "n_residues": self.group.lengths,
                "n_activations": self.n_activations,
                "is_halved": list(self.is_halved),
                "fingerprint": self.fingerprints,
                "dtype": [dtype] * n,
                "package_version": [__version__] * n,
            }
        )


@dataclass(frozen=True)
class Encoder:
    """A PLM and SAEs that read it, loaded.

    Attributes
    ----------
    warehouse : Warehouse
    rows : tuple of SaeRow
    plm : PLM
    saes : dict of str to SAE
        By name.
    settings : Settings
    """

    warehouse: Warehouse
    rows: tuple[SaeRow, ...]
    plm: PLM
    saes: dict[str, SAE]
    settings: Settings

    @classmethod
    def load(cls, warehouse: Warehouse, rows: Sequence[SaeRow], *, settings: Settings) -> Encoder:
        """Load SAEs of one PLM, and the PLM."""
        with hub.extra_needed():
            plm = models.open_plm(warehouse, rows[0].plm, device=settings.device, dtype=settings.dtype)
            saes = {row.sae: models.open_sae(warehouse, row, plm=plm) for row in rows}
        return cls(warehouse, tuple(rows), plm, saes, settings)

    def check_letters(self, groups: Sequence[Group]) -> None:
        """Refuse letters that the PLM does not know before anything is computed.

        Raises
        ------
        InputError
        """
        values = {
            "low": int(min(group.ids[0] for group in groups)),
            "high": int(max(group.ids[-1] for group in groups)),
            "alphabet": "".join(sorted(self.plm.alphabet)),
        }
        wanted = pa.table({"protein_id": np.unique(np.concatenate([group.ids for group in groups]))})
        unread = self.warehouse.sql(_LETTERS, values, tables={"wanted": wanted}).to_pylist()
        self.plm.check_letters({row["accession"]: row["sequence"] for row in unread})

    def check_layers(self) -> None:
        """Check the layer of SAEs that were added before there was a protein.

        Raises
        ------
        MismatchError
        """
        for row in self.rows:
            folder = models.sae_folder(self.warehouse.path, row.sae)
            if row.architecture == "identity" or row.is_forced or layer_check.is_checked(folder):
                continue
            sequences = self.warehouse.sql(layer_check.PROTEINS_SQL)["sequence"].to_pylist()
            check = layer_check.check_layer(
                self.plm, self.saes[row.sae], layer=row.layer, sequences=sequences
            )
            check.require(row.sae, is_added=True)
            check.warn(row.sae)
            layer_check.save_check(folder, check)

    def encode(self, group: Group, sequences: Sequences, *, places: Mapping[str, Place]) -> Iterator[Part]:
        """Encode one group of proteins and yield a part for each SAE as soon as it has its place."""
        from interplm_wh.sae.sparse import sparse_rows

        layers = sorted({row.layer for row in group.saes})
        hidden = self.plm.hidden_states(sequences.texts, layers, token_budget=self.settings.token_budget)
        for layer in layers:
            check_finite(self.plm, hidden, layer=layer, accessions=sequences.accessions)
        proteins = Proteins(group.ids, group.lengths)
        for row in group.saes:
            x = hidden.states[row.layer]
            chunks = sparse_rows(
                self.saes[row.sae], x, offsets=hidden.offsets, min_value=self.settings.min_value
            )
            place = places[row.sae]
            with place.made() as folder:
                n_rows = write_part(folder / _name(group), proteins=proteins, chunks=chunks)
                part = Part(row, group, n_rows, hidden.is_halved, sequences.fingerprints)
                write_rows(folder, part.rows(self.plm.dtype))
                place.waiting.put(folder, sequences.name(group))
            yield part

    def free_memory(self) -> None:
        """Give cached memory of the device back."""
        from interplm_wh.plm import memory

        memory.free()


def _name(group: Group) -> Path:
    return Path(f"{group.ids[0]:08d}-{group.ids[-1]:08d}.parquet")


def check_finite(plm: PLM, hidden: HiddenStates, *, layer: int, accessions: Sequence[str]) -> None:
    """Refuse hidden states that no SAE can read.

    Raises
    ------
    MismatchError
        With the first protein and position.
    """
    is_bad = ~hidden.states[layer].isfinite().all(dim=1)
    if bool(is_bad.any()):
        first = int(is_bad.nonzero()[0])
        index = next(i for i in range(len(accessions)) if first < hidden.offsets[i + 1])
        step = "use --dtype float32" if plm.dtype != "float32" else "download the model again"
        raise MismatchError(
            f"{plm.name}: the hidden states of {accessions[index]} at layer {layer} are not finite "
            f"(position {first - hidden.offsets[index] + 1}, {plm.dtype}); {step}"
        )
