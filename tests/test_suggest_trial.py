"""What suggestions are worth: hidden annotations, and how many come back."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from interplm_wh import commands, store
from interplm_wh.build import build, derived
from interplm_wh.errors import InputError, MismatchError
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.suggest import measure_suggestions, trial
from tests import planted_stretches as planted

PROTEINS = {
    f"{split}{i:02d}": ("valid" if split == "V" else "test", f"family{split}{i // 2}", False)
    for split in "VT"
    for i in range(30)
}
CARRIERS = [name for name in PROTEINS if int(name[1:]) < 20]


@pytest.fixture(scope="module")
def once(empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Domain_x, residues 5 to 14, on twenty proteins of either split, also as Domain_any.

    Feature 0 fires there, and on T25 as well, which does not have it. Relatives, two by two, are
    carriers or not together.
    """
    folder = tmp_path_factory.mktemp("trial")
    warehouse = planted.make(
        empty_warehouse,
        folder,
        proteins=PROTEINS,
        spans={
            "Domain_x": [(name, 5, 14) for name in CARRIERS],
            "Domain_any": [(name, 5, 14) for name in CARRIERS],
        },
        cells=[c for name in (*CARRIERS, "T25") for c in planted.run_of(name, 0, range(5, 15))],
        n_features=2,
    )
    planted.add_controls(warehouse, folder, PROTEINS)
    return warehouse


