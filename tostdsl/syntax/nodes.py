"""What a recipe says, as written: frozen nodes with exact spans, which equality ignores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeAlias

from tostdsl.source import Source, Span
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent

_readers: dict[type, Callable[[Any], Any]] = {}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """Base of all nodes; equality, hash and text leave out the place.

    They are written here once instead of made anew for each of the classes: that would be a
    twentieth of the time a check of a recipe takes.
    """

    span: Span

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._content() == other._content())

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._names())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.__match_args__
        return names[1:]

    def _content(self) -> Any:
        """What is compared: the one field besides the place, or all of them."""
        get = _readers.get(type(self))
        if get is None:
            get = _readers[type(self)] = attrgetter(*self._names())
        return get(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ident(Node):
    """A bare name."""

    text: str


Scalar: TypeAlias = int | Decimal | str | Percent | Factor | Pattern | Moment | Duration


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Literal(Node):
    """A written value: number, percent, factor, pattern, moment, duration or string."""

    value: Scalar


LOST = ""
"""The name of a reference that stands for a value that could not be read."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reference(Node):
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListValue(Node):
    """`[a, b]`."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RampValue(Node):
    """`1 -> 0`."""

    start: Value
    stop: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Argument(Node):
    """`name=value`, or a positional value with no name."""

    name: Ident | None
    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    """`name(arguments)`; a bare name as a value is a call without brackets."""

    name: Ident
    arguments: tuple[Argument, ...] = ()


Value: TypeAlias = Literal | Reference | ListValue | RampValue | Call


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bound(Node):
    """One part of a window: the word (`from`, `until`, `for`, `at`) and its value."""

    word: Ident
    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Targets(Node):
    """`on a, b except c`."""

    on: tuple[Value, ...] = ()
    exclude: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Edition(Node):
    """`tost 1`."""

    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RecipeName(Node):
    """`recipe NAME "title"`."""

    name: Ident
    title: Literal | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Extends(Node):
    """`extends "base.tost" sha256 "..."`."""

    path: Literal
    checksum: Literal | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Removal(Node):
    """One part of a `without`: a name, and the window of the stages meant when not all are."""

    name: Ident
    window: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Without(Node):
    """`without ghost until epoch 40, skip`."""

    removals: tuple[Removal, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Param(Node):
    """`param NAME = value`."""

    name: Ident
    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sweep(Node):
    """`sweep NAME over [a, b]`."""

    name: Ident
    values: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Setting(Node):
    """A statement with one value: `train for`, `seed`, `precision`."""

    word: Ident
    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expect(Node):
    """`expect METRIC OP value`."""

    metric: Ident
    op: str
    value: Value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slot(Node):
    """`model resnet18(...)`: a word, then a call with window and targets."""

    word: Ident
    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stage(Node):
    """`ghost(...) until epoch 40 on conv`."""

    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hole(Node):
    """A statement that could not be read; `word` is the name it began with.

    `also`: other words in it that may have been meant to begin it, `$name` for a param's.
    """

    word: str
    also: tuple[str, ...] = ()


Statement: TypeAlias = (
    Edition
    | RecipeName
    | Extends
    | Without
    | Param
    | Sweep
    | Setting
    | Expect
    | Slot
    | Stage
    | Hole
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comment(Node):
    """`# text`; `alone` when nothing else stands before it on its line."""

    text: str
    alone: bool


@dataclass(frozen=True, slots=True)
class File:
    """A parsed recipe file."""

    source: Source = field(compare=False)
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = ()
