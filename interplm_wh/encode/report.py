"""What an encoding did, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EncodedSae:
    """What was encoded with one SAE.

    Attributes
    ----------
    sae : str
    n_proteins, n_residues, n_activations : int
        Of this run.
    n_present : int
        Proteins that had been encoded before, or that other workers did or are doing.
    n_halved : int
        Proteins whose batch was halved because memory ran out.
    n_discarded : int
        Proteins that were encoded in vain: they changed, or another run registered them first.
    """

    sae: str
    n_proteins: int
    n_residues: int
    n_activations: int
    n_present: int
    n_halved: int
    n_discarded: int

    def line(self) -> str:
        """Describe it in one line."""
        per_residue = self.n_activations / self.n_residues if self.n_residues else 0.0
        said = (
            f"{self.sae}: {self.n_proteins:,} proteins, {self.n_residues:,} residues, "
            f"{self.n_activations:,} activations ({per_residue:.1f} per residue)"
        )
        more = (
            (self.n_present, "were encoded before, or are with other workers"),
            (self.n_halved, "in batches that were halved because memory ran out"),
            (
                self.n_discarded,
                "discarded: they changed meanwhile, or another run stored them first; run encode again",
            ),
        )
        return said + "".join(f"; {n:,} {what}" for n, what in more if n)


@dataclass(frozen=True)
class EncodeReport:
    """What `encode` did.

    Attributes
    ----------
    saes : tuple of EncodedSae
    dtype, device : str
        Number format and device of the PLM; empty where nothing was left to encode with one.
    seconds : float
        Wall time.
    share : str or None
        I/N, where only a share was encoded.
    """

    saes: tuple[EncodedSae, ...]
    dtype: str
    device: str
    seconds: float
    share: str | None = None

    @property
    def n_discarded(self) -> int:
        """Proteins that were encoded in vain, over all SAEs."""
        return sum(sae.n_discarded for sae in self.saes)

    @property
    def n_residues(self) -> int:
        """Residues that were encoded for at least one SAE (the most of any)."""
        return max((sae.n_residues for sae in self.saes), default=0)

    def lines(self) -> list[str]:
        """Describe it for people."""
        said = [sae.line() for sae in self.saes]
        if not self.n_residues:
            where = f" in the share {self.share}" if self.share is not None else ""
            return [*said, f"nothing was left to encode{where}"]
        if not self.device:
            return [*said, f"{self.seconds:,.1f} s, without a PLM"]
        rate = self.n_residues / self.seconds if self.seconds else 0.0
        return [
            *said,
            f"{self.seconds:,.1f} s, {rate:,.0f} residues/s on {self.device} in {self.dtype}",
        ]
