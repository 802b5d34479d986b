"""A real browser on a real server of the dashboard.

Tests take the fixture `visits`, which fails a test whose pages had a fault, and an address that
`dashboard` gives, such as the fixture `served_demo`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Dialog, Page, sync_playwright

# Nothing of the browser's own may ask the network; WebGL is drawn without a graphics card.
_QUIET = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# At an address below the root Streamlit first looks for its server there, then at the root.
_EXPECTED = ("_stcore/health", "_stcore/host-config")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def dashboard(warehouse: Path) -> Iterator[str]:
    """Serve a warehouse by the command, and return the address."""
    port = free_port()
    command = [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "dashboard"]
    with _serving([*command, "--no-browser", "--port", str(port)], port) as url:
        yield url


@contextmanager
def script(path: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Serve a script of Streamlit's, and return the address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(path), "--server.port", str(port)]
    quiet = ["--server.headless", "true", "--server.fileWatcherType", "none"]
    with _serving([*command, *quiet, "--browser.gatherUsageStats", "false"], port, environment) as url:
        yield url


@contextmanager
def _serving(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as server:
        try:
            _wait(f"http://localhost:{port}/_stcore/health", server)
            yield f"http://localhost:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=3)
            except subprocess.TimeoutExpired:  # it waits for pages that are still open
                server.kill()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start within a minute")


@dataclass
class Visits:
    """Opens pages, and keeps what went wrong on them."""

    open: Callable[..., Page]
    faults: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def close(self) -> None:
        """Close all pages."""
        while self.pages:
            self.pages.pop().close()


def _refuse(dialog: Dialog, faults: list[str]) -> None:
    faults.append(f"a dialog was opened: {dialog.message}")
    dialog.dismiss()


def _hear(said: ConsoleMessage, faults: list[str]) -> None:
    # Of files that are not there the status is heard, see below.
    if said.type == "error" and "Failed to load resource" not in said.text:
        faults.append(f"the console has an error: {said.text}")


def _watch(url: str, faults: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("localhost", "127.0.0.1"):
        faults.append(f"{url} was asked for")


@contextmanager
def browser() -> Iterator[Visits]:
    """Start Chromium; every error, dialog and request to elsewhere is kept."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium; install Debian's package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        visits = Visits(open=lambda: None)  # type: ignore[arg-type,return-value]

        def open_page(url: str, *, width: int = 1400, height: int = 1200, dark: bool = False) -> Page:
            scheme = "dark" if dark else "light"
            page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.on("pageerror", lambda error: visits.faults.append(f"{url}: {error}"))
            page.on("dialog", lambda dialog: _refuse(dialog, visits.faults))
            page.on("console", lambda said: _hear(said, visits.faults))
            page.on("request", lambda asked: _watch(asked.url, visits.faults))
            page.on(
                "response",
                lambda reply: (
                    visits.faults.append(f"{url}: {reply.status} {reply.url}")
                    if reply.status >= 400 and not reply.url.endswith(_EXPECTED)
                    else None
                ),
            )
            visits.pages.append(page)
            page.goto(url)
            return page

        visits.open = open_page
        try:
            yield visits
        finally:
            chromium.close()


# No part of a page is being computed now, and none was for so many milliseconds.
_AT_REST = """milliseconds => {
    const app = document.querySelector('[data-testid="stApp"]');
    const isDone = app !== null && app.dataset.testScriptState === "notRunning";
    const now = performance.now();
    window.__atRestSince = isDone ? (window.__atRestSince ?? now) : undefined;
    return isDone && now - window.__atRestSince >= milliseconds;
}"""


def wait_at_rest(page: Page, *, timeout: float, rest: float = 700) -> None:
    """Wait, at most `timeout` milliseconds, until from now on nothing is computed for `rest` milliseconds."""
    page.evaluate("delete window.__atRestSince")
    page.wait_for_function(_AT_REST, arg=rest, polling=50, timeout=timeout)
