"""The mask `shuffle`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import torch

from tostdsl.masks.dynamic import Dynamic
from tostdsl.masks.gradual import Gradual
from tostdsl.masks.lottery import Lottery
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.shuffle import Shuffle
from tostdsl.plan.masking import MaskMethod
from tostdsl.units import Percent

SHAPES = {"a.weight": (20, 10), "b.weight": (30, 10, 3, 3)}


def magnitude() -> Magnitude:
    return Magnitude(sparsity=Percent(Decimal(80)))


def shuffled(method: MaskMethod, within: Any = "layer") -> Shuffle:
    return Shuffle(of=method, within=within)


def test_within_a_layer_counts_stay(make_site: Callable[..., Any]) -> None:
    """Every layer keeps as many weights as the mask it mixes, at other places."""
    site = make_site(SHAPES)
    site.weights["b.weight"].mul_(0.1)
    plain = magnitude().choose(site, Fraction(4, 5))
    mixed = shuffled(magnitude()).choose(site, Fraction(4, 5))
    for name, mask in plain.items():
        assert int(mask.sum()) == int(mixed[name].sum())
        assert mask.shape == mixed[name].shape
        assert not torch.equal(mask, mixed[name])


def test_within_the_network_only_the_total_stays(make_site: Callable[..., Any]) -> None:
    """Mixed over the network, a layer that was starved gets its share of the whole."""
    site = make_site(SHAPES)
    site.weights["b.weight"].mul_(1e-3)
    plain = magnitude().choose(site, Fraction(4, 5))
    mixed = shuffled(magnitude(), "network").choose(site, Fraction(4, 5))
    total = sum(int(mask.sum()) for mask in plain.values())
    assert total == sum(int(mask.sum()) for mask in mixed.values())
    assert 200 == int(plain["a.weight"].sum())
    density = float(mixed["a.weight"].double().mean())
    assert abs(density - 0.2) < 5 * (0.2 * 0.8 / 200) ** 0.5


def test_places_are_even(make_site: Callable[..., Any]) -> None:
    """Over many seeds every place of a layer is kept about equally often (chi-square)."""
    runs = 400
    hits = torch.zeros(8, 8, dtype=torch.float64)
    for seed in range(runs):
        site = make_site({"a.weight": (8, 8)}, seed=seed)
        half = Magnitude(sparsity=Percent(Decimal(75)))
        hits += shuffled(half).choose(site, Fraction(3, 4))["a.weight"]
    expected = runs / 4
    chi_square = float(((hits - expected) ** 2 / (expected * 0.75)).sum())
    assert abs(chi_square - 64) < 5 * (2 * 64) ** 0.5


@pytest.mark.parametrize("within", ["layer", "network"])
def test_a_seed_mixes_one_way(make_site: Callable[..., Any], within: str) -> None:
    """The same seed mixes alike, another one differently."""
    first, again, other = (
        shuffled(magnitude(), within).choose(make_site(SHAPES, seed=seed), Fraction(4, 5))
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in SHAPES)
    assert not all(torch.equal(first[name], other[name]) for name in SHAPES)


def test_of_a_lottery_only_the_last_mask_is_mixed(make_site: Callable[..., Any]) -> None:
    """Rounds prune as they would, so that each finds its ticket; the last one is mixed."""
    lottery = Lottery(sparsity=Percent(Decimal(36)), rate=Percent(Decimal(20)))
    method = shuffled(lottery)
    assert lottery.rounds() == method.rounds()
    assert lottery.rewind_to() == method.rewind_to()
    site = make_site(SHAPES)
    first, last = (each.sparsity for each in method.rounds())
    plain = lottery.choose(site, first)
    assert all(torch.equal(plain[n], mask) for n, mask in method.choose(site, first).items())
    site = make_site(SHAPES, masks=plain)
    ticket, mixed = lottery.choose(site, last), method.choose(site, last)
    assert all(int(ticket[n].sum()) == int(mixed[n].sum()) for n in SHAPES)
    assert not all(torch.equal(ticket[n], mixed[n]) for n in SHAPES)


@pytest.mark.parametrize("moving", [Gradual, Dynamic])
def test_a_mask_that_moves_is_not_mixed(moving: type[Any]) -> None:
    """Mixing one would keep only its first mask, another method: it is refused where it stands."""
    for of in (moving(sparsity=Percent(Decimal(80))), magnitude()):
        (*problems,) = shuffled(of).check(None)  # type: ignore[arg-type]
        assert (["of"] if of.moves else []) == [problem.values["name"] for problem in problems]
        for problem in problems:
            assert ("of",) == problem.fields
            assert "moves its mask" in problem.values["reason"]
