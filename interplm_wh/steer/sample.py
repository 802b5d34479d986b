"""Sampling sequences from the masked predictions, as the PLM is and under steering.

Each sweep visits the chosen positions in a random order; the residue there is masked, and drawn anew from
what the PLM says of the 20 amino acids there, with all others as they are by then (Gibbs sampling). Samples
of one number take the same random numbers with and without steering: their difference is the steering.

Source: Wang and Cho, "BERT has a mouth, and it must speak" (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interplm_wh.errors import MismatchError
from interplm_wh.plm.base import PLM
from interplm_wh.plm.batches import Piece, pieces
from interplm_wh.steer.copies import LETTERS, Float64, Int64, token_ids
from interplm_wh.steer.edit import Edit, read
from interplm_wh.steer.measure import Advance
from interplm_wh.steer.plan import Target


@dataclass(frozen=True)
class Draw:
    """How sequences are sampled.

    Attributes
    ----------
    n_samples, n_sweeps : int
    temperature : float
        Logits are divided by it.
    seed : int
    """

    n_samples: int
    n_sweeps: int
    temperature: float
    seed: int

    def numbers(self, sample: int, target: Target) -> tuple[Int64, Float64]:
        """Return the positions in the order of the visits, and a number from 0 to 1 for each."""
        rng = np.random.default_rng([self.seed, 2, sample])
        orders = [rng.permutation(np.array(target.resampled)) for _ in range(self.n_sweeps)]
        visits = np.concatenate(orders).astype(np.int64)
        return visits, rng.random(len(visits))


@dataclass(frozen=True)
class Sampled:
    """The samples of one dose.

    Attributes
    ----------
    dose : float or None
        None without steering.
    sequences : list of str
    pseudo_perplexity : float64 [N]
        Of the PLM without steering.
    max_activation, mean_activation : float64 [N, k]
        Of the k steered features, normalised, read without steering.
    """

    dose: float | None
    sequences: list[str]
    pseudo_perplexity: Float64
    max_activation: Float64
    mean_activation: Float64


@torch.inference_mode()
def sample(
    plm: PLM, layer: int, edit: Edit, target: Target, draw: Draw, *, is_steered: bool, advance: Advance
) -> Sampled:
    """Sample with an edit, or without, and read what came out.

    Parameters
    ----------
    edit : Edit
        Without steering, what is read.

    Raises
    ------
    MismatchError
        If predictions are not finite.
    """
    found = [""] * draw.n_samples

    def run(batch: list[Piece]) -> None:
        samples = [piece.index for piece in batch]
        drawn = _walk(plm, layer, edit if is_steered else None, target, draw, samples, advance)
        for place, text in zip(samples, drawn, strict=True):
            found[place] = text

    plm.each_batch(pieces([len(target.sequence)] * draw.n_samples, plm.window), run)
    perplexity = pseudo_perplexities(plm, found, advance=advance)
    scale = torch.tensor(edit.max_activations, device=plm.device)
    states = plm.hidden_states(found, [layer])
    active = [read(edit.sae, states.of(i, layer), edit.features) / scale for i in range(len(found))]
    return Sampled(
        edit.dose if is_steered else None,
        found,
        perplexity,
        torch.stack([one.amax(dim=0) for one in active]).double().cpu().numpy(),
        torch.stack([one.mean(dim=0) for one in active]).double().cpu().numpy(),
    )


def _walk(
    plm: PLM,
    layer: int,
    edit: Edit | None,
    target: Target,
    draw: Draw,
    samples: Sequence[int],
    advance: Advance,
) -> list[str]:
    """Return one sequence per sample after all sweeps."""
    texts = [list(target.sequence) for _ in samples]
    is_residue = plm.tokens(["".join(text) for text in texts]).is_residue
    columns = is_residue[0].nonzero().squeeze(1)  # [L]
    touched = torch.zeros_like(is_residue)
    touched[:, columns[torch.tensor(target.touched, device=columns.device) - 1]] = True
    letters = torch.tensor(token_ids(plm, LETTERS), device=plm.device)
    walks = [draw.numbers(one, target) for one in samples]
    rows = torch.arange(len(samples), device=plm.device)
    for step in range(len(walks[0][0])):
        visited = np.array([visits[step] for visits, _ in walks])
        at = columns[torch.tensor(visited, device=plm.device) - 1]  # [B]
        masked = torch.zeros_like(is_residue)
        masked[rows, at] = True
        said = plm.predict(
            ["".join(text) for text in texts],
            masked=masked,
            layer=None if edit is None else layer,
            patch=None if edit is None else edit.patch(touched),
        )
        chosen = _chosen(said.logits[rows, at][:, letters], draw, [u[step] for _, u in walks])
        for text, position, letter in zip(texts, visited, chosen, strict=True):
            text[position - 1] = LETTERS[letter]
        advance(len(samples))
    return ["".join(text) for text in texts]


def _chosen(logits: Tensor, draw: Draw, uniform: Sequence[float]) -> Int64:
    """Return the letter that each number falls on, int64 [B], for logits [B, 20]."""
    logs = logits.double() / draw.temperature
    if not bool(torch.isfinite(logs).all()):
        raise MismatchError("sampling: predictions are not finite; take a smaller dose, or --dtype float32")
    total = logs.softmax(dim=1).cumsum(dim=1).cpu().numpy()  # [B, 20]
    below = (total < np.array(uniform)[:, None] * total[:, -1:]).sum(axis=1)
    chosen: Int64 = np.minimum(below, len(LETTERS) - 1).astype(np.int64)
    return chosen


def pseudo_perplexities(plm: PLM, sequences: Sequence[str], *, advance: Advance) -> Float64:
    """Return exp of the mean of -ln P of each residue while it alone is masked, float64 [n].

    Source: Salazar et al., "Masked language model scoring" (2020).
    """
    return np.array([_pseudo_perplexity(plm, text, advance) for text in sequences])


def _pseudo_perplexity(plm: PLM, sequence: str, advance: Advance) -> float:
    logs = np.zeros(len(sequence))

    def run(batch: list[Piece]) -> None:
        texts = [sequence] * len(batch)
        tokens = plm.tokens(texts)
        columns = tokens.is_residue[0].nonzero().squeeze(1)
        rows = torch.arange(len(batch), device=plm.device)
        at = columns[torch.tensor([piece.index for piece in batch], device=plm.device)]
        masked = torch.zeros_like(tokens.is_residue)
        masked[rows, at] = True
        said = plm.predict(texts, masked=masked)
        found = torch.log_softmax(said.logits[rows, at].double(), dim=1)[rows, said.ids[rows, at]]
        logs[[piece.index for piece in batch]] = found.cpu().numpy()
        advance(len(batch))

    plm.each_batch(pieces([len(sequence)] * len(sequence), plm.window), run)
    return max(1.0, float(np.exp(-logs.mean())))
