"""What a build makes, what it leaves alone, and what new proteins cost."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest
import small

from interplm_wh import build, commands, remove, schema, store
from interplm_wh.ask import info, report, verify
from interplm_wh.build import blocks, marts, plan
from interplm_wh.errors import CheckError, InputError, NotThereError

MARTS = [mart.name for mart in marts.ordered()]
PER_BLOCK = [mart.name for mart in marts.ordered() if mart.is_per_block and mart.name != "features"]
READ_ANNOTATIONS = {"concept_bands", "concept_support", "heldout_pairs", "source_firing"}
SCORE = {"min_residues": 5, "min_domains": 3}


def rows_of(path: Path, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    tables = [t.name for t in schema.tables().values() if t.storage in ("sae", "view")]
    with store.open(path) as wh:
        return {
            name: wh.con.execute(f'select * from "{name}" order by all').fetchall()
            for name in tables
            if name not in ("encodings", *without)
        }


def folder_of(path: Path, table: str) -> list[str]:
    with store.open(path) as wh:
        sql = "select folder from folders where is_current and table_name = $t order by rank"
        return list(wh.sql(sql, {"t": table})["folder"].to_pylist())


def add_more(path: Path, n_proteins: int) -> None:
    """Add proteins behind the first twenty, with annotations and activations."""
    if n_proteins:
        with store.write(path, command="test") as tx:
            small.add_proteins(tx, n_proteins)
            small.add_annotations(tx)
            small.add_activations(tx, "a", 20, 19 + n_proteins)
            tx.publish()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small.make(tmp_path / "w")


def test_a_second_build_does_nothing(path: Path) -> None:
    first = build.build(path, **SCORE)
    assert sorted(first.rebuilt) == sorted(f"a/{name}" for name in MARTS)
    catalogue = (path / "warehouse.duckdb").read_bytes()
    second = build.build(path)
    assert sorted(second.current) == sorted(first.rebuilt)
    assert (path / "warehouse.duckdb").read_bytes() == catalogue


def test_what_is_not_given_is_as_in_the_last_build_and_shown(path: Path) -> None:
    build.build(path, thresholds=[0.5, 0.25], **SCORE)
    again = build.build(path)
    assert again.settings["thresholds"] == (0.25, 0.5)
    assert "thresholds 0.25 0.5" in again.lines()[0]
    assert "min_residues 5" in again.lines()[0]


def test_new_thresholds_build_only_what_reads_them(path: Path) -> None:
    build.build(path, **SCORE)
    changed = build.build(path, thresholds=[0, 0.5])
    assert set(changed.rebuilt) == {
        "a/concept_bands", "a/source_firing", "a/heldout_pairs",
    }  # fmt: skip
    with store.open(path) as wh:
        assert wh.sql("select distinct threshold from concept_f1 order by all")["threshold"].to_pylist() == [
            0,
            0.5,
        ]


def test_scoring_more_concepts_scans_no_activations(path: Path) -> None:
    build.build(path, min_domains=1000)
    with store.open(path) as wh:
        assert wh.sql("from concept_f1").num_rows == 0  # at most 200 residues and 140 instances
    counts = folder_of(path, "concept_bands")
    changed = build.build(path, **SCORE)
    assert set(changed.rebuilt) == {"a/heldout_pairs"}
    assert folder_of(path, "concept_bands") == counts
    with store.open(path) as wh:
        assert wh.sql("from concept_f1").num_rows > 0


def test_appended_proteins_cost_only_themselves(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(path, **SCORE)
    add_more(path, 7)
    counted: list[tuple[int, int]] = []
    restrict = blocks.restrict

    def spy(tx: store.Transaction, sae: str, block: blocks.Block, *, is_covered: bool) -> None:
        counted.append((block.first_protein, block.last_protein))
        restrict(tx, sae, block, is_covered=is_covered)

    monkeypatch.setattr(blocks, "restrict", spy)
    appended = build.build(path)
    assert sorted(appended.appended) == sorted(f"a/{name}" for name in PER_BLOCK)
    assert set(counted) == {(20, 26)}
    assert "a/features" in appended.current  # the scale is fixed when it is first computed
    whole = small.make(tmp_path / "whole", n=27)
    build.build(whole, **SCORE)
    # Protein 20 repeats the values of protein 6, the highest there are: the scale is the same.
    assert rows_of(path) == rows_of(whole)
    assert verify(path).is_sound


def test_a_block_has_no_more_residues_than_its_sums_can_count(tmp_path: Path) -> None:
    assert blocks.BLOCK_RESIDUES < 2**26  # two counts of 26 bits stand in one number
    path = small.make(tmp_path / "w", n=5)
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 5)
        small.add_activations(tx, "a", 5, 9)
        folders = tx.con.execute("select folder from folders where table_name = 'activations' and sae = 'a'")
        names = [name for (name,) in folders.fetchall()]
        (whole,) = blocks.blocks(tx, "a", names)
        cut = blocks.blocks(tx, "a", names, block_residues=whole.n_residues - 1)
    assert len(cut) > 1 and sum(block.n_residues for block in cut) == whole.n_residues


@pytest.mark.parametrize(("block_rows", "block_residues"), [(1, 10**9), (10**9, 10**9), (10**9, 1)])
def test_blocks_and_chunks_of_any_size_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_rows: int, block_residues: int
) -> None:
    paths = [tmp_path / "one", tmp_path / "many"]
    for path in paths:
        small.make(path, n=5)
        with store.write(path, command="test") as tx:
            for first in range(5, 20, 5):
                small.add_proteins(tx, 5)
                small.add_activations(tx, "a", first, first + 4)
            small.add_annotations(tx)
            tx.publish()
    build.build(paths[0], **SCORE)
    limits = {"block_rows": block_rows, "block_residues": block_residues, "chunk_rows": 1}
    monkeypatch.setattr(blocks.blocks, "__kwdefaults__", limits)
    build.build(paths[1], **SCORE)
    assert rows_of(paths[0]) == rows_of(paths[1])


def test_a_chunk_reads_only_the_files_that_name_its_proteins(path: Path) -> None:
    add_more(path, 7)
    with store.write(path, command="test") as tx:
        blocks.focus(tx, "a")
        names = [folder for folder, _ in plan.folders_of(tx.con, "activations", "a")]
        chunks = [chunk for block in blocks.blocks(tx, "a", names, chunk_rows=1) for chunk in block.chunks]
        assert len(chunks) > 1 and all(len(chunk.listed) == 1 for chunk in chunks)
        assert {file for chunk in chunks for file in chunk.listed} == {
            str(file) for folder in tx.folder_paths("encodings", sae="a") for file in folder.iterdir()
        }
        for chunk in chunks:
            blocks.restrict(tx, "a", chunk)
            found = tx.con.execute(
                "select sum(n_activations)::bigint, sum(n_residues) from encodings"
            ).fetchall()
            assert found == [(chunk.n_rows, chunk.n_residues)]
            assert tx.con.execute("select count(*) from activations").fetchall() == [(chunk.n_rows,)]


def test_annotations_that_changed_for_old_proteins_are_counted_anew(path: Path) -> None:
    build.build(path, **SCORE)
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("annotations")
        tx.write_query(folder, "select * replace (least(stop, 5) as stop) from annotations where start <= 5")
        tx.replace("annotations", [folder], source="mine")
        tx.publish()
    assert set(info(path).stale["a"]) >= {"concept_bands", "concept_support", "heldout_pairs"}
    changed = build.build(path)
    assert {"a/concept_bands", "a/concept_support"} <= set(changed.rebuilt)
    assert "a/protein_features" in changed.current


def test_annotations_loaded_again_unchanged_cost_nothing(path: Path) -> None:
    build.build(path, **SCORE)
    with store.write(path, command="test") as tx:
        small.add_annotations(tx)
        tx.publish()
    assert build.build(path).rebuilt == ()


def test_info_says_what_is_behind_the_data(path: Path) -> None:
    assert "missing or older" in "\n".join(info(path).lines())
    build.build(path)
    assert info(path).lines()[-1] == "every table is up to date"
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 2)
        small.add_activations(tx, "a", 20, 21)
        tx.publish()
    behind = info(path).stale["a"]
    assert set(behind) == set(MARTS) - {"features", "decoder_neighbours"}
    assert "interplm-wh build" in info(path).lines()[-1]


def test_a_second_sae_leaves_the_first_alone(path: Path) -> None:
    build.build(path, **SCORE)
    with store.write(path, command="test") as tx:
        small.add_sae(tx, "b")
        small.add_activations(tx, "b", 0, 9)
        tx.publish()
    done = build.build(path)
    assert all(name.startswith("b/") for name in done.rebuilt)
    assert sorted(done.current) == sorted(f"a/{name}" for name in MARTS)
    with store.open(path) as wh:
        support = wh.sql(
            "select sae, sum(n_proteins) as n from concept_support where concept = 'Domain_x' group by sae"
        )
    assert dict(zip(*support.to_pydict().values(), strict=True)) == {"a": 20, "b": 10}


def test_select_builds_a_table_and_what_it_reads(path: Path) -> None:
    done = build.build(path, select=["feature_stats"])
    assert set(done.rebuilt) == {"a/features", "a/protein_features", "a/feature_stats"}
    with pytest.raises(InputError, match="did you mean feature_stats"):
        build.build(path, select=["feature_stat"])


@pytest.mark.parametrize(
    ("view", "made"),
    [
        ("firing", {"features", "source_firing"}),
        ("concept_f1", {"features", "source_firing", "concept_bands", "concept_support"}),
    ],
)
def test_select_takes_a_view_for_the_tables_that_it_reads(path: Path, view: str, made: set[str]) -> None:
    done = build.build(path, select=[view], **SCORE)
    assert set(done.rebuilt) == {f"a/{name}" for name in made}
    with store.open(path) as wh:
        assert wh.sql(f'select count(*) as n from "{view}"')["n"].to_pylist()[0] > 0


@pytest.mark.parametrize("n_new", [0, 7])
def test_a_new_source_is_counted_alone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_new: int
) -> None:
    build.build(path, **SCORE)
    table = tmp_path / "lab.csv"
    # Spans that overlap each other and those of the other source, on some of the proteins that it covers.
    rows = [f"P{i:04d},{1 + i % 3},{4 + i % 5},{kind}" for i in range(3, 16) for kind in ("patch", "core")]
    table.write_text("accession,start,stop,concept\n" + "\n".join(rows) + "\n")
    whole = shutil.copytree(path, tmp_path / "whole")
    for warehouse in (path, whole):
        add_more(warehouse, n_new)
        commands.add_annotations(warehouse, [table], covers="listed")
    with store.write(whole, command="test") as tx:  # so that everything is made anew
        tx.con.execute("update folders set fingerprint = null where sae = 'a' and table_name <> 'features'")
        tx.publish()
    assert set(info(path).stale["a"]) >= READ_ANNOTATIONS
    passes: list[tuple[str, ...] | None] = []
    only_sources = blocks.only_sources

    def spy(tx: store.Transaction, sources: tuple[str, ...] | None) -> AbstractContextManager[None]:
        passes.append(sources)
        return only_sources(tx, sources)

    monkeypatch.setattr(blocks, "only_sources", spy)
    done = build.build(path)
    assert passes == ([None] if n_new else []) + [("lab",)]
    reads = {f"a/{name}" for name in READ_ANNOTATIONS}
    assert {*done.rebuilt, *done.appended} >= reads
    assert not {"a/concept_bands", "a/concept_support", "a/source_firing"} & set(done.rebuilt)
    if not n_new:
        assert {*done.rebuilt, *done.appended} == reads
    assert {"a/concept_bands", "a/protein_features"} <= set(build.build(whole).rebuilt)
    assert rows_of(path) == rows_of(whole)
    assert build.build(path).rebuilt == build.build(path).appended == ()


def test_a_lost_scale_stops_the_build_and_says_so(path: Path) -> None:
    build.build(path, **SCORE)
    next((path / "lake" / "features").rglob("*.parquet")).unlink()
    with pytest.raises(NotThereError, match=r"scale of a is damaged or gone.*scale --sae a --from all"):
        build.build(path)
    build.scale(path, sae="a", source="all")
    assert verify(path).is_sound


def test_a_scale_from_valid_needs_a_valid_protein(tmp_path: Path) -> None:
    path = store.init(tmp_path / "w")
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 2)
        small.add_sae(tx, "a")
        small.add_activations(tx, "a", 1, 1)  # protein 1 is of test
        tx.publish()
    build.build(path)
    with pytest.raises(InputError, match="no protein of the split 'valid'"):
        build.scale(path, sae="a", source="valid")


@pytest.mark.parametrize(
    "settings",
    [
        {"thresholds": []},
        {"thresholds": [0.5, 0.5]},
        {"thresholds": [-0.1]},
        {"thresholds": [float("nan")]},
        {"thresholds": [i / 20 for i in range(11)]},
        {"presence": -1.0},
        {"presence": float("nan")},
        {"presence": float("inf")},
        {"min_domains": 10**30},
        {"min_residues": -1},
    ],
)
def test_settings_out_of_range_are_refused(path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        build.build(path, **settings)  # type: ignore[arg-type]


def test_the_scale_is_replaced_on_demand_and_everything_follows(path: Path) -> None:
    build.build(path, **SCORE)
    assert report(path).saes[0].summary["n_dead_features"] == 0
    scaled = build.scale(path, sae="a", source="valid")
    assert scaled.lines() == ["a: scale from valid (10 proteins); 0 features are dead"]
    with store.open(path) as wh:
        # Valid proteins are the even ones; the highest of 1 + id % 7 among them is 7, at protein 6.
        assert wh.sql("select max_activation from features where feature = 0")["max_activation"][
            0
        ].as_py() == (pytest.approx(0.7))
        assert wh.sql("select scale_source from saes")["scale_source"].to_pylist() == ["valid"]
    assert build.build(path).rebuilt == ()
    with pytest.raises(InputError, match="carries no scale"):
        build.scale(path, sae="a", source="checkpoint")
    with pytest.raises(NotThereError, match="there is no SAE z"):
        build.scale(path, sae="z", source="all")


def test_a_warehouse_without_saes_or_proteins_builds_and_reports(tmp_path: Path) -> None:
    path = store.init(tmp_path / "empty")
    assert build.build(path).rebuilt == ()
    assert info(path).lines()[-1] == "every table is up to date"
    assert verify(path).is_sound
    with pytest.raises(NotThereError, match="add sae"):
        report(path)


def test_an_sae_without_annotations_builds(tmp_path: Path) -> None:
    path = store.init(tmp_path / "w")
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 4)
        small.add_sae(tx, "a")
        small.add_activations(tx, "a", 0, 3)
        tx.publish()
    build.build(path, min_residues=5)
    assert report(path).saes[0].summary["n_concepts"] == 0


def test_a_mart_whose_files_are_gone_is_named_and_made_again(path: Path) -> None:
    build.build(path, **SCORE)
    shutil.rmtree(path / folder_of(path, "feature_amino_acids")[0])
    assert any("is missing" in fault for fault in verify(path).faults)
    with store.open(path) as wh:
        assert wh.sql("from feature_stats").num_rows == small.N_FEATURES
        with pytest.raises(duckdb.Error, match="feature_amino_acids cannot be read"):
            wh.sql("from feature_amino_acids")
    assert info(path).stale["a"] == ["feature_amino_acids"]
    assert build.build(path).rebuilt == ("a/feature_amino_acids",)
    assert verify(path).is_sound


def test_removing_an_sae_leaves_no_row_of_it(path: Path) -> None:
    build.build(path)
    remove.remove_sae(path, "a")
    with store.open(path) as wh:
        for table in schema.tables().values():
            if table.storage == "sae":
                assert wh.sql(f"from {table.name}").num_rows == 0
        assert wh.sql("from saes").num_rows == 0
    assert verify(path).is_sound
    with pytest.raises(NotThereError, match="there is no sae 'a'"):
        remove.remove_sae(path, "a")


def test_removing_a_source_removes_its_concepts_and_scores(path: Path) -> None:
    build.build(path, **SCORE)
    remove.remove_source(path, "mine")
    with store.open(path) as wh:
        assert wh.sql("from concepts where source = 'mine'").num_rows == 0
        assert wh.sql("from concept_f1 where concept = 'Domain_x'").num_rows == 0
        assert wh.sql("from concept_f1 where concept = 'amino_acid_A'").num_rows > 0
    assert verify(path).is_sound
    assert info(path).lines()[-1] == "every table is up to date"


@pytest.mark.parametrize("table", ["activations", "encodings", "proteins", "annotations", "coverage"])
@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_removing_proteins_writes_no_damaged_file_anew(path: Path, table: str, damage: str) -> None:
    build.build(path, **SCORE)
    part = next((path / "lake" / table).rglob("*.parquet"))
    data = bytearray(part.read_bytes())
    if damage == "missing":
        part.unlink()
    else:
        data[len(data) // 3] ^= 1
        part.write_bytes(data)
    before = (path / "warehouse.duckdb").read_bytes()
    with pytest.raises(CheckError, match="nothing was removed"):
        remove.remove_proteins(path, ["P0003"])
    assert (path / "warehouse.duckdb").read_bytes() == before
    assert not verify(path).is_sound


def test_removing_proteins_is_as_if_they_had_never_been_there(path: Path, tmp_path: Path) -> None:
    build.build(path, **SCORE)
    remove.remove_proteins(path, ["P0003", "P0019"])
    assert verify(path).is_sound
    assert info(path).lines()[-1] == "every table is up to date"
    with store.open(path) as wh:
        ids = wh.sql("select protein_id, accession from proteins order by protein_id").to_pydict()
        assert ids["protein_id"] == list(range(18))
        assert "P0003" not in ids["accession"]
        assert wh.sql("from feature_activations where accession in ('P0003', 'P0019')").num_rows == 0
        examples = wh.sql("select accession from max_examples")["accession"].to_pylist()
        assert not {"P0003", "P0019"} & set(examples)
        left = wh.sql("select n_residues from concept_support where concept = 'Domain_x' order by split")
        assert left["n_residues"].to_pylist() == [80, 100]  # test has lost two proteins of ten
    with pytest.raises(NotThereError, match="there is no protein P0003"):
        remove.remove_proteins(path, ["P0003"])
    with pytest.raises(InputError, match="no protein would be left"):
        remove.remove_proteins(path, ids["accession"])


def test_every_mart_of_the_contract_is_built() -> None:
    measured = {
        "activations",
        "compared_pairs",
        "encodings",
        "feature_map",
        "sae_frequency",
        "sae_metrics",
        "sampled_pairs",
        "training_metrics",
    }  # by models, on demand, from a sample or aside: not by a build
    of_commands = {
        "control_excess", "encoding_failures", "encoding_plans", "feature_rules", "feature_structure",
        "interpretation_predictions",
        "interpretation_prompts", "interpretation_verdicts", "interpretations", "pair_evidence",
        "steering_controls", "steering_effects", "steering_features", "steering_probabilities",
        "steering_runs", "steering_samples", "suggestion_counts", "suggestion_trials", "suggestions",
        "variant_changes", "variant_correlations", "variant_measurements", "variants",
    }  # fmt: skip
    built = set(MARTS) | set(marts.derived())
    asked = set(schema.tables()) - measured - of_commands
    assert {name for name in asked if schema.table(name).storage in ("sae", "view")} <= built
