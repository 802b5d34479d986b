"""Pipelines run the public commands, go on where they stopped, and are previewed without a change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from interplm_wh import store
from interplm_wh.demo.export import write_export
from interplm_wh.demo.generator import generate
from interplm_wh.errors import InputError
from interplm_wh.pipeline import PipelineReport, run_pipeline

N = 30
PROTEINS = f"proteins: {{demo: {{n: {N}, seed: 4}}}}\nannotations: [{{from: proteins}}]\n"
SAES = "plm: demo\nlayers: [3]\nsaes:\n  - {name: sae, source: demo}\n  - {name: neurons, source: identity}\n"
SETTINGS = "thresholds: [0, 0.5]\nmin_residues: 5\nmin_domains: 1\npresence: 0.1\n"
N_RESIDUES = sum(len(p.sequence) for p in generate(N, seed=4))


def _file(folder: Path, text: str, name: str = "pipeline.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _said(report: PipelineReport, step: str) -> str:
    return "\n".join(line for one in report.steps if one.name == step for line in one.said)


def _runs(warehouse: Path) -> list[str]:
    with store.open(warehouse) as wh:
        commands: list[str] = wh.sql("select command from runs order by finished, run_id")[
            "command"
        ].to_pylist()
    return commands


def _tree(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _scores(warehouse: Path) -> list[dict[str, object]]:
    with store.open(warehouse) as wh:
        rows: list[dict[str, object]] = wh.sql(
            "select sae, split, concept, feature, threshold, tp, fp from concept_f1 order by all"
        ).to_pylist()
    return rows


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, PipelineReport]:
    """A pipeline file, the warehouse that it made, and what it said."""
    folder = tmp_path_factory.mktemp("pipeline")
    path = _file(folder, PROTEINS + SAES + SETTINGS)
    return path, folder / "warehouse", run_pipeline(path, folder / "warehouse")


def test_a_pipeline_goes_from_proteins_to_a_report(ran: tuple[Path, Path, PipelineReport]) -> None:
    _, warehouse, report = ran
    assert [step.name for step in report.steps] == [
        "warehouse", "add proteins", "add annotations", "add sae sae", "add sae neurons",
        "encode", "build", "report",
    ]  # fmt: skip
    assert f"{N} of {N} proteins added" in _said(report, "add proteins")
    assert "concepts scored" in _said(report, "report")
    with store.open(warehouse) as wh:
        encoded = wh.sql(
            "select sae, count(*) as n, sum(n_residues)::bigint as r from encodings group by 1 order by 1"
        )
        assert encoded.to_pylist() == [{"sae": s, "n": N, "r": N_RESIDUES} for s in ("neurons", "sae")]
        assert wh.sql("from thresholds order by rank")["threshold"].to_pylist() == [0.0, 0.5]
        settings = dict(zip(*wh.sql("from settings").to_pydict().values(), strict=True))
    assert {k: float(settings[k]) for k in ("min_residues", "min_domains", "presence")} == {
        "min_residues": 5, "min_domains": 1, "presence": 0.1,
    }  # fmt: skip


def test_a_second_run_changes_nothing(ran: tuple[Path, Path, PipelineReport]) -> None:
    path, warehouse, first = ran
    before = _tree(warehouse)
    again = run_pipeline(path, warehouse)
    assert _tree(warehouse) == before
    assert _said(again, "report") == _said(first, "report")
    assert "loaded already" in _said(again, "add annotations")
    assert f"{N} were in the warehouse already" in _said(again, "add proteins")


def test_a_dry_run_on_a_finished_warehouse_finds_nothing_to_do(
    ran: tuple[Path, Path, PipelineReport],
) -> None:
    path, warehouse, _ = ran
    before = _tree(warehouse)
    report = run_pipeline(path, warehouse, dry_run=True)
    assert _tree(warehouse) == before
    assert f"0 proteins (0 residues) would be added; {N} of {N} are there already" in _said(
        report, "add proteins"
    )
    assert "loaded already" in _said(report, "add annotations")
    assert "is there already" in _said(report, "add sae neurons")
    assert _said(report, "encode").splitlines() == [
        f"{sae}: 0 proteins (0 residues) would be encoded" for sae in ("sae", "neurons")
    ]


def test_a_dry_run_counts_what_would_be_done_and_makes_nothing(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    report = run_pipeline(_file(tmp_path, PROTEINS + SAES + SETTINGS), warehouse, dry_run=True)
    assert not warehouse.exists()
    assert "would be made" in _said(report, "warehouse")
    amount = f"{N} proteins ({N_RESIDUES:,} residues)"
    assert f"{amount} would be added; 0 of {N} are there already" in _said(report, "add proteins")
    assert f"sae: {amount} would be encoded" in _said(report, "encode")
    assert "thresholds 0 0.5, min_residues 5, min_domains 1, presence 0.1" in _said(report, "build")
    assert report.lines()[-1] == "dry run: nothing was changed"


def test_a_dry_run_of_a_query_downloads_nothing_and_says_so(tmp_path: Path) -> None:
    warehouse = store.init(tmp_path / "warehouse")
    before = _tree(warehouse)
    path = _file(tmp_path, "proteins: {uniprot: 'organism_id:1', sample: 1000}\nplm: org/m\nlayers: [1]\n" + (
        "saes: [{name: a, source: identity}]\n"))  # fmt: skip
    report = run_pipeline(path, warehouse, dry_run=True)
    assert _said(report, "add proteins") == (
        "UniProt's answer to 'organism_id:1' would be downloaded, of which 1,000 would be drawn"
    )
    assert _said(report, "encode") == "a: what is downloaded would be encoded"
    assert _tree(warehouse) == before


def test_a_dry_run_of_the_pipeline_of_esmc_names_its_models(tmp_path: Path) -> None:
    report = run_pipeline("esmc-600m", tmp_path / "warehouse", dry_run=True)
    assert _said(report, "PLM").startswith("biohub/ESMC-600M, ")
    sae = _said(report, "add sae esmc-600m-layer27")
    assert sae.startswith("layer 27: biohub/ESMC-600M-sae-layer27-k64-codebook16384, ")
    assert _said(report, "add sae esmc-600m-layer27-neurons") == "the neurons of layer 27 would be registered"
    assert not (tmp_path / "warehouse").exists()


def test_a_pipeline_that_stopped_half_way_goes_on_to_the_same_end(
    ran: tuple[Path, Path, PipelineReport], tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse"
    run_pipeline(_file(tmp_path, PROTEINS, "half.yaml"), warehouse)
    assert _runs(warehouse) == ["init", "add proteins", "add annotations"]
    run_pipeline(_file(tmp_path, PROTEINS + SAES + SETTINGS), warehouse)
    assert _runs(warehouse).count("add annotations") == 1
    assert _scores(warehouse) == _scores(ran[1])
    assert len(_scores(warehouse)) > 1000


def test_proteins_added_by_hand_make_the_annotations_load_again(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    more = write_export(generate(3, seed=9, prefix="MORE"), tmp_path / "more.tsv")
    path = _file(tmp_path, PROTEINS)
    run_pipeline(path, warehouse)
    run_pipeline(_file(tmp_path, f"proteins: {{files: [{more.name}]}}\n", "more.yaml"), warehouse)
    assert "annotations of" in _said(run_pipeline(path, warehouse), "add annotations")
    assert "loaded already" in _said(run_pipeline(path, warehouse), "add annotations")


def test_an_annotation_file_is_loaded_again_only_when_it_has_changed(tmp_path: Path) -> None:
    warehouse, table = tmp_path / "warehouse", tmp_path / "lab.csv"
    text = (
        f"proteins: {{demo: {{n: {N}, seed: 4}}}}\n"
        "annotations: [{from: proteins}, {files: [lab.csv], source: lab, covers: listed}]\n"
    )
    path = _file(tmp_path, text)
    table.write_text("accession,start,stop,concept\nDEMO00001,1,5,head\n", encoding="utf-8")
    run_pipeline(path, warehouse)
    assert _runs(warehouse).count("add annotations") == 2
    run_pipeline(path, warehouse)
    assert _runs(warehouse).count("add annotations") == 2
    table.write_text("accession,start,stop,concept\nDEMO00001,1,9,head\n", encoding="utf-8")
    run_pipeline(path, warehouse)
    assert _runs(warehouse).count("add annotations") == 3
    with store.open(warehouse) as wh:
        stop = "select stop from annotations inner join concepts using (concept_id) where source = 'lab'"
        assert wh.sql(stop)["stop"].to_pylist() == [9]


def test_another_sae_under_a_name_in_use_stops_the_pipeline(
    ran: tuple[Path, Path, PipelineReport], tmp_path: Path
) -> None:
    other = "plm: demo\nlayers: [1]\nsaes: [{name: neurons, source: identity}]\n"
    with pytest.raises(InputError, match="another SAE has this name"):
        run_pipeline(_file(tmp_path, other), ran[1])


def test_a_new_warehouse_takes_the_pipelines_seed(tmp_path: Path) -> None:
    run_pipeline(_file(tmp_path, "seed: 7\n"), tmp_path / "warehouse")
    with store.open(tmp_path / "warehouse") as wh:
        assert wh.sql("select value from settings where setting = 'seed'")["value"].to_pylist() == ["7"]


def test_faults_of_the_file_come_before_a_warehouse_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean plm"):
        run_pipeline(_file(tmp_path, PROTEINS + "plmm: x\n"), tmp_path / "warehouse")
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.slow
def test_a_pipeline_weighs_what_it_finds_once(tmp_path: Path) -> None:
    file = tmp_path / "weighed.yaml"
    file.write_text(
        "what: weighed\nproteins:\n  demo: {n: 150, seed: 4}\nannotations:\n  - from: proteins\nplm: demo\n"
        "layers: [3]\nsaes:\n  - {name: s, source: demo}\ncontrols: [position]\nmin_domains: 9\nscore: true\n"
    )
    steps = {step.name: step.said for step in run_pipeline(file, tmp_path / "w").steps}
    assert any("claimed: q at most" in line for line in steps["score"])
    with store.open(tmp_path / "w") as wh:
        counted = wh.sql("select sae, count(*) as n from pair_evidence group by sae order by sae").to_pylist()
        (beside,) = wh.sql("select count(*) as n from control_excess where sae = 's'").to_pylist()
    assert [row["sae"] for row in counted] == ["s", "s-position"]
    assert beside["n"] > 0
    again = {step.name: step.said for step in run_pipeline(file, tmp_path / "w").steps}
    assert again["score"] == ("all pairs that can be tested are weighed already",)
