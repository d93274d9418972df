"""Scores taken on the network, against references in float64 that share no code with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian
from torch.func import functional_call

from tests.nets import Residual
from tostdsl.diagnostics import TostError
from tostdsl.masks.grasp import Grasp
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.scored import Iterated
from tostdsl.masks.snip import Snip
from tostdsl.masks.synflow import SynFlow
from tostdsl.masks.taylor import Taylor
from tostdsl.plan.bases import DataFacts
from tostdsl.units import Percent

FACTS = DataFacts(3, 8, 8, 5, 64, 64)


@dataclass
class Bare:
    """A site over a network in float64, with fixed images."""

    model: nn.Module
    weights: Mapping[str, Tensor] = field(init=False)
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    facts: DataFacts = FACTS
    seen: tuple[Tensor, Tensor] | None = None
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.weights = {n: p for n, p in self.model.named_parameters() if p.dim() > 1}

    def generator(self, purpose: str) -> torch.Generator:
        raise AssertionError(f"no score draws ({purpose})")

    def images(self, each: int) -> tuple[Tensor, Tensor]:
        assert self.seen is not None
        assert 2 == each
        return self.seen

    def tell(self, text: str) -> None:
        self.told.append(text)


def perceptron(bias: bool = True) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Flatten(),
        nn.Linear(12, 7, bias=bias),
        nn.Tanh() if bias else nn.ReLU(),
        nn.Linear(7, 6, bias=bias),
        nn.Tanh() if bias else nn.ReLU(),
        nn.Linear(6, 5, bias=bias),
    ]
    return nn.Sequential(*layers).double()


def small_images() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    images = torch.randn(10, 3, 2, 2, generator=source, dtype=torch.float64)
    return images, torch.arange(5).repeat_interleave(2)


def mean_loss(
    model: nn.Module, weights: dict[str, Tensor], data: Any, temperature: float = 1
) -> Tensor:
    logits = functional_call(model, weights, (data[0],)) / temperature
    return nn.functional.cross_entropy(logits, data[1])


def method(cls: type[Iterated], percent: str = "60", **rest: Any) -> Any:
    rest = rest if cls is SynFlow else {"per_class": 2, **rest}
    return cls(sparsity=Percent(Decimal(percent)), **rest)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_snip_is_the_slope_along_a_gate() -> None:
    """SNIP's score is |dL/dc| of a gate c on each weight at 1, by central differences."""
    model, data = perceptron(), small_images()
    found = method(Snip).scores(Bare(model, seen=data))
    start = state(model)
    for name, score in found.items():
        for place in range(0, score.numel(), 5):
            sides = []
            for c in (1 + 1e-5, 1 - 1e-5):
                moved = {key: value.clone() for key, value in start.items()}
                moved[name].view(-1)[place] *= c
                sides.append(float(mean_loss(model, moved, data)))
            slope = abs(sides[0] - sides[1]) / 2e-5
            assert slope == pytest.approx(float(score.view(-1)[place]), rel=1e-5, abs=1e-10)


def test_snip_sums_before_the_absolute_value() -> None:
    """Two images whose gradients cancel score less together than the sum of their scores."""
    model, (images, labels) = perceptron(), small_images()
    whole = method(Snip).scores(Bare(model, seen=(images, labels)))
    single = [
        method(Snip).scores(Bare(model, seen=(images[i : i + 1], labels[i : i + 1])))
        for i in range(len(labels))
    ]
    for name, score in whole.items():
        summed = torch.stack([part[name] for part in single]).mean(0)
        assert bool((score <= summed + 1e-12).all())
        assert bool((score < 0.9 * summed).any())


def product_with_hessian(model: nn.Module, data: Any, temperature: float) -> Tensor:
    """H g of all weights, from the whole Hessian over the two halves."""
    start = state(model)
    names = [name for name, value in start.items() if value.dim() > 1]
    sizes = [start[name].numel() for name in names]

    def loss(flat: Tensor, half: Any) -> Tensor:
        parts = zip(names, flat.split(sizes), strict=True)
        moved = {**start, **{name: part.view_as(start[name]) for name, part in parts}}
        return mean_loss(model, moved, half, temperature)

    point = torch.cat([start[name].reshape(-1) for name in names])
    halves = [tuple(t[i::2] for t in data) for i in (0, 1)]
    gradient = sum(torch.func.grad(loss)(point, half) for half in halves)
    assert isinstance(gradient, Tensor)
    curvature = sum(hessian(partial(loss, half=half), point) for half in halves)
    return point * (curvature @ gradient)


