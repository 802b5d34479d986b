"""The page of variants says what the tables say, and follows what is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import interplm_wh
from tests import varied
from tests.browser import Visits, dashboard, wait_at_rest
from tests.pages import opened, said, sound
from tests.varied import MEASUREMENT, PROTEIN, SAE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with variants of one protein."""
    folder = tmp_path_factory.mktemp("page").resolve()
    built = varied.make(folder, varied.make_models(folder))
    (folder / "scanned").mkdir()
    return varied.scanned(built, folder / "scanned")


def rows(root: Path, sql: str) -> pl.DataFrame:
    with interplm_wh.open(root) as wh:
        return wh.polars(sql)


def shown(app: Any, i: int) -> pl.DataFrame:
    return pl.from_pandas(app.dataframe[i].value)


def test_the_ranking_and_the_features_are_those_of_the_macros(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(root, monkeypatch, "variants")
    ranking = rows(root, f"from variant_ranking('{SAE}', '{PROTEIN}')")
    for column in ("rank", "variant", "total_change", "site_change"):
        assert shown(app, 0)[column].to_list() == ranking[column].to_list()
    features = rows(root, f"from variant_features('{SAE}', '{PROTEIN}')")
    tables = [shown(app, i) for i in range(len(app.dataframe))]
    (listed,) = [t for t in tables if "loss_variant" in t.columns]
    assert listed["feature"].to_list() == features["feature"].to_list()
    assert "228 variants at 12 positions" in " ".join(part.value for part in app.markdown)
    assert len(app.get("vega_lite_chart")) == 4  # scan, variant, track, measured
    (first,) = [t for t in tables if "mutant_activation" in t.columns]
    residues = rows(root, f"from variant_residues('{SAE}', '{PROTEIN}', '{ranking['variant'][0]}')")
    assert first["change"].to_list() == residues["change"].to_list()


def test_correlations_are_those_of_the_table(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(root, monkeypatch, "variants")
    kept = rows(root, "from variant_correlations")
    (total,) = kept.filter(pl.col("measure") == "total_change").to_dicts()
    text = " ".join(part.value for part in app.markdown)
    assert f"total change **{total['spearman']:.2f}** ({total['spearman_low']:.2f} to" in text
    assert "log-odds of the PLM itself" in text
    listed = shown(app, len(app.dataframe) - 1)
    assert sorted(listed["spearman"].to_list()) == sorted(kept["spearman"].to_list())
    assert MEASUREMENT in app.selectbox(key="measured").options


def test_one_feature_ranks_by_its_own_change(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feature = rows(root, f"from variant_features('{SAE}', '{PROTEIN}')")["feature"][2]
    app = opened(root, monkeypatch, "variants", of=str(feature))
    wanted = rows(root, f"from variant_ranking('{SAE}', '{PROTEIN}', wanted_features := [{feature}])")
    assert shown(app, 0)["variant"].to_list() == wanted["variant"].to_list()
    assert f"feature {feature} counts" in said(app)


def test_another_variant_of_the_box_is_drawn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(root, monkeypatch, "variants")
    name = rows(root, f"from variant_ranking('{SAE}', '{PROTEIN}')")["variant"][7]
    app.selectbox(key="variant").set_value(name).run()
    assert any(f"of {name} as a table" in part.label for part in sound(app).expander)


@pytest.mark.parametrize("query", [{"wild_type": "P99"}, {"of": "99"}, {"variant": "A1A"}])
def test_what_is_not_there_falls_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    app = opened(root, monkeypatch, "variants", **query)
    assert len(app.dataframe) > 2
    assert "variant" in query or app.warning


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (420, True)])
def test_a_browser_draws_it_and_nothing_is_wider_than_the_window(
    root: Path, visits: Visits, width: int, dark: bool
) -> None:
    with dashboard(root) as url:
        page = visits.open(f"{url}/variants", width=width, dark=dark)
        wait_at_rest(page, timeout=60_000)
        assert (
            page.locator(
                '[data-testid="stVegaLiteChart"] canvas, [data-testid="stVegaLiteChart"] svg'
            ).count()
            >= 4
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
