"""What was measured, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interplm_wh.ask.table import number, plain_table

_COLUMNS = {
    "sae": "SAE",
    "n_proteins": "proteins",
    "n_residues": "residues",
    "variance_explained": "explained",
    "mse": "MSE",
    "l0": "L0",
    "pct_dead": "dead %",
    "pct_recovered_unmasked": "unmasked %",
    "pct_recovered_masked": "masked %",
}


@dataclass(frozen=True)
class EvaluateReport:
    """What `evaluate` measured.

    Attributes
    ----------
    evaluated_on : str
        The split, or the name of the FASTA file.
    saes : tuple of dict
        The new rows of `sae_metrics`.
    fidelity_kept : tuple of str
        SAEs whose fidelity is that of the evaluation before, on the same proteins.
    n_private : int
        Private proteins of the split, which were left out.
    seconds : float
        Wall time.
    """

    evaluated_on: str
    saes: tuple[dict[str, Any], ...]
    fidelity_kept: tuple[str, ...]
    n_private: int
    seconds: float

    def lines(self) -> list[str]:
        """Describe it for people."""
        rows = [[number(row[column]) for column in _COLUMNS] for row in self.saes]
        lines = [f"evaluated on {self.evaluated_on}:", "", *plain_table(list(_COLUMNS.values()), rows), ""]
        lines.append("explained: variance; unmasked %, masked %: of the loss recovered")
        if any(not row["n_fidelity_proteins"] for row in self.saes):
            lines.append("fidelity was skipped")
        if self.fidelity_kept:
            lines.append(f"fidelity is that of the evaluation before: {', '.join(self.fidelity_kept)}")
        if self.n_private:
            lines.append(f"{self.n_private:,} private proteins were left out")
        return [*lines, f"kept in sae_metrics and sae_frequency; {self.seconds:,.1f} s; next: compare"]
