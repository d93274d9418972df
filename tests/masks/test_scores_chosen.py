"""Masks of what scores highest: iterations, silent layers, and what is left as it was."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from tests.masks.bare import Bare, method, perceptron, small_images
from tests.nets import Residual
from tostdsl.diagnostics import TostError
from tostdsl.masks.grasp import Grasp
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.scored import Iterated
from tostdsl.masks.snip import Snip
from tostdsl.masks.synflow import SynFlow
from tostdsl.masks.taylor import Taylor
from tostdsl.units import Percent


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


def test_by_layer_keeps_each_layers_count() -> None:
    """With a law of sizes, every iteration ranks each layer by itself and the counts are exact."""
    model, data = perceptron(), small_images()
    snip = method(Snip, "80", iterations=5, distribution="erk")
    site = Bare(model, seen=data)
    masks = snip.choose(site, Fraction(4, 5))
    shapes = {name: tuple(weight.shape) for name, weight in site.weights.items()}
    assert snip.shared_out(shapes, Fraction(4, 5)) == {n: int(m.sum()) for n, m in masks.items()}
