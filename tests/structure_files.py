"""Small structure files written column by column, and a plain reader of real ones, for the tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotations_helpers import ask

_THREE = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"
NAMES = {"ARNDCQEGHILKMFPSTWYV"[i]: _THREE[4 * i : 4 * i + 3] for i in range(20)}
SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG"  # 50 residues, no stretch of 3 twice


def atom(
    residue: str,
    number: int,
    *,
    x: float = 0.0,
    y: float = 0.0,
    z: float = 0.0,
    chain: str = "A",
    name: str = " CA ",
    code: str = " ",
    alt: str = " ",
    occupancy: float = 1.0,
    b: float = 20.0,
    record: str = "ATOM",
) -> str:
    """Return one line of a PDB file."""
    element = name.strip()[:1]
    return (
        f"{record:<6}{1:>5} {name}{alt}{residue:>3} {chain}{number:>4}{code}   "
        f"{x:>8.3f}{y:>8.3f}{z:>8.3f}{occupancy:>6.2f}{b:>6.2f}          {element:>2}  "
    )


def lines(
    letters: str, *, chain: str = "A", first: int = 1, skip: Iterable[int] = (), b: float = 20.0
) -> list[str]:
    """Return C-alphas 3.8 Å apart; `skip` are 0-based places that are missing from the model."""
    return [
        atom(NAMES[one], first + i, x=3.8 * i, chain=chain, b=b)
        for i, one in enumerate(letters)
        if i not in set(skip)
    ]


def helix(letters: str, *, chain: str = "A", first: int = 1, x: float = 0.0) -> list[str]:
    """Return C-alphas and oxygens of an alpha helix along z: 1.5 Å and 100° per residue, radius 2.3 Å."""
    rows = []
    for i, one in enumerate(letters):
        turn = math.radians(100 * i)
        for name, radius, more, rise in ((" CA ", 2.3, 0.0, 0.0), (" O  ", 2.0, 0.6, 2.3)):
            place = {"x": x + radius * math.cos(turn + more), "y": radius * math.sin(turn + more)}
            rows.append(atom(NAMES[one], first + i, **place, z=1.5 * i + rise, chain=chain, name=name))
    return rows


def seqres(letters: str, *, chain: str = "A") -> list[str]:
    """Return the SEQRES lines of a chain."""
    names = [NAMES[one] for one in letters]
    rows = [names[i : i + 13] for i in range(0, len(names), 13)]
    return [f"SEQRES {i:>3} {chain} {len(names):>4}  {' '.join(row)}" for i, row in enumerate(rows, start=1)]


def write(path: Path, *parts: Sequence[str]) -> Path:
    """Write the lines of a PDB file."""
    path.write_text("\n".join([*(line for part in parts for line in part), "END", ""]))
    return path


ATOM_COLUMNS = (
    "group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id",
    "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy",
    "B_iso_or_equiv", "auth_seq_id", "auth_comp_id", "auth_asym_id", "auth_atom_id", "pdbx_PDB_model_num",
)  # fmt: skip


def cif_atom(residue: str, seq: int, number: int, **other: Any) -> dict[str, Any]:
    """Return one row of `atom_site` with a C-alpha."""
    row = dict.fromkeys(ATOM_COLUMNS, ".")
    row |= {
        "group_PDB": "ATOM", "id": "1", "type_symbol": "C", "label_atom_id": "CA", "label_comp_id": residue,
        "label_asym_id": "A", "label_entity_id": "1", "label_seq_id": str(seq), "pdbx_PDB_ins_code": "?",
        "Cartn_x": f"{3.8 * seq:.3f}", "Cartn_y": "0", "Cartn_z": "0", "occupancy": "1.0",
        "B_iso_or_equiv": "20", "auth_seq_id": str(number), "auth_comp_id": residue, "auth_asym_id": "A",
        "auth_atom_id": "CA", "pdbx_PDB_model_num": "1",
    }  # fmt: skip
    return row | {key: str(value) for key, value in other.items()}


def loop(category: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a loop of an mmCIF file."""
    head = "".join(f"_{category}.{column}\n" for column in rows[0])
    return f"loop_\n{head}" + "".join(" ".join(map(str, row.values())) + "\n" for row in rows) + "#\n"


def read_loop(path: Path, category: str) -> list[dict[str, str]]:
    """Read a loop whose values hold no space, by splitting its lines at white space."""
    text = path.read_text().split("loop_\n")
    (part,) = [p for p in text if p.startswith(f"_{category}.")]
    head, rows = [], []
    for line in part.splitlines():
        if line.startswith("#"):
            break
        if line.startswith("_"):
            head.append(line.strip().partition(".")[2])
        else:
            rows.append(dict(zip(head, line.split(), strict=True)))
    return rows


def placed(warehouse: Path, structure: str) -> list[tuple[int, int | None, str | None]]:
    """Return (position, residue number, insertion code) of the rows that have a C-alpha."""
    return ask(
        warehouse,
        "select position, residue_number, insertion_code from structure_residues "
        "where structure = ? and x is not null order by position",
        [structure],
    )  # type: ignore[return-value]


def structures(warehouse: Path) -> list[tuple[str, str]]:
    """Return (structure, accession) of all, sorted."""
    return ask(
        warehouse,
        "select s.structure, p.accession from structures as s join proteins as p using (protein_id) "
        "order by all",
    )  # type: ignore[return-value]
