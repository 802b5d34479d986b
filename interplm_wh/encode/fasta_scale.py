"""The highest activation of each feature over the proteins of a FASTA file, without storing any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interplm_wh import hub, progress, store
from interplm_wh.encode import models
from interplm_wh.encode.blocks import blocks
from interplm_wh.errors import InputError
from interplm_wh.ingest import fasta


def scale_from_fasta(
    warehouse: str | Path, path: str | Path, *, sae: str, device: str | None = None, dtype: str = "float32"
) -> tuple[NDArray[np.float32], int]:
    """Encode a FASTA file and keep each feature's maximum.

    Parameters
    ----------
    warehouse : str or Path
    path : str or Path
        FASTA, plain or gzipped.
    sae : str
        Name of a registered SAE.
    device : str, optional
    dtype : {'float32', 'bfloat16', 'float16'}

    Returns
    -------
    maxima : float32 array [n_features]
        Raw activations; 0 where a feature never fires.
    n_proteins : int

    Raises
    ------
    NotThereError
        If there is no such SAE.
    InputError
        If the file is not FASTA, holds no protein, or letters that the PLM does not know.
    """
    records = dict(enumerate(fasta.proteins(Path(path))))
    if not records:
        raise InputError(f"{path}: holds no protein; give a FASTA file with at least one")
    with store.open(warehouse) as wh:
        row = models.sae_rows(wh, [sae])[0]
        plm = models.open_plm(wh, row.plm, device=device, dtype=dtype)
        model = models.open_sae(wh, row, plm=plm)
    plm.check_letters({f"{path}: {name}": text for name, text in records.values()})
    with hub.extra_needed():
        from interplm_wh.sae.sparse import feature_maxima
    maxima = np.zeros(model.n_features, np.float32)
    lengths = [len(text) for _, text in records.values()]
    with progress.track(f"scale of {sae}", total=sum(lengths), unit="residues") as bar:
        for block in blocks(lengths):
            texts = [records[i][1] for i in range(block.start, block.stop)]
            states = plm.hidden_states(texts, [row.layer]).states[row.layer]
            np.maximum(maxima, feature_maxima(model, states), out=maxima)
            bar.advance(sum(lengths[block.start : block.stop]))
    return maxima, len(records)
