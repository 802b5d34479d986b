"""Many small proteomes with planted motifs and with concepts that follow nothing: what is claimed of each.

All proteomes are encoded at once, in one warehouse; each is an SAE of its own, with the activations of
its own proteins alone, and is chosen from and tested by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import interplm_wh
from interplm_wh import commands, store
from interplm_wh.demo import assets
from interplm_wh.demo.export import write_export
from interplm_wh.demo.generator import DemoProtein, generate

DECOY = "Decoy"


@dataclass(frozen=True)
class Discoveries:
    """What was claimed.

    Attributes
    ----------
    pairs : DataFrame
        The rows of `pair_evidence`; `is_decoy` says whether the concept follows nothing.
    """

    pairs: pl.DataFrame

    def claims(self, column: str) -> tuple[int, int]:
        """Return how many claims there are of a kind, and how many of them are of decoys."""
        claimed = self.pairs.filter(pl.col(column).fill_null(False))
        return len(claimed), int(claimed["is_decoy"].sum())


def find(folder: Path, *, n_seeds: int, n_proteins: int, n_decoys: int) -> Discoveries:
    """Score proteomes of `n_proteins` each, with `n_decoys` concepts that follow nothing."""
    path = folder / "w"
    store.init(path)
    proteomes = [generate(n_proteins, seed=s, prefix=f"S{s:02d}D") for s in range(n_seeds)]
    everyone = [one for proteome in proteomes for one in proteome]
    export = write_export(everyone, folder / "proteome.tsv.gz")
    commands.add_proteins(path, [export])
    commands.add_annotations(path, [export])
    decoys(everyone, n_decoys).write_parquet(folder / "decoys.parquet")
    commands.add_annotations(path, [folder / "decoys.parquet"], source="decoys")
    encode(path)
    with interplm_wh.open(path) as wh:
        for s in range(n_seeds):
            rows = wh.polars(
                "select accession, position, feature, value from feature_activations where accession like $p",
                {"p": f"S{s:02d}D%"},
            )
            rows.write_parquet(folder / f"{s}.parquet")
    commands.remove_sae(path, "all")
    for s in range(n_seeds):
        commands.add_activations(path, folder / f"{s}.parquet", sae=f"seed-{s}", n_features=1024)
    commands.build(path, min_residues=40, min_domains=9)
    commands.score(path)
    with interplm_wh.open(path) as wh:
        return Discoveries(
            wh.polars("select *, starts_with(concept, 'Decoy') as is_decoy from pair_evidence")
        )


def encode(path: Path) -> None:
    """Encode all proteins with the models that come with the package."""
    commands.add_sae(path, str(assets("sae")), name="all", plm=str(assets("plm")), layer=3)
    commands.encode(path, ["all"])
    commands.build(path, select=["features"])


def decoys(of: list[DemoProtein], n: int) -> pl.DataFrame:
    """Annotate stretches that were drawn without a look at the sequence."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(n):
        low, high = ((1, 1), (5, 12), (15, 60))[k % 3]
        for one in of:
            if rng.random() < 0.4:
                width = int(rng.integers(low, high + 1))
                start = int(rng.integers(1, len(one.sequence) - width + 2))
                rows.append((one.accession, start, start + width - 1, f"{DECOY} {k}"))
    frame = pl.DataFrame(rows, schema=["accession", "start", "stop", "concept"], orient="row")
    return frame.with_columns(
        level=pl.when(pl.col("start") == pl.col("stop")).then(pl.lit("residue")).otherwise(pl.lit("domain"))
    )
