"""What is measured of the tested pairs of an SAE: how sure F1 is, what chance gives, what controls give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from interplm_wh.evidence import bootstrap, chance, facts, tested
from interplm_wh.evidence.counts import Floats
from interplm_wh.evidence.tested import Counts, Members
from interplm_wh.progress import Bar
from interplm_wh.store import Warehouse

PAIRS = pa.schema(
    [
        ("concept_id", pa.int32()), ("feature", pa.int32()), ("f1_low", pa.float64()),
        ("f1_high", pa.float64()), ("n_resamples", pa.int64()), ("n_empty_resamples", pa.int64()),
        ("n_clusters", pa.int64()), ("n_positive_clusters", pa.int64()), ("n_relatives", pa.int64()),
        ("f1_without_relatives", pa.float64()), ("p_shift", pa.float64()), ("n_shift_draws", pa.int64()),
        ("p_exchange", pa.float64()), ("n_exchange_draws", pa.int64()), ("p_shift_max", pa.float64()),
        ("p_exchange_max", pa.float64()),
    ]
)  # fmt: skip
CONTROLS = pa.schema(
    [
        ("concept_id", pa.int32()), ("control", pa.string()), ("feature", pa.int32()),
        ("threshold", pa.float64()), ("control_feature", pa.int32()), ("control_threshold", pa.float64()),
        ("f1_per_domain", pa.float64()), ("control_f1", pa.float64()), ("excess_low", pa.float64()),
        ("excess_high", pa.float64()), ("n_resamples", pa.int64()), ("n_proteins", pa.int64()),
        ("n_clusters", pa.int64()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How much is drawn.

    Attributes
    ----------
    n_resamples : int
        Resamples of clusters.
    draws_per_pair : int
        Draws of a null at most, for each pair that is tested.
    seed : int
    """

    n_resamples: int
    draws_per_pair: int
    seed: int


def pairs(wh: Warehouse, sae: str, settings: Settings, bar: Bar) -> pa.Table:
    """Weigh all tested pairs of an SAE; the columns are those of `PAIRS`."""
    of = tested.members(wh, [sae])
    seen = tested.see(wh, sae)
    weights = _weights(of, settings)
    most = settings.draws_per_pair * len(seen.pairs["concept"])
    found = []
    for concept in facts.concepts(wh, sae, seen, of):
        bar.describe(f"{sae}: {concept.counts.concept}")
        f1 = concept.counts.f1()
        shifted = chance.of_shifts(concept, f1, most=most, seed=settings.seed)
        exchanged = chance.of_exchanges(concept, f1, most=most, seed=settings.seed)
        found.append(
            {
                **_sureness(concept.counts, concept.members, weights[concept.counts.source]),
                "p_shift": shifted.p, "n_shift_draws": shifted.n_draws, "p_shift_max": shifted.p_max,
                "p_exchange": exchanged.p, "n_exchange_draws": exchanged.n_draws,
                "p_exchange_max": exchanged.p_max,
            }
        )  # fmt: skip
        bar.advance(len(f1))
    return _table(found, PAIRS)


def _sureness(counts: Counts, members: Members, drawn: Floats) -> dict[str, Any]:
    """Return what does not need a null: the interval, and F1 without relatives."""
    n, f1 = len(counts.feature), counts.f1()
    resampled = _resampled(counts, members, drawn)
    low, high = resampled.interval()
    n_positive = int((members.by_cluster(counts.n_to_find) > 0).sum())
    if n_positive:
        low = np.where(
            f1 == 1, bootstrap.wilson(np.array(float(n_positive)), np.array(float(n_positive))), low
        )
    return {
        "concept_id": np.full(n, counts.concept_id), "feature": counts.feature,
        "f1_low": low, "f1_high": high, "n_resamples": np.full(n, len(drawn)),
        "n_empty_resamples": resampled.n_without, "n_clusters": np.full(n, members.n_clusters),
        "n_positive_clusters": np.full(n, n_positive),
        "n_relatives": np.full(n, members.has_relative.sum()),
        "f1_without_relatives": counts.f1(~members.has_relative),
    }  # fmt: skip


def _weights(of: Mapping[str, Members], settings: Settings) -> dict[str, Floats]:
    """Draw resamples of the clusters in which each source looked."""
    return {
        source: bootstrap.weights(
            its.n_clusters, settings.n_resamples, np.random.default_rng([settings.seed, i])
        )
        for i, (source, its) in enumerate(sorted(of.items()))
    }


def _resampled(counts: Counts, members: Members, drawn: Floats) -> bootstrap.Resampled:
    return bootstrap.resample(
        drawn,
        n_tp=members.by_cluster(counts.n_tp),
        n_fired=members.by_cluster(counts.n_fired),
        n_hit=members.by_cluster(counts.n_hit),
        n_to_find=members.by_cluster(counts.n_to_find)[:, None],
    )


def controls(wh: Warehouse, sae: str, names: Sequence[str], settings: Settings) -> pa.Table:
    """Put the best pair of each concept beside those of controls; the columns are those of `CONTROLS`."""
    if not names:
        return CONTROLS.empty_table()
    own = tested.see(wh, sae, is_best=True)
    found = []
    for name in names:
        of = tested.members(wh, [sae, name])
        weights = _weights(of, settings)
        other = {one.concept_id: one for one in tested.counts(tested.see(wh, name, is_best=True), of)}
        for one in tested.counts(own, of):
            its = of[one.source]
            found.append(
                {
                    **_excess(one, other.get(one.concept_id), its, weights[one.source]),
                    "control": [name],
                    "n_proteins": [len(its.protein_id)],
                    "n_clusters": [its.n_clusters],
                }
            )
    return _table(found, CONTROLS)


def _excess(own: Counts, other: Counts | None, members: Members, drawn: Floats) -> dict[str, Any]:
    """Compare one pair of the SAE with one of a control, which has none where nothing fires on valid."""
    resampled = _resampled(own, members, drawn)
    there = own.n_to_find.sum() > 0
    against = (
        bootstrap.Resampled(np.where(np.isnan(resampled.f1), np.nan, 0.0))
        if other is None
        else _resampled(other, members, drawn)
    )
    low, high = resampled.excess_over(against)
    nothing = np.array([0.0 if there else np.nan])
    return {
        "concept_id": [own.concept_id],
        "feature": own.feature,
        "threshold": own.threshold,
        "control_feature": [None] if other is None else other.feature,
        "control_threshold": [None] if other is None else other.threshold,
        "f1_per_domain": own.f1(),
        "control_f1": nothing if other is None else other.f1(),
        "excess_low": low,
        "excess_high": high,
        "n_resamples": [len(drawn)],
    }


def _table(found: Sequence[Mapping[str, Any]], shape: pa.Schema) -> pa.Table:
    """Put columns that were found one concept after the other below each other; NaN is NULL."""
    return pa.table([pa.chunked_array(_chunks(found, field), field.type) for field in shape], schema=shape)


def _chunks(found: Sequence[Mapping[str, Any]], field: pa.Field) -> Iterator[pa.Array]:
    for one in found:
        yield pa.array(one[field.name], field.type, from_pandas=True)
