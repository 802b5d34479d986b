"""SAEs of the hub in every format's layout: the real client against a server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hub_server import COMMIT, serve
from tests.peers.common import D, F
from tests.test_formats import BIOHUB_CONFIG, SAELENS, biohub, interprot, linear, matrices, random, saved

READ = """
import json, sys
from interplm_wh.errors import ModelError
from interplm_wh.sae.load import read_sae

answers = []
for asked in json.loads(sys.argv[1]):
    try:
        found = read_sae(**asked)
        first = float(found.sae.tensors["encoder.bias"][0])
        answers.append([found.format, found.kind, found.sae.revision, first])
    except ModelError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
NOWHERE = "http://127.0.0.1:9"


def read(home: Path, endpoint: str, *asked: dict[str, object], **more: str) -> list[object]:
    """Read SAEs in a process of its own, whose cache is below `home`."""
    names = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE")
    kept = {key: value for key, value in os.environ.items() if key not in names}
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(asked)],
        env={**kept, **settings, **more},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def repositories(tmp_path: Path) -> dict[str, Path]:
    """One repository of each layout; encoders' biases say which layer a file is for."""
    root = tmp_path / "repositories"

    def bias(layer: int) -> torch.Tensor:
        return torch.full((F,), float(layer))

    for layer in (1, 2):
        plm = linear(**{"bias": random(D), "encoder.bias": bias(layer)})
        saved(root / "plm" / f"layer_{layer}" / "ae_normalized.pt", plm)
        prot = {**interprot(f=F), "b_enc": bias(layer)}
        saved(root / "prot" / f"esm2_plm1280_l{layer}_sae4096.safetensors", prot)
        saved(root / "biohub" / f"layer_{layer}.safetensors", biohub(), BIOHUB_CONFIG, name="config.json")
        hook = root / "lens" / f"blocks.{layer - 1}.hook_resid_post"
        saved(hook / "sae_weights.safetensors", matrices(b_enc=bias(layer)), SAELENS)
        coder = {"encoder.weight": random(F, D), "encoder.bias": bias(layer)}
        coder |= {"W_dec": random(F, D), "b_dec": random(D)}
        config = {"d_in": D, "num_latents": F, "k": 4}
        saved(root / "sparsify" / f"layers.{layer - 1}" / "sae.safetensors", coder, config)
        run = root / "dictionary" / f"resid_post_layer_{layer - 1}" / "trainer_0"
        auto = linear(**{"bias": random(D), "encoder.bias": bias(layer)})
        saved(run / "ae.pt", auto, {"trainer": {"dict_class": "AutoEncoder"}}, name="config.json")
    return {f"org/{folder.name}": folder for folder in root.iterdir()}


def test_a_layer_of_every_layout_is_found_with_its_configuration(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    names = ("plm", "prot", "biohub", "lens", "sparsify", "dictionary")
    asked = [{"source": f"org/{name}", "layer": 2, **({"k": 4} if name == "prot" else {})} for name in names]
    with serve(repositories) as hub:
        found = read(home, hub.url, *asked)
        fetched = [line for line in hub.log if line.startswith("GET org/")]
        wrong = read(home, hub.url, {"source": "org/lens", "layer": 7}, {"source": "org/lens"})
    assert [(row[0], row[2]) for row in found if isinstance(row, list)] == [
        ("InterPLM", COMMIT), ("InterProt", COMMIT), ("Biohub", COMMIT), ("SAELens", COMMIT),
        ("sparsify", COMMIT), ("dictionary_learning", COMMIT),
    ]  # fmt: skip
    assert [row[3] for row in (found[0], found[1], found[3], found[4]) if isinstance(row, list)] == [2.0] * 4
    assert sum(line.endswith((".pt", ".safetensors")) for line in fetched) == len(names)
    assert "no such file as an SAE of layer 7; there are layers 1, 2" in str(wrong[0])
    assert "several SAEs that fit" in str(wrong[1])
    again = read(home, NOWHERE, *asked, HF_HUB_OFFLINE="1")
    assert again == found
    unreachable = read(home, NOWHERE, asked[3], {"source": "org/other", "layer": 2})
    assert unreachable[0] == found[3]
    assert "not a folder or file here, the hub cannot be reached, and its cache has no copy" in str(
        unreachable[1]
    )


def test_a_download_that_breaks_off_is_tried_again_and_never_used_half(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    asked: dict[str, object] = {"source": "org/lens", "layer": 2}
    with serve(repositories) as hub:
        hub.broken.add("sae_weights.safetensors")
        failed = read(home, hub.url, asked)
        assert "the download failed" in str(failed[0])
        assert "finished files are kept" in str(failed[0])
        offline = read(home, NOWHERE, asked, HF_HUB_OFFLINE="1")
        assert "holds no" in str(offline[0]) or "holds none of" in str(offline[0])
        tries = [line for line in hub.log if line.startswith("GET") and "sae_weights" in line]
        assert len(tries) > 1
        hub.broken.clear()
        hub.cuts.add("sae_weights.safetensors")
        assert read(home, hub.url, asked) == [["SAELens", "standard", COMMIT, 2.0]]


def test_a_name_that_leads_out_of_the_repository_is_never_asked_for(
    repositories: dict[str, Path], tmp_path: Path
) -> None:
    with serve(repositories) as hub:
        found = read(tmp_path / "home", hub.url, {"source": "org/plm", "layer": 1, "file": "../../x.pt"})
        assert not hub.log
    assert "leads out of the source" in str(found[0])
