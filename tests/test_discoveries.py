"""Over fifty small proteomes, what was planted is found, and what follows nothing is hardly ever claimed."""

from __future__ import annotations

import polars as pl
import pytest
from scipy import stats

from tests.discoveries import Discoveries, find

pytestmark = pytest.mark.slow
N_SEEDS = 50


@pytest.fixture(scope="module")
def discoveries(tmp_path_factory: pytest.TempPathFactory) -> Discoveries:
    return find(tmp_path_factory.mktemp("discoveries"), n_seeds=N_SEEDS, n_proteins=90, n_decoys=12)


def test_planted_motifs_are_recovered(discoveries: Discoveries) -> None:
    can_be = discoveries.pairs.filter(
        pl.col("is_best"),
        ~pl.col("is_decoy"),
        pl.col("n_positive_clusters") >= 10,
        pl.col("f1_per_domain") > 0.5,
    )
    assert can_be["sae"].n_unique() == N_SEEDS
    assert len(can_be) > 3 * N_SEEDS
    assert can_be["is_concept_claimed"].mean() >= 0.95


@pytest.mark.parametrize("claim", ["is_claimed", "is_concept_claimed"])
def test_false_claims_stay_within_the_rate_that_is_stated(discoveries: Discoveries, claim: str) -> None:
    n_claimed, n_false = discoveries.claims(claim)
    assert n_claimed > 3 * N_SEEDS
    assert n_false <= stats.binom.ppf(0.99, n_claimed, 0.05)


def test_decoys_reach_no_p_more_often_than_it_says(discoveries: Discoveries) -> None:
    decoys = discoveries.pairs.filter(pl.col("is_decoy"))
    assert len(decoys) > 8 * N_SEEDS
    for column in ("p_shift", "p_exchange", "p", "p_shift_max", "p_exchange_max"):
        for level in (0.01, 0.05, 0.2):
            n = int((decoys[column] <= level).sum())
            assert n <= stats.binom.ppf(0.999, len(decoys), level), (column, level)
