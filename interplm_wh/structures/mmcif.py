"""Chains of an mmCIF file.

The sequence, residues missing from the model included, is that of `pdbx_poly_seq_scheme` or
`entity_poly_seq`; atoms belong to it by their `label_seq_id`, so that nothing has to be aligned. A
file with neither has the residues of its model.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from interplm_wh.structures import atoms as carbons
from interplm_wh.structures.chains import Chain, Model, Residue, Source, is_amino_acid

_EMPTY = ("?", ".", "")
Listed = dict[str, dict[str, tuple[str, int | None, str]]]
"""By asym and seq id: name, number (None where none is given) and insertion code."""


def read(text: str) -> Model:
    """Read the first model of the first block."""
    from biotite.structure.io import pdbx

    block = pdbx.CIFFile.read(io.StringIO(text)).block
    site = block["atom_site"]
    wanted = {"B_iso_or_equiv": "b_factor", "occupancy": "occupancy"}
    labels = [c for c in ("label_asym_id", "label_seq_id", "label_entity_id") if c in site]
    fields = [*labels, *(field for column, field in wanted.items() if column in site)]
    array = pdbx.get_structure(block, model=1, altloc="all", extra_fields=fields)
    known: dict[str, Any] = {
        name: getattr(array, name) for name in ("b_factor", "occupancy") if name in fields
    }
    listed = _listed(block, array) if {"label_asym_id", "label_seq_id"} <= set(labels) else {}
    chains = _complete(array, listed, known) if listed else observed(array, known, _in_polymer(array))
    return Model(tuple(chains), _resolution(block), _source(block))


def _in_polymer(array: Any) -> list[bool] | None:
    """Return, for each atom, whether it has a place in a sequence; None where none of them has."""
    if "label_seq_id" not in array.get_annotation_categories():
        return None
    return [str(seq) not in _EMPTY for seq in array.label_seq_id]


def _column(category: Any, name: str) -> list[str]:
    return [str(v) for v in category[name].as_array(str)]


def _listed(block: Any, array: Any) -> Listed:
    if "pdbx_poly_seq_scheme" in block:
        scheme = block["pdbx_poly_seq_scheme"]
        columns = [_column(scheme, name) for name in ("asym_id", "seq_id", "mon_id")]
        blank = [""] * len(columns[0])
        numbers = _column(scheme, "pdb_seq_num") if "pdb_seq_num" in scheme else blank
        codes = _column(scheme, "pdb_ins_code") if "pdb_ins_code" in scheme else blank
        found: Listed = {}
        for asym, seq, name, number, code in zip(*columns, numbers, codes, strict=True):
            # Where two residues share a place (microheterogeneity), the first stands for both.
            found.setdefault(asym, {}).setdefault(seq, (name, _number(number), _code(code)))
        return found
    if "entity_poly_seq" in block and "label_entity_id" in array.get_annotation_categories():
        poly = block["entity_poly_seq"]
        by_entity: dict[str, dict[str, tuple[str, int | None, str]]] = {}
        rows = zip(*(_column(poly, name) for name in ("entity_id", "num", "mon_id")), strict=True)
        for entity, seq, name in rows:
            by_entity.setdefault(entity, {}).setdefault(seq, (name, None, ""))
        asyms = dict(zip(array.label_asym_id.tolist(), array.label_entity_id.tolist(), strict=True))
        return {asym: by_entity[entity] for asym, entity in asyms.items() if entity in by_entity}
    return {}


def _number(text: str) -> int | None:
    return None if text in _EMPTY else int(np.int32(int(text)))


def _code(text: str) -> str:
    return "" if text in _EMPTY else text


def _complete(array: Any, listed: Listed, known: Mapping[str, Any]) -> list[Chain]:
    keys = list(zip(array.label_asym_id.tolist(), array.label_seq_id.tolist(), strict=True))
    names = array.res_name.tolist()
    # An atom belongs to the residue that the sequence lists at its place.
    own = [i for i, (asym, seq) in enumerate(keys) if listed.get(asym, {}).get(seq, ("",))[0] == names[i]]
    of_model: dict[tuple[str, str], int] = {}
    authors: dict[str, str] = {}
    for i in own:
        of_model.setdefault(keys[i], i)
        authors.setdefault(keys[i][0], str(array.chain_id[i]))
    is_alpha = array.atom_name == "CA"
    alphas = carbons.alpha_carbons(
        keys, array.coord, known.get("b_factor"), known.get("occupancy"), [i for i in own if is_alpha[i]]
    )
    heavy = carbons.heavy_atoms(keys, array, known.get("occupancy"), own)
    chains = []
    for asym, residues in listed.items():
        if asym not in authors or not any(is_amino_acid(name) for name, *_ in residues.values()):
            continue
        chain = []
        for seq, (name, number, code) in residues.items():
            at = of_model.get((asym, seq))
            if at is not None:  # the model's own number is what a viewer knows
                number, code = int(array.res_id[at]), _code(str(array.ins_code[at]))
            ca, b_factor = alphas.get((asym, seq), (None, None))
            chain.append(Residue(name, number, code, ca, b_factor, heavy.get((asym, seq))))
        chains.append(Chain(authors[asym], tuple(chain), is_complete=True))
    return chains


def observed(array: Any, known: Mapping[str, Any], is_open: list[bool] | None = None) -> list[Chain]:
    """Return the chains as the model has them, without what is missing from it.

    Parameters
    ----------
    array : AtomArray
    known : mapping
        `b_factor` and `occupancy` per atom, where there are any.
    is_open : list of bool, optional
        Per atom, whether a modified residue may stand there: its chain has not ended before it.
    """
    codes = [_code(str(c)) for c in array.ins_code]
    keys = list(zip(array.chain_id.tolist(), array.res_id.tolist(), codes, strict=True))
    chains: dict[str, dict[tuple[str, int, str], str]] = {}
    first: list[int] = []
    own: list[int] = []
    for i, key in enumerate(keys):
        name = str(array.res_name[i])
        residues = chains.setdefault(str(key[0]), {})
        if key not in residues and _is_of_chain(name, bool(array.hetero[i]), is_open is None or is_open[i]):
            residues[key] = name
        if residues.get(key) == name:
            own.append(i)
            if array.atom_name[i] == "CA":
                first.append(i)
    alphas = carbons.alpha_carbons(keys, array.coord, known.get("b_factor"), known.get("occupancy"), first)
    heavy = carbons.heavy_atoms(keys, array, known.get("occupancy"), own)

    def residue(key: tuple[str, int, str], name: str) -> Residue:
        ca, b_factor = alphas.get(key, (None, None))
        return Residue(name, key[1], key[2], ca, b_factor, heavy.get(key))

    return [
        Chain(
            chain,
            tuple(residue(key, name) for key, name in of.items()),
            is_complete=False,
        )
        for chain, of in chains.items()
        if any(key in alphas for key in of)
    ]


def _is_of_chain(name: str, is_hetero: bool, is_open: bool) -> bool:
    kind = is_amino_acid(name)
    if is_hetero:
        return bool(kind) and is_open
    return kind is None or kind


def _resolution(block: Any) -> float | None:
    for category, column in (
        ("refine", "ls_d_res_high"), ("em_3d_reconstruction", "resolution"), ("reflns", "d_resolution_high"),
    ):  # fmt: skip
        if category in block and column in block[category]:
            for value in _column(block[category], column):
                try:
                    number = float(value)
                except ValueError:
                    continue  # "?" or "."
                if np.isfinite(number) and number > 0:
                    return number
    return None


def _source(block: Any) -> Source:
    """A prediction of AlphaFold DB is registered as one."""
    if "database_2" in block and "database_id" in block["database_2"]:
        ids = {value.casefold() for value in _column(block["database_2"], "database_id")}
        return "alphafold" if "alphafolddb" in ids else "file"
    return "file"
