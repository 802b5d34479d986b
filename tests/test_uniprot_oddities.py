"""The planted oddities of the synthetic export, kind by kind, and the export as a whole."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interplm_wh import store
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from tests.annotations_helpers import read_export

UNCERTAIN = "uncertain position"
ISOFORM = "position in another isoform"
BEYOND = "start beyond the sequence"
CLIPPED = "clipped: stop beyond the sequence"

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
Entries = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Oddity:
    """One row of the list of what was planted."""

    entry: str
    column: str
    text: str
    why: str

    @property
    def ends(self) -> tuple[int, int]:
        """First and last number of the position."""
        numbers = [int(n) for n in re.findall(r"\d+", self.text.split(" ", 1)[1].split(";")[0])]
        return numbers[0], numbers[-1]


@dataclass(frozen=True)
class Taken:
    """What becomes of a feature: concepts with their level, over the whole position unless said."""

    concepts: tuple[str, ...]
    level: str = "domain"
    ends: Callable[[Oddity, int], tuple[int, int]] = lambda oddity, length: oddity.ends
    reject: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A feature of which nothing is annotated."""

    reason: str


@dataclass(frozen=True)
class Whole:
    """An oddity of the entry, which is taken like any other."""


SH3 = ("Domain_SH3", "Domain_any")
DISORDERED = ("Region_Disordered", "Region_any")
SUBSTRATE = ("Binding site_substrate", "Binding site_any")
CITRULLINE = ("Modified residue_Citrulline", "Modified residue_any")
CLIP = Taken(("Helix",), ends=lambda o, length: (o.ends[0], length), reject=CLIPPED)

EXPECTED: dict[str, Taken | Rejected | Whole] = {
    "fuzzy start, no /note": Taken(("Signal peptide_any",)),
    "unknown end": Rejected(UNCERTAIN),
    "uncertain end ?30": Rejected(UNCERTAIN),
    "fuzzy start with note": Taken(("Transit peptide_Mitochondrion", "Transit peptide_any")),
    "unknown start": Rejected(UNCERTAIN),
    "fuzzy end past the sequence": CLIP,
    "fuzzy end at the sequence end": Taken(SH3),
    "wholly past the sequence end: counts as a domain, labels no residue": Rejected(BEYOND),
    "isoform position": Rejected(ISOFORM),
    "isoform range (binary column)": Rejected(ISOFORM),
    "uncertain single position": Rejected(UNCERTAIN),
    "single fuzzy position (int() fails in the peer)": Taken(
        ("Modified residue_N-acetylalanine", "Modified residue_any"), "residue"
    ),
    "single position disulfide": Taken(("Disulfide bond",), "residue"),
    "disulfide with unknown partner": Taken(("Disulfide bond",), "residue"),
    "note holding a semicolon": Taken(("Disulfide bond",), "residue"),
    "overlap: partly overwritten by the next": Taken(DISORDERED),
    "overlap: overwrites 20..25 of the former": Taken(DISORDERED),
    "overlap: wholly overwritten by the next, still counted": Taken(DISORDERED),
    "overlap: wholly overwrites the former": Taken(DISORDERED),
    "nested domain: outer": Taken(SH3),
    "nested domain: identical duplicate overwrites": Taken(SH3),
    "helix overlap a": Taken(("Helix",)),
    "helix overlap b (overwrites a)": Taken(("Helix",)),
    "/ligand and /note differ": Taken(SUBSTRATE),
    "ligand only, no id, no evidence": Taken(SUBSTRATE),
    "/ligand and /note agree: the peer labels this one": Taken(("Binding site_ATP", "Binding site_any")),
    "no /note at all": Taken(("Active site_any",), "residue"),
    "usable Citrulline": Taken(CITRULLINE, "residue"),
    "unusable Citrulline (isoform): 11 raw but 8 usable": Rejected(ISOFORM),
    "10 instances: kept (>=)": Taken(("Motif_Selectivity filter", "Motif_any")),
    "9 instances: dropped": Taken(("Motif_Short sequence motif", "Motif_any")),
    "Region_Active site loop is taken for aa-level by substring": Taken(
        ("Region_Active site loop", "Region_any")
    ),
    "the column keyword inside a note": Taken(("Region_Hinge REGION", "Region_any")),
    "note with a semicolon": Taken(("Domain_EGF-like", "Domain_any")),
    "non-standard residue -> amino_acid_Other": Whole(),
    "longer than 1022: dropped": Whole(),
    "no AlphaFoldDB: dropped": Whole(),
    "duplicate sequence: one of the two is dropped": Whole(),
}


