"""Sequences that are pasted: read, encoded by the real PLM and SAE, and laid beside the warehouse."""

from __future__ import annotations

import io
import threading
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import streamlit as st

from interplm_wh import hub, sqlfile, store
from interplm_wh.dashboard.frame import counted
from interplm_wh.dashboard.reading import Reader
from interplm_wh.encode import models
from interplm_wh.errors import InputError, faults_message
from interplm_wh.ingest import fasta

MOST_SEQUENCES, MOST_RESIDUES = 20, 6000
"""What one question may hold: seconds on a CPU."""
MOST_FEATURES, MOST_CELLS = 30, 400
"""How much of the answer is drawn."""
# One text after the other, however many pages ask: each takes all cores.
_TURN = threading.Lock()
_SCHEMA = pa.schema(
    [("sequence", pa.string()), ("position", pa.int32()), ("feature", pa.int32()), ("value", pa.float32())]
)


def read_sequences(text: str) -> dict[str, str]:
    """Read FASTA, or one sequence as it is.

    Raises
    ------
    InputError
        If there is none, one is empty, two have one name, or they are too many or too long.
    """
    lines = text.strip()
    if not lines.startswith(">"):
        lines = f">sequence\n{lines}"
    records = [
        ((header.split() or ["?"])[0], "".join(body.split()).rstrip("*").upper())
        for header, body in fasta.records(io.StringIO(lines))
    ]
    faults = [f"{name}: the sequence is empty" for name, body in records if not body]
    faults += [f"{name}: {n} sequences" for name, n in Counter(n for n, _ in records).items() if n > 1]
    total = sum(len(body) for _, body in records)
    if len(records) > MOST_SEQUENCES or total > MOST_RESIDUES:
        faults.append(
            f"{counted(len(records), 'sequence')} of {total:,} residues in all: at most {MOST_SEQUENCES} and "
            f"{MOST_RESIDUES:,} here; for more, use add proteins and encode"
        )
    if faults:
        raise InputError(faults_message("the text", faults, "mend it"))
    return dict(records)


@st.cache_resource(show_spinner="Loading the models", max_entries=2)
def _models(path: str, sae: str, _sha256: str) -> tuple[object, object, int]:
    with store.open(path) as wh:
        row = models.sae_rows(wh, [sae])[0]
        plm = models.open_plm(wh, row.plm, device="cpu", dtype="float32")
        return plm, models.open_sae(wh, row, plm=plm), row.layer


@st.cache_data(max_entries=20, show_spinner=False)
def encode(root: Path, sae: str, sha256: str, sequences: dict[str, str]) -> pa.Table:
    """Encode sequences; rows of sequence, position (1-based), feature (0-based), value (raw).

    Raises
    ------
    InterplmError
        If the models are not at hand, or a letter is not known to the PLM.
    """
    with hub.extra_needed():
        from interplm_wh.plm.base import PLM
        from interplm_wh.sae.base import SAE
        from interplm_wh.sae.sparse import sparse_rows
    plm, model, layer = _models(str(root), sae, sha256)
    assert isinstance(plm, PLM)
    assert isinstance(model, SAE)
    plm.check_letters(sequences)
    parts = []
    with _TURN:
        for name, text in sequences.items():
            states = plm.embed(text, layer)
            for rows in sparse_rows(model, states, offsets=[0, len(text)]):
                names = pa.repeat(name, len(rows))
                parts.append(pa.table([names, rows.position, rows.feature, rows.value], schema=_SCHEMA))
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


def features_of(reader: Reader, sae: str, activations: pa.Table) -> pl.DataFrame:
    """Return the rows of `sql/live/live_features.sql`."""
    file = sqlfile.load("live", "live_features")
    return reader.rows_beside({"live_activations": activations}, file.sql, file.bind({"sae": sae}))


def neighbours_of(
    reader: Reader, sae: str, features: pl.DataFrame, *, sequence: str, k: int = 10
) -> pl.DataFrame:
    """Return the rows of `sql/live/live_neighbours.sql`."""
    file = sqlfile.load("live", "live_neighbours")
    values = file.bind({"sae": sae, "sequence": sequence, "k": k})
    return reader.rows_beside({"live_features": features.to_arrow()}, file.sql, values)


def cells_of(
    reader: Reader,
    sae: str,
    activations: pa.Table,
    features: pl.DataFrame,
    *,
    sequence: str,
    length: int,
    k: int = MOST_FEATURES,
    n_cells: int = MOST_CELLS,
) -> pl.DataFrame:
    """Return the rows of `sql/live/live_cells.sql`: `k` features in at most `n_cells` cells each."""
    file = sqlfile.load("live", "live_cells")
    values = file.bind({"sae": sae, "sequence": sequence, "length": length, "k": k, "n_cells": n_cells})
    tables = {"live_activations": activations, "live_features": features.to_arrow()}
    return reader.rows_beside(tables, file.sql, values)
