"""Pages of the dashboard, run by Streamlit's own test harness."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import interplm_wh

# A server looks through all installed packages for components once; Streamlit's harness does for every page.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)

APP = str(Path(interplm_wh.__file__).parent / "dashboard" / "app.py")


def opened(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, address: str = "overview", **query: str | list[str]
) -> AppTest:
    """Run one page at an address; it may raise nothing."""
    monkeypatch.setattr(sys, "argv", ["app.py", str(warehouse)])
    app = AppTest.from_file(APP, default_timeout=120)
    app.switch_page(f"views/{address}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return sound(app.run())


def sound(app: AppTest) -> AppTest:
    """Return a page on which nothing was raised, and no traceback is shown."""
    assert not app.exception, f"{app.exception[0].message}\n{app.exception[0].stack_trace}"
    assert "Traceback" not in said(app)
    return app


def said(app: AppTest) -> str:
    """All text of a page, as it is sent to the browser."""
    return "\n".join(str(part.proto) for part in app.main) + "\n".join(str(p.proto) for p in app.sidebar)
