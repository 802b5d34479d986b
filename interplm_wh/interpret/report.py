"""What `interpret` would send, and what became of what it sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interplm_wh.ask.table import number, plain_table
from interplm_wh.interpret.ask import Prompt
from interplm_wh.interpret.cost import Cost
from interplm_wh.interpret.describe import SOURCE as BASELINE

_BESIDE = {
    "source": "source", "n_features": "features", "n_scored": "scored", "n_failed": "failed",
    "median_r": "median r", "median_balanced_accuracy": "balanced accuracy", "n_compared": "compared",
    "n_better": "better",
}  # fmt: skip


@dataclass(frozen=True)
class DryRun:
    """What would be sent.

    Attributes
    ----------
    cost : Cost
    prompt : Prompt or None
        The first one without an answer.
    """

    cost: Cost
    prompt: Prompt | None

    def lines(self) -> list[str]:
        """Print it for people."""
        lines = [*self.cost.lines(), "nothing was sent"]
        if self.prompt is not None:
            lines += ["", f"The first prompt, on feature {self.prompt.feature}:"]
            for message in self.prompt.messages:
                lines += ["", f"[{message['role']}]", *message["content"].split("\n")]
        return lines


@dataclass(frozen=True)
class InterpretReport:
    """What became of the features.

    Attributes
    ----------
    sae, model : str
    n_features, n_described, n_scored, n_private : int
        Features that were asked about; those with words; with predictions, too; private proteins left out.
    failures : tuple of (int, str)
        Features without words or predictions, and why.
    n_sent, n_tokens_in, n_tokens_out : int
        Answers that came now; their tokens, as the endpoint counted.
    money : float or None
        What these tokens cost by the prices that were given.
    beside : tuple of dict
        Rows of the macro `words_beside_baseline`.
    seconds : float
    """

    sae: str
    model: str
    n_features: int
    n_described: int
    n_scored: int
    n_private: int
    failures: tuple[tuple[int, str], ...]
    n_sent: int
    n_tokens_in: int
    n_tokens_out: int
    money: float | None
    beside: tuple[dict[str, Any], ...]
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        paid = f", {self.money:,.2f} by the prices given" if self.money is not None else ""
        rows = [[number(row[name]) for name in _BESIDE] for row in self.beside]
        lines = [
            f"{self.sae}: {self.n_features:,} features, {self.n_scored:,} scored, with words of {self.model}",
            f"{self.n_sent:,} prompts sent; {self.n_tokens_in:,} tokens in, {self.n_tokens_out:,} out{paid}",
        ]
        if self.n_private:
            lines.append(f"{self.n_private:,} private proteins left out; none of their sequences was sent")
        lines += [f"feature {feature}: {reason}" for feature, reason in self.failures[:20]]
        if len(self.failures) > 20:
            lines.append(
                f"… and {len(self.failures) - 20:,} more; from interpretations where reason is not null"
            )
        lines += ["", "All words on its features, on proteins that were not shown:", ""]
        lines += plain_table(list(_BESIDE.values()), rows)
        lines += ["", "compared, better: features that the baseline has as well, and those of a higher r"]
        if all(row["source"] != BASELINE for row in self.beside):
            lines.append(f"there is no baseline; make it with: interplm-wh describe --sae {self.sae}")
        return [*lines, f"kept in interpretations; {self.seconds:,.1f} s"]
