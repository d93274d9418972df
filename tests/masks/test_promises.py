"""What the pages of masks promise, each where breaking it would go unnoticed otherwise."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tostdsl.engine.flops import known_layers, uses
from tostdsl.masks.blocks import transposable
from tostdsl.masks.gradual import Gradual
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.paths import paths
from tostdsl.masks.random import Random
from tostdsl.masks.report import examine
from tostdsl.masks.shares import counts
from tostdsl.masks.shuffle import Shuffle
from tostdsl.plan.masking import MaskMethod, Update
from tostdsl.units import Percent

NINETY = Percent(Decimal(90))


def test_paths_lead_through_every_place_of_a_pool() -> None:
    """A maximum hands on one of its inputs, and which one depends on values: all have paths.

    Of a 2 x 2 image each place of the kernel is seen from one place of the pool only.
    """
    model = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2)
    )
    masks = {"0.weight": torch.ones(1, 1, 3, 3) > 0, "3.weight": torch.ones(2, 1) > 0}
    found = paths(model, masks, (1, 2, 2))
    assert found is not None
    assert bool(found.on_path["0.weight"].all())


def test_ideal_multiply_adds_count_what_is_outside_of_the_scope() -> None:
    """Half of the first layer's outputs pruned: torch's count of a smaller one, the rest whole."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(96, 5)
    )
    mask = torch.ones(8, 3, 3, 3, dtype=torch.bool)
    mask[::2] = False
    found = examine(
        model, {"0.weight": mask}, (3, 6, 6), uses(model, (3, 6, 6)), known_layers(model)
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        nn.Conv2d(3, 4, 3, padding=1)(torch.zeros(1, 3, 6, 6))
        model[1:](torch.zeros(1, 8, 6, 6))
    assert counter.get_total_flops() == 2 * found.ideal


SHAPES = {"a.weight": (20, 10), "b.weight": (30, 10, 3, 3), "c.weight": (20, 10)}


@pytest.mark.parametrize(
    "method",
    [
        Random(sparsity=NINETY),
        Shuffle(of=Magnitude(sparsity=NINETY, distribution="uniform"), within="layer"),
    ],
    ids=["random", "shuffle"],
)
@pytest.mark.parametrize("gone", SHAPES)
def test_a_layers_draw_is_its_own(
    gone: str, method: MaskMethod, make_site: Callable[..., Any]
) -> None:
    """With a layer taken out, the others keep the same weights; equal ones draw apart."""
    whole = make_site(SHAPES)
    whole.weights["c.weight"].copy_(whole.weights["a.weight"])
    masks = method.choose(whole, Fraction(9, 10))
    less = {name: weight for name, weight in whole.weights.items() if name != gone}
    again = method.choose(make_site(less), Fraction(9, 10))
    assert set(SHAPES) - {gone} == set(again)
    assert all(torch.equal(mask, masks[name]) for name, mask in again.items())
    assert not torch.equal(masks["a.weight"], masks["c.weight"])


def patterns(n: int, m: int) -> np.ndarray:
    """All m x m patterns with n in every row and column, row by row."""
    rows = [np.array([i in kept for i in range(m)]) for kept in combinations(range(m), n)]
    every = [np.array(p) for p in product(rows, repeat=m) if (sum(p) == n).all()]
    return np.stack(every)


def greedy(block: np.ndarray, n: int) -> np.ndarray:
    """Values in falling order, each kept while its row and column have room."""
    kept = np.zeros(block.shape, dtype=bool)
    for place in np.argsort(-block.ravel(), kind="stable"):
        row, column = divmod(int(place), len(block))
        kept[row, column] = kept[row].sum() < n and kept[:, column].sum() < n
    return kept


@pytest.mark.parametrize("n", [2, 3])
def test_a_block_is_filled_by_the_exchange_that_costs_least(n: int) -> None:
    """Where one is missing, the best of all full patterns that are one exchange away is kept.

    Altogether that is near the best of all patterns.
    """
    every = patterns(n, 5)
    assert 2040 == len(every)
    source = torch.Generator().manual_seed(1)
    blocks = torch.rand(120, 5, 5, generator=source, dtype=torch.float64)
    exchanged, shares = 0, []
    for block in blocks:
        mask = transposable(block.unsqueeze(1), n, 5).squeeze(1).numpy()
        values = block.numpy()
        start = greedy(values, n)
        shares.append(values[mask].sum() / (values * every).sum((1, 2)).max())
        if start.sum() == 5 * n - 1:
            near = every[(every ^ start).sum((1, 2)) == 3]
            best = near[(values * near).sum((1, 2)).argmax()]
            assert best.tolist() == mask.tolist()
            exchanged += len(near) > 1
    assert exchanged >= 5
    assert np.mean(shares) > 0.95


def updated(method: Gradual, site: Any, steps: int) -> list[dict[str, torch.Tensor]]:
    """The masks after each of so many updates, the weights drawn anew before each."""
    source, found = torch.Generator().manual_seed(2), []
    for number in range(1, steps + 1):
        for weight in site.weights.values():
            weight.normal_(generator=source)
        found.append(method.update(site, Update(number, number, Fraction(number, steps))))
        site.masks = found[-1]
    return found


@pytest.mark.parametrize("law", ["global", "uniform", "erk", "balanced"])
def test_what_gradual_pruned_stays_pruned_whatever_its_value(
    law: Any, make_site: Callable[..., Any]
) -> None:
    """A pruned weight that is no longer zero and larger than all others does not return."""
    method = Gradual(sparsity=NINETY, distribution=law)
    site = make_site(SHAPES)
    site.masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in SHAPES.items()}
    masks = [site.masks, *updated(method, site, 6)]
    for earlier, later in pairwise(masks):
        assert not any(bool((later[name] & ~earlier[name]).any()) for name in SHAPES)
        assert any(int(later[name].sum()) < int(earlier[name].sum()) for name in SHAPES)


def test_no_layer_falls_below_its_count_in_the_end(make_site: Callable[..., Any]) -> None:
    """Shares are rounded for each sparsity anew, so a layer may have less before than at the end.

    What were pruned then could not return, and the total would be missed.
    """
    shapes = {"a.weight": (6, 1), "b.weight": (8, 7), "c.weight": (7, 7), "d.weight": (8, 4)}
    method = Gradual(sparsity=Percent(Decimal(75)), distribution="uniform")
    wanted = counts("uniform", shapes, Fraction(3, 4))
    before = counts("uniform", shapes, method.sparsity_at(Fraction(6, 8)))
    assert before["a.weight"] < wanted["a.weight"]
    site = make_site(shapes)
    site.masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in shapes.items()}
    last = updated(method, site, 8)[-1]
    assert wanted == {name: int(mask.sum()) for name, mask in last.items()}
