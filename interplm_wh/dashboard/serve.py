"""Start the dashboard's server, which is Streamlit's."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path

from interplm_wh import store
from interplm_wh.errors import InputError, NotThereError

EXTRA = "pip install 'interplm-wh[dashboard]'"
APP = Path(__file__).with_name("app.py")
_NEEDED = ("streamlit", "altair", "vl_convert")
_LAST_SECONDS = 5.0
"""How long the server may take to end after it was told to."""
_FIRST_SECONDS = 60.0
"""How long the server may take to listen, before no browser is opened any more."""
_log = logging.getLogger(__name__)

# Given as arguments, because these win over any config.toml of Streamlit's: in the home, in the
# working directory, or in the environment.
_FIXED = {
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.enableStaticServing": "false",
    "server.enableAgentApi": "false",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.showEmailPrompt": "false",
    # It would open the browser itself, and show advertisements of Streamlit's own over the pages.
    "server.headless": "true",
    "runner.magicEnabled": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
}
# What a browser of this machine calls it. A page elsewhere whose name is made to lead here ("DNS
# rebinding") calls it otherwise.
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


def serve(
    warehouse: str | Path, *, host: str = "localhost", port: int = 8501, open_browser: bool = True
) -> int:
    """Serve the dashboard until it is interrupted.

    There are no passwords. Where `host` is not this machine's own, a warning says who can read along.

    Parameters
    ----------
    warehouse : str or Path
    host : str
        Address that is listened on; `localhost` is reached from this machine alone.
    port : int
    open_browser : bool
        Whether to open the page in a browser.

    Returns
    -------
    int
        Exit code of the server; 0 where it was interrupted.

    Raises
    ------
    NotThereError
        If there is no warehouse, or a package that the dashboard needs is not installed.
    InputError
        If the address is none of this machine's, or another program listens there.
    """
    with store.open(warehouse) as wh:
        root = wh.path
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotThereError(f"the dashboard needs {', '.join(missing)}, not installed; run {EXTRA}")
    _check_address(host, port)
    if not _is_own(host):
        _log.warning(
            "the dashboard asks for no password: whoever reaches %s:%s over the network reads this "
            "warehouse, runs models and SQL on this machine, and nothing is encrypted; without --host it "
            "is reached from this machine alone",
            host,
            port,
        )
    settings = _FIXED | {
        "server.address": host,
        "server.port": str(port),
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    if _is_own(host):
        options += [f"--server.allowedHosts={name}" for name in _OWN_NAMES]
    if open_browser:
        threading.Thread(target=_open_browser, args=(host, port), daemon=True).start()
    server = [sys.executable, "-P", "-m", "interplm_wh.dashboard.server", str(os.getpid())]
    return _run([*server, "run", str(APP), *options, "--", str(root)])


def _open_browser(host: str, port: int) -> None:
    """Open the page once the server listens."""
    until = time.monotonic() + _FIRST_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            named = f"[{host}]" if ":" in host else host
            webbrowser.open(f"http://{named}:{port}")
            return


def _is_own(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on, before a server is started on it."""
    if not host:
        raise InputError("the address is empty, which would be every address of this machine; name one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"the dashboard cannot listen on {host}, port {port} ({error.strerror}); "
                "choose another with --port or --host, or end the program that has it"
            ) from error


def _run(command: list[str]) -> int:
    """Run the server; an interrupt ends it, and nothing of it is left."""
    with subprocess.Popen(command) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()  # Ctrl-C has reached it as well; the end of a batch system has not
    try:
        server.wait(_LAST_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
