"""The same numbers by a good scipy implementation, from the same Parquet files.

Activations become one sparse matrix, residues by features. Per threshold, residues are counted by
``labels.T @ fires``, and distinct instances by the sparsity of ``instances.T @ fires``, grouped by
concept. Statistics and examples come from sorted groups (`reduceat`), as one would in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from scipy import sparse

from benchmarks.generate import LETTERS, N_LETTERS

THRESHOLDS = (0.0, 0.15, 0.5, 0.6, 0.8)
PRESENCE = np.float32(0.05)
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """What both halves of the yardstick start from.

    Attributes
    ----------
    protein, position, feature : int [n]
    activation : float32 [n]
        Normalised.
    offset : int [n_proteins + 1]
        First residue of each protein among all residues.
    n_features : int
    """

    protein: npt.NDArray[np.int32]
    position: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    activation: Floats
    offset: Ints
    n_features: int


def read(folder: Path) -> Inputs:
    """Read activations and normalise them."""
    table = pq.read_table(folder / "activations")
    feature = table["feature"].to_numpy()
    value = table["value"].to_numpy()
    scale = np.zeros(int(feature.max()) + 1, np.float32)
    np.maximum.at(scale, feature, value)
    length = pq.read_table(folder / "proteins.parquet", columns=["length"])["length"].to_numpy()
    offset = np.concatenate([[0], length.cumsum(dtype=np.int64)])
    return Inputs(
        table["protein_id"].to_numpy(),
        table["position"].to_numpy(),
        feature,
        value / scale[feature],
        offset,
        len(scale),
    )


@dataclass(frozen=True)
class Scores:
    """Counts per split: [threshold][concept, feature]; fp as counts of firing residues."""

    tp: dict[str, list[npt.NDArray[np.int32]]]
    fires: dict[str, list[Ints]]
    tp_per_domain: dict[str, list[npt.NDArray[np.int32]]]


def _indicator(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)


def concept_scores(folder: Path) -> Scores:
    """Count residues and distinct instances that each feature hits at each threshold."""
    given = read(folder)
    proteins = pq.read_table(folder / "proteins.parquet", columns=["sequence", "split"])
    spans = pq.read_table(
        folder / "annotations.parquet", columns=["protein_id", "concept_id", "start", "stop"]
    )
    n_concepts = pq.read_metadata(folder / "concepts.parquet").num_rows
    start, stop = spans["start"].to_numpy().astype(np.int64), spans["stop"].to_numpy()
    length = stop - start + 1
    first = given.offset[spans["protein_id"].to_numpy()] + start - 1
    instance = np.repeat(np.arange(len(length)), length)
    residue = np.repeat(first - np.append(0, length.cumsum()[:-1]), length) + np.arange(length.sum())
    concept = spans["concept_id"].to_numpy().astype(np.int64)
    sequence = np.frombuffer("".join(proteins["sequence"].to_pylist()).encode(), np.uint8)
    n_residues = len(sequence)
    letter = np.searchsorted(LETTERS, sequence)
    labels = _indicator(
        np.concatenate([concept[instance], letter]),
        np.concatenate([residue, np.arange(n_residues)]),
        (n_concepts, n_residues),
    )
    labels.data[:] = 1  # two spans of one concept on one residue
    is_domain = (concept >= N_LETTERS) & ((concept - N_LETTERS) % 4 != 0)
    keep = is_domain[instance]
    instances = _indicator(instance[keep], residue[keep], (len(length), n_residues))
    by_concept = _indicator(concept, np.arange(len(length)), (n_concepts, len(length)))
    return _count(given, labels, instances, by_concept, proteins["split"].to_numpy(zero_copy_only=False))


def _count(
    given: Inputs,
    labels: sparse.csr_array,
    instances: sparse.csr_array,
    by_concept: sparse.csr_array,
    split: npt.NDArray[np.object_],
) -> Scores:
    n_residues = labels.shape[1]
    residue = given.offset[given.protein] + given.position - 1
    found = Scores({}, {}, {})
    for name in ("valid", "test"):
        of_split = (split == name)[given.protein]
        for target in (found.tp, found.fires, found.tp_per_domain):
            target[name] = []
        for threshold in THRESHOLDS:
            chosen = of_split & (given.activation > np.float32(threshold))
            fires = _indicator(residue[chosen], given.feature[chosen], (n_residues, given.n_features))
            found.tp[name].append((labels @ fires).toarray())
            found.fires[name].append(np.bincount(given.feature[chosen], minlength=given.n_features))
            hits = instances @ fires
            hits.data[:] = 1
            found.tp_per_domain[name].append((by_concept @ hits).toarray())
    return found


@dataclass(frozen=True)
class Statistics:
    """What `statistics_and_examples` finds, by feature."""

    n_residues: Ints
    n_proteins: Ints
    share: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    letters: Ints
    histogram: Ints
    top: Ints
    drawn: list[Ints]


def statistics_and_examples(folder: Path) -> Statistics:
    """Count presence, letters and bins, and choose the strongest and the drawn proteins."""
    given = read(folder)
    proteins = pq.read_table(folder / "proteins.parquet", columns=["sequence", "sample_key", "accession"])
    n_proteins, n_features = len(given.offset) - 1, given.n_features
    pair = given.feature.astype(np.int64) * n_proteins + given.protein
    order = np.argsort(pair, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(pair[order]) > 0))
    is_present = given.activation > PRESENCE
    highest = np.maximum.reduceat(given.activation[order], first)
    n_present = np.add.reduceat(is_present[order].astype(np.int64), first)
    feature, protein = np.divmod(pair[order][first], n_proteins)
    some = n_present > 0
    shares = n_present[some] / np.diff(given.offset)[protein[some]]
    count = np.bincount(feature[some], minlength=n_features)
    present = given.feature[is_present]
    n_residues = np.bincount(present, minlength=n_features)
    sequence = np.frombuffer("".join(proteins["sequence"].to_pylist()).encode(), np.uint8)
    letter = np.searchsorted(LETTERS, sequence)[given.offset[given.protein] + given.position - 1]
    edge = np.minimum(np.ceil(given.activation / 0.05).astype(np.int64) - 1, 19)
    strongest = np.lexsort((protein, -highest, feature))
    start = np.searchsorted(feature[strongest], np.arange(n_features))
    rank = np.arange(len(strongest)) - start[feature[strongest]]
    with np.errstate(invalid="ignore"):
        return Statistics(
            n_residues,
            count,
            np.bincount(feature[some], shares, n_features) / count,
            np.bincount(present, given.activation[is_present], n_features) / n_residues,
            np.bincount(present * 20 + letter[is_present], minlength=20 * n_features),
            np.bincount(given.feature * 20 + edge, minlength=20 * n_features),
            strongest[rank < 10],
            _draw(feature, protein, highest, proteins["sample_key"].to_numpy(), n_features),
        )


def _draw(feature: Ints, protein: Ints, highest: Floats, sample_key: Ints, n_features: int) -> list[Ints]:
    """Draw ten proteins of each range for each feature, and ten without it."""
    found: list[Ints] = []
    bounds = np.searchsorted(feature, np.arange(n_features + 1))
    everyone = np.arange(len(sample_key))
    for one in range(n_features):
        mine = slice(bounds[one], bounds[one + 1])
        activation = np.zeros(len(sample_key), np.float32)
        activation[protein[mine]] = highest[mine]
        x = (sample_key + one * 1_103_515_245) % 2_147_483_647
        draw = (x * x + sample_key) % 2_147_483_647
        group = np.digitize(activation, [0.0, 0.4, 0.8], right=True)
        for part in range(4):
            chosen = everyone[group == part]
            found.append(chosen[np.argsort(draw[chosen], kind="stable")[:10]])
    return found
