"""The mask `lottery`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.diagnostics import TostError
from tostdsl.masks.lottery import Lottery
from tostdsl.plan.spec import CheckSite
from tostdsl.units import END, START, Duration, Moment, Percent

SHAPES = {"a.weight": (16, 3, 3, 3), "b.weight": (32, 16, 3, 3), "c.weight": (10, 32)}


def share(percent: str) -> Percent:
    return Percent(Decimal(percent))


def lottery(sparsity: str = "90", **rest: Any) -> Lottery:
    return Lottery(sparsity=share(sparsity), **rest)


def epoch(number: str) -> Moment:
    return Moment("epoch", Decimal(number))


def codes(method: Lottery) -> list[tuple[str, tuple[str, ...]]]:
    return [(problem.code, problem.fields) for problem in method.check(CheckSite())]


def test_densities_at_a_fifth_a_round() -> None:
    """Densities after n rounds at 20% are the published table's."""
    table = {1: 0.80, 3: 0.512, 5: 0.328, 8: 0.168, 10: 0.107, 11: 0.086, 13: 0.055, 14: 0.044}
    table |= {16: 0.028, 17: 0.0225, 18: 0.018, 19: 0.0144, 21: 0.0092}
    rounds = lottery("99.9").rounds()
    for after, density in table.items():
        digits = len(str(density)) - 2
        assert density == round(float(1 - rounds[after - 1].sparsity), digits)


@pytest.mark.parametrize(("sparsity", "count"), [("90", 11), ("95", 14), ("98", 18), ("99", 21)])
def test_number_of_rounds(sparsity: str, count: int) -> None:
    """90% takes 11 rounds, 95% 14, 98% 18, 99% 21, and the last ends exactly there."""
    rounds = lottery(sparsity).rounds()
    assert count == len(rounds)
    assert share(sparsity).fraction == rounds[-1].sparsity


@given(st.integers(1, 999), st.integers(100, 900))
def test_rounds_prune_the_rate_of_what_remains(sparsity: int, rate: int) -> None:
    """Every round but the last prunes exactly the rate, the last no more, and none too few."""
    method = Lottery(sparsity=share(f"{sparsity / 10}"), rate=share(f"{rate / 10}"))
    kept = [Fraction(1), *(1 - round_.sparsity for round_ in method.rounds())]
    pruned = [1 - after / before for before, after in pairwise(kept)]
    assert {Fraction(rate, 1000)} >= set(pruned[:-1])
    assert 0 < pruned[-1] <= Fraction(rate, 1000)
    assert 1 - Fraction(sparsity, 1000) == kept[-1]


def test_exact_landing_takes_no_extra_round() -> None:
    """Where the rate lands on the sparsity exactly, that round is the last."""
    rounds = lottery("75", rate=share("50")).rounds()
    assert [Fraction(1, 2), Fraction(3, 4)] == [round_.sparsity for round_ in rounds]


def test_nothing_to_prune_takes_no_round() -> None:
    """A sparsity of 0% is dense training."""
    assert () == lottery("0").rounds()


def test_too_many_rounds_is_a_problem() -> None:
    """More than 200 rounds are refused, by the check and by whoever skips it."""
    method = lottery("90", rate=share("1"))
    assert [("T504", ("rate",))] == codes(method)
    with pytest.raises(TostError, match="more than 200 rounds"):
        method.rounds()
    with pytest.raises(TostError, match="more than 200 rounds"):
        lottery("100").rounds()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (lottery(), []),
        (lottery("100"), [("T303", ("sparsity",))]),
        (lottery(rate=share("0")), [("T303", ("rate",))]),
        (lottery(rate=share("100")), [("T303", ("rate",))]),
        (lottery(rewind=epoch("2"), epochs=3), []),
        (lottery(rewind=epoch("3"), epochs=3), [("T504", ("rewind",))]),
        (lottery(rewind=epoch("500")), []),
        (lottery(rewind=Moment("percent", Decimal(99))), []),
        (lottery(rewind=Moment("percent", Decimal(100))), [("T504", ("rewind",))]),
        (lottery(rewind=END), [("T504", ("rewind",))]),
        (lottery("100", rewind=END), [("T303", ("sparsity",)), ("T504", ("rewind",))]),
    ],
)
def test_check(method: Lottery, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """Bounds of the shares, and a rewind that no round reaches, are problems in their fields."""
    assert expected == codes(method)


def test_the_start_has_one_spelling() -> None:
    """`epoch 0`, `step 0`, `0%` and `start` are one rewind, so one fingerprint."""
    zeros = [epoch("0"), Moment("step", Decimal(0)), Moment("percent", Decimal(0)), START]
    assert {START} == {lottery(rewind=moment).rewind_to() for moment in zeros}
    assert epoch("2") == lottery(rewind=epoch("2")).rewind_to()
    assert END == lottery(rewind=END).rewind_to()


def test_length_and_stages() -> None:
    """Rounds train as long as training does, or `epochs`; stages only when asked."""
    training = Duration("steps", 700)
    assert training == lottery().round_length(training)
    assert Duration("epochs", 30) == lottery(epochs=30).round_length(training)
    assert not lottery().stages_in_rounds()
    assert lottery(stages=True).stages_in_rounds()


def test_rounds_are_exact_and_nested(make_site: Callable[..., Any]) -> None:
    """Every round keeps exactly its count, and only weights that the round before kept."""
    method = lottery("90")
    site = make_site(SHAPES)
    total = sum(weight.numel() for weight in site.weights.values())
    noise = torch.Generator().manual_seed(5)
    for round_ in method.rounds():
        for weight in site.weights.values():
            weight.copy_(torch.randn(weight.shape, generator=noise))
        masks = method.choose(site, round_.sparsity)
        kept = sum(int(mask.sum()) for mask in masks.values())
        assert int((1 - round_.sparsity) * total + Fraction(1, 2)) == kept
        if site.masks:
            assert not any(bool((masks[n] & ~site.masks[n]).any()) for n in SHAPES)
        site.masks = masks


def test_smallest_of_the_kept_go(make_site: Callable[..., Any]) -> None:
    """A kept weight of exactly 0 outranks every pruned one; the smallest kept go first."""
    weights = {"a.weight": torch.tensor([[5.0, 0.0, -3.0, 1.0]])}
    masks = {"a.weight": torch.tensor([[False, True, True, True]])}
    site = make_site(weights, masks=masks)
    assert [[False, True, True, True]] == lottery().choose(site, Fraction(1, 4))[
        "a.weight"
    ].tolist()
    half = lottery().choose(site, Fraction(1, 2))["a.weight"]
    assert [[False, False, True, True]] == half.tolist()


def test_pruned_weights_do_not_return(make_site: Callable[..., Any]) -> None:
    """Asking for less sparsity than is in force is refused."""
    masks = {"a.weight": torch.tensor([[False, False, True, True]])}
    site = make_site({"a.weight": torch.ones(1, 4)}, masks=masks)
    with pytest.raises(TostError, match=r"T505.*25% cannot be met: 50% are pruned already"):
        lottery().choose(site, Fraction(1, 4))


def test_json_round_trip() -> None:
    """A lottery reads back from its plan's JSON as itself."""
    method = lottery("98", rate=share("25"), rewind=epoch("2"), epochs=30, stages=True)
    data = method.model_dump(mode="json")
    assert method == Lottery.model_validate(data)
    assert {"name": "lottery", "revision": 1} == {key: data[key] for key in ("name", "revision")}
