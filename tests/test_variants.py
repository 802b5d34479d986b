"""The command variants: its numbers against numpy one by one, what it refuses, what it leaves behind."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm, pearsonr, spearmanr

import interplm_wh
from interplm_wh import build, store
from interplm_wh.ask import info, verify
from interplm_wh.cli import cli
from interplm_wh.errors import InputError, InterplmError, MismatchError, NotThereError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.plm import load_plm
from interplm_wh.remove import remove_proteins, remove_sae
from interplm_wh.sae import add_sae, load_sae
from interplm_wh.sae.base import SAE
from interplm_wh.sae.topk import TopKSAE
from interplm_wh.variants import variants
from interplm_wh.variants.difference import WildType
from interplm_wh.variants.measured import interval, log_odds, spearman
from interplm_wh.variants.notation import LETTERS, Substitution, Variant, faults, parse, scan
from tests import varied
from tests.children import AFTER, BEFORE, kill_at
from tests.tiny_models import write_fasta
from tests.varied import FLOOR, LONG, PROTEIN, PROTEINS, WILD, write_effects

SAE_NAME = varied.SAE


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PLM of two layers with windows of 60 residues, and an SAE of its layer 1."""
    return varied.make_models(tmp_path_factory.mktemp("models").resolve())


@pytest.fixture(scope="module")
def built(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with a scale and no variants; never to be changed."""
    return varied.make(tmp_path_factory.mktemp("built").resolve(), models)


@pytest.fixture
def fresh(built: Path, tmp_path: Path) -> Path:
    """A warehouse that may be changed."""
    return shutil.copytree(built, tmp_path.resolve() / "w")


@pytest.fixture(scope="module")
def scanned(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with all substitutions of 12 residues and measured effects; never to be changed."""
    return varied.scanned(built, tmp_path_factory.mktemp("scanned").resolve())


def rows(path: Path, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    with interplm_wh.open(path, own_macros=True) as wh:
        found: list[dict[str, Any]] = wh.sql(sql, values).to_pylist()
    return found


def scales(path: Path) -> np.ndarray:
    found = rows(path, f"select max_activation from features where sae = '{SAE_NAME}' order by feature")
    return np.array([row["max_activation"] for row in found], np.float32)


def one_by_one(models: Path, text: str) -> np.ndarray:
    """The activations of one sequence by itself, float32 [length, n_features]."""
    plm = load_plm(str(models / "plm"), device="cpu")
    found: np.ndarray = load_sae(str(models / "ae.pt")).encode(plm.embed(text, 1)).numpy()
    return found


def near(wanted: dict[Any, tuple[float, float]], found: dict[Any, tuple[float, float]], floor: float) -> None:
    """The same changes; those within a batch's noise of the floor may be on either side of it."""
    for key in wanted.keys() ^ found.keys():
        before, after = wanted.get(key) or found[key]
        assert abs(abs(after - before) - floor) < 1e-4, key
    both = sorted(wanted.keys() & found.keys())
    assert len(both) > 20
    assert np.allclose([wanted[k] for k in both], [found[k] for k in both], atol=1e-4)


# -- notation ------------------------------------------------------------------------------------

substitutions = st.builds(
    Substitution, st.integers(1, 10**8), st.sampled_from(LETTERS), st.sampled_from(LETTERS)
)
listed = st.lists(substitutions, min_size=1, max_size=4, unique_by=lambda one: one.position)
CODES = "Ala Cys Asp Glu Phe Gly His Ile Lys Leu Met Asn Pro Gln Arg Ser Thr Val Trp Tyr"
THREE = dict(
    zip(LETTERS, CODES.split(), strict=True)
)  # fmt: skip


@given(listed)
def test_a_variant_is_read_as_it_is_written_in_either_notation(given_ones: list[Substitution]) -> None:
    variant = Variant(tuple(sorted(given_ones)))
    assert parse(variant.name) == variant
    words = [f"{THREE[one.wild_type]}{one.position}{THREE[one.mutant]}" for one in given_ones]
    assert parse(f"p.[{';'.join(words)}]") == variant
    assert parse(" " + ":".join(map(str, given_ones)) + "\n") == variant
    assert parse("p." + ":p.".join(words)) == variant
    assert parse(f"p.({words[0]})").substitutions == (given_ones[0],)


@given(st.text(max_size=12))
def test_any_text_is_a_variant_or_an_error_in_words(text: str) -> None:
    try:
        variant = parse(text)
    except InputError as error:
        assert "is no substitution" in str(error) or "more than once" in str(error)
    else:
        assert parse(variant.name) == variant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "12",
        "A0V",
        "A-1V",
        "A12",
        "A12*",
        "p.Ala12Ter",
        "p.Ala12=",
        "A12fs",
        "a12v",
        "A12V:",
        "A12V,G2D",
    ],
)
def test_what_is_no_substitution_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no substitution"):
        parse(text)


