"""Structures as part of the warehouse: replaced, removed, verified, killed on the way; and hostile files."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from annotations_helpers import ask, put_proteins
from structure_files import NAMES, SEQUENCE, atom, cif_atom, lines, loop, placed, seqres, structures, write

import interplm_wh
from interplm_wh import store
from interplm_wh.ask import info, verify
from interplm_wh.errors import CheckError, InputError
from interplm_wh.remove import remove_proteins
from interplm_wh.store import layout
from interplm_wh.structures import add_structures, file, view_structure

OTHER = "GSVWTHPEQKLCDNRAFYIMGKTPWSEHAVQLRNDCFYTIKGMWPSEHLV"


@pytest.fixture
def two(warehouse: Path) -> Path:
    return put_proteins(warehouse, {"P12345": SEQUENCE, "Q00001": OTHER})


@pytest.fixture
def pair(two: Path, tmp_path: Path) -> Path:
    """A warehouse with one structure of each of two proteins, added one after the other."""
    add_structures(two, [write(tmp_path / "x.pdb", lines(SEQUENCE))])
    add_structures(two, [write(tmp_path / "y.pdb", lines(OTHER, first=101))])
    return two


def on_disk(warehouse: Path) -> list[Path]:
    return sorted((warehouse / layout.STRUCTURES).glob("*"))


def named(warehouse: Path) -> list[Path]:
    return [warehouse / name for (name,) in ask(warehouse, "select distinct file from structures order by 1")]


# -- the life of a structure -----------------------------------------------------------------------


def test_adding_the_same_file_again_changes_nothing(pair: Path, tmp_path: Path) -> None:
    before = (pair / layout.CATALOGUE).read_bytes()
    (tmp_path / "map.csv").write_text("accession,structure,chain\nP12345,x,A\n")
    again = add_structures(pair, [tmp_path / "x.pdb", tmp_path / "y.pdb"], mapping=tmp_path / "map.csv")
    assert (again.placed, again.written.n_present) == ((), 2)
    assert (pair / layout.CATALOGUE).read_bytes() == before


def test_another_file_of_the_name_takes_its_place(pair: Path, tmp_path: Path) -> None:
    changed = write(tmp_path / "x.pdb", lines(SEQUENCE, chain="B", first=201))
    report = add_structures(pair, [changed])
    assert report.written.n_replaced == 1
    assert structures(pair) == [("x:B", "P12345"), ("y:A", "Q00001")]
    assert placed(pair, "x:B")[0] == (1, 201, None)
    assert placed(pair, "y:A")[0] == (1, 101, None)
    assert ask(pair, "select count(*) from structure_residues") == [(100,)]
    assert verify(pair).is_sound


def test_removing_a_protein_removes_its_structures(pair: Path) -> None:
    remove_proteins(pair, ["P12345"])
    assert structures(pair) == [("y:A", "Q00001")]
    assert ask(pair, "select distinct protein_id from structure_residues") == [(0,)]
    assert verify(pair).is_sound


def test_vacuum_removes_what_no_catalogue_names_and_nothing_else(pair: Path) -> None:
    (pair / layout.STRUCTURES / "mine.pdb").write_text("not of the warehouse")
    remove_proteins(pair, ["P12345"])
    assert store.vacuum(pair, min_age_seconds=0).n_structures == 0  # the catalogue before names it
    with store.write(pair, command="test") as tx:
        tx.publish()
    assert len(on_disk(pair)) == 3
    kept = store.vacuum(pair)
    assert (kept.n_structures, kept.n_kept >= 1) == (0, True)  # younger than a day
    assert store.vacuum(pair, min_age_seconds=0).n_structures == 1
    assert on_disk(pair) == sorted([*named(pair), pair / layout.STRUCTURES / "mine.pdb"])


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_verify_compares_the_files_and_adding_again_mends_them(
    pair: Path, tmp_path: Path, damage: str
) -> None:
    (first, _) = named(pair)
    if damage == "changed":
        first.write_text(first.read_text().replace("20.00", "21.00"))
    else:
        first.unlink()
    (fault,) = verify(pair).faults
    assert f"structures/{first.name}" in fault and damage in fault
    with interplm_wh.open(pair) as wh, pytest.raises(CheckError, match=damage):
        view_structure(wh, "P12345")
    assert add_structures(pair, [tmp_path / "x.pdb"]).written.n_restored == 1
    assert verify(pair).is_sound


def test_a_table_that_names_a_file_elsewhere_is_not_followed(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with store.write(pair, command="test") as tx:
        folder = tx.new_folder("structures")
        tx.write_query(folder, "select * replace ('structures/../../secret' as file) from structures")
        tx.replace("structures", [folder])
        tx.publish()
    assert "is no file of structures" in verify(pair).faults[0]
    with interplm_wh.open(pair) as wh, pytest.raises(CheckError, match="missing"):
        view_structure(wh, "P12345")


def test_info_counts_structures(pair: Path) -> None:
    assert info(pair).structures == [
        {"source": "file", "n_structures": 2, "n_proteins": 2, "n_residues": 100}
    ]


# -- interrupted -----------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from interplm_wh.store import catalogue, staging
from interplm_wh.structures import add_structures
from interplm_wh.structures.writer import StructureWriter

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "before moving":
    StructureWriter._move = die
elif sys.argv[3] == "before publishing":
    catalogue.write = die
else:
    staging.Staging.forget_moves = die
add_structures(sys.argv[1], [sys.argv[2]])
"""


