"""Make an empty warehouse."""

from __future__ import annotations

from pathlib import Path

from interplm_wh.errors import InputError
from interplm_wh.store import layout
from interplm_wh.store.transaction import write

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
SEQUENCE_SOURCE = "sequence"
DEFAULT_THRESHOLDS = (0.0, 0.15, 0.5, 0.6, 0.8)
MAX_SEED = 2**62
DEFAULT_SETTINGS = {"min_residues": "1500", "min_domains": "25", "presence": "0.05"}


def init(path: str | Path, *, seed: int = 0) -> Path:
    """Make an empty warehouse.

    Parameters
    ----------
    path : str or Path
        A folder that does not exist or is empty.
    seed : int
        Seed of the splits and of the draws of examples.

    Returns
    -------
    Path
        The warehouse, absolute.

    Raises
    ------
    InputError
        If there is something at `path` already, or the seed is too large.
    """
    root = layout.root_of(path)
    if abs(seed) > MAX_SEED:
        raise InputError(f"the seed {seed} is too large; give a number up to {MAX_SEED:,}")
    if (root / layout.CATALOGUE).exists():
        raise InputError(f"{path} is a warehouse already; use it, or choose another folder")
    if root.exists() and (not root.is_dir() or any(p.name not in _OURS for p in root.iterdir())):
        raise InputError(f"{path} exists and is not empty; choose another folder")
    root.mkdir(parents=True, exist_ok=True)
    with write(root, command="init", settings={"seed": seed}) as tx:
        if (root / layout.CATALOGUE).exists():
            raise InputError(f"{path} is a warehouse already; use it, or choose another folder")
        for setting, value in {**DEFAULT_SETTINGS, "seed": str(seed)}.items():
            tx.con.execute("insert into settings values (?, ?)", [setting, value])
        for rank, threshold in enumerate(DEFAULT_THRESHOLDS, start=1):
            tx.con.execute("insert into thresholds values (?, ?)", [rank, threshold])
        for concept_id, letter in enumerate(AMINO_ACIDS):
            tx.con.execute(
                "insert into concepts values (?, ?, 'amino_acid', 'residue', ?)",
                [concept_id, f"amino_acid_{letter}", SEQUENCE_SOURCE],
            )
        tx.publish()
    return root


_OURS = frozenset({layout.LOCK, layout.STAGING})