def _oddities(golden: Path) -> list[Oddity]:
    with (golden / "planted_oddities.tsv").open(encoding="utf-8", newline="") as handle:
        rows = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return [Oddity(*row) for row in rows]


@pytest.fixture(scope="module")
def synthetic(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A warehouse with the synthetic export, to be asked."""
    export = golden / "uniprot_synth.tsv.gz"
    warehouse = store.init(tmp_path_factory.mktemp("synthetic") / "warehouse")
    add_proteins(warehouse, [export])
    add_annotations(warehouse, [export])
    with store.open(warehouse) as wh:
        yield lambda sql, params: wh.con.execute(sql, params).fetchall()


@pytest.fixture(scope="module")
def written(golden: Path) -> Entries:
    """The export as Python alone reads it, by accession."""
    return {entry["Entry"]: entry for entry in read_export(golden / "uniprot_synth.tsv.gz")}


def test_every_kind_that_was_planted_is_tested(golden: Path) -> None:
    oddities = _oddities(golden)
    assert len(oddities) == 172
    assert {oddity.why for oddity in oddities} == set(EXPECTED)


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_planted_oddity_is_read_as_the_design_says(
    synthetic: Ask, written: Entries, golden: Path, kind: str
) -> None:
    oddities = [oddity for oddity in _oddities(golden) if oddity.why == kind]
    assert oddities
    for oddity in oddities:
        _check(synthetic, written, oddity, EXPECTED[kind])


def _check(ask: Ask, written: Entries, oddity: Oddity, expected: Taken | Rejected | Whole) -> None:
    ((length,),) = ask("select length from proteins where accession = ?", [oddity.entry])
    reasons = _reasons(ask, oddity)
    if isinstance(expected, Whole):
        assert _is_covered(ask, oddity.entry)
        assert _n_features(ask, oddity.entry) == _n_written(written[oddity.entry]) > 0
        return
    if isinstance(expected, Rejected):
        assert reasons == [expected.reason]
        assert not _instances(ask, oddity, *oddity.ends)
        return
    start, stop = expected.ends(oddity, length)
    assert reasons == ([expected.reject] if expected.reject else [])
    instances = _instances(ask, oddity, start, stop)
    n_written = _times_written(written[oddity.entry], oddity)
    for concept in expected.concepts:
        assert len(instances[concept, expected.level]) >= n_written


def _reasons(ask: Ask, oddity: Oddity) -> list[str]:
    category = oddity.column.removesuffix(" [FT]")
    rows = ask(
        "select reason from rejects where accession = ? and text = ? || ': ' || ?",
        [oddity.entry, category, oddity.text],
    )
    return [reason for (reason,) in rows]


def _instances(ask: Ask, oddity: Oddity, start: int, stop: int) -> dict[tuple[str, str], set[int]]:
    """Return the instances with just this span, of the oddity's category, by concept and level."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for concept, level, instance in ask(
        "select c.concept, c.level, a.instance_id from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "where p.accession = ? and c.category = ? and a.start = ? and a.stop = ?",
        [oddity.entry, oddity.column.removesuffix(" [FT]"), start, stop],
    ):
        found[concept, level].add(instance)
    return found


def _times_written(entry: dict[str, str], oddity: Oddity) -> int:
    return f"; {entry[oddity.column]};".count(f"; {oddity.text};")


def _is_covered(ask: Ask, accession: str) -> bool:
    return bool(
        ask(
            "select 1 from coverage as c inner join proteins as p on c.protein_id = p.protein_id "
            "where p.accession = ?",
            [accession],
        )
    )


def _n_features(ask: Ask, accession: str) -> int:
    """Count the features of one entry that were taken or rejected."""
    ((taken,),) = ask(
        "select count(distinct a.instance_id) from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id "
        "where p.accession = ? and (c.concept = c.category or ends_with(c.concept, '_any'))",
        [accession],
    )
    ((rejected,),) = ask(
        "select count(*) from rejects where accession = ? and not starts_with(reason, 'clipped')",
        [accession],
    )
    return int(taken) + int(rejected)


def _n_written(entry: dict[str, str]) -> int:
    first, last = list(entry).index("EC number"), list(entry).index("AlphaFoldDB")
    texts = [t for c, t in list(entry.items())[first + 1 : last] if c not in {"Cofactor", "Domain [CC]"}]
    return sum(len(re.findall(r"(?:^|; )[A-Z_]+ ", re.sub(r'="[^"]*"', "", text))) for text in texts)