@pytest.mark.parametrize(
    ("moment", "n_expected"), [("before moving", 0), ("before publishing", 0), ("after publishing", 1)]
)
def test_a_command_killed_at_any_moment_leaves_nothing_half_written(
    two: Path, tmp_path: Path, moment: str, n_expected: int
) -> None:
    source = write(tmp_path / "x.pdb", lines(SEQUENCE))
    killed = subprocess.run([sys.executable, "-c", KILLED, two, source, moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(structures(two)) == n_expected
    assert all(path.read_bytes() == source.read_bytes() for path in on_disk(two))
    assert verify(two).is_sound
    add_structures(two, [source])
    assert structures(two) == [("x:A", "P12345")]
    assert on_disk(two) == named(two)
    assert list((two / layout.STAGING).iterdir()) == []


FULL = """
import resource, sys
from interplm_wh.structures import add_structures
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    add_structures(sys.argv[1], [sys.argv[2]])
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


@pytest.mark.parametrize("n_bytes", [1_000, 10_000])
def test_a_full_disk_leaves_nothing_behind(two: Path, tmp_path: Path, n_bytes: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != n_bytes
    source = write(tmp_path / "x.pdb", lines(SEQUENCE))  # 4,104 bytes; the catalogue takes more than 10,000
    full = subprocess.run(
        [sys.executable, "-c", FULL, two, source, str(n_bytes)], capture_output=True, check=False
    )
    assert full.returncode == 3, full.stderr
    assert structures(two) == []
    assert on_disk(two) == []
    assert list((two / "lake").rglob("structures*/*/*.parquet")) == []
    assert verify(two).is_sound


# -- hostile files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.pdb", b"", "is empty"),
        ("x.pdb", b" \n\n", "is empty"),
        ("x.cif", bytes(range(256)) * 40, "is a binary file"),
        ("x.cif", b"<html><body>404</body></html>", "is of no known kind"),
        ("x.cif", b"data_x\n_entry.id x\n", "cannot be read as a structure"),
        ("x.cif", b"data_x\nloop_\n_atom_site.id\n_atom_site.x\n1 2 3\n", "cannot be read as a structure"),
        ("x.pdb", b"ATOM  nonsense nonsense nonsense\n", "cannot be read as a structure"),
        ("x.pdb.gz", gzip.compress(b"ATOM" * 9000, mtime=0)[:-20], "truncated gzip"),
        ("x.pdb.gz", gzip.compress(b"ATOM" * 9000, mtime=0)[:30] + b"zzzzzz", "gzip"),
        ("x.pdb", ("\n".join(lines("A" * 30))).replace("ALA", " DA").encode(), "has no protein chain"),
    ],
)
def test_what_is_no_structure_is_named_and_refused(
    two: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        add_structures(two, [tmp_path / name])
    assert name in str(error.value)
    assert structures(two) == []
    assert on_disk(two) == []


def test_a_file_that_claims_too_much_is_not_read(two: Path, tmp_path: Path) -> None:
    with (tmp_path / "x.pdb").open("wb") as handle:
        handle.truncate(2 << 30)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"has 2,147 MB, and 537 MB are the most"):
        add_structures(two, [tmp_path / "x.pdb"])
    assert time.monotonic() - start < 5


def test_a_gzip_bomb_is_unpacked_to_the_limit_only(tmp_path: Path) -> None:
    (tmp_path / "x.pdb.gz").write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(InputError, match="has more when it is unpacked"):
        file.read(tmp_path / "x.pdb.gz", max_bytes=1 << 20)
    packed = b"".join(gzip.compress(b"ATOM  \n" * 1000) for _ in range(5))
    (tmp_path / "x.pdb.gz").write_bytes(packed)
    assert file.read(tmp_path / "x.pdb.gz").data == b"ATOM  \n" * 5000


SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", [f"{SCRIPT.replace('/', '')}.pdb", "..pdb", "..\\..\\x.pdb", "é a;b'\".pdb"])
def test_a_name_never_becomes_a_path_or_a_tag(two: Path, tmp_path: Path, name: str) -> None:
    write(tmp_path / name, lines(SEQUENCE))
    add_structures(two, [tmp_path / name])
    ((found, kept),) = ask(two, "select name, file from structures")
    assert not set(found) & set("<>/\\'\"&; ")
    assert (two / kept).resolve().parent == two / layout.STRUCTURES
    assert verify(two).is_sound


def test_names_that_are_made_safe_stay_apart() -> None:
    made = {file.safe_name(Path(name)) for name in ("a b.pdb", "a-b.pdb", "a?b.cif", "a" * 300, "..")}
    assert len(made) == 5
    assert max(map(len, made)) <= 64


def test_a_script_in_a_block_or_chain_is_no_name(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i, i) for i, one in enumerate(SEQUENCE, start=1)]
    (tmp_path / "x.cif").write_text(f"data_{SCRIPT}\n" + loop("atom_site", atoms))
    add_structures(two, [tmp_path / "x.cif"])
    assert structures(two) == [("x:A", "P12345")]


@pytest.mark.parametrize("column", ["auth_asym_id", "auth_comp_id", "pdbx_PDB_ins_code"])
def test_a_script_for_a_name_within_the_file_is_refused(two: Path, tmp_path: Path, column: str) -> None:
    atoms = [cif_atom(NAMES[one], i, i) for i, one in enumerate(SEQUENCE, start=1)]
    atoms[3][column] = SCRIPT
    (tmp_path / "y.cif").write_text("data_y\n" + loop("atom_site", atoms))
    with pytest.raises(InputError, match=r"names a .* '<script>.*', which is no name of one"):
        add_structures(two, [tmp_path / "y.cif"])


@pytest.mark.parametrize("number", ["99999999999999999999", "1.5", "x"])
def test_a_number_that_is_none_is_refused(two: Path, tmp_path: Path, number: str) -> None:
    atoms = [cif_atom(NAMES[one], i, i) for i, one in enumerate(SEQUENCE, start=1)]
    scheme = [
        {"asym_id": "A", "seq_id": i, "mon_id": NAMES[one], "pdb_seq_num": i}
        for i, one in enumerate(SEQUENCE, start=1)
    ]
    for change in (atoms[3], scheme[3]):
        before = dict(change)
        change.update({key: number for key in change if key in ("auth_seq_id", "pdb_seq_num")})
        text = loop("pdbx_poly_seq_scheme", scheme) + loop("atom_site", atoms)
        (tmp_path / "x.cif").write_text("data_x\n" + text)
        with pytest.raises(InputError, match="cannot be read as a structure"):
            add_structures(two, [tmp_path / "x.cif"])
        change.update(before)


def test_atoms_without_coordinates_are_missing(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i, i) for i, one in enumerate(SEQUENCE, start=1)]
    atoms[3]["Cartn_x"] = "nan"
    atoms[4]["B_iso_or_equiv"] = "?"
    (tmp_path / "x.cif").write_text("data_x\n" + loop("atom_site", atoms))
    add_structures(two, [tmp_path / "x.cif"])
    assert [row[0] for row in placed(two, "x:A")] == [i for i in range(1, 51) if i != 4]
    assert verify(two).is_sound


def test_all_bad_files_are_in_one_message_or_left_out(two: Path, tmp_path: Path) -> None:
    write(tmp_path / "good.pdb", lines(SEQUENCE))
    (tmp_path / "bad.cif").write_bytes(b"")
    write(tmp_path / "worse.pdb", lines("WC" * 20))
    with pytest.raises(InputError, match=r"(?s)2 faults.*bad\.cif is empty.*worse\.pdb: no chain fits"):
        add_structures(two, [tmp_path])
    report = add_structures(two, [tmp_path], skip_bad=True)
    assert len(report.bad) == 2
    assert "  2 files are left out:" in report.lines()
    assert structures(two) == [("good:A", "P12345")]


def test_two_files_of_one_name_are_refused(two: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    paths = [write(tmp_path / "x.pdb", lines(SEQUENCE)), write(tmp_path / "a/x.ent", lines(SEQUENCE))]
    with pytest.raises(InputError, match="have one name"):
        add_structures(two, paths)
    with pytest.raises(InputError, match="holds no file with one of"):
        add_structures(two, [two / "lake"])


def test_structures_need_proteins(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run add proteins first"):
        add_structures(warehouse, [write(tmp_path / "x.pdb", lines(SEQUENCE))])


def test_the_command_says_what_it_did_and_which_package_it_lacks(two: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "x.pdb", lines(SEQUENCE))
    command = ["-w", str(two), "add", "structures", str(source), "--chain", "A"]
    done = subprocess.run([sys.executable, "-m", "interplm_wh", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "x:A on P12345, by its sequence (contained): 50 residues, 100.0 % of the protein" in done.stdout
    lacking = f"import sys; sys.modules['biotite'] = None; sys.argv[1:] = {command!r}\n"
    script = lacking + "from interplm_wh.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ}, check=False
    )
    assert done.returncode == 1
    assert "pip install 'interplm-wh[dashboard]'" in done.stderr


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"x": float("nan")}, "has no protein chain"),
        ({"x": 0.0}, "has 50 C-alphas at 1 places"),
        (None, "spread over"),
    ],
)
def test_a_file_without_places_takes_the_place_of_nothing(
    two: Path, tmp_path: Path, place: dict[str, float] | None, message: str
) -> None:
    add_structures(two, [write(tmp_path / "P12345.pdb", lines(SEQUENCE))])
    before = placed(two, "P12345:A")
    rows = [
        atom(NAMES[one], i + 1, **(place or dict.fromkeys("xyz", 180.0 * i)))
        for i, one in enumerate(SEQUENCE)
    ]
    (tmp_path / "bad").mkdir()
    bad = write(tmp_path / "bad" / "P12345.pdb", seqres(SEQUENCE), rows)
    other = write(tmp_path / "other.pdb", lines(SEQUENCE))
    with pytest.raises(InputError, match=message):
        add_structures(two, [bad, other])
    report = add_structures(two, [bad, other], skip_bad=True)
    assert [message in fault for fault in report.bad] == [True]
    assert [row["structure"] for row in report.placed] == ["other:A"]
    assert placed(two, "P12345:A") == before and len(before) == 50
    assert verify(two).is_sound


def test_a_damaged_file_names_the_one_that_was_left_out_for_it(two: Path, tmp_path: Path) -> None:
    whole = write(tmp_path / "x.pdb", lines(SEQUENCE))
    (tmp_path / "x.cif").write_text("data_x\nloop_\n_atom_site.id\n")
    with pytest.raises(InputError, match=f"(?s)x.cif.*{whole.name} is left out: x.cif says more"):
        add_structures(two, [tmp_path], skip_bad=True)


def test_a_chain_whose_residues_are_all_missing_is_refused(two: Path, tmp_path: Path) -> None:
    atoms = [cif_atom(NAMES[one], i, i) | {"Cartn_x": "1e300"} for i, one in enumerate(SEQUENCE, start=1)]
    scheme = [{"asym_id": "A", "seq_id": i, "mon_id": NAMES[one]} for i, one in enumerate(SEQUENCE, start=1)]
    path = tmp_path / "x.cif"
    path.write_text("data_x\n" + loop("atom_site", atoms) + loop("pdbx_poly_seq_scheme", scheme))
    with pytest.raises(InputError, match="no C-alpha with coordinates"):
        add_structures(two, [path])
