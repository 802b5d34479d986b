"""The structure panel in a real browser: 3Dmol.js draws, and where it cannot, words say so."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotations_helpers import put_proteins
from PIL import Image
from playwright.sync_api import Frame, Page, Route, expect
from structure_files import SEQUENCE, atom, helix, lines, write

from interplm_wh import store
from interplm_wh.dashboard.charts.look import activation_stops
from interplm_wh.dashboard.structure import library as libraries
from interplm_wh.structures import add_structures
from tests.browser import Visits, script

pytestmark = pytest.mark.slow
STRONGEST = activation_stops(dark=False)[-1]
SLOWLY = 30_000  # milliseconds, on a busy machine
TITLE = 'iframe[title="Structure in 3D, coloured by feature 5"]'
HOSTILE = "</script><script>document.title='owned';alert(1)</script>"
# `on` in the address names the residues where the feature is active.
SCRIPT = """
from pathlib import Path

import polars as pl
import streamlit as st

from interplm_wh.dashboard.reading import Reader
from interplm_wh.dashboard.structure import panel

reader = Reader(Path({warehouse!r}))
accession = st.query_params.get("protein", "P12345")
protein = reader.row("select accession, length from proteins where accession = $a", {{"a": accession}})
st.title(accession)
on = [int(one) for one in st.query_params.get("on", "").split(",") if one]
columns = {{"position": on, "activation": [1.0] * len(on)}}
residues = pl.DataFrame(columns, schema={{"position": int, "activation": float}})
panel(reader, protein, residues, what="feature 5", key="structure")
"""


@pytest.fixture(scope="module")
def local_copy() -> str:
    """3Dmol.js of npm, at the version that pages ask the network for."""
    named = os.environ.get(libraries.VARIABLE)
    if not named:
        pytest.skip(f"${libraries.VARIABLE} names no 3Dmol-min.js of npm's 3dmol {libraries.VERSION}")
    return named


@pytest.fixture(scope="module")
def page_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the panel, on a warehouse with a helix between a hostile title and another chain."""
    folder = tmp_path_factory.mktemp("panel")
    warehouse = put_proteins(store.init(folder / "w"), {"P12345": SEQUENCE, "thin": SEQUENCE[::-1]})
    head = [f"TITLE     {HOSTILE}", f"REMARK 999 {HOSTILE}"]
    ligand = [atom("</s", 900, x=14.0, chain="<", name=" C1 ", record="HETATM")]
    other = helix("A" * 20, chain="B", x=16.0)
    whole = write(folder / "P12345.pdb", head, helix(SEQUENCE), ["TER"], other, ["TER"], ligand)
    (folder / "map.csv").write_text("accession,structure,chain\nP12345,P12345,A\nthin,thin,A\n")
    thin = write(folder / "thin.pdb", lines(SEQUENCE[::-1]))
    add_structures(warehouse, [whole, thin], mapping=folder / "map.csv")
    path = folder / "page.py"
    path.write_text(SCRIPT.format(warehouse=str(warehouse)))
    return path


