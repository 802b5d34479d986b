"""The command cluster: what it writes, that it is the same again, what it refuses, when it is outdated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file
from scipy.stats import false_discovery_control, hypergeom
from sklearn.cluster import HDBSCAN

import interplm_wh
from interplm_wh import sqlfile, store
from interplm_wh.ask import info, verify
from interplm_wh.build import build, scale
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, ModelError, NotThereError
from interplm_wh.landscape import ClusterReport, cluster, directions_map
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.store import catalogue
from tests import harness, small

SAE, NEURONS = "demo-sae", "demo-neurons"


def rows(path: Path, sql: str) -> list[dict[str, Any]]:
    with interplm_wh.open(path) as wh:
        found: list[dict[str, Any]] = wh.sql(sql).to_pylist()
    return found


@pytest.fixture
def copy(mapped_demo: tuple[Path, ClusterReport], tmp_path: Path) -> Path:
    """The demo with its landscape, to be changed."""
    return shutil.copytree(mapped_demo[0], tmp_path.resolve() / "w")


def test_every_feature_with_a_direction_has_a_place_and_clusters_are_those_of_the_map(
    mapped_demo: tuple[Path, ClusterReport],
) -> None:
    path, report = mapped_demo
    found = rows(path, f"from feature_map where sae = '{SAE}' order by feature")
    decoder = load_file(path / f"saes/{SAE}/sae.safetensors")["decoder.weight"]
    assert [r["feature"] for r in found] == np.flatnonzero(np.linalg.norm(decoder, axis=0)).tolist()
    places = np.array([[r["x"], r["y"]] for r in found])
    theirs = HDBSCAN(min_cluster_size=5, min_samples=3, copy=True).fit(places).labels_
    ours = np.array([r["cluster"] or 0 for r in found])
    assert {(a, b) for a, b in zip(ours.tolist(), theirs.tolist(), strict=True) if b >= 0} == {
        (int(ours[theirs == b][0]), int(b)) for b in set(theirs.tolist()) - {-1}
    }
    assert ((ours == 0) == (theirs == -1)).all()
    sizes = np.bincount(ours)[1:]
    assert (np.diff(sizes) <= 0).all()
    assert sizes.min() >= 5
    assert report.map is not None
    assert (report.map.n_features, report.map.n_clusters) == (len(found), ours.max())
    assert report.map.n_unclustered == (ours == 0).sum()


def test_neighbours_by_direction_lie_close_on_the_map(mapped_demo: tuple[Path, ClusterReport]) -> None:
    (near,) = rows(
        mapped_demo[0],
        "with places as (select feature, x, y from feature_map), pairs as (select p.feature, "
        "p.other_feature from feature_pairs as p where kind = 'decoder' and rank = 1) "
        "select median(sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2)) as paired, (select median(sqrt("
        "(a.x - b.x) ** 2 + (a.y - b.y) ** 2)) from places as a, places as b) as anyhow "
        "from pairs inner join places as a using (feature) inner join places as b "
        "on pairs.other_feature = b.feature",
    )
    assert near["paired"] < near["anyhow"] / 5


def test_the_same_again_gives_the_same_rows_in_the_place_of_the_old(copy: Path) -> None:
    ask = "select * exclude (fingerprint) from feature_map order by all", "from sampled_pairs order by all"
    before = [rows(copy, sql) for sql in ask]
    assert all(before)
    report = cluster(copy, SAE, others=[NEURONS], n_residues=4000, n_draws=4)
    assert [rows(copy, sql) for sql in ask] == before
    assert report.matches[0].n_compared > 0
    other = cluster(copy, SAE, n_residues=3000, n_pairs=3, skip_map=True)
    assert other.map is None
    pairs = rows(
        copy,
        "select kind, max(rank) as k, any_value(n_residues) as n from sampled_pairs "
        f"where sae = '{SAE}' group by kind order by kind",
    )
    assert [(r["kind"], r["k"]) for r in pairs] == [("coactivation", 3), ("matched", 5)]
    assert pairs[0]["n"] == other.n_residues == pytest.approx(3000, rel=0.1)
    assert len(rows(copy, ask[0])) == len(before[0])


def test_the_lengths_of_decoder_columns_do_not_matter_and_dead_ones_are_left_out() -> None:
    rng = np.random.default_rng(1)
    centres = np.repeat(rng.normal(size=(5, 12)), 12, axis=0) * 2
    decoder = (centres + rng.normal(size=(60, 12)) / 5).T.astype(np.float32)
    plain = directions_map.lay_out(decoder, sae="x")
    scaled = directions_map.lay_out(decoder * np.float32(2) ** rng.integers(-3, 4, 60), sae="x")
    np.testing.assert_array_equal(plain.places, scaled.places)
    decoder[:, 7] = 0
    dead = directions_map.lay_out(decoder, sae="x")
    assert dead.features.tolist() == [i for i in range(60) if i != 7]
    truth = np.repeat(np.arange(5), 12)
    assert len({(a, b) for a, b in zip(truth, plain.clusters, strict=True) if b}) == plain.clusters.max() >= 4


def test_pairs_by_direction_are_the_neighbours_of_the_build(mapped_demo: tuple[Path, ClusterReport]) -> None:
    columns = "sae, feature, rank, {} as other, {}::double as value"
    theirs = f"select {columns.format('neighbour', 'cosine')} from decoder_neighbours order by all"
    ours = f"select {columns.format('other_feature', 'value')} from feature_pairs where kind = 'decoder' "
    assert rows(mapped_demo[0], ours + "order by all") == rows(mapped_demo[0], theirs)


def test_matches_stand_under_either_sae(mapped_demo: tuple[Path, ClusterReport]) -> None:
    one, other = (
        rows(
            mapped_demo[0],
            f"select {a} as a, {b} as b, value, standard_error from feature_pairs where kind = 'matched' "
            f"and sae = '{sae}' and is_mutual order by all",
        )
        for sae, a, b in (
            (SAE, "feature", "other_feature"), (NEURONS, "other_feature", "feature"),
        )
    )  # fmt: skip
    assert one == other != []


def test_what_is_written_is_sound_and_up_to_date(mapped_demo: tuple[Path, ClusterReport]) -> None:
    assert verify(mapped_demo[0]).is_sound
    assert info(mapped_demo[0]).outdated == []


def test_a_new_scale_makes_what_is_sampled_outdated_but_not_the_map(copy: Path) -> None:
    scale(copy, sae=SAE, source="valid")
    lines = [line for line in info(copy).lines() if "older than the data: feature" in line]
    again, options = "make anew with: interplm-wh cluster --sae demo-sae", "--residues 4000 --draws 4"
    assert lines == [
        f"older than the data: feature_pairs with {SAE} of {NEURONS}, feature_pairs with {NEURONS} of {SAE}; "
        f"{again} --with {NEURONS} {options}",
        f"older than the data: feature_pairs of {SAE}; {again} {options}",
    ]
    assert verify(copy).is_sound


def test_another_presence_makes_co_activation_outdated(copy: Path) -> None:
    build(copy, presence=0.2)
    assert [(one.sae, one.what) for one in info(copy).outdated if one.what != "compared_pairs"] == [
        (SAE, "feature_pairs")
    ]


def test_fewer_proteins_keep_the_landscape_and_say_that_it_is_outdated(copy: Path) -> None:
    (first,) = rows(copy, "select accession from proteins order by protein_id limit 1")
    remove_proteins(copy, [first["accession"]])
    assert {one.what for one in info(copy).outdated} == {
        "feature_pairs", f"feature_pairs with {NEURONS}", f"feature_pairs with {SAE}",
    }  # fmt: skip
    assert rows(copy, "from feature_map limit 1")
    assert verify(copy).is_sound


def test_an_sae_that_is_removed_leaves_no_matches_behind(copy: Path) -> None:
    remove_sae(copy, NEURONS)
    assert rows(copy, "select distinct sae, kind, other_sae from sampled_pairs") == [
        {"sae": SAE, "kind": "coactivation", "other_sae": SAE}
    ]
    remove_sae(copy, SAE)
    assert rows(copy, "from feature_pairs") == rows(copy, "from feature_map") == []
    assert verify(copy).is_sound


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"sae": NEURONS}, InputError, "raw neurons, which have no decoder.*--skip-map"),
        ({"sae": "demo-sea"}, NotThereError, "did you mean demo-sae"),
        ({"sae": SAE, "others": ["nothing like"]}, NotThereError, "there is no SAE 'nothing like'"),
        ({"sae": SAE, "others": [SAE]}, InputError, "is matched with another"),
        ({"sae": SAE, "n_proteins": 1, "n_draws": 2}, InputError, "n_proteins must.*n_draws must"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(
    mapped_demo: tuple[Path, ClusterReport], asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = rows(mapped_demo[0], "select count(*) as n from runs")
    with pytest.raises(error, match=message):
        cluster(mapped_demo[0], **asked)
    assert rows(mapped_demo[0], "select count(*) as n from runs") == before


def test_neurons_have_pairs_without_a_map(copy: Path) -> None:
    result = CliRunner().invoke(
        cli, ["-w", str(copy), "cluster", "--sae", NEURONS, "--skip-map", "--residues", "1000"]
    )
    assert result.exit_code == 0, result.output
    assert "pairs of features that are active together" in result.output
    assert "on the map" not in result.output


def test_activations_made_elsewhere_have_no_decoder_but_pairs(tmp_path: Path) -> None:
    path = small.make(tmp_path.resolve() / "w", n=20)
    with pytest.raises(NotThereError, match="a has no scale yet: interplm-wh build"):
        cluster(path, "a", skip_map=True)
    build(path)
    with pytest.raises(InputError, match=r"a has no decoder here.*--skip-map"):
        cluster(path, "a")
    report = cluster(path, "a", skip_map=True)
    assert (report.n_proteins, report.n_residues) == (20, 600)
    # Features 0 and 2 fire on every second and every fourth residue of 30: both on 7, either on 15.
    (pair,) = rows(path, "from feature_pairs_of('a', 0, 'coactivation') where feature = 2")
    assert pair["value"] == pytest.approx(7 / 15)
    assert pair["standard_error"] == pytest.approx(0, abs=1e-6)


def test_an_sae_that_encoded_nothing_is_told_to(tmp_path: Path) -> None:
    path = small.make(tmp_path.resolve() / "w", n=4)
    with store.write(path, command="test") as tx:
        small.add_sae(tx, "b")
        tx.publish()
    build(path)
    with pytest.raises(NotThereError, match="b has encoded no protein: interplm-wh encode --sae b"):
        cluster(path, "a", others=["b"], skip_map=True)


def test_saes_of_different_proteins_are_not_matched(tmp_path: Path) -> None:
    path = small.make(tmp_path.resolve() / "w", n=4)
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 4)
        small.add_sae(tx, "b")
        small.add_activations(tx, "b", 4, 7)
        tx.publish()
    build(path)
    with pytest.raises(NotThereError, match="a and b have no protein in common"):
        cluster(path, "a", others=["b"], skip_map=True)


@pytest.mark.parametrize("n", [0, 1, 15])
def test_too_few_features_have_no_map(n: int) -> None:
    decoder = np.zeros((4, 30), np.float32)
    decoder[:, :n] = 1
    with pytest.raises(
        InputError, match=f"has {n} features whose decoder column is not 0, and a map needs 16"
    ):
        directions_map.lay_out(decoder, sae="x")


def test_without_umap_the_extra_is_named(
    mapped_demo: tuple[Path, ClusterReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ModelError, match=r"needs the package umap.*interplm-wh\[landscape\].*--skip-map"):
        cluster(mapped_demo[0], SAE)


def test_compiled_code_is_kept_in_the_folder_of_caches(tmp_path: Path) -> None:
    code = (
        "import os; from interplm_wh.landscape import directions_map as m; m._keep_compiled_apart(); "
        "import numba; print(numba.config.CACHE_DIR)"
    )
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "interplm-wh" / "numba")


def labelled(members: dict[int, list[str | None]]) -> list[dict[str, Any]]:
    """Label clusters whose features find these concepts; cluster 0 is none."""
    concepts = sorted({c for of in members.values() for c in of if c})
    features = [(cluster, concept) for cluster, of in members.items() for concept in of]
    con = harness.connect(
        {
            "concepts": [
                {
                    "concept_id": i, "concept": c, "category": "x", "level": "domain",
                    "source": "sequence" if c.startswith("amino") else "u",
                }
                for i, c in enumerate(concepts)
            ],
            "feature_map": [
                {"feature": f, "x": 0.0, "y": 0.0, "cluster": cluster or None, "membership": 1.0}
                for f, (cluster, _) in enumerate(features)
            ],
            "heldout_pairs": [
                {"feature": f, "concept": c, "threshold": 0.5, "test_f1_per_domain": 0.9, "is_found": True}
                for f, (_, c) in enumerate(features)
                if c
            ],
        }
    )  # fmt: skip
    con.execute(catalogue.create_macro(sqlfile.load("macros", "feature_clusters")))
    found: list[dict[str, Any]] = con.sql("from feature_clusters('a')").to_arrow_table().to_pylist()
    return found


def test_a_cluster_is_named_after_what_its_features_find_more_often_than_others() -> None:
    # Helix is as common in cluster 1 as SH3, but common everywhere.
    members: dict[int, list[str | None]] = {
        1: ["SH3"] * 4 + ["Helix"] * 4 + [None] * 2,
        2: ["amino_acid_C"] * 6 + ["Zinc"] * 3,
        3: ["amino_acid_W"] * 5,
        4: ["Lone", None, None, None, None],
        5: ["Helix"] * 4 + [None],
        0: ["Helix"] * 30 + [None] * 40,
    }
    found = labelled(members)
    assert [(r["cluster"], r["label"]) for r in found] == [
        (1, "SH3"), (2, "Zinc"), (3, "amino_acid_W"), (4, None), (5, None),
    ]  # fmt: skip
    first = found[0]
    assert (first["n_members"], first["n_with_concept"], first["n_with_label"]) == (10, 8, 4)
    assert first["label_share"] == 0.4
    n = sum(map(len, members.values()))
    tests = [
        (cluster, c, hypergeom.sf(of.count(c) - 1, n, sum(o.count(c) for o in members.values()), len(of)))
        for cluster, of in members.items()
        if cluster
        for c in sorted({c for c in of if c})
    ]
    q = false_discovery_control([p for *_, p in tests])
    expected = {(cluster, c): (p, q[i]) for i, (cluster, c, p) in enumerate(tests)}
    for r in found[:3]:
        assert (r["p_value"], r["q_value"]) == pytest.approx(expected[r["cluster"], r["label"]], rel=1e-6)


def test_equally_unlikely_labels_are_taken_in_the_order_of_their_names() -> None:
    found = labelled({1: ["B", "B", "A", "A", None], 0: [None] * 60})
    assert found[0]["label"] == "A"


def test_clusters_without_any_concept_have_no_label() -> None:
    assert [r["label"] for r in labelled({1: [None] * 5})] == [None]


def test_exact_co_activation_counts_all_residues(mapped_demo: tuple[Path, ClusterReport]) -> None:
    path = mapped_demo[0]
    chosen = [249, 3]
    found = rows(path, f"from feature_coactivation('{SAE}', {chosen}, k := 5)")
    active = rows(
        path,
        "select protein_id, position, list(feature) as features from (select a.protein_id, a.position, "
        "a.feature from activations as a inner join features as f using (sae, feature) "
        f"where sae = '{SAE}' and (value / max_activation)::float > 0.05::float) group by all",
    )
    (total,) = rows(path, f"select sum(n_residues)::bigint as n from encodings where sae = '{SAE}'")
    present = np.zeros((total["n"], 1024), dtype=bool)  # the residues without anything stand last
    for i, row in enumerate(active):
        present[i, row["features"]] = True
    for feature in chosen:
        mine = [r for r in found if r["chosen"] == feature]
        both = present[present[:, feature]].sum(axis=0)
        either = present[:, feature].sum() + present.sum(axis=0) - both
        share = both / np.maximum(either, 1)
        share[feature] = -1
        best = np.argsort(-share, kind="stable")[:5]
        assert [r["feature"] for r in mine] == best.tolist()
        assert [r["jaccard"] for r in mine] == pytest.approx(share[best].tolist())
        phi = [np.corrcoef(present[:, feature], present[:, g])[0, 1] for g in best]
        assert [r["phi"] for r in mine] == pytest.approx(phi)


def test_a_sampled_share_is_within_its_error_of_the_exact_one(
    mapped_demo: tuple[Path, ClusterReport],
) -> None:
    sampled = rows(
        mapped_demo[0],
        "select feature, other_feature, value, standard_error from feature_pairs where kind = 'coactivation' "
        "and rank <= 3 and standard_error > 0 and n_both >= 40",
    )
    chosen = sorted({r["feature"] for r in sampled})
    exact = {
        (r["chosen"], r["feature"]): r["jaccard"]
        for r in rows(mapped_demo[0], f"from feature_coactivation('{SAE}', {chosen}, k := 1000)")
    }
    off = [abs(r["value"] - exact[r["feature"], r["other_feature"]]) / r["standard_error"] for r in sampled]
    assert len(off) > 50
    assert np.mean(np.array(off) < 2) > 0.85


def test_a_stopped_run_leaves_the_last_landscape(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(copy, "from sampled_pairs order by all")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.Transaction, "publish", stop)
    with pytest.raises(KeyboardInterrupt):
        cluster(copy, SAE, n_residues=1000, skip_map=True)
    monkeypatch.undo()
    assert rows(copy, "from sampled_pairs order by all") == before
    assert verify(copy).is_sound


def test_a_macro_for_people_gives_each_kind_of_pair(mapped_demo: tuple[Path, ClusterReport]) -> None:
    kinds = {
        kind: rows(mapped_demo[0], f"from feature_pairs_of('{SAE}', 249, '{kind}')")
        for kind in ("decoder", "coactivation", "matched")
    }
    assert [len(found) for found in kinds.values()] == [10, 20, 5]
    best = rows(mapped_demo[0], f"from features_matched('{SAE}', '{NEURONS}') where feature = 249")
    assert best[0]["other_feature"] == kinds["matched"][0]["feature"]
    assert best[0]["correlation"] == kinds["matched"][0]["value"]
