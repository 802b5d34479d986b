"""Cluster sequences with MMseqs2 (Steinegger and Söding, Nature Biotechnology 35, 2017), which runs here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from interplm_wh import progress
from interplm_wh.errors import InputError

MIN_IDENTITY, COVERAGE = 0.3, 0.8
PROGRAM = "mmseqs"
HOW_TO_GET = (
    "install it (apt install mmseqs2, or conda install -c conda-forge -c bioconda mmseqs2), or give clusters "
    "that were made elsewhere with --clusters FILE"
)
_POLL_SECONDS, _END_SECONDS = 0.2, 5.0
_SAID_LINES = 6
_STEP_DONE = "Time for processing"


def find() -> str | None:
    """Return where MMseqs2 is; None where it is not on the path."""
    return shutil.which(PROGRAM)


def version(program: str) -> str:
    """Return what the program says of its version."""
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of an unknown version"


def cluster(program: str, fasta: Path, *, min_identity: float, coverage: float) -> Path:
    """Cluster the sequences of a FASTA file.

    Parameters
    ----------
    program : str
        Where MMseqs2 is.
    fasta : Path
        In a folder of its own, which takes all that is written.
    min_identity, coverage : float
        Lowest identity of aligned residues, and lowest share of both sequences that is aligned, from 0 to 1.

    Returns
    -------
    Path
        Two columns with a tab between: the name of the representative, and that of a member.

    Raises
    ------
    InputError
        With what the program said, if it fails.
    """
    folder = fasta.parent
    command = [
        program, "easy-cluster", fasta.name, "clusters", "tmp", "--min-seq-id", str(min_identity),
        "-c", str(coverage),
    ]  # fmt: skip
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            _wait(process, folder / "out")
        finally:
            _end(process)
    result = folder / "clusters_cluster.tsv"
    if process.returncode or not result.is_file():
        raise InputError(_failure(folder, process.returncode))
    return result


def _wait(process: subprocess.Popen[bytes], out: Path) -> None:
    n_done = 0
    with progress.track("clustering with MMseqs2", unit="steps") as bar, out.open(errors="replace") as said:
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            n_now = n_done + said.read().count(_STEP_DONE)
            bar.advance(n_now - n_done)
            n_done = n_now


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program with the programs that it has started, where it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _failure(folder: Path, code: int) -> str:
    texts = [(folder / name).read_text(errors="replace") for name in ("err", "out")]
    said = next((text for text in texts if text.strip()), "it said nothing")
    lines = [line for line in said.splitlines() if line.strip()][-_SAID_LINES:]
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    how = how if code else "ended without a result"
    return "\n  ".join([f"MMseqs2 {how}; nothing was changed. Its last words:", *lines]) + (
        "\ntry other --min-identity and --coverage, or give clusters that were made elsewhere with "
        "--clusters FILE"
    )
