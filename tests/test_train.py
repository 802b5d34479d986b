"""Training: the stream of residues, what a step does, and what ends up in the warehouse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from interplm_wh import store
from interplm_wh.ask import verify
from interplm_wh.build import build
from interplm_wh.encode import encode
from interplm_wh.errors import CheckError, InputError, MismatchError, ModelError, TrainingError
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.pipeline import spec
from interplm_wh.plm import load_plm
from interplm_wh.remove import remove_sae
from interplm_wh.sae import add_sae
from interplm_wh.sae.registry import ARCHITECTURES
from interplm_wh.sae.saved import load_saved
from interplm_wh.train import Ramp, SaeRecipe, TrainingPlan, register, sources, train
from interplm_wh.train import checkpoint as checkpoints
from interplm_wh.train.sources import EmbeddingsSource, PlmSource, Sequences, write_embeddings
from interplm_wh.train.stream import Place, Stream
from interplm_wh.train.trainer import SaeTrainer
from tests.tiny_models import WIDTH, make_plm, sequence, write_fasta

RECIPES: dict[str, dict[str, object]] = {
    "relu": {"l1": Ramp(0.03, 10)},
    "relu_tied": {"l1": Ramp(0.03, 10)},
    "topk": {"k": 3},
    "batch_topk": {"k": 3},
    "jumprelu": {"target_l0": 4.0, "bandwidth": 0.05},
    "gated": {"l1": Ramp(0.1, 10)},
    "matryoshka": {"k": 3, "groups": (0.25, 0.75)},
}


def recipe(architecture: str, **changes: object) -> SaeRecipe:
    """A recipe for a small SAE."""
    base = SaeRecipe(
        name=architecture.replace("_", "-"),
        architecture=architecture,
        layer=1,
        n_features=32,
        learning_rate=Ramp(3e-3, 5),
        input_norm="unit_mean_norm",
        **RECIPES[architecture],  # type: ignore[arg-type]
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def planted(n: int = 4096, seed: int = 0, *, n_directions: int = 24) -> Tensor:
    """Residues that are sums of a few directions, 2.4 on average."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(n_directions, WIDTH, generator=generator), dim=1)
    shape = (n, n_directions)
    is_there = torch.rand(shape, generator=generator) < 2.4 / n_directions
    codes = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) * is_there
    return codes @ directions + 0.5


# -- settings ----------------------------------------------------------------------------------------


def test_a_ramp_rises_stays_and_falls() -> None:
    ramp = Ramp(2.0, warmup=4, decay_from=8, final=0.25)
    values = [ramp.at(step, 12) for step in range(12)]
    # A quarter of 2 per step of the warm-up; from step 8 on, 4 steps from the peak to a quarter of it.
    assert values == pytest.approx([0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 1.625, 1.25, 0.875])
    assert [Ramp(3.0).at(step, 5) for step in range(5)] == [3.0] * 5


