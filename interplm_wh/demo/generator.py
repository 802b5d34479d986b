"""A synthetic proteome with planted motif families.

One seed gives the same proteins on every machine: all draws come from one numpy `Generator`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from interplm_wh.demo.architectures import ARCHITECTURES, Architecture, Part
from interplm_wh.demo.families import COMPOSITIONS, FAMILIES, Family, Mark

_TOKEN = re.compile(r"(\[[A-Z]+\]|[A-Za-z])(?::(\w+))?(?:\((\d+)(?:,(\d+))?\))?$")
_BOND = Mark("Disulfide bond", "DISULFID")
_SEQUON = re.compile(r"N(?=[^P][ST])")
_CONSERVED = 0.7
_SEQUONS_LEFT = 0.03


@dataclass(frozen=True)
class Annotation:
    """One annotated span: `start` and `stop` are 1-based and inclusive."""

    mark: Mark
    start: int
    stop: int


@dataclass(frozen=True)
class DemoProtein:
    """One generated protein with its annotations in the order of their starts."""

    accession: str
    name: str
    sequence: str
    annotations: tuple[Annotation, ...]
    ec: str = ""
    cofactor: str = ""


@dataclass
class _Draft:
    """A protein while it is put together."""

    letters: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)

    def annotate(self, mark: Mark | None, start: int) -> None:
        """Annotate from 0-based `start` to the end of what is there."""
        if mark is not None and len(self.letters) > start:
            self.annotations.append(Annotation(mark, start + 1, len(self.letters)))


@dataclass(frozen=True)
class _Token:
    letters: str
    weights: NDArray[np.float64]
    label: str | None
    n: tuple[int, int]


@cache
def _composition(name: str) -> tuple[str, NDArray[np.float64]]:
    """Return the letters of a composition and their cumulative weights, the last one 1."""
    pairs = [(word[0], float(word[1:])) for word in COMPOSITIONS[name].split()]
    weights = np.cumsum([weight for _, weight in pairs])
    return "".join(letter for letter, _ in pairs), weights / weights[-1]


def _parse_token(word: str, composition: str) -> _Token:
    match = _TOKEN.match(word)
    if match is None:
        raise ValueError(f"cannot read the token {word!r} of a pattern")
    core, label = match[1], match[2]
    low = int(match[3] or 1)
    n = (low, int(match[4] or low))
    letters, cumulative = _composition(composition)
    if core == "x":
        return _Token(letters, cumulative, label, n)
    if core.startswith("["):
        letters = core[1:-1]
        return _Token(letters, np.arange(1, len(letters) + 1) / len(letters), label, n)
    if core.isupper():
        return _Token(core, np.ones(1), label, n)
    mixed = np.concatenate([[_CONSERVED], _CONSERVED + (1 - _CONSERVED) * cumulative])
    return _Token(core.upper() + letters, mixed, label, n)


@cache
def _tokens(pattern: str, composition: str) -> tuple[_Token, ...]:
    return tuple(_parse_token(word, composition) for word in pattern.split())


def _draw_pattern(draft: _Draft, tokens: Sequence[_Token], rng: np.random.Generator) -> list[tuple[str, int]]:
    """Append one match of a pattern; return (label, 0-based index) of the labelled residues."""
    labelled: list[tuple[str, int]] = []
    for token in tokens:
        low, high = token.n
        n = low if low == high else int(rng.integers(low, high + 1))
        picks = np.searchsorted(token.weights, rng.random(n), side="right")
        if token.label is not None:
            labelled += [(token.label, len(draft.letters) + i) for i in range(n)]
        draft.letters += [token.letters[pick] for pick in picks]
    return labelled


def _annotate_sites(draft: _Draft, family: Family, labelled: Sequence[tuple[str, int]]) -> None:
    """Annotate labelled residues: neighbours with one label are one site."""
    runs: list[tuple[str, int, int]] = []
    for label, index in labelled:
        if runs and runs[-1][0] == label and runs[-1][2] == index - 1:
            runs[-1] = (label, runs[-1][1], index)
        else:
            runs.append((label, index, index))
    for label, first, last in runs:
        if label in family.sites:
            draft.annotations.append(Annotation(family.sites[label], first + 1, last + 1))
    at = dict(labelled)
    draft.annotations += [Annotation(_BOND, at[a] + 1, at[b] + 1) for a, b in family.bonds]


def _draw_family(draft: _Draft, family: Family, rng: np.random.Generator) -> None:
    """Append a family with its repeats and annotations."""
    tokens, joiner = _tokens(family.pattern, family.composition), _tokens(family.joiner, family.composition)
    first = len(draft.letters)
    for repeat in range(int(rng.integers(family.repeats[0], family.repeats[1] + 1))):
        if repeat:
            _draw_pattern(draft, joiner, rng)
        start = len(draft.letters)
        labelled = _draw_pattern(draft, tokens, rng)
        _annotate_sites(draft, family, labelled)
        if family.mark_each:
            draft.annotate(family.mark, start)
    if not family.mark_each:
        draft.annotate(family.mark, first)


def _draw_part(draft: _Draft, part: Part, rng: np.random.Generator) -> None:
    """Append a run of families, or nothing where the part's chance is against it."""
    if rng.random() >= part.chance:
        return
    first, n_before = len(draft.letters), len(draft.annotations)
    for _ in range(int(rng.integers(part.n[0], part.n[1] + 1))):
        _draw_family(draft, FAMILIES[part.families[int(rng.integers(len(part.families)))]], rng)
        if part.joiner:
            _draw_family(draft, FAMILIES[part.joiner], rng)
    draft.annotate(part.mark, first)
    if not part.is_annotated:
        del draft.annotations[n_before:]


