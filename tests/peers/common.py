"""What the scripts share: hidden states, random weights, and how a case is kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

D, F, K, N = 12, 40, 5, 60
GROUPS = (8, 12, 20)


def hidden() -> Tensor:
    """Hidden states with a common mean, as real ones have."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(N, D, generator=generator) * 3 + torch.linspace(-2, 2, D)


def randomise(parameters: Iterable[nn.Parameter | Tensor], *, seed: int) -> None:
    """Move every parameter off its initial value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


def keep(folder: Path, x: Tensor, features: Tensor, output: Tensor) -> None:
    """Keep what the package computed beside the checkpoint that it wrote."""
    tensors = {"x": x, "features": features, "output": output}
    kept = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    save_file(kept, folder / "expected" / "values.safetensors")


def case(root: Path, name: str) -> Path:
    """Make the folder of a case."""
    (root / name / "expected").mkdir(parents=True)
    return root / name
