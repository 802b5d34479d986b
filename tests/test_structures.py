"""`add structures`: chains of files placed on the proteins of the warehouse."""

from __future__ import annotations

import csv
import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from annotations_helpers import ask, put_proteins
from hypothesis import given
from hypothesis import strategies as st
from structure_files import (
    NAMES,
    SEQUENCE,
    atom,
    cif_atom,
    lines,
    loop,
    placed,
    read_loop,
    seqres,
    structures,
    write,
)

import interplm_wh
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.structures import add_structures, place, view_file, view_structure
from interplm_wh.structures.chains import Chain, Residue

REAL = {"1A7G": 291, "1A8O": 151, "1GBT": 16, "2OFG": 1, "3JQH": -2, "4CUP": 1856, "4ZHL": 16}
OTHER = "GSVWTHPEQKLCDNRAFYIMGKTPWSEHAVQLRNDCFYTIKGMWPSEHLV"


@pytest.fixture
def two(warehouse: Path) -> Path:
    """A warehouse with two proteins that have nothing in common."""
    return put_proteins(warehouse, {"P12345": SEQUENCE, "Q00001": OTHER})


# -- real files ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(shared: Path) -> dict[str, dict[str, str]]:
    with (shared / "data/structures/proteins.csv").open(newline="") as file:
        return {row["structure"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the seven real structures, each matched by its sequence."""
    warehouse = interplm_wh.commands.init(tmp_path_factory.mktemp("structures") / "w")
    add_proteins(warehouse, [shared / "data/structures/proteins.csv"])
    report = add_structures(warehouse, [shared / "data/structures"])
    assert {row["matched_by"] for row in report.placed} == {"sequence"}
    assert "1A8O.pdb is left out: 1A8O.cif says more" in report.notes
    return warehouse


def expected(path: Path, chain: str) -> dict[int, tuple[object, ...]]:
    """By position: number, insertion code, x, y, z, B-factor; the sequence is the construct's own."""
    found: dict[int, tuple[object, ...]] = {}
    asym = {
        row["asym_id"] for row in read_loop(path, "pdbx_poly_seq_scheme") if row["pdb_strand_id"] == chain
    }
    for row in read_loop(path, "pdbx_poly_seq_scheme"):
        if row["asym_id"] in asym:
            code = None if row["pdb_ins_code"] == "." else row["pdb_ins_code"]
            found[int(row["seq_id"])] = (int(row["pdb_seq_num"]), code, None, None, None, None)
    best: dict[int, float] = {}
    for row in read_loop(path, "atom_site"):
        is_of_chain = row["label_asym_id"] in asym and row["pdbx_PDB_model_num"] == "1"
        if is_of_chain and row["label_atom_id"] == "CA" and row["label_seq_id"] != ".":
            seq = int(row["label_seq_id"])
            if float(row["occupancy"]) > best.get(seq, -1.0):
                best[seq] = float(row["occupancy"])
                code = None if row["pdbx_PDB_ins_code"] in ".?" else row["pdbx_PDB_ins_code"]
                numbers = (row[c] for c in ("Cartn_x", "Cartn_y", "Cartn_z", "B_iso_or_equiv"))
                found[seq] = (int(row["auth_seq_id"]), code, *(np.float32(n) for n in numbers))
    return found


@pytest.mark.parametrize("name", REAL)
def test_a_real_structure_is_placed_residue_by_residue(
    real: Path, shared: Path, table: dict[str, dict[str, str]], name: str
) -> None:
    row = table[name]
    rows = ask(
        real,
        "select r.position, r.residue_number, r.insertion_code, r.x, r.y, r.z, r.b_factor, r.amino_acid, "
        "substr(p.sequence, r.position, 1) from structure_residues as r join proteins as p "
        "using (protein_id) where p.accession = ? order by r.position",
        [row["accession"]],
    )
    assert {r[0]: r[1:7] for r in rows} == expected(shared / f"data/structures/{name}.cif", row["chain"])
    assert len(rows) == len(row["sequence"])
    assert all(r[7] == r[8] for r in rows)
    assert rows[0][1] == REAL[name]


def test_the_quirks_of_the_real_structures_are_there(real: Path) -> None:
    said = ask(real, "select structure, n_residues, n_residues_matched from structures order by structure")
    assert [row[0] for row in said] == [
        "1A7G:E", "1A8O:A", "1GBT:A", "2OFG:X", "3JQH:A", "4CUP:A", "4ZHL:U",
    ]  # fmt: skip
    assert said[4] == ("3JQH:A", 167, 23)
    codes = ask(
        real, "select structure, count(insertion_code) as n from structure_residues group by all having n > 0"
    )
    assert {structure for structure, _ in codes} == {"1GBT:A", "4ZHL:U"}
    assert ask(real, "select count(*) from structure_residues where residue_name = 'MSE'") == [(4,)]
    resolutions = dict(ask(real, "select structure, resolution from structures"))
    assert resolutions["1GBT:A"] == 2.0
    assert resolutions["2OFG:X"] is None  # NMR


def test_the_pdb_file_gives_what_the_mmcif_file_gives(shared: Path, table: dict[str, dict[str, str]]) -> None:
    folder = shared / "data/structures"
    one, other = (view_file(folder / f"1A8O.{e}", table["1A8O"]["sequence"]) for e in ("pdb", "cif"))
    assert one.residues == other.residues
    assert (one.format, other.format) == ("pdb", "mmcif")


def test_the_given_map_names_the_proteins(warehouse: Path, shared: Path) -> None:
    folder = shared / "data/structures"
    add_proteins(warehouse, [folder / "proteins.csv"])
    report = add_structures(warehouse, [folder / "1GBT.cif"], mapping=folder / "proteins.csv")
    assert [(r["accession"], r["matched_by"]) for r in report.placed] == [("P00760", "map")]
    assert "1a7g, 1a8o" in report.notes[0]


def test_contacts_are_those_of_numpy(real: Path) -> None:
    rows = ask(
        real, "select position, x, y, z from structure_residues where structure = '1GBT:A' order by all"
    )
    xyz = np.array([row[1:] for row in rows], float)
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    pairs = [(i + 1, j + 1) for i, j in np.argwhere(np.triu(distance <= 8.0, 1))]
    found = ask(real, "select position, other_position from protein_contacts('P00760') order by all")
    assert found == pairs
    near = ask(real, "select count(*), max(distance) from protein_contacts('P00760', max_distance := 5.0)")
    assert near[0][0] == int(np.triu(distance <= 5.0, 1).sum())
    assert near[0][1] <= 5.0


def test_a_viewer_gets_the_file_and_the_numbers(real: Path, shared: Path) -> None:
    with interplm_wh.open(real) as wh:
        view = view_structure(wh, "P00749")
        with pytest.raises(NotThereError, match="P00749 has no structure 9XYZ:A: there is 4ZHL:U"):
            view_structure(wh, "P00749", structure="9XYZ:A")
    assert view.text.encode() == (shared / "data/structures/4ZHL.cif").read_bytes()
    assert (view.structure, view.chain, view.format, view.source) == ("4ZHL:U", "U", "mmcif", "file")
    assert [(r.residue_number, r.insertion_code) for r in view.residues[21:24]] == [
        (37, ""), (37, "A"), (37, "B"),
    ]  # fmt: skip


# -- residues ------------------------------------------------------------------------------------


def test_both_chains_of_a_homodimer_are_placed(two: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "dimer.pdb", lines(SEQUENCE), ["TER"], lines(SEQUENCE, chain="B"))
    add_structures(two, [file])
    assert structures(two) == [("dimer:A", "P12345"), ("dimer:B", "P12345")]
    ranked = ask(two, "select rank, structure from protein_structures('P12345')")
    assert ranked == [(1, "dimer:A"), (2, "dimer:B")]


def test_chains_of_one_file_go_to_their_own_proteins(two: Path, tmp_path: Path) -> None:
    peptide = lines("GAGAG", chain="C")
    file = write(tmp_path / "x.pdb", lines(SEQUENCE), lines(OTHER, chain="B", first=101), peptide)
    add_structures(two, [file])
    assert structures(two) == [("x:A", "P12345"), ("x:B", "Q00001")]
    add_structures(two, [write(tmp_path / "y.pdb", lines(SEQUENCE), lines(OTHER, chain="B"))], chains=["B"])
    assert structures(two) == [("x:A", "P12345"), ("x:B", "Q00001"), ("y:B", "Q00001")]


def test_the_most_occupied_location_of_the_first_model_counts(two: Path, tmp_path: Path) -> None:
    body = lines(SEQUENCE)
    body[4] = atom("TYR", 5, x=1.0, alt="A", occupancy=0.4)
    body.insert(5, atom("TYR", 5, x=2.0, alt="B", occupancy=0.6))
    second = [line.replace(" 0.000   0.000", " 9.000   9.000") for line in lines(SEQUENCE)]
    file = write(
        tmp_path / "x.pdb", ["MODEL        1"], body, ["ENDMDL", "MODEL        2"], second, ["ENDMDL"]
    )
    add_structures(two, [file])
    assert ask(two, "select position, x, y from structure_residues where position in (5, 6)") == [
        (5, 2.0, 0.0), (6, pytest.approx(19.0), 0.0),
    ]  # fmt: skip


def test_water_ligands_and_ions_are_no_residues(two: Path, tmp_path: Path) -> None:
    others = [
        atom("GLU", 501, x=1.0, record="HETATM"),  # an amino acid that is no part of the chain
        atom("CA", 502, x=1.0, name="CA  ", record="HETATM"),  # calcium
        atom("HOH", 601, x=1.0, name=" O  ", record="HETATM"),
    ]
    add_structures(two, [write(tmp_path / "x.pdb", lines(SEQUENCE), ["TER"], others)])
    assert placed(two, "x:A") == [(i, i, None) for i in range(1, 51)]
    assert ask(two, "select n_residues from structures") == [(50,)]


def test_a_modified_residue_counts_as_its_parent(two: Path, tmp_path: Path) -> None:
    body = [atom("MSE", 1, record="HETATM"), *lines(SEQUENCE)[1:]]
    add_structures(two, [write(tmp_path / "x.pdb", body)])
    assert ask(two, "select residue_name, amino_acid from structure_residues where position = 1") == [
        ("MSE", "M")
    ]
    assert ask(two, "select pct_identity, fit from structures") == [(100.0, "contained")]


MISSING = (0, 1, 20, 21, 22, 49)
REMARK = [
    "REMARK 465   M RES C SSSEQI",
    *(f"REMARK 465     {NAMES[SEQUENCE[i]]} A  {i + 301:>4}" for i in MISSING),
]


@pytest.mark.parametrize("head", ["none", "seqres", "seqres and remark"])
def test_residues_missing_from_the_model_shift_nothing(two: Path, tmp_path: Path, head: str) -> None:
    heads = [*(seqres(SEQUENCE) if head != "none" else []), *(REMARK if "remark" in head else [])]
    add_structures(two, [write(tmp_path / "x.pdb", heads, lines(SEQUENCE, first=301, skip=MISSING))])
    assert placed(two, "x:A") == [(i + 1, i + 301, None) for i in range(50) if i not in MISSING]
    numbers = ask(two, "select position, residue_number from structure_residues where x is null order by all")
    said = {"none": [], "seqres": [(i + 1, None) for i in MISSING]}
    assert numbers == said.get(head, [(i + 1, i + 301) for i in MISSING])
    assert ask(two, "select n_residues_matched, pct_coverage from structures") == [(44, 88.0)]


def test_missing_residues_are_read_from_entity_poly_seq(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i + 1, i + 101) for i, one in enumerate(SEQUENCE) if i not in MISSING]
    poly = [{"entity_id": 1, "num": i + 1, "mon_id": NAMES[one]} for i, one in enumerate(SEQUENCE)]
    poly.insert(6, {"entity_id": 1, "num": 6, "mon_id": "GLY"})  # at one place with what stands before it
    other = cif_atom("GLY", 6, 106, Cartn_x=99)
    file = tmp_path / "x.cif"
    file.write_text("data_x\n" + loop("entity_poly_seq", poly) + loop("atom_site", [*atoms, other]))
    add_structures(two, [file])
    assert placed(two, "x:A") == [(i + 1, i + 101, None) for i in range(50) if i not in MISSING]
    assert ask(two, "select x from structure_residues where position = 6") == [(pytest.approx(22.8),)]


def test_a_repeat_is_placed_by_its_numbers_or_not_at_all(warehouse: Path, tmp_path: Path) -> None:
    unit = "GELPEKSKLQEIYQELTRLKAAV"
    put_proteins(warehouse, {"R": unit * 3})
    add_structures(warehouse, [write(tmp_path / "R.pdb", lines(unit, first=24))])
    assert placed(warehouse, "R:A") == [(i, i, None) for i in range(24, 47)]
    with pytest.raises(InputError, match="fits at several places, which begin at 1, 24, 47"):
        add_structures(warehouse, [write(tmp_path / "R.pdb", lines(unit, first=5))])


@given(st.integers(0, 2**32), st.integers(-400, 400), st.data())
def test_positions_follow_the_numbers_however_the_model_is_broken(
    seed: int, offset: int, data: st.DataObject
) -> None:
    letters = "".join(random.Random(seed).choices("ACDE", k=60))  # few letters, many repeats
    kept = [i for i in range(60) if data.draw(st.booleans(), label=str(i)) or i % 10 < 6]
    residues = tuple(Residue(NAMES[letters[i]], i + offset, "", (3.8 * i, 0.0, 0.0), 1.0) for i in kept)
    try:
        index = place.contained(Chain("A", residues, is_complete=False), letters, is_strict=True)
    except place.AmbiguousError:
        return
    assert index is not None
    shift = index - np.array(kept)
    assert (shift == shift[0]).all()  # the whole may fit elsewhere; no stretch moves against another
    assert "".join(letters[i] for i in index) == "".join(letters[i] for i in kept)


def test_a_substitution_is_placed_and_counted(two: Path, tmp_path: Path) -> None:
    mutant = SEQUENCE[:9] + "W" + SEQUENCE[10:]
    add_structures(two, [write(tmp_path / "x.pdb", lines(mutant))])
    assert placed(two, "x:A") == [(i, i, None) for i in range(1, 51)]
    assert ask(two, "select pct_identity, fit from structures") == [(98.0, "aligned")]


def test_tags_and_what_is_not_in_the_protein_have_no_position(two: Path, tmp_path: Path) -> None:
    construct = "GSHHHHHHWW" + SEQUENCE[10:45] + "WWHH"
    add_structures(two, [write(tmp_path / "x.pdb", lines(construct))])
    assert placed(two, "x:A") == [(i, i, None) for i in range(11, 46)]
    whole = write(tmp_path / "y.pdb", seqres("GSHM" + SEQUENCE), lines("GSHM" + SEQUENCE, first=-3))
    add_structures(two, [whole])
    assert placed(two, "y:A") == [(i, i, None) for i in range(1, 51)]


# -- which protein -------------------------------------------------------------------------------


def test_the_name_of_the_file_says_the_protein(warehouse: Path, tmp_path: Path) -> None:
    put_proteins(warehouse, {"P12345": SEQUENCE, "P99999": SEQUENCE})
    title = ["TITLE     ALPHAFOLD MONOMER V2.0 PREDICTION FOR X (P99999)"]
    files = [
        write(tmp_path / "P12345.pdb", lines(SEQUENCE)),
        write(tmp_path / "AF-P99999-F1-model_v4.pdb", title, lines(SEQUENCE, b=87.5)),
    ]
    add_structures(warehouse, files)
    assert structures(warehouse) == [("AF-P99999-F1-model_v4:A", "P99999"), ("P12345:A", "P12345")]
    assert ask(warehouse, "select matched_by, source, mean_plddt from structures order by structure") == [
        ("name", "alphafold", 87.5), ("name", "file", None),
    ]  # fmt: skip


def test_a_name_that_says_the_wrong_protein_is_refused_with_numbers(two: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "Q00001.pdb", lines(SEQUENCE))
    with pytest.raises(InputError) as error:
        add_structures(two, [file])
    assert "no chain fits Q00001, which the name of the file says" in str(error.value)
    assert "aligned residues agree" in str(error.value)
    assert "the chain has 50 residues, the protein 50" in str(error.value)


def test_the_map_goes_before_the_name(two: Path, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("structure,accession,chain\nP12345,Q00001,B\n")
    file = write(tmp_path / "P12345.pdb", lines(SEQUENCE), lines(OTHER, chain="B"))
    add_structures(two, [file], mapping=tmp_path / "map.csv")
    assert structures(two) == [("P12345:B", "Q00001")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("x,P55555,A\nx,,A\n", r"2 faults\n.*no protein P55555 in the warehouse\n.*lacks an accession"),
        ("x,P12345,Z\n", "names a chain Z; the file has A"),
        ("x,P12345,A\nx,P12345,\n", "names it twice"),
        ("x,Q00001,A\n", "no chain fits Q00001, which the map says"),
    ],
)
def test_a_wrong_map_is_refused(two: Path, tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "map.csv").write_text("structure,accession,chain\n" + rows)
    with pytest.raises(InputError, match=message):
        add_structures(two, [write(tmp_path / "x.pdb", lines(SEQUENCE))], mapping=tmp_path / "map.csv")
    assert structures(two) == []


def test_what_fits_nothing_lists_the_closest(two: Path, tmp_path: Path) -> None:
    half = SEQUENCE[:20] + "WCWCHWCWCHWCWCHWCWCHWCWCHWCWCH"
    with pytest.raises(InputError) as error:
        add_structures(two, [write(tmp_path / "x.pdb", lines(half))])
    assert "its 50 residues agree with none; the nearest: P12345 (20 of 2" in str(error.value)
    with pytest.raises(InputError, match="none shares 6 residues in a row with its 40 residues"):
        add_structures(two, [write(tmp_path / "x.pdb", lines("WC" * 20))])


def test_many_chains_that_fit_nothing_are_said_once_or_in_part(two: Path, tmp_path: Path) -> None:
    same = [line for chain in "ABCDEFG" for line in lines("WC" * 20, chain=chain)]
    with pytest.raises(InputError) as error:
        add_structures(two, [write(tmp_path / "x.pdb", same)])
    assert str(error.value).count("chain ") == 2  # "no chain fits" and chain A
    with pytest.raises(InputError, match=r"chain E: .*; and 2 more chains"):
        add_structures(two, [write(tmp_path / "P12345.pdb", same)])


def test_the_protein_that_has_most_of_a_chain_is_taken(warehouse: Path, tmp_path: Path) -> None:
    long = "MM" + SEQUENCE + "GG"
    put_proteins(warehouse, {"PART": SEQUENCE[10:35], "WHOLE": SEQUENCE, "LONG": long})
    files = [write(tmp_path / "x.pdb", seqres(SEQUENCE), lines(SEQUENCE))]
    files += [write(tmp_path / "y.pdb", lines(SEQUENCE[:9] + "W" + SEQUENCE[10:]))]  # by alignment
    add_structures(warehouse, files)
    assert structures(warehouse) == [("x:A", "WHOLE"), ("y:A", "WHOLE")]


def test_a_model_of_alphafold_says_so_in_its_mmcif(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i, i, B_iso_or_equiv=i) for i, one in enumerate(SEQUENCE, start=1)]
    base = "_database_2.database_id AlphaFoldDB\n_database_2.database_code AF-P12345-F1\n#\n"
    (tmp_path / "x.cif").write_text("data_x\n" + base + loop("atom_site", atoms))
    add_structures(two, [tmp_path / "x.cif"])
    assert ask(two, "select source, mean_plddt from structures") == [("alphafold", 25.5)]


