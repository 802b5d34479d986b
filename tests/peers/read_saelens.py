"""Read SAEs with SAELens and keep what it computes with them.

``python -m tests.peers.read_saelens FOLDER…``: each holds ``sae/`` and hidden states ``x.safetensors``;
``read.safetensors`` is written beside them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from sae_lens import SAE
from safetensors.torch import load_file, save_file


def read(folder: Path) -> None:
    """Encode and decode with one SAE."""
    sae = SAE.load_from_disk(folder / "sae")
    x = load_file(folder / "x.safetensors")["x"]
    with torch.no_grad():
        features = sae.encode(x)
        output = sae.decode(features)
    save_file({"features": features.contiguous(), "output": output.contiguous()}, folder / "read.safetensors")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        read(Path(argument))
