"""Pipelines with models of the hub: the real client, a server on this machine, or the hub's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interplm_wh import store
from interplm_wh.demo import assets
from tests.hub_server import COMMIT, serve

PLM, SAES = "facebook/esm2_t6_8M_UR50D", "Elana/InterPLM-esm2-8m"
PIPELINE = f"""
proteins: {{demo: {{n: 20, seed: 4}}}}
plm: {PLM}
layers: [3]
saes:
  - {{name: "layer{{layer}}", source: {SAES}, file: ae_normalized.pt}}
"""
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def repositories() -> dict[str, Path]:
    """The demo's models under the names and in the layout of the published ones."""
    return {PLM: assets("plm"), SAES: assets("sae")}


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "published.yaml"
    path.write_text(PIPELINE, encoding="utf-8")
    return path


def _cli(
    warehouse: Path, *args: str, home: Path, endpoint: str, **more: str
) -> subprocess.CompletedProcess[str]:
    names = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HUB_ENABLE_HF_TRANSFER")
    kept = {key: value for key, value in os.environ.items() if key not in names}
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", "-w", str(warehouse), *args],
        env={**kept, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pipeline_downloads_published_models_even_if_a_download_breaks_off(
    repositories: dict[str, Path], pipeline: Path, tmp_path: Path
) -> None:
    warehouse, home = tmp_path / "warehouse", tmp_path / "home"
    with serve(repositories) as hub:
        before = _cli(warehouse, "run", str(pipeline), "--dry-run", home=home, endpoint=hub.url)
        assert f"{PLM}, would be downloaded from the hub" in before.stdout, before.stderr
        assert f"layer 3: {SAES}, would be downloaded from the hub" in before.stdout
        assert not hub.log
        hub.cuts.add("model.safetensors")
        done = _cli(warehouse, "run", str(pipeline), home=home, endpoint=hub.url)
        assert done.returncode == 0, done.stderr
        asked = [line.split("/")[-1] for line in hub.log if line.startswith("GET")]
    assert asked.count("model.safetensors") == 2
    assert asked.count("ae_normalized.pt") == 1
    after = _cli(warehouse, "run", str(pipeline), "--dry-run", home=home, endpoint=NOWHERE)
    assert f"{PLM}, in the cache of the hub" in after.stdout, after.stderr
    assert "is there already" in after.stdout
    with store.open(warehouse) as wh:
        assert wh.sql("select plm, source, revision, n_layers from plms").to_pylist() == [
            {"plm": PLM.replace("/", "--"), "source": PLM, "revision": COMMIT, "n_layers": 4}
        ]
        saes = wh.sql("select sae, source, revision, layer from saes").to_pylist()
        assert saes == [{"sae": "layer3", "source": SAES, "revision": COMMIT, "layer": 3}]
        assert wh.sql("select count(*) as n from encodings")["n"].to_pylist() == [20]


def test_a_cache_laid_out_by_the_hub_is_enough_without_network(pipeline: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, folder in ((PLM, assets("plm")), (SAES, assets("sae"))):
        repository = home / "hub" / f"models--{name.replace('/', '--')}"
        shutil.copytree(folder, repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    done = _cli(tmp_path / "warehouse", "run", str(pipeline), home=home, endpoint=NOWHERE, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    with store.open(tmp_path / "warehouse") as wh:
        assert wh.sql("select revision from saes")["revision"].to_pylist() == [COMMIT]


def test_a_hub_that_cannot_be_reached_is_named_with_what_to_do(pipeline: Path, tmp_path: Path) -> None:
    warehouse, home = tmp_path / "warehouse", tmp_path / "home"
    done = _cli(warehouse, "run", str(pipeline), home=home, endpoint=NOWHERE)
    assert done.returncode == 1
    assert (
        f"{PLM}: not a folder or file here, the hub cannot be reached, and its cache has no copy"
        in done.stderr
    )
    assert "give the local folder" in done.stderr
    assert "Traceback" not in done.stderr
    with store.open(warehouse) as wh:
        assert wh.sql("from saes").num_rows == 0
        assert wh.sql("from proteins").num_rows == 20