def test_a_free_amino_acid_of_an_mmcif_is_no_residue(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i, i) for i, one in enumerate(SEQUENCE, start=1)]
    ligand = cif_atom("GLU", 0, 501) | {"group_PDB": "HETATM", "label_seq_id": ".", "label_asym_id": "B"}
    (tmp_path / "x.cif").write_text("data_x\n" + loop("atom_site", [*atoms, ligand]))
    add_structures(two, [tmp_path / "x.cif"])
    assert ask(two, "select n_residues, fit from structures") == [(50, "contained")]


def test_twins_are_not_guessed_between(warehouse: Path, tmp_path: Path) -> None:
    put_proteins(warehouse, {"P1": SEQUENCE, "P2": SEQUENCE, "LONG": "MM" + SEQUENCE + "GG"})
    with pytest.raises(InputError, match=r"fits 2 proteins of one length \(P1, P2\); say which with --map"):
        add_structures(warehouse, [write(tmp_path / "x.pdb", lines(SEQUENCE))])


def test_a_chain_without_a_name_is_placed(two: Path, tmp_path: Path) -> None:
    add_structures(two, [write(tmp_path / "x.pdb", lines(SEQUENCE, chain=" "))])
    assert structures(two) == [("x", "P12345")]
    assert ask(two, "select chain from structures") == [("",)]


def test_a_chain_that_is_not_there_is_named(two: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no chain Q; the file has A"):
        add_structures(two, [write(tmp_path / "x.pdb", lines(SEQUENCE))], chains=["Q"])


def test_gzip_is_kept_unpacked_and_the_bytes_are_the_same(two: Path, tmp_path: Path) -> None:
    plain = write(tmp_path / "x.pdb", lines(SEQUENCE)).read_bytes()
    (tmp_path / "x.pdb").unlink()
    (tmp_path / "x.ent.gz").write_bytes(gzip.compress(plain))
    add_structures(two, [tmp_path])
    ((file,),) = ask(two, "select file from structures")
    assert (two / file).read_bytes() == plain
