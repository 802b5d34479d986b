"""Evaluation as a command: what is measured, on which proteins, and what is kept of it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import load_file, save_file
from tiny_models import make_plm, make_sae, sequence, some_proteins, write_fasta

import interplm_wh
from interplm_wh import commands, schema, sqlfile, store
from interplm_wh.ask import info, report, verify
from interplm_wh.build import build
from interplm_wh.encode import encode
from interplm_wh.errors import InputError, ModelError, NotThereError
from interplm_wh.evaluate import evaluate
from interplm_wh.evaluate import reconstruction as reconstruction_module
from interplm_wh.evaluate.write import ENTROPIES, EVALUATION, FEATURES
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.quote import quote_identifier
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.sae import add_sae, load_sae
from interplm_wh.sqlfile import SqlFile
from interplm_wh.train import Ramp, SaeRecipe, TrainingPlan, train

PROTEINS = some_proteins(30) | {"LONG": sequence(150, 9)}


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def relu(plm: Path) -> Path:
    return make_sae(plm.parent / "sae" / "ae.pt", plm, layer=1)


@pytest.fixture(scope="module")
def filled(empty_warehouse: Path, plm: Path, relu: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with proteins, an SAE of layer 1 and the neurons of layer 2; never to be changed."""
    folder = tmp_path_factory.mktemp("filled")
    warehouse = shutil.copytree(empty_warehouse, folder / "w")
    add_proteins(warehouse, [write_fasta(folder / "some.fasta", PROTEINS)])
    add_sae(warehouse, str(relu), name="relu", plm=str(plm), layer=1, device="cpu")
    add_sae(warehouse, "identity", name="neurons", plm=str(plm), layer=2, device="cpu")
    return warehouse


@pytest.fixture
def mine(filled: Path, tmp_path: Path) -> Path:
    """A copy of `filled`."""
    return shutil.copytree(filled, tmp_path.resolve() / "w")