def test_a_position_that_is_changed_twice_is_refused() -> None:
    with pytest.raises(InputError, match="position 12 more than once"):
        parse("A12V:A12G")


def test_faults_say_what_stands_there() -> None:
    assert faults(parse("A1V"), "ACD") == []
    assert faults(parse("C1V"), "ACD") == ["C1V: position 1 is A, not C"]
    assert faults(parse("A1V:D9G"), "ACD") == ["D9G of A1V:D9G: the protein has 3 residues"]
    assert faults(parse("A1A"), "ACD") == ["A1A: changes nothing; leave it out"]
    assert faults(parse("A1X"), "ACD") == ["A1X: X is none of the 20 amino acids"]


def test_a_scan_is_every_other_letter_at_every_position() -> None:
    found = [one.name for one in scan("ACX", "2-3")]
    assert len(found) == len(set(found)) == 19 + 20
    assert found[0] == "C2A" and "C2C" not in found and "X3A" in found
    assert [one.of("ACX") for one in scan("ACX", "2")][:2] == ["AAX", "ADX"]
    assert len(list(scan("ACX", "all"))) == 19 + 19 + 20


@pytest.mark.parametrize("stretch", ["0-3", "3-2", "4", "1-4", "x", "", "1-", "-1"])
def test_a_scan_beyond_the_protein_is_refused(stretch: str) -> None:
    with pytest.raises(InputError, match="--scan"):
        list(scan("ACD", stretch))


# -- what is compared ----------------------------------------------------------------------------


def test_every_change_is_that_of_the_plm_and_the_sae_one_by_one(scanned: Path, models: Path) -> None:
    before, scale = one_by_one(models, WILD), scales(scanned)
    wanted = {}
    for variant in scan(WILD, "5-16"):
        after = one_by_one(models, variant.of(WILD))
        for position, feature in np.argwhere(np.abs(after - before) > FLOOR * scale):
            pair = (float(before[position, feature]), float(after[position, feature]))
            wanted[variant.name, int(feature), int(position) + 1] = tuple(v / scale[feature] for v in pair)
    found = {
        (row["variant"], row["feature"], row["position"]): tuple(
            row[c] / scale[row["feature"]] for c in ("wild_type_value", "mutant_value")
        )
        for row in rows(scanned, "from variant_changes")
    }
    near(wanted, found, FLOOR)


def test_the_table_of_variants_has_what_each_of_them_is(scanned: Path) -> None:
    found = rows(scanned, "from variants order by variant")
    assert [row["variant"] for row in found] == sorted(one.name for one in scan(WILD, "5-16"))
    for row in found:
        assert row["variant"] == f"{row['wild_type']}{row['position']}{row['mutant']}"
        assert (row["accession"], row["n_mutations"], row["min_change"]) == (PROTEIN, 1, FLOOR)
    assert verify(scanned).is_sound


