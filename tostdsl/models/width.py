"""Widths of networks that are given as a factor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.plan.spec import Problem
from tostdsl.units import Factor


def check_width(width: Factor, channels: int) -> Iterator[Problem]:
    """Find a width that does not make a whole number of channels of the fewest a network has."""
    wide = Fraction(width.value) * channels
    if wide < 1 or wide.denominator != 1:
        nearest = Factor.from_json({"factor": max(1, round(wide)) / channels})
        reason = f"{width} of {channels} channels is not a whole number of them"
        values = {"name": "width", "reason": reason}
        yield Problem("T504", values, ("width",), f"write `width={nearest}`")


def refuse(problems: Iterable[Problem]) -> None:
    """Raise a network's problems, if it has any, as it is about to be built."""
    found = [diagnose(p.code, help=p.help, **dict[str, Any](p.values)) for p in problems]
    if found:
        raise TostError(found)
