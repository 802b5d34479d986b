"""Replace the scale of an SAE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interplm_wh import progress, store
from interplm_wh.build import blocks, derived, marts, plan
from interplm_wh.build.engine import opened
from interplm_wh.build.run import run
from interplm_wh.build.scale import TABLE, Float32, ScaleSource, fix
from interplm_wh.errors import NotThereError
from interplm_wh.store import layout
from interplm_wh.store.rows import first_row


@dataclass(frozen=True)
class ScaleReport:
    """What the scale of an SAE is taken from now.

    Attributes
    ----------
    sae, scale_source : str
    n_scale_proteins : int
        Proteins that it was taken from; 0 where the checkpoint carries it.
    n_dead_features : int
        Features whose scale is 0.
    """

    sae: str
    scale_source: str
    n_scale_proteins: int
    n_dead_features: int

    def lines(self) -> list[str]:
        """Describe it for people."""
        origin = self.scale_source + (
            f" ({self.n_scale_proteins:,} proteins)" if self.n_scale_proteins else ""
        )
        return [f"{self.sae}: scale from {origin}; {self.n_dead_features:,} features are dead"]


def scale(
    warehouse: str | Path,
    *,
    sae: str,
    source: str,
    engine: str = "duckdb",
    master: str | None = None,
    scale_of_fasta: Callable[[Path, str], tuple[Float32, int]] | None = None,
) -> ScaleReport:
    """Replace the scale of one SAE, and build again all that depends on it.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    source : str
        'all' or 'valid' proteins that are encoded, 'checkpoint', or the path of a FASTA file whose
        proteins set the scale without being stored.
    engine, master : str, optional
        As of `build`.
    scale_of_fasta : callable, optional
        Encodes a FASTA file with an SAE and returns its maxima, float32 [n_features], and the
        number of proteins; by default the one in `interplm_wh.encode`.

    Raises
    ------
    NotThereError
        If the SAE is unknown or has encoded nothing.
    InputError
        If the checkpoint carries no scale, or the FASTA file cannot be read.
    EngineError
        If Spark is asked for and cannot be started, or gives up.
    """
    kind: ScaleSource
    given, n_given, label = None, 0, None
    if source in ("all", "valid", "checkpoint"):
        kind = source  # type: ignore[assignment]
    else:
        if scale_of_fasta is None:
            from interplm_wh.encode import scale_from_fasta

            def scale_of_fasta(fasta: Path, name: str) -> tuple[Float32, int]:
                return scale_from_fasta(warehouse, fasta, sae=name)

        kind, label = "fasta", f"fasta:{Path(source).name}"
        given, n_given = scale_of_fasta(Path(source), sae)
    with (
        store.write(warehouse, command="scale", settings={"sae": sae, "from": source}) as tx,
        opened(engine, master, layout.root_of(warehouse)) as runs_on,
    ):
        if first_row(tx.con, "from saes where sae = ?", [sae]) is None:
            raise NotThereError(f"there is no SAE {sae}; see: interplm-wh info")
        if not plan.folders_of(tx.con, "activations", sae):
            raise NotThereError(f"{sae} has no encoded protein to scale; run: interplm-wh encode --sae {sae}")
        mart = next(m for m in marts.ordered() if m.name == TABLE)
        blocks.focus(tx, sae)
        try:
            with progress.track("scaling") as bar:
                fix(
                    tx, mart, sae, source=kind, given=given, n_given=n_given, label=label, engine=runs_on,
                    bar=bar,
                )  # fmt: skip
        finally:
            blocks.release(tx)
        run(tx, engine=runs_on)
        derived.take_out_outdated(tx)
        tx.publish()
        row = first_row(
            tx.con,
            "select s.scale_source, s.n_scale_proteins, count(*) filter (where f.max_activation = 0) "
            "from saes as s inner join features as f on s.sae = f.sae where s.sae = ? group by all",
            [sae],
        )
    assert row is not None
    return ScaleReport(sae, row[0], row[1], row[2])
