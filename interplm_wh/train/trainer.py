"""One SAE in training: its weights, its optimiser, and which of its features are dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from interplm_wh.errors import MismatchError, TrainingError
from interplm_wh.sae import registry
from interplm_wh.sae.base import Weights
from interplm_wh.sae.linear import DECODER, ENCODER, LinearSAE
from interplm_wh.sae.norm import normalisation
from interplm_wh.sae.objective import Objective, Terms
from interplm_wh.train.recipe import SaeRecipe

_PART = 512
"""Residues that are taken through an SAE at once on a CPU: activations stay near its cache."""
_DEAD_STEPS, _DEAD_RESIDUES = 50, 10_000_000
"""Least steps and most residues without firing after which a feature is dead: one that is only rare and is
revived too early is lost (measured: 50 steps halve the dead share by AuxK, 20 double it); 10 million is Gao
et al.'s."""


@dataclass(frozen=True)
class StepStats:
    """What one step saw; means over its residues.

    Attributes
    ----------
    loss, error, penalty, auxiliary : float
        As `Terms` has them.
    squares : float
        Sum over residues of squared residuals, in the SAE's units.
    l0 : float
        Active features per residue.
    """

    loss: float
    error: float
    penalty: float
    auxiliary: float
    squares: float
    l0: float


