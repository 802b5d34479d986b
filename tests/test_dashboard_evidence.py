"""What the pages say of evidence is what the tables say; where there is none, the command that makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

import interplm_wh
from interplm_wh import commands
from interplm_wh.dashboard import frame
from tests import planted
from tests.pages import opened
from tests.planted import CONTROL, SAE
from tests.test_dashboard_pages import said, table_with


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = planted.warehouse(tmp_path_factory.mktemp("weighed"), planted.proteins())
    commands.score(path, n_resamples=200)
    commands.rules(path, sae=SAE)
    return path


def pairs(path: Path) -> dict[str, dict[str, object]]:
    with interplm_wh.open(path) as wh:
        rows = wh.sql("from report_pairs($sae) where not is_amino_acid", {"sae": SAE}).to_pylist()
    return {row["concept"]: row for row in rows}


def test_the_overview_has_intervals_the_best_control_and_what_is_claimed(
    scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(scored, monkeypatch, sae=SAE)
    shown = {row["concept"]: row for row in table_with(app, "concept", "interval", "excess").to_dicts()}
    expected = pairs(scored)
    assert set(shown) == set(expected)
    for concept, row in shown.items():
        own = expected[concept]
        assert row["interval"] == f"{own['f1_low']:.2f} to {own['f1_high']:.2f}"
        assert row["excess_interval"] == f"{own['excess_low']:+.2f} to {own['excess_high']:+.2f}"
        for name in ("q_best", "control_f1", "control_role", "excess", "is_concept_claimed"):
            assert row[name] == own[name]
    assert "**2** of 5 that were tested do better than chance would" in said(app)
    assert "interplm-wh" not in " ".join(block.value for block in app.code if "score" in block.value)


@pytest.mark.parametrize(
    ("concept", "words"),
    [
        ("Domain_real", "more than chance."),
        ("Domain_decoy", "not more than chance can explain."),
        ("Domain_rare", "7 clusters of test alone, too few for a claim"),
    ],
)
def test_a_concept_says_how_sure_it_is(
    scored: Path, monkeypatch: pytest.MonkeyPatch, concept: str, words: str
) -> None:
    text = said(opened(scored, monkeypatch, "concept", sae=SAE, concept=concept))
    own = pairs(scored)[concept]
    assert words in text
    assert f"95 % interval {own['f1_low']:.2f} to {own['f1_high']:.2f}" in text
    control = frame.plain(CONTROL)
    assert f"The best control ({control}) has {own['control_f1']:.2f}: {own['excess']:+.2f}" in text


def test_a_feature_has_the_evidence_of_each_of_its_pairs(
    scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(scored, monkeypatch, "feature", sae=SAE, feature="0")
    shown = table_with(app, "concept", "F1 on test", "interval").to_dicts()
    with interplm_wh.open(scored) as wh:
        rows = wh.sql("from pair_evidence where sae = $sae and feature = 0", {"sae": SAE}).to_pylist()
    weighed = {row["concept"]: row for row in rows}
    assert weighed
    for row in shown:
        own = weighed.get(row["concept"])
        assert row["q_best"] == (own["q"] if own else None)
        assert row["is_concept_claimed"] == (own["is_claimed"] if own else None)


def test_where_nothing_was_weighed_the_command_is_named(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch)
    assert any("score --sae demo-sae" in block.value for block in app.code)
    assert "95 % interval" not in said(opened(demo_warehouse, monkeypatch, "concept"))


def test_claims_stand_side_by_side(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(scored, monkeypatch, "compare", sae=SAE, **{"with": CONTROL})
    facts = table_with(app, "measure").to_dicts()
    (row,) = [row for row in facts if row["measure"].startswith("concepts on which")]
    assert list(row.values())[1:] == ["2", "1"]


def test_a_concept_has_the_rules_that_were_looked_for(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with interplm_wh.open(scored) as wh:
        rows = wh.sql("from feature_rules where sae = $sae order by concept, n_features", {"sae": SAE})
    expected = [row for row in rows.to_pylist() if row["concept"] == "Domain_real"]
    assert expected
    app = opened(scored, monkeypatch, "concept", sae=SAE, concept="Domain_real")
    shown = table_with(app, "rule", "gain").to_dicts()
    for name in ("rule", "gain", "test_f1_per_domain", "n_tried", "is_held"):
        assert [row[name] for row in shown] == [row[name] for row in expected]
