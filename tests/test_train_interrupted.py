"""Training by the command line that is killed, interrupted, short of disk, or run twice at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from interplm_wh import store
from interplm_wh.ask import verify
from interplm_wh.errors import InterplmError
from interplm_wh.pipeline import run_pipeline
from tests.test_cli import run as cli
from tests.tiny_models import make_plm, some_proteins, write_fasta

STEPS = 60
SPEED = ("residues_per_second", "pct_waiting")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, proteins, and a pipeline that trains all kinds of SAEs."""
    folder = tmp_path_factory.mktemp("train")
    make_plm(folder / "tiny")
    write_fasta(folder / "p.fasta", some_proteins(60))
    write_pipeline(folder / "pipeline.yaml")
    return folder


def write_pipeline(path: Path, **changes: object) -> Path:
    """Write a pipeline."""
    common = {"layer": 1, "n_features": 24, "lr": 0.003, "lr_warmup": 10, "lr_decay_from": 40}
    saes = [
        {"name": "relu", "architecture": "relu", "l1": 0.01, "l1_warmup": 20, "resample_every": 9, **common},
        {"name": "btopk", "architecture": "batch_topk", "k": 3, "input_norm": "unit_mean_norm", **common},
        {"name": "topk", "architecture": "topk", "k": 3, "dead_after": 300, **common, "layer": 2},
        {"name": "jump", "architecture": "jumprelu", "target_l0": 3, **common},
    ]
    train = {
        "splits": ["valid", "test"], "steps": STEPS, "batch": 64, "buffer": 512, "log_every": 7,
        "checkpoint_every": 5, "saes": saes,
    }  # fmt: skip
    content = {"proteins": {"files": ["p.fasta"]}, "plm": "./tiny", "train": {**train, **changes}}
    path.write_text(yaml.safe_dump({**content, "encode": {"device": "cpu"}}))
    return path


def command(warehouse: Path, pipeline: Path, *more: str) -> list[str]:
    """The command line of a training."""
    return [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), "train", str(pipeline), *more]


def environment() -> dict[str, str]:
    """The environment of a process that runs this checkout."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def result(warehouse: Path) -> dict[str, Any]:
    """The weights' checksums and the metrics, but for how long it took."""
    with store.open(warehouse) as wh:
        sums = wh.sql("select sae, sha256 from saes order by sae").to_pylist()
        rows = wh.sql(f"select * exclude ({', '.join(SPEED)}) from training_metrics order by all").to_pylist()
    return {"weights": sums, "metrics": rows}


