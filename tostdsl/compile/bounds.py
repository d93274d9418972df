"""What the values of statements must be, in words; None where they are that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tostdsl.units import Duration, Percent

MAX_SEED = 10**15 - 1
"""A number of a recipe has 15 digits at most."""


def told(name: str, bound: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """What a bound says, in a sentence of help."""

    def sentence(value: Any) -> str | None:
        said = bound(value)
        return f"`{name}` must be {said}" if said else None

    return sentence


def metric(value: Percent | float) -> str | None:
    """What the value of an expectation must be."""
    if isinstance(value, Percent):
        return None if 0 <= value.value <= 100 else "between 0% and 100%"
    return None if value >= 0 else "at least 0"


def seed(value: int) -> str | None:
    """What a seed must be."""
    return None if 0 <= value <= MAX_SEED else f"between 0 and {MAX_SEED}"


def length(value: Duration) -> str | None:
    """What the length of training must be."""
    return None if value.value >= 1 else "at least 1 step long"


def free(value: object) -> None:
    """Any value of its type will do."""
