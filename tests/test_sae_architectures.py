"""Every architecture: the reference's numbers, one definition of encode, gradients, bad weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from interplm_wh.errors import ModelError
from interplm_wh.sae import sparse
from interplm_wh.sae.base import FACTOR, SAE, Weights
from interplm_wh.sae.linear import LinearSAE
from interplm_wh.sae.objective import Objective
from interplm_wh.sae.options import INPUT_NORMS, InputNorm
from interplm_wh.sae.registry import ARCHITECTURES, make
from interplm_wh.sae.selected import largest

D, F, K, N = 12, 40, 5, 30
GROUPS = (8, 12, 20)
LINEAR = sorted(name for name, kind in ARCHITECTURES.items() if issubclass(kind, LinearSAE))
TRAINED = sorted(set(LINEAR) - {"groupmax"})


def hidden(seed: int = 1, n: int = N) -> Tensor:
    """Hidden states with a common mean, as real ones have."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, D, generator=generator) * 3 + torch.linspace(-2, 2, D)


def weights(architecture: str, *, input_norm: InputNorm = "none", seed: int = 0) -> Weights:
    """Random weights of an architecture, no tensor left at its initial value."""
    generator = torch.Generator().manual_seed(seed)
    kind = ARCHITECTURES[architecture]
    assert issubclass(kind, LinearSAE)
    sae = kind.initial(
        D,
        F,
        generator=generator,
        mean=torch.randn(D, generator=generator),
        k=K if kind.needs_k else None,
        groups=GROUPS,
        input_norm=input_norm,
        factor=torch.tensor(0.15) if input_norm == "unit_mean_norm" else None,
    )
    tensors = dict(sae.tensors)
    for name in sorted(tensors.keys() - {FACTOR, "group_sizes"}):
        tensors[name] = tensors[name] + 0.2 * torch.rand(tensors[name].shape, generator=generator)
    return replace(sae.weights, tensors={n: t.abs() if n == "threshold" else t for n, t in tensors.items()})


def random_sae(architecture: str, *, input_norm: InputNorm = "none") -> SAE:
    """Make a random SAE of any architecture."""
    if architecture == "identity":
        return make(Weights("identity", D, 2 * D, {}, input_norm=input_norm))
    return make(weights(architecture, input_norm=input_norm))


def golden_weights(case: dict[str, Tensor], name: str) -> Weights:
    """The reference's weights under our names."""
    w = {key.removeprefix("w/"): tensor for key, tensor in case.items() if key.startswith("w/")}
    architecture = {
        "ReLU": "relu",
        "ReLU_Tied": "relu_tied",
        "TopK": "topk",
        "BatchTopK": "batch_topk",
        "JumpReLU": "jumprelu",
        "JumpReLU_bdec": "jumprelu",
    }[name.split("_sqrtd")[0]]
    renamed = {"b_dec": "bias", "bias": "bias", "decoder.bias": "decoder.bias"}
    if name.startswith("JumpReLU_bdec"):
        renamed["decoder.bias"] = "bias"
    wanted = {"encoder.weight", "encoder.bias", *([] if architecture == "relu_tied" else ["decoder.weight"])}
    wanted |= {"threshold"} if architecture in ("batch_topk", "jumprelu") else set()
    tensors = {key: w[key] for key in wanted} | {new: w[old] for old, new in renamed.items() if old in w}
    return Weights(
        architecture,
        24,
        48,
        tensors,
        input_norm="sqrt_d" if bool(w["normalize_to_sqrt_d"]) else "none",
        k=int(w["k"]) if "k" in w else None,
    )


GOLDEN = [
    f"{name}_sqrtd{norm}{threshold}"
    for name in ("ReLU", "ReLU_Tied", "TopK", "BatchTopK", "JumpReLU", "JumpReLU_bdec")
    for norm in (0, 1)
    for threshold in (("", "_thr0.6") if "TopK" in name else ("",))
]


@pytest.mark.parametrize("name", GOLDEN)
def test_features_and_reconstruction_are_those_of_the_reference_s_forward(golden: Path, name: str) -> None:
    with np.load(golden / "sae_vectors" / f"{name}.npz") as file:
        case = {key: torch.tensor(file[key]) for key in file.files}
    sae = make(golden_weights(case, name))
    x = case["x"]
    f = case["forward_output_features.1"]
    torch.testing.assert_close(sae.encode(x), f, atol=5e-5, rtol=1e-5)
    # Where the reference's forward returns hidden states in their own units, ours is `reconstruct`.
    in_own_units = name.startswith(("TopK_sqrtd1", "JumpReLU"))
    mine = sae.reconstruct(x) if in_own_units else sae.forward(x)
    torch.testing.assert_close(mine, case["forward_output_features.0"], atol=2e-4, rtol=1e-5)


