"""Matrices and tables for other tools, against what the warehouse itself says."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anndata
import numpy as np
import published
import pyarrow.parquet as pq
import pytest
import small
from click.testing import CliRunner
from scipy import sparse

from interplm_wh import commands, store
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, ModelError, NotThereError
from interplm_wh.export import matrix
from interplm_wh.export.matrix import export_matrix
from interplm_wh.export.table import export_table
from interplm_wh.remote.publish import publish

# What zarr, which anndata brings, says of libraries of its own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(zarr|numcodecs|anndata).*")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    published.isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse; protein 3 is private, feature 5 has no scale."""
    path = published.make(tmp_path_factory.mktemp("built").resolve() / "w", n=12)
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(
            folder,
            "select * replace (protein_id = 3 as is_private, "
            "case when protein_id = 1 then 'c1' end as cluster) from proteins",
        )
        tx.replace("proteins", [folder])
        folder = tx.new_folder("features", sae="a")
        tx.write_query(
            folder,
            "select * exclude (sae) "
            "replace (if(feature = 5, 0, max_activation)::float as max_activation) from features",
        )
        tx.replace("features", [folder], sae="a")
        tx.publish()
    return path


def expected(with_private: bool = False) -> np.ndarray:
    """What feature f has on residue r of protein p, worked out from the rule of `small`: [p, r, f]."""
    found = np.zeros((12, 30, small.N_FEATURES), np.float32)
    for f in range(small.N_FEATURES - 1):
        scale = np.float32((f + 1) * 7 / 10)
        for p in range(12):
            for r in range(f + 2, 31, f + 2):
                found[p, r - 1, f] = np.float32((f + 1) * (1 + p % 7) / 10) / scale
    return found if with_private else np.delete(found, 3, axis=0)


@pytest.mark.parametrize("block", [1, 40, 2_000_000])
def test_a_residue_matrix_has_the_normalised_activation_of_every_residue(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(matrix, "BLOCK_VALUES", block)
    report = export_matrix(built, "a", tmp_path / "x.h5ad", by="residue")
    found = anndata.read_h5ad(tmp_path / "x.h5ad")
    truth = expected().reshape(11 * 30, small.N_FEATURES)
    assert sparse.issparse(found.X) and found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X.toarray(), truth)
    assert (report.n_obs, report.n_vars, report.n_values) == (330, 6, np.count_nonzero(truth))
    assert report.n_private == 1
    assert list(found.obs_names[:2]) == ["P0000:1", "P0000:2"]
    assert list(found.obs["position"][29:31]) == [30, 1]
    assert found.obs["accession"].iloc[30] == "P0001"
    assert "P0003" not in set(found.obs["accession"])
    assert list(found.var_names) == ["0", "1", "2", "3", "4", "5"]


