"""SAEs side by side: over the same proteins, as a table and as a chart."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import make_plm, make_sae, some_proteins, write_fasta

from interplm_wh import commands, store
from interplm_wh.ask import chart_labels, compare, compare_chart
from interplm_wh.build import build
from interplm_wh.encode import encode
from interplm_wh.errors import InputError, MismatchError, NotThereError
from interplm_wh.evaluate import evaluate
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae
from interplm_wh.sae.registry import ARCHITECTURES

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluated(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two SAEs and the neurons, evaluated on test; two of them encoded and built. Never to be changed."""
    folder = tmp_path_factory.mktemp("compare")
    warehouse = shutil.copytree(empty_warehouse, folder / "w")
    plm = make_plm(folder / "tiny")
    add_proteins(warehouse, [write_fasta(folder / "some.fasta", some_proteins(30))])
    annotations = folder / "a.csv"
    annotations.write_text(
        "accession,start,stop,concept\n" + "".join(f"P{i},1,3,Domain_x\n" for i in range(30))
    )
    add_annotations(warehouse, [annotations], source="mine")
    for name, n in (("narrow", 4), ("wide", 10)):
        path = make_sae(folder / name / "ae.pt", plm, layer=1, components=n)
        add_sae(warehouse, str(path), name=name, plm=str(plm), layer=1, device="cpu", force=True)
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=1, device="cpu")
    encode(warehouse, ["narrow", "neurons"], device="cpu")
    build(warehouse, min_residues=5, min_domains=3)
    evaluate(warehouse, ["narrow", "wide", "neurons"], device="cpu")
    return warehouse


@pytest.fixture
def mine(evaluated: Path, tmp_path: Path) -> Path:
    """A copy of `evaluated`."""
    return shutil.copytree(evaluated, tmp_path.resolve() / "w")


def by_sae(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["sae"]: row for row in rows}


def test_rows_are_those_of_the_tables_the_sparsest_first(evaluated: Path) -> None:
    found = compare(evaluated)
    rows = found.rows.to_pylist()
    assert [row["sae"] for row in rows] == ["narrow", "wide", "neurons"]
    assert [row["l0"] for row in rows] == sorted(row["l0"] for row in rows)
    with store.open(evaluated) as wh:
        kept = by_sae(wh.sql("from sae_metrics").to_pylist())
        known = by_sae(wh.sql("from saes").to_pylist())
        for row in rows:
            for key in ("l0", "variance_explained", "pct_recovered_unmasked", "pct_dead", "n_proteins"):
                assert row[key] == kept[row["sae"]][key]
            for key in ("architecture", "k", "layer", "n_features"):
                assert row[key] == known[row["sae"]][key]
            if row["sae"] != "wide":
                (said,) = wh.sql("from report_summary($sae)", {"sae": row["sae"]}).to_pylist()
                for key in ("n_concepts_found", "n_features_with_concept"):
                    assert row[key] == said[key] is not None
    assert by_sae(rows)["wide"]["n_concepts_found"] is None
    assert found.notes == ("concepts are not built for wide; run: interplm-wh encode, then build",)
    assert found.lines()[0].startswith("3 SAEs on the same ")


def test_saes_that_are_named_are_compared_alone(evaluated: Path) -> None:
    found = compare(evaluated, ["neurons", "narrow"])
    assert found.rows["sae"].to_pylist() == ["narrow", "neurons"]
    assert found.notes == ()


def test_concepts_counted_over_different_proteins_are_left_out(mine: Path, tmp_path: Path) -> None:
    add_proteins(mine, [write_fasta(tmp_path / "more.fasta", some_proteins(4, first=30))])
    encode(mine, ["narrow"], device="cpu")
    build(mine)
    found = compare(mine, ["neurons", "narrow"])
    assert found.rows["n_concepts_found"].to_pylist() == [None, None]
    assert "narrow 34, neurons 30; 30 are shared" in " ".join(found.notes)
    encode(mine, ["neurons"], device="cpu")
    stale = compare(mine, ["neurons", "narrow"])
    assert "neurons: concepts are older than the data" in " ".join(stale.notes)
    build(mine)
    again = compare(mine, ["neurons", "narrow"])
    assert None not in again.rows["n_concepts_found"].to_pylist() and again.notes == ()


