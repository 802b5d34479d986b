"""Which features of an SAE point the same way, against scipy's distances."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import cdist

import interplm_wh
from interplm_wh.build import build, directions
from interplm_wh.store import files

_WEIGHTS = "saes/demo-sae/sae.safetensors"


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 30])
def test_neighbours_are_the_nearest_of_all(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "_BLOCK_BYTES", block_bytes)
    decoder = np.random.default_rng(1).normal(size=(7, 90)).astype(np.float32)
    features, neighbours, cosines = directions.nearest(decoder, k=4)
    cosine = 1 - cdist(decoder.T.astype(float), decoder.T.astype(float), metric="cosine")
    np.fill_diagonal(cosine, -2)
    for feature in range(90):
        mine = features == feature
        best = np.argsort(-cosine[feature])[:4]
        assert set(neighbours[mine]) == set(best)
        np.testing.assert_allclose(np.sort(cosines[mine]), np.sort(cosine[feature][best]), atol=1e-5)


def test_a_column_without_direction_has_no_neighbours_and_is_none() -> None:
    decoder = np.array([[1, 0, 0.5, np.nan, 2]], np.float32)
    features, neighbours, cosines = directions.nearest(decoder, k=10)
    assert sorted(zip(features.tolist(), neighbours.tolist(), strict=True)) == [
        (0, 2), (0, 4), (2, 0), (2, 4), (4, 0), (4, 2),
    ]  # fmt: skip
    assert cosines.tolist() == [1.0] * 6


@pytest.mark.parametrize("n_features", [0, 1])
def test_fewer_than_two_features_have_no_neighbours(n_features: int) -> None:
    assert [len(part) for part in directions.nearest(np.ones((3, n_features), np.float32), k=5)] == [0, 0, 0]


def test_a_build_ranks_the_neighbours_of_every_feature_of_an_sae_with_a_decoder(demo_warehouse: Path) -> None:
    unit = load_file(demo_warehouse / _WEIGHTS)["decoder.weight"].astype(float)
    unit /= np.linalg.norm(unit, axis=0)
    with interplm_wh.open(demo_warehouse) as wh:
        shape = wh.sql("select sae, count(*) as n, max(rank) as k from decoder_neighbours group by sae")
        rows = wh.sql("from feature_neighbours('demo-sae', 249)").to_pylist()
    assert shape.to_pylist() == [{"sae": "demo-sae", "n": 10 * unit.shape[1], "k": 10}]  # no neurons
    cosine = unit.T @ unit[:, 249]
    cosine[249] = -2
    best = np.argsort(-cosine)[:10]
    assert [row["feature"] for row in rows] == best.tolist()
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert [row["cosine"] for row in rows] == pytest.approx(cosine[best].tolist(), abs=1e-5)


def test_companions_are_counted_over_the_residues_of_the_strongest_proteins(demo_warehouse: Path) -> None:
    feature, n_proteins, cut = 249, 10, np.float32(0.05)
    with interplm_wh.open(demo_warehouse) as wh:
        rows = wh.sql("from feature_companions('demo-sae', 249)").to_pylist()
        strongest = wh.sql(
            "select accession, max(activation) as top from feature_activations "
            f"where sae = 'demo-sae' and feature = {feature} group by accession"
        ).to_pylist()
        ids = {r["accession"]: r["protein_id"] for r in wh.sql("from proteins").to_pylist()}
        chosen = sorted(strongest, key=lambda r: (-r["top"], ids[r["accession"]]))[:n_proteins]
        names = ", ".join(f"'{r['accession']}'" for r in chosen)
        cells = wh.sql(
            "select accession, position, feature, activation from feature_activations "
            f"where sae = 'demo-sae' and accession in ({names})"
        ).to_pylist()
    places: dict[int, set[tuple[str, int]]] = {}
    for cell in cells:
        if cell["activation"] is not None and np.float32(cell["activation"]) > cut:
            places.setdefault(cell["feature"], set()).add((cell["accession"], cell["position"]))
    own = places.pop(feature)
    overlap = {f: 100 * len(own & where) / len(own | where) for f, where in places.items() if own & where}
    best = sorted(overlap, key=lambda f: (-overlap[f], f))[:10]
    assert [row["feature"] for row in rows] == best
    assert [row["pct_overlap"] for row in rows] == pytest.approx([overlap[f] for f in best])
    assert [row["n_both"] for row in rows] == [len(own & places[f]) for f in best]


def test_other_weights_under_the_name_make_the_table_anew(demo_warehouse: Path, tmp_path: Path) -> None:
    """The checksum of the weights is a part of what the table was made from."""
    copy = tmp_path / "copy"
    shutil.copytree(demo_warehouse, copy)
    assert build(copy).rebuilt == ()
    weights = copy / _WEIGHTS
    tensors = load_file(weights)
    tensors["decoder.weight"][:, 0] *= -1
    save_file(tensors, weights)
    with interplm_wh.store.write(copy, command="test") as tx:
        tx.con.execute("update saes set sha256 = ? where sae = 'demo-sae'", [files.sha256(weights)])
        tx.publish()
    assert "demo-sae/decoder_neighbours" in build(copy).rebuilt
    with interplm_wh.open(copy) as wh:
        rows = wh.sql("from feature_neighbours('demo-sae', 0)").to_pylist()
    unit = tensors["decoder.weight"] / np.linalg.norm(tensors["decoder.weight"], axis=0)
    assert rows[0]["feature"] == np.argsort(-(unit.T @ unit[:, 0]))[1]