def test_grasp_is_weight_times_hessian_times_gradient() -> None:
    """GraSP's score is w * (H g), signed, with the whole Hessian written out."""
    model, data = perceptron(), small_images()
    found = method(Grasp).scores(Bare(model, seen=data))
    wanted = product_with_hessian(model, data, 200)
    actual = torch.cat([score.reshape(-1) for score in found.values()])
    torch.testing.assert_close(actual, wanted, rtol=1e-9, atol=1e-18)
    assert bool((wanted < 0).any())


def test_grasp_keeps_the_flow_of_gradients() -> None:
    """Keeping GraSP's highest leaves a larger gradient than keeping its lowest: its sign is right.

    Removing w changes the squared norm of the gradient by -2 w (H g) to first order.
    """
    model, data = perceptron(), small_images()
    site = Bare(model, seen=data)
    scores = method(Grasp).scores(site)
    start = state(model)

    def norm(masks: Mapping[str, Tensor]) -> float:
        moved = {n: v * masks[n] if n in masks else v for n, v in start.items()}
        moved = {n: v.requires_grad_() for n, v in moved.items()}
        loss = mean_loss(model, moved, data, 200)
        slopes = torch.autograd.grad(loss, [moved[name] for name in masks])
        return float(sum((s**2).sum() for s in slopes))

    light = Fraction(2, 100)
    chosen = method(Grasp, "2").choose(site, light)
    turned = method(Grasp).keep({n: -s for n, s in scores.items()}, light)
    dense = norm({name: torch.ones_like(mask) for name, mask in chosen.items()})
    assert norm(turned) < dense < norm(chosen)


def test_taylor_squares_batch_by_batch() -> None:
    """Taylor's score sums (w dL/dw)^2 over batches of one image a class, written out."""
    model, (images, labels) = perceptron(), small_images()
    found = method(Taylor).scores(Bare(model, seen=(images, labels)))
    start = state(model)
    for name, score in found.items():
        wanted = torch.zeros_like(score)
        for turn in (0, 1):
            batch = (images[turn::2], labels[turn::2])
            assert list(range(5)) == batch[1].tolist()
            slope = torch.func.grad(lambda w, n=name, b=batch: mean_loss(model, {**start, n: w}, b))
            wanted += (start[name] * slope(start[name])) ** 2
        torch.testing.assert_close(score, wanted)


def numpy_synflow(weights: list[np.ndarray], density: float, steps: int) -> list[np.ndarray]:
    """SynFlow of a perceptron without biases as products of matrices, and its masks."""
    masks = [np.ones(w.shape, dtype=bool) for w in weights]
    for t in range(1, steps + 1):
        layers = [np.abs(w) * m for w, m in zip(weights, masks, strict=True)]
        into = [np.ones(weights[0].shape[1])]
        for layer in layers:
            into.append(layer @ into[-1])
        out = [np.ones(weights[-1].shape[0])]
        for layer in reversed(layers):
            out.append(out[-1] @ layer)
        scores = [
            layer * np.outer(after, before)
            for layer, before, after in zip(layers, into, out[-2::-1], strict=False)
        ]
        flat = np.concatenate([s.ravel() for s in scores])
        flat[~np.concatenate([m.ravel() for m in masks])] = -1
        kept = int(np.floor(density ** (t / steps) * flat.size + 0.5))
        chosen = np.zeros(flat.size, dtype=bool)
        chosen[np.argsort(-flat, kind="stable")[:kept]] = True
        cuts = np.cumsum([m.size for m in masks])[:-1]
        parts = np.split(chosen, cuts)
        masks = [p.reshape(m.shape) for p, m in zip(parts, masks, strict=True)]
    return masks


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_synflow_is_a_product_of_matrices(steps: int) -> None:
    """On a perceptron SynFlow keeps what numpy's products of absolute matrices rank highest."""
    model = perceptron(bias=False)
    site = Bare(model, facts=DataFacts(3, 2, 2, 5, 64, 64))
    found = method(SynFlow, "80", iterations=steps).choose(site, Fraction(4, 5))
    weights = [p.detach().numpy() for p in model.parameters()]
    wanted = numpy_synflow(weights, 0.2, steps)
    for mask, reference in zip(found.values(), wanted, strict=True):
        assert reference.tolist() == mask.tolist()


