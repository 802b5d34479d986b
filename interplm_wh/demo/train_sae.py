"""Train the demo's sparse autoencoder: ReLU, L1 penalty, decoder columns of unit length."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaeSettings:
    """Shape and training of the sparse autoencoder.

    Attributes
    ----------
    l1 : float
        Weight of the sum of activations, for inputs whose mean squared norm is their width.
    n_proteins : int
        Proteins whose residues it learns from.
    """

    n_features: int = 1_024
    n_proteins: int = 6_000
    n_steps: int = 4_000
    batch: int = 2_048
    learning_rate: float = 1e-3
    l1: float = 1.5
    seed: int = 20_251


@dataclass(frozen=True)
class ReluSae:
    """Weights under InterPLM's names.

    Attributes
    ----------
    bias : Tensor
        (width,), subtracted from the input and added to the output.
    encoder_weight, encoder_bias : Tensor
        (features, width) and (features,).
    decoder_weight : Tensor
        (width, features).
    """

    bias: Tensor
    encoder_weight: Tensor
    encoder_bias: Tensor
    decoder_weight: Tensor

    def encode(self, x: Tensor) -> Tensor:
        """Return the activations (residue, features) of hidden states (residue, width)."""
        return torch.relu((x - self.bias) @ self.encoder_weight.T + self.encoder_bias)

    def decode(self, f: Tensor) -> Tensor:
        """Return the reconstruction (residue, width)."""
        return f @ self.decoder_weight.T + self.bias

    def scaled(self, factor: Tensor) -> ReluSae:
        """Return the same autoencoder with each activation multiplied by its factor, 0 for dead."""
        back = torch.where(factor > 0, 1 / factor, 0.0)
        return ReluSae(
            self.bias,
            self.encoder_weight * factor[:, None],
            self.encoder_bias * factor,
            self.decoder_weight * back[None, :],
        )

    def save(self, path: Path) -> None:
        """Write the weights as InterPLM does."""
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "bias": self.bias,
            "encoder.weight": self.encoder_weight,
            "encoder.bias": self.encoder_bias,
            "decoder.weight": self.decoder_weight,
        }
        torch.save({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, path)


def _new(x: Tensor, settings: SaeSettings) -> ReluSae:
    """Return an untrained autoencoder: random directions, the encoder the decoder's transpose."""
    decoder = torch.nn.functional.normalize(torch.randn(x.shape[1], settings.n_features), dim=0)
    weights = (x.mean(0), decoder.T.clone(), torch.zeros(settings.n_features), decoder)
    return ReluSae(*(w.requires_grad_() for w in weights))


@torch.no_grad()
def _unit_decoder(sae: ReluSae) -> None:
    sae.decoder_weight.div_(sae.decoder_weight.norm(dim=0, keepdim=True).clamp_min(1e-8))


def _fit(x: Tensor, settings: SaeSettings) -> ReluSae:
    """Train on inputs whose mean squared norm is their width."""
    sae = _new(x, settings)
    weights = [sae.bias, sae.encoder_weight, sae.encoder_bias, sae.decoder_weight]
    optimizer = torch.optim.Adam(weights, lr=settings.learning_rate, betas=(0.9, 0.999))
    for step in range(settings.n_steps):
        warm, left = min(1.0, (step + 1) / 500), (settings.n_steps - step) / settings.n_steps
        optimizer.param_groups[0]["lr"] = settings.learning_rate * warm * min(1.0, 4 * left)
        batch = x[torch.randint(len(x), (settings.batch,))]
        f = sae.encode(batch)
        error = (sae.decode(f) - batch).pow(2).sum(1).mean()
        sparsity = f.sum(1).mean()
        torch.autograd.backward(error + settings.l1 * warm * sparsity)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _unit_decoder(sae)
        if (step + 1) % 500 == 0:
            explained = 1 - float(error.detach()) / float((batch - batch.mean(0)).pow(2).sum(1).mean())
            n_active = float((f.detach() > 0).float().sum(1).mean())
            log.info(
                "sae: step %d, explains %.3f with %.1f active per residue", step + 1, explained, n_active
            )
    return ReluSae(*(w.detach() for w in weights))


@torch.no_grad()
def _maxima(sae: ReluSae, x: Tensor) -> Tensor:
    return torch.stack([sae.encode(part).amax(0) for part in torch.split(x, 8_192)]).amax(0)


def train_sae(x: Tensor, settings: SaeSettings) -> ReluSae:
    """Train on hidden states (residue, width) and bake in the scale: every maximum becomes 1.

    A feature that never fires becomes a row of zeros, as in InterPLM's published files.
    """
    torch.manual_seed(settings.seed)
    size = float(x.pow(2).mean().sqrt())
    fit = _fit(x / size, settings)
    sae = ReluSae(fit.bias * size, fit.encoder_weight, fit.encoder_bias * size, fit.decoder_weight)
    maxima = _maxima(sae, x)
    return sae.scaled(torch.where(maxima > 0, 1 / maxima, 0.0))
