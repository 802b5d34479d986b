"""Secondary structure, exposure, pLDDT and contacts of residues: beside biotite, numpy and ideal geometry."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import ideal_folds
import numpy as np
import pytest
import scipy.spatial
from annotations_helpers import ask, put_proteins
from structure_files import NAMES, SEQUENCE, atom, helix, lines, write

import interplm_wh
from interplm_wh.errors import InputError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.structures import add_structures, geometry

LETTERS = {three: one for one, three in NAMES.items()}


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the real structures."""
    warehouse = interplm_wh.commands.init(tmp_path_factory.mktemp("geometry") / "w")
    add_proteins(warehouse, [shared / "data/structures/proteins.csv"])
    add_structures(warehouse, [shared / "data/structures"])
    return warehouse


def read(shared: Path, name: str) -> Any:
    """Return the chain of a real structure as biotite reads it, amino acids alone."""
    import biotite.structure as struc
    from biotite.structure.io import pdbx

    with (shared / "data/structures/proteins.csv").open(newline="") as file:
        (chain,) = [row["chain"] for row in csv.DictReader(file) if row["structure"] == name]
    array = pdbx.get_structure(
        pdbx.CIFFile.read(shared / f"data/structures/{name}.cif"), model=1, altloc="occupancy",
        extra_fields=["b_factor"],
    )  # fmt: skip
    return array[(array.chain_id == chain) & struc.filter_amino_acids(array) & (array.element != "H")]


@pytest.mark.parametrize("name", ["1A7G", "1GBT", "2OFG", "4ZHL"])
def test_secondary_structure_is_that_of_biotite(real: Path, shared: Path, name: str) -> None:
    import biotite.structure as struc

    array = read(shared, name)
    # Author's numbers repeat where there are insertion codes, which biotite takes for breaks.
    alphas = array[array.atom_name == "CA"]
    apart = np.linalg.norm(np.diff(alphas.coord, axis=0), axis=1) > 4.5
    alphas.res_id = np.arange(len(alphas)) + np.concatenate([[0], np.cumsum(apart)])
    alphas.ins_code[:] = ""
    expected = "".join(struc.annotate_sse(alphas)).translate(str.maketrans("abc", "HEC"))
    found = ask(
        real,
        "select string_agg(secondary_structure, '' order by position) from structure_residues "
        f"where structure like '{name}%' and x is not null",
    )
    assert found == [(expected,)]


def test_real_folds_have_the_secondary_structure_that_is_known_of_them(real: Path) -> None:
    shares = {
        row[0]: row[1:]
        for row in ask(
            real,
            "select structure, avg((secondary_structure = 'H')::int), avg((secondary_structure = 'E')::int) "
            "from structure_residues where x is not null group by structure",
        )
    }
    helical, sheets = shares["1A8O:A"], shares["1GBT:A"]
    assert helical[0] > 0.4 > 0.1 > helical[1]  # the capsid's C-terminal domain: helices
    assert sheets[1] > 0.25 > 0.15 > sheets[0]  # trypsin: two barrels of strands


@pytest.mark.parametrize("name", ["1A8O", "1GBT", "4ZHL"])
def test_exposure_is_the_area_of_biotite_over_the_largest(real: Path, shared: Path, name: str) -> None:
    import biotite.structure as struc

    array = read(shared, name)
    areas = struc.apply_residue_wise(array, struc.sasa(array, point_number=1000), np.nansum)
    starts = struc.get_residue_starts(array)
    n_atoms = np.diff([*starts, len(array)])
    rows = ask(
        real,
        "select relative_exposure, residue_name from structure_residues "
        f"where structure like '{name}%' and x is not null order by position",
    )
    assert [residue for _, residue in rows] == array.res_name[starts].tolist()
    n_compared = 0
    for (exposure, residue), area, n in zip(rows, areas, n_atoms, strict=True):
        letter = LETTERS.get(residue, "M")  # MSE
        largest, n_whole = geometry._WHOLE[letter]
        if exposure is None:
            assert n < n_whole
        else:
            n_compared += 1
            assert exposure == pytest.approx(area / largest, abs=0.03)
    assert n_compared > 0.9 * len(rows)


def test_the_core_of_a_real_protein_is_buried_and_its_surface_is_not(real: Path) -> None:
    rows = dict(
        ask(
            real,
            "select amino_acid, avg(relative_exposure) from structure_residues where structure = '1GBT:A' "
            "group by amino_acid",
        )
    )
    assert max(rows[one] for one in "ILVFCW") < min(rows[one] for one in "KNQ")


