"""The scoring tables computed the slow, dense, obvious way from the definitions, without SQL.

Arrays are dense: one row per residue, one column per feature. Nothing here is shared with the
package; it is what the tables are compared with on random data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
NEVER_SCORED = {
    "Region_any",
    "Modified residue_any",
    "Domain_any",
    "Compositional bias_any",
    "Motif_any",
}
LETTERS = "ACDEFGHIKLMNPQRSTVWY"


@dataclass(frozen=True)
class Protein:
    """One protein; `is_encoded` says whether the SAE has seen it."""

    protein_id: int
    accession: str
    sequence: str
    split: str
    sample_key: int
    is_encoded: bool = True


@dataclass(frozen=True)
class Span:
    """One annotated span, 1-based and inclusive."""

    protein_id: int
    concept: str
    start: int
    stop: int
    instance: int


@dataclass(frozen=True)
class Concept:
    """One concept that is not a letter."""

    name: str
    level: str
    source: str


@dataclass(frozen=True)
class World:
    """All that the tables are made from.

    Attributes
    ----------
    values : dict
        (protein_id, position, feature) to the raw value.
    scale : dict
        Feature to its scale, where a checkpoint gives it; otherwise the maximum over what is encoded.
    """

    n_features: int
    proteins: tuple[Protein, ...]
    concepts: tuple[Concept, ...]
    spans: tuple[Span, ...]
    covered: frozenset[tuple[str, int]]
    values: dict[tuple[int, int, int], np.float32]
    thresholds: tuple[float, ...]
    presence: float = 0.05
    min_residues: int = 2
    min_domains: int = 1
    min_value: float = 0.0
    scale: dict[int, np.float32] | None = field(default=None)


def encoded(world: World) -> list[Protein]:
    """The proteins that the SAE has seen."""
    return [p for p in world.proteins if p.is_encoded]


def scales(world: World) -> Float32:
    """The scale of each feature, [n_features]; 0 where it is dead."""
    if world.scale is not None:
        return np.array([world.scale.get(f, 0) for f in range(world.n_features)], np.float32)
    found = np.zeros(world.n_features, np.float32)
    for (_, _, feature), value in world.values.items():
        found[feature] = max(found[feature], value)
    return found


def activations(world: World, protein: Protein) -> Float32:
    """Normalised activations, [length, n_features]; 0 where inactive, NaN where unscaled."""
    dense = np.zeros((len(protein.sequence), world.n_features), np.float32)
    scale = scales(world)
    for (protein_id, position, feature), value in world.values.items():
        if protein_id == protein.protein_id:
            ratio = np.float32(np.nan) if scale[feature] == 0 else np.float32(value / scale[feature])
            dense[position - 1, feature] = ratio
    return dense


def residues_of(protein: Protein, spans: list[Span]) -> npt.NDArray[np.bool_]:
    """Mark the residues that spans cover, [length]."""
    mask = np.zeros(len(protein.sequence), bool)
    for span in spans:
        mask[span.start - 1 : span.stop] = True
    return mask


def all_concepts(world: World) -> list[Concept]:
    """Letters first, then the concepts of annotations."""
    return [Concept(f"amino_acid_{x}", "residue", "sequence") for x in LETTERS] + list(world.concepts)


def covered(world: World, concept: Concept, split: str) -> list[Protein]:
    """The proteins that a concept is counted over."""
    return [
        p
        for p in encoded(world)
        if p.split == split
        and (concept.source == "sequence" or (concept.source, p.protein_id) in world.covered)
    ]


def instances(world: World, concept: Concept, protein: Protein) -> list[npt.NDArray[np.bool_]]:
    """The residues of each instance inside the sequence."""
    by_instance: dict[int, list[Span]] = {}
    for span in world.spans:
        if span.concept == concept.name and span.protein_id == protein.protein_id:
            by_instance.setdefault(span.instance, []).append(span)
    masks = [residues_of(protein, spans) for spans in by_instance.values()]
    return [mask for mask in masks if mask.any()]


def concept_residues(world: World, concept: Concept, protein: Protein) -> npt.NDArray[np.bool_]:
    """The residues of a concept on a protein, [length]."""
    if concept.source == "sequence":
        return np.array([letter == concept.name[-1] for letter in protein.sequence])
    mask = np.zeros(len(protein.sequence), bool)
    for one in instances(world, concept, protein):
        mask |= one
    return mask


def support(world: World) -> dict[tuple[str, str], tuple[str, int, int, int]]:
    """(split, concept) to (level, n_residues, n_domains, n_proteins)."""
    found = {}
    for concept in all_concepts(world):
        for split in ("train", "valid", "test"):
            over = covered(world, concept, split)
            if over:
                n_residues = sum(int(concept_residues(world, concept, p).sum()) for p in over)
                n_domains = sum(len(instances(world, concept, p)) for p in over)
                found[split, concept.name] = (concept.level, n_residues, n_domains, len(over))
    return found


def counts(world: World) -> dict[tuple[str, str, int, float], tuple[int, int, int | None]]:
    """(split, concept, feature, threshold) to (tp, fp, tp_per_domain), wherever tp > 0."""
    found = {}
    dense = {p.protein_id: activations(world, p) for p in encoded(world)}
    for concept in all_concepts(world):
        for split in ("train", "valid", "test"):
            over = covered(world, concept, split)
            for threshold in world.thresholds:
                for feature in range(world.n_features):
                    tp = fp = hit = 0
                    for protein in over:
                        fires = dense[protein.protein_id][:, feature] > np.float32(threshold)
                        inside = concept_residues(world, concept, protein)
                        tp += int((fires & inside).sum())
                        fp += int((fires & ~inside).sum())
                        hit += sum(bool((fires & one).any()) for one in instances(world, concept, protein))
                    if tp:
                        per_domain = hit if concept.level == "domain" else None
                        found[split, concept.name, feature, threshold] = (tp, fp, per_domain)
    return found


def firing(world: World, source: str) -> dict[tuple[str, int, float], int]:
    """(split, feature, threshold) to the residues it fires on, over what a source covers."""
    found: dict[tuple[str, int, float], int] = {}
    for protein in encoded(world):
        if source == "sequence" or (source, protein.protein_id) in world.covered:
            dense = activations(world, protein)
            for threshold in world.thresholds:
                for feature in np.flatnonzero((dense > np.float32(threshold)).any(axis=0)):
                    key = (protein.split, int(feature), threshold)
                    n_residues = int((dense[:, feature] > np.float32(threshold)).sum())
                    found[key] = found.get(key, 0) + n_residues
    return found


def scored(world: World) -> set[str]:
    """The names of the concepts that are scored."""
    held = support(world)
    found = set()
    for concept in all_concepts(world):
        both = [held[s, concept.name] for s in ("valid", "test") if (s, concept.name) in held]
        n_residues, n_domains = sum(b[1] for b in both), sum(b[2] for b in both)
        if n_residues > world.min_residues or n_domains > world.min_domains:
            found.add(concept.name)
    return found - NEVER_SCORED


def harmonic(a: float, b: float) -> float:
    """Harmonic mean."""
    return 2 * a * b / (a + b)


def f1(world: World) -> dict[tuple[str, str, int, float], dict[str, Any]]:
    """(split, concept, feature, threshold) to its measures, for scored concepts."""
    found = {}
    held, kept, scale = support(world), scored(world), scales(world)
    for (split, concept, feature, threshold), (tp, fp, hit) in counts(world).items():
        is_stored = threshold * float(scale[feature]) >= world.min_value
        if split == "train" or concept not in kept or not is_stored:
            continue
        _, n_residues, n_domains, _ = held[split, concept]
        precision, recall = tp / (tp + fp), tp / n_residues
        per_domain = recall if hit is None else hit / n_domains
        found[split, concept, feature, threshold] = {
            "tp": tp,
            "fp": fp,
            "tp_per_domain": hit,
            "precision": precision,
            "recall": recall,
            "recall_per_domain": per_domain,
            "f1": harmonic(precision, recall),
            "f1_per_domain": harmonic(precision, per_domain),
        }
    return found


def heldout(world: World) -> list[tuple[Any, ...]]:
    """Rows of heldout_pairs in the order of its columns, less `sae`."""
    scores, held = f1(world), support(world)
    sources = {c.name: c.source for c in all_concepts(world)}
    found = []
    for concept in sorted(scored(world)):
        valid = [
            (-m["f1_per_domain"], -m["f1"], -t, f)
            for (s, c, f, t), m in scores.items()
            if s == "valid" and c == concept
        ]
        if not valid:
            continue
        best_per_feature = {f: min(v for v in valid if v[3] == f) for f in {v[3] for v in valid}}
        best = min(valid)
        n_test = held.get(("test", concept), (None, 0, 0, 0))
        unit = 1 if sources[concept] == "sequence" else 2
        is_testable = all(held.get((s, concept), (None, 0, 0, 0))[unit] >= 5 for s in ("valid", "test"))
        for feature, pick in best_per_feature.items():
            threshold = -pick[2]
            chosen = scores["valid", concept, feature, threshold]
            if pick != best and not chosen["f1_per_domain"] > 0.5:
                continue
            test = scores.get(("test", concept, feature, threshold))
            fires = firing(world, sources[concept]).get(("test", feature, threshold), 0)
            if n_test[1] == 0:
                read: tuple[float | None, ...] = (None, None, None)
            elif test is None:
                read = (0.0, 0.0 if fires else None, 0.0)
            else:
                read = (test["f1_per_domain"], test["precision"], test["recall_per_domain"])
            is_found = is_testable and chosen["f1_per_domain"] > 0.5 and (read[0] or 0.0) > 0.5
            measures = (chosen["f1_per_domain"], chosen["precision"], chosen["recall_per_domain"])
            flags = (pick == best, is_testable, is_found)
            found.append((concept, feature, threshold, *measures, *read, *flags))
    return sorted(found)


def protein_features(world: World) -> dict[tuple[int, int], tuple[float, int, int]]:
    """(feature, protein_id) to (highest activation, its lowest position, present residues)."""
    found = {}
    for protein in encoded(world):
        dense = np.nan_to_num(activations(world, protein), nan=0.0)
        for feature in range(world.n_features):
            column = dense[:, feature]
            if column.max() > 0:
                present = int((column > np.float32(world.presence)).sum())
                peak = int(column.argmax())
                found[feature, protein.protein_id] = (float(column[peak]), peak + 1, present)
    return found


def stats(world: World) -> list[dict[str, Any]]:
    """One dictionary per feature, with the columns of feature_stats."""
    found = []
    scale, proteins = scales(world), encoded(world)
    for feature in range(world.n_features):
        columns = [activations(world, p)[:, feature] for p in proteins]
        present = [c[c > np.float32(world.presence)].astype(float) for c in columns]
        shares = [len(x) / len(c) for x, c in zip(present, columns, strict=True) if len(x)]
        total = math.fsum(math.fsum(x) for x in present)
        n_residues = sum(len(x) for x in present)
        found.append(
            {
                "max_activation": float(scale[feature]),
                "n_residues": n_residues,
                "n_proteins": len(shares),
                "pct_proteins": 100 * len(shares) / len(proteins) if proteins else 0.0,
                "avg_pct_residues_when_present": 100 * math.fsum(shares) / len(shares) if shares else None,
                "mean_activation": total / n_residues if n_residues else None,
                "n_unscaled": sum(int(np.isnan(c).sum()) for c in columns),
            }
        )
    return found


def amino_acids(world: World) -> dict[tuple[int, str], tuple[int, float]]:
    """(feature, letter) to (present residues, enrichment)."""
    everything = "".join(p.sequence for p in encoded(world))
    found = {}
    for feature in range(world.n_features):
        letters = ""
        for protein in encoded(world):
            present = activations(world, protein)[:, feature] > np.float32(world.presence)
            letters += "".join(
                x for x, is_present in zip(protein.sequence, present, strict=True) if is_present
            )
        for letter in set(letters):
            share = letters.count(letter) / len(letters)
            background = everything.count(letter) / len(everything)
            found[feature, letter] = (letters.count(letter), share / background)
    return found


def histogram(world: World) -> dict[tuple[int, float, float], int]:
    """(feature, bin_low, bin_high) to residues; a bound belongs to the bin below it."""
    found: dict[tuple[int, float, float], int] = {}
    for protein in encoded(world):
        dense = activations(world, protein)
        for feature in range(world.n_features):
            for value in dense[:, feature]:
                if value > 0:
                    bin_ = max(k for k in range(20) if value > np.float32(k / 20))
                    key = (feature, bin_ / 20, math.inf if bin_ == 19 else (bin_ + 1) / 20)
                    found[key] = found.get(key, 0) + 1
    return found


def max_examples(world: World) -> list[tuple[int, int, str, int, float]]:
    """(feature, rank, accession, position, activation)."""
    names = {p.protein_id: p.accession for p in world.proteins}
    found = []
    peaks = protein_features(world)
    for feature in range(world.n_features):
        ordered = sorted((-a, names[p], pos) for (f, p), (a, pos, _) in peaks.items() if f == feature)
        for rank, (activation, accession, position) in enumerate(ordered[:10], start=1):
            found.append((feature, rank, accession, position, -activation))
    return found


def quantile_examples(world: World) -> list[tuple[int, float, float, int, str, float]]:
    """(feature, bin_low, bin_high, rank, accession, activation)."""
    peaks = protein_features(world)
    bounds = [(0.0, 0.0), (0.0, 0.4), (0.4, 0.8), (0.8, math.inf)]
    found = []
    for feature in range(world.n_features):
        drawn: dict[int, list[tuple[int, str, float]]] = {0: [], 1: [], 2: [], 3: []}
        for protein in encoded(world):
            peak = peaks.get((feature, protein.protein_id), (0.0, 0, 0))[0]
            bin_ = sum(peak > np.float32(bound) for bound in (0.0, 0.4, 0.8))
            x = (protein.sample_key + feature * 1103515245) % 2147483647
            draw = (x * x + protein.sample_key) % 2147483647
            drawn[bin_].append((draw, protein.accession, peak))
        for bin_, members in drawn.items():
            for rank, (_, accession, peak) in enumerate(sorted(members)[:10], start=1):
                found.append((feature, *bounds[bin_], rank, accession, peak))
    return sorted(found)
