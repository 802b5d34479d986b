"""The motif families of the demo proteome: data only.

A pattern is a list of tokens that are separated by spaces::

    C             this amino acid, always
    k             this amino acid in seven proteins of ten, else any of the family's composition
    [ILV]         one of these, each as likely
    x             any of the family's composition
    x(2,4)        so many of them; x(3) is exactly three
    D:ca          the residue is part of the site `ca`; neighbours with one label are one site

The consensus of each family is what textbooks give for it. The sequences are invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"

COMPOSITIONS: Mapping[str, str] = {
    "loop": "A6 C1 D7 E6 F3 G10 H3 I4 K7 L6 M2 N7 P8 Q4 R5 S8 T6 V5 W1 Y3",
    "helix": "A12 C1 D5 E14 F2 G2 H2 I3 K13 L5 M3 N4 Q9 R11 S5 T4 V3 W1 Y2",
    "strand": "A4 C1 D3 E6 F3 G3 H3 I4 K9 L4 M1 N3 Q6 R8 S9 T13 V8 W2 Y6",
    "outside": "A5 D5 E5 F3 G9 H3 I4 K5 L5 M1 N5 P6 Q5 R4 S11 T11 V7 W3 Y6",
    "disordered": "A9 D5 E9 F1 G9 H2 I1 K8 L4 M1 N4 P14 Q8 R5 S13 T7 V3",
    "polar": "S44 T18 N14 Q16 G6 P4 H3",
    "acidic": "E46 D34 S8 G5 N3 P4",
    "transit": "A17 R15 L14 S15 T6 V6 G5 P4 Q4 K3 F3 M2 N2 H2 I2",
}
"""Weights of the amino acids that fill the `x` of a pattern."""


@dataclass(frozen=True)
class Mark:
    """What UniProt writes about a span.

    Attributes
    ----------
    column : str
        Column of the export.
    key : str
        Keyword of the feature text.
    note, ligand : str
        Text of `/note` or `/ligand`; empty where UniProt writes none.
    is_numbered : bool
        Whether repeats in one protein are counted in the note.
    """

    column: str
    key: str
    note: str = ""
    ligand: str = ""
    is_numbered: bool = False


@dataclass(frozen=True)
class Family:
    """One motif family.

    Attributes
    ----------
    pattern : str
        See the top of this module.
    composition : str
        Key of `COMPOSITIONS`.
    mark : Mark or None
        Annotation of the whole match.
    sites : mapping of str to Mark
        Annotation of the labelled residues.
    bonds : tuple of (str, str)
        Labels of two cysteines that form a disulfide bond.
    repeats : (int, int)
        How often the pattern is repeated, at least and at most.
    joiner : str
        Pattern between two repeats.
    mark_each : bool
        Whether each repeat is a span by itself, or all of them are one.
    """

    pattern: str
    composition: str = "loop"
    mark: Mark | None = None
    sites: Mapping[str, Mark] = field(default_factory=dict)
    bonds: tuple[tuple[str, str], ...] = ()
    repeats: tuple[int, int] = (1, 1)
    joiner: str = ""
    mark_each: bool = True


_KINASE = (
    "[YF] x [IVL] x x x [IL] G x G x [FY] G x [VI] [YK] x A x x x x t g x x [VY] A [VIM] K x [IL] x(6,12) "
    "E [IL] x x [LM] x x [LI] x H [PE] N [IL] [VL] x [LF] x(6,10) [LI] [VIL] [ML] E [YF] x x g G x [LD] "
    "x(5,9) [YF] x x Q [IL] x x g [LV] x Y [LC] H x x x [IV] [VIL] H R D:acceptor [LI] K P x N [IL] [LM] "
    "[LVI] d x x g x [IVL] K [IL] x D F G [LA] s"
)
_TRANSPORTER = (
    "x [LI] x [VIL] [KR] x [IVL](3) G:atp x:atp(4) G:atp K:atp [ST]:atp [TSA] [LI] [LAI] [KR] x [LI] "
    "x(12,20) L S G G q x Q R [VL] x [IL] A R A L x x x P x [ILV](3) D E P [TL] [SA] [AH] L D"
)
_EGF = (
    "[DN] x C:1 x(4) p C:2 x n G g x C:3 x(3) g x [YF] x C:4 x C:5 x x G [YF] x G x x C:6"
)  # fmt: skip
_SH3 = (
    "A [LKR] [YF] D Y x(4) x E [LI] [ST] [FL] x x G D x [IL] x [VI] [IL] x(4,6) W [WL] x [GA] x(4,6) G x x "
    "G [LY] [FI] P x N Y [VI]"
)
_EF_HAND = (
    "e [ILF] [RK] x [AL] F x x [FL] D:ca x [DN]:ca x [DS]:ca G x:ca [IL] [ST] x x "
    "E:ca [LF] x x [VL] [LM] x x [LM]"
)

FAMILIES: Mapping[str, Family] = {
    "start": Family("M x(1,4)"),
    "loop": Family("x(3,8)"),
    "turn": Family("x(1,3) G [DN] [GK] x(0,2)"),
    "helix": Family(
        "[LIFMA] x x [ALIMV] [LIAFV] x x", "helix", Mark("Helix", "HELIX"), repeats=(2, 3), mark_each=False
    ),
    "strand": Family("[VIYFLT] x", "strand", Mark("Beta strand", "STRAND"), repeats=(2, 4), mark_each=False),
    "outside": Family("x(4,12)", "outside"),
    "coiled coil": Family(
        "[ILV] [EKQR] [EKQAR] L [EKQ] [KEQRN] [KEQ]",
        mark=Mark("Coiled coil", "COILED"),
        repeats=(4, 8),
        mark_each=False,
    ),
    "zinc finger": Family(
        "[YF] k C x(2,4) C g k x F s r x s x L x x H x(3) H",
        mark=Mark("Zinc finger", "ZN_FING", "C2H2-type", is_numbered=True),
        repeats=(2, 5),
        joiner="T g e [RK] p",
    ),
    "signal peptide": Family(
        "M [KR](1,3) x(1,2) [LAVFI](9,13) [GSTP] x A x A", mark=Mark("Signal peptide", "SIGNAL")
    ),
    "transit peptide": Family(
        "M x(16,28) R x [FYA] [SA]", "transit", Mark("Transit peptide", "TRANSIT", "Mitochondrion")
    ),
    "sequon": Family(
        "x(1,3) N:sugar [ADEFGIKLQRSTVY] [ST] x(1,3)",
        "outside",
        sites={"sugar": Mark("Glycosylation", "CARBOHYD", "N-linked (GlcNAc...) asparagine")},
    ),
    "EGF": Family(
        _EGF,
        "outside",
        Mark("Domain [FT]", "DOMAIN", "EGF-like", is_numbered=True),
        bonds=(("1", "3"), ("2", "4"), ("5", "6")),
        repeats=(1, 3),
        joiner="x(2,3)",
    ),
    "P-loop": Family(
        _TRANSPORTER,
        mark=Mark("Domain [FT]", "DOMAIN", "ABC transporter"),
        sites={"atp": Mark("Binding site", "BINDING", ligand="ATP")},
    ),
    "kinase": Family(
        _KINASE,
        mark=Mark("Domain [FT]", "DOMAIN", "Protein kinase"),
        sites={"acceptor": Mark("Active site", "ACT_SITE", "Proton acceptor")},
    ),
    "SH3": Family(_SH3, mark=Mark("Domain [FT]", "DOMAIN", "SH3", is_numbered=True)),
    "EF hand": Family(
        _EF_HAND,
        "helix",
        Mark("Domain [FT]", "DOMAIN", "EF-hand", is_numbered=True),
        sites={"ca": Mark("Binding site", "BINDING", ligand="Ca(2+)")},
        repeats=(2, 4),
        joiner="x(4,8)",
    ),
    "nuclear signal": Family(
        "P [KR] K [KR] [KR] [KR] [VL]",
        mark=Mark("Motif", "MOTIF", "Nuclear localization signal", is_numbered=True),
    ),
    "disordered": Family("x(14,32)", "disordered"),
    "polar": Family("x(12,24)", "polar", Mark("Compositional bias", "COMPBIAS", "Polar residues")),
    "acidic": Family("x(12,24)", "acidic", Mark("Compositional bias", "COMPBIAS", "Acidic residues")),
    "phosphosite": Family(
        "R R x S:phosphate [LIVF] x(2,6)",
        "disordered",
        sites={"phosphate": Mark("Modified residue", "MOD_RES", "Phosphoserine")},
    ),
    "prenyl tail": Family(
        "K [KS] K x [KS] K x C:lipid [VIL](2) [MSQ]",
        sites={"lipid": Mark("Lipidation", "LIPID", "S-farnesyl cysteine")},
    ),
    "dead finger": Family("[YF] k S x(2,4) C g k x F s r x s x L x x N x(3) H"),
    "dead P-loop": Family("[IVL](3) G x(4) G A [ST] [LI] [LAI]"),
    "broken heptads": Family("[ILV] [EKQR] [EKQAR] [KEN] L [KEQRN] [KEQ]", repeats=(1, 2)),
}
"""Families by name; the last three look like a motif and are none."""
