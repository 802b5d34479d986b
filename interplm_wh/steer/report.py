"""What `steer` says of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interplm_wh.ask.table import number, plain_table
from interplm_wh.steer.prepare import FEWEST_CONTROLS

_COLUMNS = {
    "dose": "dose",
    "side": "positions",
    "n_positions": "n",
    "kl": "KL",
    "p_true_before": "P(true)",
    "p_true_after": "after",
    "n_top_changed": "top changed",
    "watched_kl": "KL watched",
    "control_low": "controls 5%",
    "control_high": "95%",
    "kl_percentile": "percentile",
    "p_true_percentile": "of P(true)",
}
_WORTH = {
    "dose": "dose",
    "feature": "feature",
    "n_samples": "samples",
    "plain_max_activation": "activation without",
    "max_activation": "with",
    "pct_raised": "% raised",
    "plain_perplexity": "perplexity without",
    "pseudo_perplexity": "with",
}


@dataclass(frozen=True)
class SteerReport:
    """What was measured.

    Attributes
    ----------
    sae : str
    runs : tuple of str
        One per sequence.
    n_made : int
        Those that were made now; the others were there.
    rows : tuple of dict
        Rows of the macro `steering_summary` of these runs.
    worth : tuple of dict
        Rows of the macro `steering_worth`; empty without samples.
    n_asked, n_controls : int
        Controls that were asked for, and that there are.
    seconds : float
    """

    sae: str
    runs: tuple[str, ...]
    n_made: int
    rows: tuple[dict[str, Any], ...]
    worth: tuple[dict[str, Any], ...]
    n_asked: int
    n_controls: int
    seconds: float

    def lines(self) -> list[str]:
        """Print it for people."""
        lines = []
        for run in self.runs:
            lines += [*self._of_run(run), ""]
        lines.append(
            "KL: divergence of what the PLM predicts after from before, nats, mean; percentile: share of "
            "controls of the same length whose effect at the watched positions is lower"
        )
        if self.n_controls < self.n_asked:
            lines.append(
                f"only {self.n_controls:,} other features are live, fewer than the {self.n_asked:,} controls "
                f"asked for{': the percentile is coarse' if self.n_controls < FEWEST_CONTROLS else ''}"
            )
        kept = (
            f"{'kept' if self.n_made else 'as they are'} in steering_runs, steering_effects and four more "
            f"tables; {self.seconds:,.1f} s"
        )
        return [*lines, kept]

    def _of_run(self, run: str) -> list[str]:
        rows = [row for row in self.rows if row["run"] == run]
        first = rows[0]
        what = "feature" if first["feature"] is not None else "features"
        where = first["accession"] or "the given sequence"
        shown = [{**row, "side": "touched" if row["is_touched"] else "untouched"} for row in rows]
        lines = [
            f"run {run}: {what} {first['features']} of {self.sae} ({first['how']}) at {first['positions']} "
            f"of {where}",
            "",
            *_table(_COLUMNS, shown),
        ]
        worth = [row for row in self.worth if row["run"] == run]
        if worth:
            lines += [
                "",
                "Sampled sequences, each beside its twin without steering:",
                "",
                *_table(_WORTH, worth),
            ]
        return lines


def _table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return plain_table(list(columns.values()), [[number(row[name]) for name in columns] for row in rows])
