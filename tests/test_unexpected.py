"""What a user reads where the machine refuses: no space, a limit on files, a read-only file system."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interplm_wh.ask.verify import verify

CLI = [sys.executable, "-m", "interplm_wh"]


def said(*arguments: str | Path, before: Callable[[], None] | None = None) -> str:
    """Run a command that has to fail with exit code 1; returns the last line that it says."""
    done = subprocess.run(
        [*CLI, *map(str, arguments)], capture_output=True, text=True, check=False, preexec_fn=before
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Proteins that take more than eight megabytes."""
    path = tmp_path / "many.fasta"
    drawn = random.Random(0)
    with path.open("w") as handle:
        for i in range(60_000):
            handle.write(f">P{i:05}\n{''.join(drawn.choices('ACDEFGHIKLMNPQRSTVWY', k=300))}\n")
    return path


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def test_a_full_disk_is_said_with_what_to_do(small_disk: Path, many: Path) -> None:
    subprocess.run([*CLI, "-w", small_disk / "w", "init"], check=True, capture_output=True)
    line = said("-w", small_disk / "w", "add", "proteins", many)
    assert line.startswith("Error: No space left on device: ")
    assert line.endswith("; free some space and run the same command again")
    assert "{" not in line
    assert verify(small_disk / "w").is_sound


def test_a_limit_on_files_is_not_taken_for_damage(warehouse: Path, many: Path) -> None:
    line = said("-w", warehouse, "add", "proteins", many, before=limit_files)
    assert line.startswith("Error: File too large")
    assert "ulimit -f" in line
    assert "damaged" not in line
    assert verify(warehouse).is_sound


def test_a_read_only_file_system_is_named(small_disk: Path, many: Path) -> None:
    subprocess.run([*CLI, "-w", small_disk / "w", "init"], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    line = said("-w", small_disk / "w", "add", "proteins", many)
    assert line.startswith("Error: Read-only file system: ")
    assert "where you may write" in line
