"""What is said of a training while it runs: rows for the warehouse, and Weights & Biases where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from interplm_wh.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from interplm_wh.train.trainer import SaeTrainer, StepStats


_SHOWN = 3


@dataclass
class Window:
    """Sums over the steps since the last row of metrics."""

    n_steps: int = 0
    variance: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, stats: StepStats, variance: float) -> None:
        """Add one step; `variance` is the sum of squares about the batch's mean, in the SAE's units."""
        self.n_steps += 1
        self.variance += variance
        for name in ("loss", "error", "penalty", "auxiliary", "squares", "l0"):
            self.sums[name] = self.sums.get(name, 0.0) + getattr(stats, name)

    def row(
        self, trainer: SaeTrainer, *, step: int, batch: int, rate: float, waited: float
    ) -> dict[str, Any]:
        """Return a row of `training_metrics` and begin anew."""
        mean = {name: total / self.n_steps for name, total in self.sums.items()}
        explained = 1 - self.sums["squares"] / self.variance if self.variance > 0 else None
        row = {
            "sae": trainer.recipe.name,
            "step": step,
            "n_residues": step * batch,
            "loss": mean["loss"],
            "error": mean["error"],
            "penalty": mean["penalty"],
            "auxiliary": mean["auxiliary"],
            "l0": mean["l0"],
            "variance_explained": explained,
            "pct_dead": 100 * float(trainer.dead.double().mean()),
            "learning_rate": trainer.learning_rate,
            "residues_per_second": rate,
            "pct_waiting": 100 * waited,
        }
        self.n_steps, self.variance, self.sums = 0, 0.0, {}
        return row


def variance(trainer: SaeTrainer, x: Tensor) -> float:
    """Return the sum of squares of a batch about its mean, in the SAE's units."""
    with torch.no_grad():
        normal = trainer.sae.normalisation(x).apply(x)
        return float((normal - normal.mean(dim=0)).square().sum())


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the newest numbers of the first SAEs on one line."""
    said = []
    for row in rows[:_SHOWN]:
        explained = row["variance_explained"]
        share = "" if explained is None else f", explains {explained:.3f}"
        said.append(
            f"{row['sae']}: loss {row['loss']:.4g}, L0 {row['l0']:.1f}{share}, {row['pct_dead']:.1f} % dead"
        )
    more = f"; {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return "; ".join(said) + more


class Sink:
    """Sends rows to Weights & Biases; does nothing where no project was named.

    Parameters
    ----------
    project : str or None
    name, run : str
        Name of the run there, and its id: a resumed training goes on in it.
    settings : mapping
        The plan, for its page.

    Raises
    ------
    ModelError
        If the package is not installed.
    """

    def __init__(self, project: str | None, *, name: str, run: str, settings: Mapping[str, Any]) -> None:
        self._run: Any = None
        if project is None:
            return
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise ModelError(
                "metrics for Weights & Biases need the package wandb; run pip install 'interplm-wh[wandb]', "
                "or leave wandb out of the plan"
            ) from error
        self._run = wandb.init(project=project, name=name, id=run, resume="allow", config=dict(settings))

    def send(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send rows of one step."""
        if self._run is None or not rows:
            return
        numbers = {
            f"{row['sae']}/{key}": value for row in rows for key, value in row.items() if key not in _NAMED
        }
        self._run.log(numbers, step=rows[0]["step"])

    def close(self) -> None:
        """Finish the run there."""
        if self._run is not None:
            self._run.finish()


_NAMED = ("sae", "step")
