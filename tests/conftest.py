"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interplm_wh import store

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"


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


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Path]:
    """An empty warehouse."""
    yield store.init(tmp_path / "warehouse")
