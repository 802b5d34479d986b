"""How much of what a PLM predicts survives when a layer is replaced by its reconstruction.

Cross-entropy, in nats, of the true amino acid under the softmax over all tokens that the PLM knows:
per protein the mean over residues, then the mean over proteins. Three passes are compared: the PLM as
it is (`original`), with zeros in place of a layer (`zero`), and with the SAE's reconstruction in its
place (`sae`). Two measures are taken of each:

`unmasked`
    InterPLM's own: the PLM sees every residue, and all of them count. In `zero` and `sae` the state of
    **every** token is replaced, special tokens included. This is what published numbers of InterPLM
    mean, and why nothing of the sequence gets past a layer of zeros. Special tokens are replaced but
    their own predictions do not count.
`masked`
    A fixed 15 % of the residues (`masks`) are read as the mask token, and they alone count. Only the
    states of residues are replaced: special tokens are left alone, since SAEs are trained on residues.

A protein beyond the PLM's window is covered by overlapping windows; each residue counts once, in the
window where it is farthest from an edge.

Source: Simon and Zou, "InterPLM", Nature Methods (2025), for the unmasked measure and the share of the
loss recovered, (zero - sae) / (zero - original).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from interplm_wh.errors import MismatchError
from interplm_wh.evaluate.masks import masked_residues
from interplm_wh.evaluate.proteins import Proteins
from interplm_wh.evaluate.reconstruction import reconstruct
from interplm_wh.plm.base import PLM, Patch
from interplm_wh.plm.batches import Piece, pieces
from interplm_wh.sae.base import SAE

Measure = Literal["unmasked", "masked"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Entropies:
    """Cross-entropy of each protein in one measure, float64 [n_proteins], in nats.

    Attributes
    ----------
    original, zero, sae : float64 array
        As the PLM is; with zeros, and with the reconstruction, in place of the layer.
    """

    original: Float64
    zero: Float64
    sae: Float64


@dataclass(frozen=True)
class Layered:
    """An SAE and the hidden state that it reads."""

    sae: SAE
    layer: int


@dataclass(frozen=True)
class _Pass:
    """One way to run the PLM: `fill` gives what takes the place of chosen states [n, d_model]."""

    name: str
    layer: int | None = None
    fill: Callable[[Tensor], Tensor] | None = None

    def patch(self, chosen: Tensor) -> Patch | None:
        """Replace the states of the chosen tokens, bool [B, T], and leave the others alone."""
        fill = self.fill
        if fill is None:
            return None

        def replace(states: Tensor, _is_residue: Tensor) -> Tensor:
            fresh = states.clone()
            fresh[chosen] = fill(states[chosen])
            return fresh

        return replace


def _passes(saes: Mapping[str, Layered]) -> list[_Pass]:
    """Return the passes that SAEs of one PLM need: those of one layer share its zeros."""
    zeros = [_Pass(_zero(x), x, torch.zeros_like) for x in sorted({one.layer for one in saes.values()})]
    return [_Pass("original"), *zeros, *(_reading(name, one) for name, one in saes.items())]


def _reading(name: str, one: Layered) -> _Pass:
    return _Pass(_sae(name), one.layer, lambda states: reconstruct(one.sae, states))


def _zero(layer: int) -> str:
    return f"zero:{layer}"


def _sae(name: str) -> str:
    return f"sae:{name}"


def n_passes(saes: Mapping[str, Layered]) -> int:
    """Return how often `fidelity` runs the PLM on each residue."""
    return len(MEASURES) * len(_passes(saes))


def fidelity(
    plm: PLM,
    saes: Mapping[str, Layered],
    proteins: Proteins,
    *,
    token_budget: int | None = None,
    advance: Callable[[float], None] = lambda _n: None,
) -> dict[str, dict[Measure, Entropies]]:
    """Measure the cross-entropies of SAEs of one PLM.

    The PLM runs once as it is, once per layer with zeros and once per SAE, in each measure.

    Parameters
    ----------
    plm : PLM
    saes : mapping of str to Layered
        By name.
    proteins : Proteins
        With letters that the PLM knows.
    token_budget : int, optional
        Tokens of a batch at most; `token_budget` of the model by default.
    advance : callable
        Is told how many residues went through the PLM.

    Raises
    ------
    ModelError
        If the PLM has no masked-token head, or memory runs out on a single window.
    MismatchError
        If predictions are not finite.
    """
    plm.require_head()
    passes = _passes(saes)
    lengths = proteins.lengths
    sums = {(m, p.name): np.zeros(len(lengths)) for m in MEASURES for p in passes}
    counts = {m: np.zeros(len(lengths), np.int64) for m in MEASURES}

    def run(batch: list[Piece]) -> None:
        window = _Batch.of(plm, batch, proteins)
        found = {}
        for p in passes:
            for measure in MEASURES:
                found[measure, p.name] = window.sums(plm, p, measure)
                advance(sum(piece.n_kept for piece in batch))
        # Only now: where memory ran out on the way, parts of the batch are run once more.
        index = [piece.index for piece in batch]
        for key, of_pieces in found.items():
            np.add.at(sums[key], index, of_pieces)
        for measure in MEASURES:
            np.add.at(counts[measure], index, window.counted[measure].sum(dim=1).cpu().numpy())

    plm.each_batch(pieces(lengths, plm.window), run, token_budget=token_budget)
    means = {(measure, name): found / counts[measure] for (measure, name), found in sums.items()}
    for (_, name), found in means.items():
        _require_finite(plm, name, found, proteins)
    return {
        name: {
            m: Entropies(means[m, "original"], means[m, _zero(one.layer)], means[m, _sae(name)])
            for m in MEASURES
        }
        for name, one in saes.items()
    }


@dataclass(frozen=True)
class _Batch:
    """A batch of windows, and which of its tokens play which part, bool [B, T] each.

    Attributes
    ----------
    texts : list of str
    masked : Tensor
        Read as the mask token in the masked measure; a window masks all that its protein does.
    counted : dict
        Per measure, the residues that count: those that are taken from this window.
    replaced : dict
        Per measure, the tokens whose states are replaced.
    """

    texts: list[str]
    masked: Tensor
    counted: dict[Measure, Tensor]
    replaced: dict[Measure, Tensor]

    @classmethod
    def of(cls, plm: PLM, batch: list[Piece], proteins: Proteins) -> _Batch:
        texts = [proteins.sequences[p.index][p.start : p.stop] for p in batch]
        tokens = plm.tokens(texts)
        masked, kept = torch.zeros_like(tokens.is_residue), torch.zeros_like(tokens.is_residue)
        for row, piece in enumerate(batch):
            is_residue = tokens.is_residue[row]
            whole = masked_residues(proteins.accessions[piece.index], len(proteins.sequences[piece.index]))
            masked[row, is_residue] = torch.from_numpy(whole[piece.start : piece.stop]).to(masked.device)
            places = torch.arange(piece.length, device=kept.device)
            kept[row, is_residue] = (places >= piece.skip) & (places < piece.skip + piece.n_kept)
        return cls(
            texts,
            masked,
            {"unmasked": kept, "masked": kept & masked},
            {"unmasked": ~tokens.is_padding, "masked": tokens.is_residue},
        )

    def sums(self, plm: PLM, how: _Pass, measure: Measure) -> Float64:
        """Return the summed cross-entropy of each window in one pass, float64 [B]."""
        said = plm.predict(
            self.texts,
            masked=self.masked if measure == "masked" else None,
            layer=how.layer,
            patch=how.patch(self.replaced[measure]),
        )
        found = functional.cross_entropy(said.logits.mT, said.ids, reduction="none").double()  # [B, T]
        of_windows: Float64 = found.where(self.counted[measure], 0.0).sum(dim=1).cpu().numpy()
        return of_windows


def _require_finite(plm: PLM, name: str, found: Float64, proteins: Proteins) -> None:
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        step = "use --dtype float32" if plm.dtype != "float32" else "look at the SAE, or use --skip-fidelity"
        raise MismatchError(
            f"{plm.name}: the predictions for {proteins.accessions[bad[0]]} are not finite "
            f"(pass {name}, {plm.dtype}); {step}"
        )
