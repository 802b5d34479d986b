"""The demo: planted motifs are found on held-out proteins by the models that come with the package."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from interplm_wh import store
from interplm_wh.ask import compare_controls
from interplm_wh.demo import DemoReport, assets, run_demo
from interplm_wh.demo.run import SAE

pytestmark = pytest.mark.slow

KINDS = {
    "Zinc finger_C2H2-type",
    "Signal peptide_any",
    "Glycosylation_N-linked (GlcNAc...) asparagine",
    "Disulfide bond",
    "Coiled coil",
    "Helix",
    "Domain_ABC transporter",
    "Domain_EF-hand",
    "Domain_EGF-like",
    "Domain_Protein kinase",
    "Domain_SH3",
    "Transit peptide_Mitochondrion",
    "Compositional bias_Acidic residues",
    "Compositional bias_Polar residues",
}
MAX_BYTES = 4_000_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    return run_demo(tmp_path_factory.mktemp("demo") / "warehouse")


def _pairs(warehouse: Path, sae: str) -> dict[str, tuple[float, float]]:
    """Return F1 on valid and on test of the best pair of each concept."""
    with store.open(warehouse) as wh:
        rows = wh.sql(
            "select concept, valid_f1_per_domain as v, test_f1_per_domain as t from heldout_pairs "
            "where sae = ? and is_best and not starts_with(concept, 'amino_acid')",
            [sae],
        ).to_pylist()
    return {row["concept"]: (row["v"], row["t"]) for row in rows}


def test_at_least_eight_kinds_of_planted_motifs_are_found_on_held_out_proteins(demo: DemoReport) -> None:
    pairs = _pairs(demo.warehouse, SAE)
    assert pairs.keys() >= KINDS
    assert len([kind for kind in KINDS if min(pairs[kind]) > 0.5]) >= 8


def test_the_sae_finds_more_concepts_than_the_raw_neurons(demo: DemoReport) -> None:
    found = demo.found.saes[0].summary["n_concepts_found"]
    assert found > demo.controls.saes[0].summary["n_concepts_found"] > 0


def test_amino_acids_are_found_exactly_by_their_control_and_starts_by_position(demo: DemoReport) -> None:
    with store.open(demo.warehouse) as wh:
        rows = wh.sql("from control_pairs('demo-sae')").to_pylist()
        (scored,) = wh.sql(
            "select count(*) as n from scored_concepts where sae = 'demo-sae' and source = 'sequence'"
        ).to_pylist()
    letters = [row for row in rows if row["role"] == "amino_acid" and row["is_amino_acid"]]
    assert {row["test_f1_per_domain"] for row in letters} == {1.0}
    assert len(letters) == scored["n"] > 15
    best = {(row["role"], row["concept"]): row for row in rows}
    # A signal peptide is about the first 20 residues: feature 1 or 2, the first 10 or 20.
    assert best["position", "Signal peptide_any"]["feature"] in (1, 2)
    found = compare_controls(demo.warehouse, SAE).summary.to_pylist()
    assert {(row["scale"], row["role"]) for row in found} == {
        (scale, role) for scale in ("own", "valid") for role in ("sae", "neurons", "amino_acid", "position")
    }


def test_the_f1_that_is_printed_is_the_one_in_the_tables(demo: DemoReport) -> None:
    printed = "\n".join(demo.lines())
    for concept, (valid, test) in _pairs(demo.warehouse, SAE).items():
        line = next(line for line in printed.splitlines() if line.strip().startswith(f"{concept} "))
        assert f"{test:.3f}" in line and f"{valid:.3f}" in line


def test_a_second_run_changes_nothing_and_says_the_same(demo: DemoReport) -> None:
    with store.open(demo.warehouse) as wh:
        before = wh.sql("from runs").num_rows
    again = run_demo(demo.warehouse)
    with store.open(demo.warehouse) as wh:
        assert wh.sql("from runs").num_rows == before
    assert again.found == demo.found


def test_the_next_commands_that_the_demo_prints_work(demo: DemoReport) -> None:
    said = demo.lines()
    (end,) = [i for i, line in enumerate(said) if line.startswith("Done in")]
    commands = [line.strip() for line in said[end + 1 :] if line.strip()]
    assert len(commands) >= 4
    for command in commands:
        words = shlex.split(command)
        if words[-1] == "dashboard":  # serves until it is ended, and has tests of its own
            continue
        done = subprocess.run(words, input="", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if words[-1] != "shell":
            assert done.stdout, command


def test_the_models_that_come_with_the_package_are_small() -> None:
    files = [path for kind in ("plm", "sae") for path in assets(kind).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
