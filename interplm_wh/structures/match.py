"""Which protein of the warehouse a chain belongs to: by a table, by the file's name, by its sequence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from interplm_wh import sqlfile
from interplm_wh.errors import InputError
from interplm_wh.store.rows import first_row
from interplm_wh.structures import place
from interplm_wh.structures.chain_map import ChainMap
from interplm_wh.structures.chains import Chain, Model
from interplm_wh.structures.place import Fit

Rule = Literal["map", "name", "sequence"]
_ALPHAFOLD = re.compile(r"AF-([A-Za-z0-9]+(?:-\d+)?)-F\d+(?:-model_v\d+)?", re.IGNORECASE)
_N_CLOSEST, _WORD, _N_WORDS, _SHOWN = 5, 6, 48, 5
_KNOWN = "select protein_id, accession, sequence from proteins where accession = $accession"


@dataclass(frozen=True)
class Protein:
    """A protein that a chain may belong to."""

    protein_id: int
    accession: str
    sequence: str


@dataclass(frozen=True)
class Match:
    """A chain on a protein, and the rule that named the protein."""

    chain: Chain
    protein: Protein
    fit: Fit
    rule: Rule


def matches(con: duckdb.DuckDBPyConnection, model: Model, name: str, mapping: ChainMap | None) -> list[Match]:
    """Find the proteins of the chains of one file.

    Parameters
    ----------
    con : DuckDBPyConnection
        Has the table `proteins`.
    name : str
        Of the file, without its endings.
    mapping : ChainMap, optional
        Where it has rows for the file, they alone decide.

    Raises
    ------
    InputError
        If no chain fits the protein that is named, or any protein; says how far the nearest are.
    """
    if mapping is not None and (rows := mapping.of(name)):
        return _by_map(con, model, rows, mapping.path)
    named = _named(con, name)
    if named is not None:
        return _fitting(model.chains, named, "name")
    return _by_sequence(con, model.chains)


def _protein(con: duckdb.DuckDBPyConnection, accession: str) -> Protein | None:
    row = first_row(con, _KNOWN, {"accession": accession})
    return None if row is None else Protein(*row)


def _named(con: duckdb.DuckDBPyConnection, name: str) -> Protein | None:
    """Return the protein whose accession is the file's name, or stands in a name of AlphaFold DB."""
    of_alphafold = _ALPHAFOLD.fullmatch(name)
    return _protein(con, of_alphafold[1] if of_alphafold else name)


def _by_map(
    con: duckdb.DuckDBPyConnection, model: Model, rows: Sequence[tuple[str, str | None]], path: Path
) -> list[Match]:
    by_name = {chain.name: chain for chain in model.chains}
    found: list[Match] = []
    for accession, chain in rows:
        protein = _protein(con, accession)
        if protein is None:
            raise InputError(f"there is no protein {accession} in the warehouse, which {path} names")
        if chain is None:
            found += _fitting(model.chains, protein, "map")
        elif chain not in by_name:
            raise InputError(f"{path} names a chain {chain}; the file has {_listed(model.chains)}")
        else:
            found += _fitting([by_name[chain]], protein, "map", min_length=1)
    once = {match.chain.name: match for match in found}
    if len(once) < len(found):
        raise InputError(f"{path} puts one chain on two proteins, or names it twice; keep one of the rows")
    return found


def _fitting(
    chains: Sequence[Chain], protein: Protein, rule: Rule, *, min_length: int = place.MIN_LENGTH
) -> list[Match]:
    """Return the chains that fit a protein that is named.

    Raises
    ------
    InputError
        If none does.
    """
    found: list[Match] = []
    faults: list[str] = []
    for chain in chains:
        if len(chain.residues) < min(min_length, len(protein.sequence)):
            faults.append(f"chain {chain.name}: {len(chain.residues)} residues are too few to tell")
            continue
        try:
            fit = place.fit(chain, protein.sequence)
        except place.AmbiguousError as error:
            faults.append(f"chain {chain.name}: {error}")
            continue
        if fault := fit.fault(chain, protein.sequence):
            faults.append(f"chain {chain.name}: {fault}")
        else:
            found.append(Match(chain, protein, fit, rule))
    if not found:
        by = "the map" if rule == "map" else "the name of the file"
        raise InputError(f"no chain fits {protein.accession}, which {by} says: {_some(faults)}")
    return found


def _by_sequence(con: duckdb.DuckDBPyConnection, chains: Sequence[Chain]) -> list[Match]:
    found: list[Match] = []
    faults: list[str] = []
    known: dict[tuple[str, tuple[int | None, ...]], Protein | None] = {}  # a homomer is looked up once
    for chain in chains:
        key = (chain.letters, tuple(r.number for r in chain.residues))
        if key not in known:
            try:
                known[key] = _closest(con, chain)
            except InputError as error:
                known[key] = None
                faults.append(f"chain {chain.name}: {error}")
        protein = known[key]
        if protein is not None:
            found.append(Match(chain, protein, place.fit(chain, protein.sequence), "sequence"))
    if not found:
        raise InputError(f"no chain fits a protein of the warehouse: {_some(faults)}")
    return found


