"""Which features are active together on a sample of residues, against numpy, and how far it may be off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest
from scipy.stats import false_discovery_control

from interplm_wh import progress, sqlfile
from interplm_wh.landscape import sample
from interplm_wh.landscape.sample import Sample
from tests import harness

Float64 = npt.NDArray[np.float64]
EVERYTHING = 10**9
PRESENCE = 0.05


def warehouse(saes: dict[str, Sequence[Float64]]) -> duckdb.DuckDBPyConnection:
    """Lay proteins with the activations of SAEs: of each a matrix [residues, features] per protein."""
    first = next(iter(saes.values()))
    con = harness.connect({"proteins": [harness.protein(i, "A" * len(m)) for i, m in enumerate(first)]})
    for sae, matrices in saes.items():
        at = [np.nonzero(m) for m in matrices]
        columns = {
            "protein_id": np.repeat(np.arange(len(at)), [len(r) for r, _ in at]).astype(np.int32),
            "position": np.concatenate([r for r, _ in at]).astype(np.int32) + 1,
            "feature": np.concatenate([f for _, f in at]).astype(np.int32),
            "value": np.concatenate([m[a] for m, a in zip(matrices, at, strict=True)]).astype(np.float32),
        }
        rows = pa.table({"sae": pa.array([sae] * len(columns["feature"])), **columns})
        harness.fill(con, "activations", rows)
        n_features = matrices[0].shape[1]
        harness.fill(
            con, "features", [{"sae": sae, "feature": f, "max_activation": 1.0} for f in range(n_features)]
        )
        harness.encode_all(con, sae=sae)
    return con


def draw_again(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Give the proteins other sample keys, as `init --seed` does."""
    keys = np.random.default_rng(seed).integers(0, 2**28, con.sql("from proteins").shape[0])
    con.register("given", pa.table({"protein_id": np.arange(len(keys), dtype=np.int32), "k": keys}))
    con.execute("update proteins set sample_key = k from given where given.protein_id = proteins.protein_id")
    con.unregister("given")


def coactive(
    con: duckdb.DuckDBPyConnection, *, n_proteins: int = 1000, n_residues: int = EVERYTHING, k: int = 20
) -> pl.DataFrame:
    with progress.track("testing") as bar:
        sample.lay_coactive(con, Sample("a", "a", n_proteins, n_residues), presence=PRESENCE, k=k, bar=bar)
    file = sqlfile.load("landscape", "coactive_rows")
    return con.sql(file.sql, params=file.bind({"sae": "a"})).pl().sort("feature", "rank")


