"""What the dashboard's macros and queries answer, worked out in plain Python and numpy from the base tables.

Nothing here is SQL beyond reading whole tables, and nothing is shared with the package. Each function is
named after the file that it stands beside and returns that file's rows, as tuples, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

Row = dict[str, Any]
Float32 = npt.NDArray[np.float32]
Cells = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Float32]
"""Positions, features, values."""


def read(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    """Return a whole table as dictionaries, in any order."""
    found = con.execute(f'select * from "{table}"')
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass(frozen=True, eq=False)
class Facts:
    """The base tables, and the tables of scores, which tests of their own compare with oracles."""

    proteins: dict[str, Row]
    concepts: dict[str, Row]
    annotations: list[Row]
    covered: set[tuple[str, int]]
    encoded: set[tuple[str, int]]
    scale: dict[tuple[str, int], np.float32]
    values: dict[tuple[str, int], Cells]
    heldout: list[Row]
    presence: float = 0.05

    @cached_property
    def scales(self) -> dict[str, Float32]:
        """SAE to the scale of each of its features."""
        found: dict[str, list[np.float32]] = {}
        for sae, feature in sorted(self.scale):
            found.setdefault(sae, []).append(self.scale[sae, feature])
        return {sae: np.array(scales, np.float32) for sae, scales in found.items()}

    @cached_property
    def n_features(self) -> dict[str, int]:
        """SAE to the number of its features."""
        return {sae: len(scales) for sae, scales in self.scales.items()}

    @cached_property
    def spans(self) -> dict[int, list[tuple[str, int, int, int]]]:
        """Protein to (concept, start, stop, instance), cut to the sequence; none that begins beyond it."""
        names = {c["concept_id"]: c["concept"] for c in self.concepts.values()}
        lengths = {p["protein_id"]: p["length"] for p in self.proteins.values()}
        found: dict[int, list[tuple[str, int, int, int]]] = {}
        for a in self.annotations:
            length = lengths[a["protein_id"]]
            if a["start"] <= length:
                one = (names[a["concept_id"]], a["start"], min(a["stop"], length), a["instance_id"])
                found.setdefault(a["protein_id"], []).append(one)
        return found

    @cached_property
    def meanings(self) -> dict[tuple[str, int], tuple[str, float]]:
        """(SAE, feature) to the concept that it finds best, no letter, and the F1 on test."""
        letters = {name for name, c in self.concepts.items() if c["source"] == "sequence"}
        return best_found([h for h in self.heldout if h["concept"] not in letters])

    @cached_property
    def letters(self) -> dict[tuple[str, int], tuple[str, float]]:
        """(SAE, feature) to the amino acid that it finds best, and the F1 on test."""
        letters = {name for name, c in self.concepts.items() if c["source"] == "sequence"}
        return best_found([h for h in self.heldout if h["concept"] in letters])

    def grid(self, sae: str, accession: str) -> Float32:
        """Normalised activations of a protein, [length, n_features]; 0 where inactive, NaN if unscaled."""
        protein = self.proteins[accession]
        dense = np.zeros((protein["length"], self.n_features.get(sae, 0)), np.float32)
        if (sae, protein["protein_id"]) not in self.values:
            return dense
        positions, features, values = self.values[sae, protein["protein_id"]]
        scales = self.scales[sae][features]
        with np.errstate(divide="ignore", invalid="ignore"):
            dense[positions - 1, features] = np.where(scales == 0, np.nan, values / scales)
        return dense

    def column(self, sae: str, feature: int, accession: str) -> Float32:
        """Normalised activations of one feature along a protein, [length]."""
        protein = self.proteins[accession]
        found = np.zeros(protein["length"], np.float32)
        if (sae, protein["protein_id"]) not in self.values:
            return found
        positions, features, values = self.values[sae, protein["protein_id"]]
        mine, scale = features == feature, self.scale.get((sae, feature))
        found[positions[mine] - 1] = values[mine] / scale if scale else np.nan
        return found


def best_found(pairs: Iterable[Row]) -> dict[tuple[str, int], tuple[str, float]]:
    """(SAE, feature) to its found concept of the highest F1 on test, the first name on a tie."""
    found: dict[tuple[str, int], tuple[str, float]] = {}
    for pair in sorted(pairs, key=lambda h: h["concept"]):
        key, f1 = (pair["sae"], pair["feature"]), pair["test_f1_per_domain"]
        if pair["is_found"] and (key not in found or f1 > found[key][1]):
            found[key] = (pair["concept"], f1)
    return found


def activations_of(con: duckdb.DuckDBPyConnection, sae: str) -> dict[tuple[str, int], Cells]:
    """(SAE, protein) to positions, features and values."""
    table = con.execute(
        "select protein_id, position, feature, value from activations where sae = ?", [sae]
    ).fetchnumpy()
    ids, position, feature, value = (
        np.asarray(table[name]) for name in ("protein_id", "position", "feature", "value")
    )
    order = np.argsort(ids, kind="stable")
    found: dict[tuple[str, int], Cells] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else ():
        found[sae, int(ids[rows[0]])] = (position[rows], feature[rows], value[rows])
    return found


def facts(
    con: duckdb.DuckDBPyConnection, sae: str, *, heldout: list[Row] | None = None, presence: float = 0.05
) -> Facts:
    """Read the base tables, and the activations of one SAE; `heldout` stands for the table."""
    return Facts(
        proteins={p["accession"]: p for p in read(con, "proteins")},
        concepts={c["concept"]: c for c in read(con, "concepts")},
        annotations=read(con, "annotations"),
        covered={(c["source"], c["protein_id"]) for c in read(con, "coverage")},
        encoded={(e["sae"], e["protein_id"]) for e in read(con, "encodings")},
        scale={(f["sae"], f["feature"]): np.float32(f["max_activation"]) for f in read(con, "features")},
        values=activations_of(con, sae),
        heldout=read(con, "heldout_pairs") if heldout is None else heldout,
        presence=presence,
    )


# -- parts ------------------------------------------------------------------------------------------


def known(value: np.float32) -> float | None:
    """A number as the engine gives it: NULL where it is not one."""
    return None if np.isnan(value) else float(value)


def highest(piece: Float32) -> tuple[bool, float | None]:
    """Whether anything is active in a stretch, and its highest activation, None where all are unscaled."""
    numbers = piece[piece > 0]  # NaN is not
    return bool((piece != 0).any()), float(numbers.max()) if len(numbers) else None


def peak(column: Float32) -> tuple[float, int] | None:
    """The highest activation above 0, and its first position, 1-based."""
    _, top = highest(column)
    if top is None:
        return None
    return top, int(np.flatnonzero(column == np.float32(top))[0]) + 1


def cells(length: int, n_cells: int) -> list[tuple[int, int]]:
    """Cut residues into at most `n_cells` stretches of the least equal width; the last may be shorter."""
    width = 1
    while len(range(0, length, width)) > n_cells:
        width += 1
    return [(first + 1, min(first + width, length)) for first in range(0, length, width)]


def draw_order(feature: int) -> int:
    """The place of a feature in the draw of a landscape."""
    return feature * 1103515245 % (2**31 - 1)


# -- one feature ------------------------------------------------------------------------------------


def feature_track(f: Facts, sae: str, feature: int, accession: str) -> list[tuple[Any, ...]]:
    """Rows of position, amino_acid, value, activation."""
    protein = f.proteins.get(accession)
    if protein is None or (sae, protein["protein_id"]) not in f.values:
        return []
    column, found = f.column(sae, feature, accession), {}
    for position, one, value in zip(*f.values[sae, protein["protein_id"]], strict=True):
        if one == feature:
            found[int(position)] = float(value)
    letters = protein["sequence"]
    return [(at, letters[at - 1], found[at], known(column[at - 1])) for at in sorted(found)]


def feature_strips(
    f: Facts, sae: str, feature: int, accessions: Sequence[str], n_cells: int = 200
) -> list[tuple[Any, ...]]:
    """Rows of accession, start, stop, activation."""
    found = []
    for accession in sorted(set(accessions) & set(f.proteins)):
        column = f.column(sae, feature, accession)
        for start, stop in cells(len(column), n_cells):
            is_active, top = highest(column[start - 1 : stop])
            if is_active:
                found.append((accession, start, stop, top))
    return found


def feature_windows(
    f: Facts, sae: str, feature: int, accessions: Sequence[str], flank: int = 30
) -> list[tuple[Any, ...]]:
    """Rows of accession, position, away, amino_acid, activation."""
    found = []
    for accession in sorted(set(accessions) & set(f.proteins)):
        column, letters = f.column(sae, feature, accession), f.proteins[accession]["sequence"]
        top = peak(column)
        for at in range(1, len(column) + 1) if top else ():
            if top and abs(at - top[1]) <= flank:
                found.append((accession, at, at - top[1], letters[at - 1], float(column[at - 1])))
    return found


def feature_bins(f: Facts, sae: str, feature: int) -> list[tuple[Any, ...]]:
    """Rows of bin_low, bin_high, rank, accession, name, activation, length."""
    drawn: dict[tuple[float, float], list[tuple[int, str, float]]] = {}
    if (sae, feature) not in f.scale:
        return []
    for accession, p in f.proteins.items():
        if (sae, p["protein_id"]) in f.encoded:
            top = peak(f.column(sae, feature, accession))
            height = np.float32(top[0] if top else 0)
            x = (p["sample_key"] + feature * 1103515245) % 2147483647
            place = ((x * x + p["sample_key"]) % 2147483647, accession, float(height))
            bounds = [(0.8, np.inf), (0.4, 0.8), (0.0, 0.4)]
            bin_ = next((b for b in bounds if height > np.float32(b[0])), (0.0, 0.0))
            drawn.setdefault(bin_, []).append(place)
    found = []
    for low, high in [(0.8, np.inf), (0.4, 0.8), (0.0, 0.4), (0.0, 0.0)]:
        for rank, (_, accession, height) in enumerate(sorted(drawn.get((low, high), []))[:10], start=1):
            p = f.proteins[accession]
            found.append((low, high, rank, accession, p["name"], height, p["length"]))
    return found


# -- all features -----------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def stats(f: Facts, sae: str) -> dict[int, tuple[int, float, float, float]]:
    """Feature to (proteins with it, their percentage, mean percentage of residues there, mean activation)."""
    over = [a for a, p in f.proteins.items() if (sae, p["protein_id"]) in f.encoded]
    shares: dict[int, list[float]] = {}
    sums: dict[int, list[float]] = {}
    for accession in over:
        dense = f.grid(sae, accession)
        present = dense > np.float32(f.presence)  # NaN is not
        for feature in np.flatnonzero(present.any(axis=0)):
            mask = present[:, feature]
            shares.setdefault(int(feature), []).append(100 * float(mask.mean()))
            total = float(dense[mask, feature].astype(float).sum())
            so_far = sums.setdefault(int(feature), [0.0, 0.0])
            so_far[0] += total
            so_far[1] += int(mask.sum())
    return {
        x: (len(s), 100 * len(s) / len(over), sum(s) / len(s), sums[x][0] / sums[x][1])
        for x, s in shares.items()
    }


def feature_landscape(f: Facts, sae: str, k: int = 5000) -> list[tuple[Any, ...]]:
    """Rows of feature, the four of `stats`, max_activation, concept, category, test_f1_per_domain."""
    found = []
    for feature, numbers in stats(f, sae).items():
        concept, f1 = f.meanings.get((sae, feature), f.letters.get((sae, feature), (None, None)))
        category = f.concepts[concept]["category"] if concept else None
        row = (feature, *numbers, float(f.scale[sae, feature]), concept, category, f1)
        found.append(((concept is None, draw_order(feature)), row))
    return [row for _, row in sorted(found, key=lambda one: one[0])[:k]]


def features_where(
    f: Facts, sae: str, meaning: str = "any", lowest: float = 0, highest: float = 100
) -> list[tuple[int]]:
    """Rows of feature."""
    kinds = {x: "concept" if (sae, x) in f.meanings else "none" for x in range(f.n_features.get(sae, 0))}
    found = [
        x
        for x, (_, share, _, _) in stats(f, sae).items()
        if meaning in ("any", kinds[x]) and lowest <= share <= highest
    ]
    return [(x,) for x in sorted(found)]


def feature_meanings(f: Facts) -> list[tuple[Any, ...]]:
    """Rows of sae, feature, concept, category, is_amino_acid, threshold, test_f1_per_domain."""
    thresholds = {(h["sae"], h["feature"], h["concept"]): h["threshold"] for h in f.heldout}
    found = []
    for key in {*f.meanings, *f.letters}:
        concept, f1 = f.meanings[key] if key in f.meanings else f.letters[key]
        category = f.concepts[concept]["category"]
        found.append((*key, concept, category, key not in f.meanings, thresholds[*key, concept], f1))
    return sorted(found)


# -- annotations ------------------------------------------------------------------------------------


def annotations_of(
    f: Facts, accessions: Sequence[str], n_lanes: int = 4, only: str = ""
) -> list[tuple[Any, ...]]:
    """Rows of accession, lane, concept, category, start, stop, n_concepts, n_spans."""
    found = []
    for accession in sorted(set(accessions) & set(f.proteins)):
        drawn: dict[str, set[tuple[int, int]]] = {}
        for concept, start, stop, _ in f.spans.get(f.proteins[accession]["protein_id"], []):
            if only in ("", concept):
                drawn.setdefault(concept, set()).add((start, stop))
        for concept in [name for name in drawn if name.endswith("_any")]:
            category = f.concepts[concept]["category"]
            others = [
                spans
                for name, spans in drawn.items()
                if not name.endswith("_any") and f.concepts[name]["category"] == category
            ]
            drawn[concept] = drawn[concept].difference(*others)
        residues = {
            concept: len({at for start, stop in spans for at in range(start, stop + 1)})
            for concept, spans in drawn.items()
            if spans
        }
        order = sorted(residues, key=lambda concept: (-residues[concept], concept))
        shown = order[: max(n_lanes, 0)]
        n_spans = sum(len(drawn[concept]) for concept in shown)
        for lane, concept in enumerate(shown, start=1):
            for start, stop in sorted(drawn[concept]):
                category = f.concepts[concept]["category"]
                found.append((accession, lane, concept, category, start, stop, len(order), n_spans))
    return found


# -- one concept ------------------------------------------------------------------------------------


def concept_list(
    f: Facts, sae: str, support: Iterable[Row], scored: set[str], wanted: str = ""
) -> list[tuple[Any, ...]]:
    """Rows of concept, category, source, level, n_instances, n_residues, is_scored and the best pair."""
    totals: dict[str, list[int]] = {name: [0, 0] for name in f.concepts}
    for s in support:
        if s["sae"] == sae and s["split"] != "train":
            totals[s["concept"]][0] += s["n_domains"]
            totals[s["concept"]][1] += s["n_residues"]
    best = {h["concept"]: h for h in f.heldout if h["sae"] == sae and h["is_best"]}
    columns = ("feature", "threshold", "valid_f1_per_domain", "test_f1_per_domain")
    found = []
    for name, c in f.concepts.items():
        if wanted.lower() in name.lower():
            pair = best.get(name, {})
            row = (name, c["category"], c["source"], c["level"], *totals[name], name in scored)
            row += (*(pair.get(column) for column in columns), bool(pair.get("is_found")))
            found.append(row)
    return sorted(found, key=lambda row: (-row[4], -row[5], row[0]))


def concept_curve(scores: Iterable[Row], sae: str, concept: str, k: int = 8) -> list[tuple[Any, ...]]:
    """Rows of feature, split, threshold, precision, recall_per_domain, f1_per_domain, tp, fp, place,
    is_chosen."""
    mine = [s for s in scores if s["sae"] == sae and s["concept"] == concept and s["split"] != "train"]
    best: dict[int, tuple[float, float, float, int]] = {}
    for s in mine:
        if s["split"] == "valid":
            key = (-s["f1_per_domain"], -s["f1"], -s["threshold"], s["feature"])
            best[s["feature"]] = min(key, best.get(s["feature"], key))
    chosen = sorted(best, key=lambda feature: best[feature])[:k]
    columns = ("feature", "split", "threshold", "precision", "recall_per_domain", "f1_per_domain", "tp", "fp")
    found = [
        (*(s[c] for c in columns), chosen.index(s["feature"]) + 1, s["threshold"] == -best[s["feature"]][2])
        for s in mine
        if s["feature"] in chosen
    ]
    return sorted(found, key=lambda row: (chosen.index(row[0]), row[1], row[2]))


def concept_cases(
    f: Facts, sae: str, concept: str, feature: int, cut: float, split: str, k: int = 10
) -> list[tuple[Any, ...]]:
    """Rows of outcome, rank, accession, name, activation, position, n_hit, n_instances, length."""
    if concept not in f.concepts:
        return []
    source = f.concepts[concept]["source"]
    cases: dict[str, list[tuple[float, str, tuple[Any, ...]]]] = {}
    # With the concept and firing: by whether the maximum lies in an instance.
    firing: dict[bool, list[tuple[float, str]]] = {True: [], False: []}
    for accession, p in f.proteins.items():
        number = p["protein_id"]
        if p["split"] != split or (sae, number) not in f.encoded or (source, number) not in f.covered:
            continue
        column = f.column(sae, feature, accession)
        fires = column > np.float32(cut)
        instances: dict[int, bool] = {}
        for name, start, stop, instance in f.spans.get(number, []):
            if name == concept:
                instances[instance] = instances.get(instance, False) or bool(fires[start - 1 : stop].any())
        height, position = peak(column) or (0.0, None)
        n_hit = sum(instances.values())
        outcome = "hit" if n_hit else "missed" if instances else "false alarm"
        if instances and fires.any():
            spans = [(start, stop) for name, start, stop, _ in f.spans[number] if name == concept]
            firing[any(start <= position <= stop for start, stop in spans)].append((-height, accession))
        if instances or fires.any():
            row = (p["name"], height, position, n_hit, len(instances), p["length"])
            cases.setdefault(outcome, []).append((-height, accession, row))
    looked_at = {*sorted(firing[True])[:k], *sorted(firing[False])[:100]}
    found = []
    for outcome in sorted(cases):
        shown = [
            (accession, row)
            for minus, accession, row in sorted(cases[outcome])
            if outcome == "false alarm"
            or np.float32(-minus) <= np.float32(cut)
            or (minus, accession) in looked_at
        ]
        for rank, (accession, row) in enumerate(shown[:k], start=1):
            found.append((outcome, rank, accession, *row))
    return found


# -- one protein ------------------------------------------------------------------------------------


def protein_heatmap(
    f: Facts, sae: str, accession: str, k: int = 40, n_cells: int = 400, known_first: bool = False
) -> list[tuple[Any, ...]]:
    """Rows of rank, feature, concept, start, stop, activation."""
    if accession not in f.proteins:
        return []
    dense = f.grid(sae, accession)
    named = {x: f.meanings.get((sae, x), (None,))[0] for x in range(dense.shape[1])}
    tops = {x: top for x in named if (top := highest(dense[:, x])[1]) is not None}
    order = sorted(tops, key=lambda x: (known_first and named[x] is None, -tops[x], x))
    found = []
    for rank, feature in enumerate(order[: max(k, 0)], start=1):
        for start, stop in cells(len(dense), n_cells):
            is_active, top = highest(dense[start - 1 : stop, feature])
            if is_active:
                found.append((rank, feature, named[feature], start, stop, top))
    return found


def residue_features(f: Facts, sae: str, accession: str, position: int) -> list[tuple[Any, ...]]:
    """Rows of feature, value, activation, concept."""
    protein = f.proteins.get(accession)
    if protein is None or (sae, protein["protein_id"]) not in f.values:
        return []
    found = []
    for at, feature, value in zip(*f.values[sae, protein["protein_id"]], strict=True):
        if at == position:
            key = (sae, int(feature))
            activation = float(value / f.scale[key]) if f.scale[key] else None
            concept = f.meanings.get(key, f.letters.get(key, (None,)))[0]
            found.append((int(feature), float(value), activation, concept))
    return sorted(found, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))


def protein_search(f: Facts, sae: str, text: str) -> list[tuple[Any, ...]]:
    """Rows of accession, name, organism, length, split."""
    asked = text.lower()
    found = [
        p
        for p in f.proteins.values()
        if (sae, p["protein_id"]) in f.encoded
        and (asked in p["accession"].lower() or asked in (p["name"] or "").lower())
    ]
    found.sort(key=lambda p: (p["accession"].lower() != asked, p["accession"]))
    columns = ("accession", "name", "organism", "length", "split")
    return [tuple(p[column] for column in columns) for p in found[:50]]


# -- several SAEs -----------------------------------------------------------------------------------


def saes_side_by_side(f: Facts, left: str, right: str) -> list[tuple[Any, ...]]:
    """Rows of concept, category, three columns of either SAE, difference, is_fair."""
    sides = {
        sae: {h["concept"]: h for h in f.heldout if h["sae"] == sae and h["is_best"] and h["is_testable"]}
        for sae in (left, right)
    }
    over = [{protein for sae, protein in f.encoded if sae == side} for side in (left, right)]
    found = []
    for name, c in f.concepts.items():
        pairs = [sides[sae].get(name) for sae in (left, right)]
        if c["source"] == "sequence" or pairs == [None, None]:
            continue
        row: list[Any] = [name, c["category"]]
        for pair in pairs:
            row += (
                [pair["feature"], pair["test_f1_per_domain"], pair["is_found"]]
                if pair
                else [None, None, False]
            )
        scores = [pair["test_f1_per_domain"] if pair else 0.0 for pair in pairs]
        found.append((-max(scores), name, (*row, scores[0] - scores[1], over[0] == over[1])))
    return [row for *_, row in sorted(found)]


# -- sequences encoded just now ---------------------------------------------------------------------

Live = Sequence[tuple[str, int, int, float]]
"""Rows of sequence, position, feature, value."""


def live_features(f: Facts, sae: str, live: Live) -> list[tuple[Any, ...]]:
    """Rows of sequence, feature, activation, position, n_residues, concept, test_f1, pct_proteins."""
    common = stats(f, sae)
    found: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for name, position, feature, value in live:
        scale = f.scale.get((sae, feature))
        if scale:
            height = float(np.float32(value) / scale)
            found.setdefault((name, feature), []).append((-height, position))
    rows = []
    for (name, feature), places in found.items():
        minus, position = min(places)
        meaning = f.meanings.get((sae, feature), (None, None))
        share = common[feature][1] if feature in common else 0.0
        rows.append((name, feature, -minus, position, len(places), *meaning, share))
    return sorted(rows, key=lambda row: (row[0], -row[2], row[1]))


def live_cells(
    f: Facts, sae: str, live: Live, *, sequence: str, length: int, k: int, n_cells: int
) -> list[tuple[Any, ...]]:
    """Rows of rank, feature, concept, start, stop, activation."""
    mine = [row for row in live_features(f, sae, live) if row[0] == sequence][:k]
    rows = []
    for rank, (_, feature, *_) in enumerate(mine, start=1):
        column = np.zeros(length, np.float32)
        for name, position, one, value in live:
            if (name, one) == (sequence, feature):
                column[position - 1] = np.float32(value) / f.scale[sae, feature]
        concept = f.meanings.get((sae, feature), (None,))[0]
        for start, stop in cells(length, n_cells):
            is_active, top = highest(column[start - 1 : stop])
            if is_active:
                rows.append((rank, feature, concept, start, stop, top))
    return rows


def live_neighbours(f: Facts, sae: str, live: Live, *, sequence: str) -> dict[str, tuple[float, int]]:
    """Accession to (percentage that is shared, features that are shared), of all that share any."""
    mine = {row[1]: row[2] for row in live_features(f, sae, live) if row[0] == sequence}
    mine = dict(list(mine.items())[:100])
    found = {}
    for accession in f.proteins:
        dense = f.grid(sae, accession)
        both = []
        for feature, own in mine.items():
            _, top = highest(dense[:, feature])
            if top is not None:
                both.append(min(own, top))
        if both:
            found[accession] = (100 * sum(both) / sum(mine.values()), len(both))
    return found