class SaeTrainer:
    """Trains one SAE step by step.

    Parameters
    ----------
    recipe : SaeRecipe
    sae : LinearSAE
        What it starts from.
    steps, batch : int
        Length of the training.
    precision : torch.dtype
        Number format of products.
    """

    def __init__(
        self, recipe: SaeRecipe, sae: LinearSAE, *, steps: int, batch: int, precision: torch.dtype
    ) -> None:
        self.recipe, self.sae, self._steps, self._precision = recipe, sae, steps, precision
        for tensor in sae.trained.values():
            tensor.requires_grad_()
        self._optimizer = torch.optim.Adam(list(sae.trained.values()), lr=1.0, fused=True)
        device = sae.tensors[ENCODER].device
        self.idle = torch.zeros(sae.n_features, dtype=torch.int64, device=device)
        self._dead_after = recipe.dead_after or min(max(steps // 20, _DEAD_STEPS) * batch, _DEAD_RESIDUES)

    @classmethod
    def start(
        cls, recipe: SaeRecipe, x: Tensor, *, steps: int, batch: int, precision: torch.dtype
    ) -> SaeTrainer:
        """Begin with random directions; `x`, hidden states [n, d], gives the mean and the norm."""
        kind = registry.ARCHITECTURES[recipe.architecture]
        assert issubclass(kind, LinearSAE)  # those that can be trained are; recipes are checked
        factor = None
        if recipe.input_norm == "unit_mean_norm":
            factor = 1 / x.double().square().sum(dim=1).mean().sqrt().float().cpu()
        probe = normalisation(x, recipe.input_norm, factor=factor)
        sae = kind.initial(
            x.shape[1],
            recipe.n_features,
            generator=torch.Generator().manual_seed(recipe.seed),
            mean=probe.apply(x).mean(dim=0).cpu(),
            k=recipe.k,
            groups=recipe.group_sizes,
            input_norm=recipe.input_norm,
            factor=factor,
        )
        return cls(recipe, sae.to(x.device), steps=steps, batch=batch, precision=precision)

    @property
    def dead(self) -> Tensor:
        """Features that have not fired for `dead_after` residues, bool [n_features]."""
        return self.idle >= self._dead_after

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def step(self, number: int, x: Tensor) -> StepStats:
        """Take one step.

        Parameters
        ----------
        number : int
            The step, 0-based.
        x : Tensor
            float32 [batch, d_model], hidden states.

        Raises
        ------
        TrainingError
            If the loss or a gradient is not finite; weights are then as they were before the step.
        """
        self._optimizer.param_groups[0]["lr"] = self.recipe.learning_rate.at(number, self._steps)
        normal = self.sae.normalisation(x).apply(x)
        stats = self._backward(normal, self._objective(number))
        norm = self._project_and_clip()
        if not (torch.isfinite(torch.tensor(stats.loss)) and bool(torch.isfinite(norm))):
            self._optimizer.zero_grad()
            raise TrainingError(self._why(number, x, stats))
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._constrain()
        every = self.recipe.resample_every
        if every is not None and (number + 1) % every == 0 and number + 1 < self._steps:
            self._resample(number, normal)
        return stats

    def _objective(self, number: int) -> Objective:
        recipe = self.recipe
        return Objective(
            error=recipe.error,
            l1=recipe.l1.at(number, self._steps) if recipe.l1 is not None else 0.0,
            target_l0=recipe.target_l0 or 0.0,
            l0=recipe.l0.at(number, self._steps),
            bandwidth=recipe.bandwidth,
            dead=self.dead,
            auxk=recipe.auxk,
        )

    def _backward(self, x: Tensor, objective: Objective) -> StepStats:
        """Leave the gradient of the mean loss in the weights."""
        whole = self.sae.needs_whole_batch or self.sae.is_sparse or x.device.type != "cpu"
        size = len(x) if whole else _PART
        sums = torch.zeros(5, device=x.device, dtype=torch.float64)
        fired = torch.zeros_like(self.idle, dtype=torch.bool)
        for part in torch.split(x, size):
            share = len(part) / len(x)
            with torch.autocast(x.device.type, self._precision, enabled=self._precision != torch.float32):
                terms = self.sae.terms(part, objective)
            (terms.total * share).backward()  # type: ignore[no-untyped-call]
            sums += self._sums(terms, share)
            fired |= terms.fired
            self.sae.observe(terms)
        self.idle += len(x)
        self.idle[fired] = 0
        error, penalty, auxiliary, squares, n_active = sums.tolist()
        return StepStats(error + penalty + auxiliary, error, penalty, auxiliary, squares, n_active / len(x))

    @staticmethod
    def _sums(terms: Terms, share: float) -> Tensor:
        means = torch.stack([terms.error, terms.penalty, terms.auxiliary]).detach().double() * share
        return torch.cat([means, torch.stack([terms.squares.double(), terms.n_active.double()])])

    @torch.no_grad()
    def _directions(self) -> Tensor | None:
        """Return what is kept at unit length, as [d, F]; a tied encoder is its own decoder."""
        return self.sae.decoder if self.recipe.unit_decoder else None

    @torch.no_grad()
    def _project_and_clip(self) -> Tensor:
        """Take the gradient along unit directions away, clip what is left, and return its norm, []."""
        directions = self._directions()
        if directions is not None:
            tied = DECODER not in self.sae.tensors
            grad = self.sae.tensors[ENCODER].grad if tied else self.sae.tensors[DECODER].grad
            if grad is not None:
                along = grad.T if tied else grad  # [d, F], a view
                along -= directions * (along * directions).sum(dim=0)
        weights = [tensor for tensor in self.sae.trained.values() if tensor.grad is not None]
        limit = self.recipe.clip if self.recipe.clip is not None else float("inf")
        norm: Tensor = torch.nn.utils.clip_grad_norm_(weights, limit)
        return norm

    @torch.no_grad()
    def _constrain(self) -> None:
        directions = self._directions()
        if directions is not None:
            directions /= directions.norm(dim=0).clamp_min(1e-12)
        self.sae.constrain()

    @torch.no_grad()
    def _resample(self, number: int, x: Tensor) -> None:
        """Give dead features a new start at what is missed of residues that are explained badly.

        Source: Bricken et al., "Towards monosemanticity" (2023), appendix on neuron resampling: residues
        are drawn with a chance in proportion to the square of their squared error. Theirs then begin along
        the residue itself, without a bias, at a fifth of the length of those alive. Here they begin along
        its residual, at the length of those alive, with a bias that lets each fire on as many residues of
        the batch as others do: nothing that is explained already is explained twice. (Measured on hidden
        states of a small ESM-2, 1,024 features, ReLU at a high L1: 9 % dead at the end, not 54 %, and 0.88
        of the variance explained, not 0.85; TopK-like SAEs lost all that they explained before.)
        """
        dead = self.dead.nonzero().squeeze(1)
        if not len(dead):
            return
        codes = self.sae._encode(x, slice(0, self.sae.n_features))
        missed = x - self.sae.decode(codes)
        chance = missed.square().sum(dim=1).square().cpu()
        if not float(chance.sum()) > 0:
            return
        generator = torch.Generator().manual_seed((self.recipe.seed << 32) + number)
        rows = chance.multinomial(len(dead), replacement=True, generator=generator).to(x.device)
        found = torch.nn.functional.normalize(missed[rows], dim=1)  # [m, d]
        alive = self.sae.tensors[ENCODER][~self.dead]
        strength = float(alive.norm(dim=1).mean()) if len(alive) else 1.0
        n_firing = max(1, round(float((codes != 0).float().mean()) * len(x)))
        highest = (self.sae.centre(x) @ found.T).topk(min(n_firing + 1, len(x)), dim=0).values  # [k, m]
        self.sae.revive(dead, found, -highest[-1], strength=strength)
        self._forget(dead)
        self.idle[dead] = 0

    def _forget(self, features: Tensor) -> None:
        """Take what the optimiser remembers of features away."""
        axes = {name: axes for names, axes in self.sae.shapes.items() for name in names.split("|")}
        for name, tensor in self.sae.trained.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                state = self._optimizer.state[tensor].get(moment)
                if state is not None and "F" in axes[name]:
                    state.index_fill_(axes[name].index("F"), features, 0)

    def _why(self, number: int, x: Tensor, stats: StepStats) -> str:
        parts = {"error": stats.error, "penalty": stats.penalty, "auxiliary error": stats.auxiliary}
        bad = [what for what, value in parts.items() if not abs(value) < float("inf")]
        if not bool(x.isfinite().all()):
            cause = "the hidden states hold values that are not finite"
        elif bad:
            cause = f"its {' and '.join(bad)} grew without bounds"
        else:
            cause = "its gradient grew without bounds"
        rate = f"learning rate {self.learning_rate:g}"
        return f"{self.recipe.name}: the loss is not finite at step {number + 1}: {cause} ({rate})"

    def state(self) -> dict[str, Tensor]:
        """Return all that a resumed training needs, under names that tell weights and moments apart."""
        found = {f"weights.{name}": tensor.detach() for name, tensor in self.sae.tensors.items()}
        for name, tensor in self.sae.trained.items():
            for key, value in self._optimizer.state[tensor].items():
                found[f"adam.{key}.{name}"] = value
        return {**found, "idle": self.idle, "is_sparse": torch.tensor(self.sae.is_sparse)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned.

        Raises
        ------
        MismatchError
            If it is of another SAE.
        """
        wanted = {name: tuple(tensor.shape) for name, tensor in self.sae.tensors.items()}
        found = {
            n.removeprefix("weights."): tuple(t.shape) for n, t in state.items() if n.startswith("weights.")
        }
        if wanted != found:
            raise MismatchError(f"{self.recipe.name}: the checkpoint is of another SAE; train with restart")
        with torch.no_grad():
            for name, tensor in self.sae.tensors.items():
                tensor.copy_(state[f"weights.{name}"])
        self.idle.copy_(state["idle"])
        self.sae.is_sparse = bool(state["is_sparse"])
        for name, tensor in self.sae.trained.items():
            moments = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                value = state.get(f"adam.{key}.{name}")
                if value is not None:
                    # Laid out like the weight, which the fused optimiser takes for granted.
                    like = value.to(tensor.device) if key == "step" else tensor
                    moments[key] = torch.empty_like(like).copy_(value)
            if moments:
                self._optimizer.state[tensor] = moments

    def finished(self) -> Weights:
        """Return the weights as they are now, on the CPU."""
        weights = self.sae.weights
        tensors = {name: tensor.cpu().contiguous() for name, tensor in weights.tensors.items()}
        return Weights(
            weights.architecture,
            weights.d_model,
            weights.n_features,
            tensors,
            input_norm=weights.input_norm,
            k=weights.k,
        )