@pytest.fixture(scope="module")
def uninterrupted(base: Path) -> dict[str, Any]:
    """What a training gives that nothing disturbed."""
    warehouse = base / "whole"
    done = subprocess.run(
        command(warehouse, base / "pipeline.yaml"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = result(warehouse)
    assert len(found["weights"]) == 4
    assert [row["step"] for row in found["metrics"] if row["sae"] == "relu"] == [*range(7, STEPS, 7), STEPS]
    return found


def wait(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Wait until a process got somewhere."""
    for _ in range(6000):
        if reached():
            return
        assert process.poll() is None, "the training ended before it could be disturbed"
        time.sleep(0.005)
    raise AssertionError("the training did not get that far")


def newest(warehouse: Path) -> int:
    """The step of the newest checkpoint."""
    found = (warehouse / "training" / "pipeline" / "checkpoints").glob("step-*")
    return max((int(path.name[5:]) for path in found), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["plm", "embeddings"])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    base: Path, tmp_path: Path, uninterrupted: dict[str, Any], source: str
) -> None:
    expected = uninterrupted
    pipeline = base / "pipeline.yaml"
    if source == "embeddings":
        (base / source).mkdir(exist_ok=True)
        pipeline = write_pipeline(base / source / "pipeline.yaml", **{"from": source})
        text = pipeline.read_text().replace("p.fasta", "../p.fasta").replace("./tiny", "../tiny")
        pipeline.write_text(text)
        whole = tmp_path / "whole"
        subprocess.run(command(whole, pipeline), env=environment(), check=True, capture_output=True)
        expected = result(whole)
    warehouse = tmp_path / "w"
    # Killed before the first checkpoint, between checkpoints, and while one may be half written.
    for stop in (0, 5, 20, 40):
        process = subprocess.Popen(
            command(warehouse, pipeline), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        lock = warehouse / "training" / "pipeline" / "lock"
        wait(process, lambda stop=stop, lock=lock: newest(warehouse) >= stop and lock.exists())  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with store.open(warehouse) as wh:
            assert wh.sql("select count(*) as n from saes").to_pylist() == [{"n": 0}]
    done = subprocess.run(
        command(warehouse, pipeline), env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    went_on = re.search(r"gone on from step (\d+)", done.stdout)
    assert went_on is not None
    assert int(went_on[1]) >= 40
    assert result(warehouse) == expected
    assert verify(warehouse).is_sound
    assert not list((warehouse / "training").iterdir())


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_the_next_run_goes_on(
    base: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    warehouse, pipeline = tmp_path / "w", base / "pipeline.yaml"
    process = subprocess.Popen(
        command(warehouse, pipeline), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait(process, lambda: newest(warehouse) >= 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in said
    assert b"the same command goes on from there" in said
    subprocess.run(command(warehouse, pipeline), env=environment(), check=True, capture_output=True)
    assert result(warehouse) == uninterrupted


@pytest.mark.slow
def test_two_trainings_of_one_name_do_not_meet(base: Path, tmp_path: Path) -> None:
    warehouse, pipeline = tmp_path / "w", base / "pipeline.yaml"
    process = subprocess.Popen(
        command(warehouse, pipeline), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait(process, lambda: newest(warehouse) >= 5)
    process.send_signal(signal.SIGSTOP)
    try:
        second = subprocess.run(
            command(warehouse, pipeline), env=environment(), capture_output=True, text=True, check=False
        )
    finally:
        process.kill()
        process.communicate()
    assert second.returncode == 1
    assert "is being written by 'train pipeline'" in second.stderr


@pytest.mark.slow
def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(base: Path, tmp_path: Path) -> None:
    warehouse, pipeline = tmp_path / "w", base / "pipeline.yaml"
    limited = (
        "import resource, sys; from interplm_wh.cli import main; from interplm_wh import train\n"
        "from interplm_wh.train import checkpoint\n"
        "save = checkpoint.save\n"
        "def full(folder, state):\n"
        "    if state.step == 15:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n"
        "    return save(folder, state)\n"
        "checkpoint.save = full\n"
        f"sys.argv = {command(warehouse, pipeline)[2:]!r}\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert newest(warehouse) == 10
    assert not list((warehouse / "training" / "pipeline" / "checkpoints").glob(".new-*"))


def test_metrics_go_to_weights_and_biases_where_asked(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    pipeline = write_pipeline(base / "sent.yaml", wandb="project")
    warehouse = tmp_path / "w"
    done = subprocess.run(
        command(warehouse, pipeline),
        env={**environment(), "WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(tmp_path),
             "WANDB_DIR": str(tmp_path), "WANDB_CACHE_DIR": str(tmp_path), "WANDB_DATA_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.rglob("run-*.wandb")
    assert b"relu/variance_explained" in file.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stps": 3}, "train.stps: unknown key; did you mean steps?"),
        ({"steps": None}, "train.steps: is needed"),
        ({"from": "disk"}, "train.from: 'disk' is none of plm, embeddings"),
        ({"saes": [{"name": "a", "architecture": "relu", "layer": 1, "n_features": 8, "lr": 1e-3, "kk": 2}]},
         "train.saes[1].kk: unknown key"),
        ({"saes": [{"name": "a", "architecture": "topk", "layer": 1, "n_features": 8, "lr": 1e-3, "k": 9}]},
         "a: k is 9, but there are 8 features"),
        ({"saes": [{"name": "a", "architecture": "relu", "layer": 7, "n_features": 8, "lr": 1e-3, "l1": 1}]},
         "hidden states 0 to 2, not [7]"),
        ({"files": ["gone.fasta"]}, "there is no file"),
        ({"batch": 100_000, "buffer": 100_000}, "fewer than a batch of 100,000"),
        ({"splits": ["train"]}, "there is no protein in split 'train'"),
    ],
)  # fmt: skip
def test_a_bad_training_is_refused_by_name(
    base: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    pipeline = write_pipeline(base / "bad.yaml", **change)
    with pytest.raises(InterplmError) as caught:
        run_pipeline(pipeline, tmp_path / "w", until="train")
    assert message in str(caught.value)


def test_a_pipeline_without_training_is_refused_and_a_dry_run_says_what_would_be_trained(
    base: Path, tmp_path: Path
) -> None:
    refused = cli("-w", tmp_path / "w", "train", "demo")
    assert refused.returncode == 1
    assert b"demo.yaml: has no section train" in refused.stderr
    said = run_pipeline(base / "pipeline.yaml", tmp_path / "w", dry_run=True).lines()
    assert f"  relu, btopk, topk, jump would be trained: {STEPS} steps of 64 residues" in said
    assert not (tmp_path / "w").exists()