def test_synflow_conserves_flow() -> None:
    """The scores of each layer on a chain sum to the same flow, and no data is looked at."""
    site = Bare(perceptron(bias=False), facts=DataFacts(3, 2, 2, 5, 64, 64))
    sums = [float(score.sum()) for score in method(SynFlow).scores(site).values()]
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-12)


def test_synflow_survives_a_deep_network() -> None:
    """Sixty layers whose flow overflows single precision are scored, none of them empty."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), *[nn.Linear(64, 64, bias=False) for _ in range(60)])
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=1.0)
    site = Bare(model, facts=DataFacts(1, 8, 8, 5, 64, 64))
    masks = method(SynFlow, "99", iterations=20).choose(site, Fraction(99, 100))
    assert min(int(mask.sum()) for mask in masks.values()) > 0
    flow = model(torch.ones(1, 1, 8, 8)).abs().sum()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    assert not torch.isfinite(model(torch.ones(1, 1, 8, 8)).sum()), flow


def test_synflow_refuses_a_silent_layer() -> None:
    """A layer no flow reaches is an error that names it; its weights cannot be ranked."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Linear(4, 5))
    with torch.no_grad():
        model[2].weight.zero_()
    site = Bare(model, facts=DataFacts(3, 2, 2, 5, 64, 64))
    with pytest.raises(TostError, match=r"T504.*every weight of `1` and 1 more scores 0"):
        method(SynFlow).choose(site, Fraction(1, 2))


def halved(model: nn.Module, silent: str) -> nn.Module:
    with torch.no_grad():
        model.get_parameter(silent).zero_()
    return model


@pytest.mark.parametrize("distribution", ["global", "uniform", "erk"])
@pytest.mark.parametrize("cls", [Snip, Taylor, Grasp, Magnitude])
def test_a_layer_of_zeros_is_not_pruned_by_its_order(cls: type[Any], distribution: str) -> None:
    """A classifier that starts with zeros is named, with what to do, and no mask comes of it."""
    site = Bare(halved(perceptron(), "5.weight"), seen=small_images())
    named = {"distribution": distribution, **({} if cls is Magnitude else {"per_class": 2})}
    chooser = cls(sparsity=Percent(Decimal(50)), **named)
    with pytest.raises(TostError, match=r"T504.*scores 0, so nothing ranks them: .*0 before") as e:
        chooser.choose(site, Fraction(1, 2))
    help = e.value.diagnostics[0].help
    assert help is not None
    if cls is Magnitude:
        assert 'leave dense what scores 0: `except "5"`' == help
        site.weights = {n: w for n, w in site.weights.items() if n != "5.weight"}
        kept = chooser.choose(site, Fraction(1, 2))
        assert 63 == sum(int(mask.sum()) for mask in kept.values())
    else:
        assert "start `5` from other weights" in help


@pytest.mark.parametrize("cls", [Snip, Taylor])
def test_a_layer_that_no_gradient_reaches_is_left_out_as_told(cls: type[Iterated]) -> None:
    """Behind a ReLU that is always off nothing ranks a layer; without it in scope all is well."""
    model = perceptron(bias=True)
    model[2], model[4] = nn.ReLU(), nn.ReLU()
    with torch.no_grad():
        model[3].bias.fill_(-1e6)
    site = Bare(model, seen=small_images())
    with pytest.raises(TostError, match=r"`1` and 2 more scores 0.*: no gradient") as error:
        method(cls).choose(site, Fraction(1, 2))
    assert 'leave dense what scores 0: `except "1", "3", "5"`' == error.value.diagnostics[0].help


def test_a_silent_layer_that_stays_dense_is_no_error() -> None:
    """Where the law leaves it dense, nothing has to rank it."""
    site = Bare(halved(perceptron(), "5.weight"))
    chooser = Magnitude(sparsity=Percent(Decimal(20)), distribution="balanced")
    masks = chooser.choose(site, Fraction(1, 5))
    assert bool(masks["5.weight"].all())
    assert not bool(masks["1.weight"].all())