def test_every_golden_case_is_read(golden: Path) -> None:
    assert sorted(p.stem for p in (golden / "sae_vectors").glob("*.npz")) == sorted(GOLDEN)


@pytest.mark.parametrize("input_norm", INPUT_NORMS)
@pytest.mark.parametrize("architecture", LINEAR)
def test_forward_encode_and_a_slice_of_features_are_one_definition(
    architecture: str, input_norm: InputNorm
) -> None:
    sae = random_sae(architecture, input_norm=input_norm)
    x = hidden()
    f = sae.encode(x)
    assert bool((f >= 0).all())
    assert 0 < int((f > 0).sum()) < f.numel()
    for start, stop in ((0, F), (0, 1), (7, 19), (F - 3, F)):
        torch.testing.assert_close(sae.encode(x, features=slice(start, stop)), f[:, start:stop])
    torch.testing.assert_close(sae.forward(x), sae.decode(f))
    torch.testing.assert_close(sae.encode(x[4:5]), f[4:5])  # a residue does not depend on those beside it
    normal = sae.normalisation(x)
    torch.testing.assert_close(sae.reconstruct(x), normal.undo(sae.decode(f)))
    torch.testing.assert_close(normal.undo(normal.apply(x)), x)


def by_hand(x: np.ndarray, norm: InputNorm) -> np.ndarray:
    """Input normalisations, written out row by row."""
    if norm == "none":
        return x
    if norm == "unit_mean_norm":
        return x * 0.15
    rows = []
    for row in x:
        if norm == "sqrt_d":
            rows.append(row / np.sqrt((row**2).sum()) * np.sqrt(D))
        else:
            rows.append((row - row.mean()) / (row.std(ddof=1) + 1e-5))
    return np.array(rows)