def matched(
    con: duckdb.DuckDBPyConnection, *, n_proteins: int = 1000, n_residues: int = EVERYTHING, n_draws: int = 10
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows about the features of the SAE a, and of the SAE b."""
    with progress.track("testing") as bar:
        sample.lay_matched(con, Sample("a", "b", n_proteins, n_residues), n_draws=n_draws, k=5, bar=bar)
    file = sqlfile.load("landscape", "matched_rows")
    bound: list[dict[str, Any]] = [
        {"is_other": is_other, "counterpart": "ab"[not is_other], "k": 5} for is_other in (False, True)
    ]
    left, right = (con.sql(file.sql, params=file.bind(b)).pl().sort("feature", "rank") for b in bound)
    return left, right


def correlated(rng: np.random.Generator, n_proteins: int, n_features: int) -> list[Float64]:
    """Activations in runs, in levels that are exact, some features only in some proteins."""
    found = []
    for _ in range(n_proteins):
        n = int(rng.integers(30, 90))
        hidden = rng.normal(size=(n + 4, n_features)) + rng.normal(size=n_features)
        smooth = sum(hidden[i : i + n] for i in range(4)) / 2
        smooth[:, 1::2] = (smooth[:, 1::2] + smooth[:, ::2][:, : smooth[:, 1::2].shape[1]]) / 1.4
        found.append(np.round(np.clip(smooth - 1.2, 0, 4) / 4 * 4096) / 4096)
    return found


@pytest.fixture(scope="module")
def population() -> list[Float64]:
    return correlated(np.random.default_rng(2), 300, 12)


def test_of_all_residues_the_shares_are_exact(population: list[Float64]) -> None:
    rows = coactive(warehouse({"a": population}), k=4)
    present = np.concatenate(population) > PRESENCE
    both = present.T.astype(int) @ present
    share = both / (both.diagonal()[:, None] + both.diagonal() - both)
    np.fill_diagonal(share, -1)
    assert set(rows["n_residues"]) == {len(present)}
    assert set(rows["n_proteins"]) == {len(population)}
    for feature in range(12):
        mine = rows.filter(pl.col("feature") == feature)
        best = np.argsort(-share[feature], kind="stable")[:4]
        assert mine["rank"].to_list() == [1, 2, 3, 4]
        assert mine["other_feature"].to_list() == best.tolist()
        np.testing.assert_allclose(mine["value"], share[feature][best], rtol=1e-12)
        assert mine["n_both"].to_list() == both[feature][best].tolist()
        is_mutual = share[best[0]].argmax() == feature
        assert mine["is_mutual"].to_list() == [is_mutual, False, False, False]


def test_the_error_of_a_share_is_that_of_a_ratio_over_proteins(population: list[Float64]) -> None:
    rows = coactive(warehouse({"a": population}))
    for row in rows.sample(20, seed=1).to_dicts():
        f, g = row["feature"], row["other_feature"]
        pairs = [(m[:, f] > PRESENCE, m[:, g] > PRESENCE) for m in population]
        b = np.array([(x & y).sum() for x, y in pairs])
        e = np.array([(x | y).sum() for x, y in pairs])
        residual = b - row["value"] * e
        n = len(population)
        expected = np.sqrt(n / (n - 1) * (residual**2).sum()) / e.sum()
        assert row["standard_error"] == pytest.approx(expected, rel=1e-9)


def test_of_all_residues_the_correlations_are_those_of_numpy(population: list[Float64]) -> None:
    rng = np.random.default_rng(3)
    other = [np.round(np.clip(m @ rng.random((12, 9)) - 1, 0, 3) * 1024) / 1024 for m in population]
    left, right = matched(warehouse({"a": population, "b": other}))
    a, b = np.concatenate(population), np.concatenate(other)
    r = np.corrcoef(a.T, b.T)[:12, 12:]
    for rows, values in ((left, r), (right, r.T)):
        for feature in range(len(values)):
            mine = rows.filter(pl.col("feature") == feature)
            best = np.argsort(-values[feature])[:5]
            assert mine["other_feature"].to_list() == best.tolist()
            np.testing.assert_allclose(mine["value"], values[feature][best], rtol=1e-9)
            mutual = values[:, best[0]].argmax() == feature
            assert mine["is_mutual"].to_list()[0] == mutual
    row = left.row(0, named=True)
    x, y = ((m[:, i] - m[:, i].mean()) / m[:, i].std() for m, i in ((a, 0), (b, row["other_feature"])))
    pull = x * y - row["value"] / 2 * (x**2 + y**2)
    sums = [part.sum() for part in np.split(pull, np.cumsum([len(m) for m in population])[:-1])]
    n = len(population)
    expected = np.sqrt(n / (n - 1) * np.square(sums).sum()) / len(a)
    assert row["standard_error"] == pytest.approx(expected, rel=1e-9)


def test_stated_errors_are_the_spread_over_many_samples(population: list[Float64]) -> None:
    con = warehouse({"a": population, "b": [m[:, ::-1] for m in population]})
    shares, correlations = [], []
    for seed in range(40):
        draw_again(con, seed)
        shares.append(coactive(con, n_proteins=40, n_residues=1200))
        correlations.append(matched(con, n_proteins=40, n_residues=1200, n_draws=3)[0])
    for frames in (shares, correlations):
        every = pl.concat(frames).group_by("feature", "other_feature").agg(
            n=pl.len(), spread=pl.col("value").std(), stated=pl.col("standard_error").mean()
        )  # fmt: skip
        always = every.filter((pl.col("n") == 40) & (pl.col("spread") > 1e-9))  # not a feature with itself
        assert len(always) > 10
        ratio = (always["stated"] / always["spread"]).median()
        assert 0.8 < ratio < 1.25


def test_a_sample_is_drawn_evenly_from_whole_proteins_and_is_the_same_again() -> None:
    con = warehouse({"a": [np.ones((n, 1)) for n in [200] * 50 + [40] * 50]})
    draw_again(con, 1)
    drawn = []
    for _ in range(2):
        sample.lay(con, "sampled_residues", vars(Sample("a", "a", 80, 3000)))
        drawn.append(con.sql("from sampled_residues order by residue").fetchall())
    assert drawn[0] == drawn[1]
    first = "(select protein_id from proteins order by sample_key limit 80)"
    assert con.sql(f"select count(distinct protein_id) from sampled_residues where protein_id in {first}"
                   ).fetchall() == con.sql("select count(distinct protein_id) from sampled_residues"
                                           ).fetchall()  # fmt: skip
    assert len(drawn[0]) == pytest.approx(3000, rel=0.1)
    share = con.sql(
        "select r.length, count(*) / any_value(n.n) from sampled_residues as r inner join (select length, "
        f"sum(length) as n from proteins where protein_id in {first} group by length) as n "
        "using (length) group by r.length order by r.length"
    ).fetchall()
    assert share[0][1] == pytest.approx(share[1][1], rel=0.15)


def test_pairs_that_meet_too_rarely_are_left_out_and_few_proteins_have_no_error() -> None:
    proteins = [np.zeros((30, 3)) for _ in range(8)]
    proteins[0][:4, :2] = 1  # 0 and 1 meet on 4 residues: too rarely
    for i in range(4):
        proteins[i][10:12, 1:] = 1  # 1 and 2 on 8 residues of 4 proteins
    rows = coactive(warehouse({"a": proteins}))
    assert rows.select("feature", "other_feature", "n_both", "standard_error").rows() == [
        (1, 2, 8, None), (2, 1, 8, None),
    ]  # fmt: skip
    assert rows["value"].to_list() == [8 / 12, 8 / 12]


def test_a_sample_without_pairs_gives_no_rows() -> None:
    con = warehouse({"a": [np.full((3, 1), 0.01)] * 3, "b": [np.full((3, 1), 0.01)] * 3})
    assert coactive(con).is_empty()
    assert matched(con)[0].is_empty()


def test_residues_are_shifted_along_their_own_protein_and_all_alike() -> None:
    con = warehouse({"a": [np.ones((n, 1)) for n in (1, 2, 7, 50, 300)]})
    draw_again(con, 4)
    sample.lay(con, "sampled_residues", vars(Sample("a", "a", 80, EVERYTHING)))
    sample.lay(con, "shifted_residues", {"n_draws": 6})
    rows = con.sql(
        "select s.draw, r.protein_id, r.length, (s.position - r.position + r.length) % r.length as shift "
        "from shifted_residues as s inner join sampled_residues as r on s.residue = r.residue "
        "and s.protein_id = r.protein_id group by all"
    ).pl()
    assert len(rows) == 7 * 5  # one shift of each protein in each draw
    assert set(rows.filter(pl.col("draw") == 0)["shift"]) == {0}
    long = rows.filter((pl.col("draw") > 0) & (pl.col("length") >= 50))
    assert (long["shift"] / long["length"]).is_between(0.08, 0.92).all()
    assert long.filter(pl.col("length") == 300)["shift"].n_unique() > 3
    positions = con.sql(
        "select draw, protein_id, list_sort(list(position)) as p from shifted_residues group by all"
    ).pl()
    assert all(p.to_list() == list(range(1, len(p) + 1)) for p in positions["p"])


def independent(seed: int, n_features: int) -> list[Float64]:
    """Features in runs, each on its own; half of them rare."""
    rng = np.random.default_rng(seed)
    lengths = np.random.default_rng(0).integers(60, 120, 60)
    found = []
    for n in lengths:
        m = np.zeros((n, n_features))
        for f in range(n_features):
            for start in rng.integers(0, n, rng.poisson(2 if f % 2 else 0.3)):
                m[start : start + int(rng.geometric(0.3)), f] = rng.random()
        found.append(m)
    return found


def test_independent_saes_are_hardly_ever_matched() -> None:
    found = []
    for seed in range(3):
        con = warehouse({"a": independent(seed, 80), "b": independent(seed + 100, 90)})
        draw_again(con, seed)
        found += [rows.filter(pl.col("rank") == 1) for rows in matched(con)]
    rows = pl.concat(found)
    assert len(rows) > 450
    assert (rows["q_value"] < 0.05).mean() < 0.02
    assert 0.03 < (rows["p_value"] < 0.1).mean() < 0.2


def test_a_permuted_copy_is_matched_feature_by_feature() -> None:
    matrices = independent(1, 80)
    order = np.random.default_rng(9).permutation(80)
    con = warehouse({"a": matrices, "b": [2.0 * m[:, order] / 2 for m in matrices]})
    draw_again(con, 1)
    left, right = matched(con)
    best = left.filter(pl.col("rank") == 1)
    assert len(best) > 70
    assert order[best["other_feature"].to_numpy()].tolist() == best["feature"].to_list()
    assert best["value"].to_list() == pytest.approx([1.0] * len(best))
    assert best["is_mutual"].all()
    assert (best["q_value"] < 0.05).all()
    assert (best["null_mean"] <= best["null_highest"]).all()
    back = right.filter(pl.col("rank") == 1)
    assert order[back["feature"].to_numpy()].tolist() == back["other_feature"].to_list()
    assert left.filter(pl.col("rank") > 1)["p_value"].null_count() == len(left) - len(best)


def test_p_and_q_values_are_those_of_numpy() -> None:
    shared = independent(3, 40)
    rng = np.random.default_rng(8)
    noisy = [np.where(rng.random(m.shape) < 0.8, m, 0) for m in shared]
    con = warehouse({"a": shared, "b": noisy})
    draw_again(con, 5)
    left, _ = matched(con, n_draws=8)
    best = left.filter(pl.col("rank") == 1)
    chance = (
        con.sql("from chance_best where not is_other").pl().pivot("draw", index="feature", values="value")
    )
    features = con.sql("select feature from level_sums where draw = 0 and not is_other order by all").pl()
    null = features.join(chance, on="feature", how="left").fill_null(0).drop("feature").to_numpy()
    z = np.arctanh(np.clip(null, 0, 0.999999))
    usual = max(np.median(z.std(axis=1, ddof=1)), 0.01)
    others = np.stack([np.delete(z, i, axis=1) for i in range(8)], axis=1)  # [features, draws, draws - 1]
    by_chance = (z - others.mean(axis=2)) / (others.std(axis=2, ddof=1) + usual)
    seen = np.arctanh(np.clip(best["value"], 0, 0.999999))
    distance = (seen - z.mean(axis=1)) / (z.std(axis=1, ddof=1) + usual)
    p = (1 + (by_chance.ravel() >= distance[:, None]).sum(axis=1)) / (1 + by_chance.size)
    np.testing.assert_allclose(best["p_value"], p)
    every = np.concatenate([p, np.ones(len(features) - len(p))])
    np.testing.assert_allclose(best["q_value"], false_discovery_control(every)[: len(p)])
    np.testing.assert_allclose(best["null_mean"], null.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(best["null_highest"], null.max(axis=1), atol=1e-6)


def test_features_that_never_meet_by_chance_are_matched_with_their_copies() -> None:
    matrices = [np.zeros((90, 30)) for _ in range(30)]
    for i, matrix in enumerate(matrices):
        matrix[40:43, i] = 1  # 3 residues of one protein, and so too few
        matrix[50:56, (i + 1) % 30] = 0.5
    left, _ = matched(warehouse({"a": matrices, "b": matrices}))
    best = left.filter(pl.col("rank") == 1)
    assert best.height == 0  # active on 9 residues
    for i, matrix in enumerate(matrices):
        matrix[60:61, i] = 0.25
    left, _ = matched(warehouse({"a": matrices, "b": matrices}))
    best = left.filter(pl.col("rank") == 1)
    assert best["other_feature"].to_list() == list(range(30))
    assert (best["q_value"] < 0.01).all()


@pytest.mark.parametrize("chunk", [50, 10**9])
def test_rows_do_not_depend_on_how_the_pairs_are_cut(
    chunk: int, population: list[Float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    con = warehouse({"a": population, "b": [m[:, ::-1] for m in population]})
    expected = coactive(con), *matched(con, n_draws=3)
    monkeypatch.setattr(sample, "_CHUNK", chunk)
    found = coactive(con), *matched(con, n_draws=3)
    for a, b in zip(expected, found, strict=True):
        assert a.equals(b)
