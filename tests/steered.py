"""A warehouse whose SAEs can be steered: a tiny ESM-2, an SAE on each of its layers, a wide one, neurons."""

from __future__ import annotations

from pathlib import Path

import torch

from interplm_wh import build, store
from interplm_wh.encode import encode
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.sae import add_sae
from tests.tiny_models import WIDTH, make_plm, make_sae, some_proteins

PROTEINS = some_proteins(12)
SECRET = "P3"
SAES = ("first", "last", "wide", "neurons")
WIDE = 130


def make_wide(path: Path) -> Path:
    """Write a random ReLU SAE with more features than controls are asked for; its first one is dead."""
    generator = torch.Generator().manual_seed(5)
    directions = torch.randn(WIDE, WIDTH, generator=generator)
    directions /= directions.norm(dim=1, keepdim=True)
    bias = torch.zeros(WIDE)
    bias[0] = -1e6
    weights = {
        "bias": torch.zeros(WIDTH),
        "encoder.weight": directions,
        "encoder.bias": bias,
        "decoder.weight": directions.T.clone(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, path)
    return path


def make(root: Path) -> Path:
    """Make and build it."""
    path, plm = store.init(root / "w"), make_plm(root / "plm")
    rows = [f"{name},{text},{str(name == SECRET).lower()}" for name, text in PROTEINS.items()]
    table = root / "proteins.csv"
    table.write_text("accession,sequence,is_private\n" + "\n".join(rows) + "\n", encoding="utf-8")
    add_proteins(path, [table])
    sources = {
        "first": (make_sae(root / "1/sae.pt", plm, layer=1), 1),
        "last": (make_sae(root / "2/sae.pt", plm, layer=2), 2),
        "wide": (make_wide(root / "wide/sae.pt"), 1),
        "neurons": ("identity", 1),
    }
    for name, (source, layer) in sources.items():
        add_sae(path, str(source), name=name, plm=str(plm), layer=layer, device="cpu", force=name == "wide")
    encode(path, list(SAES), device="cpu")
    build.build(path)
    return path
