"""The laws by which kept weights are shared out, against float64 references."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tostdsl.diagnostics import TostError
from tostdsl.masks.random import Random
from tostdsl.masks.scored import Ranking
from tostdsl.masks.shares import Distribution, counts, highest_alive, shares

SHAPES = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 64), st.integers(1, 64)),
        st.tuples(st.integers(1, 64), st.integers(1, 64), st.just(3), st.just(3)),
        st.tuples(st.integers(1, 64), st.just(1), st.integers(1, 5), st.integers(1, 5)),
    ),
    min_size=1,
    max_size=12,
)
SPARSITIES = st.integers(0, 9999).map(lambda n: Fraction(n, 10000))
NETWORK = [(16, 3, 3, 3), (32, 16, 3, 3), (64, 32, 3, 3), (10, 64)]
LAWS = get_args(Distribution)

RAW: dict[str, Callable[[tuple[int, ...], int, int], float]] = {
    "uniform": lambda shape, place, layers: 1.0,
    "er": lambda shape, place, layers: (shape[0] + shape[1]) / (shape[0] * shape[1]),
    "erk": lambda shape, place, layers: sum(shape) / prod(shape),
    "balanced": lambda shape, place, layers: 1.0 / prod(shape),
    "smart_ratio": lambda shape, place, layers: (layers - place) ** 2 + (layers - place),
}
"""What a layer's density is proportional to."""


def densities_by_bisection(law: str, shapes: list[tuple[int, ...]], density: float) -> list[float]:
    """Densities by bisection on the factor over min(1, factor * raw), in float64."""
    sizes = [float(np.prod(shape)) for shape in shapes]
    raw = [RAW[law](shape, place, len(shapes)) for place, shape in enumerate(shapes)]
    low, high = 0.0, 1.0 / min(raw)
    for _ in range(200):
        middle = (low + high) / 2
        kept = sum(min(1.0, middle * r) * n for r, n in zip(raw, sizes, strict=True))
        low, high = (middle, high) if kept < density * sum(sizes) else (low, middle)
    return [min(1.0, high * r) for r in raw]


@pytest.mark.parametrize("law", ["uniform", "er", "erk", "balanced", "smart_ratio"])
@settings(deadline=None)
@given(SHAPES, SPARSITIES)
def test_laws_agree_with_bisection(
    law: Distribution, shapes: list[tuple[int, ...]], sparsity: Fraction
) -> None:
    """The exact solve gives the densities that a bisection in float64 finds."""
    if law == "smart_ratio" and len(shapes[-1]) == 2:
        shapes = [*shapes, (4, 4, 3, 3)]  # no classifier, which has a share of its own
    found = shares(law, shapes, sparsity)
    densities = [float(share / prod(shape)) for share, shape in zip(found, shapes, strict=True)]
    expected = densities_by_bisection(law, shapes, float(1 - sparsity))
    assert expected == pytest.approx(densities, abs=1e-9)


