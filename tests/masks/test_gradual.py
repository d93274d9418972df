"""The mask `gradual`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from tostdsl.diagnostics import TostError
from tostdsl.masks.gradual import Gradual
from tostdsl.plan.masking import Update
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Clock, Duration, Percent

SHAPES = {"a.weight": (20, 10), "b.weight": (30, 10, 3, 3)}


def gradual(percent: str = "90", **rest: Any) -> Gradual:
    return Gradual(sparsity=Percent(Decimal(percent)), **rest)


def test_updates_end_at_the_windows_end() -> None:
    """After each `every`, and after the window's last step exactly, divided or not."""
    clock = Clock(10, 100)
    assert (30, 40, 50) == tuple(gradual().updates(20, 50, clock))
    assert (30, 40, 45) == tuple(gradual().updates(20, 45, clock))
    three = gradual(every=Duration("steps", 7))
    assert (27, 34, 40) == tuple(three.updates(20, 40, clock))
    assert (40,) == tuple(gradual(every=Duration("epochs", 9)).updates(20, 40, clock))


def test_the_cubic() -> None:
    """The sparsity is that of the paper's formula in float64, exact at both ends."""
    method = gradual("95", initial=Percent(Decimal(20)))
    for p in np.linspace(0, 1, 23):
        wanted = 0.95 + (0.2 - 0.95) * (1 - p) ** 3
        assert wanted == pytest.approx(float(method.sparsity_at(Fraction(float(p)))))
    assert Fraction(1, 5) == method.sparsity_at(Fraction(0)) == method.first()
    assert Fraction(19, 20) == method.sparsity_at(Fraction(1)) == method.target()


@pytest.mark.parametrize("law", ["global", "uniform", "erk"])
def test_masks_are_nested_and_counts_exact(make_site: Callable[..., Any], law: Any) -> None:
    """Whatever the weights do in between, what is pruned stays so, and each count is the law's."""
    method, source = gradual(distribution=law), torch.Generator().manual_seed(2)
    masks = method.choose(make_site(SHAPES), method.first())
    assert all(bool(mask.all()) for mask in masks.values())
    for number in range(1, 9):
        weights = {name: torch.randn(shape, generator=source) for name, shape in SHAPES.items()}
        site = make_site({n: w * masks[n] for n, w in weights.items()}, masks=masks)
        update = Update(number, number, Fraction(number, 8))
        later = method.update(site, update)
        assert not any(bool((later[name] & ~masks[name]).any()) for name in SHAPES)
        wanted = method.sparsity_at(update.progress)
        kept = sum(int(mask.sum()) for mask in later.values())
        assert abs((1 - wanted) * 2900 - kept) <= (Fraction(1, 2) if law == "global" else 1)
        masks = later
    assert 290 == sum(int(mask.sum()) for mask in masks.values())


def test_it_takes_the_smallest(make_site: Callable[..., Any]) -> None:
    """An update over all layers keeps the head of numpy's stable argsort of those left."""
    site = make_site(SHAPES)
    site.masks = {n: w.abs() > 0.3 for n, w in site.weights.items()}
    found = gradual().update(site, Update(0, 1, Fraction(1)))
    flat = np.concatenate([w.numpy().ravel() for w in site.weights.values()])
    wanted = np.zeros(flat.size, dtype=bool)
    wanted[np.argsort(-np.abs(flat), kind="stable")[:290]] = True
    actual = np.concatenate([mask.numpy().ravel() for mask in found.values()])
    assert wanted.tolist() == actual.tolist()


@pytest.mark.parametrize(("initial", "codes"), [("0", []), ("89", []), ("90", ["T303"])])
def test_it_must_rise(initial: str, codes: list[str]) -> None:
    """The sparsity at the start lies below the wanted one."""
    method = gradual(initial=Percent(Decimal(initial)))
    assert codes == [problem.code for problem in method.check(CheckSite())]


def test_fewer_weights_than_layers_are_refused_before_training(
    make_site: Callable[..., Any],
) -> None:
    """Shapes alone tell that a layer will be empty; at the sparsity named each can keep one."""
    site = make_site({f"{i}.weight": (10, 10) for i in range(12)})
    method = gradual("99.1")
    with pytest.raises(TostError, match=r"T505.*keeps 11 of 1,200 weights.* 12 layers") as e:
        method.choose(site, method.first())
    assert "sparsity=99%" in (e.value.diagnostics[0].help or "")
    for fine in (gradual("99"), gradual("99.1", allow="collapse")):
        assert all(bool(mask.all()) for mask in fine.choose(site, fine.first()).values())


def test_no_highest_of_weights_that_are_not_trained(make_site: Callable[..., Any]) -> None:
    """Over all layers only training tells; a law goes by shapes, and holds then, too."""
    site = make_site(SHAPES)
    assert gradual().highest(site) is None
    highest = gradual(distribution="uniform").highest(site)
    assert highest is not None
    assert 0.99 < float(highest) < 1