@contextmanager
def serving(page_script: Path, library: str | None) -> Iterator[str]:
    environment = {name: value for name, value in os.environ.items() if name != libraries.VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    with script(page_script, environment | ({libraries.VARIABLE: library} if library else {})) as url:
        yield url


@pytest.fixture(scope="module")
def served(page_script: Path, local_copy: str) -> Iterator[str]:
    """The page, with 3Dmol.js from a file."""
    with serving(page_script, local_copy) as url:
        yield url


@pytest.fixture(scope="module")
def networked(page_script: Path) -> Iterator[str]:
    """The page, with 3Dmol.js from the content network."""
    with serving(page_script, None) as url:
        yield url


def settled(page: Page, state: str) -> Frame:
    """Return the frame of the viewer once it has drawn, or failed."""
    inside = page.frame_locator(TITLE)
    expect(inside.locator(f'html[data-state="{state}"]')).to_have_count(1, timeout=SLOWLY)
    frame = page.locator(TITLE).element_handle().content_frame()
    assert frame is not None
    return frame


def pixels(page: Page) -> np.ndarray[Any, Any]:
    """Return what the viewer shows, as an int array [height, width, 3]."""
    stage = page.frame_locator(TITLE).locator("#stage")
    page.wait_for_timeout(500)
    return np.asarray(Image.open(io.BytesIO(stage.screenshot())).convert("RGB")).astype(int)


def n_coloured(shown: np.ndarray[Any, Any]) -> int:
    return int((shown.max(axis=2) - shown.min(axis=2) > 60).sum())


def test_a_structure_is_drawn_and_its_colours_are_those_of_the_feature(served: str, visits: Visits) -> None:
    grey = visits.open(served)
    settled(grey, "drawn")
    silent = pixels(grey)
    ground = np.array([255, 255, 255])
    assert 0.01 < (np.abs(silent - ground).max(axis=2) > 30).mean() < 0.9
    assert n_coloured(silent) < 50
    active = visits.open(f"{served}/?on={','.join(map(str, range(1, 51)))}")
    settled(active, "drawn")
    shown = pixels(active)
    assert n_coloured(shown) > 1000
    blue = shown[(shown[..., 2] > shown[..., 0] + 40) & (shown[..., 0] < 60)]
    assert len(blue) > 500  # the strong end of the scale


def test_only_the_residues_of_the_feature_have_its_colour(served: str, visits: Visits) -> None:
    page = visits.open(f"{served}/?on=7,8")
    frame = settled(page, "drawn")
    atoms = frame.evaluate("viewer.selectedAtoms({}).map(a => [a.chain, a.resi, a.color, a.group])")
    coloured = {(chain, order) for chain, order, colour, _ in atoms if colour == STRONGEST}
    orders = sorted({order for chain, order, *_ in atoms if chain == "A"})
    assert coloured == {("A", orders[6]), ("A", orders[7])}
    assert {group for chain, _, _, group in atoms if chain == "B"} == {"rest-cartoon"}
    assert {group for chain, _, _, group in atoms if chain == "<"} == {"ligand"}


def test_hovering_says_which_residue_it_is(served: str, visits: Visits) -> None:
    page = visits.open(f"{served}/?on=25")
    frame = settled(page, "drawn")
    apart = (
        "(() => { const at = (i) => viewer.modelToScreen(viewer.selectedAtoms({owner: i})[0]);"
        "const [a, b] = [at(24), at(28)]; return Math.hypot(a.x - b.x, a.y - b.y); })()"
    )
    before = frame.evaluate(apart)
    frame.locator("#closer").click()
    status = frame.locator("#residue")
    expect(status).to_have_text(f"{SEQUENCE[24]}25 · activation 1.000 · A 25 in the file")
    page.wait_for_timeout(1500)  # the view moves there
    assert frame.evaluate(apart) > 1.5 * before
    at = frame.evaluate(
        "(() => { const a = viewer.selectedAtoms({owner: 30})[0]; const p = viewer.modelToScreen(a);"
        "return [p.x, p.y]; })()"
    )
    box = page.locator(TITLE).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + at[0] + 4, box["y"] + at[1])
    page.mouse.move(box["x"] + at[0], box["y"] + at[1], steps=4)
    expect(status).to_have_text(f"{SEQUENCE[30]}31 · not active · A 31 in the file")


def test_the_keyboard_turns_the_structure(served: str, visits: Visits) -> None:
    page = visits.open(f"{served}/?on=25")
    frame = settled(page, "drawn")
    before = frame.evaluate("viewer.getView()")
    frame.locator("#stage").press("ArrowLeft")
    frame.locator("#stage").press("+")
    after = frame.evaluate("viewer.getView()")
    assert before[4:] != after[4:] and before[3] != after[3]
    assert "arrow keys" in (frame.locator("#stage").get_attribute("aria-label") or "")


def test_nothing_of_a_hostile_file_runs_and_the_frame_reaches_nothing(served: str, visits: Visits) -> None:
    page = visits.open(served)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    frame = settled(page, "drawn")
    assert frame.evaluate("document.title") == ""
    assert frame.evaluate("document.scripts.length") == 3  # data, viewer, and 3Dmol.js
    assert frame.evaluate("self.origin") == "null"
    reach = "(() => { try { return window.parent.document.title } catch (error) { return error.name } })()"
    assert frame.evaluate(reach) == "SecurityError"
    ran = "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
    assert frame.evaluate(ran + " document.head.append(s); return window.ran ?? 'refused'; })()") == "refused"
    asked = frame.evaluate("fetch('/_stcore/health').then(() => 'answered', () => 'refused')")
    assert asked == "refused"
    assert dialogs == []
    # The console says each refusal.
    assert all("Content Security Policy" in fault for fault in visits.faults)
    visits.faults.clear()


