"""Evaluate SAEs: reconstruction, sparsity, and fidelity to what the PLM predicts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplm_wh import hub, progress, store
from interplm_wh.encode import models
from interplm_wh.encode.blocks import blocks
from interplm_wh.encode.encoder import check_finite
from interplm_wh.errors import InputError
from interplm_wh.evaluate import learnt
from interplm_wh.evaluate import proteins as chosen
from interplm_wh.evaluate.proteins import Proteins, Split
from interplm_wh.evaluate.report import EvaluateReport
from interplm_wh.evaluate.write import Measured, write

if TYPE_CHECKING:
    from interplm_wh.encode.models import SaeRow
    from interplm_wh.evaluate.fidelity import Entropies, Layered, Measure
    from interplm_wh.evaluate.reconstruction import Reconstruction
    from interplm_wh.plm.base import PLM
    from interplm_wh.store import Warehouse

log = logging.getLogger(__name__)


def evaluate(
    warehouse: str | Path,
    saes: Sequence[str],
    *,
    split: Split = "test",
    fasta: str | Path | None = None,
    max_proteins: int | None = None,
    skip_fidelity: bool = False,
    device: str | None = None,
    dtype: str = "float32",
) -> EvaluateReport:
    """Measure SAEs on held-out proteins or any file, and keep it in `sae_metrics` and `sae_frequency`.

    What was measured before of the same SAE on the same split or file name is replaced. SAEs of one PLM
    share its passes, and are recorded together when they are done.

    Parameters
    ----------
    warehouse : str or Path
    saes : sequence of str
        Names of SAEs.
    split : {'test', 'valid', 'train', 'all'}
        Proteins of the warehouse; private ones are left out.
    fasta : str or Path, optional
        Proteins of a FASTA file, plain or gzipped, instead.
    max_proteins : int, optional
        The first so many proteins in the order of the md5 of their accessions.
    skip_fidelity : bool
        Measure reconstruction and sparsity alone, which costs one pass of the PLM up to the layer. Fidelity
        that the same version measured before on the same proteins in the same number format stays.
    device : str, optional
    dtype : {'float32', 'bfloat16', 'float16'}
        Number format of the PLM; recorded.

    Raises
    ------
    NotThereError
        If there is no such warehouse or SAE, or the split has no protein.
    InputError
        If an SAE's activations were made elsewhere, `max_proteins` is below 1, the file is not FASTA or
        holds no protein, or the PLM does not know a letter.
    ModelError
        If the PLM has no masked-token head, unless fidelity is skipped.
    MismatchError
        If hidden states or predictions are not finite.
    """
    started = time.monotonic()
    if max_proteins is not None and max_proteins < 1:
        raise InputError(f"--max-proteins {max_proteins}: give a number from 1 upwards")
    if not saes:
        raise InputError("no SAE to evaluate; name at least one")
    root = Path(warehouse).resolve()
    settings = {
        "saes": list(saes), "split": None if fasta else split, "fasta": str(fasta) if fasta else None,
        "max_proteins": max_proteins, "skip_fidelity": skip_fidelity, "device": device, "dtype": dtype,
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    with store.open(root) as wh:
        rows = models.sae_rows(wh, saes)
        proteins = (
            chosen.of_split(wh, split, max_proteins=max_proteins)
            if fasta is None
            else chosen.of_fasta(Path(fasta), max_proteins=max_proteins)
        )
        for row in rows:
            if what := learnt.what_of(root, row.sae, evaluated_on=proteins.evaluated_on):
                log.warning(
                    "%s was trained on %s: what is measured is how it does on what it learnt from; for "
                    "held-out proteins give another --split or --fasta", row.sae, what,
                )  # fmt: skip
        for plm in dict.fromkeys(row.plm for row in rows):
            mine = [row for row in rows if row.plm == plm]
            measured = _measure(wh, mine, proteins, skip_fidelity=skip_fidelity, device=device, dtype=dtype)
            found += write(root, measured, proteins, settings=settings)
    return EvaluateReport(
        evaluated_on=proteins.evaluated_on,
        saes=tuple(found),
        fidelity_kept=tuple(r["sae"] for r in found if skip_fidelity and r["n_fidelity_proteins"]),
        n_private=proteins.n_private,
        seconds=time.monotonic() - started,
    )


def _measure(
    wh: Warehouse,
    rows: Sequence[SaeRow],
    proteins: Proteins,
    *,
    skip_fidelity: bool,
    device: str | None,
    dtype: str,
) -> list[Measured]:
    """Measure SAEs of one PLM."""
    with hub.extra_needed():
        plm = models.open_plm(wh, rows[0].plm, device=device, dtype=dtype)
        from interplm_wh.evaluate.fidelity import Layered
    if not skip_fidelity:
        plm.require_head()
    plm.check_letters(dict(zip(proteins.accessions, proteins.sequences, strict=True)))
    saes = {row.sae: Layered(models.open_sae(wh, row, plm=plm), row.layer) for row in rows}
    kept = _reconstruct(plm, saes, proteins)
    entropies = {} if skip_fidelity else _compare(plm, saes, proteins)
    found = []
    for row in rows:
        sums = kept[row.sae].sums
        explained = sums.explained if math.isfinite(sums.explained) else None
        n_firing = kept[row.sae].n_firing
        found.append(Measured(row, explained, sums.mse, n_firing, entropies.get(row.sae), plm.dtype))
    return found


def _reconstruct(plm: PLM, saes: dict[str, Layered], proteins: Proteins) -> dict[str, Reconstruction]:
    """Count what SAEs of one PLM keep of its hidden states, a block of proteins at a time."""
    from interplm_wh.evaluate.reconstruction import Reconstruction

    layers = sorted({one.layer for one in saes.values()})
    kept = {name: Reconstruction(one.sae) for name, one in saes.items()}
    lengths = proteins.lengths
    with progress.track(f"reconstruction of {plm.name}", total=sum(lengths), unit="residues") as bar:
        for block in blocks(lengths):
            hidden = plm.hidden_states(proteins.sequences[block.start : block.stop], layers)
            for layer in layers:
                accessions = proteins.accessions[block.start : block.stop]
                check_finite(plm, hidden, layer=layer, accessions=accessions)
            for name, one in saes.items():
                kept[name].add(hidden.states[one.layer])
            bar.advance(sum(lengths[block.start : block.stop]))
    return kept


def _compare(plm: PLM, saes: dict[str, Layered], proteins: Proteins) -> dict[str, dict[Measure, Entropies]]:
    """Compare what a PLM predicts with what it predicts from reconstructions."""
    from interplm_wh.evaluate.fidelity import fidelity, n_passes

    passes = n_passes(saes)
    total = sum(proteins.lengths) * passes
    with progress.track(f"fidelity of {plm.name}, {passes} passes", total=total, unit="residues") as bar:
        return fidelity(plm, saes, proteins, advance=bar.advance)
