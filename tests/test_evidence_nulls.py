"""Chance, counted in advance and looked up, is what one gets by moving annotations one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from interplm_wh.evidence import bootstrap, draws, exchanges, shifts
from interplm_wh.evidence.counts import Ints, Spans, f1


def some_spans(rng: np.random.Generator, length: int, n: int) -> Spans:
    """Spans that overlap, of instances with one span or more."""
    start = rng.integers(1, length + 1, n)
    stop = np.minimum(start + rng.integers(0, max(2, length // 3), n), length)
    instance = np.unique(rng.integers(0, n, n), return_inverse=True)[1]
    return Spans(start, stop, instance.astype(np.int64))


def some_fired(rng: np.random.Generator, length: int) -> Ints:
    return np.flatnonzero(rng.random(length) < rng.random()) + 1


def by_hand(fired: Ints, spans: Spans, turn: int, length: int) -> tuple[int, int]:
    there, hit, right = set(fired.tolist()), set(), set()
    for start, stop, instance in zip(spans.start, spans.stop, spans.instance, strict=True):
        for position in range(start, stop + 1):
            moved = (position - 1 + turn) % length + 1
            if moved in there:
                right.add(moved)
                hit.add(int(instance))
    return len(right), len(hit)


@pytest.mark.parametrize("most", [1 << 16, 0], ids=["one by one", "by transforms"])
def test_a_profile_holds_every_turn(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "_MOST_PAIRS", most)
    rng = np.random.default_rng(0)
    for length in (1, 2, 5, 30, 61):
        for n in (1, 4):
            fired, spans = some_fired(rng, length), some_spans(rng, length, n)
            n_tp, n_hit = shifts.shift_profile(fired, spans, length)
            expected = [by_hand(fired, spans, turn, length) for turn in range(length)]
            assert list(zip(n_tp.tolist(), n_hit.tolist(), strict=True)) == expected


def test_turns_are_looked_up_and_added() -> None:
    rng = np.random.default_rng(1)
    lengths = [7, 20, 33]
    facts = [(some_fired(rng, length), some_spans(rng, length, 3)) for length in lengths]
    profiles = [
        (i, *shifts.shift_profile(fired, spans, length))
        for i, ((fired, spans), length) in enumerate(zip(facts, lengths, strict=True))
        if i != 1
    ]
    uniform = rng.random((50, 3), dtype=np.float32)
    n_tp, n_hit = shifts.ShiftedPair(profiles).counts(uniform)
    for d in range(50):
        turns = [int(np.float64(uniform[d, i]) * lengths[i]) for i in range(3)]
        found = [by_hand(*facts[i], turns[i], lengths[i]) for i in (0, 2)]
        assert (n_tp[d], n_hit[d]) == (sum(tp for tp, _ in found), sum(hit for _, hit in found))
    nothing = shifts.ShiftedPair([])
    assert nothing.counts(uniform)[0].tolist() == [0] * 50


def test_bands_hold_whole_clusters_of_about_one_length() -> None:
    rng = np.random.default_rng(2)
    clusters = np.unique(rng.integers(0, 40, 100), return_inverse=True)[1].astype(np.int64)
    lengths = rng.integers(20, 400, 100).astype(np.int64)
    of = exchanges.bands(lengths, clusters)
    assert sorted(np.concatenate([band.members for band in of]).tolist()) == list(range(100))
    mean = np.bincount(clusters, lengths) / np.bincount(clusters)
    means = [mean[clusters[band.members]] for band in of]
    assert all(a.max() <= b.min() for a, b in itertools.pairwise(means))
    for band in of:
        its = np.unique(clusters[band.members])
        assert len(its) == len(band.size)
        assert np.isin(clusters, its).sum() == len(band.members) == band.size.sum()
        parts = np.split(clusters[band.members], band.first[1:])
        assert all(len(set(part.tolist())) == 1 for part in parts)
    assert [len(band.members) for band in exchanges.bands(np.full(3, 9), np.arange(3))] == [1, 1, 1]
    assert exchanges.bands(np.empty(0, np.int64), np.empty(0, np.int64)) == []


def test_every_exchange_is_as_likely() -> None:
    rng = np.random.default_rng(3)
    drawn = exchanges.receivers(4, 2, 12_000, rng)
    assert (drawn[0] != drawn[1]).all()  # nobody gets two
    seen = np.unique(drawn.T, axis=0, return_counts=True)[1]
    assert len(seen) == 12
    assert stats.chisquare(seen).pvalue > 1e-4
    assert sorted(exchanges.receivers(5, 5, 1, rng)[:, 0].tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("by_instance", [True, False])
@pytest.mark.parametrize("n_clusters", [24, 9], ids=["alone", "relatives"])
def test_annotations_of_a_giver_are_cut_to_the_receiver(by_instance: bool, n_clusters: int) -> None:
    rng = np.random.default_rng(4)
    n = 24
    clusters = np.concatenate([np.arange(n_clusters), rng.integers(0, n_clusters, n - n_clusters)])
    lengths = rng.integers(5, 60, n).astype(np.int64)
    spans = {p: some_spans(rng, int(lengths[p]), 4) for p in range(0, n, 2)}
    fired = {p: some_fired(rng, int(lengths[p])) for p in range(0, n, 3)}
    of = [exchanges.givers(spans, band) for band in exchanges.bands(lengths, clusters, n_bands=3)]
    laid = [its for its in of if its is not None]
    hits = [exchanges.hits(its, fired) for its in laid]
    there = [exchanges.to_find(its, lengths, by_instance=by_instance) for its in laid]
    n_draws = 40
    drawn = exchanges.draw(laid, n_draws, rng)
    found = np.zeros((3, n_draws), np.int64)
    for hit, to_find, one in zip(hits, there, drawn, strict=True):
        found[:2] += hit.counts(one)
        found[2] += to_find.counts(one)[0]
    for d in range(n_draws):
        expected = [0, 0, 0]
        for its, one in zip(laid, drawn, strict=True):
            for giver, receiver in zip(its.clusters.tolist(), one[:, d].tolist(), strict=True):
                from_, to = (
                    its.band.members[its.band.cluster == giver],
                    its.band.members[its.band.cluster == receiver],
                )
                for i, protein in enumerate(to.tolist()):
                    given = spans.get(int(from_[i % len(from_)]))
                    if given is not None:
                        more = exchanged_by_hand(
                            given, fired.get(protein), int(lengths[protein]), by_instance
                        )
                        expected = [a + b for a, b in zip(expected, more, strict=True)]
        assert found[:, d].tolist() == expected


def exchanged_by_hand(its: Spans, fired: Ints | None, length: int, by_instance: bool) -> tuple[int, int, int]:
    """Residues that are right, instances that are hit, and what there is to find."""
    fires = set() if fired is None else set(fired.tolist())
    residues, instances, hit = set(), set(), set()
    for start, stop, instance in zip(its.start, its.stop, its.instance, strict=True):
        for position in range(start, min(stop, length) + 1):
            residues.add(position)
            instances.add(int(instance))
            if position in fires:
                hit.add(int(instance))
    return len(residues & fires), len(hit), len(instances) if by_instance else len(residues)


def test_draws_end_where_a_pair_was_reached_often_enough() -> None:
    rng = np.random.default_rng(4)
    given = rng.random((5000, 3))
    used = [0]

    def chance(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        used[0] += n
        return given[used[0] - n : used[0]]

    observed = np.array([0.5, 0.99, 2.0])
    found = draws.draw(observed, chance, most=5000, enough=20)
    for j, limit in enumerate(observed):
        better = np.flatnonzero(given[:, j] >= limit)
        expected = (better[19] + 1, 20) if len(better) >= 20 else (5000, len(better))
        assert (found.n_draws[j], found.n_exceeding[j]) == expected
        best = np.flatnonzero(given.max(axis=1) >= limit)
        expected = (best[19] + 1, 20) if len(best) >= 20 else (5000, len(best))
        assert (found.n_max_draws[j], found.n_max_exceeding[j]) == expected
    assert found.p[2] == 1 / 5001
    used[0] = 0
    assert draws.draw(observed[:1], lambda n: chance(n)[:, :1], most=5000).n_draws[0] < 100
    assert used[0] == 200  # no more than were needed


def test_p_is_uniform_or_above_where_nothing_is_there() -> None:
    rng = np.random.default_rng(5)
    p = np.array(
        [
            draws.draw(rng.random(1), lambda n: rng.random((n, 1)), most=400, enough=10).p[0]
            for _ in range(2000)
        ]
    )
    for level in (0.01, 0.05, 0.2, 0.5):
        assert stats.binomtest(int((p <= level).sum()), 2000, level, alternative="greater").pvalue > 0.001


def test_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        truth, said = rng.random(50) < 0.3, rng.random(50) < 0.4
        right = np.array([(truth & said).sum()])
        ours = f1(right, int(said.sum()), right, int(truth.sum()))
        assert ours[0] == pytest.approx(metrics.f1_score(truth, said))
    assert f1(np.array([0]), 0, np.array([0]), 5).tolist() == [0.0]


def test_resamples_are_counted_cluster_by_cluster() -> None:
    rng = np.random.default_rng(7)
    n = 12
    counts = {name: rng.integers(0, 5, (n, 2)).astype(np.float64) for name in ("tp", "fp", "miss")}
    counts["tp"][:, 1] = 0
    counts["miss"][:, 1] = 0
    counts["tp"][3, 1] = 2  # one cluster alone has the second concept
    drawn = bootstrap.weights(n, 400, rng)
    assert (drawn.sum(axis=1) == n).all()
    found = bootstrap.resample(
        drawn,
        n_tp=counts["tp"], n_fired=counts["tp"] + counts["fp"], n_hit=counts["tp"],
        n_to_find=counts["tp"] + counts["miss"],
    )  # fmt: skip
    for r in range(0, 400, 40):
        chosen = np.repeat(np.arange(n), drawn[r].astype(int))
        tp, fp, miss = (counts[name][chosen].sum(axis=0) for name in ("tp", "fp", "miss"))
        for j in range(2):
            expected = 2 * tp[j] / (2 * tp[j] + fp[j] + miss[j]) if tp[j] + miss[j] else np.nan
            assert found.f1[r, j] == pytest.approx(expected, nan_ok=True)
    assert found.n_without[1] == (drawn[:, 3] == 0).sum() > 0
    low, high = found.interval()
    assert (low <= high).all()
    same = found.excess_over(found)
    assert same[0].tolist() == same[1].tolist() == [0.0, 0.0]


def test_wilsons_bound_is_that_of_scipy() -> None:
    for n in (1, 5, 30, 400):
        expected = stats.binomtest(n, n).proportion_ci(method="wilson").low
        assert bootstrap.wilson(np.array([float(n)]), np.array([float(n)]))[0] == pytest.approx(expected)
