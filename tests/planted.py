"""A small warehouse whose truth is known: which features follow which concept, and which follow none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from interplm_wh import commands, store

SAE, CONTROL = "planted", "planted-control"
N_FEATURES = 10
LETTERS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
Span = tuple[int, int]


@dataclass(frozen=True)
class Protein:
    """One protein, with the spans of each concept (1-based, inclusive) and where each feature fires."""

    accession: str
    sequence: str
    split: str
    cluster: str
    spans: dict[str, list[Span]]
    fired: dict[str, dict[int, dict[int, float]]]
    """By SAE, by feature: value by position."""

    @property
    def length(self) -> int:
        return len(self.sequence)

    def residues(self, concept: str) -> set[int]:
        return {i for a, b in self.spans.get(concept, []) for i in range(a, b + 1)}


LEVELS = {
    "Domain_real": "domain", "Domain_decoy": "domain", "Site_real": "residue", "Domain_whole": "domain",
    "Domain_rare": "domain",
}  # fmt: skip
FOLLOWS = {"Domain_real": 0, "Site_real": 1, "Domain_whole": 2, "Domain_rare": 3}


def proteins(seed: int = 0, *, n: int = 160, n_members: int = 2) -> list[Protein]:
    """Draw proteins in clusters of `n_members`, each cluster in one split."""
    rng = np.random.default_rng(seed)
    found: list[Protein] = []
    for i in range(n):
        cluster = i // n_members
        length = int(rng.integers(40, 120))
        spans: dict[str, list[Span]] = {}
        for concept, n_spans in (("Domain_real", 2), ("Domain_decoy", 2)):
            if rng.random() < 0.5:
                spans[concept] = [
                    _span(rng, length, 10, 15) for _ in range(int(rng.integers(1, n_spans + 1)))
                ]
        if rng.random() < 0.5:
            spans["Site_real"] = [_span(rng, length, 1, 1) for _ in range(int(rng.integers(1, 4)))]
        if rng.random() < 0.5:
            spans["Domain_whole"] = [(2, length - 1)]
        if cluster < 14:
            spans["Domain_rare"] = [_span(rng, length, 8, 12)]
        drawn = "".join(LETTERS[rng.integers(0, 20, length)])
        one = Protein(
            f"P{i:04d}",
            drawn,
            "valid" if cluster % 2 else "test",
            f"c{cluster}",
            spans,
            {SAE: {}, CONTROL: {}},
        )
        _fire(one, rng)
        found.append(one)
    return found


def _span(rng: np.random.Generator, length: int, low: int, high: int) -> Span:
    width = int(rng.integers(low, high + 1))
    start = int(rng.integers(1, length - width + 2))
    return start, start + width - 1


def _fire(one: Protein, rng: np.random.Generator) -> None:
    """Let features follow their concepts, with misses and false alarms; the control follows one, worse."""
    for sae, follows, share in ((SAE, FOLLOWS, 0.85), (CONTROL, {"Domain_real": 0}, 0.3)):
        for feature in range(N_FEATURES):
            concept = next((c for c, f in follows.items() if f == feature), None)
            its = one.residues(concept) if concept else set()
            chances = [share if i in its else 0.02 for i in range(1, one.length + 1)]
            where = np.flatnonzero(rng.random(one.length) < chances) + 1
            if concept is None and rng.random() < 0.5:  # a run anywhere, as long as a domain
                where = np.union1d(where, np.arange(*_span(rng, one.length, 10, 15)))
            values = rng.uniform(0.2, 1.0, len(where)).round(3)
            one.fired[sae][feature] = dict(zip(where.tolist(), values.tolist(), strict=True))


def warehouse(folder: Path, of: list[Protein], *, saes: tuple[str, ...] = (SAE, CONTROL)) -> Path:
    """Make and build a warehouse of them."""
    path = folder / "w"
    store.init(path)
    tables = {
        "proteins": pl.DataFrame(
            [
                {"accession": p.accession, "sequence": p.sequence, "split": p.split, "cluster": p.cluster}
                for p in of
            ]
        ),
        "annotations": pl.DataFrame(
            [
                {"accession": p.accession, "start": a, "stop": b, "concept": name, "level": LEVELS[name]}
                for p in of for name, spans in p.spans.items() for a, b in spans
            ]
        ),
    }  # fmt: skip
    for sae in saes:
        tables[sae] = pl.DataFrame(
            [
                {"accession": p.accession, "position": i, "feature": f, "value": value}
                for p in of for f, its in p.fired[sae].items() for i, value in its.items()
            ]
        )  # fmt: skip
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    commands.add_proteins(path, [folder / "proteins.parquet"])
    commands.add_annotations(path, [folder / "annotations.parquet"], source="mine")
    for sae in saes:
        commands.add_activations(
            path, folder / f"{sae}.parquet", sae=sae, n_features=N_FEATURES, covers="all"
        )
    if CONTROL in saes:
        make_control(path, CONTROL, SAE)
    commands.build(path, min_residues=20, min_domains=5)
    return path


def make_control(path: Path, control: str, sae: str, role: str = "position") -> None:
    """Say that one SAE is a control of another."""
    with store.write(path, command="test") as tx:
        tx.con.execute("update saes set role = ?, control_of = ? where sae = ?", [role, sae, control])
        tx.publish()


def fires(one: Protein, sae: str, feature: int, threshold: float, scale: float) -> set[int]:
    """Return where a feature fires."""
    limit = np.float32(threshold)
    values = one.fired[sae][feature]
    return {i for i, value in values.items() if np.float32(np.float32(value) / np.float32(scale)) > limit}


def f1_by_hand(
    of: list[Protein], sae: str, concept: str, feature: int, threshold: float, *, scale: float
) -> float:
    """F1 per domain over some proteins, from the definitions."""
    tp = n_fired = n_hit = n_find = 0
    for one in of:
        where, its = fires(one, sae, feature, threshold, scale), one.residues(concept)
        tp += len(where & its)
        n_fired += len(where)
        if LEVELS[concept] == "domain":
            spans = one.spans.get(concept, [])
            n_hit += sum(any(a <= i <= b for i in where) for a, b in spans)
            n_find += len(spans)
        else:
            n_hit, n_find = tp, n_find + len(its)
    if not tp:
        return 0.0
    precision, recall = tp / n_fired, n_hit / n_find
    return 2 * precision * recall / (precision + recall)
