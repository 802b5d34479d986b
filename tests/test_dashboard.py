"""The dashboard's pages, run by Streamlit's own test harness on the demo's warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

import interplm_wh
from interplm_wh import store
from interplm_wh.dashboard import serve as serving
from interplm_wh.errors import NotThereError
from tests import small
from tests.pages import opened


def test_the_overview_counts_what_the_tables_hold(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch)
    shown = {metric.label: metric.value for metric in app.metric}
    with interplm_wh.open(demo_warehouse) as wh:
        proteins, residues = (
            wh.sql("select count(*) as a, sum(length) as b from proteins").to_pylist()[0].values()
        )
    assert shown["Proteins"] == f"{proteins:,}"
    assert shown["Residues"] == f"{int(residues):,}"


def test_a_feature_of_the_address_is_shown_with_the_numbers_of_its_tables(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature="249")
    assert app.title[0].value == "Feature 249"
    with interplm_wh.open(demo_warehouse) as wh:
        stats = wh.sql("from feature_stats where sae = 'demo-sae' and feature = 249").to_pylist()[0]
    said = " ".join(part.value for part in app.markdown)
    assert f"**{stats['pct_proteins']:.2f} %** of the proteins ({stats['n_proteins']:,})" in said


def test_next_and_previous_step_through_what_the_filters_leave(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        found = wh.sql("from features_where('demo-sae')")["feature"].to_pylist()
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(found[3]))
    named = {button.label: button for button in app.button}
    named["Next"].click().run()
    assert app.title[0].value == f"Feature {found[4]}"


def test_a_warehouse_without_results_says_what_to_run(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("overview", "feature"):
        app = opened(warehouse, monkeypatch, address)
        assert [info.value for info in app.info] == ["There is no SAE with results yet."]
        steps = [line.removeprefix(f"interplm-wh -w {warehouse} ") for line in app.code[0].value.splitlines()]
        assert [step.split(" -")[0] for step in steps] == [
            "add proteins FILE", "add annotations FILE", "add sae SOURCE", "encode", "build",
        ]  # fmt: skip


def test_what_was_done_already_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small.make(tmp_path / "w")
    monkeypatch.chdir(tmp_path)  # where the server was started: what is shown can be pasted there
    assert opened(path, monkeypatch).code[0].value == "interplm-wh -w w build"
    more = small.make(tmp_path / "more")
    with store.write(more, command="test") as tx:
        small.add_sae(tx, "later")
        tx.publish()
    steps = ["interplm-wh -w more encode --sae later", "interplm-wh -w more build"]
    assert opened(more, monkeypatch).code[0].value.splitlines() == steps


def test_no_warehouse_is_said_before_a_server_starts(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="there is no warehouse"):
        serving(tmp_path / "nothing")
