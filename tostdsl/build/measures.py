"""Values with a unit, for Python: `percent(90)` is what a recipe writes as `90%`.

Each takes plain numbers; `TostError` for anything else (T301), and for numbers that no recipe has
(T303). Whether a number suits an argument is told where it is given.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.units import Duration, Factor, Moment, Percent, Ramp


def percent(value: float) -> Percent:
    """A share in percent: `percent(90)` is `90%`."""
    return Percent(_number("percent", value))


def times(value: float) -> Factor:
    """A multiple: `times(2)` is `2x`."""
    return Factor(_number("times", value))


def epoch(number: int) -> Moment:
    """The moment at which an epoch begins, counted from 0: `epoch(40)` is `epoch 40`."""
    return Moment("epoch", Decimal(_count("epoch", number)))


def step(number: int) -> Moment:
    """The moment of a step, counted from 0: `step(100)` is `step 100`."""
    return Moment("step", Decimal(_count("step", number)))


def epochs(count: int) -> Duration:
    """A length in epochs: `epochs(180)` is `180 epochs`."""
    return Duration("epochs", _count("epochs", count))


def steps(count: int) -> Duration:
    """A length in steps: `steps(500)` is `500 steps`."""
    return Duration("steps", _count("steps", count))


def ramp(start: float, stop: float) -> Ramp:
    """A value that moves over its stage's window: `ramp(1, 20)` is `1 -> 20`."""
    return Ramp(*(float(_number("ramp", each, None)) for each in (start, stop)))


MAX_POWER = 300
"""Of ten, beyond which no number of a recipe goes, nor below its negative."""
_EXAMPLES = {
    "percent": ("90", "90%"),
    "times": ("2", "2x"),
    "epoch": ("40", "epoch 40"),
    "step": ("40", "step 40"),
    "epochs": ("180", "180 epochs"),
    "steps": ("500", "500 steps"),
    "ramp": ("1, 20", "1 -> 20"),
}
"""For each function what it may be given, and how a recipe writes that."""


def exact_number(value: Any) -> Decimal:
    """A number as a decimal, which may be none or infinite; fractions are rounded as a float is."""
    if isinstance(value, Integral):
        return Decimal(int(value))
    if isinstance(value, Decimal):
        return value
    try:
        return Decimal(str(float(value)))
    except OverflowError:
        return Decimal(value.numerator) / Decimal(value.denominator)


def _number(name: str, value: Any, least: int | None = 0) -> Decimal:
    """A finite number, exact, that is not below the `least`."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise _unfit(name, value, "a number")
    exact = exact_number(value)
    if not exact.is_finite():
        raise _unfit(name, value, "a number")
    if exact and abs(exact.adjusted()) > MAX_POWER:
        raise TostError([diagnose("T306")])
    if least is not None and exact < least:
        values: dict[str, Any] = {"name": name, "bound": f"at least {least}", "found": f"`{value}`"}
        raise TostError([diagnose("T303", **values)])
    return exact


def _count(name: str, value: Any) -> int:
    """A whole number from 0."""
    exact = _number(name, value)
    if exact != exact.to_integral_value():
        raise _unfit(name, value, "a whole number")
    return int(exact)


def _unfit(name: str, value: Any, expected: str) -> TostError:
    given, text = _EXAMPLES[name]
    help = f'for example `{name}({given})`, or the text `"{text}"` in its place'
    values: dict[str, Any] = {"name": name, "expected": expected, "found": f"`{value!r}`"}
    return TostError([diagnose("T301", help=help, **values)])
