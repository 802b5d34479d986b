"""The page of suggestions says what the table says, and shows each stretch on its protein."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import interplm_wh
from interplm_wh.suggest import suggest
from tests.pages import opened, sound

CONCEPT = "Signal peptide_any"


@pytest.fixture(scope="module")
def suggested(demo_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with suggestions."""
    warehouse = shutil.copytree(demo_warehouse, tmp_path_factory.mktemp("suggested") / "w")
    suggest(warehouse)
    return warehouse


def rows(warehouse: Path, sql: str) -> pl.DataFrame:
    with interplm_wh.open(warehouse) as wh:
        return wh.polars(sql)


def test_the_list_is_that_of_the_table_and_its_first_row_is_drawn(
    suggested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(suggested, monkeypatch, "suggestions", concept=CONCEPT)
    leading = rows(
        suggested, f"from suggestions where is_leading and concept = '{CONCEPT}' and sae = 'demo-sae' "
        "order by rank",
    )  # fmt: skip
    shown = pl.from_pandas(app.dataframe[0].value)
    for column in ("accession", "start", "stop", "feature", "score", "precision", "n_agreeing"):
        assert shown[column].to_list() == leading[column].to_list()
    first = leading.row(0, named=True)
    assert first["accession"] in "".join(part.value for part in app.subheader)
    said = " ".join(part.value for part in app.markdown)
    assert f"residues {first['start']} to {first['stop']}" in said
    (counts,) = rows(suggested, f"from suggestion_counts where concept = '{CONCEPT}'").to_dicts()
    assert f"{counts['n_explained']:,} are explained" in said
    assert f"{counts['n_leading']:,} places" in said


def test_the_suggested_stretch_is_a_lane_above_the_annotations(
    suggested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(suggested, monkeypatch, "suggestions", concept=CONCEPT)
    charts = [chart.proto for chart in app.get("vega_lite_chart")]
    assert any(f"suggested: {CONCEPT}" in str(chart) for chart in charts)


def test_precision_filters_the_list_and_another_place_is_drawn(
    suggested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(suggested, monkeypatch, "suggestions", concept=CONCEPT, precision="0.9")
    shown = pl.from_pandas(app.dataframe[0].value)
    assert len(shown) > 0
    assert shown["precision"].min() >= 0.9  # type: ignore[operator]
    (box,) = [b for b in app.selectbox if b.label == "Suggestion that is looked at closely"]
    assert len(box.options) == len(shown)
    box.set_value(box.options[-1]).run()
    assert box.options[-1].split()[0] in "".join(part.value for part in sound(app).subheader)


def test_a_concept_without_suggestions_in_the_address_is_refused(
    suggested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(suggested, monkeypatch, "suggestions", concept="Domain_nowhere")
    assert any("Domain\\_nowhere" in part.value for part in app.warning)
    assert len(app.dataframe) > 0


def test_without_suggestions_the_command_is_named(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "suggestions")
    assert "suggest --sae demo-sae" in "\n".join(block.value for block in app.code)
