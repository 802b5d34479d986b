"""The dashboard's server: who reaches it, what it refuses, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from interplm_wh.dashboard import serve as serving
from interplm_wh.errors import InputError, NotThereError
from tests.browser import free_port

CHECKOUT = Path(__file__).resolve().parents[1]
CARELESS = """
[server]
address = "0.0.0.0"
enableCORS = false
enableXsrfProtection = false
enableAgentApi = true
allowedHosts = ["*"]
[client]
showErrorDetails = "full"
"""


@dataclass(frozen=True)
class Server:
    """A server that runs, and the port that it listens on."""

    process: subprocess.Popen[bytes]
    port: int

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def started(warehouse: Path, cwd: Path, *options: str) -> Iterator[Server]:
    """Start the command and wait until it answers."""
    port = free_port()
    command = [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "dashboard", "--no-browser"]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        [*command, "--port", str(port), *options],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    server = Server(process, port)
    try:
        _wait(server)
        yield server
    finally:
        # Not by the server's own end, which is under test.
        for left in [*server.children(), process] if process.poll() is None else [process]:
            left.kill()
        process.communicate()


def _wait(server: Server) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.process.poll() is None, server.process.communicate()[1].decode()
        try:
            if httpx.get(f"http://127.0.0.1:{server.port}/_stcore/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start within a minute")


@pytest.fixture(scope="module")
def careless(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server started where a configuration of Streamlit's opens every door."""
    cwd = tmp_path_factory.mktemp("careless")
    (cwd / ".streamlit").mkdir()
    (cwd / ".streamlit" / "config.toml").write_text(CARELESS)
    with started(empty_warehouse, cwd) as server:
        yield server


def upgraded(port: int, *, host: str, origin: str) -> int:
    """Ask for the connection that a page has with the server; returns the status of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as asked:
        asked.settimeout(20)
        lines = (
            "GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: streamlit", "", "",
        )  # fmt: skip
        asked.sendall("\r\n".join(lines).encode())
        return int(asked.recv(64).split()[1])


def test_only_this_machine_reaches_it_whatever_streamlits_configuration_says(careless: Server) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for child in careless.children()
        for connection in child.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", careless.port)}
    others = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    for other in others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other, careless.port), timeout=5)


def test_pages_of_other_sites_get_no_connection(careless: Server) -> None:
    port = careless.port
    own = f"localhost:{port}"
    assert upgraded(port, host=own, origin=f"http://{own}") == 101
    assert upgraded(port, host=own, origin="http://evil.example") == 403
    # A name that is made to lead here: its pages are of one origin with it.
    assert upgraded(port, host=f"evil.example:{port}", origin=f"http://evil.example:{port}") in (400, 403)


def test_nothing_is_uploaded_without_the_token_and_no_agent_drives_it(careless: Server) -> None:
    url = f"http://localhost:{careless.port}/_stcore"
    reply = httpx.put(f"{url}/upload_file/x/y", files={"file": b"x"})
    assert (reply.status_code, "access-control-allow-origin" in reply.headers) == (403, False)
    assert httpx.post(f"{url}/agent/interact", json={}).status_code in (403, 404)


def test_a_host_that_others_reach_is_warned_of_in_words(empty_warehouse: Path, tmp_path: Path) -> None:
    with started(empty_warehouse, tmp_path, "--host", "0.0.0.0") as server:
        server.process.send_signal(signal.SIGINT)
        said = server.process.communicate(timeout=30)[1].decode()
    assert "WARNING: the dashboard asks for no password" in said
    assert f"0.0.0.0:{server.port}" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_0_and_without_a_warning_or_a_process_left(
    empty_warehouse: Path, tmp_path: Path, number: int
) -> None:
    with started(empty_warehouse, tmp_path) as server:
        children = server.children()
        assert children
        server.process.send_signal(number)
        said = server.process.communicate(timeout=30)[1].decode()
        assert server.process.returncode == 0
        assert not any(child.is_running() for child in children)
    assert "Traceback" not in said and "WARNING" not in said
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels tell no process that its parent ended")
def test_a_command_that_is_killed_leaves_no_server(empty_warehouse: Path, tmp_path: Path) -> None:
    with started(empty_warehouse, tmp_path) as server:
        children = server.children()
        assert children
        server.process.kill()
        server.process.wait(30)
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_a_server_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    from interplm_wh.dashboard import serve

    module = sys.modules[serve.__module__]
    monkeypatch.setattr(module, "_LAST_SECONDS", 0.5)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        module._end(server)
        assert server.wait(5) == -signal.SIGKILL


def test_a_port_that_is_taken_is_said_with_exit_code_1(empty_warehouse: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "interplm_wh", "-w", str(empty_warehouse), "dashboard"]
        done = subprocess.run(
            [*command, "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: the dashboard cannot listen on localhost, port {port}")
    assert "--port" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", ""])
def test_an_address_that_is_not_of_this_machine_is_refused(empty_warehouse: Path, host: str) -> None:
    with pytest.raises(InputError, match=r"cannot listen on|is empty"):
        serving(empty_warehouse, host=host, port=free_port())


def test_no_warehouse_is_said_before_a_server_starts(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="there is no warehouse"):
        serving(tmp_path / "nothing")


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_has_it(
    empty_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[serving.__module__], "_NEEDED", ("json", "a_package_that_nobody_has"))
    with pytest.raises(NotThereError, match=r"a_package_that_nobody_has, not installed.*\[dashboard\]"):
        serving(empty_warehouse)


def test_the_page_is_opened_in_a_browser_once_the_server_listens(warehouse: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    port = free_port()
    command = [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "dashboard", "--port", str(port)]
    environment = {**os.environ, "BROWSER": str(program)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as server:
        try:
            until = time.monotonic() + 60
            while not opened.exists() and time.monotonic() < until:
                time.sleep(0.1)
            assert opened.read_text().strip() == f"http://localhost:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
