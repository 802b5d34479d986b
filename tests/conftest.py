"""Fixtures that every test may use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from interplm_wh import store

if TYPE_CHECKING:
    from interplm_wh.demo import DemoReport
    from interplm_wh.landscape import ClusterReport
    from tests.browser import Visits

# A busy machine is no fault of the code under test.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open pages in a browser."""
    for item in items:
        if "visits" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the folder of reference data is not beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """Inputs and outputs of the reference implementation."""
    return shared / "golden"


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty warehouse that tests copy; never to be changed."""
    return store.init(tmp_path_factory.mktemp("empty") / "warehouse")


@pytest.fixture(scope="session")
def golden_warehouse(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden proteome, built on DuckDB; never to be changed."""
    from interplm_wh import build, commands

    path = store.init(tmp_path_factory.mktemp("golden").resolve() / "w")
    commands.add_proteins(path, [golden / "proteins.csv.gz"])
    commands.add_annotations(path, [golden / "annotations.csv.gz"], source="golden")
    commands.add_activations(path, golden / "activations.parquet", sae="golden", n_features=256)
    build.build(path, min_residues=500, min_domains=15)
    return path


@pytest.fixture
def warehouse(empty_warehouse: Path, tmp_path: Path) -> Path:
    """An empty warehouse."""
    return shutil.copytree(empty_warehouse, tmp_path.resolve() / "warehouse")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """The demo, run once."""
    from interplm_wh.demo import run_demo

    return run_demo(tmp_path_factory.mktemp("demo") / "w")


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Put the main module back: Streamlit's harness replaces it, and new processes would run the page."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def demo_warehouse(demo: DemoReport) -> Path:
    """The warehouse that the demo builds; to be read only."""
    return demo.warehouse


@pytest.fixture(scope="session")
def worded_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of `tests/worded.py`; never to be changed."""
    from tests import worded

    return worded.make(tmp_path_factory.mktemp("worded").resolve())


@pytest.fixture(scope="session")
def mapped_demo(demo_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ClusterReport]:
    """A copy of the demo with the landscape of its SAE, matched with the neurons; never to be changed."""
    from interplm_wh.landscape import cluster

    path = shutil.copytree(demo_warehouse, tmp_path_factory.mktemp("mapped").resolve() / "w")
    return path, cluster(path, "demo-sae", others=["demo-neurons"], n_residues=4000, n_draws=4)


@pytest.fixture(scope="session")
def served_demo(demo_warehouse: Path) -> Iterator[str]:
    """The address of the dashboard of the demo's warehouse."""
    from tests.browser import dashboard

    with dashboard(demo_warehouse) as url:
        yield url


@pytest.fixture(scope="module")  # while it is open, this thread has a running event loop
def _chromium() -> Iterator[Visits]:
    from tests.browser import browser

    with browser() as found:
        yield found


@pytest.fixture
def visits(_chromium: Visits) -> Iterator[Visits]:
    """Opens pages in a real browser; the test fails where one had an error, a dialog or a stray request."""
    _chromium.faults.clear()
    yield _chromium
    _chromium.close()
    assert _chromium.faults == []
