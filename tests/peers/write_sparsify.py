"""Write SAEs with sparsify, and what it computes with them.

``python -m tests.peers.write_sparsify OUT``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"

import torch
from sparsify import SparseCoder, SparseCoderConfig

from tests.peers.common import D, F, K, case, hidden, keep, randomise

CASES = {
    "topk": SparseCoderConfig(k=K, num_latents=F),
    "groupmax": SparseCoderConfig(k=K, num_latents=F, activation="groupmax"),
    "expansion": SparseCoderConfig(k=K, expansion_factor=4),
    "skip-zero": SparseCoderConfig(k=K, num_latents=F, skip_connection=True),
    "skip": SparseCoderConfig(k=K, num_latents=F, skip_connection=True),
    "transcoder": SparseCoderConfig(k=K, num_latents=F, transcode=True, skip_connection=True),
}


def write(root: Path) -> None:
    """Save each case, read it back and compute with it."""
    for name, config in CASES.items():
        folder = case(root, name)
        sae = SparseCoder(D, config)
        weights = [tensor for key, tensor in sae.named_parameters() if key != "W_skip" or name == "skip"]
        randomise(weights, seed=len(name))
        sae.save_to_disk(folder)
        again = SparseCoder.load_from_disk(folder)
        x = hidden()
        with torch.no_grad():
            found = again.encode(x)
            features = torch.zeros(len(x), again.num_latents).scatter(1, found.top_indices, found.top_acts)
            keep(folder, x, features, again(x).sae_out)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
