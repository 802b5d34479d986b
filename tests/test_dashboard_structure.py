"""The structure panel: what its page holds, what its charts hold, and what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import numpy as np
import polars as pl
import pytest
import vl_convert
from annotations_helpers import put_proteins
from http_server import Reply, Request, serve
from streamlit.testing.v1 import AppTest
from structure_files import NAMES, SEQUENCE, atom, cif_atom, helix, lines, loop, seqres, write

import interplm_wh
from interplm_wh import sqlfile
from interplm_wh.dashboard.charts.look import PLAIN, activation_scale, activation_stops
from interplm_wh.dashboard.charts.structure import contact_map, trace
from interplm_wh.dashboard.structure import library as libraries
from interplm_wh.dashboard.structure.library import Library
from interplm_wh.dashboard.structure.viewer import activation_colour, address, page, safe_json
from interplm_wh.errors import InputError
from interplm_wh.store import layout
from interplm_wh.structures import add_structures, alphafold, alphafold_cache, read_drawing
from interplm_wh.structures.file import Format

CHECKOUT = Path(__file__).resolve().parents[1]
HOSTILE = "</script><script>alert(1)</script>"
LOCAL = Library("/* 3Dmol */")


def drawn(text: str, residues: pl.DataFrame, form: Format = "pdb") -> dict[str, Any]:
    """Return what the page tells its script."""
    html = page(read_drawing(text, form, name="x"), residues, what="feature 5", library=LOCAL)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def placed(*rows: tuple[int, str, int, str, float | None]) -> pl.DataFrame:
    """Return residues: position, chain, number, insertion code, activation."""
    columns = ["position", "chain", "residue_number", "insertion_code", "activation"]
    table = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return table.with_columns(pl.lit("A").alias("amino_acid"), pl.col("activation").cast(pl.Float64))


def text_of(*parts: list[str]) -> str:
    return "\n".join([*(line for part in parts for line in part), "END", ""])


def colours(data: Mapping[str, Any]) -> list[str]:
    return [residue[4] for residue in data["residues"]]


def groups(data: Mapping[str, Any]) -> list[str]:
    return [residue[3] for residue in data["residues"]]


# -- the page --------------------------------------------------------------------------------------


def coloured(activation: float) -> str:
    return activation_colour(activation, dark=False)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_are_those_of_the_charts(dark: bool) -> None:
    values = [0.0, 0.03, 0.25, 0.5, 0.77, 1.0]
    rows = alt.Chart(pl.DataFrame({"i": range(len(values)), "activation": values}))
    chart = rows.mark_rect().encode(
        x="i:O", color=alt.Color("activation:Q", scale=activation_scale(dark=dark), legend=None)
    )
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    drawn_as = re.findall(r'aria-roledescription="rect mark"[^>]*fill="rgb\(([^)]*)\)"', svg)
    theirs = [tuple(map(int, one.split(","))) for one in drawn_as]
    assert len(theirs) == len(values)
    for value, theirs_of_it in zip(values, theirs, strict=True):
        ours = tuple(bytes.fromhex(activation_colour(value, dark=dark)[1:]))
        assert max(abs(a - b) for a, b in zip(ours, theirs_of_it, strict=True)) <= 1, value
    ends = [activation_colour(value, dark=dark) for value in (-1, 0, 1, 7)]
    assert ends == [activation_stops(dark=dark)[i] for i in (0, 0, -1, -1)]


def test_residues_are_told_apart_by_chain_number_and_insertion_code() -> None:
    # 10, 10A and 10B of chain A, and 10 of chain B
    rows = [
        atom("ALA", 10, x=0.0), atom("ALA", 10, x=3.8, code="A"), atom("ALA", 10, x=7.6, code="B"),
        atom("ALA", 10, x=50.0, chain="B"), atom("ALA", 11, x=53.8, chain="B"),
    ]  # fmt: skip
    data = drawn(
        text_of(rows), placed((1, "A", 10, "", None), (2, "A", 10, "A", 1.0), (3, "A", 10, "B", 0.5))
    )
    assert colours(data) == [
        PLAIN,
        coloured(1.0),
        coloured(0.5),
        PLAIN,
        PLAIN,
    ]
    assert groups(data) == ["own-trace"] * 3 + ["rest-trace"] * 2
    assert data["said"] == [
        ["A", 1, "A 10", None],
        ["A", 2, "A 10A", 1.0],
        ["A", 3, "A 10B", 0.5],
        None,
        None,
    ]
    assert data["strongest"] == 1
    orders = [residue[1] for residue in data["residues"]]
    assert np.diff(orders).tolist() == [1, 1, 2, 1]  # the second chain does not go on from the first


def test_activation_zero_and_none_are_grey() -> None:
    data = drawn(
        text_of(lines("AAA")), placed((1, "A", 1, "", 0.0), (2, "A", 2, "", None), (3, "A", 3, "", 0.01))
    )
    assert colours(data) == [PLAIN, PLAIN, coloured(0.01)]


def test_missing_residues_break_the_chain_and_a_longer_structure_is_not_of_the_protein() -> None:
    # residues 1 to 8 without 4 and 5; 7 and 8 are a tag that the protein does not have
    rows = lines("ACDEFGHI", skip=(3, 4))
    own = placed(*((i, "A", i, "", 1.0) for i in range(1, 7)))
    data = drawn(text_of(rows), own)
    assert groups(data) == ["own-trace"] * 4 + ["rest-trace"] * 2
    assert np.diff([residue[1] for residue in data["residues"]]).tolist() == [1, 1, 2, 1, 1]
    assert [said[1] for said in data["said"] if said] == [1, 2, 3, 6]


def test_a_cartoon_needs_oxygens_and_gets_folds() -> None:
    data = drawn(text_of(helix("A" * 20)), placed(*((i, "A", i, "", None) for i in range(1, 21))))
    assert set(groups(data)) == {"own-cartoon"}
    assert [residue[2] for residue in data["residues"]].count("h") >= 15
    assert data["atoms"]["names"][:2] == ["CA", "O"]
    assert data["strongest"] is None


def test_of_an_mmcif_file_the_first_model_and_its_insertion_codes_are_drawn() -> None:
    rows = [
        cif_atom("ALA", 1, 7),
        cif_atom("ALA", 2, 7, pdbx_PDB_ins_code="A"),
        cif_atom("ALA", 1, 7, pdbx_PDB_model_num=2, Cartn_x=99),
        cif_atom("ALA", 2, 7, pdbx_PDB_ins_code="A", pdbx_PDB_model_num=2, Cartn_x=99),
    ]
    data = drawn(
        "data_x\n#\n" + loop("atom_site", rows), placed((1, "A", 7, "", None), (2, "A", 7, "A", 1.0)), "mmcif"
    )
    assert colours(data) == [PLAIN, coloured(1.0)]
    assert [abs(v) for v in data["atoms"]["xyz"]] == [1.9, 0, 0, 1.9, 0, 0]


def test_of_alternative_locations_the_most_occupied_is_drawn_and_water_is_not() -> None:
    rows = [
        atom("ALA", 1, x=0.0, alt="B", occupancy=0.3), atom("ALA", 1, x=1.0, alt="C", occupancy=0.7),
        atom("ALA", 2, x=3.8), atom("HOH", 90, x=9.0, name=" O  ", record="HETATM"),
        atom(" ZN", 91, x=5.0, name="ZN  ", record="HETATM"),
    ]  # fmt: skip
    data = drawn(text_of(rows), placed((1, "A", 1, "", None), (2, "A", 2, "", None)))
    along = np.array(data["atoms"]["xyz"][::3])
    assert np.abs(np.diff(along)) == pytest.approx([2.8, 1.2])  # at 1.0, 3.8 and 5.0
    assert groups(data) == ["own-trace", "own-trace", "ligand"]


def test_the_structure_is_turned_to_its_widest_side_and_not_mirrored() -> None:
    rows = helix("A" * 30)  # along z
    data = drawn(text_of(rows), placed(*((i, "A", i, "", None) for i in range(1, 31))))
    turned = np.array(data["atoms"]["xyz"]).reshape(-1, 3)
    given = np.array([[float(row[i : i + 8]) for i in (30, 38, 46)] for row in rows])
    spread = np.ptp(turned, axis=0)
    assert spread[0] > 40 > 8 > spread[1]
    # the same distances, and the same hand: the triple product of three bonds keeps its sign
    assert np.linalg.norm(turned[7] - turned[40]) == pytest.approx(math.dist(given[7], given[40]), abs=0.03)
    assert np.linalg.det(np.diff(turned[:8:2], axis=0)) == pytest.approx(
        np.linalg.det(np.diff(given[:8:2], axis=0)), rel=0.02
    )


def test_no_text_of_a_file_can_end_a_script() -> None:
    rows = [
        f"TITLE     {HOSTILE}",
        f"REMARK 999 {HOSTILE}",
        *lines("AAA"),
        atom("</s", 9, chain="<", record="HETATM"),
    ]
    html = page(
        read_drawing(text_of(rows), "pdb", name=HOSTILE),
        placed((1, "A", 1, "", 1.0)).with_columns(pl.lit(HOSTILE).alias("amino_acid")),
        what=HOSTILE,
        library=Library(f"3Dmol {HOSTILE}\u2028"),
    )
    assert html.count("<script") == html.count("</script") == 2
    assert "alert(1)</script>" not in html
    data = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert data
    told = json.loads(data[1])
    assert told["library"]["text"] == f"3Dmol {HOSTILE}\u2028"
    assert (told["said"][0][0], told["residues"][-1][0]) == (HOSTILE, "<")


@pytest.mark.parametrize("text", ["</script>", "<!--", "a & b", "\u2028\u2029", "\\u003c", '"'])
def test_safe_json_says_the_same_without_a_character_of_markup(text: str) -> None:
    found = safe_json({"a": [text]})
    assert json.loads(found) == {"a": [text]}
    assert not set(found) & set("<>&\u2028\u2029")


def test_the_policy_names_the_two_scripts_by_their_checksums_and_allows_no_connection() -> None:
    html = page(read_drawing(text_of(lines("AAA")), "pdb", name="x"), placed(), what="x", library=LOCAL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy and script
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in (script[1], LOCAL.text or "")
    ]
    assert f"script-src {hashes[0]} {hashes[1]};" in policy[1]
    assert policy[1].startswith("default-src 'none'") and "connect-src" not in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert base64.b64decode(address(html).partition("base64,")[2]).decode() == html


# -- 3Dmol.js --------------------------------------------------------------------------------------


def test_3dmol_comes_from_the_network_unless_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(libraries.VARIABLE, raising=False)
    assert libraries.library().json == {"url": libraries.URL, "integrity": libraries.INTEGRITY}
    assert f"3dmol@{libraries.VERSION}/" in libraries.URL
    assert f"npm install 3dmol@{libraries.VERSION}\n" in (CHECKOUT / "docs" / "structures.md").read_text()
    (tmp_path / "mine.js").write_text("/* 3Dmol */")
    monkeypatch.setenv(libraries.VARIABLE, str(tmp_path / "mine.js"))
    assert libraries.library() == LOCAL


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"\xff3Dmol", "no text"), (b"alert(1)", "is not 3Dmol.js")],
)
def test_a_wrong_file_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.js"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(libraries.VARIABLE, str(path))
    with pytest.raises(InputError, match=message) as caught:
        libraries.library()
    assert f"${libraries.VARIABLE} names {path}" in str(caught.value)


# -- the charts ------------------------------------------------------------------------------------


def walk(n: int) -> pl.DataFrame:
    """A chain folded at random, 3.8 Å a step, every third residue active."""
    steps = np.random.default_rng(5).normal(size=(n, 3))
    xyz = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1)[:, None], axis=0)
    return pl.DataFrame(
        {
            "position": range(1, n + 1), "residue_number": range(101, n + 101), "insertion_code": [""] * n,
            "amino_acid": ["A"] * n, "x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2],
            "activation": [(i + 1) / n if i % 3 == 0 else None for i in range(n)],
        }
    )  # fmt: skip


def contacts(residues: pl.DataFrame, *, n_rows: int = 5000) -> pl.DataFrame:
    file = sqlfile.load("dashboard", "structure_contacts")
    values = {
        "positions": residues["position"].to_list(), "activations": residues["activation"].to_list(),
        **{axis: residues[axis].to_list() for axis in "xyz"}, "max_distance": 8.0, "n_rows": n_rows,
    }  # fmt: skip
    found = pl.from_arrow(duckdb.connect().sql(file.sql, params=file.bind(values)).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def test_contacts_are_the_pairs_within_the_distance() -> None:
    residues = walk(400)
    xyz = residues.select("x", "y", "z").to_numpy()
    distance = np.sqrt(((xyz[:, None] - xyz[None]) ** 2).sum(axis=2))
    expected = {(i + 1, j + 1) for i, j in zip(*np.nonzero(np.triu(distance <= 8, k=1)), strict=True)}
    found = contacts(residues, n_rows=100_000)
    assert {(a, b) for a, b in found.select("start", "other_start").iter_rows()} == expected
    assert found["n_contacts"].unique().to_list() == [1]
    strength = residues["activation"].to_list()
    for row in found.to_dicts():
        a, b = row["start"] - 1, row["other_start"] - 1
        assert row["distance"] == pytest.approx(distance[a, b])
        assert row["activation"] == max(
            (s for s in (strength[a], strength[b]) if s is not None), default=None
        )


@pytest.mark.parametrize("n_rows", [50, 500, 5000])
def test_contacts_are_thinned_to_cells_that_count_all(n_rows: int) -> None:
    residues = walk(1500)
    all_of_them, thin = contacts(residues, n_rows=100_000), contacts(residues, n_rows=n_rows)
    assert 0 < len(thin) <= n_rows
    assert thin["n_contacts"].sum() == len(all_of_them)
    width = thin["stop"][0] - thin["start"][0] + 1
    assert ((thin["start"] - 1) % width == 0).all()
    # half the width would have been too many
    halved = all_of_them.select(
        (pl.col("start") - 1) // (width // 2 or 1), (pl.col("other_start") - 1) // (width // 2 or 1)
    ).unique()
    assert width == 1 or len(halved) > n_rows


def test_a_structure_without_contacts_has_none() -> None:
    assert len(contacts(walk(1))) == 0
    assert contact_map(contacts(walk(1)), walk(1), dark=False).to_dict()


def rows_of(chart: Any) -> list[list[dict[str, Any]]]:
    return list(chart.to_dict()["datasets"].values())


def test_a_trace_is_flat_to_scale_and_has_a_gap_where_residues_are_missing() -> None:
    residues = walk(60).filter(~pl.col("position").is_between(20, 24))
    (rows,) = rows_of(trace(residues, dark=False))
    assert len(rows) == 55
    stretches = {row["position"]: row["stretch"] for row in rows}
    assert stretches[19] == 0 and stretches[25] == stretches[60] == 1
    # the plane of the largest spread: of the eigenvalues of the covariance the two largest
    flat = np.array([[row["u"], row["v"]] for row in rows])
    largest = np.sort(np.linalg.eigvalsh(np.cov(residues.select("x", "y", "z").to_numpy().T)))[:0:-1]
    assert np.var(flat, axis=0, ddof=1) == pytest.approx(largest)


def test_charts_of_a_very_long_protein_stay_small_and_keep_the_strongest() -> None:
    residues = walk(20_000)
    (rows,) = rows_of(trace(residues, dark=False))
    assert len(rows) <= 5000
    strongest = residues.sort("activation", descending=True, nulls_last=True)["position"][0]
    assert strongest in {row["position"] for row in rows}
    assert all(len(rows) <= 5000 for rows in rows_of(contact_map(contacts(residues), residues, dark=False)))


def test_a_single_residue_can_be_drawn() -> None:
    assert trace(walk(1), dark=False).to_dict()


# -- the panel -------------------------------------------------------------------------------------


def app(warehouse: str, accession: str, active: dict[int, float]) -> None:
    from pathlib import Path

    import polars as pl

    from interplm_wh.dashboard.reading import Reader
    from interplm_wh.dashboard.structure import panel

    reader = Reader(Path(warehouse))
    protein = reader.row("select accession, length from proteins where accession = $a", {"a": accession})
    assert protein is not None
    residues = pl.DataFrame(
        {"position": list(active), "activation": list(active.values())},
        schema={"position": pl.Int32, "activation": pl.Float32},
    )
    panel(reader, protein, residues, what="feature 5", key="structure")


Run = Callable[..., AppTest]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.delenv(libraries.VARIABLE, raising=False)
    monkeypatch.setenv(alphafold_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(alphafold.URL_VARIABLE, "http://127.0.0.1:9")  # nobody listens

    def start(
        warehouse: Path, accession: str = "P12345", active: Mapping[int, float] | None = None, **query: str
    ) -> AppTest:
        values = {2: 0.5, 3: 1.0} if active is None else dict(active)
        found = AppTest.from_function(app, default_timeout=60, args=(str(warehouse), accession, values))
        for name, value in query.items():
            found.query_params[name] = value
        found.run()
        assert not found.exception, found.exception[0].message
        return found

    return start


@pytest.fixture
def stored(warehouse: Path, tmp_path: Path) -> Path:
    """A warehouse whose P12345 has two structures, one of them without residues 3 to 5; `mine` has none."""
    put_proteins(warehouse, {"P12345": SEQUENCE, "Q00001": SEQUENCE[::-1], "mine": SEQUENCE[1:] + "A"})
    gap = write(tmp_path / "gap.pdb", lines(SEQUENCE, first=101, skip=(2, 3, 4)))
    add_structures(warehouse, [gap, write(tmp_path / "whole.pdb", lines(SEQUENCE))], mapping=_map(tmp_path))
    return warehouse


def _map(folder: Path) -> Path:
    (folder / "map.csv").write_text("accession,structure,chain\nP12345,gap,A\nP12345,whole,A\n")
    return folder / "map.csv"


def said(found: AppTest) -> str:
    parts = [*found.caption, *found.info, *found.warning, *found.error, *found.markdown]
    return " ".join(part.value for part in parts).replace("\\", "").replace(":red[]", "")


def frame_of(found: AppTest) -> dict[str, Any]:
    (frame,) = found.get("iframe")
    html = base64.b64decode(frame.proto.src.partition("base64,")[2]).decode()
    data = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert data and frame.proto.alt == "Structure in 3D, coloured by feature 5"
    told: dict[str, Any] = json.loads(data[1])
    return told


def test_the_best_structure_is_shown_and_its_residues_are_counted(stored: Path, run: Run) -> None:
    found = run(stored)
    assert found.selectbox[0].options == ["whole:A", "gap:A"]
    assert "whole, chain A: from a PDB file, 100.0 % identical to the sequence. 50 of 50 residues" in said(
        found
    )
    assert "All 2 residues where feature 5 is active are there." in said(found)
    data = frame_of(found)
    assert colours(data)[:4] == [
        PLAIN,
        coloured(0.5),
        coloured(1.0),
        PLAIN,
    ]
    assert data["said"][2] == [SEQUENCE[2], 3, "A 3", 1.0]


def test_the_address_names_the_structure_and_missing_residues_are_counted(stored: Path, run: Run) -> None:
    found = run(stored, structure_of="gap:A")
    assert "47 of 50 residues of the protein are in the structure." in said(found)
    assert "1 of the 2 residues where feature 5 is active is missing from it." in said(found)
    data = frame_of(found)
    assert data["said"][2] == [SEQUENCE[5], 6, "A 106", None]
    assert data["strongest"] == 1  # residue 2, as 3 is missing


def test_another_protein_has_its_own_structures(stored: Path, run: Run) -> None:
    found = run(stored, "mine", structure_of="gap:A")
    assert not found.selectbox and not found.get("iframe")
    assert "No structure of mine was added yet." in said(found)


@pytest.mark.parametrize(("how", "shape"), [("C-alpha trace", "line"), ("Contact map", "rect")])
def test_there_are_drawings_without_3d(stored: Path, run: Run, how: str, shape: str) -> None:
    found = run(stored, structure_as=how)
    (chart,) = found.get("vega_lite_chart")
    spec = json.loads(chart.proto.spec)
    assert spec["layer"][0]["mark"]["type"] == shape
    assert not found.get("iframe")


def test_the_contact_map_is_that_of_the_macro(stored: Path) -> None:
    with interplm_wh.open(stored) as wh:
        theirs = wh.polars("from protein_contacts('P12345') where structure = 'gap:A'")
        here = wh.polars("from structure_positions('P12345') where structure = 'gap:A' and x is not null")
    ours = contacts(here.with_columns(pl.lit(None, dtype=pl.Float64).alias("activation")))
    assert len(theirs) > 40
    assert ours.select("start", "other_start").rows() == theirs.select("position", "other_position").rows()


def test_a_feature_that_is_nowhere_leaves_the_structure_grey(stored: Path, run: Run) -> None:
    found = run(stored, active={})
    assert "Feature 5 is active on none of its residues." in said(found)
    assert set(colours(frame_of(found))) == {PLAIN}


def test_a_wrong_3dmol_is_said_and_a_trace_is_drawn(
    stored: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(libraries.VARIABLE, "/nowhere/3Dmol.js")
    found = run(stored)
    assert "$INTERPLM_WH_3DMOL names /nowhere/3Dmol.js, which cannot be read" in said(found)
    assert len(found.get("vega_lite_chart")) == 1


def test_a_lost_file_is_said_and_the_trace_comes_from_the_tables(stored: Path, run: Run) -> None:
    for path in (stored / layout.STRUCTURES).iterdir():
        path.unlink()
    found = run(stored)
    assert "is missing; add the structure again" in said(found)
    assert len(found.get("vega_lite_chart")) == 1


def test_a_structure_with_nothing_of_the_protein_in_it_is_refused_and_an_earlier_one_says_so(
    warehouse: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_proteins(warehouse, {"P12345": SEQUENCE})
    missing = [f"REMARK 465     {NAMES[one]} A {i:>5}" for i, one in enumerate(SEQUENCE, start=1)]
    tag = lines("HHHHHH", first=51)
    path = write(tmp_path / "P12345.pdb", missing, seqres(SEQUENCE + "HHHHHH"), tag)
    with pytest.raises(InputError, match="no C-alpha with coordinates at a residue of the protein"):
        add_structures(warehouse, [path])
    monkeypatch.setattr("interplm_wh.structures.rows._require_places", lambda *_: None)
    add_structures(warehouse, [path])
    found = run(warehouse)
    assert "0 of 50 residues of the protein are in the structure." in said(found)
    assert "no C-alpha at any residue of the protein" in said(found)
    assert found.code and not found.get("iframe")


def test_without_a_structure_there_is_something_to_do(stored: Path, run: Run) -> None:
    found = run(stored, "mine")
    assert not found.button
    assert found.code[0].value == f"interplm-wh -w {stored} add structures FILE"
    assert [button.label for button in run(stored, "Q00001").button] == ["Fetch the AlphaFold model"]


def test_alphafold_is_asked_on_a_click_alone_and_then_its_model_is_shown(
    stored: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = text_of(lines(SEQUENCE[::-1], b=91.0)).encode()

    def answer(request: Request) -> Reply:
        if request.path != "/api/prediction/Q00001":
            return Reply(model)
        entry = {"entryId": "AF-Q00001-F1", "uniprotAccession": "Q00001", "latestVersion": 6}
        return Reply(json.dumps([entry | {"pdbUrl": f"{server.url}/m.pdb"}]).encode())

    with serve(answer) as server:
        monkeypatch.setenv(alphafold.URL_VARIABLE, server.url)
        found = run(stored, "Q00001")
        assert server.requests == []
        found.button[0].click().run()
        assert not found.exception
        assert len(server.requests) == 2
    assert "AF-Q00001-F1, version 6: a prediction of AlphaFold, mean pLDDT 91.0." in said(found)
    assert "50 of 50 residues" in said(found)
    assert colours(frame_of(found))[2] == coloured(1.0)
    # from the cache at once, though the server is gone
    again = run(stored, "Q00001", structure_as="C-alpha trace")
    assert not again.button and len(again.get("vega_lite_chart")) == 1


def test_what_alphafold_answers_is_said_in_words(
    stored: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(stored, "Q00001")
    found.button[0].click().run()
    assert "http://127.0.0.1:9 cannot be reached" in said(found)
    with serve(lambda request: Reply(status=404)) as server:
        monkeypatch.setenv(alphafold.URL_VARIABLE, server.url)
        found = run(stored, "Q00001")
        found.button[0].click().run()
        assert "AlphaFold DB has no model of Q00001" in said(found)
        assert not found.button and found.code


def test_a_model_of_another_sequence_is_not_shown(
    stored: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"entryId": "AF-Q00001-F1", "uniprotAccession": "Q00001"}
    model = text_of(helix("GP" * 30)).encode()

    def answer(request: Request) -> Reply:
        is_api = request.path.startswith("/api")
        return Reply(json.dumps([entry | {"pdbUrl": f"{server.url}/m.pdb"}]).encode() if is_api else model)

    with serve(answer) as server:
        monkeypatch.setenv(alphafold.URL_VARIABLE, server.url)
        found = run(stored, "Q00001")
        found.button[0].click().run()
        assert not found.exception
        assert "no chain fits the sequence" in said(found)
        assert found.code


def test_distances_of_the_helix_are_those_of_a_protein() -> None:
    # what the drawings of these tests stand on: neighbours 3.8 Å apart, 5.4 Å a turn
    rows = [row for row in helix("A" * 8) if " CA " in row]
    xyz = np.array([[float(row[i : i + 8]) for i in (30, 38, 46)] for row in rows])
    assert np.linalg.norm(np.diff(xyz, axis=0), axis=1) == pytest.approx(3.83, abs=0.02)
    assert math.dist(xyz[0], xyz[7]) == pytest.approx(10.9, abs=0.5)
