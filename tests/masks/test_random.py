"""The mask `random`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest
import torch

from tostdsl.diagnostics import CATALOGUE
from tostdsl.masks.random import Random
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Percent

SHAPES: dict[str, tuple[int, ...]] = {
    "stem.weight": (16, 3, 3, 3),
    "body.weight": (32, 16, 3, 3),
    "fc.weight": (10, 32),
}


def random_mask(
    percent: str, distribution: Literal["uniform", "erk"] = "uniform"
) -> tuple[Random, Fraction]:
    sparsity = Percent(Decimal(percent))
    return Random(sparsity=sparsity, distribution=distribution), sparsity.fraction


@pytest.mark.parametrize("percent", ["0", "12.5", "50", "90", "97.3"])
@pytest.mark.parametrize("distribution", ["uniform", "erk"])
def test_exact_total(make_site: Callable[..., Any], percent: str, distribution: Any) -> None:
    """The masks have the weights' names, order and shapes, and exactly the wanted total."""
    method, sparsity = random_mask(percent, distribution)
    masks = method.choose(make_site(SHAPES), sparsity)
    assert list(SHAPES.items()) == [(name, tuple(mask.shape)) for name, mask in masks.items()]
    assert {torch.bool} == {mask.dtype for mask in masks.values()}
    kept = (1 - sparsity) * 5360
    assert abs(kept - sum(int(mask.sum()) for mask in masks.values())) <= Fraction(1, 2)


def test_uniform_is_even_and_erk_is_not(make_site: Callable[..., Any]) -> None:
    """At 90%, uniform keeps a tenth of every layer; ERK keeps more of the small ones."""
    uniform = random_mask("90")[0].choose(make_site(SHAPES), Fraction(9, 10))
    assert [43, 461, 32] == [int(mask.sum()) for mask in uniform.values()]
    erk = random_mask("90", "erk")[0].choose(make_site(SHAPES), Fraction(9, 10))
    epsilon = 536 / (25 + 54 + 42)
    wanted = [epsilon * 25, epsilon * 54, epsilon * 42]
    assert all(abs(w - int(m.sum())) < 1 for w, m in zip(wanted, erk.values(), strict=True))


def test_a_layer_draws_for_itself(make_site: Callable[..., Any]) -> None:
    """What a layer keeps depends on the seed and its name, not on the layers beside it."""
    method, sparsity = random_mask("50")
    whole = method.choose(make_site(SHAPES), sparsity)
    alone = method.choose(make_site({"body.weight": SHAPES["body.weight"]}), sparsity)
    other = method.choose(make_site(SHAPES, seed=2), sparsity)
    assert torch.equal(alone["body.weight"], whole["body.weight"])
    assert not torch.equal(other["body.weight"], whole["body.weight"])


def test_higher_sparsity_is_nested(make_site: Callable[..., Any]) -> None:
    """A layer keeps at a higher sparsity a part of what it keeps at a lower one."""
    low, high = (
        random_mask(p)[0].choose(make_site(SHAPES), random_mask(p)[1]) for p in ("50", "90")
    )
    assert not any(bool((high[name] & ~low[name]).any()) for name in SHAPES)


def test_entries_are_drawn_evenly(make_site: Callable[..., Any]) -> None:
    """Over many seeds every entry is kept about equally often (chi-square within its spread)."""
    method, sparsity = random_mask("75")
    runs = 400
    hits = sum(
        method.choose(make_site({"a.weight": (8, 8)}, seed=seed), sparsity)["a.weight"].double()
        for seed in range(runs)
    )
    assert isinstance(hits, torch.Tensor)
    expected = runs / 4
    chi_square = float(((hits - expected) ** 2 / (expected * 0.75)).sum())
    assert abs(chi_square - 64) < 5 * (2 * 64) ** 0.5


@pytest.mark.parametrize(("percent", "codes"), [("0", []), ("99.9", []), ("100", ["T303"])])
def test_sparsity_bounds(percent: str, codes: list[str]) -> None:
    """A sparsity is at least 0% and below 100%."""
    problems = list(random_mask(percent)[0].check(CheckSite()))
    assert codes == [problem.code for problem in problems]
    for problem in problems:
        assert ("sparsity",) == problem.fields
        assert "below 100%, found `100%`" in CATALOGUE["T303"].message.format(**problem.values)


def test_negative_sparsity_is_a_problem() -> None:
    """A sparsity below 0% is refused as well."""
    assert ["T303"] == [p.code for p in random_mask("-1")[0].check(CheckSite())]
