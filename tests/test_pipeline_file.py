"""Pipeline files are checked as a whole before anything is done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interplm_wh import resources
from interplm_wh.demo import assets
from interplm_wh.errors import InputError
from interplm_wh.pipeline import spec
from interplm_wh.pipeline.steering import Steering
from interplm_wh.train import Ramp, SaeRecipe, TrainingPlan

FULL = """
what: everything at once
seed: 3
proteins:
  files: [a.csv, sub/b.fasta]
  sample: 10
  seed: 2
  max_length: 400
  skip_bad: true
annotations:
  - from: proteins
  - {files: [a.csv], source: lab, covers: a.csv, skip_bad: true}
  - {files: [a.csv], source: other, covers: listed}
plm: org/model
layers: [1, 2]
train:
  name: both
  splits: [valid]
  files: [sub/b.fasta]
  max_length: 300
  from: embeddings
  steps: 100
  batch: 32
  buffer: 64
  seed: 5
  precision: bfloat16
  log_every: 2
  checkpoint_every: 3
  wandb: project
  saes:
    - {name: "r{layer}", architecture: relu, n_features: 9, lr: 2e-4, lr_warmup: 4, lr_decay_from: 90,
       lr_final: 0.5, l1: 1E-2, l1_warmup: 6, l1_decay_from: 8, l1_final: 0.25, input_norm: sqrt_d,
       error: norm, clip: 0,
       unit_decoder: false, dead_after: 10, resample_every: 11, seed: 12}
    - {name: m, layer: 0, architecture: matryoshka, n_features: 8, lr: 1, k: 2, groups: [0.5, 0.5], auxk: 0.5}
    - {name: j, layer: 0, architecture: jumprelu, n_features: 8, lr: 1, target_l0: 2, l0: 3, l0_warmup: 4,
       l0_decay_from: 5, l0_final: 0.5, bandwidth: 0.25, clip: 2}
saes:
  - {name: "s{layer}", source: org/saes, file: ae.pt, revision: v1}
  - {name: neurons, source: identity, layer: 0}
  - {name: mine, source: ./sub, layer: 2, force: true, k: 64}
