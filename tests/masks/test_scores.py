"""Scores of SNIP, GraSP and Taylor, against references in float64 that share no code with them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian

from tests.masks.bare import Bare, mean_loss, method, perceptron, small_images, state
from tostdsl.diagnostics import TostError
from tostdsl.masks.grasp import Grasp
from tostdsl.masks.snip import Snip
from tostdsl.masks.taylor import Taylor


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


def test_grasp_says_what_cannot_be_differentiated_twice() -> None:
    """A network without second derivatives is refused by name, not with a traceback."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 7), nn.Hardsigmoid(), nn.Linear(7, 5)
    ).double()
    with pytest.raises(TostError, match=r"T504.*`grasp`: it needs second derivatives"):
        method(Grasp).scores(Bare(model, seen=small_images()))