@pytest.mark.parametrize("features", [[], [1, 3]])
def test_the_ranking_adds_up_changes_without_their_signs(scanned: Path, features: list[int]) -> None:
    scale = scales(scanned)
    changes = rows(scanned, "from variant_changes")
    ranking = rows(
        scanned,
        "from variant_ranking($s, $p, wanted_features := $f)",
        {"s": SAE_NAME, "p": PROTEIN, "f": features},
    )
    assert [row["rank"] for row in ranking] == list(range(1, len(ranking) + 1))
    totals = [row["total_change"] for row in ranking]
    assert totals == sorted(totals, reverse=True) and len(totals) == 12 * 19
    for row in ranking[::17]:
        mine = [
            c
            for c in changes
            if c["variant"] == row["variant"] and (not features or c["feature"] in features)
        ]
        signed = [(c["mutant_value"] - c["wild_type_value"]) / scale[c["feature"]] for c in mine]
        assert row["total_change"] == pytest.approx(sum(map(abs, signed)), abs=1e-5)
        at_site = [abs(s) for s, c in zip(signed, mine, strict=True) if c["position"] == row["position"]]
        assert row["site_change"] == pytest.approx(sum(at_site), abs=1e-5)
        assert row["n_features"] == len({c["feature"] for c in mine})
        assert row["n_residues"] == len({c["position"] for c in mine})
        by_feature = {
            f: sum(abs(s) for s, c in zip(signed, mine, strict=True) if c["feature"] == f)
            for f in {c["feature"] for c in mine}
        }
        if by_feature:
            assert by_feature[row["feature"]] == pytest.approx(max(by_feature.values()), abs=1e-5)


def test_features_and_tracks_add_up_to_the_same_changes(scanned: Path) -> None:
    scale, n = scales(scanned), 12 * 19
    changes = rows(scanned, "from variant_changes")
    found = rows(scanned, f"from variant_features('{SAE_NAME}', '{PROTEIN}')")
    for row in found:
        mine = [c for c in changes if c["feature"] == row["feature"]]
        signed = np.array([(c["mutant_value"] - c["wild_type_value"]) / scale[c["feature"]] for c in mine])
        assert row["total_change"] == pytest.approx(np.abs(signed).sum(), abs=1e-4)
        assert row["mean_change"] == pytest.approx(signed.sum() / n, abs=1e-5)
        assert row["n_variants"] == len({c["variant"] for c in mine})
        assert row["gain"] == pytest.approx(max(signed.max(), 0), abs=1e-5)
        assert row["loss"] == pytest.approx(min(signed.min(), 0), abs=1e-5)
    first = found[0]["feature"]
    track = rows(scanned, f"from variant_tracks('{SAE_NAME}', '{PROTEIN}', [{first}])")
    moved = sum(row["mean_gain"] - row["mean_loss"] for row in track) * n
    assert moved == pytest.approx(found[0]["total_change"], rel=1e-4)
    encoded = rows(
        scanned,
        f"from protein_activations('{SAE_NAME}', '{PROTEIN}') where feature = {first} order by position",
    )
    active = {
        row["position"]: row["wild_type_activation"] for row in track if row["wild_type_activation"] > 0
    }
    assert {row["position"] for row in encoded} == set(active)


def test_a_protein_beyond_the_window_is_read_in_the_windows_of_an_encoding(fresh: Path, models: Path) -> None:
    text = PROTEINS[LONG]
    two = [Substitution(p, text[p - 1], "W" if text[p - 1] != "W" else "A") for p in (20, 90)]
    both = Variant(tuple(two))
    report = variants(fresh, SAE_NAME, LONG, mutations=[both.name, str(two[0])], device="cpu")
    assert report.n_made == 2
    before, after, scale = one_by_one(models, text), one_by_one(models, both.of(text)), scales(fresh)
    wanted = {
        (int(f), int(p) + 1): (float(before[p, f] / scale[f]), float(after[p, f] / scale[f]))
        for p, f in np.argwhere(np.abs(after - before) > FLOOR * scale)
    }
    found = {
        (row["feature"], row["position"]): (row["wild_type_activation"], row["mutant_activation"])
        for row in rows(fresh, f"from variant_residues('{SAE_NAME}', '{LONG}', '{both.name}')")
    }
    near(wanted, found, FLOOR)
    (row,) = rows(fresh, f"from variants where variant = '{both.name}'")
    assert (row["n_mutations"], row["position"], len(row["mutant"])) == (2, 20, 2)


def top_k(n_features: int = 24, d: int = 8) -> SAE:
    generator = torch.Generator().manual_seed(5)
    sae = TopKSAE.initial(d, n_features, generator=generator, mean=torch.zeros(d), k=4)
    return sae


