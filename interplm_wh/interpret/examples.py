"""The proteins that words on a feature are made from, and those that they are scored on.

Those of test are scored, the others are shown; a relative of one that is shown is never scored. What is
private is left out of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from interplm_wh import sqlfile
from interplm_wh.build import derived
from interplm_wh.build.make import parameters
from interplm_wh.errors import NotThereError, faults_message
from interplm_wh.store import Warehouse
from interplm_wh.store.rows import dictionaries, value
from interplm_wh.suggest import choose

READS = ("concept_f1", "feature_runs", "protein_features")
MIN_SHOWN = 5
"""Proteins with a feature that may be shown, from which it is drawn; one that is named needs a single one."""
RESIDUES_TOLD = 12
_PLACES = 2_000_000  # features times proteins that are ordered at once


@dataclass(frozen=True)
class Example:
    """One protein beside one feature.

    Attributes
    ----------
    accession : str
    name, organism : str or None
    sequence : str
    is_shown : bool
        Whether words are made from it; otherwise they are scored on it.
    kind : {'active', 'absent', 'relative'}
    bin : int
        0 without the feature, else 1 to 10.
    activation : float
        Highest normalised activation; may exceed 1.
    position : int or None
        Residue of it, 1-based.
    residues : str
        The strongest residues with their activations; empty where it is not shown.
    """

    accession: str
    name: str | None
    organism: str | None
    sequence: str
    is_shown: bool
    kind: str
    bin: int
    activation: float
    position: int | None
    residues: str


@dataclass(frozen=True)
class Examples:
    """The examples of one feature."""

    feature: int
    shown: tuple[Example, ...]
    scored: tuple[Example, ...]


@dataclass(frozen=True)
class Choice:
    """The features that words are made for.

    Attributes
    ----------
    sae : str
    features : tuple of int
        0-based, ascending.
    max_activations : tuple of float
        The scale of each, raw units.
    presence : float
        Strict lower bound on normalised activation that counts as present.
    n_eligible, n_private : int
        Encoded proteins that examples are drawn from, and that are left out since they are private.
    """

    sae: str
    features: tuple[int, ...]
    max_activations: tuple[float, ...]
    presence: float
    n_eligible: int
    n_private: int


def choose_features(
    wh: Warehouse, sae: str, *, features: Sequence[int], sample: int | None, seed: int
) -> Choice:
    """Choose features: those that are named, or a sample of those that are present often enough.

    Lays `eligible_proteins` and `carriers` on the connection of the warehouse.

    Parameters
    ----------
    features : sequence of int
        0-based; empty for a sample.
    sample : int, optional
        How many to draw; all of them by default.

    Raises
    ------
    NotThereError
        If there is no such SAE, or a feature is not there, dead, or on no protein that may be shown.
    InputError
        If what is read is missing or older than the data.
    """
    (name,) = choose.built_saes(wh, sae, reads=READS, what="tables of features")
    presence = float(parameters(wh.con, name)["presence"])
    values = {"sae": name, "presence": presence, "seed": seed}
    derived.lay(wh.con, "interpret", ["eligible_proteins", "carriers"], values)
    file = sqlfile.load("interpret", "usable_features")
    rows = wh.con.execute(file.sql, file.bind(values)).fetchall()
    left_out = sqlfile.load("interpret", "left_out")
    if features:
        chosen = _named(name, dict.fromkeys(features), {row[0]: (row[1], row[2]) for row in rows})
    else:
        usable = [feature for feature, _, n_shown in rows if n_shown >= MIN_SHOWN]
        chosen = sorted(usable[:sample])
        if not chosen:
            raise NotThereError(
                f"{name}: no feature is present on {MIN_SHOWN} proteins that may be shown (not of test, and "
                "not private); add proteins, then encode and build"
            )
    scales = {feature: scale for feature, scale, _ in rows}
    return Choice(
        name,
        tuple(chosen),
        tuple(scales[feature] for feature in chosen),
        presence,
        int(value(wh.con, "select count(*) from eligible_proteins")),
        int(value(wh.con, left_out.sql, left_out.bind(values))),
    )


def _named(sae: str, asked: dict[int, None], known: dict[int, tuple[float, int]]) -> list[int]:
    faults = []
    for feature in asked:
        scale, n_shown = known.get(feature, (0.0, 0))
        if feature not in known:
            faults.append(f"{sae} has no feature {feature}; the last one is {max(known)}")
        elif not scale:
            faults.append(f"feature {feature} is dead: it was never active where the scale was taken")
        elif not n_shown:
            faults.append(f"feature {feature} is present on no protein of valid or train that is not private")
    if faults:
        raise NotThereError(faults_message(sae, faults, "nothing was made; leave these features out"))
    return sorted(asked)


def batches(choice: Choice) -> Iterator[list[int]]:
    """Yield the features in pieces whose places fit in memory."""
    size = max(1, _PLACES // max(1, choice.n_eligible))
    waiting = iter(choice.features)
    while batch := list(itertools.islice(waiting, size)):
        yield batch


def lay(con: duckdb.DuckDBPyConnection, choice: Choice, features: Sequence[int]) -> None:
    """Choose the examples of some features: `chosen_examples`, and `example_residues` of those shown.

    Source: bins of 0.1, two proteins of each, ten of the highest, ten without the feature: InterPLM (Simon
    and Zou, Nature Methods 2025, methods). The proteins like those that have it are ours.
    """
    values = _values(choice, features)
    derived.lay(con, "interpret", ["example_places", "chosen_examples"], values)
    for side in ("shown", "scored"):
        steps = ["open_places", "drawn_examples", "hard_negatives"]
        derived.lay(con, "interpret", steps, {**values, "side": side})
        con.execute("insert into chosen_examples by name from drawn_examples")
        con.execute("insert into chosen_examples by name from hard_negatives")
    derived.lay(con, "interpret", ["example_residues"], values)


def _values(choice: Choice, features: Sequence[int]) -> dict[str, Any]:
    return {"sae": choice.sae, "features": list(features), "presence": choice.presence}


def fetch(con: duckdb.DuckDBPyConnection) -> list[Examples]:
    """Return the examples that are laid, in the order of features."""
    file = sqlfile.load("interpret", "listed_examples")
    rows = dictionaries(con, file.sql, file.bind({"most": RESIDUES_TOLD}))
    found = []
    for feature, group in itertools.groupby(rows, key=lambda row: row["feature"]):
        its = [_example(row) for row in group]
        found.append(
            Examples(feature, tuple(e for e in its if e.is_shown), tuple(e for e in its if not e.is_shown))
        )
    return found


def _example(row: dict[str, Any]) -> Example:
    told = {name: row[name] for name in Example.__dataclass_fields__ if name != "is_shown"}
    return Example(**told, is_shown=row["side"] == "shown")
