"""Tables of structures, and both tests of what follows the structure, on structures from ideal geometry.

Each measurement runs in a process of its own, on two cores at most. Files are written by biotite: half PDB,
half mmCIF, of helices of all atoms side by side, 300 residues each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import scoring
from interplm_wh import commands, store
from interplm_wh.structural import structure
from interplm_wh.structures import add_structures
from tests import ideal_folds

SAE = "bench"
N_RESIDUES, N_HELICES, LENGTH = 300, 14, 18
N_FEATURES, PER_RESIDUE = 2_000, 10
N_CORES, MAX_SECONDS = 2, 120.0


def prepare(folder: Path, n_structures: int) -> Path:
    """Write files, and make a warehouse with their proteins and activations."""
    rng = np.random.default_rng(0)
    files = folder / "files"
    files.mkdir()
    proteins, rows = [], []
    for i in range(n_structures):
        array, sequence = ideal_folds.bundle(rng, N_HELICES, LENGTH)
        array, sequence = array[array.res_id <= N_RESIDUES], sequence[:N_RESIDUES]
        ideal_folds.write(files / f"P{i:05d}.{'cif' if i % 2 else 'pdb'}", array, sequence)
        proteins.append({"accession": f"P{i:05d}", "sequence": sequence, "cluster": f"c{i}"})
        n = N_RESIDUES * PER_RESIDUE
        rows.append(
            pl.DataFrame(
                {
                    "accession": [f"P{i:05d}"] * n,
                    "position": np.repeat(np.arange(1, N_RESIDUES + 1), PER_RESIDUE),
                    "feature": np.concatenate(
                        [rng.choice(N_FEATURES, PER_RESIDUE, replace=False) for _ in range(N_RESIDUES)]
                    ),
                    "value": rng.random(n).round(3) + 0.001,
                }
            )
        )
    path = store.init(folder / "w")
    pl.DataFrame(proteins).write_parquet(folder / "proteins.parquet")
    pl.concat(rows).write_parquet(folder / "activations.parquet")
    commands.add_proteins(path, [folder / "proteins.parquet"])
    commands.add_activations(
        path, folder / "activations.parquet", sae=SAE, n_features=N_FEATURES, covers="all"
    )
    commands.build(path, select=["features"])
    return path


def _two_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])


def tables(path: Path) -> None:
    """Add the structures."""
    _two_cores()
    add_structures(path, [path.parent / "files"])


def contacts(path: Path) -> None:
    """Read all contacts once."""
    _two_cores()
    with store.open(path) as wh:
        wh.sql("select count(*), max(distance) from structure_contacts")


def both_tests(path: Path) -> None:
    """Test all features."""
    _two_cores()
    structure(path)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structures", description=__doc__)
    parser.add_argument("--structures", type=int, default=1000)
    parser.add_argument("--keep", action="store_true", help="keep what was generated")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="structures-")).resolve()
    path = prepare(folder, options.structures)
    n = options.structures
    print(
        f"\nstructures: {n:,} of {N_RESIDUES} residues, {n * N_RESIDUES * PER_RESIDUE:,} activations of "
        f"{N_FEATURES:,} features; {N_CORES} cores"
    )
    found = {"tables of structures": scoring.measure(tables, path)}
    found["all contacts"] = scoring.measure(contacts, path)
    found["both tests of all features"] = scoring.measure(both_tests, path)
    for what, cost in found.items():
        limit = f" (at most {MAX_SECONDS:.0f} s for 1,000)" if what.startswith("tables") else ""
        print(f"{scoring.row(what, cost)}{limit}", flush=True)
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