@pytest.mark.parametrize(("length", "n"), [(30, 40), (700, 3), (512, 2)])
@pytest.mark.parametrize("by_rows", [True, False])
def test_chunks_of_any_size_and_layout_give_the_same_changes(
    length: int, n: int, by_rows: bool, models: Path
) -> None:
    sae = top_k() if by_rows else load_sae(str(models / "ae.pt"))
    generator = torch.Generator().manual_seed(1)
    wild = torch.randn(length, sae.d_model, generator=generator)
    mutants = wild.repeat(n, 1)
    mutants[::3] += torch.randn(len(mutants[::3]), sae.d_model, generator=generator)
    scale = sae.encode(wild).amax(dim=0).numpy()
    scale[:3] = 0  # dead
    found = WildType.of(sae, wild, scale=scale, min_change=0.1)
    changes = found.changes(mutants)
    before, after = sae.encode(wild).numpy(), sae.encode(mutants).numpy().reshape(n, length, -1)
    is_changed = np.abs(after - before) > np.float32(0.1) * scale
    is_changed[:, :, scale == 0] = False
    variant, residue, feature = np.nonzero(is_changed)
    order = np.lexsort((residue, feature, variant))
    assert len(changes) == len(order) > 100
    assert (changes.variant == variant[order]).all()
    assert (changes.feature == feature[order]).all()
    assert (changes.position == residue[order] + 1).all()
    assert np.allclose(changes.mutant, after[is_changed][order], atol=1e-5)
    assert np.allclose(changes.wild_type, np.broadcast_to(before, after.shape)[is_changed][order], atol=1e-5)
    assert found.unscaled == {f for f in range(3) if (after[:, :, f] > 0).any()}


# -- measured effects ----------------------------------------------------------------------------


def test_correlations_are_those_of_scipy(scanned: Path) -> None:
    measured = {r["variant"]: r for r in rows(scanned, "from variant_measurements")}
    assert len(measured) == 12 * 19
    ranking = rows(scanned, f"from variant_ranking('{SAE_NAME}', '{PROTEIN}')")
    found = {r["measure"]: r for r in rows(scanned, "from variant_correlations where feature is null")}
    y = [measured[r["variant"]]["measured"] for r in ranking]
    numbers = {name: [r[name] for r in ranking] for name in ("total_change", "site_change")}
    numbers["log_odds"] = [measured[r["variant"]]["log_odds"] for r in ranking]
    assert set(found) == set(numbers)
    for name, x in numbers.items():
        assert found[name]["spearman"] == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
        assert found[name]["pearson"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)
        assert found[name]["spearman_low"] < found[name]["spearman"] < found[name]["spearman_high"]
        assert (found[name]["n_variants"], found[name]["n_positions"]) == (12 * 19, 12)


def test_correlations_of_features_count_variants_without_a_change_as_zero(scanned: Path) -> None:
    scale = scales(scanned)
    measured = {
        r["variant"]: r for r in rows(scanned, "from variant_measurements join variants using (sae, variant)")
    }
    names = sorted(measured)
    y = np.array([measured[name]["measured"] for name in names])
    unit = np.array([measured[name]["position"] for name in names])
    found = rows(scanned, "from variant_correlations where feature is not null order by feature")
    changes = rows(scanned, "from variant_changes")
    assert len(found) > 5
    for row in found:
        x = np.zeros(len(names))
        for c in (c for c in changes if c["feature"] == row["feature"]):
            x[names.index(c["variant"])] += (c["mutant_value"] - c["wild_type_value"]) / scale[c["feature"]]
        assert row["n_changed"] == np.count_nonzero(x) >= 10
        assert row["spearman"] == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
        assert row["pearson"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-6)
        rx, ry = (np.array([np.mean(np.flatnonzero(np.sort(v) == e)) for e in v]) for v in (x, y))
        z = [np.arctanh(np.corrcoef(rx[unit != u], ry[unit != u])[0, 1]) for u in np.unique(unit)]
        error = math.sqrt((len(z) - 1) * np.var(z))
        p = 2 * norm.sf(abs(np.arctanh(row["spearman"])) / error)
        assert row["p_value"] == pytest.approx(p, rel=1e-4)
        assert row["spearman_low"] == pytest.approx(
            np.tanh(np.arctanh(row["spearman"]) - 1.96 * error), abs=1e-3
        )
        assert row["n_tried"] == len(found)
    q = false_discovery_control([row["p_value"] for row in found])
    assert np.allclose([row["q_value"] for row in found], q)