def plan_of(*saes: SaeRecipe, **changes: object) -> TrainingPlan:
    """A short plan."""
    base = TrainingPlan(
        name="t", plm="", saes=saes, steps=30, batch=64, buffer=256, log_every=10, checkpoint_every=10
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plan", "messages"),
    [
        (plan_of(), ["there is no SAE to train"]),
        (plan_of(recipe("topk", k=None)), ["topk: k is missing"]),
        (plan_of(recipe("topk", k=33)), ["k is 33, but there are 32 features"]),
        (plan_of(recipe("relu", k=3)), ["k is no setting of relu, which has l1"]),
        (plan_of(recipe("relu", l1=None)), ["l1 is missing: the weight of the L1 penalty"]),
        (
            plan_of(replace(recipe("relu"), architecture="top_k")),
            ["no architecture 'top_k'", "did you mean topk?"],
        ),
        (
            plan_of(replace(recipe("relu"), architecture="identity", l1=None)),
            ["no architecture 'identity' can be"],
        ),
        (plan_of(recipe("relu"), recipe("topk", name="RELU")), ["the name 'RELU' stands twice"]),
        (plan_of(recipe("relu", name="../x")), ["SAE '../x': a name has 1 to 64 letters"]),
        (plan_of(recipe("relu"), buffer=10), ["buffer is 10 residues, less than a batch of 64"]),
        (plan_of(recipe("relu"), splits=("train", "tset")), ["'tset' is no split"]),
        (plan_of(recipe("relu"), files="x.fasta"), ["files is 'x.fasta'; give a tuple of text"]),
        (plan_of(recipe("relu"), steps="20"), ["steps is '20'; give a whole number from 1 to"]),
        (replace(plan_of(), saes=recipe("relu")), ["saes is SaeRecipe", "give a tuple of SaeRecipe"]),
        (plan_of(recipe("topk", k="8")), ["k is '8'; give a whole number"]),
        (plan_of(recipe("relu", clip="1")), ["clip is '1'; give a number"]),
        (
            plan_of(recipe("relu", learning_rate=1e-3)),
            ["learning_rate is 0.001; give a Ramp, such as Ramp(0.001)"],
        ),
        (plan_of(recipe("relu", learning_rate=Ramp(0.0))), ["lr is 0.0; nothing would be learnt"]),
        (plan_of(recipe("relu", input_norm="sqrtd")), ["input_norm is 'sqrtd'; it is one of none, sqrt_d"]),
        (plan_of(recipe("relu", error="l2")), ["error is 'l2'; it is one of squared, norm"]),
        (plan_of(recipe("topk", auxk=float("nan"))), ["auxk is nan; give a number that is not below 0"]),
        (plan_of(recipe("topk", k=2.5)), ["k is 2.5; give a whole number"]),
        (plan_of(recipe("relu", seed=2**63)), [f"seed is {2**63}; give 0 to"]),
        (plan_of(recipe("relu"), seed=-1), ["seed is -1; give 0 to"]),
        (plan_of(recipe("relu"), source="disk"), ["source is 'disk'; it is one of plm, embeddings"]),
        (plan_of(recipe("relu"), precision="bf16"), ["precision is 'bf16'; it is one of float32, bfloat16"]),
        (plan_of(recipe("relu"), steps=10**25), ["give a whole number from 1 to"]),
        (plan_of(recipe("matryoshka", groups=(0.5, 0.2))), ["groups [0.5, 0.2] are not positive shares"]),
        (
            plan_of(recipe("relu", learning_rate=Ramp(float("nan"), 50, 40)), steps=30),
            ["lr is nan", "warm-up of 50 steps is not within the 30", "decay from step 40 is not between"],
        ),
    ],
)
def test_every_fault_of_a_plan_is_named(plan: TrainingPlan, messages: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        plan.check()
    for message in messages:
        assert message in str(caught.value)


# -- stream ------------------------------------------------------------------------------------------


START = Place()


class Numbered:
    """Hidden states that say which residue they are."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes: NDArray[np.int64] = np.array(sizes, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)])

    def load(self, pieces: list[int]) -> dict[int, Tensor]:
        rows = np.concatenate([np.arange(self._starts[p], self._starts[p + 1]) for p in pieces])
        return {0: torch.tensor(rows, dtype=torch.float32)[:, None]}


def first(stream: Stream, n: int, start: Place = START) -> tuple[list[list[float]], list[Place]]:
    """The first batches from a place, and the places after each."""
    found = [batch for _, batch in zip(range(n), stream.batches(start), strict=False)]
    return [b.states[0][:, 0].tolist() for b in found], [b.following for b in found]


def test_batches_go_on_from_any_place_as_if_they_had_not_stopped() -> None:
    sizes = [int(n) for n in np.random.default_rng(0).integers(5, 60, 50)]
    stream = Stream(Numbered(sizes), batch=32, buffer=300, seed=4)
    whole, places = first(stream, 120)
    assert places[-1].epoch >= 2
    for cut in (1, 17, 40, 41, 99):
        rest, _ = first(stream, 120 - cut, places[cut - 1])
        assert rest == whole[cut:]
    again, _ = first(Stream(Numbered(sizes), batch=32, buffer=300, seed=4), 120)
    assert again == whole
    assert first(Stream(Numbered(sizes), batch=32, buffer=300, seed=5), 5)[0] != whole[:5]


def test_an_epoch_has_each_residue_at_most_once_and_nearly_all_of_them() -> None:
    sizes = [37] * 40
    stream = Stream(Numbered(sizes), batch=32, buffer=400, seed=1)
    batches, places = first(stream, 60)
    epoch = [batch for batch, following in zip(batches, places, strict=True) if following.epoch == 0]
    seen = [x for batch in epoch for x in batch]
    assert len(seen) == len(set(seen))
    assert len(seen) > 0.9 * sum(sizes)
    for batch in epoch:
        assert len(batch) == 32
        assert len({x // 37 for x in batch}) > 5  # residues of many proteins


@pytest.mark.parametrize("sizes", [[10, 500, 10], [500], [1] * 70, [64], [63, 1, 63, 1]])
def test_every_chunk_holds_a_batch(sizes: list[int]) -> None:
    stream = Stream(Numbered(sizes), batch=64, buffer=64, seed=0)
    batches, _ = first(stream, 5)
    assert [len(batch) for batch in batches] == [64] * 5


@pytest.mark.parametrize(("sizes", "message"), [([], "no residues;"), ([20, 43], "63 residues, fewer")])
def test_an_empty_or_short_stream_is_refused(sizes: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Stream(Numbered(sizes), batch=64, buffer=64, seed=0)


def test_hidden_states_that_are_not_finite_are_refused() -> None:
    source = Numbered([100])
    source.load = lambda pieces: {0: torch.full((100, 1), torch.nan)}  # type: ignore[method-assign]
    with pytest.raises(MismatchError, match="layer 0 are not finite"):
        next(Stream(source, batch=64, buffer=64, seed=0).batches(Place()))


# -- steps -------------------------------------------------------------------------------------------


def trainer_of(one: SaeRecipe, x: Tensor, *, steps: int = 300) -> SaeTrainer:
    """Begin a training."""
    return SaeTrainer.start(one, x, steps=steps, batch=256, precision=torch.float32)


def explained(trainer: SaeTrainer, x: Tensor) -> float:
    """Variance explained, in the units of x."""
    with torch.no_grad():
        rest = (trainer.sae.reconstruct(x) - x).square().sum()
    return 1 - float(rest / (x - x.mean(dim=0)).square().sum())


@pytest.mark.parametrize("architecture", sorted(RECIPES))
def test_training_explains_residues_it_has_not_seen_by_few_features(architecture: str) -> None:
    x, other = planted(8192).split([6144, 2048])
    trainer = trainer_of(recipe(architecture), x)
    assert explained(trainer, other) < 0.6
    generator = torch.Generator().manual_seed(1)
    for step in range(300):
        trainer.step(step, x[torch.randint(len(x), (256,), generator=generator)])
    assert explained(trainer, other) > 0.8
    with torch.no_grad():
        l0 = float((trainer.sae.encode(other) > 0).float().sum(dim=1).mean())
    assert l0 < 12  # of 32; 2.4 directions per residue were planted
    norms = trainer.sae.decoder_norm
    torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize("architecture", ["relu", "relu_tied", "topk"])
def test_no_gradient_is_left_along_unit_directions(architecture: str) -> None:
    x = planted(256)
    trainer = trainer_of(recipe(architecture, clip=None), x)
    trainer._backward(trainer.sae.normalisation(x).apply(x), trainer._objective(0))
    trainer._project_and_clip()
    name = "encoder.weight" if architecture == "relu_tied" else "decoder.weight"
    tensor = trainer.sae.tensors[name]
    assert tensor.grad is not None
    along = (tensor * tensor.grad).sum(dim=1 if architecture == "relu_tied" else 0)
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-6, rtol=0)
    assert bool((tensor.grad != 0).any())


def test_a_batch_taken_in_parts_has_the_gradient_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x = planted(256)
    grads = []
    for part in (512, 100):
        monkeypatch.setattr("interplm_wh.train.trainer._PART", part)
        trainer = trainer_of(recipe("gated"), x)
        stats = trainer._backward(trainer.sae.normalisation(x).apply(x), trainer._objective(9))
        grads.append({n: t.grad for n, t in trainer.sae.trained.items()} | {"loss": torch.tensor(stats.loss)})
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, atol=1e-6, rtol=1e-4)


def test_gradients_are_clipped_together() -> None:
    x = planted(256)
    trainer = trainer_of(recipe("relu", clip=0.01), x)
    trainer._backward(trainer.sae.normalisation(x).apply(x), trainer._objective(0))
    assert float(trainer._project_and_clip()) > 0.01
    norm = torch.cat([t.grad.flatten() for t in trainer.sae.trained.values() if t.grad is not None]).norm()
    assert float(norm) == pytest.approx(0.01, rel=1e-4)


def test_a_feature_is_dead_when_it_has_not_fired_for_long_and_alive_when_it_fires() -> None:
    x = planted(256)
    trainer = trainer_of(recipe("relu", dead_after=700, learning_rate=Ramp(0.0)), x)
    with torch.no_grad():
        trainer.sae.tensors["encoder.bias"][:5] = -100
    for step in range(2):
        trainer.step(step, x)
        assert not bool(trainer.dead.any())
    trainer.step(2, x)  # 768 residues without firing
    assert trainer.dead[:5].tolist() == [True] * 5
    assert not bool(trainer.dead[5:].any())
    with torch.no_grad():
        trainer.sae.tensors["encoder.bias"][:5] = 100
    trainer.step(3, x)
    assert not bool(trainer.dead.any())


@pytest.mark.parametrize("architecture", sorted(RECIPES))
def test_dead_features_get_a_new_start_and_fire(architecture: str) -> None:
    x = planted(1024)
    one = recipe(architecture, dead_after=512, resample_every=4, learning_rate=Ramp(1e-6))
    trainer = trainer_of(one, x)
    with torch.no_grad():
        for name in ("encoder.bias", "gate_bias", "mag_bias"):
            if name in trainer.sae.tensors:
                trainer.sae.tensors[name][:6] = -100
        if "threshold" in trainer.sae.tensors and architecture == "jumprelu":
            trainer.sae.tensors["threshold"][:6] = 100
    for step in range(3):
        trainer.step(step, x)
    assert bool(trainer.dead[:6].all())
    before = trainer.sae.tensors["encoder.weight"][6:].detach().clone()
    trainer.step(3, x)
    assert not bool(trainer.dead[:6].any())
    torch.testing.assert_close(trainer.sae.tensors["encoder.weight"][6:].detach(), before, atol=1e-4, rtol=0)
    fires = trainer.sae.terms(trainer.sae.normalisation(x).apply(x), trainer._objective(4)).fired
    assert int(fires[:6].sum()) >= 3
    for name, tensor in trainer.sae.trained.items():
        moment = trainer._optimizer.state[tensor]["exp_avg"]
        if moment.shape[:1] == (32,):
            assert bool((moment[:6] == 0).all()), name


@pytest.mark.parametrize("architecture", sorted(RECIPES))
def test_a_new_start_of_many_features_keeps_what_is_explained(architecture: str) -> None:
    x = planted()
    one = recipe(architecture, n_features=64, resample_every=200, learning_rate=Ramp(3e-3))
    trainer = trainer_of(one, x, steps=400)
    generator = torch.Generator().manual_seed(1)
    for step in range(199):
        trainer.step(step, x[torch.randint(len(x), (256,), generator=generator)])
    assert explained(trainer, x) > 0.7
    trainer.idle[:32] = 10**9  # half of them die
    trainer.sae.trained["encoder.weight"].data[:32] = 0
    for name in ("encoder.bias", "gate_bias", "mag_bias"):
        if name in trainer.sae.tensors:
            trainer.sae.tensors[name].data[:32] = -1
    without = explained(trainer, x)
    trainer._resample(199, trainer.sae.normalisation(x).apply(x[:1024]))
    assert explained(trainer, x) > without - 0.15
    codes = trainer.sae._encode(trainer.sae.normalisation(x).apply(x), slice(0, 64))
    assert 0 < float((codes[:, :32] > 0).float().mean()) < 0.3  # as rare as the others


def test_a_new_start_forgets_the_moments_of_features_alone() -> None:
    x = planted(256)
    trainer = trainer_of(recipe("relu", n_features=WIDTH), x)  # as many features as the model is wide
    trainer.step(0, x)
    before = {name: trainer._optimizer.state[t]["exp_avg"].clone() for name, t in trainer.sae.trained.items()}
    trainer._forget(torch.tensor([1, 4]))
    after = {name: trainer._optimizer.state[t]["exp_avg"] for name, t in trainer.sae.trained.items()}
    assert torch.equal(after["bias"], before["bias"])
    assert bool((after["encoder.bias"][[1, 4]] == 0).all())
    assert bool((after["encoder.weight"][[1, 4]] == 0).all())
    assert bool((after["decoder.weight"][:, [1, 4]] == 0).all())
    assert torch.equal(after["decoder.weight"][:, 2], before["decoder.weight"][:, 2])


@pytest.mark.slow
def test_auxk_keeps_features_alive_in_the_units_of_real_hidden_states(shared: Path) -> None:
    proteins = pa.csv.read_csv(shared / "data" / "signalp5_proteins.csv.gz").slice(0, 800)
    model = load_plm(str(shared / "models" / "esm_small_real"), device="cpu")
    x = model.hidden_states(proteins["sequence"].to_pylist(), [6]).states[6].clone()
    shares = []
    for auxk in (0.0, 1 / 32):
        one = recipe("topk", n_features=512, k=8, input_norm="none", auxk=auxk, dead_after=25_600)
        one = replace(one, learning_rate=Ramp(1e-3, 50))
        trainer = trainer_of(one, x, steps=1000)
        generator = torch.Generator().manual_seed(1)
        for step in range(1000):
            trainer.step(step, x[torch.randint(len(x), (512,), generator=generator)])
        shares.append(float(trainer.dead.float().mean()))
    assert shares[1] < shares[0] / 2


def test_mixed_precision_trains_float32_weights() -> None:
    x = planted()
    for architecture in sorted(RECIPES):
        trainer = SaeTrainer.start(recipe(architecture), x, steps=150, batch=256, precision=torch.bfloat16)
        generator = torch.Generator().manual_seed(1)
        for step in range(150):
            trainer.step(step, x[torch.randint(len(x), (256,), generator=generator)])
        assert {t.dtype for t in trainer.sae.trained.values()} == {torch.float32}
        assert explained(trainer, x) > 0.7, architecture


def test_a_trainer_goes_on_from_its_state_to_the_same_bits() -> None:
    x = planted()
    for architecture in sorted(RECIPES):
        one = recipe(architecture, resample_every=7, dead_after=300)
        whole, cut = trainer_of(one, x, steps=20), trainer_of(one, x, steps=20)
        for step in range(20):
            whole.step(step, x[step * 100 : step * 100 + 256])
        for step in range(11):
            cut.step(step, x[step * 100 : step * 100 + 256])
        resumed = trainer_of(one, x, steps=20)
        resumed.load({name: tensor.clone() for name, tensor in cut.state().items()})
        for step in range(11, 20):
            resumed.step(step, x[step * 100 : step * 100 + 256])
        for name, tensor in whole.state().items():
            assert torch.equal(resumed.state()[name], tensor), (architecture, name)


def test_a_state_of_another_shape_is_refused() -> None:
    x = planted()
    state = trainer_of(recipe("relu", n_features=16), x).state()
    with pytest.raises(MismatchError, match="checkpoint is of another SAE"):
        trainer_of(recipe("relu"), x).load(state)


@pytest.mark.parametrize("architecture", sorted(RECIPES))
def test_a_loss_that_is_not_finite_stops_before_weights_change(architecture: str) -> None:
    x = planted(256)
    trainer = trainer_of(recipe(architecture), x)
    trainer.step(0, x)
    before = {name: tensor.detach().clone() for name, tensor in trainer.sae.trained.items()}
    bad = x.clone()
    bad[3, 2] = torch.nan
    with pytest.raises(TrainingError, match=r"not finite at step 2: the hidden states hold values"):
        trainer.step(1, bad)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.sae.trained.items())


# -- warehouse ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plm(tmp_path_factory.mktemp("models") / "tiny")


def fill(warehouse: Path, n: int = 40) -> None:
    """Add proteins of the split 'train', and some of the others."""
    rows = [
        (f"P{i}", sequence(20 + i, i), "train" if i < n else ("valid", "test")[i % 2]) for i in range(n + 8)
    ]
    table = pa.table(dict(zip(("accession", "sequence", "split"), zip(*rows, strict=True), strict=True)))
    path = warehouse.parent / "proteins.parquet"
    pa.parquet.write_table(table, path)
    add_proteins(warehouse, [path])


def weights(warehouse: Path, sae: str) -> dict[str, Tensor]:
    """The tensors of a registered SAE."""
    return load_saved(warehouse / "saes" / sae).sae.tensors


def test_saes_side_by_side_are_what_each_is_alone(warehouse: Path, plm: Path) -> None:
    fill(warehouse)
    every = tuple(recipe(architecture, layer=1 + i % 2) for i, architecture in enumerate(sorted(RECIPES)))
    train(warehouse, plan_of(*every, plm=str(plm)), device="cpu")
    for one in every:
        alone = replace(one, name=f"{one.name}-alone")
        train(warehouse, plan_of(alone, plm=str(plm), name=f"only-{one.name}"), device="cpu")
        mine, other = weights(warehouse, one.name), weights(warehouse, alone.name)
        assert all(torch.equal(tensor, other[name]) for name, tensor in mine.items()), one.name


def test_a_trained_sae_is_registered_with_card_and_metrics_and_flows_on(warehouse: Path, plm: Path) -> None:
    fill(warehouse)
    plan = plan_of(recipe("topk"), recipe("relu"), plm=str(plm))
    report = train(warehouse, plan, device="cpu")
    assert report.is_new
    assert report.n_proteins == 40
    assert "next: interplm-wh encode --sae topk --sae relu" in report.lines()
    assert not (warehouse / "training" / "t").exists()
    card = yaml.safe_load((warehouse / "saes" / "topk" / "card.yaml").read_text())
    assert card["recipe"]["k"] == 3
    assert card["data"] == {
        "splits": ["train"], "files": [], "max_length": None, "n_proteins": 40,
        "n_residues": sum(range(20, 60)), "sequences_sha256": card["data"]["sequences_sha256"],
    }  # fmt: skip
    page = (warehouse / "saes" / "topk" / "card.md").read_text()
    assert "| architecture | topk |" in page
    assert "bandwidth" not in page  # a setting of another architecture
    with store.open(warehouse) as wh:
        rows = wh.sql("from training_metrics where sae = 'topk' order by step").to_pylist()
        (sae,) = wh.sql("from saes where sae = 'topk'").to_pylist()
    assert [row["step"] for row in rows] == [10, 20, 30]
    assert [row["n_residues"] for row in rows] == [640, 1280, 1920]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["l0"] == 3
    assert rows[-1]["loss"] == pytest.approx(rows[-1]["error"] + rows[-1]["penalty"] + rows[-1]["auxiliary"])
    assert (sae["source"], sae["role"], sae["k"], sae["scale_source"]) == ("training:t", "sae", 3, None)
    encode(warehouse, ["topk", "relu"], device="cpu")
    build(warehouse)
    assert verify(warehouse).is_sound
    with store.open(warehouse) as wh:
        scale = wh.sql("select feature, max_activation from features where sae = 'topk'").to_pylist()
        highest = wh.sql("select feature, max(value) as v from activations where sae = 'topk' group by 1")
        source = wh.sql("select scale_source from saes where sae = 'topk'").to_pylist()
    tops = {row["feature"]: row["v"] for row in highest.to_pylist()}
    assert {row["feature"]: row["max_activation"] for row in scale} == {
        f: tops.get(f, 0.0) for f in range(32)
    }
    assert source == [{"scale_source": "all"}]
    assert not train(warehouse, plan, device="cpu").is_new
    for other, why in (
        (replace(plan, steps=31), "another training"),
        (replace(plan, splits=("train", "valid")), "another data"),
        (replace(plan, saes=(recipe("topk", k=2), plan.saes[1])), "another recipe"),
    ):
        with pytest.raises(InputError, match=rf"another origin have these names: topk \({why}\)"):
            train(warehouse, other, device="cpu")
    remove_sae(warehouse, "topk")
    with store.open(warehouse) as wh:
        assert wh.sql("select distinct sae from training_metrics").to_pylist() == [{"sae": "relu"}]


def test_training_from_files_leaves_the_warehouse_s_proteins_alone(warehouse: Path, plm: Path) -> None:
    path = write_fasta(warehouse.parent / "more.fasta", {f"X{i}": sequence(30, 100 + i) for i in range(30)})
    plan = plan_of(recipe("relu"), plm=str(plm), splits=(), files=(str(path),), max_length=30)
    assert train(warehouse, plan, device="cpu").n_residues == 900
    with store.open(warehouse) as wh:
        assert wh.sql("select count(*) as n from proteins").to_pylist() == [{"n": 0}]


def test_hidden_states_on_disk_are_those_of_the_plm_and_are_written_once(warehouse: Path, plm: Path) -> None:
    texts = [sequence(20 + i % 50, i) for i in range(200)]
    lengths = np.array([len(text) for text in texts], np.int64)
    names = [f"P{i}" for i in range(200)]
    known = Sequences(pa.chunked_array([names]), pa.chunked_array([texts]), lengths)
    model = load_plm(str(plm), device="cpu")
    folders = write_embeddings(warehouse, model, known, layers=[0, 2])
    source = EmbeddingsSource(folders, device=model.device)
    assert len(source.sizes) > 1
    found = source.load(range(len(source.sizes)))
    expected = PlmSource(model, known, layers=[0, 2]).load(range(200))
    for layer in (0, 2):
        torch.testing.assert_close(found[layer], expected[layer], atol=1e-5, rtol=1e-5)
    one = source.load([1])[2]
    assert torch.equal(one, found[2][source.sizes[0] : source.sizes[0] + source.sizes[1]])
    stamp = (folders[2] / "part-0.parquet").stat().st_mtime_ns
    again = write_embeddings(warehouse, model, known, layers=[1, 2])
    assert (again[2] / "part-0.parquet").stat().st_mtime_ns == stamp
    assert again[1].is_dir()
    other = Sequences(known.accessions.slice(1), known.texts.slice(1), lengths[1:])
    assert write_embeddings(warehouse, model, other, layers=[2])[2] != folders[2]
    with store.open(warehouse) as wh:
        row = wh.sql(
            f"select accession, position, len(state) as width from '{folders[0]}/*.parquet' limit 1 offset 20"
        ).to_pylist()
    assert row == [{"accession": "P1", "position": 1, "width": WIDTH}]


def test_training_from_disk_and_from_the_plm_both_work_and_vacuum_keeps_hidden_states(
    warehouse: Path, plm: Path
) -> None:
    fill(warehouse)
    train(warehouse, plan_of(recipe("relu"), plm=str(plm), source="embeddings"), device="cpu")
    store.vacuum(warehouse, min_age_seconds=0)
    assert list((warehouse / "lake" / "embeddings" / "plm=tiny" / "layer=1").iterdir())
    assert verify(warehouse).is_sound


def test_a_layer_that_the_plm_lacks_and_unknown_letters_are_refused(warehouse: Path, plm: Path) -> None:
    fill(warehouse)
    with pytest.raises(MismatchError, match=r"hidden states 0 to 2, not \[9\]"):
        train(warehouse, plan_of(recipe("relu", layer=9), plm=str(plm)), device="cpu")
    path = write_fasta(warehouse.parent / "odd.fasta", {"ODD": "MKJ" + sequence(90)})
    with pytest.raises(InputError, match=r"ODD: unknown letter 'J' \(first at position 3\)"):
        train(warehouse, plan_of(recipe("relu"), plm=str(plm), files=(str(path),)), device="cpu")
    with pytest.raises(InputError, match="there is no protein of at most 3 residues in split 'train'"):
        train(warehouse, plan_of(recipe("relu"), plm=str(plm), splits=("train",), max_length=3), device="cpu")
    assert not (warehouse / "training" / "t").exists()


def test_a_plan_that_was_begun_cannot_become_another(warehouse: Path, plm: Path) -> None:
    fill(warehouse)
    wild = recipe("relu", clip=None, learning_rate=Ramp(1e30))
    tame = plan_of(recipe("relu"), plm=str(plm))
    with pytest.raises(InputError, match="fewer than a batch"):
        train(warehouse, replace(tame, batch=100_000, buffer=100_000), device="cpu")
    with pytest.raises(TrainingError, match=r"(?s)step \d+.*there is no checkpoint.*--restart"):
        train(warehouse, plan_of(wild, plm=str(plm)), device="cpu")
    with pytest.raises(TrainingError, match=r"(?s)step \d+.*the checkpoint of step 1 is kept"):
        train(warehouse, plan_of(wild, plm=str(plm), checkpoint_every=1), device="cpu")
    with pytest.raises(InputError, match=r"begun with other settings \(saes\)"):
        train(warehouse, tame, device="cpu")
    assert train(warehouse, tame, device="cpu", restart=True).is_new


def test_a_loss_that_grows_without_bounds_keeps_the_last_good_checkpoint(warehouse: Path, plm: Path) -> None:
    fill(warehouse)
    late = recipe("relu", clip=None, l1=Ramp(0.01), learning_rate=Ramp(1e36, warmup=30))
    gentle = replace(late, learning_rate=Ramp(1e-3))
    plan = plan_of(replace(gentle, name="a"), plm=str(plm), checkpoint_every=5)
    folder = warehouse / "training" / "t" / "checkpoints"
    # One SAE learns well while the other runs away: the checkpoint before that stays, for both.
    wild = replace(late, name="b", learning_rate=Ramp(3e37, decay_from=12, warmup=12))
    with pytest.raises(TrainingError, match=r"b: .*step \d+"):
        train(warehouse, replace(plan, saes=(*plan.saes, wild)), device="cpu")
    kept = checkpoints.latest(folder)
    assert kept is None or all(t.isfinite().all() for state in kept.saes.values() for t in state.values())


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    warehouse: Path, plm: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(warehouse)
    plan = plan_of(recipe("relu"), plm=str(plm))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("interplm_wh.train.register.register", stop)
    with pytest.raises(KeyboardInterrupt):
        train(warehouse, plan, device="cpu")
    folder = warehouse / "training" / "t" / "checkpoints"
    assert [path.name for path in sorted(folder.iterdir())] == ["step-0000000020", "step-0000000030"]
    file = folder / "step-0000000030" / "relu.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    state = folder / "step-0000000020" / "state"
    state.write_text(state.read_text().replace('"chunk": ', '"chunk": 1'))
    with pytest.raises(
        CheckError, match=r"no checkpoint is whole .*relu.safetensors: is damaged .*--restart"
    ):
        train(warehouse, plan, device="cpu")
    state.write_text(state.read_text().replace('"chunk": 1', '"chunk": '))
    monkeypatch.undo()
    caplog.clear()
    assert train(warehouse, plan, device="cpu").resumed_from == 20
    assert "relu.safetensors: is damaged" in caplog.text


def test_an_sae_that_came_meanwhile_is_left_as_it_is_and_the_training_is_kept(
    warehouse: Path, plm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse)
    plan = plan_of(recipe("relu"), plm=str(plm))
    finish = register.register

    def late(*args: Any, **named: Any) -> None:
        add_sae(warehouse, "identity", name="relu", plm=str(plm), layer=1, device="cpu")
        finish(*args, **named)

    monkeypatch.setattr(register, "register", late)
    with pytest.raises(InputError, match="relu came into the warehouse while it ran"):
        train(warehouse, plan, device="cpu")
    monkeypatch.undo()
    assert load_saved(warehouse / "saes" / "relu").identity.architecture == "identity"
    assert verify(warehouse).is_sound
    remove_sae(warehouse, "relu")
    assert train(warehouse, plan, device="cpu").resumed_from == plan.steps


def test_letters_of_the_warehouse_s_proteins_are_refused_before_the_first_step(
    warehouse: Path, plm: Path
) -> None:
    add_proteins(warehouse, [write_fasta(warehouse.parent / "odd.fasta", {"ODD1": "MKJ" + sequence(30)})])
    path = write_fasta(warehouse.parent / "more.fasta", {f"X{i}": sequence(30, 100 + i) for i in range(30)})
    plan = plan_of(recipe("relu"), plm=str(plm), splits=(), files=(str(path),))
    with pytest.raises(InputError, match="ODD1: unknown letter 'J'"):
        train(warehouse, plan, device="cpu")
    assert not (warehouse / "training").exists()


def some_sequences(n: int) -> Sequences:
    """Proteins of a training."""
    texts = [sequence(20 + i % 50, i) for i in range(n)]
    lengths = np.array([len(text) for text in texts], np.int64)
    return Sequences(pa.chunked_array([[f"P{i}" for i in range(n)]]), pa.chunked_array([texts]), lengths)


def test_two_trainings_may_write_the_same_hidden_states(
    warehouse: Path, plm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, known = load_plm(str(plm), device="cpu"), some_sequences(30)
    write = sources._write

    def slow(*args: Any) -> None:
        monkeypatch.undo()
        write_embeddings(warehouse, model, known, layers=[1])  # the other one is faster
        write(*args)

    monkeypatch.setattr(sources, "_write", slow)
    folders = write_embeddings(warehouse, model, known, layers=[1])
    assert [path.name for path in folders[1].parent.iterdir()] == [folders[1].name]
    leftover = folders[1].with_name(".new-killed")
    leftover.mkdir()
    store.vacuum(warehouse, min_age_seconds=0)
    assert [path.name for path in folders[1].parent.iterdir()] == [folders[1].name]


def test_damaged_hidden_states_are_named(warehouse: Path, plm: Path) -> None:
    model, known = load_plm(str(plm), device="cpu"), some_sequences(30)
    folder = write_embeddings(warehouse, model, known, layers=[1])[1]
    path = folder / "part-0.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4  # in the numbers: only a checksum can tell
    path.write_bytes(content)
    source = EmbeddingsSource({1: folder}, device=model.device)
    with pytest.raises(CheckError, match=f"{folder.name}: the hidden states are dam.*remove that folder"):
        source.load([0])
    path.write_bytes(content[:-40])
    with pytest.raises(CheckError, match=f"{folder.name}: the hidden states are damaged"):
        EmbeddingsSource({1: folder}, device=model.device)


def test_a_missing_package_for_metrics_is_said_before_training(
    warehouse: Path, plm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    fill(warehouse)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ModelError, match=r"need the package wandb; run pip install 'interplm-wh\[wandb\]'"):
        train(warehouse, plan_of(recipe("relu"), plm=str(plm), wandb="project"), device="cpu")


# -- documentation -----------------------------------------------------------------------------------


def test_the_page_about_training_shows_what_works_and_every_setting(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    shown = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "uniref50.fasta.gz").touch()
    (tmp_path / "shown.yaml").write_text(shown, encoding="utf-8")
    plan = spec.load(tmp_path / "shown.yaml").train
    assert plan is not None
    plan.check()
    found: dict[str, object] = {}
    code = page.split("```python\n")[1].split("```")[0]
    exec(code.replace('train("mine", plan)', ""), found)  # noqa: S102
    in_python = found["plan"]
    assert isinstance(in_python, TrainingPlan)
    in_python.check()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    settings = {row[1].strip(" `"): set(row[3].replace("`", "").replace(" ", "").split(",")) for row in rows}
    trainable = {
        name: set(kind.settings) for name, kind in ARCHITECTURES.items() if kind.settings is not None
    }
    assert settings == trainable