@pytest.mark.parametrize("input_norm", INPUT_NORMS)
@pytest.mark.parametrize("architecture", LINEAR)
def test_encode_is_the_published_formula(architecture: str, input_norm: InputNorm) -> None:
    sae = random_sae(architecture, input_norm=input_norm)
    t = {name: tensor.double().numpy() for name, tensor in sae.tensors.items()}
    x = by_hand(hidden().double().numpy(), input_norm)
    product = (x - t.get("bias", 0.0)) @ t["encoder.weight"].T
    pre = product + t.get("encoder.bias", 0.0)
    if architecture == "gated":
        pre = np.where(product + t["gate_bias"] > 0, product * np.exp(t["r_mag"]) + t["mag_bias"], 0)
    if architecture == "jumprelu":
        pre = np.where(pre > t["threshold"], pre, 0)
    f = np.maximum(pre, 0)
    if architecture in ("batch_topk", "matryoshka"):
        f = np.where(f > t["threshold"], f, 0)
    if architecture == "topk":
        f = np.where(f >= np.sort(f, axis=1)[:, -K][:, None], f, 0)
    if architecture == "groupmax":
        grouped = f.reshape(N, K, F // K)
        f = np.where(grouped == grouped.max(axis=2, keepdims=True), grouped, 0).reshape(N, F)
    decoder = t["encoder.weight"].T if architecture == "relu_tied" else t["decoder.weight"]
    expected = f @ decoder.T + t.get("bias", t.get("decoder.bias"))
    np.testing.assert_allclose(sae.encode(hidden()).numpy(), f, atol=2e-5)
    np.testing.assert_allclose(sae.forward(hidden()).numpy(), expected, atol=5e-5)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_gradients_reach_hidden_states_and_weights_through_encode(architecture: str) -> None:
    sae = random_sae(architecture)
    for name, tensor in sae.tensors.items():
        tensor.requires_grad_(tensor.is_floating_point() and name not in sae.fixed)
    x = hidden().requires_grad_()
    sae.reconstruct(x).square().sum().backward()
    assert x.grad is not None
    assert bool((x.grad != 0).any())
    reached = {name for name, tensor in sae.tensors.items() if tensor.grad is not None}
    # A step has no derivative: what moves it is trained by an estimate or by an auxiliary error.
    steps = {"jumprelu": {"threshold"}, "gated": {"gate_bias"}}.get(architecture, set())
    assert reached == {n for n, t in sae.tensors.items() if t.requires_grad} - steps


def trainable(architecture: str) -> LinearSAE:
    """A random SAE whose tensors take gradients."""
    sae = random_sae(architecture)
    assert isinstance(sae, LinearSAE)
    for tensor in sae.trained.values():
        tensor.requires_grad_()
    return sae


def objective(**changes: float) -> Objective:
    """An objective in which every part weighs something."""
    return replace(Objective(l1=0.3, target_l0=4.0, l0=0.7, bandwidth=0.5, auxk=0.0), **changes)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("error", ["squared", "norm"])
@pytest.mark.parametrize("architecture", TRAINED)
def test_the_loss_and_its_gradients_are_those_of_plain_autograd(
    architecture: str, error: str, is_sparse: bool
) -> None:
    sae, plain = trainable(architecture), trainable(architecture)
    sae.is_sparse = is_sparse
    x = hidden()
    terms = sae.terms(x, replace(objective(), error=error))  # type: ignore[arg-type]
    terms.total.backward()
    expected, n_active = plain_loss(plain, x, error)
    expected.backward()
    torch.testing.assert_close(terms.total, expected)
    assert int(terms.n_active) == n_active
    for name, tensor in plain.trained.items():
        if name != "threshold":
            assert tensor.grad is not None
            torch.testing.assert_close(sae.tensors[name].grad, tensor.grad, atol=1e-5, rtol=1e-4)


def plain_loss(sae: LinearSAE, x: Tensor, error: str) -> tuple[Tensor, int]:
    """The loss of each architecture as its paper writes it, on dense tensors."""

    def distance(residual: Tensor) -> Tensor:
        return (residual.norm(dim=1) if error == "norm" else residual.pow(2).sum(dim=1)).mean()

    t = sae.tensors
    decoder = t["encoder.weight"].T if sae.architecture == "relu_tied" else t["decoder.weight"]
    bias = t["bias"] if "bias" in t else t["decoder.bias"]
    product = (x - t["bias"] if "bias" in t else x) @ t["encoder.weight"].T
    norms = decoder.norm(dim=0)
    if sae.architecture == "gated":
        gate = torch.relu(product + t["gate_bias"])
        f = torch.relu(product * t["r_mag"].exp() + t["mag_bias"]) * (gate > 0)
        alone = gate @ decoder.detach().T + bias.detach()
        loss = distance(f @ decoder.T + bias - x) + distance(alone - x) + 0.3 * (gate * norms).sum(1).mean()
        return loss, int((f > 0).sum())
    pre = product + t["encoder.bias"]
    f = torch.relu(pre)
    if sae.architecture == "jumprelu":
        f = pre * (pre > t["threshold"])
        n_active = int((f != 0).sum())
        penalty = 0.7 * (n_active / len(x) / 4.0 - 1) ** 2
        return distance(f @ decoder.T + bias - x) + penalty, n_active
    if sae.architecture == "topk":
        f = f * (f >= f.topk(K, dim=1).values[:, -1:])
    if sae.architecture in ("batch_topk", "matryoshka"):
        f = f * (f >= f.flatten().topk(K * len(x)).values[-1])
    n_active = int((f > 0).sum())
    if sae.architecture == "matryoshka":
        ends = np.cumsum(GROUPS)
        errors = [distance(f[:, :end] @ decoder[:, :end].T + bias - x) for end in ends]
        return torch.stack(errors).mean(), n_active
    penalty = 0.3 * (f * norms).sum(dim=1).mean() if sae.architecture.startswith("relu") else 0.0
    return distance(f @ decoder.T + bias - x) + penalty, n_active


@pytest.mark.parametrize("is_sparse", [False, True])
def test_thresholds_of_jumprelu_learn_by_the_published_estimate(is_sparse: bool) -> None:
    sae = trainable("jumprelu")
    sae.is_sparse = is_sparse
    x = hidden()
    sae.terms(x, objective()).total.backward()
    t = {name: tensor.detach() for name, tensor in sae.tensors.items()}
    pre = x @ t["encoder.weight"].T + t["encoder.bias"]
    theta = t["threshold"]
    f = pre * (pre > theta)
    residual = f @ t["decoder.weight"].T + t["decoder.bias"] - x
    by_value = 2 * residual @ t["decoder.weight"] / N  # [n, F]
    near = ((pre - theta).abs() < 0.25).float()
    l0 = float((f != 0).sum()) / N
    by_l0 = 0.7 * 2 * (l0 / 4 - 1) / 4 / N
    expected = -((theta * by_value + by_l0) * near).sum(dim=0) / 0.5
    torch.testing.assert_close(sae.tensors["threshold"].grad, expected, atol=1e-5, rtol=1e-4)
    assert bool((expected != 0).any())


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("architecture", TRAINED)
def test_a_dead_feature_makes_no_nan(architecture: str, is_sparse: bool) -> None:
    sae = trainable(architecture)
    sae.is_sparse = is_sparse
    with torch.no_grad():
        for name in ("encoder.weight", "encoder.bias", "gate_bias", "mag_bias"):
            if name in sae.tensors:
                sae.tensors[name][3:9] = 0 if name == "encoder.weight" else -1
        if "decoder.weight" in sae.tensors:
            sae.tensors["decoder.weight"][:, 5] = 0
    x = hidden()
    x[2] = 0  # a residue without a signal
    f = sae.encode(x)
    assert bool((f[:, 3:9] == 0).all())
    dead = torch.zeros(F, dtype=torch.bool)
    dead[3:9] = True
    for error in ("squared", "norm"):
        terms = sae.terms(x, replace(objective(auxk=0.5), error=error, dead=dead))  # type: ignore[arg-type]
        terms.total.backward()
        assert bool(torch.isfinite(terms.total))
        assert not bool(terms.fired[3:9].any())
    assert all(t.grad is None or bool(torch.isfinite(t.grad).all()) for t in sae.tensors.values())
    assert bool(torch.isfinite(sae.reconstruct(x)).all())


def test_products_become_sparse_where_few_features_are_active_and_dense_again() -> None:
    sae, x = trainable("relu"), hidden()
    sae.observe(sae.terms(x, objective()))
    assert not sae.is_sparse
    with torch.no_grad():
        sae.tensors["encoder.bias"].fill_(-1e3)
    sae.observe(sae.terms(x, objective()))
    assert sae.is_sparse
    empty = sae.terms(x, objective())  # no feature at all is active
    empty.total.backward()
    assert int(empty.n_active) == 0
    with torch.no_grad():
        sae.tensors["encoder.bias"].fill_(0)
    sae.observe(sae.terms(x, objective()))
    assert not sae.is_sparse


@pytest.mark.parametrize("norm", INPUT_NORMS)
def test_a_residue_of_zeros_or_of_one_value_makes_no_nan(norm: InputNorm) -> None:
    sae = random_sae("relu", input_norm=norm)
    x = torch.stack([torch.zeros(D), torch.full((D,), 4.0)])
    assert bool(torch.isfinite(sae.encode(x)).all())
    assert bool(torch.isfinite(sae.reconstruct(x)).all())


@pytest.mark.parametrize("architecture", ["topk", "batch_topk", "matryoshka"])
def test_dead_features_learn_from_what_the_others_leave(architecture: str) -> None:
    sae, x = trainable(architecture), hidden()
    fired = sae.terms(x, objective()).fired
    dead = ~fired
    dead[:10] = True
    terms = sae.terms(x, replace(objective(auxk=0.25), dead=dead))
    (by_encoder,) = torch.autograd.grad(terms.auxiliary, sae.tensors["encoder.weight"], retain_graph=True)
    assert bool((by_encoder[dead] != 0).any())
    assert bool((by_encoder[~dead] == 0).all())
    t = {name: tensor.detach() for name, tensor in sae.tensors.items()}
    pre = torch.relu((x - t["bias"]) @ t["encoder.weight"].T + t["encoder.bias"])
    alive = pre * dead
    k = min(D // 2, int(dead.sum()))
    chosen = alive * (alive >= alive.topk(k, dim=1).values[:, -1:])
    full = plain_features(sae, pre)
    residual = x - (full @ t["decoder.weight"].T + t["bias"])
    missed = (residual - chosen @ t["decoder.weight"].T).pow(2).sum(1).mean()
    spread = (residual - residual.mean(0)).pow(2).sum(1).mean()
    units = (x - x.mean(0)).pow(2).sum(1).mean()
    torch.testing.assert_close(terms.auxiliary.detach(), 0.25 * units * missed / spread)
    by_distance = sae.terms(x, replace(objective(auxk=0.25), dead=dead, error="norm")).auxiliary.detach()
    torch.testing.assert_close(by_distance, 0.25 * units.sqrt() * missed / spread)


@pytest.mark.parametrize("error", ["squared", "norm"])
def test_the_weight_of_dead_features_means_the_same_whatever_the_units(error: str) -> None:
    ratios = []
    for scale in (1.0, 30.0):
        sae = trainable("topk")
        with torch.no_grad():
            for name in ("encoder.bias", "bias"):
                sae.tensors[name] *= scale
        dead = torch.arange(F) < 10
        terms = sae.terms(scale * hidden(), replace(objective(auxk=0.25), dead=dead, error=error))  # type: ignore[arg-type]
        ratios.append(float((terms.auxiliary / terms.error).detach()))
    assert ratios[1] == pytest.approx(ratios[0], rel=1e-4)


def plain_features(sae: LinearSAE, pre: Tensor) -> Tensor:
    """What training selects of activations."""
    if sae.architecture == "topk":
        return pre * (pre >= pre.topk(K, dim=1).values[:, -1:])
    return pre * (pre >= pre.flatten().topk(K * len(pre)).values[-1])


@pytest.mark.parametrize(("m", "n"), [(500, 20), (400_000, 7_000), (400_000, 399_000), (300_000, 1)])
def test_the_largest_values_are_found_exactly(m: int, n: int) -> None:
    values = torch.rand(m, generator=torch.Generator().manual_seed(m)).clamp_min(0.5) - 0.5
    values[::7] += torch.linspace(0, 0.1, len(values[::7]))
    found = largest(values, n)
    assert torch.equal(found, found.unique())
    assert len(found) == n
    assert values[found].sort().values.tolist() == values.topk(n).values.sort().values.tolist()


def test_the_largest_are_found_where_a_sample_misleads() -> None:
    values = torch.zeros(97 * 4_000)
    values[::101] = 1.0  # most of the mass lies where no sample looks
    values[::97] = 2.0
    found = largest(values, 6_000)
    assert float(values[found].sum()) == float(values.topk(6_000).values.sum())


def test_batch_topk_reads_by_the_threshold_that_training_saw() -> None:
    sae = trainable("batch_topk")
    with torch.no_grad():
        sae.tensors["threshold"].fill_(-1)
    smallest = []
    for seed in range(3):
        terms = sae.terms(hidden(seed), objective())
        assert terms.smallest is not None
        smallest.append(float(terms.smallest))
        sae.observe(terms)  # type: ignore[attr-defined]
    expected = smallest[0]
    for value in smallest[1:]:
        expected = 0.95 * expected + 0.05 * value
    assert float(sae.tensors["threshold"]) == pytest.approx(expected)


@pytest.mark.parametrize("architecture", ["topk", "groupmax", "relu"])
def test_a_long_protein_has_the_same_rows_by_slices(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sae, x = random_sae(architecture), hidden(n=70)
    whole = list(sparse.sparse_rows(sae, x, offsets=[0, 70]))
    monkeypatch.setattr(sparse, "CHUNK_VALUES", 9 * F)
    sliced = list(sparse.sparse_rows(sae, x, offsets=[0, 70]))
    for name in ("protein", "position", "feature", "value"):
        a, b = (np.concatenate([getattr(rows, name) for rows in found]) for found in (whole, sliced))
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert len(whole[0]) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tensors": {}}, r"(?s)encoder.weight is missing.*encoder.bias is missing.*decoder.weight is missing"
                          r".*bias or decoder.bias is missing.*threshold is missing"),
        ({"k": F + 1}, rf"k is {F + 1}, expected 1 to {F}"),
        ({"k": None}, "k is missing"),
        ({"d_model": D + 1}, rf"encoder.weight has the shape \[{F}, {D}\], expected \[{F}, {D + 1}\]"),
        ({"checkpoint_scale": torch.full((F,), -1.0)}, "the scale holds negative values"),
    ],
)  # fmt: skip
def test_weights_that_do_not_belong_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make(replace(weights("batch_topk"), **change))  # type: ignore[arg-type]


def test_weights_that_are_not_numbers_are_refused_by_name() -> None:
    good = weights("topk")
    bad = good.tensors["encoder.weight"].clone()
    bad[3, 2], bad[4, 4] = torch.nan, torch.inf
    with pytest.raises(ModelError, match=rf"encoder.weight holds .* not finite \(2 of {F * D}\)"):
        make(replace(good, tensors={**good.tensors, "encoder.weight": bad}))


def test_groups_that_do_not_add_up_are_refused() -> None:
    good = weights("matryoshka")
    with pytest.raises(ModelError, match="group_sizes"):
        make(replace(good, tensors={**good.tensors, "group_sizes": torch.tensor([1, 2])}))
    with pytest.raises(ModelError, match="equal groups"):
        make(replace(weights("groupmax"), k=7))


def test_identity_cannot_be_trained() -> None:
    with pytest.raises(ModelError, match="identity cannot be trained"):
        make(Weights("identity", D, 2 * D, {})).terms(hidden(), objective())
