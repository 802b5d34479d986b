"""A small warehouse with variants: a PLM and an SAE that tests can apply one sequence at a time."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interplm_wh import build, store
from interplm_wh.encode import encode
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae
from interplm_wh.variants import variants
from interplm_wh.variants.notation import scan
from tests.tiny_models import make_plm, make_sae, sequence, some_proteins, write_fasta

SAE, PROTEIN, LONG = "s", "P6", "LONG"
PROTEINS = {**some_proteins(10), LONG: sequence(100, seed=7)}
WILD = PROTEINS[PROTEIN]
FLOOR = 0.05
MEASUREMENT = "dms.csv:DMS_score"


def make_models(folder: Path) -> Path:
    """Write a PLM of two layers with windows of 60 residues, and an SAE of its layer 1."""
    make_plm(folder / "plm")
    make_sae(folder / "ae.pt", folder / "plm", layer=1)
    return folder


def make(folder: Path, models: Path) -> Path:
    """Make a warehouse with a scale and no variants."""
    path = store.init(folder / "w")
    add_proteins(path, [write_fasta(folder / "p.fasta", PROTEINS)])
    add_sae(path, str(models / "ae.pt"), name=SAE, plm=str(models / "plm"), layer=1, device="cpu")
    encode(path, [SAE], device="cpu")
    build.build(path)
    return path


def scanned(built: Path, folder: Path) -> Path:
    """Make a copy with all substitutions of residues 5 to 16 of one protein, and measured effects."""
    path = shutil.copytree(built, folder / "w")
    rng = np.random.default_rng(3)
    effects = {one.name: round(float(rng.normal()), 1) for one in scan(WILD, "5-16")}
    file = write_effects(folder / "dms.csv", effects)
    variants(path, SAE, PROTEIN, scan="5-16", effects=file, device="cpu")
    return path


def write_effects(
    path: Path, effects: Mapping[str, Any], *, columns: tuple[str, str] = ("mutant", "DMS_score")
) -> Path:
    """Write a file of measured effects."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([columns, *effects.items()])
    return path