def test_erk_formula() -> None:
    """Layers that are not dense have densities proportional to sum over product of their shape."""
    shapes = [(64, 3, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (10, 256)]
    found = shares("erk", shapes, Fraction(995, 1000))
    densities = [share / prod(shape) for share, shape in zip(found, shapes, strict=True)]
    assert max(densities) < 1
    constant = {
        density * prod(shape) / sum(shape) for density, shape in zip(densities, shapes, strict=True)
    }
    assert len(constant) == 1
    assert Fraction(5, 1000) * sum(map(prod, shapes)) == sum(found)


def test_erk_makes_small_layers_dense() -> None:
    """A layer that would exceed density 1 is dense, and the others take what it cannot."""
    found = shares("erk", [(4, 1, 3, 3), (256, 256, 3, 3)], Fraction(1, 2))
    assert Fraction(36) == found[0]
    assert Fraction(36 + 256 * 256 * 9, 2) - 36 == found[1]


def test_balanced_keeps_equal_numbers() -> None:
    """Every layer keeps the same number; one that has fewer is dense and the rest goes round."""
    found = shares("balanced", NETWORK, Fraction(9, 10))
    total = Fraction(sum(map(prod, NETWORK)), 10)
    assert 432 == found[0]
    assert [(total - 432) / 3] * 3 == found[1:] or 640 == found[3]
    assert total == sum(found)


def test_uniform_plus_spares_the_ends() -> None:
    """The first convolution is dense, the classifier at 20%, the others share out the rest."""
    found = shares("uniform_plus", NETWORK, Fraction(95, 100))
    total = Fraction(5 * sum(map(prod, NETWORK)), 100)
    left = total - 432 - 128
    middle = [prod(shape) for shape in NETWORK[1:3]]
    assert [432, *(left * size / sum(middle) for size in middle), 128] == found
    denser = shares("uniform_plus", NETWORK, Fraction(1, 2))
    assert len({share / prod(s) for share, s in zip(denser[1:], NETWORK[1:], strict=True)}) == 1


def test_smart_ratio_of_the_paper() -> None:
    """Densities fall as (L - l + 1)^2 + (L - l + 1) from the input; the classifier has 30%."""
    found = shares("smart_ratio", NETWORK, Fraction(98, 100))
    ratios = [share / prod(shape) for share, shape in zip(found, NETWORK, strict=True)]
    assert Fraction(3, 10) == ratios[3]
    assert ratios[0] / 20 == ratios[1] / 12 == ratios[2] / 6


@pytest.mark.parametrize("law", LAWS)
@settings(deadline=None)
@given(SHAPES, SPARSITIES)
def test_counts_are_exact(
    law: Distribution, shapes: list[tuple[int, ...]], sparsity: Fraction
) -> None:
    """Counts sum to the rounded density times the size, and no layer keeps more than it has."""
    named = {str(place): shape for place, shape in enumerate(shapes)}
    size = sum(map(prod, shapes))
    try:
        found = counts(law, named, sparsity)
    except TostError as error:
        codes = [found.code for found in error.diagnostics]
    else:
        codes = []
    if codes:
        assert ["T505"] == codes
        assert law in ("uniform_plus", "smart_ratio")
        return
    assert abs(sum(found.values()) - (1 - sparsity) * size) <= Fraction(1, 2)
    assert all(0 <= count <= prod(named[name]) for name, count in found.items())
    exact = shares(law, shapes, sparsity)
    assert all(abs(c - share) < 1 for c, share in zip(found.values(), exact, strict=True))


@pytest.mark.parametrize("law", ["uniform_plus", "smart_ratio"])
def test_what_cannot_be_met_names_what_can(law: Distribution) -> None:
    """A law whose dense layers have more than all may keep names one that empties none."""
    with pytest.raises(TostError, match="T505") as caught:
        shares(law, NETWORK, Fraction(9999, 10000))
    (found,) = caught.value.diagnostics
    assert found.help is not None
    percent = Fraction(found.help.split("sparsity=")[1].split("%")[0])
    named = {str(i): shape for i, shape in enumerate(NETWORK)}
    assert min(counts(law, named, percent / 100).values()) > 0
    try:
        above = min(counts(law, named, (percent + Fraction(1, 100)) / 100).values())
    except TostError:
        above = 0
    assert 0 == above


@pytest.mark.parametrize("law", LAWS)
def test_highest_sparsity_with_every_layer_alive(law: Distribution) -> None:
    """At it every layer keeps a weight; a hundredth of a percent further one is empty or none."""
    named = {str(place): shape for place, shape in enumerate([*NETWORK[:3], (2, 2)])}
    highest = highest_alive(law, named)
    assert highest is not None
    assert min(counts(law, named, highest).values()) > 0
    try:
        further = counts(law, named, highest + Fraction(1, 10000))
    except TostError:
        return
    assert 0 == min(further.values())


def test_every_law_is_told() -> None:
    """The page of `random` says what each law does, and rankings offer the same laws."""
    assert all(f"- `{law}`" in (Random.__doc__ or "") for law in LAWS)
    assert ("global", *LAWS) == get_args(Ranking)