def test_a_model_of_c_alphas_alone_is_drawn(served: str, visits: Visits) -> None:
    page = visits.open(f"{served}/?protein=thin&on=1,2,3,4,5")
    settled(page, "drawn")
    assert n_coloured(pixels(page)) > 30


@pytest.mark.parametrize(("width", "dark"), [(1300, True), (420, False)])
def test_the_panel_fits_the_dark_and_a_narrow_window(
    served: str, visits: Visits, width: int, dark: bool
) -> None:
    page = visits.open(f"{served}/?on=7,8", width=width, dark=dark)
    settled(page, "drawn")
    shown = pixels(page)
    assert (shown[0, 0].max() < 60) == dark
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for how in ("C-alpha trace", "Contact map"):
        page.get_by_role("radio", name=how).click()
        chart = page.locator('[data-testid="stVegaLiteChart"]').first
        expect(chart).to_be_visible(timeout=SLOWLY)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_choice_of_a_drawing_is_in_the_address(served: str, visits: Visits) -> None:
    page = visits.open(served)
    settled(page, "drawn")
    page.get_by_role("radio", name="Contact map").click()
    expect(page.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible(timeout=SLOWLY)
    again = visits.open(page.url)
    expect(again.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible(timeout=SLOWLY)
    expect(again.locator(TITLE)).to_have_count(0)


def only_the_network_was_missed(visits: Visits, *words: str) -> None:
    """Forget that the content network was asked for its script, and what the console says of that."""
    strange = [f for f in visits.faults if not any(word in f for word in (libraries.HOST, *words))]
    assert strange == []
    visits.faults.clear()


def test_the_content_network_must_send_the_very_script(
    networked: str, local_copy: str, visits: Visits
) -> None:
    def answer(text: str) -> Any:
        head = {"access-control-allow-origin": "*", "content-type": "text/javascript"}
        return lambda route: route.fulfill(body=text, headers=head)

    text = Path(local_copy).read_text(encoding="utf-8")
    page = visits.open("about:blank")
    page.route(libraries.URL, answer(text))
    page.goto(f"{networked}/?on=7,8")
    settled(page, "drawn")
    assert n_coloured(pixels(page)) > 50
    page.unroute(libraries.URL)
    page.route(libraries.URL, answer(text + ";window.changed = true"))
    page.goto(f"{networked}/?on=7,8")
    frame = settled(page, "failed")
    assert frame.evaluate("window.changed === undefined")
    only_the_network_was_missed(visits, "integrity")


def test_without_a_network_words_say_so_and_the_trace_is_a_click_away(networked: str, visits: Visits) -> None:
    page = visits.open("about:blank")

    def refuse(route: Route) -> None:
        route.abort()

    page.route(f"https://{libraries.HOST}/**", refuse)
    page.goto(networked)
    frame = settled(page, "failed")
    note = frame.locator("#note")
    expect(note).to_be_visible()
    expect(note).to_contain_text(f"could not be loaded from {libraries.HOST}")
    expect(note).to_contain_text(libraries.VARIABLE)
    page.get_by_role("radio", name="C-alpha trace").click()
    expect(page.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible(timeout=SLOWLY)
    only_the_network_was_missed(visits)


def test_a_wrong_path_is_said_above_the_trace(page_script: Path, visits: Visits, tmp_path: Path) -> None:
    with serving(page_script, str(tmp_path / "none.js")) as url:
        page = visits.open(url)
        expect(page.get_by_text(f"${libraries.VARIABLE} names")).to_be_visible(timeout=SLOWLY)
        expect(page.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible(timeout=SLOWLY)
        expect(page.locator(TITLE)).to_have_count(0)


def test_without_webgl_words_say_so(served: str, visits: Visits) -> None:
    page = visits.open("about:blank")
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(served)
    frame = settled(page, "failed")
    expect(frame.locator("#note")).to_contain_text("WebGL is off or missing")
