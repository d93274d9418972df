"""Types of arguments in words: what a message says is wanted, and an example of it."""

from __future__ import annotations

import types
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tostdsl import registry
from tostdsl.plan.spec import Spec
from tostdsl.units import (
    Duration,
    Factor,
    Moment,
    Pattern,
    Percent,
    Ramp,
    Unit,
    number_text,
)


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


def _bare(want: Any) -> Any:
    """A type annotation less what it is annotated with, of a union the first that is not None."""
    while (origin := get_origin(want)) in (Annotated, Union, types.UnionType):
        parts = get_args(want)
        want = parts[0] if origin is Annotated else next(p for p in parts if p is not type(None))
    return want


def value_of(info: FieldInfo) -> str:
    """A value of an argument, as a recipe would write it."""
    extra = info.json_schema_extra
    own = extra.get("example") if isinstance(extra, dict) else None
    return str(own) if own else example(info.annotation)


def example(want: Any) -> str:
    """A value of a type annotation, as a recipe would write it."""
    want = _bare(want)
    origin = get_origin(want)
    if origin is Literal:
        return str(get_args(want)[0])
    if origin is tuple:
        return LISTS.get(get_args(want)[0]) or f"[{example(get_args(want)[0])}]"
    if isinstance(want, type) and issubclass(want, Spec):
        first = registry.get(want.kind, registry.names(want.kind)[0])
        bare = not any(info.is_required() for info in first.model_fields.values())
        return first.name if bare or not first.examples else first.examples[0]
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


_SAMPLES: dict[Any, Any] = {
    int: 1,
    float: 0.1,
    bool: True,
    str: "name",
    Percent: Percent(Decimal(50)),
    Factor: Factor(Decimal(2)),
    Pattern: Pattern((2, 4)),
    Moment: Moment("percent", Decimal(50)),
    Duration: Duration("epochs", 1),
    Ramp: Ramp(1, 0),
}


def sample(want: Any) -> Any:
    """A value of a type annotation; None where there is none to be had."""
    want = _bare(want)
    origin = get_origin(want)
    if origin is Literal:
        return get_args(want)[0]
    if origin is tuple:
        return (sample(get_args(want)[0]),)
    if isinstance(want, type) and issubclass(want, Spec):
        try:
            return registry.get(want.kind, registry.names(want.kind)[0])()
        except ValidationError:
            return None
    return _SAMPLES.get(want)


def default_text(info: FieldInfo) -> str:
    """An argument's default as a recipe writes it, else an example of what it takes."""
    value = info.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, Unit) or (isinstance(value, str) and info.annotation is not str):
        return str(value)
    return value_of(info)


def example_of(cls: type[Spec], name: str) -> str:
    """Help that shows an argument as it might be."""
    return f"for example `{name}={default_text(cls.model_fields[name])}`"


_BOUNDS = {
    "ge": "at least {}",
    "gt": "greater than {}",
    "le": "at most {}",
    "lt": "less than {}",
}


def bound_text(mistake: Any) -> str | None:
    """What pydantic says that a value must be, in words; None where it is no bound."""
    context = mistake.get("ctx", {})
    for key, phrase in _BOUNDS.items():
        if key in context:
            bound = context[key]
            number = isinstance(bound, int | float | Decimal)
            return phrase.format(number_text(bound) if number else bound)
    return "not empty" if mistake["type"] == "too_short" else None


def signature(cls: type[Spec]) -> str:
    """The arguments a name takes, for a help line."""
    if not cls.model_fields:
        return f"`{cls.name}` takes no arguments"
    return f"`{cls.name}` takes " + ", ".join(f"`{name}`" for name in cls.model_fields)
