"""What is damaged and no build makes anew is never taken for empty, and can be taken out."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

import interplm_wh
from interplm_wh import commands
from interplm_wh.ask import verify
from interplm_wh.commands import remove_damaged
from interplm_wh.errors import CheckError
from interplm_wh.variants import variants
from tests import varied
from tests.worded import SAE


def n_rows(path: Path, table: str) -> int:
    with interplm_wh.open(path) as wh:
        return int(wh.sql(f"select count(*) as n from {table}")["n"].to_pylist()[0])


def damage(path: Path, table: str) -> None:
    """Cut the first file of a table short."""
    file = min((path / "lake" / table).rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:100])


@pytest.fixture
def described(worded_warehouse: Path, tmp_path: Path) -> Path:
    path = shutil.copytree(worded_warehouse, tmp_path / "w")
    commands.describe(path, SAE)
    commands.verdict(path, SAE, 0, verdict="confirmed")
    return path


def test_words_whose_file_is_damaged_are_neither_empty_nor_written_over(described: Path) -> None:
    n_words = n_rows(described, "interpretations")
    damage(described, "interpretation_verdicts")
    with pytest.raises(duckdb.Error, match="interpretation_verdicts cannot be read"):
        commands.verdict(described, SAE, 5, verdict="spurious")
    damage(described, "interpretations")
    with pytest.raises(duckdb.Error, match="interpretations cannot be read"):
        commands.describe(described, SAE, features=[0])
    told = "\n".join(commands.info(described).lines())
    assert "interpretations cannot be read: lake/interpretations/" in told and "100 bytes instead of" in told
    assert "up to date" not in told
    assert "interplm-wh remove damaged" in "\n".join(verify(described).lines())
    assert remove_damaged(described).lines() == [
        f"removed interpretation_verdicts of {SAE}, interpretations of {SAE}; the commands that made them "
        "make them anew"
    ]
    assert verify(described).is_sound and n_rows(described, "interpretations") == 0
    assert n_rows(described, "interpretation_predictions") > 0
    commands.describe(described, SAE)
    assert n_rows(described, "interpretations") == n_words


def test_variants_of_a_protein_go_together_and_those_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    path = varied.scanned(varied.make(folder, varied.make_models(folder)), folder / "other")
    variants(path, varied.SAE, "P0", scan="1", device="cpu")
    with interplm_wh.open(path) as wh:
        rows = wh.sql(
            "select f.folder from folders as f where f.table_name = 'variant_changes' and source = $of "
            "and is_current", {"of": varied.PROTEIN},
        )  # fmt: skip
    shutil.rmtree(path / rows["folder"].to_pylist()[0])
    with pytest.raises(duckdb.Error, match="variant_changes cannot be read"):
        variants(path, varied.SAE, varied.PROTEIN, scan="6", device="cpu")
    assert f"variant rows of {varied.PROTEIN} with {varied.SAE}" in remove_damaged(path).text
    assert verify(path).is_sound and n_rows(path, "variants") == 19
    assert variants(path, varied.SAE, varied.PROTEIN, scan="6", device="cpu").n_made == 19


def test_what_cannot_be_left_out_is_refused_and_named(described: Path) -> None:
    assert remove_damaged(described).text == "no file is damaged; nothing was removed"
    damage(described, "interpretations")
    damage(described, "activations")
    with pytest.raises(CheckError, match="lake/activations/"):
        remove_damaged(described)
    assert len(verify(described).faults) == 2
