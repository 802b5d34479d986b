"""Write SAEs with dictionary_learning, and what it computes with them.

``python -m tests.peers.write_dictionary_learning OUT``. The package itself draws in nnsight, which its
classes do not need: they are loaded without it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import torch

from tests.peers.common import GROUPS, D, F, K, case, hidden, keep, randomise

NAME = "dictionary_learning"
FACTOR = 4.5  # mean norm of the inputs, by which saved biases are multiplied


def classes() -> dict[str, Any]:
    """Load the classes from the installed package without running its ``__init__``."""
    spec = importlib.util.find_spec(NAME)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(NAME, name=NAME)
    package = types.ModuleType(NAME)
    package.__path__ = [str(Path(spec.origin).parent)]
    sys.modules[NAME] = package
    from dictionary_learning import dictionary
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    return {
        "AutoEncoder": dictionary.AutoEncoder,
        "AutoEncoderNew": dictionary.AutoEncoderNew,
        "GatedAutoEncoder": dictionary.GatedAutoEncoder,
        "JumpReluAutoEncoder": dictionary.JumpReluAutoEncoder,
        "AutoEncoderTopK": AutoEncoderTopK,
        "BatchTopKSAE": BatchTopKSAE,
        "MatryoshkaBatchTopKSAE": MatryoshkaBatchTopKSAE,
    }


def make(name: str, kind: Any) -> Any:
    """Make one with random weights, in the units of inputs of unit mean norm."""
    torch.manual_seed(0)
    more = {"group_sizes": list(GROUPS)} if name.startswith("Matryoshka") else {}
    sae = kind(D, F, K, **more) if "TopK" in name else kind(D, F)
    randomise(sae.parameters(), seed=len(name))
    if name == "JumpReluAutoEncoder":
        sae.threshold.data = sae.threshold.data.abs()
    if hasattr(sae, "k"):
        sae.threshold.fill_(0.1)
    return sae


def write(root: Path) -> None:
    """Save each class as training does, after `scale_biases`, and read it back as the package does."""
    for name, kind in classes().items():
        folder = case(root, name)
        sae = make(name, kind)
        if hasattr(sae, "scale_biases"):
            sae.scale_biases(FACTOR)
        torch.save({key: value.cpu() for key, value in sae.state_dict().items()}, folder / "ae.pt")
        trainer: dict[str, Any] = {
            "dict_class": name, "activation_dim": D, "dict_size": F, "layer": 3, "lm_name": "esm2",
        }  # fmt: skip
        if hasattr(sae, "k"):
            trainer["k"] = K
        (folder / "config.json").write_text(json.dumps({"trainer": trainer}, indent=4))
        again = kind.from_pretrained(folder / "ae.pt")
        x = hidden()
        with torch.no_grad():
            features = again.encode(x)
            keep(folder, x, features, again.decode(features))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
