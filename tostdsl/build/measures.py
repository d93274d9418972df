"""Values with a unit, for Python: `percent(90)` is what a recipe writes as `90%`."""

from __future__ import annotations

from decimal import Decimal

from tostdsl.units import Duration, Factor, Moment, Percent, Ramp


def percent(value: float) -> Percent:
    """A share in percent: `percent(90)` is `90%`."""
    return Percent(_exact(value))


def times(value: float) -> Factor:
    """A multiple: `times(2)` is `2x`."""
    return Factor(_exact(value))


def epoch(number: int) -> Moment:
    """The moment at which an epoch begins, counted from 0: `epoch(40)` is `epoch 40`."""
    return Moment("epoch", _exact(number))


def step(number: int) -> Moment:
    """The moment of a step, counted from 0: `step(100)` is `step 100`."""
    return Moment("step", _exact(number))


def epochs(count: int) -> Duration:
    """A length in epochs: `epochs(180)` is `180 epochs`."""
    return Duration("epochs", count)


def steps(count: int) -> Duration:
    """A length in steps: `steps(500)` is `500 steps`."""
    return Duration("steps", count)


def ramp(start: float, stop: float) -> Ramp:
    """A value that moves over its stage's window: `ramp(1, 20)` is `1 -> 20`."""
    return Ramp(float(start), float(stop))


def _exact(value: float) -> Decimal:
    return Decimal(str(value))