def test_saes_measured_on_different_proteins_are_refused(mine: Path) -> None:
    evaluate(mine, ["narrow"], max_proteins=5, skip_fidelity=True, device="cpu")
    with pytest.raises(MismatchError, match=r"(?s)different proteins called test.*5 proteins: narrow"):
        compare(mine)
    assert compare(mine, ["wide", "neurons"]).rows.num_rows == 2
    alone = compare(mine, ["narrow"])
    assert alone.rows["pct_recovered_masked"].to_pylist() == [None]
    assert alone.lines()[-3].split()[-4:-3] == ["-"]


def test_different_number_formats_of_the_plm_are_mentioned(mine: Path) -> None:
    evaluate(mine, ["narrow"], dtype="bfloat16", device="cpu")
    found = compare(mine, ["narrow", "neurons"])
    assert sorted(found.rows["dtype"].to_pylist()) == ["bfloat16", "float32"]
    (note,) = found.notes
    assert "different number formats (bfloat16: narrow; float32: neurons)" in note
    assert compare(mine, ["narrow"]).notes == ()


def test_what_was_not_evaluated_is_named(mine: Path) -> None:
    with pytest.raises(NotThereError, match="did you mean narrow"):
        compare(mine, ["narow"])
    with pytest.raises(NotThereError, match="no SAE was evaluated on valid; there is --on test"):
        compare(mine, on="valid")
    evaluate(mine, ["wide"], split="valid", skip_fidelity=True, device="cpu")
    with pytest.raises(NotThereError, match=r"narrow not evaluated on valid; .* --sae narrow --split valid"):
        compare(mine, ["narrow", "wide"], on="valid")
    with pytest.raises(NotThereError, match=r"no SAE was evaluated on x\.fasta; .* --fasta FILE"):
        compare(mine, on="x.fasta")


def test_nothing_evaluated_says_how_to(warehouse: Path) -> None:
    with pytest.raises(NotThereError, match="no SAE was evaluated on test; run: interplm-wh evaluate"):
        compare(warehouse)


# -- the chart ---------------------------------------------------------------------------------------


