"""Write SAEs with SAELens, and what it computes with them.

``python -m tests.peers.write_saelens OUT``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
    Transcoder,
    TranscoderConfig,
)

from tests.peers.common import GROUPS, D, F, K, case, hidden, keep, randomise

FACTOR = 0.15
NORMS = ("none", "layer_norm", "constant_norm_rescale")
PLAIN: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "standard": (StandardSAE, StandardSAEConfig, {}),
    "topk": (TopKSAE, TopKSAEConfig, {"k": K}),
    "topk-rescaled": (TopKSAE, TopKSAEConfig, {"k": K, "rescale_acts_by_decoder_norm": True}),
    "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig, {}),
    "gated": (GatedSAE, GatedSAEConfig, {}),
}
TRAINED: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "trained-topk": (TopKTrainingSAE, TopKTrainingSAEConfig, {"k": K}),
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, {"k": float(K)}),
    "matryoshka": (
        MatryoshkaBatchTopKTrainingSAE,
        MatryoshkaBatchTopKTrainingSAEConfig,
        {"k": float(K), "matryoshka_widths": [GROUPS[0], GROUPS[0] + GROUPS[1], F]},
    ),
}


def compute(folder: Path, sae: Any) -> None:
    """Keep features and reconstruction, in the units of the input."""
    x = hidden()
    with torch.no_grad():
        features = sae.encode(x)
        keep(folder, x, features, sae.decode(features))


def plain(root: Path) -> None:
    """Every architecture with every normalisation, bias subtracted or not."""
    for name, (kind, config, more) in PLAIN.items():
        for norm in NORMS:
            for centred in (True, False):
                folder = case(root, f"{name}-{norm}-{'centred' if centred else 'plain'}")
                sae = kind(
                    config(d_in=D, d_sae=F, normalize_activations=norm, apply_b_dec_to_input=centred, **more)
                )
                randomise(sae.parameters(), seed=len(name))
                if name == "jumprelu":
                    sae.threshold.data = sae.threshold.data.abs() * 3
                sae.save_model(folder)
                compute(folder, SAE.load_from_disk(folder))


def unfolded(root: Path) -> None:
    """A factor of the input that is not folded into the weights, and stands in the configuration."""
    for name in ("standard", "topk-rescaled"):
        kind, config, more = PLAIN[name]
        folder = case(root, f"{name}-factor")
        sae = kind(config(d_in=D, d_sae=F, normalize_activations="expected_average_only_in", **more))
        randomise(sae.parameters(), seed=3)
        sae.save_model(folder)
        settings = json.loads((folder / "cfg.json").read_text()) | {"norm_scaling_factor": FACTOR}
        (folder / "cfg.json").write_text(json.dumps(settings))
        sae.fold_activation_norm_scaling_factor(FACTOR)
        compute(folder, sae)


def trained(root: Path) -> None:
    """What training saves: the SAE for use, and the checkpoint of the training itself."""
    for name, (kind, config, more) in TRAINED.items():
        for rescaled in (True, False):
            sae = kind(config(d_in=D, d_sae=F, rescale_acts_by_decoder_norm=rescaled, **more))
            randomise(sae.parameters(), seed=5)
            if hasattr(sae, "topk_threshold"):
                sae.topk_threshold.fill_(0.7)
            suffix = "rescaled" if rescaled else "plain"
            final, checkpoint = (case(root, f"{name}-{suffix}-{what}") for what in ("final", "checkpoint"))
            sae.save_model(checkpoint)
            sae.save_inference_model(final)
            for folder in (final, checkpoint):
                compute(folder, SAE.load_from_disk(final))


def transcoder(root: Path) -> None:
    """One that predicts another module's output."""
    folder = case(root, "transcoder")
    sae = Transcoder(TranscoderConfig(d_in=D, d_sae=F, d_out=D, apply_b_dec_to_input=False))
    sae.save_model(folder)


def older(root: Path) -> None:
    """A configuration as versions before 6 wrote it."""
    folder = case(root, "older-topk")
    sae = TopKSAE(TopKSAEConfig(d_in=D, d_sae=F, k=K))
    randomise(sae.parameters(), seed=9)
    sae.save_model(folder)
    settings = {
        "d_in": D, "d_sae": F, "dtype": "float32", "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": K}, "normalize_activations": False,
        "hook_name": "blocks.1.hook_resid_post",
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(settings))
    compute(folder, SAE.load_from_disk(folder))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    for write in (plain, unfolded, trained, transcoder, older):
        write(out)
