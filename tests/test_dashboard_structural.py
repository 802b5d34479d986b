"""What the page of a feature says of structure and sequence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import planted_structures as planted
import pytest
from planted_structures import SAE
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh import commands
from interplm_wh.dashboard.charts import effects
from interplm_wh.dashboard.structural import _rows
from tests.pages import opened


@pytest.fixture(scope="module")
def untested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse with structures."""
    folder = tmp_path_factory.mktemp("pages").resolve()
    path = planted.warehouse(folder, planted.proteins(folder / "files", has_noise=False))
    commands.build(path)
    return path


@pytest.fixture(scope="module")
def tested(untested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = shutil.copytree(untested, tmp_path_factory.mktemp("tested").resolve() / "w")
    commands.structure(path)
    return path


def rows(path: Path) -> dict[int, dict[str, Any]]:
    with interplm_wh.open(path) as wh:
        return {row["feature"]: row for row in wh.sql("from feature_structure").to_pylist()}


def written(app: AppTest) -> str:
    return " ".join(part.value for part in (*app.markdown, *app.caption))


@pytest.mark.parametrize(
    ("feature", "sentence", "label"),
    [
        (planted.STRUCTURAL, "It follows the **structure**", "both (p"),
        (planted.SEQUENTIAL, "It follows the **sequence**", "both (p"),
        (planted.BOTH, "It follows **both**", "both (p"),
        (planted.NOISE, "is **undecided**", "neither of the two (p"),
    ],
)
def test_a_feature_says_its_class_and_the_label_of_the_paper(
    tested: Path, monkeypatch: pytest.MonkeyPatch, feature: int, sentence: str, label: str
) -> None:
    row = rows(tested)[feature]
    text = written(opened(tested, monkeypatch, "feature", feature=str(feature)))
    assert sentence in text
    assert f"The published test calls it {label}" in text
    assert (
        f"contacts {row['contact_mean']:.3f}, of neighbours in the sequence {row['neighbour_mean']:.3f}"
        in text
    )
    assert f"on {row['n_proteins']} proteins, one of each cluster" in text


def test_the_chart_draws_the_effects_with_their_intervals(tested: Path) -> None:
    row = rows(tested)[planted.SEQUENTIAL]
    shown = _rows(row)
    assert shown.rows() == [
        ("contacts less controls", *(row[f"structural_{k}"] for k in ("effect", "low", "high", "q"))),
        ("neighbours less controls", *(row[f"sequential_{k}"] for k in ("effect", "low", "high", "q"))),
        (
            "contacts less neighbours",
            row["difference"],
            *(row[f"difference_{k}"] for k in ("low", "high", "q")),
        ),
    ]
    chart = effects.effects(shown).to_dict()
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rule", "rule", "point"]


def test_too_few_proteins_are_said_with_the_count(tested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(opened(tested, monkeypatch, "feature", feature=str(planted.FEW)))
    assert "in 6 clusters of proteins" in text
    assert "10 are needed" in text
    assert "The published test needs 25 proteins; there are 6." in text


def test_without_the_table_the_page_names_the_command(
    untested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(untested, monkeypatch, "feature", feature="0")
    said = "\n".join(block.value for block in app.code)
    assert f"structure --sae {SAE}" in said
    assert "add structures" not in said