@pytest.mark.parametrize(("iterations", "words"), [(1, "once"), (7, "7 times")])
def test_what_takes_long_says_so(iterations: int, words: str) -> None:
    """One line, the same at every run, that says how often scores are taken."""
    site = Bare(perceptron(), seen=small_images())
    method(Snip, iterations=iterations).choose(site, Fraction(3, 5))
    assert [f"snip: scores are taken {words}"] == site.told


@pytest.mark.parametrize("cls", [Snip, Grasp, Taylor])
def test_the_order_of_images_does_not_matter(cls: type[Iterated]) -> None:
    """Images in another order give the same masks (GraSP's halves exchanged, Taylor's batches)."""
    model, (images, labels) = perceptron(), small_images()
    other = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6, 9, 8])
    first = method(cls).choose(Bare(model, seen=(images, labels)), Fraction(3, 5))
    again = method(cls).choose(Bare(model, seen=(images[other], labels[other])), Fraction(3, 5))
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("cls", [Snip, Grasp, Taylor, SynFlow])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_network_is_left_alone(cls: type[Iterated], steps: int) -> None:
    """Scoring changes no weight, no statistic, no mode and no hook; counts are exact."""
    torch.manual_seed(0)
    model = Residual().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    data = (torch.randn(10, 3, 8, 8), torch.arange(5).repeat_interleave(2))
    site = Bare(model, seen=data)
    masks = method(cls, "70", iterations=steps).choose(site, Fraction(7, 10))
    size = sum(weight.numel() for weight in site.weights.values())
    assert abs(sum(int(m.sum()) for m in masks.values()) - Fraction(3, 10) * size) <= 0.5
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_pruned_weights_do_not_return() -> None:
    """Iterative SNIP's masks are nested; FORCE's need not be, and score the original weights."""
    model, data = perceptron(), small_images()
    site = Bare(model, seen=data)
    kept = []
    for steps in (3, 4, 5, 6):
        snip = method(Snip, "90", iterations=steps)
        stages = []
        keep = type(snip).keep

        def watched(self: Any, *args: Any, _keep: Any = keep, _to: Any = stages) -> Any:
            _to.append(_keep(self, *args))
            return _to[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(snip), "keep", watched)
            snip.choose(site, Fraction(9, 10))
            assert steps == len(stages)
            for earlier, later in pairwise(stages):
                assert not any(bool((later[n] & ~earlier[n]).any()) for n in later)
            stages.clear()
            method(Snip, "90", iterations=steps, regrow=True).choose(site, Fraction(9, 10))
            kept.append(
                any(
                    bool((later[n] & ~earlier[n]).any())
                    for earlier, later in pairwise(stages)
                    for n in later
                )
            )
    assert any(kept)


def test_sparsities_of_the_iterations() -> None:
    """The density falls exponentially or linearly and ends exactly at the wanted one."""
    falling = [float(1 - s) for s in method(Snip, "99", iterations=4).sparsities(Fraction(99, 100))]
    assert [0.01**0.25, 0.1, 0.01**0.75, 0.01] == pytest.approx(falling)
    linear = method(Snip, "80", iterations=4, decay="linear").sparsities(Fraction(4, 5))
    assert [0.8, 0.6, 0.4, 0.2] == pytest.approx([float(1 - s) for s in linear])
    assert Fraction(1, 3) == list(method(Snip, iterations=9).sparsities(Fraction(1, 3)))[-1]


def test_grasp_says_what_cannot_be_differentiated_twice() -> None:
    """A network without second derivatives is refused by name, not with a traceback."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 7), nn.Hardsigmoid(), nn.Linear(7, 5)
    ).double()
    with pytest.raises(TostError, match=r"T504.*`grasp`: it needs second derivatives"):
        method(Grasp).scores(Bare(model, seen=small_images()))


def test_by_layer_keeps_each_layers_count() -> None:
    """With a law of sizes, every iteration ranks each layer by itself and the counts are exact."""
    model, data = perceptron(), small_images()
    snip = method(Snip, "80", iterations=5, distribution="erk")
    site = Bare(model, seen=data)
    masks = snip.choose(site, Fraction(4, 5))
    shapes = {name: tuple(weight.shape) for name, weight in site.weights.items()}
    assert snip.shared_out(shapes, Fraction(4, 5)) == {n: int(m.sum()) for n, m in masks.items()}
