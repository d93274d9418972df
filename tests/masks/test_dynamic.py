"""The mask `dynamic`, SET and RigL."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tostdsl.masks.dynamic import Dynamic
from tostdsl.plan.masking import Update
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Clock, Duration, Percent

SHAPES = {"a.weight": (20, 10), "b.weight": (30, 10, 3, 3)}
UPDATE = Update(3, 300, Fraction(1, 4))


def dynamic(percent: str = "80", **rest: Any) -> Dynamic:
    return Dynamic(sparsity=Percent(Decimal(percent)), **rest)


def started(make_site: Callable[..., Any], method: Dynamic) -> Any:
    """A site whose mask is the method's first, with weights zero where masked, and gradients."""
    masks = method.choose(make_site(SHAPES), method.first())
    site = make_site(SHAPES, masks=masks)
    for name, weight in site.weights.items():
        weight.mul_(masks[name])
    source = torch.Generator().manual_seed(11)
    site.gradients = {n: torch.randn(s, generator=source) for n, s in SHAPES.items()}
    return site


def rigl(weight: np.ndarray, mask: np.ndarray, slope: np.ndarray, share: float) -> np.ndarray:
    """RigL's update of one layer as its paper tells it, by sorting."""
    count = math.floor(share * mask.sum())
    order = sorted(np.flatnonzero(mask), key=lambda i: (-abs(weight.flat[i]), i))
    stay = set(order[: int(mask.sum()) - count])
    rest = sorted(set(range(mask.size)) - stay, key=lambda i: (-abs(slope.flat[i]), i))
    found = np.zeros(mask.size, dtype=bool)
    found[[*stay, *rest[:count]]] = True
    return found.reshape(mask.shape)


@pytest.mark.parametrize("decay", ["cosine", "linear", "constant"])
def test_rigl_drops_the_smallest_and_grows_the_steepest(
    make_site: Callable[..., Any], decay: Any
) -> None:
    """Each layer is that of the paper's rule, with the share its law gives at the moment."""
    method = dynamic(decay=decay)
    site = started(make_site, method)
    share = {
        "cosine": 0.3 / 2 * (1 + math.cos(math.pi / 4)),
        "linear": 0.3 * 0.75,
        "constant": 0.3,
    }[decay]
    found = method.update(site, UPDATE)
    assert changed(site.masks, found) > 0
    for name, mask in found.items():
        parts = (site.weights[name], site.masks[name], site.gradients[name])
        assert rigl(*(part.numpy() for part in parts), share).tolist() == mask.tolist()


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> int:
    return sum(int((before[name] != after[name]).sum()) for name in before)


def test_set_grows_at_random(make_site: Callable[..., Any]) -> None:
    """SET looks at no gradient, draws anew at each update, and repeats by the seed."""
    method = dynamic(grow="random")
    site = started(make_site, method)
    del site.gradients
    found, again = method.update(site, UPDATE), method.update(site, UPDATE)
    other = method.update(site, Update(4, 300, Fraction(1, 4)))
    assert all(torch.equal(found[name], again[name]) for name in SHAPES)
    assert not all(torch.equal(found[name], other[name]) for name in SHAPES)
    for name in SHAPES:
        stay = found[name] & site.masks[name]
        gone = site.masks[name] & ~found[name]
        assert float(site.weights[name].abs()[stay].min()) > 0
        if bool(gone.any()):
            smallest = site.weights[name].abs()[site.masks[name]].sort().values
            share = method.share_at(UPDATE.progress)
            bound = smallest[int(share * len(smallest)) - 1]
            assert float(site.weights[name].abs()[gone].max()) <= float(bound)


@pytest.mark.parametrize("grow", ["random", "gradient"])
def test_layers_keep_their_counts(make_site: Callable[..., Any], grow: Any) -> None:
    """However often it moves, every layer keeps as many weights as at the start."""
    method = dynamic(grow=grow)
    site = started(make_site, method)
    counts = {name: int(mask.sum()) for name, mask in site.masks.items()}
    assert method.shared_out(SHAPES, method.target()) == counts
    for number in range(6):
        site.masks = method.update(site, Update(number, number, Fraction(number, 6)))
        assert counts == {name: int(mask.sum()) for name, mask in site.masks.items()}


def test_moments_of_its_updates() -> None:
    """After each `every` inside the window, and none at its end where the share is 0."""
    clock = Clock(10, 100)
    method = dynamic(every=Duration("steps", 20))
    assert [20, 40, 60] == list(method.updates(0, 75, clock))
    assert [25, 45] == list(method.updates(5, 65, clock))
    assert 0 == pytest.approx(method.share_at(Fraction(1)))
    assert method.replaces_step()
    assert not dynamic(grow="random").replaces_step()


@pytest.mark.parametrize(("share", "codes"), [("0", ["T303"]), ("30", []), ("100", ["T303"])])
def test_bounds(share: str, codes: list[str]) -> None:
    """The share that is dropped lies between none and all."""
    method = dynamic(fraction=Percent(Decimal(share)))
    assert codes == [problem.code for problem in method.check(CheckSite())]


@pytest.mark.parametrize(
    ("grow", "every", "codes"),
    [
        ("gradient", 1, ["T504"]),
        ("gradient", 2, []),
        ("random", 1, []),
    ],
)
def test_updates_leave_steps_to_train(grow: Any, every: int, codes: list[str]) -> None:
    """One that takes the place of a step cannot take the place of all."""
    method = dynamic(grow=grow, every=Duration("steps", every))
    assert codes == [problem.code for problem in method.check(CheckSite())]