encode: {dtype: bfloat16, device: cpu, min_value: 0.5, token_budget: 99}
thresholds: [0, 0.5]
min_residues: 7
min_domains: 8
presence: 0.25
controls: [neurons, position]
score: true
steer:
  - {sae: mine, features: [1, 2], clamp: [-1, 0.5], proteins: [P1, P2], positions: "1-5,9", mask: none,
     controls: 0, seed: 4}
  - {sae: s1, feature_sql: select 1 as feature, scale: [2], sequence: ACD, watch: all, read: [mine],
     sample: 3, sweeps: 2, temperature: 0.5, resample: "2"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.csv", "sub/b.fasta"):
        (tmp_path / name).touch()
    return tmp_path


def _write(folder: Path, text: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _faults(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        spec.load(_write(folder, text))
    return str(caught.value)


def test_every_key_is_read_and_paths_start_from_the_files_folder(folder: Path) -> None:
    found = spec.load(_write(folder, FULL))
    assert found == spec.Pipeline(
        path=(folder / "pipeline.yaml").resolve(),
        what="everything at once",
        seed=3,
        proteins=spec.Proteins(
            (folder / "a.csv", folder / "sub/b.fasta"),
            None,
            None,
            sample=10,
            seed=2,
            max_length=400,
            skip_bad=True,
        ),
        annotations=(
            spec.Annotations((), None, None, False),
            spec.Annotations((folder / "a.csv",), "lab", str(folder / "a.csv"), True),
            spec.Annotations((folder / "a.csv",), "other", "listed", False),
        ),
        plm="org/model",
        train=TrainingPlan(
            name="both",
            plm="org/model",
            saes=(
                *(
                    SaeRecipe(
                        name=f"r{layer}",
                        architecture="relu",
                        layer=layer,
                        n_features=9,
                        learning_rate=Ramp(2e-4, 4, 90, 0.5),
                        l1=Ramp(0.01, 6, 8, 0.25),
                        input_norm="sqrt_d",
                        error="norm",
                        clip=None,
                        unit_decoder=False,
                        dead_after=10,
                        resample_every=11,
                        seed=12,
                    )
                    for layer in (1, 2)
                ),
                SaeRecipe("m", "matryoshka", 0, 8, Ramp(1.0), k=2, groups=(0.5, 0.5), auxk=0.5),
                SaeRecipe(
                    "j",
                    "jumprelu",
                    0,
                    8,
                    Ramp(1.0),
                    target_l0=2.0,
                    l0=Ramp(3.0, 4, 5, 0.5),
                    bandwidth=0.25,
                    clip=2.0,
                ),
            ),
            steps=100,
            batch=32,
            splits=("valid",),
            files=(str(folder / "sub/b.fasta"),),
            max_length=300,
            source="embeddings",
            buffer=64,
            seed=5,
            precision="bfloat16",
            log_every=2,
            checkpoint_every=3,
            wandb="project",
        ),
        saes=(
            spec.Sae("s1", "org/saes", 1, "ae.pt", "v1", False),
            spec.Sae("s2", "org/saes", 2, "ae.pt", "v1", False),
            spec.Sae("neurons", "identity", 0, None, None, False),
            spec.Sae("mine", str(folder / "sub"), 2, None, None, True, 64),
        ),
        encoding=spec.Encoding("bfloat16", "cpu", 0.5, 99),
        thresholds=(0.0, 0.5),
        min_residues=7,
        min_domains=8,
        presence=0.25,
        controls=("neurons", "position"),
        score=True,
        steer=(
            Steering(
                sae="mine", features=(1, 2), features_sql=None, clamp=(-1.0, 0.5), scale=(),
                proteins=("P1", "P2"), sequence=None, positions="1-5,9", mask="none", watch=None,
                n_controls=0, read=(), n_samples=0, n_sweeps=1, temperature=1.0, resample=None, seed=4,
            ),
            Steering(
                sae="s1", features=(), features_sql="select 1 as feature", clamp=(), scale=(2.0,),
                proteins=(), sequence="ACD", positions=None, mask="all", watch="all", n_controls=100,
                read=("mine",), n_samples=3, n_sweeps=2, temperature=0.5, resample="2", seed=0,
            ),
        ),
    )  # fmt: skip


def test_what_is_not_given_is_left_to_the_commands(folder: Path) -> None:
    found = spec.load(_write(folder, "what: nothing\n"))
    assert found.train is None
    assert (found.proteins, found.annotations, found.plm, found.saes, found.thresholds) == (
        None,
        (),
        None,
        (),
        (),
    )
    assert found.encoding == spec.Encoding("float32", None, None, None)
    assert (found.min_residues, found.min_domains, found.presence) == (None, None, None)


def test_an_unknown_key_is_named_with_the_nearest_known_one(folder: Path) -> None:
    text = _faults(
        folder, "protiens: {}\nsaes:\n  - {name: a, source: identity, layr: 1, layer: 1}\nplm: x/y\n"
    )
    assert "protiens: unknown key; did you mean proteins?" in text
    assert "saes[1].layr: unknown key; did you mean layer?" in text


def test_an_unknown_key_unlike_all_others_lists_the_known_ones(folder: Path) -> None:
    assert "encode.zzz: unknown key; known: device, dtype, min_value, token_budget" in _faults(
        folder, "encode: {zzz: 1}\n"
    )


def test_all_faults_of_a_file_come_at_once(folder: Path) -> None:
    text = _faults(
        folder,
        "proteins: {files: [gone.fasta], uniprot: q, sample: 0}\n"
        "annotations: [{}]\n"
        "plm: 5\n"
        "layers: [-1]\n"
        "encode: {dtype: float23, min_value: .nan}\n"
        "thresholds: [0.5, 0.5]\n",
    )
    for fault in (
        f"proteins.files: there is no file {folder / 'gone.fasta'}",
        "proteins: give exactly one of files, uniprot and demo",
        "proteins.sample: expected a number from 1 upwards, found 0",
        "annotations[1]: give either files, or from: proteins",
        "plm: expected text, found 5; put it in quotes",
        "layers: expected a number from 0 upwards, found -1",
        "encode.dtype: 'float23' is none of float32, bfloat16, float16; did you mean float32?",
        "encode.min_value: expected a number from 0 upwards, found nan",
        "thresholds: expected at most 10 different numbers",
    ):
        assert fault in text
    assert "9 faults" in text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("seed: true\n", "seed: expected a whole number, found True"),
        ("min_residues: 1.5\n", "min_residues: expected a whole number, found 1.5"),
        ("presence: high\n", "presence: expected a number, found high"),
        ("proteins: {files: a.csv}\n", "proteins.files: expected a list with at least one item, found a.csv"),
        ("proteins: {files: []}\n", "proteins.files: expected a list"),
        ("proteins: a.csv\n", "proteins: expected keys with values, found a.csv"),
        ("proteins: {files: [a.csv], skip_bad: 1}\n", "proteins.skip_bad: expected true or false, found 1"),
        ("proteins: {demo: {seed: 1}}\n", "proteins.demo.n: is needed"),
        ("proteins: {demo: {n: 2000000}}\n", "proteins.demo.n: expected at most 1,000,000, found 2,000,000"),
        ("proteins: {demo: {n: 5, sed: 1}}\n", "proteins.demo.sed: unknown key; did you mean seed?"),
        ("annotations: [{from: proteins}]\n", "annotations[1].from: the file has no proteins"),
        ("annotations: [{from: protein}]\n", "annotations[1].from: 'protein' is none of proteins"),
        ("plm: ' '\n", "plm: is empty"),
        ("saes: [{name: a, source: identity, layer: 1}]\n", "plm: is needed for saes"),
        ("plm: a/b\nsaes: [{source: identity, layer: 1}]\n", "saes[1].name: is needed"),
        ("plm: a/b\nsaes: [{name: a, layer: 1}]\n", "saes[1].source: is needed"),
        ("plm: a/b\nsaes: [{name: a, source: identity}]\n", "saes[1].layer: is needed"),
        ("plm: a/b\nlayers: [1, 2]\nsaes: [{name: a, source: identity}]\n", "'a' would name 2 SAEs"),
        (
            "plm: a/b\nsaes: [{name: 8, source: identity, layer: 1}]\n",
            "expected text, found 8; put it in quotes",
        ),
        (
            "plm: a/b\nsaes: [{name: 2024-01-01, source: identity, layer: 1}]\n",
            "found 2024-01-01; put it in quotes",
        ),
        (
            "plm: a/b\nsaes: [{name: ../x, source: identity, layer: 1}]\n",
            "SAE '../x': a name has 1 to 64 letters",
        ),
        ("- a\n", "the file: expected keys with values, found a list"),
        ("plm: a\nplm: b\n", "the key 'plm' stands twice"),
        ("plm: [a\n", "not valid YAML"),
        ("plm: !!python/object/apply:os.system [echo]\n", "not valid YAML"),
    ],
)
def test_a_value_that_does_not_fit_is_named(folder: Path, text: str, fault: str) -> None:
    assert fault in _faults(folder, text)


def test_names_of_saes_are_unique_whatever_their_case(folder: Path) -> None:
    text = _faults(
        folder,
        "plm: a/b\nlayers: [1]\nsaes:\n"
        "  - {name: one, source: identity}\n  - {name: One, source: identity}\n"
        "  - {name: one, source: identity}\n",
    )
    assert "differs only in case" in text
    assert "the name 'one' stands twice" in text


def test_a_quoted_number_is_a_name(folder: Path) -> None:
    found = spec.load(_write(folder, "plm: a/b\nsaes: [{name: '8', source: identity, layer: 1}]\n"))
    assert found.saes[0].name == "8"


def test_a_folder_that_exists_is_a_path_and_anything_else_a_hub_id(folder: Path) -> None:
    (folder / "org").mkdir()
    (folder / "org" / "here").mkdir()
    text = "plm: {}\nlayers: [1]\nsaes: [{{name: a, source: {}}}]\n"
    local = spec.load(_write(folder, text.format("org/here", "../elsewhere")))
    assert (local.plm, local.saes[0].source) == (str(folder / "org/here"), str(folder.parent / "elsewhere"))
    remote = spec.load(_write(folder, text.format("org/there", "org/saes")))
    assert (remote.plm, remote.saes[0].source) == ("org/there", "org/saes")


def test_demo_stands_for_the_models_of_the_package(folder: Path) -> None:
    found = spec.load(_write(folder, "plm: demo\nlayers: [2]\nsaes: [{name: a, source: demo}]\n"))
    assert (found.plm, found.saes[0].source) == (str(assets("plm")), str(assets("sae")))


def _known_keys(folder: Path) -> set[str]:
    """Return every key of every section, as the fault of an unknown one lists them."""
    unknown = (
        "zzzzzz: 1\nproteins: {zzzzzz: 1, demo: {n: 1, zzzzzz: 1}}\nencode: {zzzzzz: 1}\n"
        "annotations: [{zzzzzz: 1, from: proteins}]\nplm: a/b\n"
        "saes: [{zzzzzz: 1, name: a, source: identity, layer: 1}]\n"
        "train: {zzzzzz: 1, steps: 1, saes: [{zzzzzz: 1, name: b, architecture: relu, n_features: 1, lr: 1, "
        "layer: 1}]}\nsteer: [{zzzzzz: 1, sae: a, features: [1], clamp: [1], sequence: A}]\n"
    )
    lists = [line.split("known: ")[1] for line in _faults(folder, unknown).splitlines() if "known: " in line]
    assert len(lists) == 9
    return {key for text in lists for key in text.split(", ")}


def test_the_page_about_pipelines_shows_every_key_in_a_file_that_is_sound(folder: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "pipelines.md").read_text(encoding="utf-8")
    shown = page.split("```yaml\n")[1].split("```")[0]
    keys = set(re.findall(r"(?:^[ #-]*|[{,] ?)([a-z][a-z0-9_]*):(?= |$)", shown, flags=re.MULTILINE))
    assert keys == _known_keys(folder)
    assert [sae.name for sae in spec.load(_write(folder, shown)).saes] == [
        "esm2-8m-layer3",
        "esm2-8m-layer4",
        "neurons",
    ]


@pytest.mark.parametrize("path", sorted(resources.folder("pipelines").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_pipeline_of_the_package_is_sound_and_found_by_name(path: Path) -> None:
    found = spec.load(path.stem)
    assert found == spec.load(path)
    assert found.what and found.sae_names and found.proteins and found.annotations


def test_the_published_pipelines_take_the_published_layers() -> None:
    small, large = spec.load("esm2-8m"), spec.load("esm2-650m")
    published = [s for s in small.saes if s.source == "Elana/InterPLM-esm2-8m"]
    assert [s.layer for s in published] == [1, 2, 3, 4, 5, 6]
    assert [s.layer for s in large.saes if s.source == "Elana/InterPLM-esm2-650m"] == [1, 9, 18, 24, 30, 33]
    assert (small.plm, large.plm) == ("facebook/esm2_t6_8M_UR50D", "facebook/esm2_t33_650M_UR50D")
    for found in (small, large):
        assert found.proteins is not None
        assert found.proteins.sample == 50_000
        assert found.proteins.uniprot is not None and "reviewed:true" in found.proteins.uniprot


def test_the_pipeline_of_esmc_takes_the_sae_of_its_layer() -> None:
    found = spec.load("esmc-600m")
    assert found.plm == "biohub/ESMC-600M"
    assert [(s.name, s.source, s.layer) for s in found.saes] == [
        ("esmc-600m-layer27", "biohub/ESMC-600M-sae-layer27-k64-codebook16384", 27),
        ("esmc-600m-layer27-neurons", "identity", 27),
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dmo", "did you mean demo?"),
        ("zzz", "there are demo-sae, demo, esm2-650m, esm2-8m, esmc-600m, paper-8m, periodic-glycine, walk"),
        ("gone.yaml", "no pipeline file"),
    ],
)
def test_a_pipeline_that_is_not_there_is_an_error_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint.replace("?", r"\?")):
        spec.load(name)


def test_a_file_that_is_no_text_is_an_error(folder: Path) -> None:
    path = folder / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="cannot be read"):
        spec.load(path)


def test_what_is_steered_needs_an_sae_of_the_file_and_one_of_each_choice(folder: Path) -> None:
    text = (
        "plm: a/b\nsaes: [{name: a, source: identity, layer: 1}]\nsteer: [{sae: b}, {sae: a, features: [1], "
    )
    text += "feature_sql: x, clamp: [1], scale: [1], proteins: [P], sequence: A, read: [c], positions: 7}]\n"
    found = _faults(folder, text)
    for fault in (
        "steer[1].sae: 'b' is none of a",
        "steer[1]: give exactly one of features and feature_sql",
        "steer[2]: give exactly one of features and feature_sql",
        "steer[2]: give exactly one of clamp and scale",
        "steer[2]: give exactly one of proteins and sequence",
        "steer[2].read: 'c' is no SAE of this file",
        "steer[2].positions: expected text, found 7; put it in quotes",
    ):
        assert fault in found
