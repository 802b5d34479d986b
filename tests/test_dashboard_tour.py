"""All pages in a real browser, as somebody walks through them with mouse, keys and shared addresses."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Locator, Page, expect

import interplm_wh
from tests.browser import Visits, wait_at_rest

pytestmark = pytest.mark.slow
SLOWLY = 60_000  # milliseconds, on a busy machine
PAGES = {
    "": "What is in this warehouse",
    "feature?feature=249": "Feature 249",
    "concept?concept=Signal+peptide_any": "Signal peptide_any",
    "protein?protein=DEMO00007": "DEMO00007",
    "sequence?text=MKKRRFFLVFFALLLGEARAGTNVRRGAGDRCGNFFTCKVGLVCPLSG": "Which features does a sequence have?",
    "compare": "Two SAEs side by side",
    "sql?sql=from+saes": "Ask in SQL",
}


def settled(page: Page, title: str) -> None:
    """Wait until a page is drawn; it shows no error."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=SLOWLY)
    wait_at_rest(page, timeout=SLOWLY)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def charts(page: Page) -> Locator:
    return page.get_by_test_id("stVegaLiteChart")


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (420, True)], ids=["light", "dark and narrow"])
@pytest.mark.parametrize("address", PAGES)
def test_every_page_opens_without_an_error(
    served_demo: str, visits: Visits, address: str, width: int, dark: bool
) -> None:
    page = visits.open(f"{served_demo}/{address}", width=width, dark=dark, height=2000)
    settled(page, PAGES[address])
    if not address.startswith("sql"):
        expect(charts(page).locator("canvas, svg.marks").first).to_be_visible(timeout=SLOWLY)
    assert page.get_by_role("alert").filter(has_text="rror").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("address", [a for a in PAGES if not a.startswith("sql")])
def test_every_chart_and_table_has_a_description(served_demo: str, visits: Visits, address: str) -> None:
    page = visits.open(f"{served_demo}/{address}", height=3000)
    settled(page, PAGES[address])
    page.wait_for_timeout(2000)
    described = [
        button.get_attribute("aria-label") or ""
        for button in page.get_by_role("button", name="Fullscreen").all()
    ]
    assert described
    assert all(label.startswith("Fullscreen: ") and len(label) > len("Fullscreen: ") for label in described)
    tables = page.get_by_test_id("stDataFrame").filter(visible=True)  # others are folded away
    assert len(described) >= charts(page).count() + tables.count()


def downloaded(page: Page, form: str, folder: Path) -> Path:
    """Return the file of the first chart (PNG) or table (CSV) of a page."""
    # Chromium would ask a person where to save it.
    page.evaluate("delete window.showSaveFilePicker")
    with page.expect_download(timeout=SLOWLY) as waiting:
        page.get_by_role("button", name=f"Download as {form}").first.evaluate("button => button.click()")
    waiting.value.save_as(folder / form)
    return folder / form


