"""Models from the hub: the real client against a server on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interplm_wh.plm import load_plm
from tests.hub_server import COMMIT, serve
from tests.plm_folders import make_ankh, make_esmc, make_prott5

SCRIPT = """
import json, sys
from interplm_wh.errors import ModelError
from interplm_wh.plm import load_plm
from interplm_wh.sae import load_sae

def fault(call):
    try:
        call()
    except ModelError as error:
        return str(error)
    return None

plm = load_plm("facebook/esm2_tiny", device="cpu")
sae = load_sae("Elana/InterPLM-tiny", layer=3)
raw = load_sae("Elana/InterPLM-tiny", layer=3, file="ae_unnormalized.pt", revision="main")
x = plm.embed("MKTAYIAKQR", 3)
print(json.dumps({
    "name": plm.name, "source": plm.source, "revision": plm.revision,
    "sae_revision": sae.revision, "shape": list(sae.encode(x).shape),
    "scale": sae.checkpoint_scale is not None, "raw_scale": raw.checkpoint_scale is not None,
    "no_repo": fault(lambda: load_plm("facebook/absent")),
    "no_file": fault(lambda: load_sae("Elana/InterPLM-tiny", layer=4)),
    "no_revision": fault(lambda: load_sae("Elana/InterPLM-tiny", layer=3, revision="v9")),
    "no_layer": fault(lambda: load_sae("Elana/InterPLM-tiny")),
    "no_id": fault(lambda: load_plm("not a hub id!")),
}))
"""
OFFLINE = """
import json
from interplm_wh.errors import ModelError
from interplm_wh.plm import load_plm
plm = load_plm("facebook/esm2_tiny", device="cpu")
try:
    load_plm("facebook/other")
    fault = None
except ModelError as error:
    fault = str(error)
print(json.dumps({"revision": plm.revision, "fault": fault}))
"""


KINDS = """
import json
from interplm_wh.plm import load_plm

found = {}
for source in ("biohub/ESMC-tiny", "Rostlab/prot_t5_tiny", "ElnaggarLab/ankh-tiny"):
    plm = load_plm(source, device="cpu")
    x = plm.embed("MKTAYIAKQR", 2)
    found[plm.name] = [type(plm).__name__, plm.revision, list(x.shape), x.sum().item()]
print(json.dumps(found))
"""


def _run(script: str, home: Path, **environment: str) -> dict[str, object]:
    names = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def repositories(golden: Path, tmp_path: Path) -> dict[str, Path]:
    """Two repositories as the hub would hold them."""
    layer = tmp_path / "sae" / "layer_3"
    layer.mkdir(parents=True)
    shutil.copy(golden / "interplm_checkpoint" / "ae_normalized.pt", layer)
    shutil.copy(golden / "interplm_checkpoint" / "ae.pt", layer / "ae_unnormalized.pt")
    shutil.copytree(layer, layer.with_name("layer_5"))
    return {"facebook/esm2_tiny": golden / "tiny_esm", "Elana/InterPLM-tiny": tmp_path / "sae"}


def test_hub_ids_are_fetched_once_with_their_revision_and_faults_are_named(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with serve(repositories) as hub:
        found = _run(SCRIPT, home, HF_ENDPOINT=hub.url)
    assert found["name"] == "facebook--esm2_tiny"
    assert found["source"] == "facebook/esm2_tiny"
    assert found["revision"] == found["sae_revision"] == COMMIT
    assert found["shape"] == [10, 256]
    assert (found["scale"], found["raw_scale"]) == (True, False)
    assert "no such repository" in str(found["no_repo"])
    assert "no such file" in str(found["no_file"])
    assert "no such revision" in str(found["no_revision"])
    assert "give the layer" in str(found["no_layer"])
    assert "neither a local path nor a hub id" in str(found["no_id"])
    offline = _run(OFFLINE, home, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1")
    assert offline["revision"] == COMMIT
    assert "cannot be reached" in str(offline["fault"])


def test_every_kind_of_model_comes_from_the_hub_as_it_is_published(tmp_path: Path) -> None:
    repositories = {
        "biohub/ESMC-tiny": make_esmc(tmp_path / "esmc"),
        "Rostlab/prot_t5_tiny": make_prott5(tmp_path / "prott5"),
        "ElnaggarLab/ankh-tiny": make_ankh(tmp_path / "ankh"),
    }
    with serve(repositories) as hub:
        found = _run(KINDS, tmp_path / "home", HF_ENDPOINT=hub.url)
    for source, folder in repositories.items():
        kind = "Esmc" if "ESMC" in source else "T5Encoder"
        local = load_plm(str(folder), device="cpu").embed("MKTAYIAKQR", 2)
        expected = [kind, COMMIT, [10, 16], pytest.approx(local.sum().item(), rel=1e-4, abs=1e-4)]
        assert found[source.replace("/", "--")] == expected
