"""Types of arguments in words: what a message says is wanted, and an example of it."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tostdsl import registry
from tostdsl.plan.spec import Spec
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent, Ramp


class Missing:
    """What a value is that could not be read."""


MISSING = Missing()

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "`yes` or `no`",
    str: 'a string such as `"name"`',
    Percent: "a percent such as `90%`",
    Factor: "a factor such as `2x`",
    Pattern: "a pattern such as `2:4`",
    Moment: "a moment such as `epoch 40`",
    Duration: "a length such as `10 epochs`",
    Ramp: "a ramp such as `1 -> 0`",
}


LISTS: dict[Any, str] = {Percent: "[50%, 75%]", Moment: "[50%, 75%]"}
"""Lists as one would write them, where it takes more than one to see what they are for."""


def name_of(kind: str) -> str:
    """What a name of a kind is, in words."""
    shown = "data set" if kind == "data" else kind
    return f"the name of {'an' if shown[0] in 'aeiou' else 'a'} {shown}"


def describe(want: Any) -> str:
    """A type annotation in words."""
    origin = get_origin(want)
    if origin is Annotated:
        return describe(get_args(want)[0])
    if origin in (Union, types.UnionType):
        return " or ".join(describe(m) for m in get_args(want) if m is not type(None))
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(want))
    if origin is tuple:
        return f"a list of {_several(get_args(want)[0])}"
    if isinstance(want, type) and issubclass(want, Spec):
        return name_of(want.kind)
    return WORDS.get(want, str(want))


def _several(want: Any) -> str:
    """More than one value of a type, in words."""
    if get_origin(want) is Annotated:
        return _several(get_args(want)[0])
    if isinstance(want, type) and issubclass(want, Spec):
        return f"{'data set' if want.kind == 'data' else want.kind}s"
    words = describe(want).partition(" such as ")[0]
    return f"{words.partition(' ')[2]}s" if words.startswith("a ") else words


def example(want: Any) -> str:
    """A value of a type annotation, as a recipe would write it."""
    origin = get_origin(want)
    if origin is Annotated:
        return example(get_args(want)[0])
    if origin in (Union, types.UnionType):
        return example(next(m for m in get_args(want) if m is not type(None)))
    if origin is Literal:
        return str(get_args(want)[0])
    if origin is tuple:
        return LISTS.get(get_args(want)[0]) or f"[{example(get_args(want)[0])}]"
    if isinstance(want, type) and issubclass(want, Spec):
        return registry.names(want.kind)[0]
    samples = {
        int: "1",
        float: "0.1",
        bool: "yes",
        str: '"…"',
        Percent: "90%",
        Factor: "2x",
        Pattern: "2:4",
        Moment: "epoch 40",
        Duration: "10 epochs",
        Ramp: "1 -> 0",
    }
    return samples.get(want, "…")


def signature(cls: type[Spec]) -> str:
    """The arguments a name takes, for a help line."""
    if not cls.model_fields:
        return f"`{cls.name}` takes no arguments"
    return f"`{cls.name}` takes " + ", ".join(f"`{name}`" for name in cls.model_fields)
