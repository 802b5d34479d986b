"""The dashboard in a real browser, served by the command on the demo's warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visits, browser, dashboard

pytestmark = pytest.mark.slow
SLOWLY = 30_000  # milliseconds, on a busy machine


@pytest.fixture(scope="module")
def served(demo_warehouse: Path) -> Iterator[str]:
    with dashboard(demo_warehouse) as url:
        yield url


@pytest.fixture(scope="module")
def visits() -> Iterator[Visits]:
    with browser() as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_failed(visits: Visits) -> Iterator[None]:
    visits.faults.clear()
    yield
    assert visits.faults == []


def title(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=SLOWLY)


def test_a_click_in_the_landscape_opens_the_feature(served: str, visits: Visits) -> None:
    page = visits.open(served, height=1600)
    title(page, "What is in this warehouse")
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
        page.wait_for_timeout(1500)
        if heading.inner_text().startswith("Feature "):
            break
    expect(heading).to_contain_text("Feature ", timeout=SLOWLY)
    assert "feature=" in page.url


def test_a_shared_address_restores_the_view_and_next_changes_it(served: str, visits: Visits) -> None:
    page = visits.open(f"{served}/feature?sae=demo-sae&feature=249&zoom=true", height=2400)
    title(page, "Feature 249")
    expect(page.get_by_role("switch", name="Zoom in")).to_be_checked(timeout=SLOWLY)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Feature 249", timeout=SLOWLY)
    number = page.get_by_role("heading", level=1).inner_text().removeprefix("Feature ")
    assert f"feature={number}" in page.url and "zoom=true" in page.url


@pytest.mark.parametrize(("width", "dark"), [(1400, True), (420, False)])
@pytest.mark.parametrize("address", ["", "/feature"])
def test_pages_draw_in_the_dark_and_in_a_narrow_window(
    served: str, visits: Visits, address: str, width: int, dark: bool
) -> None:
    page = visits.open(served + address, width=width, dark=dark)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SLOWLY)
    chart = page.locator('[data-testid="stVegaLiteChart"]').first
    expect(chart).to_be_visible(timeout=SLOWLY)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
