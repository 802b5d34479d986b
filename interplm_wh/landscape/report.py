"""What `cluster` found, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchReport:
    """What matching with one other SAE gave.

    Attributes
    ----------
    other_sae : str
    n_proteins, n_residues : int
        In the sample.
    n_compared, n_matched, n_mutual : int
        Features that are active often enough in the sample; of them, those with a q-value below 0.05, and
        of those, whose match has them as its best.
    """

    other_sae: str
    n_proteins: int
    n_residues: int
    n_compared: int
    n_matched: int
    n_mutual: int


@dataclass(frozen=True)
class MapReport:
    """What is on a map.

    Attributes
    ----------
    n_features, n_clusters, n_unclustered, n_labelled : int
        Features on the map, clusters, features in none, and clusters with a label.
    """

    n_features: int
    n_clusters: int
    n_unclustered: int
    n_labelled: int


@dataclass(frozen=True)
class ClusterReport:
    """What `cluster` did.

    Attributes
    ----------
    sae : str
    map : MapReport or None
        None where it was left out.
    n_proteins, n_residues, n_pairs : int
        Sample of the co-activation, and pairs of features that are kept.
    matches : tuple of MatchReport
    seconds : float
        Wall time.
    """

    sae: str
    map: MapReport | None
    n_proteins: int
    n_residues: int
    n_pairs: int
    matches: tuple[MatchReport, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Describe it for people."""
        lines = []
        if self.map is not None:
            lines.append(
                f"{self.sae}: {self.map.n_features:,} features on the map, {self.map.n_clusters:,} clusters "
                f"({self.map.n_labelled:,} with a label), {self.map.n_unclustered:,} features in none"
            )
        lines.append(
            f"{self.sae}: {self.n_pairs:,} pairs of features that are active together, on a sample of "
            f"{self.n_residues:,} residues of {self.n_proteins:,} proteins"
        )
        lines += [
            f"{self.sae} and {one.other_sae}: {one.n_matched:,} of {one.n_compared:,} features have a match "
            f"beyond chance (q below 0.05), {one.n_mutual:,} of them mutually; on a sample of "
            f"{one.n_residues:,} residues of {one.n_proteins:,} proteins"
            for one in self.matches
        ]
        tables = "feature_pairs" if self.map is None else "feature_map and feature_pairs"
        return [*lines, f"kept in {tables}; {self.seconds:,.1f} s"]
