"""Start the dashboard's server, which is Streamlit's."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from interplm_wh import store
from interplm_wh.errors import NotThereError

EXTRA = "pip install 'interplm-wh[dashboard]'"
_NEEDED = ("streamlit", "altair")
APP = Path(__file__).with_name("app.py")


def serve(
    warehouse: str | Path, *, host: str = "localhost", port: int = 8501, open_browser: bool = True
) -> int:
    """Serve the dashboard until it is interrupted.

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
    """
    with store.open(warehouse) as wh:
        root = wh.path
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotThereError(f"the dashboard needs {', '.join(missing)}, not installed; run {EXTRA}")
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(APP),
        "--server.address",
        host,
        "--server.port",
        str(port),
        "--server.headless",
        "false" if open_browser else "true",
        "--server.fileWatcherType",
        "none",
        "--server.runOnSave",
        "false",
        "--browser.gatherUsageStats",
        "false",
        "--runner.magicEnabled",
        "false",
        "--client.toolbarMode",
        "viewer",
        "--client.showErrorDetails",
        "none",
        "--",
        str(root),
    ]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # the server has had the same signal
        return 0
