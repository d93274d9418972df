"""What functions for Python may be given besides a recipe's values: other types are refused here.

A value that a recipe could have, but not there, is a `TostError` with the compiler's message; what
is of no type that is taken at all, a `TypeError` that names those that are.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from tostdsl.diagnostics import TostError

MAX_BITS = 1000
"""Of a seed; far more than any recipe may have, and still few enough for a message to show."""


def wrong(what: str, wanted: str, value: object) -> TypeError:
    """The error for a value of another type than is wanted; by type, for it may be of any size."""
    return TypeError(f"{what} is {wanted}, not {type(value).__name__}")


def path_of(value: Any, what: str, wanted: str = "a path as text or Path") -> Path:
    """The path that is given; `TypeError` for what is none."""
    if isinstance(value, str | PathLike) and isinstance(fspath(value), str):
        return Path(value)
    raise wrong(what, wanted, value)


def text_of(value: Any, what: str) -> str:
    """The text that is given; `TypeError` for what is none."""
    if isinstance(value, str):
        return value
    raise wrong(what, "a text", value)


def from_outside(sets: Any, seed: Any) -> None:
    """Refuse, with `TypeError`, what are no values of params by name, or no seed."""
    if sets is not None:
        if not isinstance(sets, Mapping):
            raise wrong("`sets`", "a mapping of params to values as texts", sets)
        for each in (*sets.keys(), *sets.values()):
            text_of(each, "a param's name or value in `sets`")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise wrong("`seed`", "a whole number", seed)
    if seed is not None and seed.bit_length() > MAX_BITS:
        raise TostError.of("T306")
