"""How sure an F1 is: proteins, or clusters of relatives, drawn again with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interplm_wh.evidence.counts import Floats, Ints, f1

LOW, HIGH = 0.025, 0.975


@dataclass(frozen=True)
class Resampled:
    """F1 of pairs in resamples.

    Attributes
    ----------
    f1 : float64 [n_resamples, n_pairs]
        NaN where a resample has nothing to find.
    """

    f1: Floats

    @property
    def n_without(self) -> Ints:
        """Resamples with nothing to find; int64 [n_pairs]."""
        n: Ints = np.isnan(self.f1).sum(axis=0)
        return n

    def interval(self) -> tuple[Floats, Floats]:
        """Return the 95 % percentile interval; float64 [n_pairs] each, NaN where no resample has a number.

        Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
        """
        return _interval(self.f1)

    def excess_over(self, other: Resampled) -> tuple[Floats, Floats]:
        """Return the 95 % interval of the difference, over the same resamples."""
        return _interval(self.f1 - other.f1)


def _interval(values: Floats) -> tuple[Floats, Floats]:
    low, high = np.full((2, values.shape[1]), np.nan)
    there = ~np.isnan(values).all(axis=0)
    if there.any():
        low[there], high[there] = np.nanquantile(values[:, there], (LOW, HIGH), axis=0)
    return low, high


def weights(n_clusters: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Draw how often each cluster is in each resample; float64 [n_resamples, n_clusters]."""
    if not n_clusters:
        return np.zeros((n_resamples, 0))
    return rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples).astype(
        np.float64
    )


def resample(drawn: Floats, *, n_tp: Floats, n_fired: Floats, n_hit: Floats, n_to_find: Floats) -> Resampled:
    """Return F1 in each resample.

    Parameters
    ----------
    drawn : float64 [n_resamples, n_clusters]
        Of `weights`; the same for pairs that are to be compared.
    n_tp, n_fired, n_hit, n_to_find : float64 [n_clusters, n_pairs]
        Counts of `f1`, by cluster.
    """
    to_find = drawn @ n_to_find
    found = f1(drawn @ n_tp, drawn @ n_fired, drawn @ n_hit, to_find)
    return Resampled(np.where(to_find > 0, found, np.nan))


def wilson(n_right: Floats, n: Floats) -> Floats:
    """Return the lower 95 % bound of a share of which all or nearly all are right.

    A bootstrap of counts without an error gives 1 in every resample, which is no bound.
    Source: Wilson (1927), Journal of the American Statistical Association 22:209.
    """
    z = 1.959963984540054
    share = n_right / n
    middle = share + z**2 / (2 * n)
    spread = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    bound: Floats = (middle - spread) / (1 + z**2 / n)
    return bound
