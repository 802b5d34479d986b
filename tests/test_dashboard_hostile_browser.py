"""Names that are attacks, in a real browser: no dialog, no element, no request, no error comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import hostile
import httpx
import pytest
from playwright.sync_api import Page, expect

from interplm_wh.ask import verify
from tests.browser import Visits, dashboard, free_port, wait_at_rest
from tests.children import answering

pytestmark = pytest.mark.slow
SLOWLY = 60_000  # milliseconds, on a busy machine
# What none of our pages has by itself.
INJECTED = (
    'img[src="x"], [onerror], [onload], iframe, a[href*="//evil"], img[src*="evil"], '
    'a[href^="javascript"], a[href^="mailto"], .katex, del'
)
ENDLESS = "select count(*) from range(10000000) a, range(10000000) b where a.range + b.range = -1"
PLAIN = """
import sys
import streamlit as st
sys.path.insert(0, sys.argv[1])
import hostile
from interplm_wh.dashboard import frame
for text in hostile.TEXTS:
    st.markdown(frame.plain(text))
    st.metric("x", frame.plain(text))
    st.error("said " + frame.plain(text))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile.make(tmp_path_factory.mktemp("hostile").resolve() / "w")


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[str]:
    with dashboard(root) as url:
        yield url


def settled(page: Page) -> Page:
    """Wait until a page is drawn, and look that nothing was injected into it."""
    wait_at_rest(page, timeout=SLOWLY)
    assert page.locator(INJECTED).count() == 0
    assert page.evaluate("window.__pwned === undefined")
    assert page.get_by_text("Traceback").count() == 0
    assert page.locator('[data-testid="stException"]').count() == 0
    return page


MARKS = """
[...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg :is(.mark-rect, .mark-symbol) path')]
    .map(mark => mark.getBoundingClientRect()).map(box => [box.x + box.width / 2, box.y + box.height / 2])
    .filter(([x, y]) => y > 0 && y < innerHeight)
"""


