"""Chains of a PDB file.

The model's residues are put into the sequence of SEQRES by REMARK 465, which lists what is missing,
or else by where the chain is broken; a chain for which neither is certain has the residues of its
model alone.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np

from interplm_wh.structures import mmcif, place
from interplm_wh.structures.chains import Chain, Model, Residue, Source, letter

_MISSING = re.compile(r"REMARK 465 {3,}(?:\d+ +)?([A-Z0-9]{1,3}) (.) *(-?\d{1,5})([A-Za-z]?) *$")
_RESOLUTION = re.compile(r"REMARK   2 RESOLUTION\. +([0-9.]+) +ANGSTROMS")


def read(text: str) -> Model:
    """Read the first model."""
    from biotite.structure.io.pdb import PDBFile

    lines = text.splitlines()
    array = PDBFile.read(io.StringIO(text)).get_structure(
        model=1, altloc="all", extra_fields=["b_factor", "occupancy"]
    )
    is_open = _open(lines)
    if len(is_open) != len(array):
        raise ValueError(f"{len(is_open):,} atom lines, of which {len(array):,} are read")
    found = mmcif.observed(array, {"b_factor": array.b_factor, "occupancy": array.occupancy}, is_open)
    listed, missing = _listed(lines), _missing(lines)
    chains = [_completed(c, listed.get(c.name, []), missing.get(c.name, [])) for c in found]
    return Model(tuple(chains), _resolution(lines), _source(lines))


def _open(lines: list[str]) -> list[bool]:
    """Return, for each atom of the first model, whether no TER has ended its chain before it."""
    ended: set[str] = set()
    found: list[bool] = []
    chain = ""
    for line in lines:
        if line.startswith(("ATOM", "HETATM")):
            chain = line[21:22].strip()
            found.append(chain not in ended)
        elif line.startswith("TER"):
            ended.add(chain)
        elif line.startswith("ENDMDL"):
            break
    return found


def _listed(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("SEQRES"):
            found.setdefault(line[11:12].strip(), []).extend(line[19:70].split())
    return found


def _missing(lines: list[str]) -> dict[str, list[Residue]]:
    found: dict[str, list[Residue]] = {}
    for line in lines:
        if match := _MISSING.match(line):
            name, chain, number, code = match.groups()
            found.setdefault(chain.strip(), []).append(Residue(name, int(number), code))
    return found


def _completed(chain: Chain, listed: list[str], missing: list[Residue]) -> Chain:
    """Put the residues of a model into the sequence that the file lists, where that is certain."""
    merged = _merged(list(chain.residues), missing, listed)
    if merged is None and listed:
        target = "".join(map(letter, listed))
        index = place.contained(chain, target)
        if index is not None:
            merged = [Residue(name, None, "") for name in listed]
            for residue, at in zip(chain.residues, index, strict=True):
                merged[at] = replace(residue, name=residue.name)
    return chain if merged is None else Chain(chain.name, tuple(merged), is_complete=True)


def _merged(model: list[Residue], missing: list[Residue], listed: list[str]) -> list[Residue] | None:
    """Merge what is there and what is said to be missing; None unless that gives the listed sequence."""
    if not listed or len(model) + len(missing) != len(listed):
        return None
    merged: list[Residue] = []
    queues = [list(reversed(model)), list(reversed(missing))]
    for name in listed:
        next_ones = [queue for queue in queues if queue and queue[-1].name == name]
        if not next_ones:
            return None
        merged.append(min(next_ones, key=lambda q: (q[-1].number or 0, q[-1].insertion)).pop())
    return merged


def _resolution(lines: list[str]) -> float | None:
    for line in lines:
        if match := _RESOLUTION.match(line):
            number = float(match[1])
            return number if np.isfinite(number) and number > 0 else None
    return None


def _source(lines: list[str]) -> Source:
    """A prediction of AlphaFold DB says so in its title."""
    title = " ".join(line[10:] for line in lines if line.startswith("TITLE")).upper()
    return "alphafold" if "ALPHAFOLD" in title and "PREDICTION" in title else "file"