def _remove_chance_sequons(draft: _Draft, rng: np.random.Generator) -> None:
    """Replace the asparagine of most sequons that stand there by chance, unannotated."""
    planted = {a.start - 1 for a in draft.annotations if a.mark.key == "CARBOHYD"}
    for match in _SEQUON.finditer("".join(draft.letters)):
        if match.start() not in planted and rng.random() >= _SEQUONS_LEFT:
            draft.letters[match.start()] = "DEQ"[int(rng.integers(3))]


def _numbered(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Order annotations and count the repeats of a protein in their notes, as UniProt does."""
    ordered = sorted(annotations, key=lambda a: (a.start, a.stop, a.mark.key))
    total = Counter(a.mark for a in ordered)
    seen: Counter[Mark] = Counter()
    for i, annotation in enumerate(ordered):
        mark = annotation.mark
        if mark.is_numbered and total[mark] > 1:
            seen[mark] += 1
            ordered[i] = replace(annotation, mark=replace(mark, note=f"{mark.note} {seen[mark]}"))
    return tuple(ordered)


def _protein(number: int, architecture: Architecture, prefix: str, rng: np.random.Generator) -> DemoProtein:
    draft = _Draft()
    for part in architecture.parts:
        _draw_part(draft, part, rng)
    _remove_chance_sequons(draft, rng)
    return DemoProtein(
        accession=f"{prefix}{number:05d}",
        name=f"{architecture.name} {number}",
        sequence="".join(draft.letters),
        annotations=_numbered(draft.annotations),
        ec=architecture.ec,
        cofactor=architecture.cofactor,
    )


def generate(n_proteins: int, *, seed: int = 0, prefix: str = "DEMO") -> list[DemoProtein]:
    """Generate proteins with planted motifs.

    Parameters
    ----------
    n_proteins : int
        How many; the first of a longer list are those of a shorter one.
    seed : int
    prefix : str
        What accessions begin with; a running number follows.

    Returns
    -------
    list of DemoProtein
        About 60 to 400 residues each, in the 20 standard amino acids.
    """
    rng = np.random.default_rng(seed)
    weights = np.cumsum([a.weight for a in ARCHITECTURES])
    proteins = []
    for number in range(1, n_proteins + 1):
        pick = int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))
        proteins.append(_protein(number, ARCHITECTURES[pick], prefix, rng))
    return proteins