@pytest.mark.parametrize("address", [a for a in PAGES if not a.startswith("sql")])
def test_every_page_has_charts_as_png_and_tables_as_csv(
    served_demo: str, visits: Visits, address: str, tmp_path: Path
) -> None:
    page = visits.open(f"{served_demo}/{address}", height=3000)
    settled(page, PAGES[address])
    page.wait_for_timeout(2000)
    assert downloaded(page, "PNG", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert len(pl.read_csv(downloaded(page, "CSV", tmp_path))) > 0


SHARED = {
    "feature?feature=1014&zoom=true&example=DEMO00179&which=finds+a+concept": "Feature 1014",
    "concept?concept=Active+site_any&split=valid+(chosen+on)&cases=Hit%3A+annotated+and+marked": (
        "Active site_any"
    ),
    "protein?protein=DEMO00507&residue=30&order=known+concept+first&k=20": "DEMO00507",
    "compare?sae=demo-neurons": "Two SAEs side by side",
    "sql?sql=select+42+as+answer": "Ask in SQL",
}


@pytest.mark.parametrize("address", SHARED)
def test_a_shared_address_restores_the_view(served_demo: str, visits: Visits, address: str) -> None:
    page = visits.open(f"{served_demo}/{address}", height=3000)
    settled(page, SHARED[address])
    page.wait_for_timeout(1000)
    if address.startswith("feature"):
        expect(page.get_by_role("switch", name="Zoom in")).to_be_checked()
        expect(page.get_by_role("heading", name="DEMO00179")).to_be_visible()
    elif address.startswith("concept"):
        chosen = page.get_by_test_id("stButtonGroup").locator('[aria-checked="true"], [aria-pressed="true"]')
        for text in ("valid (chosen on)", "Hit: annotated and marked"):
            expect(chosen.filter(has_text=text)).to_be_visible(timeout=SLOWLY)
    elif address.startswith("protein"):
        expect(page.get_by_label("Residue", exact=True).first).to_have_value("30")
    elif address.startswith("compare"):
        expect(page.get_by_text("Below the line demo-neurons finds it better")).to_be_visible()
    else:
        expect(page.get_by_role("textbox", name="One SELECT")).to_have_value("select 42 as answer")
    # What the address said is still said.
    for part in address.partition("?")[2].split("&"):
        assert part.partition("=")[0] + "=" in page.url


def steady_height(page: Page, found: Locator) -> float:
    """Return the height of what is drawn once it stays: a chart is drawn anew when the page has its width."""
    heights: list[float] = []
    while len(heights) < 3 or len({*heights[-3:]}) > 1:
        heights.append((found.bounding_box() or {"height": 0.0})["height"])
        page.wait_for_timeout(700)
    return heights[-1]


def test_a_protein_is_as_high_where_it_is_the_only_one(
    served_demo: str, visits: Visits, demo_warehouse: Path
) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        query = (
            "select feature from feature_stats where sae = $sae and n_proteins = 1 order by feature limit 1"
        )
        rare = wh.sql(query, {"sae": "demo-sae"})["feature"].to_pylist()[0]
    heights = []
    for feature in (rare, 249):
        page = visits.open(f"{served_demo}/feature?feature={feature}", height=2400)
        settled(page, f"Feature {feature}")
        strip = charts(page).nth(2).locator("g.mark-rect path").first
        expect(strip).to_be_visible(timeout=SLOWLY)
        heights.append(steady_height(page, strip))
    assert min(heights) > 14
    assert max(heights) < 1.5 * min(heights)


def test_a_text_that_is_too_long_is_refused_in_words(served_demo: str, visits: Visits) -> None:
    page = visits.open(f"{served_demo}/sequence")
    box = page.get_by_role("textbox", name="One sequence, or several as FASTA")
    expect(box).to_be_visible(timeout=SLOWLY)
    box.fill("M" * 100_000)
    page.get_by_role("button", name="Encode").click()
    expect(page.get_by_text("1 sequence of 100,000 residues in all")).to_be_visible(timeout=SLOWLY)


def test_a_pasted_sequence_gives_ranked_features(
    served_demo: str, visits: Visits, demo_warehouse: Path, tmp_path: Path
) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        sequence = wh.sql("from proteins where accession = 'DEMO00507'").to_pylist()[0]["sequence"]
        best = wh.sql("from protein_top_features('demo-sae', 'DEMO00507', k := 1)").to_pylist()[0]
    page = visits.open(f"{served_demo}/sequence", height=2400)
    settled(page, PAGES["sequence?text=MKKRRFFLVFFALLLGEARAGTNVRRGAGDRCGNFFTCKVGLVCPLSG"])
    page.get_by_role("textbox", name="One sequence, or several as FASTA").fill(
        f">mine\n{sequence}\n>other\nMKTAYIAKQR\n"
    )
    page.get_by_role("button", name="Encode").click()
    expect(page.get_by_role("heading", name="Features, the strongest first")).to_be_visible(timeout=SLOWLY)
    expect(page.get_by_role("heading", name="Proteins that share most features")).to_be_visible(
        timeout=SLOWLY
    )
    page.wait_for_timeout(2000)
    ranked = pl.read_csv(downloaded(page, "CSV", tmp_path))
    assert str(best["feature"]) in str(ranked.row(0))


def test_pages_are_walked_through_by_keys(served_demo: str, visits: Visits) -> None:
    page = visits.open(f"{served_demo}/feature?feature=249", height=2000)
    settled(page, "Feature 249")
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Feature 249", timeout=SLOWLY)
    wait_at_rest(page, timeout=SLOWLY)
    page.get_by_role("button", name="Previous").focus()
    page.keyboard.press("Enter")
    settled(page, "Feature 249")
    box = page.get_by_role("combobox", name="Protein that is looked at closely")
    box.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("example="), timeout=SLOWLY)


