"""What each page says is what the tables say, and what is chosen on one place shows in the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh import build, store
from tests import small
from tests.pages import opened, sound

FEATURE, SIGNAL = 249, "Signal peptide_any"


def rows(warehouse: Path, sql: str) -> pl.DataFrame:
    with interplm_wh.open(warehouse) as wh:
        return wh.polars(sql)


def labelled(app: AppTest, kind: str, label: str) -> object:
    (found,) = [element for element in app.get(kind) if getattr(element, "label", None) == label]
    return found


def table_with(app: AppTest, *columns: str) -> pl.DataFrame:
    """Return the one table of the page that has these columns."""
    (found,) = [pl.from_pandas(t.value) for t in app.dataframe if set(columns) <= set(t.value.columns)]
    return found


def said(app: AppTest) -> str:
    return " ".join(part.value for part in (*app.markdown, *app.caption))


def test_concepts_found_stand_beside_those_of_the_control(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch)
    best = rows(demo_warehouse, "from report_pairs('demo-sae') where not is_amino_acid")
    theirs = rows(demo_warehouse, "from report_pairs('demo-neurons') where not is_amino_acid")
    shown = table_with(app, "concept", "test_f1_per_domain", "F1 of demo-neurons")
    assert shown["concept"].to_list() == best["concept"].to_list()
    assert shown["test_f1_per_domain"].to_list() == best["test_f1_per_domain"].to_list()
    expected = dict(theirs.select("concept", "test_f1_per_domain").iter_rows())
    assert shown["F1 of demo-neurons"].to_list() == [expected.get(c) for c in shown["concept"]]
    ours, control = (
        rows(demo_warehouse, f"from report_summary('{sae}')").row(0, named=True)
        for sae in ("demo-sae", "demo-neurons")
    )
    assert f"**{ours['n_concepts_found']}** of {ours['n_concepts']} concepts are found" in said(app)
    assert f"finds {control['n_concepts_found']}." in said(app)


def test_quality_that_was_not_measured_names_the_command(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch)
    assert "evaluate --sae demo-sae" in "\n".join(block.value for block in app.code)


def test_the_concepts_of_a_feature_have_valid_beside_test(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE))
    shown = table_with(app, "concept", "F1 on valid", "F1 on test", "precision on test", "recall on test")
    found = rows(demo_warehouse, f"from feature_concepts('demo-sae', {FEATURE}) where concept = '{SIGNAL}'")
    first = shown.row(0, named=True)
    assert first["concept"] == SIGNAL
    for row in found.to_dicts():
        assert first[f"F1 on {row['split']}"] == row["f1_per_domain"]
        assert first[f"precision on {row['split']}"] == row["precision"]
        assert first[f"recall on {row['split']}"] == row["recall_per_domain"]
        assert first["threshold"] == row["threshold"]


def test_what_a_feature_is_said_to_mark_best_was_chosen_on_valid(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = rows(
        demo_warehouse,
        "select a.feature, a.concept, a.test_f1_per_domain as f1 from heldout_pairs as a "
        "where a.sae = 'demo-sae' and a.is_best and a.test_f1_per_domain is not null "
        "order by a.valid_f1_per_domain desc limit 1",
    ).row(0, named=True)
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(changing["feature"]))
    first = rows(demo_warehouse, f"from feature_concepts('demo-sae', {changing['feature']})")
    valid = first.filter(pl.col("split") == "valid").sort("f1_per_domain", descending=True).row(0, named=True)
    test = first.filter((pl.col("split") == "test") & (pl.col("concept") == valid["concept"]))
    assert f"best: F1 {test['f1_per_domain'][0]:.2f} on held-out proteins" in said(app)


def test_a_protein_that_is_chosen_has_its_residues_and_annotations_follow(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = rows(demo_warehouse, f"from feature_examples('demo-sae', {FEATURE})")["accession"].to_list()
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE))
    box = labelled(app, "selectbox", "Protein that is looked at closely")
    assert box.options == examples  # type: ignore[attr-defined]
    for chosen in (examples[0], examples[4]):
        box = labelled(app, "selectbox", "Protein that is looked at closely")
        box.set_value(chosen).run()  # type: ignore[attr-defined]
        assert not app.exception
        assert any(chosen in part.value for part in app.subheader)
        shown = table_with(app, "position", "amino_acid", "activation")
        active = f"from protein_activations('demo-sae', '{chosen}') where feature = {FEATURE}"
        track = rows(demo_warehouse, active)
        assert sorted(shown["position"]) == track["position"].to_list()
        assert shown["activation"].is_sorted(descending=True)


def test_any_other_protein_can_be_looked_at_by_its_accession(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strongest = rows(demo_warehouse, f"from feature_examples('demo-sae', {FEATURE}, k := 1000)")
    weak = strongest["accession"][-1]
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE), example=weak)
    assert any(weak in part.value for part in app.subheader)
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE), example="../../etc/passwd")
    assert "There is no protein" in app.warning[0].value


def test_each_range_of_activation_shows_its_own_proteins(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bins = rows(demo_warehouse, f"from feature_bins('demo-sae', {FEATURE})")
    for low, high in bins.select("bin_low", "bin_high").unique(maintain_order=True).iter_rows():
        name = (
            "without it"
            if high == 0
            else f"above {low:g}"
            if high == float("inf")
            else f"{low:g} to {high:g}"
        )
        app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE), bin=name)
        box = labelled(app, "selectbox", "Protein that is looked at closely")
        expected = bins.filter((pl.col("bin_low") == low) & (pl.col("bin_high") == high))["accession"]
        assert box.options == expected.to_list()  # type: ignore[attr-defined]


def test_filters_leave_the_features_that_they_name(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for meaning, name in (("any", "all"), ("concept", "finds a concept"), ("none", "no known concept")):
        left = rows(demo_warehouse, f"from features_where('demo-sae', meaning := '{meaning}', highest := 10)")
        app = opened(demo_warehouse, monkeypatch, "feature", which=name, share=["0 %", "10 %"])
        assert f"{len(left):,} features pass the filters" in said(app)


def test_neighbours_are_those_of_the_macros(demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE))
    near = rows(demo_warehouse, f"from feature_neighbours('demo-sae', {FEATURE})")
    beside = rows(demo_warehouse, f"from feature_companions('demo-sae', {FEATURE})")
    assert table_with(app, "feature", "cosine")["feature"].to_list() == near["feature"].to_list()
    assert table_with(app, "feature", "pct_overlap")["feature"].to_list() == beside["feature"].to_list()


def test_neurons_have_no_decoder_neighbours_and_the_page_says_so(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", sae="demo-neurons", feature="3")
    assert "This SAE has no decoder of its own here" in said(app)


def test_a_concept_shows_hits_misses_and_false_alarms(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    concept = "Active site_any"
    app = opened(demo_warehouse, monkeypatch, "concept", concept=concept)
    best = rows(demo_warehouse, f"from concept_features('demo-sae', '{concept}', k := 20)")
    shown = table_with(app, "feature", "F1 on valid", "F1 on test")
    assert shown["feature"].to_list() == best["feature"].to_list()
    assert shown["F1 on valid"].to_list() == best["f1_per_domain"].to_list()
    first = best.row(0, named=True)
    cases = rows(
        demo_warehouse,
        f"from concept_cases('demo-sae', '{concept}', {first['feature']}, {first['threshold']}, 'test')",
    )
    kinds = {"hit": "Hit: annotated and marked", "missed": "Missed: annotated, not marked"}
    assert set(cases["outcome"]) == set(kinds)
    for outcome, name in kinds.items():
        app = opened(demo_warehouse, monkeypatch, "concept", concept=concept, cases=name)
        box = labelled(app, "selectbox", "Protein that is looked at closely")
        expected = cases.filter(pl.col("outcome") == outcome)["accession"].to_list()
        assert box.options == expected  # type: ignore[attr-defined]
    app = opened(demo_warehouse, monkeypatch, "concept", concept=concept, cases="Marked, not annotated")
    assert "There is no such protein." in said(app)


def test_a_feature_that_hits_nothing_on_test_stays_in_the_list_with_zero(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = rows(
        demo_warehouse,
        "select concept, feature from heldout_pairs where sae = 'demo-sae' and is_best and is_testable "
        "and test_f1_per_domain = 0",
    )
    listed = rows(demo_warehouse, "from concept_list('demo-sae')")
    for concept in [*silent["concept"].to_list(), *listed["concept"].head(3).to_list()]:
        app = opened(demo_warehouse, monkeypatch, "concept", concept=concept)
        valid = rows(demo_warehouse, f"from concept_features('demo-sae', '{concept}', k := 20)")
        shown = table_with(app, "feature", "F1 on valid", "F1 on test")
        assert shown["feature"].to_list() == valid["feature"].to_list()
        assert shown["F1 on test"].null_count() == 0


def test_a_protein_opens_by_accession_name_or_choice(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "protein", protein="demo00007")
    assert app.title[0].value == "DEMO00007"
    app = opened(demo_warehouse, monkeypatch, "protein", protein="protein kinase")
    matches = table_with(app, "accession", "name", "length")
    assert all("protein kinase" in name.lower() for name in matches["name"])
    app = opened(demo_warehouse, monkeypatch, "protein", protein="no such thing")
    assert "No encoded protein has this accession" in app.info[0].value


def test_a_residue_lists_the_features_that_fire_there(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "protein", protein="DEMO00007", residue="11")
    shown = table_with(app, "feature", "activation", "concept")
    expected = rows(demo_warehouse, "from residue_features('demo-sae', 'DEMO00007', 11)")
    assert shown["feature"].to_list() == expected["feature"].to_list()


def test_two_saes_are_compared_by_the_rows_of_their_tables(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "compare")
    shown = table_with(app, "concept", "left_f1", "right_f1")
    expected = rows(demo_warehouse, "from saes_side_by_side('demo-sae', 'demo-neurons')")
    assert sorted(shown["concept"]) == sorted(expected["concept"])
    facts = dict(table_with(app, "measure", "0", "1").select("measure", "0").iter_rows())
    summary = rows(demo_warehouse, "from report_summary('demo-sae')").row(0, named=True)
    assert facts["concepts found (F1 above 0.5 on valid and on test)"] == str(summary["n_concepts_found"])
    assert facts["variance explained (1: exact)"] == "not measured"


def test_a_pasted_protein_has_the_features_that_the_warehouse_has_of_it(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accession = "DEMO00507"
    sequence = rows(demo_warehouse, f"from proteins where accession = '{accession}'")["sequence"][0]
    app = opened(demo_warehouse, monkeypatch, "sequence", text=f">mine\n{sequence}\n")
    assert not app.error
    shown = table_with(app, "feature", "activation", "pct_proteins")
    stored = rows(demo_warehouse, f"from protein_top_features('demo-sae', '{accession}', k := 100000)")
    assert set(shown["feature"]) == set(stored["feature"])
    expected = dict(stored.select("feature", "activation").iter_rows())
    for feature, activation in shown.select("feature", "activation").iter_rows():
        assert activation == pytest.approx(expected[feature], abs=2e-3)  # stored as float16 or better
    near = table_with(app, "accession", "pct_shared")
    assert near["accession"][0] == accession


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (">a\nMKT\n>a\nMKV\n", "a: 2 sequences"),
        (">a\n\n", "a: the sequence is empty"),
        ("MK1T", "1"),
        ("M" * 6001, "6,001 residues in all"),
        ("".join(f">s{i}\nMKT\n" for i in range(21)), "21 sequences"),
    ],
)
def test_what_cannot_be_encoded_is_said_in_words(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    app = opened(demo_warehouse, monkeypatch, "sequence", text=text)
    assert fault in app.error[0].value.replace("\\", "")


def test_a_model_that_is_not_at_hand_is_said_in_words(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(demo_warehouse, copy)
    (copy / "saes" / "demo-sae" / "sae.safetensors").unlink()
    app = opened(copy, monkeypatch, "sequence", text="MKTAYIAKQRQISFVKSHFSRQ")
    assert "sae.safetensors" in app.error[0].value.replace("\\", "")


def test_of_very_many_concepts_those_with_a_text_in_their_name_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small.make(tmp_path / "w")
    build.build(path, thresholds=[0, 0.5], min_residues=1, min_domains=1)
    with store.write(path, command="test") as tx:
        tx.con.execute(
            "insert into concepts select 100 + i, 'Kind_' || i, 'Kind', 'domain', 'mine' "
            "from range(600) as r (i)"
        )
        tx.publish()
    app = opened(path, monkeypatch, "concept")
    best = rows(path, "from concept_list('a') order by valid_f1_per_domain desc nulls last limit 1")
    assert app.title[0].value.replace("\\", "") == best["concept"][0]
    assert len(labelled(app, "selectbox", "Concept").options) == 500  # type: ignore[attr-defined]
    app = opened(path, monkeypatch, "concept", search="KIND_59")
    options = labelled(app, "selectbox", "Concept").options  # type: ignore[attr-defined]
    assert options == ["Kind_59", *(f"Kind_59{i}" for i in range(10))]
    app = opened(path, monkeypatch, "concept", search="kind_59", concept="Site_y")
    assert app.title[0].value == "Site\\_y"
    app = opened(path, monkeypatch, "concept", search="no such")
    assert app.info[0].value == "No concept has this in its name."


# -- the address and what is shown are one --------------------------------------------------------


@pytest.mark.parametrize("asked", ["-1", "1024", "99999999999999999999", "1.5", "abc"])
def test_a_feature_that_is_not_there_is_said(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature=asked)
    (warning,) = app.warning
    assert f"no feature {asked} in demo-sae" in warning.value.replace("\\", "")
    assert app.title[0].value == opened(demo_warehouse, monkeypatch, "feature").title[0].value


def test_a_feature_that_another_sae_has_not_is_said(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "feature", feature="1014")
    sound(app.selectbox(key="sae").set_value("demo-neurons").run())
    assert "no feature 1014 in demo-neurons" in app.warning[0].value.replace("\\", "")
    fresh = opened(demo_warehouse, monkeypatch, "feature", sae="demo-neurons")
    assert app.title[0].value == fresh.title[0].value


def test_a_concept_that_is_not_there_is_said(demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(demo_warehouse, monkeypatch, "concept", concept="zzz")
    assert [warning.value for warning in app.warning] == ["There is no concept zzz in this warehouse."]
    assert app.title[0].value == opened(demo_warehouse, monkeypatch, "concept").title[0].value


def test_what_was_not_chosen_goes_on_to_what_another_protein_shows_first(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = "Coloured by feature"
    app = opened(demo_warehouse, monkeypatch, "protein", protein="DEMO00001")
    first = labelled(app, "selectbox", label).value
    app.text_input(key="protein").set_value("DEMO00179").run()
    other = labelled(opened(demo_warehouse, monkeypatch, "protein", protein="DEMO00179"), "selectbox", label)
    assert first != other.value
    assert labelled(app, "selectbox", label).value == other.value
    # What was chosen stays, and is in the address.
    chosen = other.options[3]
    labelled(app, "selectbox", label).set_value(int(chosen)).run()
    labelled(app, "button_group", "Features").set_value("meaning").run()
    assert str(labelled(app, "selectbox", label).value) == chosen


def test_the_cases_of_another_concept_are_those_that_it_shows_first(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(name: str) -> object:
        app = opened(demo_warehouse, monkeypatch, "concept", concept=name)
        return labelled(app, "button_group", "Cases").value

    names = rows(demo_warehouse, "from concept_list('demo-sae') where is_found and n_instances > 0")[
        "concept"
    ]
    one, other = next((a, b) for a in names for b in names if first(a) != first(b))
    app = opened(demo_warehouse, monkeypatch, "concept", concept=one)
    app.selectbox(key="concept").set_value(other).run()
    assert labelled(app, "button_group", "Cases").value == first(other)


# -- what there is none of ------------------------------------------------------------------------


def test_a_concept_that_test_has_not_is_not_said_to_be_missed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small.make(tmp_path / "w")
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(folder, "select * replace ('valid' as split) from proteins")
        tx.replace("proteins", [folder])
        tx.publish()
    build.build(path, min_residues=1, min_domains=1)
    app = opened(path, monkeypatch, "concept", concept="Domain_x")
    assert table_with(app, "feature", "F1 on test")["F1 on test"].null_count() > 0
    assert "annotated on no protein of the split test" in app.info[0].value
    assert "single amino acids" not in said(app)


def test_a_protein_without_the_feature_is_drawn_all_the_same(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        query = "select accession from feature_bins('demo-sae', $feature) where bin_high = 0 limit 1"
        (absent,) = wh.polars(query, {"feature": FEATURE})["accession"]
    app = opened(demo_warehouse, monkeypatch, "feature", feature=str(FEATURE), example=absent)
    assert f"Feature {FEATURE} is not active on {absent}." in [info.value for info in app.info]
    assert any(f"along {absent}" in str(chart.proto) for chart in app.get("vega_lite_chart"))


@pytest.mark.parametrize("address", ["overview", "feature", "concept", "protein", "sequence", "compare"])
def test_every_page_shows_a_control_that_is_made_from_residues(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    app = opened(demo_warehouse, monkeypatch, address, sae="demo-sae-position")
    assert not app.error
    assert "control: position in the sequence" in said(app)


def test_a_control_that_is_made_from_residues_says_that_it_has_nothing_to_apply(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "sequence", sae="demo-sae-position", text="MKTAYIAK")
    assert "a control made from residues" in app.error[0].value.replace("\\", "")
    assert "choose an SAE or its neurons" in app.error[0].value.replace("\\", "")
