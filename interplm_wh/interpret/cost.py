"""What asking would cost, said before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 2
"""Letters of a sequence share few tokens: fewer than the four characters of ordinary text."""
WORDS_TOKENS = 400
NUMBER_TOKENS = 6
_MORE_TOKENS = 2000  # of a prompt, at most: a longer description than expected, and an answer quoted in it


@dataclass(frozen=True)
class Cost:
    """What would be sent.

    Attributes
    ----------
    sae, model, endpoint : str
    n_features : int
    n_prompts : int
        Prompts without an answer; one more for each answer that cannot be used.
    n_answered : int
        Prompts that are answered already, and cost nothing.
    n_private : int
        Proteins that are left out since they are private.
    n_tokens_in, n_tokens_out : int
        Estimates: a token for two characters, 400 for words, 6 for a number.
    max_tokens : int
        Most tokens of one answer.
    price_in, price_out : float or None
        For a million tokens.
    """

    sae: str
    model: str
    endpoint: str
    n_features: int
    n_prompts: int
    n_answered: int
    n_private: int
    n_tokens_in: int
    n_tokens_out: int
    max_tokens: int
    price_in: float | None
    price_out: float | None

    @property
    def money(self) -> float | None:
        """The estimate in the currency of the prices; None without prices."""
        return self._money(self.n_tokens_in, self.n_tokens_out)

    @property
    def most(self) -> float | None:
        """What it can cost: each prompt asked once more, each answer as long as it may be."""
        n_in = 2 * (self.n_tokens_in + self.n_prompts * _MORE_TOKENS)
        return self._money(n_in, 2 * self.n_prompts * self.max_tokens)

    def _money(self, n_in: int, n_out: int) -> float | None:
        if self.price_in is None or self.price_out is None:
            return None
        return (n_in * self.price_in + n_out * self.price_out) / 1e6

    def lines(self) -> list[str]:
        """Print it for people."""
        answered = f" ({self.n_answered:,} more are answered already)" if self.n_answered else ""
        lines = [
            f"{self.sae}: {self.n_features:,} features; {self.n_prompts:,} prompts to {self.model} at "
            f"{self.endpoint}{answered}",
            f"about {self.n_tokens_in:,} tokens in (one for {CHARACTERS_PER_TOKEN} characters) and "
            f"{self.n_tokens_out:,} out; an answer has {self.max_tokens:,} at most",
        ]
        if self.money is not None:
            lines.append(f"about {self.money:,.2f} by the prices given, {self.most:,.2f} at most")
        else:
            lines.append("for the cost in money give --price-in and --price-out, for a million tokens")
        if self.n_private:
            lines.append(f"{self.n_private:,} private proteins are left out; none of their sequences is sent")
        return lines


def tokens(n_characters: int) -> int:
    """Return the tokens of so many characters, as they are estimated."""
    return math.ceil(n_characters / CHARACTERS_PER_TOKEN)
