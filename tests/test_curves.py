"""How weights fall."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl import curves

Curve = Callable[[float], float]
FALLING: list[Curve] = [
    curves.linear,
    curves.cosine,
    curves.exponential,
    lambda p: curves.stairs(p, [0.25, 0.5, 1.0]),
]
progress = st.floats(0, 1)


@pytest.mark.parametrize("curve", FALLING)
def test_a_falling_curve_goes_from_1_to_0(curve: Curve) -> None:
    """w(0) = 1, w(1) = 0, and it never rises in between."""
    values = [curve(float(p)) for p in np.linspace(0, 1, 1001)]
    assert 1.0 == values[0]
    assert 0.0 == pytest.approx(values[-1], abs=1e-15)
    assert all(a >= b for a, b in pairwise(values))


@given(progress)
def test_closed_forms(p: float) -> None:
    """The curves are the laws their names say."""
    assert 1 - p == curves.linear(p)
    assert math.cos(math.pi * p / 2) ** 2 == pytest.approx(curves.cosine(p), abs=1e-12)
    expected = np.expm1(-5 * (1 - p)) / np.expm1(-5) * np.exp(-5 * p)
    assert expected == pytest.approx(curves.exponential(p), abs=1e-12)
    assert 1.0 == curves.constant(p)


def test_the_exponential_halves_every_seventh_of_the_window() -> None:
    """Above its floor, it halves every ln 2 / 5 of the window: 14 %."""
    half = math.log(2) / 5
    assert 14 == round(100 * half)
    floor = math.exp(-5) / (1 - math.exp(-5))
    heights = [curves.exponential(k * half) + floor for k in range(4)]
    assert [0.5, 0.5, 0.5] == pytest.approx([heights[k + 1] / heights[k] for k in range(3)])


@given(progress, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_stairs_fall_by_equal_parts(p: float, at: list[float]) -> None:
    """What is left is the share of points that still lie ahead."""
    assert sum(p < point for point in at) / len(at) == pytest.approx(curves.stairs(p, at))


@given(st.floats(-9, 9), st.floats(-9, 9), progress)
def test_a_ramp_goes_from_start_to_stop(start: float, stop: float, w: float) -> None:
    """`start` where the curve stands at 1, `stop` where it stands at 0, in between mixed."""
    assert start == pytest.approx(curves.blend(1.0, start, stop))
    assert stop == curves.blend(0.0, start, stop)
    mixed = w * start + (1 - w) * stop
    assert mixed == pytest.approx(curves.blend(w, start, stop), abs=1e-9)
