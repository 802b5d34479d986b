"""The kinds of proteins of the demo proteome, as runs of motif families: data only."""

from __future__ import annotations

from dataclasses import dataclass

from interplm_wh.demo.families import Mark


@dataclass(frozen=True)
class Part:
    """A run of families along a protein.

    Attributes
    ----------
    families : tuple of str
        Each member of the run is one of these, drawn alike.
    n : (int, int)
        Members of the run, at least and at most.
    joiner : str
        Family between two members, and after the last one; empty for none.
    mark : Mark or None
        Annotation of the whole run.
    chance : float
        How likely the run is there at all.
    is_annotated : bool
        False for a decoy: the motif is there, its annotation is not.
    """

    families: tuple[str, ...]
    n: tuple[int, int] = (1, 1)
    joiner: str = ""
    mark: Mark | None = None
    chance: float = 1.0
    is_annotated: bool = True


@dataclass(frozen=True)
class Architecture:
    """A kind of protein: its parts from the N to the C terminus."""

    name: str
    weight: float
    parts: tuple[Part, ...]
    ec: str = ""
    cofactor: str = ""


_START = Part(("start",))
_FOLD = Part(("helix", "strand", "helix", "strand", "turn"), (5, 12), "loop")
_SMALL_FOLD = Part(("helix", "strand", "turn"), (2, 5), "loop")
_OUTSIDE_FOLD = Part(("strand", "sequon", "sequon", "strand", "turn"), (5, 12), "outside")
_REGION = Mark("Region", "REGION", "Disordered")
_TAIL = Part(("disordered", "polar", "acidic", "phosphosite", "phosphosite"), (2, 5), "", _REGION)
_NEAR_MISS = Part(("dead finger", "dead P-loop", "broken heptads"), chance=0.08)
_UNSEEN = Part(("SH3", "nuclear signal", "coiled coil", "phosphosite"), chance=0.02, is_annotated=False)
_METAL = "COFACTOR: Name={}; Xref={}; Evidence={{ECO:0000255}};"

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "Zinc finger protein",
        1.2,
        (
            _START,
            _SMALL_FOLD,
            Part(("nuclear signal",), chance=0.7),
            _TAIL,
            Part(("zinc finger",)),
            _NEAR_MISS,
        ),
        cofactor=_METAL.format("Zn(2+)", "ChEBI:CHEBI:29105"),
    ),
    Architecture(
        "Secreted glycoprotein",
        1.6,
        (Part(("signal peptide",)), Part(("outside",)), _OUTSIDE_FOLD, _NEAR_MISS),
    ),
    Architecture(
        "EGF-like repeat protein",
        1.2,
        (Part(("signal peptide",)), Part(("outside",)), Part(("EGF",)), _OUTSIDE_FOLD),
    ),
    Architecture(
        "Protein kinase",
        1.4,
        (_START, Part(("SH3",), (1, 2), "loop", chance=0.6), Part(("kinase",)), _TAIL),
        ec="2.7.11.1",
        cofactor=_METAL.format("Mg(2+)", "ChEBI:CHEBI:18420"),
    ),
    Architecture(
        "Calcium-binding protein", 1.0, (_START, Part(("EF hand",)), Part(("loop",)), _SMALL_FOLD, _NEAR_MISS)
    ),
    Architecture(
        "ABC transporter",
        1.2,
        (_START, _SMALL_FOLD, Part(("P-loop",)), Part(("loop",)), _SMALL_FOLD),
        ec="7.6.2.-",
    ),
    Architecture("Mitochondrial protein", 1.4, (Part(("transit peptide",)), Part(("loop",)), _FOLD, _UNSEEN)),
    Architecture(
        "Coiled-coil protein",
        1.2,
        (_START, _SMALL_FOLD, Part(("coiled coil",), (1, 3), "loop"), _TAIL, _NEAR_MISS),
    ),
    Architecture("Prenylated protein", 0.8, (_START, _FOLD, Part(("prenyl tail",)))),
    Architecture(
        "Adapter protein",
        0.8,
        (_START, Part(("SH3",), (1, 3), "loop"), _TAIL, Part(("nuclear signal",), chance=0.6)),
    ),
    Architecture("Uncharacterized protein", 1.2, (_START, _FOLD, _NEAR_MISS, _UNSEEN)),
)