def test_a_protein_matrix_has_the_highest_activation_and_what_is_known_of_both(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in (1, 2_000_000):
        monkeypatch.setattr(matrix, "BLOCK_VALUES", block)
        export_matrix(built, "a", tmp_path / "x.h5ad", with_private=True, force=True)
        found = anndata.read_h5ad(tmp_path / "x.h5ad")
        truth = expected(with_private=True).max(axis=1)
        np.testing.assert_allclose(found.X.toarray()[:, :5], truth[:, :5], rtol=1e-6)
    assert list(found.obs_names) == [f"P{i:04d}" for i in range(12)]
    assert list(found.obs["split"][:3]) == ["valid", "test", "valid"]
    assert found.obs["cluster"].iloc[1] == "c1"
    assert found.obs["cluster"].isna().sum() == 11
    assert list(found.obs["length"]) == [30] * 12
    stats = commands.query(built, "from feature_stats order by feature").to_pydict()
    assert list(found.var["n_proteins"]) == stats["n_proteins"]
    best = "select feature, concept from heldout_pairs where is_best"
    named = {row["feature"] for row in commands.query(built, best).to_pylist()}
    assert {int(f) for f in found.var_names[found.var["concept"].notna()]} == named
    assert found.uns["sae"] == "a"
    np.testing.assert_array_equal(found[2:5, [0, 4]].X.toarray(), found.X.toarray()[2:5][:, [0, 4]])


def test_a_matrix_for_which_the_disk_has_no_room_is_said_to_be_so(built: Path, small_disk: Path) -> None:
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        filler.write(bytes(8 << 20))
    os.truncate(small_disk / "filler", (8 << 20) - (16 << 10))
    command = [
        sys.executable,
        "-m",
        "interplm_wh",
        "-w",
        built,
        "export",
        "matrix",
        "a",
        small_disk / "a.h5ad",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "No space left on device" in done.stderr
    assert "free some space" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_splits_and_proteins_choose_rows(built: Path, tmp_path: Path) -> None:
    export_matrix(built, "a", tmp_path / "x.h5ad", split="test")
    assert list(anndata.read_h5ad(tmp_path / "x.h5ad").obs_names) == [
        "P0001",
        "P0005",
        "P0007",
        "P0009",
        "P0011",
    ]
    report = export_matrix(built, "a", tmp_path / "y.h5ad", by="residue", proteins=["P0004", "P0002"])
    found = anndata.read_h5ad(tmp_path / "y.h5ad")
    np.testing.assert_array_equal(found.X.toarray(), expected(with_private=True)[[2, 4]].reshape(60, -1))
    assert report.n_private == 0


def test_a_published_warehouse_is_exported_as_the_one_here(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out", lake=True, with_private=True)
    for by in ("protein", "residue"):
        for where, name in ((built, "here"), (tmp_path / "out", "there")):
            export_matrix(where, "a", tmp_path / f"{name}.h5ad", by=by, force=True)  # type: ignore[arg-type]
        here, there = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("here", "there"))
        np.testing.assert_array_equal(here.X.toarray(), there.X.toarray())
        assert here.obs.equals(there.obs)
    export_table(tmp_path / "out", "feature_stats", tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").num_rows == small.N_FEATURES


def test_what_would_not_fit_is_refused_before_anything_is_written(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPLM_WH_MEMORY", "100KB")
    with pytest.raises(
        InputError, match=r"330 residues may take .*--split, --protein.*INTERPLM_WH_MEMORY=1GB"
    ):
        export_matrix(built, "a", tmp_path / "x.h5ad", by="residue")
    monkeypatch.setenv("INTERPLM_WH_MEMORY", "much")
    with pytest.raises(InputError, match="no amount of memory"):
        export_matrix(built, "a", tmp_path / "x.h5ad")
    assert list(tmp_path.glob("*.h5ad")) == []


def test_what_cannot_be_exported_is_named(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.h5ad"
    with pytest.raises(NotThereError, match=r"no SAE 'b'"):
        export_matrix(built, "b", out)
    with pytest.raises(NotThereError, match="encoded no protein NOPE"):
        export_matrix(built, "a", out, proteins=["NOPE"])
    with pytest.raises(NotThereError, match="none of the proteins"):
        export_matrix(built, "a", out, proteins=["P0003"])
    with pytest.raises(NotThereError, match="none of the proteins"):
        export_matrix(built, "a", out, split="train")
    with pytest.raises(InputError, match=r"written as \.h5ad"):
        export_matrix(built, "a", tmp_path / "x.csv")
    with pytest.raises(InputError, match="there is no folder"):
        export_matrix(built, "a", tmp_path / "no/x.h5ad")
    out.write_text("mine")
    with pytest.raises(InputError, match=r"is there already.*--force"):
        export_matrix(built, "a", out)
    with pytest.raises(NotThereError, match="did you mean feature_stats"):
        export_table(built, "feature_stat", tmp_path / "t.csv")
    with pytest.raises(InputError, match="no format has this ending"):
        export_table(built, "feature_stats", tmp_path / "t.xlsx")
    assert out.read_text() == "mine"
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    monkeypatch.delattr("interplm_wh.export.h5ad", raising=False)
    monkeypatch.delitem(sys.modules, "interplm_wh.export.h5ad", raising=False)
    with pytest.raises(
        ModelError, match=r"needs the package anndata.io; run pip install 'interplm-wh\[anndata\]'"
    ):
        export_matrix(built, "a", tmp_path / "y.h5ad")
    assert sorted(path.name for path in tmp_path.glob("*")) == ["x.h5ad"]


@pytest.mark.parametrize(
    ("ending", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ","), (".tsv.gz", "\t")]
)
def test_a_table_as_text_has_every_row_and_column(
    built: Path, tmp_path: Path, ending: str, delimiter: str
) -> None:
    path = tmp_path / f"it's{ending}"
    report = export_table(built, "feature_activations", path)
    content = gzip.decompress(path.read_bytes()) if ending.endswith("gz") else path.read_bytes()
    rows = list(csv.DictReader(content.decode().splitlines(), delimiter=delimiter))
    truth = commands.query(built, "from feature_activations order by all").to_pylist()
    assert (len(rows), report.n_rows) == (len(truth), len(truth))
    assert list(rows[0]) == list(truth[0])
    mine = sorted(
        (r["accession"], int(r["position"]), int(r["feature"]), np.float32(r["value"])) for r in rows
    )
    assert mine == sorted(
        (r["accession"], r["position"], r["feature"], np.float32(r["value"])) for r in truth
    )


def test_a_table_of_the_catalogue_and_an_empty_one_are_exported(built: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["-w", str(built), "export", "table", "saes", str(tmp_path / "s.csv")])
    assert done.exit_code == 0, done.output
    assert "saes: 1 rows" in done.output
    export_table(built, "suggestions", tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().count("\n") == 1
    shutil.copytree(built, tmp_path / "w")
    part = next((tmp_path / "w/lake/feature_stats").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-4])
    done = CliRunner().invoke(
        cli, ["-w", str(tmp_path / "w"), "export", "table", "feature_stats", str(tmp_path / "z.csv")]
    )
    assert "feature_stats cannot be read" in str(done.exception)
    assert not list(tmp_path.glob("*z.csv"))
