"""Running a script of this folder in a process of its own: the packages warn, and are slow to import."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def run(script: str, arguments: Sequence[str], *, package: str) -> None:
    """Run a script; skip where the package that it needs is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install -e '.[peers]', see the Makefile")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.peers.{script}", *arguments],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def written(script: str, folder: Path, *, package: str) -> Path:
    """Return the folder in which a script has written its cases."""
    run(script, [str(folder)], package=package)
    return folder