def test_a_resample_is_a_sample_with_its_rows_repeated() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 40).astype(float), rng.normal(size=40)
    times = rng.integers(0, 4, (5, 40)).astype(float)
    wanted = [spearmanr(np.repeat(x, t.astype(int)), np.repeat(y, t.astype(int))).statistic for t in times]
    assert np.allclose(spearman(x, y, times), wanted)
    assert np.isnan(spearman(np.ones(40), y, times)).all()


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    n_held = 0
    for _ in range(40):
        of_position = rng.normal(size=(40, 2)) @ np.array([[1, 0.5], [0, math.sqrt(0.75)]])
        x, y = np.repeat(of_position, 5, axis=0).T
        low, high = interval(x, y, np.repeat(np.arange(40), 5).astype(np.int32))
        assert low is not None and high is not None
        n_held += low < 6 / math.pi * math.asin(0.25) < high  # of a normal pair with correlation 0.5
    assert n_held >= 34
    assert interval(x, y, np.zeros(200, np.int32)) == (None, None)


def test_a_planted_effect_is_found_and_noise_is_not(fresh: Path, tmp_path: Path) -> None:
    variants(fresh, SAE_NAME, PROTEIN, scan="1-20", device="cpu")
    scale, rng = scales(fresh), np.random.default_rng(2)
    planted = 4
    effects = {one.name: 0.02 * rng.normal() for one in scan(WILD, "1-20")}
    for c in rows(fresh, f"from variant_changes where feature = {planted}"):
        effects[c["variant"]] -= (c["mutant_value"] - c["wild_type_value"]) / scale[planted]
    file = write_effects(tmp_path / "planted.csv", effects, columns=("Variant", "fitness"))
    report = variants(fresh, SAE_NAME, PROTEIN, effects=file, column="fitness", device="cpu")
    assert report.n_made == 0
    found = [row for row in report.correlations.to_pylist() if row["feature"] is not None]
    assert found[0]["feature"] == planted
    assert found[0]["spearman"] < -0.9 and found[0]["q_value"] < 1e-6
    noise = write_effects(tmp_path / "noise.csv", {name: rng.normal() for name in effects})
    silent = variants(fresh, SAE_NAME, PROTEIN, effects=noise, device="cpu")
    q_values = [r["q_value"] for r in silent.correlations.to_pylist() if r["q_value"] is not None]
    assert len(q_values) > 5 and min(q_values) > 0.01
    assert {r["measurement"] for r in rows(fresh, "from variant_correlations")} == {
        "planted.csv:fitness", "noise.csv:DMS_score",
    }  # fmt: skip