def _some(faults: Sequence[str]) -> str:
    """Put the faults of the first chains into one sentence."""
    more = f"; and {len(faults) - _SHOWN} more chains" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more


def _closest(con: duckdb.DuckDBPyConnection, chain: Chain) -> Protein:
    """Return the protein whose sequence is that of a chain, or near it.

    Raises
    ------
    InputError
        If there is none, or two that are equally near; says which are the nearest.
    """
    faults: list[str] = []
    holding = [near for near in _fits(_holding(con, chain), chain, faults) if near[1].how == "contained"]
    if holding:
        return _only(holding)
    near = _fits(_similar(con, chain), chain, faults)
    good = [(p, fit) for p, fit in near if fit.fault(chain, p.sequence) is None]
    if good and len(chain.residues) >= place.MIN_LENGTH:
        return _only(good)
    if faults:
        raise InputError("; ".join(faults))
    if not near:
        raise InputError(f"none shares {_WORD} residues in a row with its {len(chain.residues)} residues")
    nearest = sorted(near, key=lambda pair: (-pair[1].n_identical, pair[0].accession))
    shown = ", ".join(
        f"{p.accession} ({fit.n_identical} of {fit.n_aligned} aligned residues, {fit.pct_identity:.1f} %)"
        for p, fit in nearest
    )
    raise InputError(
        f"its {len(chain.residues)} residues agree with none; the nearest: {shown}; at least "
        f"{place.MIN_IDENTITY:.0f} % over {place.MIN_OVERLAP:.0f} % of the shorter sequence are needed"
    )


def _fits(proteins: Sequence[Protein], chain: Chain, faults: list[str]) -> list[tuple[Protein, Fit]]:
    """Put a chain on each protein; one on which it cannot be put is a fault, and no end to the search."""
    found: list[tuple[Protein, Fit]] = []
    for protein in proteins:
        try:
            found.append((protein, place.fit(chain, protein.sequence)))
        except InputError as error:
            faults.append(f"{protein.accession}: {error}")
    return found


def _only(fits: Sequence[tuple[Protein, Fit]]) -> Protein:
    """Return the protein with most of a chain's residues, of these the shortest.

    Raises
    ------
    InputError
        If there are several.
    """
    ranks = [(-fit.n_identical, len(protein.sequence)) for protein, fit in fits]
    best = [protein for (protein, _), rank in zip(fits, ranks, strict=True) if rank == min(ranks)]
    if len(best) > 1:
        shown = ", ".join(p.accession for p in best[:_N_CLOSEST])
        raise InputError(f"it fits {len(best)} proteins of one length ({shown}); say which with --map")
    return best[0]


def _holding(con: duckdb.DuckDBPyConnection, chain: Chain) -> list[Protein]:
    """Return the proteins that may hold a chain whole, or that it may hold."""
    letters = chain.letters
    stretch = max(place.texts(place.segments(chain)), key=len)
    file = sqlfile.load("structures", "containing_proteins")
    values = {"stretch": stretch, "letters": letters, "min_length": place.MIN_LENGTH}
    proteins = [Protein(*row) for row in con.execute(file.sql, file.bind(values)).fetchall()]
    return [p for p in proteins if len(letters) >= min(place.MIN_LENGTH, len(p.sequence))]


def _similar(con: duckdb.DuckDBPyConnection, chain: Chain) -> list[Protein]:
    """Return the proteins that share most short stretches with a chain, the most alike first."""
    letters = chain.letters
    step = max(1, len(letters) // _N_WORDS)
    words = sorted({letters[i : i + _WORD] for i in range(0, len(letters) - _WORD + 1, step)})
    if not words:
        return []
    file = sqlfile.load("structures", "similar_proteins")
    rows = con.execute(file.sql, file.bind({"words": words, "k": _N_CLOSEST})).fetchall()
    return [Protein(*row) for row in rows]


def _listed(chains: Sequence[Chain]) -> str:
    return ", ".join(chain.name or "one without a name" for chain in chains)


def selected(model: Model, chains: Sequence[str]) -> Model:
    """Return a model with some of its chains only; all without any named.

    Raises
    ------
    InputError
        If it has none of them.
    """
    if not chains:
        return model
    kept = tuple(chain for chain in model.chains if chain.name in chains)
    if not kept:
        raise InputError(f"there is no chain {', '.join(chains)}; the file has {_listed(model.chains)}")
    return Model(kept, model.resolution, model.source)