# -- the export as a whole, against what the reference implementation labels ------------------------


def _plain(concept: str) -> str:
    """Drop the trailing counter, which splits a concept in the reference."""
    return re.sub(r"(_.*?)\s\d+$", r"\1", concept)


Labels = dict[tuple[str, str], set[int]]


@pytest.fixture(scope="module")
def reference(golden: Path) -> tuple[Labels, Counter[tuple[str, str]]]:
    """Residues, and the number of instances, that the reference labels by accession and concept."""
    residues: Labels = defaultdict(set)
    instances: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    with gzip.open(golden / "annotations.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle)):
            key = row["accession"], _plain(row["concept"])
            residues[key] |= set(range(int(row["start"]), int(row["stop"]) + 1))
            instances[key].add((row["concept"], row["instance"] or str(number)))
    return residues, Counter({key: len(value) for key, value in instances.items()})


@pytest.fixture(scope="module")
def ours(synthetic: Ask, golden: Path) -> tuple[Labels, Counter[tuple[str, str]]]:
    """The same of the warehouse, for the proteins that the reference has."""
    with gzip.open(golden / "proteins.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        kept = {row["accession"] for row in csv.DictReader(handle)}
    residues: Labels = defaultdict(set)
    instances: dict[tuple[str, str], set[int]] = defaultdict(set)
    for accession, concept, start, stop, instance in synthetic(
        "select p.accession, c.concept, a.start, a.stop, a.instance_id from annotations as a "
        "inner join concepts as c on a.concept_id = c.concept_id "
        "inner join proteins as p on a.protein_id = p.protein_id",
        [],
    ):
        if accession in kept:
            residues[accession, concept] |= set(range(start, stop + 1))
            instances[accession, concept].add(instance)
    return residues, Counter({key: len(value) for key, value in instances.items()})


# Where our residues go beyond those of the reference, by what was planted in the entry.
MORE_RESIDUES = {
    "no /note at all": "Active site",  # without a note the reference labels nothing
    "single fuzzy position (int() fails in the peer)": "Modified residue",
    "disulfide with unknown partner": "Disulfide bond",  # the known end is kept
    "9 instances: dropped": "Motif",  # filtering happens at scoring
    "the column keyword inside a note": "Region",
}
# Overlapping and identical instances overwrite each other in the reference.
MORE_INSTANCES = ("overlap", "nested domain", "helix overlap")


def test_the_export_labels_all_residues_of_the_reference_and_only_explained_ones_more(
    ours: tuple[Labels, Counter[tuple[str, str]]],
    reference: tuple[Labels, Counter[tuple[str, str]]],
    golden: Path,
) -> None:
    planted = {
        (oddity.entry, MORE_RESIDUES[oddity.why])
        for oddity in _oddities(golden)
        if oddity.why in MORE_RESIDUES
    }
    more = set()
    for key in ours[0].keys() | reference[0].keys():
        assert reference[0].get(key, set()) <= ours[0].get(key, set()), key
        if ours[0].get(key, set()) != reference[0].get(key, set()):
            more.add((key[0], key[1].split("_")[0]))
    # the reference reads /note alone: most binding sites and every signal peptide stay without a label
    explained = {(entry, c) for entry, c in more if c in {"Binding site", "Signal peptide"}} | planted
    assert more <= explained
    assert {category for _, category in more} == {"Binding site", "Signal peptide", *MORE_RESIDUES.values()}


def test_the_export_has_the_instances_of_the_reference_and_those_that_it_overwrote(
    ours: tuple[Labels, Counter[tuple[str, str]]],
    reference: tuple[Labels, Counter[tuple[str, str]]],
    golden: Path,
) -> None:
    overwritten = {
        (oddity.entry, oddity.column.removesuffix(" [FT]"))
        for oddity in _oddities(golden)
        if oddity.why.startswith(MORE_INSTANCES)
    }
    compared = 0
    for key, n_reference in reference[1].items():
        entry, category = key[0], key[1].split("_")[0]
        if category == "Disulfide bond":  # the reference counts each end; a bond is one instance
            assert n_reference == len(reference[0][key])
            assert (len(ours[0][key]) + 1) // 2 <= ours[1][key] <= len(ours[0][key])
        elif ours[0][key] == reference[0][key]:
            surplus = ours[1][key] - n_reference
            assert surplus == 0 or (surplus > 0 and (entry, category) in overwritten), key
            compared += 1
    assert compared > 3000