def hovered(page: Page) -> list[str]:
    """What tooltips show where the pointer goes over marks of charts."""
    found = []
    marks = page.evaluate(MARKS)
    for x, y in marks[:: max(len(marks) // 40, 1)]:
        page.mouse.move(x - 2, y)
        page.mouse.move(x, y)
        page.wait_for_timeout(60)
        tip = page.locator(".vg-tooltip.visible")
        if tip.count():
            found.append(tip.first.inner_text())
    settled(page)
    return found


@pytest.mark.parametrize("address", ["", "/feature?feature=4", "/concept", "/sequence", "/compare", "/sql"])
def test_a_page_of_hostile_names_injects_nothing(served: str, visits: Visits, address: str) -> None:
    page = settled(visits.open(served + address, height=2400))
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SLOWLY)
    hovered(page)
    if address.startswith("/feature"):  # accessions beside their strips, given to Vega in an expression
        strips = page.get_by_test_id("stVegaLiteChart").nth(2)
        expect(strips.locator(".role-axis-label text").first).to_be_visible(timeout=SLOWLY)
        labels = {text.rstrip("…") for text in page.locator("svg .role-axis-label text").all_text_contents()}
        assert sum(any(a.startswith(label) for label in labels if label) for a in hostile.ACCESSIONS) >= 8
    page.close()


@pytest.mark.parametrize("i", range(0, len(hostile.ACCESSIONS), 3))
def test_a_protein_of_hostile_names_is_shown_as_text(served: str, visits: Visits, i: int) -> None:
    accession = hostile.ACCESSIONS[i]
    page = settled(visits.open(f"{served}/protein?protein={quote(accession, safe='')}", height=2400))
    expect(page.get_by_role("heading", level=1)).to_have_text(accession, timeout=SLOWLY)
    text = page.locator('[data-testid="stMain"]').inner_text()
    assert " ".join(hostile.TEXTS[i % len(hostile.TEXTS)].split()) in " ".join(text.split())
    page.close()


def test_concepts_of_hostile_names_are_shown_as_text_with_their_tooltips(
    root: Path, served: str, visits: Visits
) -> None:
    for text in hostile.TEXTS[:12]:
        page = settled(visits.open(f"{served}/concept?concept={quote(text, safe='')}", height=2400))
        shown = page.get_by_role("heading", level=1).inner_text()
        assert shown == " ".join(text.split())
        page.close()
    page = settled(
        visits.open(f"{served}/protein?protein={quote(hostile.ACCESSIONS[0], safe='')}", height=2400)
    )
    tips = hovered(page)
    assert any("<" in tip or "](" in tip for tip in tips), tips
    page.close()


def test_names_of_pasted_sequences_inject_nothing(served: str, visits: Visits) -> None:
    page = settled(visits.open(f"{served}/sequence"))
    box = page.get_by_role("textbox", name="One sequence, or several as FASTA")
    records = [f">{''.join(text.split())}\nACDEF\n" for text in hostile.TEXTS[:12]]
    box.fill("".join(records) + ">![x](http://evil.example/y.png)\n\n")
    box.press("Control+Enter")
    expect(page.locator('[data-testid="stAlert"]')).to_be_visible(timeout=SLOWLY)
    settled(page).close()


def test_an_answer_in_sql_injects_nothing_and_loads_no_picture(served: str, visits: Visits) -> None:
    quoted = [text.replace("'", "''") for text in hostile.TEXTS]
    values = ", ".join(f"('{text}', {i})" for i, text in enumerate(quoted))
    sql = (
        'select a as image, n as "<img src=x onerror=alert(1)>", n * 2 as "a.b[0]:Q", a as title '
        f"from (values {values}, ('http://evil.example/x.png', 50)) as t (a, n)"
    )
    page = settled(visits.open(f"{served}/sql?sql={quote(sql, safe='')}", height=1600))
    page.get_by_role("tab", name="Chart").click()
    expect(page.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible(timeout=SLOWLY)
    tips = hovered(page)
    assert any("a.b[0]:Q" in tip for tip in tips), tips
    page.close()


def test_a_refusal_in_sql_injects_nothing(served: str, visits: Visits) -> None:
    for text in hostile.TEXTS[:12]:
        name = '"' + text.replace('"', '""') + '"'
        page = settled(visits.open(f"{served}/sql?sql={quote('from ' + name, safe='')}"))
        expect(page.locator('[data-testid="stAlert"]')).to_contain_text("does not exist", timeout=SLOWLY)
        page.close()


def test_plain_text_is_shown_letter_by_letter(visits: Visits, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(PLAIN)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(tmp_path / "page.py")]
    options = ["--server.address=localhost", f"--server.port={port}", "--server.headless=true"]
    options += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    tests = str(Path(__file__).parent)
    with subprocess.Popen([*command, *options, "--", tests], env=environment) as server:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    httpx.get(f"http://localhost:{port}/_stcore/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            page = settled(visits.open(f"http://localhost:{port}", height=3000))
            expected = [" ".join(text.split()) for text in hostile.TEXTS]
            for place in ("stMarkdown", "stMetricValue", "stAlert"):
                shown = page.locator(f'[data-testid="{place}"]').all_inner_texts()
                assert [" ".join(text.split()).removeprefix("said ") for text in shown] == expected
            page.close()
        finally:
            server.terminate()


def test_an_endless_question_in_an_address_does_not_pile_up_and_ends_with_the_server(
    root: Path, visits: Visits
) -> None:
    psutil = pytest.importorskip("psutil")
    with dashboard(root) as url:
        pages = [visits.open(f"{url}/sql?sql={quote(ENDLESS, safe='')}") for _ in range(4)]
        expect(pages[-1].locator('[data-testid="stAlert"]')).to_contain_text(
            "other questions are being answered", timeout=SLOWLY
        )
        asked = answering()
        assert len(asked) == 2
        for page in pages:
            page.close()
    _, alive = psutil.wait_procs(asked, timeout=10)
    assert alive == []


def test_the_warehouse_is_sound_after_all_of_it(root: Path) -> None:
    assert verify(root).is_sound
