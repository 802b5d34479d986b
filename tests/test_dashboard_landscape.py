"""What the pages say of the map, of shapes, of co-activation and of matches, once they are there."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh.dashboard.charts import landscape
from interplm_wh.landscape import ClusterReport
from tests.pages import opened, said

SAE, NEURONS, FEATURE = "demo-sae", "demo-neurons", 249
Mapped = tuple[Path, ClusterReport]


def rows(warehouse: Path, sql: str) -> pl.DataFrame:
    with interplm_wh.open(warehouse) as wh:
        return wh.polars(sql)


def tables(app: AppTest, *columns: str) -> list[pl.DataFrame]:
    return [pl.from_pandas(t.value) for t in app.dataframe if set(columns) <= set(t.value.columns)]


def written(app: AppTest) -> str:
    return " ".join(part.value for part in (*app.markdown, *app.caption))


def commands(app: AppTest) -> str:
    return "\n".join(block.value for block in app.code)


def test_the_overview_offers_the_map_and_how_common_features_are(
    mapped_demo: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, report = mapped_demo
    assert report.map is not None
    app = opened(path, monkeypatch, as_table="true")
    assert f"{report.map.n_clusters} clusters" in written(app)
    assert f"{report.map.n_labelled} of them named" in written(app)
    assert "cluster --sae" not in commands(app)
    app = opened(path, monkeypatch, layout="how common")
    assert "To the right: on many proteins" in written(app)
    assert "UMAP" not in written(app)


def test_without_a_map_the_overview_names_the_command(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch)
    assert f"cluster --sae {SAE}" in commands(app)
    assert "To the right: on many proteins" in written(app)
    assert "cluster --sae" not in commands(opened(demo_warehouse, monkeypatch, sae=NEURONS))


def test_the_map_draws_every_feature_and_names_the_largest_clusters(mapped_demo: Mapped) -> None:
    placed = rows(mapped_demo[0], f"from feature_map_of('{SAE}')")
    chart: dict[str, Any] = landscape.directions(placed).to_dict()
    layers = [layer["encoding"] for layer in chart["layer"]]
    data = [chart["datasets"][layer["data"]["name"]] for layer in chart["layer"]]
    assert [r["feature"] for r in sorted(data[0], key=lambda r: r["feature"])] == sorted(placed["feature"])
    assert layers[1]["text"]["field"] == "label"
    largest = placed.filter(pl.col("label").is_not_null()).select("cluster", "label").unique().sort("cluster")
    assert [r["label"] for r in data[1]] == largest["label"].to_list()[:15]
    first = placed.filter(pl.col("cluster") == largest["cluster"][0])
    assert data[1][0]["x"] == pytest.approx(first["x"].median())


def test_a_map_without_labels_is_drawn(mapped_demo: Mapped) -> None:
    placed = rows(mapped_demo[0], f"from feature_map_of('{SAE}')").with_columns(
        label=pl.lit(None, pl.String), category=pl.lit(None, pl.String)
    )
    assert landscape.directions(placed).to_dict()["layer"]


def test_a_feature_says_its_shape_and_its_cluster(
    mapped_demo: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mapped_demo[0]
    chosen = rows(
        path,
        "select m.feature, m.cluster, s.shape, s.period, s.second_period, s.pct_period, s.median_top_length "
        "from feature_map as m inner join feature_shapes as s using (sae, feature) "
        "where cluster is not null and shape in ('point', 'short motif', 'periodic') "
        "qualify row_number() over (partition by shape order by feature) = 1",
    )
    assert len(chosen) == 3
    clusters = rows(path, f"from feature_clusters('{SAE}')")
    for row in chosen.to_dicts():
        text = written(opened(path, monkeypatch, "feature", feature=str(row["feature"])))
        cluster = clusters.filter(pl.col("cluster") == row["cluster"]).row(0, named=True)
        assert f"one of {cluster['n_members']} features of cluster {row['cluster']}" in text
        if row["shape"] == "periodic":
            two = row["pct_period"] <= 50
            period = f"{row['period']} or {row['second_period']}" if two else row["period"]
            assert f"**residues in a rhythm**, every **{period}**" in text
        elif row["shape"] == "point":
            assert "it marks **single residues**." in text
        else:
            assert f"**short motifs** ({row['median_top_length']:g} residues)" in text


def test_a_feature_shows_sampled_companions_and_matches(
    mapped_demo: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mapped_demo[0]
    app = opened(path, monkeypatch, "feature", feature=str(FEATURE))
    together = rows(path, f"from feature_pairs_of('{SAE}', {FEATURE}, 'coactivation')")
    (shown,) = [t for t in tables(app, "feature", "value", "standard_error") if "other_sae" not in t.columns]
    assert shown["feature"].to_list() == together["feature"].to_list()
    assert shown["standard_error"].to_list() == together["standard_error"].to_list()
    (theirs,) = tables(app, "other_sae", "null_mean")
    matches = rows(path, f"from feature_pairs_of('{SAE}', {FEATURE}, 'matched')")
    assert theirs["value"].to_list() == matches["value"].to_list()
    assert set(theirs["other_sae"]) == {NEURONS}


def test_without_a_sample_the_companions_are_those_of_the_strongest_proteins(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE))
    assert tables(app, "feature", "pct_overlap")
    assert not tables(app, "other_sae")


def test_two_saes_are_compared_feature_by_feature(
    mapped_demo: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mapped_demo[0]
    app = opened(path, monkeypatch, "compare")
    (shown,) = tables(app, "other_feature", "correlation", "is_mutual")
    matched = rows(path, f"from features_matched('{SAE}', '{NEURONS}')")
    assert shown["correlation"].to_list() == matched["correlation"].to_list()
    first = matched.row(0, named=True)
    assert f"**{first['n_matched']}** of {first['n_features']} features" in written(app)
    back = opened(path, monkeypatch, "compare", sae=NEURONS, **{"with": SAE})
    (shown,) = tables(back, "other_feature", "correlation", "is_mutual")
    assert shown["feature"].n_unique() == len(shown) > 100


def test_two_saes_that_were_not_matched_name_the_command(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "compare")
    assert shlex.join(["cluster", "--sae", SAE, "--with", NEURONS, "--skip-map"]) in commands(app)
    assert "Traceback" not in said(app)
