"""Proteins with structures from ideal geometry; features that follow structure, sequence, both or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import ideal_folds
import numpy as np
import polars as pl
from numpy.typing import NDArray

from interplm_wh import commands, store
from interplm_wh.structures import add_structures

SAE, N_PROTEINS, N_HELICES, LENGTH = "planted", 44, 6, 14
STRUCTURAL, SEQUENTIAL, BOTH, NOISE, LONG, FEW, RELATIVES, UNCERTAIN, DEAD = range(9)
N_PLANTED = 9
N_NOISE, N_SMOOTH, N_SKEWED = 200, 80, 80
SMOOTH = range(N_PLANTED + N_NOISE, N_PLANTED + N_NOISE + N_SMOOTH)
SKEWED = range(SMOOTH.stop, SMOOTH.stop + N_SKEWED)
Floats = NDArray[np.float64]
LOW = 40.0  # pLDDT of the last helix of a prediction


@dataclass(frozen=True)
class Folded:
    """One protein: C-alphas [position - 1], NaN where missing; activations [feature, position - 1]."""

    accession: str
    sequence: str
    cluster: str | None
    is_prediction: bool
    xyz: Floats
    plddt: Floats
    fired: Floats

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """Which residues are there, and certain enough."""
        there = np.isfinite(self.xyz[:, 0])
        return there & (self.plddt >= 70) if self.is_prediction else there


def proteins(folder: Path, *, has_noise: bool = True, seed: int = 0) -> list[Folded]:
    """Draw proteins and write their files: half PDB, of which half are predictions; the others mmCIF."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    found = []
    for i in range(N_PROTEINS):
        accession, is_prediction = f"P{i:04d}", i % 4 == 0
        array, sequence = ideal_folds.bundle(rng, N_HELICES, LENGTH, side_chains=False)
        last = (N_HELICES - 1) * (LENGTH + ideal_folds.LOOP)
        if is_prediction:
            array.b_factor[array.res_id > last] = LOW
        title = f"ALPHAFOLD MONOMER V2.0 PREDICTION FOR {accession}" if is_prediction else ""
        path = folder / f"{accession}.{'cif' if i % 2 else 'pdb'}"
        ideal_folds.write(path, array, sequence, title=title)
        xyz, plddt = np.full((len(sequence), 3), np.nan), np.full(len(sequence), np.nan)
        alpha = array.atom_name == "CA"
        xyz[array.res_id[alpha] - 1], plddt[array.res_id[alpha] - 1] = (
            np.round(array.coord[alpha].astype(float), 3), array.b_factor[alpha],
        )  # fmt: skip
        # The last four are relatives of the first four; every tenth protein has no cluster.
        cluster = None if i % 10 == 9 else f"c{i % 40}"
        fired = np.zeros((SKEWED.stop, len(sequence)))
        one = Folded(accession, sequence, cluster, is_prediction, xyz, plddt, fired)
        _fire(one, rng, i)
        _fire_odd_noise(one, np.random.default_rng([seed, i]))
        found.append(one if has_noise else replace(one, fired=fired[:N_PLANTED]))
    return found


def distances(one: Folded) -> Floats:
    """Between C-alphas; NaN where one is missing."""
    return np.asarray(np.linalg.norm(one.xyz[:, None] - one.xyz[None], axis=-1))


def _fire(one: Folded, rng: np.random.Generator, number: int) -> None:
    n = len(one.sequence)
    at = np.arange(n)
    near = distances(one) <= 8
    apart = np.abs(at[:, None] - at[None]) >= 6
    usable = [c for c in at[one.is_kept] if (near[c] & apart[c]).sum() >= 2 and 4 <= c < n - 4]

    def plant(feature: int, around: Callable[[int], NDArray[np.bool_]]) -> None:
        centre = int(rng.choice(usable))
        where = around(centre)
        one.fired[feature, where] = rng.uniform(0.2, 0.6, where.sum())
        stray = rng.random(n) < 0.03
        one.fired[feature, stray] = rng.uniform(0.05, 0.3, stray.sum())
        one.fired[feature, centre] = rng.uniform(0.8, 1.0)

    contacts = near & apart
    beside = (np.abs(at[:, None] - at[None]) <= 2) & (at[:, None] != at[None])
    plant(STRUCTURAL, lambda c: contacts[c])
    plant(SEQUENTIAL, lambda c: beside[c])
    plant(BOTH, lambda c: contacts[c] | beside[c])
    plant(LONG, lambda c: np.abs(at - c) <= 5)
    if number < 6:
        plant(FEW, lambda c: contacts[c])
    if number % 40 < 4:  # eight proteins of four clusters
        plant(RELATIVES, lambda c: contacts[c])
    if one.is_prediction:  # strongest where the model is uncertain: nothing to compare
        one.fired[UNCERTAIN, (~one.is_kept) & (one.plddt < 70)] = 0.9
    for feature in (NOISE, *range(N_PLANTED, SMOOTH.start)):
        share = rng.choice([0.03, 0.1, 0.4])
        where = rng.random(n) < share
        one.fired[feature, where] = rng.uniform(0.1, 1.0, where.sum())


def _fire_odd_noise(one: Folded, rng: np.random.Generator) -> None:
    """Fire without regard to the fold: along the sequence in waves, or here and there strongly."""
    n = len(one.sequence)
    at = np.arange(n)
    for feature in SMOOTH:
        middle, width, period = rng.uniform(0, n), rng.uniform(4, 25), rng.choice([0.0, 3.6, 7.0])
        wave = np.cos(2 * np.pi * (at - middle) / period) if period else 1.0
        one.fired[feature] = np.exp(-(((at - middle) / width) ** 2)) * np.clip(wave, 0, None)
        one.fired[feature, one.fired[feature] < 0.05] = 0
    for feature in SKEWED:
        where = rng.random(n) < 0.2
        one.fired[feature, where] = np.clip(rng.lognormal(-4, 2, where.sum()), 1e-3, 1)
        one.fired[feature, rng.integers(n)] = 1.0


def warehouse(folder: Path, of: list[Folded]) -> Path:
    """Make a warehouse of them, with structures and scales."""
    path = store.init(folder / "w")
    pl.DataFrame(
        [{"accession": p.accession, "sequence": p.sequence, "cluster": p.cluster} for p in of],
        schema_overrides={"cluster": pl.String},
    ).write_parquet(folder / "proteins.parquet")
    rows = []
    for p in of:
        features, places = np.nonzero(p.fired)
        rows.append(
            pl.DataFrame(
                {
                    "accession": [p.accession] * len(features), "position": places + 1, "feature": features,
                    "value": p.fired[features, places],
                }
            )
        )  # fmt: skip
    pl.concat(rows).write_parquet(folder / "activations.parquet")
    commands.add_proteins(path, [folder / "proteins.parquet"])
    commands.add_activations(
        path, folder / "activations.parquet", sae=SAE, n_features=len(of[0].fired), covers="all"
    )
    add_structures(path, [folder / "files"])
    commands.build(path, select=["features"])
    return path