@pytest.fixture(scope="module")
def evaluated(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `filled` with both SAEs evaluated on test; to be read only."""
    warehouse = shutil.copytree(filled, tmp_path_factory.mktemp("evaluated") / "w")
    evaluate(warehouse, ["relu", "neurons"], device="cpu")
    return warehouse


def rows(warehouse: Path, sql: str) -> list[dict[str, Any]]:
    """Run a query on a published warehouse."""
    with store.open(warehouse) as wh:
        return wh.sql(sql).to_pylist()


def metrics(warehouse: Path, sae: str, on: str = "test") -> dict[str, Any]:
    (row,) = rows(warehouse, f"from sae_metrics where sae = '{sae}' and evaluated_on = '{on}'")
    return row


# -- the numbers -------------------------------------------------------------------------------------


def test_the_command_gives_the_numbers_of_the_reference(golden: Path, tmp_path: Path) -> None:
    said = json.loads((golden / "fidelity_reference.json").read_text())
    with gzip.open(golden / "proteins.csv.gz", "rt") as file:
        texts = {row["accession"]: row["sequence"] for row in csv.DictReader(file)}
    fasta = write_fasta(tmp_path / "sixteen.fasta", {a: texts[a] for a in said["proteins"]})
    warehouse = store.init(tmp_path / "w")
    folder = golden / "interplm_checkpoint"
    add_sae(
        warehouse, str(folder), name="relu", plm=str(golden / "tiny_esm"), layer=3, file="ae.pt", device="cpu"
    )
    evaluate(warehouse, ["relu"], fasta=fasta, device="cpu")
    found = metrics(warehouse, "relu", "sixteen.fasta")
    assert found["ce_unmasked_original"] == pytest.approx(said["cross_entropy"]["identity"], abs=1e-6)
    assert found["ce_unmasked_zero"] == pytest.approx(said["cross_entropy"]["zero"], abs=1e-6)
    assert found["ce_unmasked_sae"] == pytest.approx(said["cross_entropy"]["sae"], abs=1e-6)
    assert found["pct_recovered_unmasked"] == pytest.approx(said["pct_loss_recovered"], abs=1e-4)


def test_reconstruction_and_sparsity_are_those_of_numpy(
    evaluated: Path, plm: Path, relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [r["sequence"] for r in rows(evaluated, "from proteins where split = 'test'")]
    assert any(len(text) > 60 for text in texts)  # the long one, which windows cover
    model, sae = load_plm(str(plm), device="cpu"), load_sae(str(relu))
    x = np.concatenate([model.embed(text, 1).numpy() for text in texts]).astype(np.float64)
    weights = {name: tensor.numpy().astype(np.float64) for name, tensor in sae.tensors.items()}
    assert {"bias", "encoder.weight", "encoder.bias", "decoder.weight"} <= set(weights)
    f = np.maximum((x - weights["bias"]) @ weights["encoder.weight"].T + weights["encoder.bias"], 0)
    missed = x - (f @ weights["decoder.weight"].T + weights["bias"])
    found = metrics(evaluated, "relu")
    assert found["n_residues"] == len(x) and found["n_proteins"] == len(texts)
    assert found["mse"] == pytest.approx((missed**2).mean(), rel=1e-4)
    explained = 1 - (missed**2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
    assert found["variance_explained"] == pytest.approx(explained, abs=1e-6)
    assert found["l0"] == pytest.approx((f > 0).sum(axis=1).mean(), abs=0.01)
    fires = (f > 0).mean(axis=0)
    assert found["n_dead"] == (fires == 0).sum()
    assert found["pct_dead"] == pytest.approx(100 * (fires == 0).mean())
    counted = np.histogram(np.log10(fires[fires > 0]), bins=np.arange(-8, 0.1, 0.25))
    expected = {(low, low + 0.25): n for n, low in zip(*counted, strict=False) if n}
    frequency = rows(evaluated, "from sae_frequency where sae = 'relu' order by bin_low")
    assert {(r["bin_low"], r["bin_high"]): r["n_features"] for r in frequency} == expected


def test_chunks_change_nothing(
    mine: Path, evaluated: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(reconstruction_module, "CHUNK_RESIDUES", 7)
    evaluate(mine, ["relu"], device="cpu")
    narrow, wide = metrics(mine, "relu"), metrics(evaluated, "relu")
    assert narrow.keys() == wide.keys()
    for key, value in wide.items():
        assert narrow[key] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), key


def test_the_raw_neurons_lose_nothing(evaluated: Path) -> None:
    found = metrics(evaluated, "neurons")
    assert found["variance_explained"] == 1 and found["mse"] == 0
    assert found["pct_recovered_unmasked"] == 100 and found["pct_recovered_masked"] == 100
    assert found["ce_masked_sae"] == found["ce_masked_original"] != found["ce_unmasked_original"]
    assert found["l0"] == pytest.approx(16, abs=0.01)  # each coordinate has one of its two signs


# -- the SQL -----------------------------------------------------------------------------------------

METRICS = pa.schema([("sae", pa.string()), *schema.table("sae_metrics").arrow])
SCHEMAS = {
    "evaluation": EVALUATION, "evaluated_features": FEATURES, "evaluated_entropies": ENTROPIES,
    "evaluated_before": METRICS,
}  # fmt: skip


@pytest.mark.parametrize("file", sqlfile.load_folder("evaluate").values(), ids=lambda f: f.name)
def test_each_file_reads_what_it_declares_and_gives_the_declared_columns(file: SqlFile) -> None:
    import duckdb

    values = {"split": "test", "max_proteins": 5, "wanted": "test", "saes": ["a"]}
    with duckdb.connect() as con:
        for name in file.inputs:
            if name in SCHEMAS:
                con.register("given", SCHEMAS[name].empty_table())
                con.execute(f"create table {quote_identifier(name)} as from given")
            else:
                empty = schema.table(name).empty_select
                con.execute(f"create table {quote_identifier(name)} as {empty}")
        described = con.execute(f"describe {file.sql}", file.bind(values)).fetchall()
    assert set(file.grain) <= {name for name, *_ in described} | {"one row"}
    if file.output in schema.tables():
        declared = [(c.name, c.sql_type) for c in schema.table(file.output).columns]
        assert [(name, kind) for name, kind, *_ in described] == declared


def asked(
    file: str, n_firing: list[int], entropies: list[list[float]], *, before: dict[str, Any] | None = None
) -> list[Any]:
    """Run one file on given counts."""
    import duckdb

    evaluation = {"sae": "a", "evaluated_on": "test", "n_proteins": 2, "n_residues": 1000}
    evaluation |= {"variance_explained": None, "mse": 0.5, "fingerprint": "x", "dtype": "float32"}
    tables = {
        "evaluation": pa.Table.from_pylist([evaluation | {"package_version": "1"}], EVALUATION),
        "evaluated_features": pa.table([list(range(len(n_firing))), n_firing], schema=FEATURES),
        "evaluated_entropies": pa.table(list(map(list, zip(*entropies, strict=True))), schema=ENTROPIES)
        if entropies
        else ENTROPIES.empty_table(),
        "evaluated_before": METRICS.empty_table()
        if before is None
        else pa.Table.from_pylist([before], METRICS),
    }
    with duckdb.connect() as con:
        for name, table in tables.items():
            con.register(name, table)
        return con.sql(sqlfile.load("evaluate", file).sql).to_arrow_table().to_pylist()


def test_shares_are_of_mean_entropies_and_null_where_nothing_can_be_lost() -> None:
    # unmasked: original (1 + 2) / 2, zero (4 + 3) / 2, sae (2 + 3) / 2; masked: zero equals original
    (row,) = asked("sae_metrics", [3, 0, 500], [[1, 4, 2, 5, 5, 6], [2, 3, 3, 5, 5, 7]])
    assert (row["ce_unmasked_original"], row["ce_unmasked_zero"], row["ce_unmasked_sae"]) == (1.5, 3.5, 2.5)
    assert row["pct_recovered_unmasked"] == 50  # (3.5 - 2.5) / (3.5 - 1.5)
    assert (row["ce_masked_sae"], row["pct_recovered_masked"]) == (6.5, None)
    assert (row["l0"], row["n_dead"], row["n_fidelity_proteins"]) == (0.503, 1, 2)
    assert row["pct_dead"] == pytest.approx(100 / 3)
    assert row["variance_explained"] is None


def test_what_was_not_measured_is_null() -> None:
    (row,) = asked("sae_metrics", [0, 0], [])
    empty = {name for name, value in row.items() if value is None}
    assert empty == {
        "variance_explained", "ce_unmasked_original", "ce_unmasked_zero", "ce_unmasked_sae",
        "pct_recovered_unmasked", "ce_masked_original", "ce_masked_zero", "ce_masked_sae",
        "pct_recovered_masked",
    }  # fmt: skip
    assert (row["l0"], row["pct_dead"], row["n_fidelity_proteins"]) == (0, 100, 0)
    assert asked("sae_frequency", [0, 0], []) == []


def test_bounds_of_bins_belong_to_the_bin_below() -> None:
    # of 1000 residues: 1 is 10^-3, 10 is 10^-2, 1000 is 10^0; 2 is 10^-2.7
    found = asked("sae_frequency", [1, 10, 10, 1000, 2, 0], [])
    bins = sorted((r["bin_low"], r["bin_high"], r["n_features"]) for r in found)
    assert bins == [(-3.25, -3.0, 1), (-2.75, -2.5, 1), (-2.25, -2.0, 2), (-0.25, 0.0, 1)]
    assert str(bins[-1][1]) == "0.0"


# -- which proteins ----------------------------------------------------------------------------------


def test_proteins_are_chosen_by_md5_without_private_ones(mine: Path, tmp_path: Path) -> None:
    private = tmp_path / "private.csv"
    private.write_text("accession,sequence,split,is_private\nSECRET,MKTAYIAKQR,test,true\n")
    add_proteins(mine, [private])
    report = evaluate(mine, ["relu"], max_proteins=4, skip_fidelity=True, device="cpu")
    assert report.n_private == 1 and "1 private proteins were left out" in report.lines()
    test = rows(mine, "from proteins where split = 'test' and accession <> 'SECRET'")
    order = sorted(test, key=lambda r: hashlib.md5(r["accession"].encode()).hexdigest())
    found = metrics(mine, "relu")
    assert (found["n_proteins"], found["n_fidelity_proteins"]) == (4, 0)
    assert found["n_residues"] == sum(r["length"] for r in order[:4])


def test_a_split_and_a_file_of_its_proteins_give_the_same(mine: Path, tmp_path: Path) -> None:
    valid = rows(mine, "from proteins where split = 'valid'")
    headers = {f"sp|{r['accession']}|X{i} text OS=Thing": r["sequence"] for i, r in enumerate(valid)}
    fasta = write_fasta(tmp_path / "valid.fasta", headers)  # as UniProt writes them
    evaluate(mine, ["relu"], split="valid", max_proteins=5, device="cpu")
    evaluate(mine, ["relu"], fasta=fasta, max_proteins=5, device="cpu")
    one, other = metrics(mine, "relu", "valid"), metrics(mine, "relu", "valid.fasta")
    assert one | {"evaluated_on": "valid.fasta"} == other
    recorded = rows(mine, "from runs where command = 'evaluate' order by finished")
    assert "valid.fasta" in recorded[-1]["fingerprints"]


def test_all_splits_together(mine: Path) -> None:
    evaluate(mine, ["relu"], split="all", skip_fidelity=True, device="cpu")
    assert metrics(mine, "relu", "all")["n_proteins"] == len(PROTEINS)


def test_an_sae_that_learnt_from_the_proteins_is_named(
    mine: Path, plm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fasta = write_fasta(tmp_path / "more.fasta", some_proteins(3, first=50))
    recipe = SaeRecipe(name="own", architecture="topk", layer=1, n_features=8, learning_rate=Ramp(1e-3), k=2)
    plan = TrainingPlan(
        name="t", plm=str(plm), saes=(recipe,), steps=2, batch=16, splits=("test",), files=(str(fasta),)
    )
    train(mine, plan, device="cpu")

    def warned(**options: Any) -> list[str]:
        caplog.clear()
        evaluate(mine, ["own", "relu"], max_proteins=2, skip_fidelity=True, device="cpu", **options)
        return [record.getMessage().partition(": what")[0] for record in caplog.records]

    assert warned() == ["own was trained on the split 'test' itself"]
    assert warned(split="all") == ["own was trained on a part of 'all': test"]
    assert warned(fasta=fasta) == ["own was trained on a file named more.fasta too"]
    assert warned(split="valid") == []
    encode(mine, ["own"], device="cpu")
    build(mine)
    caplog.clear()
    report(mine, sae="own")
    assert [record.getMessage() for record in caplog.records] == [
        "own was trained on the split 'test' itself: what it finds there is not held out"
    ]
    (mine / "saes" / "own" / "card.yaml").write_text("data: [")
    (said,) = warned(split="valid")
    assert "card.yaml: does not say what own was trained on" in said


# -- what is kept ------------------------------------------------------------------------------------


def test_a_second_evaluation_replaces_the_first_and_no_other(mine: Path) -> None:
    evaluate(mine, ["relu", "neurons"], skip_fidelity=True, device="cpu")
    evaluate(mine, ["relu"], split="valid", skip_fidelity=True, device="cpu")
    evaluate(mine, ["relu"], max_proteins=3, device="cpu")
    found = rows(mine, "select sae, evaluated_on, n_fidelity_proteins as n from sae_metrics order by all")
    assert [tuple(r.values()) for r in found] == [
        ("neurons", "test", 0), ("relu", "test", 3), ("relu", "valid", 0),
    ]  # fmt: skip
    counted = rows(
        mine,
        "select m.n_dead + sum(f.n_features)::bigint as n from sae_metrics as m "
        "join sae_frequency as f using (sae, evaluated_on) group by sae, evaluated_on, m.n_dead order by 1",
    )
    assert [r["n"] for r in counted] == [20, 20, 32]
    assert verify(mine).is_sound
    said = [(r["sae"], r["evaluated_on"]) for r in info(mine).evaluations]
    assert said == [("neurons", "test"), ("relu", "test"), ("relu", "valid")]


def test_fidelity_stays_where_it_is_skipped_on_the_same_proteins(
    mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(mine, ["relu", "neurons"], max_proteins=3, device="cpu")
    before = metrics(mine, "relu")
    report = evaluate(mine, ["relu"], max_proteins=3, skip_fidelity=True, device="cpu")
    assert metrics(mine, "relu") == before and before["pct_recovered_masked"] is not None
    assert "fidelity is that of the evaluation before: relu" in report.lines()
    assert "fidelity was skipped" not in report.lines() and caplog.records == []
    evaluate(mine, ["relu"], max_proteins=3, skip_fidelity=True, dtype="bfloat16", device="cpu")
    evaluate(mine, ["neurons"], max_proteins=2, skip_fidelity=True, device="cpu")
    for sae, what in (("relu", "number format"), ("neurons", "choice of proteins")):
        assert metrics(mine, sae)["ce_masked_sae"] is None
        assert f"{sae}: the fidelity that was measured before on test is gone: it was of another {what};" in (
            caplog.text
        )
    evaluate(mine, ["neurons"], max_proteins=2, skip_fidelity=True, device="cpu")
    assert len(caplog.records) == 2  # there was nothing left to lose


def test_fidelity_is_measured_again_where_it_is_not_skipped() -> None:
    before: dict[str, Any] = dict.fromkeys(METRICS.names, 9) | {
        "sae": "a", "evaluated_on": "test", "fingerprint": "x", "dtype": "float32", "package_version": "1",
        "n_fidelity_proteins": 2,
    }  # fmt: skip
    (kept,) = asked("sae_metrics", [3], [], before=before)
    assert (kept["ce_unmasked_sae"], kept["n_fidelity_proteins"]) == (9, 2)
    (fresh,) = asked("sae_metrics", [3], [[1, 4, 2, 5, 5, 6]], before=before)
    assert (fresh["ce_unmasked_sae"], fresh["n_fidelity_proteins"]) == (2, 1)
    for key in ("evaluated_on", "fingerprint", "dtype", "package_version"):
        (other,) = asked("sae_metrics", [3], [], before=before | {key: "other"})
        assert (other["ce_unmasked_sae"], other["n_fidelity_proteins"]) == (None, 0), key


def test_a_damaged_measurement_is_found_and_made_anew(mine: Path) -> None:
    evaluate(mine, ["relu"], skip_fidelity=True, device="cpu")
    before = metrics(mine, "relu")
    (path,) = (mine / "lake" / "sae_metrics" / "sae=relu").glob("*/*.parquet")
    path.write_bytes(b"PAR1")
    report = verify(mine)
    assert not report.is_sound and "interplm-wh evaluate" in report.lines()[-1]
    evaluate(mine, ["neurons"], skip_fidelity=True, device="cpu")  # others are not held up by it
    evaluate(mine, ["relu"], skip_fidelity=True, device="cpu")
    assert metrics(mine, "relu") == before
    assert verify(mine).is_sound


def test_measurements_go_with_their_sae_and_stay_when_proteins_go(mine: Path) -> None:
    evaluate(mine, ["relu", "neurons"], skip_fidelity=True, device="cpu")
    before = metrics(mine, "relu")
    remove_proteins(mine, ["P3"])
    assert metrics(mine, "relu") == before
    remove_sae(mine, "relu")
    assert [r["sae"] for r in rows(mine, "select distinct sae from sae_metrics")] == ["neurons"]
    assert [r["sae"] for r in rows(mine, "select distinct sae from sae_frequency")] == ["neurons"]
    assert verify(mine).is_sound


def test_an_evaluation_leaves_marts_current(mine: Path) -> None:
    encode(mine, ["relu"], device="cpu")
    build(mine)
    evaluate(mine, ["relu"], skip_fidelity=True, device="cpu")
    assert build(mine).rebuilt == ()
    evaluated = metrics(mine, "relu")
    build(mine, thresholds=[0.3])
    assert metrics(mine, "relu") == evaluated


def test_saes_of_two_plms_are_evaluated_on_the_same_proteins(mine: Path, tmp_path: Path) -> None:
    other = make_plm(tmp_path / "other", seed=1, window=200)
    add_sae(mine, "identity", name="others", plm=str(other), layer=1, device="cpu")
    report = evaluate(mine, ["relu", "others"], max_proteins=3, device="cpu")
    assert [row["sae"] for row in report.saes] == ["relu", "others"]
    one, two = report.saes
    assert one["fingerprint"] == two["fingerprint"] and one["n_residues"] == two["n_residues"]
    assert one["ce_masked_original"] != two["ce_masked_original"]
    assert [metrics(mine, "relu"), metrics(mine, "others")] == [one, two]


# -- what is refused ---------------------------------------------------------------------------------


def test_what_cannot_be_evaluated_is_refused(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="did you mean relu"):
        evaluate(mine, ["rellu"])
    with pytest.raises(InputError, match="name at least one"):
        evaluate(mine, [])
    with pytest.raises(InputError, match="from 1 upwards"):
        evaluate(mine, ["relu"], max_proteins=0)
    with pytest.raises(NotThereError, match="no protein of the split 'train'"):
        evaluate(mine, ["relu"], split="train")
    with pytest.raises(InputError, match="no such split"):
        evaluate(mine, ["relu"], split="tset")  # type: ignore[arg-type]
    activations = tmp_path / "a.csv"
    activations.write_text("accession,position,feature,value\nP1,1,0,0.5\n")
    add_activations(mine, activations, sae="elsewhere")
    with pytest.raises(InputError, match="made elsewhere"):
        evaluate(mine, ["elsewhere"])
    assert rows(mine, "from sae_metrics") == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.fasta", ">P1\nMK1T\n>P2\nM#\n", r"(?s)2 faults.*P2: unknown letter '#'.*P1: unknown letter '1'"),
        ("a.fasta", ">P1\n\n", "P1: the sequence is empty"),
        ("a.fasta", ">P1\nMKT\n>P1\nMKV\n", "P1: 2 records"),
        ("a.fasta", "", "empty"),
        ("a.csv", "accession,sequence\nP1,MKT\n", "is not FASTA"),
        ("test", ">P1\nMKT\n", "named like a split"),
    ],
)
def test_files_that_cannot_be_read_are_refused(
    mine: Path, tmp_path: Path, name: str, content: str, fault: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=fault):
        evaluate(mine, ["relu"], fasta=path, device="cpu")
    assert rows(mine, "from sae_metrics") == []


def test_a_split_of_private_proteins_alone_is_refused(mine: Path, tmp_path: Path) -> None:
    private = tmp_path / "private.csv"
    private.write_text("accession,sequence,split,is_private\nSECRET,MKTAYIAKQR,train,true\n")
    add_proteins(mine, [private])
    with pytest.raises(NotThereError, match="but 1 private ones"):
        evaluate(mine, ["relu"], split="train")


def test_a_plm_without_a_head_is_evaluated_without_fidelity_only(
    warehouse: Path, plm: Path, relu: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(plm, tmp_path / "bare")
    weights = load_file(plm / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("lm_head.")}
    save_file(kept, bare / "model.safetensors", metadata={"format": "pt"})
    add_proteins(warehouse, [write_fasta(tmp_path / "some.fasta", PROTEINS)])
    add_sae(warehouse, str(relu), name="relu", plm=str(bare), layer=1, device="cpu")
    with pytest.raises(ModelError, match="--skip-fidelity"):
        evaluate(warehouse, ["relu"], device="cpu")
    evaluate(warehouse, ["relu"], skip_fidelity=True, device="cpu")
    assert metrics(warehouse, "relu")["pct_recovered_masked"] is None


def test_an_sae_that_was_replaced_meanwhile_is_not_recorded(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplm_wh.evaluate import run

    whole = run.write

    def late(*args: Any, **kwargs: Any) -> Any:
        remove_sae(mine, "relu")
        return whole(*args, **kwargs)

    monkeypatch.setattr(run, "write", late)
    with pytest.raises(NotThereError, match="removed or replaced while it was evaluated"):
        evaluate(mine, ["relu"], skip_fidelity=True, device="cpu")
    assert rows(mine, "from sae_metrics") == []


# -- the command line --------------------------------------------------------------------------------


def run_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", *map(str, arguments)],
        capture_output=True, check=False, text=True,
    )  # fmt: skip


def test_the_command_prints_what_it_measured(mine: Path, tmp_path: Path) -> None:
    done = run_cli("-w", mine, "evaluate", "--sae", "relu", "--sae", "neurons", "--max-proteins", "4")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "evaluated on test:"
    assert [line.split()[0] for line in lines if line.startswith(("relu", "neurons"))] == ["relu", "neurons"]
    assert any(line.split()[-2:] == ["100", "100"] for line in lines)
    wrong = run_cli("-w", mine, "evaluate", "--sae", "relu", "--split", "test", "--fasta", "x.fasta")
    assert wrong.returncode == 2 and "not both" in wrong.stderr
    absent = run_cli("-w", mine, "evaluate", "--sae", "relu", "--fasta", tmp_path / "x.fasta")
    assert absent.returncode == 1 and "Traceback" not in absent.stderr and "x.fasta" in absent.stderr


def test_evaluate_is_a_function_too() -> None:
    assert commands.evaluate is evaluate
    assert interplm_wh.commands.evaluate is evaluate
