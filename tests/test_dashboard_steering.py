"""The page of steering and the section of a feature say what the tables say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh.dashboard.charts.steering import by_dose
from interplm_wh.steer import steer
from tests import steered
from tests.pages import opened, said, sound


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of feature 3 and one of two features."""
    path = steered.make(tmp_path_factory.mktemp("pages").resolve())
    asked: dict[str, Any] = {"clamp": [0, 1], "positions": "2-4", "mask": "none", "device": "cpu"}
    steer(path, "wide", features=[3], proteins=["P1", "P2"], read=["last"], n_samples=2, **asked)
    steer(path, "wide", features=[3, 4], proteins=["P1"], n_controls=0, **asked)
    return path


def rows(warehouse: Path, sql: str) -> pl.DataFrame:
    with interplm_wh.open(warehouse) as wh:
        return wh.polars(sql)


def run_of(warehouse: Path, accession: str, features: str = "3") -> dict[str, Any]:
    found = rows(
        warehouse, f"from steering_runs where accession = '{accession}' and features = '{features}'"
    ).to_dicts()
    assert len(found) == 1
    return found[0]


def drawn(app: AppTest) -> str:
    """All charts of a page, their data included."""
    return "\n".join(str(chart.proto) for chart in app.get("vega_lite_chart"))


def test_a_run_is_shown_with_its_doses_positions_letters_moves_and_samples(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(warehouse, "P2")["run"]
    app = opened(warehouse, monkeypatch, "steering", sae="wide", run=run)
    tables = [pl.from_pandas(table.value) for table in app.dataframe]
    listed = next(t for t in tables if "started" in t.columns)
    assert sorted(listed["run"]) == sorted(rows(warehouse, "from steering_runs")["run"])
    assert "sequence" not in listed.columns
    doses = next(t for t in tables if "kl_percentile" in t.columns)
    summary = rows(
        warehouse, f"from steering_summary('wide') where run = '{run}' order by dose, is_touched desc"
    )
    assert doses["kl"].to_list() == summary["kl"].to_list()
    assert doses["kl_percentile"].to_list() == summary["kl_percentile"].to_list()
    assert doses["positions"].to_list() == ["edited", "not edited"] * 2
    moved = next(t for t in tables if "max_change" in t.columns)
    assert len(moved) == len(rows(warehouse, f"from steering_features where run = '{run}' and dose = 1"))
    worth = next(t for t in tables if "pct_raised" in t.columns)
    assert worth["dose"].to_list() == [0, 1]
    samples = next(t for t in tables if "n_changed" in t.columns)
    assert len(samples) == 6
    assert len(app.get("vega_lite_chart")) == 4
    last = summary.filter(pl.col("dose") == 1, ~pl.col("is_touched"))["kl_percentile"][0]
    assert f"**{last:.0f} %** of the controls" in said(app)


def test_another_dose_is_drawn(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(warehouse, monkeypatch, "steering", sae="wide", run=run_of(warehouse, "P1")["run"])
    (slider,) = app.select_slider
    assert slider.value == 1
    before = drawn(app)
    slider.set_value(0.0).run()
    assert drawn(sound(app)) != before


def test_a_run_without_controls_reading_or_samples_says_so(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(warehouse, "P1", "3,4")["run"]
    app = opened(warehouse, monkeypatch, "steering", sae="wide", run=run)
    text = said(app)
    assert "Without controls" in text
    assert "No other SAE read along" in text
    assert not any("n_changed" in table.value.columns for table in app.dataframe)
    assert not [b for b in app.button if b.label == "Open the feature"]


def test_a_run_of_the_address_that_is_not_there_is_refused(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(warehouse, monkeypatch, "steering", sae="wide", run="<b>none")
    assert any("There is no run" in part.value for part in app.warning)
    assert len(app.dataframe) > 0


def test_without_runs_the_command_is_named(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(warehouse, monkeypatch, "steering", sae="first")
    assert "steer --sae first --feature FEATURE" in "\n".join(block.value for block in app.code)


def test_the_page_of_a_feature_has_its_curve_or_the_command(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(warehouse, monkeypatch, "feature", sae="wide", feature="3")
    (box,) = [b for b in app.selectbox if b.label == "Run of this feature"]
    assert sorted(box.options) == sorted(run_of(warehouse, name)["run"] for name in ("P1", "P2"))
    assert "where nine of ten of 100 controls lie" in said(app)
    box.set_value(run_of(warehouse, "P1")["run"]).run()
    assert "On P1, set at 2\\\\-4" in json.dumps(said(sound(app))) or "On P1, set at 2-4" in said(app)
    bare = opened(warehouse, monkeypatch, "feature", sae="wide", feature="5")
    assert "steer --sae wide --feature 5" in "\n".join(block.value for block in bare.code)


def test_a_single_dose_is_drawn_with_its_band(warehouse: Path) -> None:
    found = rows(warehouse, "from steering_summary('wide') where accession = 'P1' and not is_touched")
    one = found.filter(pl.col("n_controls") > 0, pl.col("dose") == 1).head(1)
    assert len(one) == 1
    band, middle, _ = by_dose(one).to_dict()["layer"][0]["layer"]
    assert (band["mark"]["type"], middle["mark"]["type"]) == ("bar", "tick")
    assert (
        band["encoding"]["y"]["field"] == "control_low" and band["encoding"]["y2"]["field"] == "control_high"
    )
    assert band["encoding"]["x"]["scale"]["domain"] == [0, 2]
    several = by_dose(found.filter(pl.col("n_controls") > 0)).to_dict()
    assert several["layer"][0]["layer"][0]["mark"]["type"] == "area"