@pytest.fixture
def warehouse(once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(once, tmp_path.resolve() / "w")


def trials(warehouse: Path) -> dict[str, dict[str, Any]]:
    with store.open(warehouse) as wh:
        return {row["detector"]: row for row in wh.sql("from suggestion_trials").to_pylist()}


def test_what_was_hidden_comes_back_and_is_counted_beside_the_controls(warehouse: Path) -> None:
    (report,) = measure_suggestions(warehouse, sae="s")
    found = trials(warehouse)
    assert set(found) == {"sae", "amino_acid", "position"}
    own = found["sae"]
    assert (own["concept"], own["n_hidden_proteins"], own["n_hidden"]) == ("Domain_x", 4, 4)
    # Four hidden ones come back; T25, which was not hidden, is unknown: 4 of 5 is a lower bound.
    assert (own["n_recovered"], own["n_touched"], own["n_suggestions"]) == (4, 4, 5)
    assert (own["n_right"], own["n_touching"], own["precision"]) == (4, 4, 0.8)
    assert (own["n_best"], own["n_right_of_best"]) == (4, 4)
    # By position: on the rest of valid (16 carriers of 26) the first 10 residues have the best F1; they
    # fire on the 4 hidden proteins and the 10 that never had it, 6 of 14 residues right: never by half.
    place = found["position"]
    assert (place["detector_sae"], place["n_suggestions"], place["n_touching"]) == ("s-position", 14, 4)
    assert (place["n_recovered"], place["precision"]) == (0, 0.0)
    total, concept = report.concepts
    assert (total["concept"], concept["concept"]) == (None, "Domain_x")
    assert total["lift_touching_position"] == pytest.approx(0.8 / (4 / 14))
    assert total["lift_position"] is None  # the control recovers nothing
    assert report.missing_controls == ()
    assert any("a lower bound" in line for line in report.lines())


def test_without_controls_the_command_that_makes_them_is_named(warehouse: Path) -> None:
    for name in ("s-amino_acid", "s-position"):
        commands.remove_sae(warehouse, name)
    (report,) = measure_suggestions(warehouse)
    assert report.missing_controls == ("amino_acid", "position")
    assert any("interplm-wh controls s" in line for line in report.lines())
    assert report.concepts[0]["lift_position"] is None


def hide(warehouse: Path, **how: Any) -> dict[str, list[tuple[Any, ...]]]:
    values = {"sae": "s", "pct_hidden": 20, "hide_by": "protein", "seed": 0, "takes_best": False, **how}
    with store.write(warehouse, command="test") as tx:
        derived.lay(tx.con, "suggest", trial._HIDDEN, values)
        derived.lay(tx.con, "suggest", trial._CHOSEN, values)
        return {
            name: tx.con.execute(f"from {name} order by all").fetchall()
            for name in ("hidden_proteins", "hidden_spans", "known_spans", "rest_f1", "chosen_pairs")
        }


def test_hiding_takes_the_twin_under_any_with_it_and_nothing_else(warehouse: Path) -> None:
    found = hide(warehouse)
    hidden = {annotation for _, annotation in found["hidden_spans"]}
    proteins = {protein for _, protein, _ in found["hidden_proteins"]}
    assert len(proteins) == 4 + 4
    for protein, _, _, _, annotation, _, _ in found["known_spans"]:
        assert (annotation in hidden) == (protein in proteins)
    assert len(hidden) == 2 * len(proteins)  # Domain_x and Domain_any


def test_a_seed_draws_the_same_and_another_one_others(warehouse: Path) -> None:
    first, again, other = (hide(warehouse, seed=s)["hidden_proteins"] for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_by_cluster_relatives_are_hidden_together(warehouse: Path) -> None:
    found = hide(warehouse, hide_by="cluster")
    with store.open(warehouse) as wh:
        family = dict(wh.con.execute("select protein_id, cluster from proteins").fetchall())
    hidden = [family[protein] for _, protein, _ in found["hidden_proteins"]]
    assert len(hidden) == 8
    assert all(hidden.count(name) == 2 for name in hidden)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_rest_of_valid_chooses_what_a_build_without_it_chooses(
    empty_warehouse: Path, tmp_path: Path, seed: int
) -> None:
    """Annotations are truly taken away, and the proteins out of what the source covers, and all is built."""
    rng = random.Random(seed)
    proteins = {f"{s}{i:02d}": ("valid" if s == "V" else "test", "", False) for s in "VT" for i in range(40)}
    levels = {"Domain_a": "domain", "Site_b": "residue", "Motif_c": "domain"}
    rows: dict[str, list[tuple[str, int, int]]] = {name: [] for name in levels}
    cells: dict[tuple[str, int, int], float] = {}
    for protein in proteins:
        for number, concept in enumerate(levels):
            for _ in range(rng.choice([0, 1, 1, 2])):
                start = rng.randint(1, 24)
                stop = start + rng.randint(0, 6) * (levels[concept] == "domain")
                rows[concept].append((protein, start, stop))
                for position in range(start, stop + 1):
                    if rng.random() < 0.7:
                        cells[protein, position, number] = rng.choice([0.2, 0.55, 0.7, 0.9, 1.0])
        for _ in range(8):
            cells[protein, rng.randint(1, 30), rng.randint(0, 4)] = rng.choice([0.1, 0.5, 0.6, 0.95])
    made = [(*cell, value) for cell, value in cells.items()]

    def of(folder: Path, kept: dict[str, set[str]]) -> Path:
        warehouse = planted.make(
            empty_warehouse, folder, proteins=proteins, spans={"Other_d": [("V00", 1, 1)]}, cells=made,
            n_features=5,
        )  # fmt: skip
        for concept, level in levels.items():
            table = [(*row, concept, level) for row in rows[concept] if row[0] in kept[concept]]
            header = ("accession", "start", "stop", "concept", "level")
            covered = planted.write(
                folder / "covered.csv", ("accession",), [(p,) for p in sorted(kept[concept])]
            )
            add_annotations(
                warehouse, [planted.write(folder / "c.csv", header, table)], source=concept,
                covers=str(covered),
            )  # fmt: skip
        build(warehouse, min_residues=0, min_domains=0)
        return warehouse

    whole = of(tmp_path / "whole", {concept: set(proteins) for concept in levels})
    found = hide(whole, seed=seed)
    with store.open(whole) as wh:
        names = dict(wh.con.execute("select concept_id, concept from concepts").fetchall())
        accessions = dict(wh.con.execute("select protein_id, accession from proteins").fetchall())
    hidden = {(names[c], accessions[p]) for c, p, split in found["hidden_proteins"] if split == "valid"}
    assert {concept for concept, _ in hidden} >= set(levels)
    rest = of(
        tmp_path / "rest",
        {concept: {p for p in proteins if (concept, p) not in hidden} for concept in levels},
    )
    with store.open(rest) as wh:
        scores = wh.con.execute(
            "select concept, feature, threshold, precision, f1, f1_per_domain from concept_f1 "
            "where sae = 's' and split = 'valid' and list_contains($names, concept)",
            {"names": list(levels)},
        ).fetchall()
        pairs = wh.con.execute(
            "select concept, feature, threshold from heldout_pairs where valid_f1_per_domain > 0.5 "
            "and list_contains($names, concept) order by all",
            {"names": list(levels)},
        ).fetchall()
    assert len(scores) > 20
    mine = {(names[c], f, t): measures for c, f, t, *measures in found["rest_f1"]}
    assert set(mine) == {(c, f, t) for c, f, t, *_ in scores}
    for concept, feature, threshold, *measures in scores:
        assert mine[concept, feature, threshold] == pytest.approx(measures)
    assert pairs == [(concept, feature, threshold) for _, concept, _, _, feature, threshold, *_ in
                     sorted(found["chosen_pairs"], key=lambda row: (row[1], row[4]))]  # fmt: skip
    assert len(pairs) >= 2


def test_measuring_again_replaces_and_another_way_stands_beside(warehouse: Path) -> None:
    measure_suggestions(warehouse)
    measure_suggestions(warehouse)
    measure_suggestions(warehouse, hide_by="cluster", pct_hidden=30, seed=5)
    with store.open(warehouse) as wh:
        ways = wh.con.execute(
            "select hide_by, pct_hidden, seed, count(*) from suggestion_trials group by all order by all"
        ).fetchall()
        worth = wh.sql("from suggestion_worth('s', hidden_by := 'cluster', pct := 30, wanted_seed := 5)")
    assert ways == [("cluster", 30, 5, 3), ("protein", 20, 0, 3)]
    assert worth["n_recovered"].to_pylist() == [6, 6]
    assert commands.verify(warehouse).is_sound


def test_a_control_of_other_proteins_is_refused(warehouse: Path) -> None:
    with store.write(warehouse, command="test") as tx:
        folder = tx.new_folder("encodings", sae="s-position")
        tx.write_query(folder, "from encodings where sae = 's-position' and protein_id > 2")
        tx.replace("encodings", [folder], sae="s-position")
        tx.publish()
    build(warehouse)
    with pytest.raises(MismatchError, match="interplm-wh controls s"):
        measure_suggestions(warehouse)


def test_a_share_that_hides_nothing_or_everything_is_refused(warehouse: Path) -> None:
    for pct in (0, 100):
        with pytest.raises(InputError, match="from 1 to 99"):
            measure_suggestions(warehouse, pct_hidden=pct)