def test_ideal_helices_and_strands_are_told_apart(warehouse: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name, angles, kind in (("HELIX", ideal_folds.HELIX, "H"), ("STRAND", ideal_folds.STRAND, "E")):
        array, sequence = ideal_folds.bundle(rng, 2, 12, angles=angles, apart=14.0)
        put_proteins(warehouse, {name: sequence})
        add_structures(warehouse, [ideal_folds.write(tmp_path / f"{name}.cif", array, sequence)])
        found = ask(
            warehouse,
            "select string_agg(coalesce(secondary_structure, '-'), '' order by position) "
            f"from structure_residues where structure = '{name}:A'",
        )
        assert found[0][0][1:10] == kind * 9
        assert found[0][0][12:16] == "----"


def test_a_model_of_c_alphas_has_secondary_structure_and_no_exposure(warehouse: Path, tmp_path: Path) -> None:
    put_proteins(warehouse, {"P12345": SEQUENCE})
    add_structures(warehouse, [write(tmp_path / "P12345.pdb", helix(SEQUENCE))])
    found = ask(
        warehouse, "select secondary_structure, count(*), count(relative_exposure), count(plddt) "
        "from structure_residues group by all order by all",
    )  # fmt: skip
    assert found == [("C", 2, 0, 0), ("H", 48, 0, 0)]


def test_a_residue_with_a_missing_atom_has_no_exposure(warehouse: Path, tmp_path: Path) -> None:
    array, sequence = ideal_folds.bundle(np.random.default_rng(2), 2, 12)
    cut = array[(array.res_id != 3) | np.isin(array.atom_name, ["N", "CA", "C", "O"])]
    put_proteins(warehouse, {"P": sequence.replace("G", "A")[:2] + "K" + sequence[3:]})
    cut.res_name[cut.res_id == 3] = "LYS"
    sequence = sequence[:2] + "K" + sequence[3:]
    put_proteins(warehouse, {"Q": sequence})
    add_structures(warehouse, [ideal_folds.write(tmp_path / "Q.cif", cut, sequence)])
    missing = ask(
        warehouse, "select position from structure_residues where relative_exposure is null order by 1"
    )
    assert [position for (position,) in missing] == [3, 13, 14, 15, 16]


def test_plddt_is_kept_of_predictions_alone(warehouse: Path, tmp_path: Path) -> None:
    put_proteins(warehouse, {"P12345": SEQUENCE})
    title = ["TITLE     ALPHAFOLD MONOMER V2.0 PREDICTION FOR X (P12345)"]
    add_structures(
        warehouse,
        [
            write(tmp_path / "AF-P12345-F1-model_v4.pdb", title, lines(SEQUENCE, b=87.5)),
            write(tmp_path / "P12345.pdb", lines(SEQUENCE, b=87.5)),
        ],
    )
    found = ask(
        warehouse, "select structure, min(plddt), count(plddt) from structure_residues group by 1 order by 1"
    )
    assert found == [
        ("AF-P12345-F1-model_v4:A", 87.5, 50), ("P12345:A", None, 0),
    ]  # fmt: skip


def test_contacts_are_those_of_a_tree(real: Path) -> None:
    structures = [name for (name,) in ask(real, "select structure from structures order by 1")]
    for name in structures:
        rows = ask(
            real,
            "select position, x, y, z from structure_residues where structure = ? and x is not null "
            "order by position",
            [name],
        )
        position = np.array([row[0] for row in rows])
        xyz = np.array([row[1:] for row in rows], float)
        pairs = scipy.spatial.cKDTree(xyz).query_pairs(8.0)
        expected = sorted((position[i], position[j]) for i, j in pairs)
        found = ask(
            real, "select position, other_position, distance from structure_contacts where structure = ? "
            "order by all", [name],
        )  # fmt: skip
        assert [row[:2] for row in found] == expected
        at = {p: i for i, p in enumerate(position)}
        by_hand = [np.linalg.norm(xyz[at[i]] - xyz[at[j]]) for i, j, _ in found]
        assert [row[2] for row in found] == pytest.approx(by_hand)


def test_atoms_that_no_protein_fills_are_refused(warehouse: Path, tmp_path: Path) -> None:
    put_proteins(warehouse, {"P12345": SEQUENCE})
    body = [
        atom(NAMES[one], i + 1, x=3.8 * i + 4000 * (i % 2), y=4000.0 * (i % 3), z=4000.0 * (i % 2))
        for i, one in enumerate(SEQUENCE)
    ]
    with pytest.raises(InputError, match=r"atoms are spread over .* Å, which no protein chain is"):
        add_structures(warehouse, [write(tmp_path / "P12345.pdb", ["SEQRES"], body)])
    assert ask(warehouse, "select count(*) from structures") == [(0,)]