def test_the_chart_holds_every_sae_in_every_panel(evaluated: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    rows = by_sae(compare(evaluated, chart=path).rows.to_pylist())
    chart = json.loads(path.read_text())
    panels = chart["hconcat"]
    assert [panel["layer"][0]["encoding"]["y"]["field"] for panel in panels] == [
        "pct_recovered_masked", "pct_recovered_unmasked", "variance_explained",
    ]  # fmt: skip
    for panel in panels:
        marks = panel["layer"][0]
        assert marks["encoding"]["x"]["scale"]["type"] == "log"
        assert {t["field"] for t in marks["encoding"]["tooltip"]} >= {"sae", "l0", "k", "pct_dead"}
        assert marks["encoding"]["color"]["scale"]["domain"] == ["identity", "relu"]
        data = (panel.get("data") or marks["data"])["values"]
        assert {d["sae"]: d["l0"] for d in data} == {sae: row["l0"] for sae, row in rows.items()}
        low, high = marks["encoding"]["x"]["scale"]["domain"]
        assert low < min(d["l0"] for d in data) and max(d["l0"] for d in data) < high


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".PNG"])
def test_the_chart_is_written_in_every_format(evaluated: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    compare(evaluated, chart=path)
    content = path.read_bytes()
    if suffix.lower() == ".png":
        assert content.startswith(PNG) and len(content) > 10_000
    else:
        text = content.decode()
        assert "narrow" in text and "Variance explained" in text
        assert "<script src=" not in text  # it opens without a network


def row(sae: str, l0: float, *, explained: float | None = 0.5, recovered: float | None = None) -> Any:
    return {
        "sae": sae, "architecture": "relu", "k": None, "layer": 1, "n_features": 8, "n_proteins": 3, "l0": l0,
        "variance_explained": explained, "pct_recovered_unmasked": recovered,
        "pct_recovered_masked": recovered, "pct_dead": 0.0, "n_concepts_found": None,
    }  # fmt: skip


def test_what_cannot_be_drawn_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    notes = compare_chart.draw([row("mute", 0.0), row("a", 4.0)], path, evaluated_on="test")
    assert len(notes) == 1 and notes[0].startswith("mute is not in the chart")
    chart = json.loads(path.read_text())
    assert len(chart["hconcat"]) == 1 and '"mute"' not in path.read_text()
    with pytest.raises(InputError, match="anything to draw"):
        compare_chart.draw([row("mute", 0.0)], path, evaluated_on="test")


def test_every_architecture_has_a_filled_mark_and_a_colour_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "c.svg"
    rows = [
        row(name, 2.0**i, explained=i / 10) | {"architecture": name} for i, name in enumerate(ARCHITECTURES)
    ]
    assert compare_chart.draw(rows, path, evaluated_on="test") == []
    paths = [element.attrib for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}path")]
    points = {p["fill"]: p["d"] for p in paths if p.get("aria-roledescription") == "point"}
    legend = {p["fill"]: p["d"] for p in paths if p.get("transform") == "translate(6,6)"}
    assert len(points) == len(legend) == len(ARCHITECTURES)
    assert points == legend and len(set(points.values())) == len(ARCHITECTURES)
    for outline in points.values():  # a line has no area to fill: it is not closed
        assert outline.endswith("Z") or "A" in outline


def test_charts_that_could_not_be_written_are_refused_first(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"use one of \.html, \.png, \.svg, \.json"):
        compare(warehouse, chart=tmp_path / "c.gif")
    with pytest.raises(InputError, match="there is no folder"):
        compare(warehouse, chart=tmp_path / "nowhere" / "c.png")


def test_without_the_packages_for_charts_the_extra_is_named(
    evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(InputError, match=r"package altair, .*interplm-wh\[charts\]"):
        compare(evaluated, chart=tmp_path / "c.png")
    assert compare(evaluated).rows.num_rows == 3


@given(st.lists(st.tuples(st.floats(0, 340), st.floats(0, 320), st.text("abc", min_size=1, max_size=20))))
def test_names_cover_no_point_and_no_other_name(found: list[tuple[float, float, str]]) -> None:
    points, names = [(x, y) for x, y, _ in found], [name for *_, name in found]
    chosen = chart_labels.places(points, names, width=340, height=320)
    boxes = []
    for (x, y), name, index in zip(points, names, chosen, strict=True):
        if index is None:
            continue
        place = chart_labels.PLACES[index]
        length = len(name) * 6
        left = x + place.dx - {"left": 0, "center": length / 2, "right": length}[place.align]
        boxes.append((left, left + length, y + place.dy))
        others = [p for p in points if p != (x, y)]
        assert not any(left < a < left + length and abs(b - y - place.dy) < 5 for a, b in others)
    for i, (left, right, middle) in enumerate(boxes):
        assert left >= -1 and right <= 341
        for other_left, other_right, other_middle in boxes[:i]:
            assert right <= other_left or other_right <= left or abs(middle - other_middle) >= 10


def test_axes_leave_room_and_ticks_are_round() -> None:
    low, high = chart_labels.padded([1.0, 3.0], 340, 40)
    assert (1.0 - low) / (high - low) * 340 == pytest.approx(40)
    assert chart_labels.padded([100.0, 100.0 + 1e-9], 340, 40) == pytest.approx((90, 110))
    assert chart_labels.padded([0.0], 340, 40) == (-1, 1)
    assert chart_labels.log_ticks(0.3, 60) == pytest.approx([0.5, 1, 2, 5, 10, 20, 50])
    assert all(math.isfinite(t) for t in chart_labels.log_ticks(1e-6, 1e6))


# -- the command line --------------------------------------------------------------------------------


def run_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", *map(str, arguments)],
        capture_output=True, check=False, text=True,
    )  # fmt: skip


def test_the_command_prints_a_table_or_clean_rows(evaluated: Path, tmp_path: Path) -> None:
    table = run_cli("-w", evaluated, "compare")
    assert table.returncode == 0 and "not built for wide" in table.stderr
    assert [line.split()[0] for line in table.stdout.splitlines()[4:-2]] == ["narrow", "wide", "neurons"]
    rows = run_cli("-w", evaluated, "compare", "wide", "narrow", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["sae"] for line in rows] == ["narrow", "wide"]
    chart = tmp_path / "c.svg"
    csv = run_cli("-w", evaluated, "compare", "neurons", "--format", "csv", "--chart", chart)
    assert csv.stdout.startswith('"sae","architecture",') and chart.exists()
    assert run_cli("-w", evaluated, "compare", "--on", "nothing").returncode == 1


def test_compare_is_a_function_too() -> None:
    assert commands.compare is compare