def test_a_strip_that_is_clicked_is_looked_at_closely(
    served_demo: str, visits: Visits, demo_warehouse: Path
) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        names = wh.sql("from feature_examples('demo-sae', 1014)")["accession"].to_pylist()
    page = visits.open(f"{served_demo}/feature?feature=1014", height=2600)
    settled(page, "Feature 1014")
    chart = page.locator(".st-key-strips canvas, .st-key-strips svg.marks").first
    expect(chart).to_be_visible(timeout=SLOWLY)
    page.wait_for_timeout(1500)
    area = chart.bounding_box()
    assert area is not None
    for i in range(12):  # down through the rows until one is hit
        page.mouse.click(area["x"] + 250, area["y"] + 130 + 25 * i)
        wait_at_rest(page, timeout=SLOWLY)
        if "example=" in page.url:
            break
    chosen = page.url.partition("example=")[2].partition("&")[0]
    assert chosen in names[1:]
    expect(page.get_by_role("heading", name=chosen)).to_be_visible(timeout=SLOWLY)


def test_one_page_leads_to_the_next(served_demo: str, visits: Visits) -> None:
    page = visits.open(f"{served_demo}/feature?feature=249&example=DEMO00515", height=2600)
    settled(page, "Feature 249")
    page.get_by_role("button", name="All its features").click()
    settled(page, "DEMO00515")
    assert "protein=DEMO00515" in page.url
    page.get_by_role("link", name="Concept").first.click()
    expect(page.get_by_role("button", name="Open feature")).to_be_visible(timeout=SLOWLY)
    page.get_by_role("button", name="Open feature").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Feature ", timeout=SLOWLY)


def test_a_click_in_the_landscape_opens_the_feature(served_demo: str, visits: Visits) -> None:
    page = visits.open(served_demo, height=2600)
    settled(page, PAGES[""])
    marks = page.locator(
        '[data-testid="stVegaLiteChart"] canvas, [data-testid="stVegaLiteChart"] svg.marks'
    ).first
    expect(marks).to_be_visible(timeout=SLOWLY)
    page.wait_for_timeout(1000)
    box = marks.bounding_box()
    assert box is not None
    heading = page.get_by_role("heading", level=1)
    # somewhere among the points there is one
    for i in range(5):
        page.mouse.click(box["x"] + box["width"] * (0.55 + 0.05 * i), box["y"] + box["height"] * 0.45)
        wait_at_rest(page, timeout=SLOWLY, rest=1_500)
        if heading.inner_text().startswith("Feature "):
            break
    expect(heading).to_contain_text("Feature ", timeout=SLOWLY)
    assert "feature=" in page.url


def test_the_next_feature_is_in_the_address_with_all_else(served_demo: str, visits: Visits) -> None:
    page = visits.open(f"{served_demo}/feature?sae=demo-sae&feature=249&zoom=true", height=2400)
    settled(page, "Feature 249")
    expect(page.get_by_role("switch", name="Zoom in")).to_be_checked(timeout=SLOWLY)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Feature 249", timeout=SLOWLY)
    number = page.get_by_role("heading", level=1).inner_text().removeprefix("Feature ")
    assert f"feature={number}" in page.url and "zoom=true" in page.url