@pytest.mark.parametrize("accession", [PROTEIN, LONG])
def test_log_odds_are_those_of_each_position_masked_by_itself(models: Path, accession: str) -> None:
    plm, text = load_plm(str(models / "plm"), device="cpu"), PROTEINS[accession]
    chosen = [next(scan(text, str(p))) for p in (1, len(text) // 2, len(text))]
    chosen.append(Variant((chosen[0].substitutions[0], chosen[2].substitutions[0])))
    found = log_odds(plm, text, chosen)
    assert found is not None
    for variant in chosen[:3]:
        (one,) = variant.substitutions
        start = 0 if one.position <= 50 else len(text) - plm.window if len(text) > plm.window else 0
        seen = text[max(start, 0) : max(start, 0) + plm.window]
        tokens = plm.tokens([seen])
        at = int(tokens.is_residue[0].nonzero()[one.position - 1 - max(start, 0)])
        masked = torch.zeros_like(tokens.is_residue)
        masked[0, at] = True
        logits = plm.predict([seen], masked=masked).logits[0, at].log_softmax(0)
        ids = {letter: int(plm.tokens([letter]).ids[plm.tokens([letter]).is_residue]) for letter in LETTERS}
        if len(text) <= plm.window or one.position in (1, len(text)):
            wanted = float(logits[ids[one.mutant]] - logits[ids[one.wild_type]])
            assert found[variant] == pytest.approx(wanted, abs=1e-4)
    assert found[chosen[3]] == pytest.approx(found[chosen[0]] + found[chosen[2]], abs=1e-6)


def test_variants_join_to_a_file_by_their_text(scanned: Path) -> None:
    sql = (
        f"select corr(r.total_change, d.DMS_score) as r, count(*) as n from variant_ranking('{SAE_NAME}', "
        f"'{PROTEIN}') as r join read_csv('{scanned.parent / 'dms.csv'}') as d on d.mutant = r.variant"
    )
    (row,) = rows(scanned, sql)
    (kept,) = rows(scanned, "from variant_correlations where measure = 'total_change'")
    assert row["n"] == 12 * 19
    assert row["r"] == pytest.approx(kept["pearson"])


# -- again, and other ones -----------------------------------------------------------------------


def test_the_same_again_is_neither_doubled_nor_computed(fresh: Path) -> None:
    first = variants(fresh, SAE_NAME, PROTEIN, scan="5-7", device="cpu")
    before = rows(fresh, "from variant_changes order by all")
    again = variants(fresh, SAE_NAME, PROTEIN, scan="5-7", device="cpu")
    assert (first.n_made, again.n_made, again.n_variants) == (57, 0, 57)
    assert again.ranking.equals(first.ranking)
    more = variants(fresh, SAE_NAME, PROTEIN, scan="6-9", device="cpu")
    assert (more.n_made, more.n_variants) == (38, 76)
    after = rows(
        fresh, "from variant_changes where variant in (select variant from variants where position < 8)"
    )
    assert len(after) == len(before)
    assert len(rows(fresh, "from variants")) == 95
    assert verify(fresh).is_sound


def test_a_new_scale_makes_them_outdated_and_they_are_replaced(fresh: Path) -> None:
    variants(fresh, SAE_NAME, PROTEIN, scan="5-7", device="cpu")
    variants(
        fresh, SAE_NAME, PROTEIN, mutations=[f"{WILD[9]}10{'A' if WILD[9] != 'A' else 'C'}"], device="cpu"
    )
    assert "variants of" not in "\n".join(info(fresh).lines())
    build.scale(fresh, sae=SAE_NAME, source="valid")
    assert f"variants --sae {SAE_NAME} --protein {PROTEIN}" in "\n".join(info(fresh).lines())
    one = variants(fresh, SAE_NAME, PROTEIN, scan="6", device="cpu")
    assert one.n_made == 19
    assert len(rows(fresh, "from variants")) == 58
    whole = variants(fresh, SAE_NAME, PROTEIN, device="cpu")
    assert (whole.n_made, whole.n_variants) == (58, 58)
    assert "variants of" not in "\n".join(info(fresh).lines())
    n = rows(
        fresh, "select count(*) as n, count(distinct (variant, feature, position)) as m from variant_changes"
    )
    assert n[0]["n"] == n[0]["m"] > 0
    assert verify(fresh).is_sound


def test_one_protein_has_one_floor(fresh: Path) -> None:
    variants(fresh, SAE_NAME, PROTEIN, scan="5-6", device="cpu")
    low = rows(fresh, "select count(*) as n from variant_changes")[0]["n"]
    with pytest.raises(InputError, match=r"19 other variants .* with 0\.05"):
        variants(fresh, SAE_NAME, PROTEIN, scan="5", min_change=0.3, device="cpu")
    variants(fresh, SAE_NAME, PROTEIN, min_change=0.3, device="cpu")
    assert rows(fresh, "select distinct min_change as m from variants") == [{"m": 0.3}]
    assert rows(fresh, "select count(*) as n from variant_changes")[0]["n"] < low
    assert variants(fresh, SAE_NAME, PROTEIN, scan="7", device="cpu").min_change == 0.3


def test_with_a_floor_of_zero_everything_is_kept_and_what_changes_nothing_has_no_row(fresh: Path) -> None:
    some = [one.name for one in scan(WILD, "5")][:3]
    variants(fresh, SAE_NAME, PROTEIN, mutations=some, min_change=0, device="cpu")
    every = rows(fresh, "select count(*) as n from variant_changes")[0]["n"]
    report = variants(fresh, SAE_NAME, PROTEIN, min_change=50, device="cpu")
    assert every > 0
    assert rows(fresh, "from variant_changes") == []
    assert report.ranking["total_change"].to_pylist() == [0, 0, 0]
    assert "3 change nothing" in report.lines()[0]
    assert verify(fresh).is_sound


def test_removed_proteins_take_their_variants_along_and_others_keep_theirs(
    fresh: Path, tmp_path: Path
) -> None:
    file = write_effects(tmp_path / "e.csv", {one.name: i for i, one in enumerate(scan(WILD, "5-6"))})
    variants(fresh, SAE_NAME, PROTEIN, effects=file, device="cpu")
    variants(fresh, SAE_NAME, "P7", scan="2", device="cpu")
    before = rows(fresh, f"from variant_ranking('{SAE_NAME}', '{PROTEIN}')")
    remove_proteins(fresh, ["P7", "P0"])
    assert {row["accession"] for row in rows(fresh, "from variants")} == {PROTEIN}
    assert rows(fresh, f"from variant_ranking('{SAE_NAME}', '{PROTEIN}')") == before
    assert len(rows(fresh, "from variant_measurements join proteins using (protein_id)")) == 38
    assert verify(fresh).is_sound
    assert "variants of" not in "\n".join(info(fresh).lines())
    assert variants(fresh, SAE_NAME, PROTEIN, scan="5-6", device="cpu").n_made == 0
    remove_sae(fresh, SAE_NAME)
    assert rows(fresh, "from variants") == rows(fresh, "from variant_changes") == []


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mutation", "X1A"], "position 1 is M, not X"),
        (["--mutation", "M1A:V9000A"], "the protein has 47 residues"),
        (["--mutation", "M1B"], "B is none of the 20 amino acids"),
        (["--mutation", "M1M"], "changes nothing"),
        (["--mutation", "hello"], "is no substitution"),
        (["--scan", "40-50"], "the protein has residues 1 to 47"),
        (["--scan", "1", "--feature", "20"], "there is no such feature"),
        (["--scan", "1", "--feature", "-1"], "there is no such feature"),
        (["--scan", "1", "--min-change", "-1"], "not below 0"),
        (["--scan", "1", "--min-change", "nan"], "not below 0"),
        (["--mutations", "nowhere.csv"], "there is no file nowhere.csv"),
        ([], "no variants of P6 were compared yet"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(built: Path, words: list[str], said: str) -> None:
    before = sorted(str(p) for p in built.rglob("*"))
    done = CliRunner().invoke(
        cli, ["-w", str(built), "variants", "--sae", SAE_NAME, "--protein", PROTEIN, *words]
    )
    assert isinstance(done.exception, InterplmError) and said in str(done.exception)
    assert sorted(str(p) for p in built.rglob("*")) == before


def test_all_faults_of_a_file_are_in_one_message(built: Path, tmp_path: Path) -> None:
    there = WILD[4]
    file = tmp_path / "bad.tsv"
    file.write_text(
        f"mutant\tDMS_score\n{there}5W\t1\nQ1A\t2\nM1A\tmuch\nM99A\t1\n{there}5W\t3\n\t1\nM1C\tinf\nM1D\t\n"
    )
    with pytest.raises(InputError) as error:
        variants(built, SAE_NAME, PROTEIN, effects=file, device="cpu")
    text = str(error.value)
    assert "6 faults" in text
    for said in (
        "row 2: Q1A: position 1 is M, not Q", "row 3: DMS_score is 'much'", "row 4: M99A: the protein has 47",
        "in row 1 already", "row 6: '' is no substitution", "row 7: DMS_score is 'inf'",
    ):  # fmt: skip
        assert said in text
    with pytest.raises(InputError, match="3 faults"):
        variants(built, SAE_NAME, PROTEIN, file=file, device="cpu")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("mutant,DMS_score\n", "DMS_score", "no row has a number in DMS_score"),
        ("mutant,DMS_score\nM1A,\n", "DMS_score", "no row has a number in DMS_score"),
        ("name,DMS_score\nM1A,1\n", "DMS_score", "no column mutant or mutation or variant"),
        ("mutant,score\nM1A,1\n", "DMS_score", "no column DMS_score"),
        (">P\nMKV\n", "DMS_score", "no column mutant"),
        ("mutant,variant,DMS_score\nM1A,M1C,1\n", "DMS_score", "has the columns mutant and variant"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(
    built: Path, tmp_path: Path, text: str, column: str, said: str
) -> None:
    file = tmp_path / "dms.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        variants(built, SAE_NAME, PROTEIN, effects=file, column=column, device="cpu")


def test_a_dead_feature_cannot_be_ranked_by(fresh: Path) -> None:
    with store.write(fresh, command="test") as tx:
        folder = tx.new_folder("features", sae=SAE_NAME)
        tx.write_query(
            folder, "select * replace (case when feature in (2, 5) then 0 else max_activation end "
            "as max_activation) from features",
        )  # fmt: skip
        tx.replace("features", [folder], sae=SAE_NAME)
        tx.publish()
    with pytest.raises(InputError) as error:
        variants(fresh, SAE_NAME, PROTEIN, scan="5", features=[2, 99, 5, 1], device="cpu")
    assert "3 faults" in str(error.value) and "2: the feature is dead" in str(error.value)
    report = variants(fresh, SAE_NAME, PROTEIN, scan="5", device="cpu")
    assert report.n_unscaled == 2
    assert "2 features that are dead in the scale fire" in "\n".join(report.lines())
    assert not {2, 5} & {row["feature"] for row in rows(fresh, "from variant_changes")}


def test_what_there_is_not_is_named_with_the_nearest(built: Path) -> None:
    with pytest.raises(NotThereError, match=r"there is no protein 'P66'.*did you mean P6"):
        variants(built, SAE_NAME, "P66", scan="1")
    with pytest.raises(NotThereError, match="there is no SAE"):
        variants(built, "t", PROTEIN, scan="1")
    with pytest.raises(InputError, match="give one of"):
        variants(built, SAE_NAME, PROTEIN, scan="1", mutations=["M1A"])


def test_an_sae_without_a_scale_is_told_to_build(models: Path, tmp_path: Path) -> None:
    path = store.init(tmp_path.resolve() / "w")
    add_proteins(path, [write_fasta(tmp_path / "p.fasta", PROTEINS)])
    add_sae(path, str(models / "ae.pt"), name=SAE_NAME, plm=str(models / "plm"), layer=1, device="cpu")
    with pytest.raises(InputError, match="no scale yet"):
        variants(path, SAE_NAME, PROTEIN, scan="1", device="cpu")


def test_a_run_that_is_stopped_leaves_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(str(p) for p in fresh.rglob("*") if ".staging" not in str(p) and p.name != ".lock")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in (
        "interplm_wh.store.Transaction.publish",
        "interplm_wh.variants.difference.WildType.changes",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, stop)
            with pytest.raises(KeyboardInterrupt):
                variants(fresh, SAE_NAME, PROTEIN, scan="5", device="cpu")
        now = [str(p) for p in fresh.rglob("*") if ".staging" not in str(p) and p.name != ".lock"]
        assert sorted(now) == before
    assert variants(fresh, SAE_NAME, PROTEIN, scan="5", device="cpu").n_made == 19


@pytest.mark.parametrize(
    ("place", "n_expected"),
    [("interplm_wh.variants.difference.WildType.changes", 19), (BEFORE, 19), (AFTER, 38)],
)
def test_a_command_killed_at_any_moment_keeps_all_or_what_there_was(
    fresh: Path, place: str, n_expected: int
) -> None:
    variants(fresh, SAE_NAME, PROTEIN, scan="5", device="cpu")
    before = rows(fresh, "from variant_changes order by all")
    words = ["variants", "--sae", SAE_NAME, "--protein", PROTEIN, "--scan", "6", "--device", "cpu"]
    kill_at(place, ["-w", str(fresh), *words])
    assert len(rows(fresh, "from variants")) == n_expected
    kept = "from variant_changes where regexp_matches(variant, '^.5.$') order by all"
    assert rows(fresh, kept) == before
    assert verify(fresh).is_sound
    assert variants(fresh, SAE_NAME, PROTEIN, scan="6", device="cpu").n_made == 38 - n_expected
    assert len(rows(fresh, "from variants")) == 38


def test_a_protein_that_changed_meanwhile_is_not_registered(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = WildType.changes

    def meanwhile(self: WildType, x: torch.Tensor) -> object:
        monkeypatch.undo()
        remove_proteins(fresh, ["P0"])
        return changes(self, x)

    monkeypatch.setattr(WildType, "changes", meanwhile)
    with pytest.raises((NotThereError, MismatchError), match="meanwhile; nothing was registered"):
        variants(fresh, SAE_NAME, PROTEIN, scan="5", device="cpu")
    assert rows(fresh, "from variants") == []
    assert verify(fresh).is_sound
