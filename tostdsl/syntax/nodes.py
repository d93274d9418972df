"""What a recipe says, as written: frozen nodes with exact spans, which equality ignores."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from tostdsl.source import Source, Span
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ident(Node):
    """A bare name."""

    text: str


Scalar: TypeAlias = int | Decimal | str | Percent | Factor | Pattern | Moment | Duration


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A written value: number, percent, factor, pattern, moment, duration or string."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Reference(Node):
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListValue(Node):
    """`[a, b]`."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class RampValue(Node):
    """`1 -> 0`."""

    start: Value
    stop: Value


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """`name=value`, or a positional value with no name."""

    name: Ident | None
    value: Value


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`; a bare name as a value is a call without brackets."""

    name: Ident
    arguments: tuple[Argument, ...] = ()


Value: TypeAlias = Literal | Reference | ListValue | RampValue | Call


@dataclass(frozen=True, slots=True)
class Bound(Node):
    """One part of a window: the word (`from`, `until`, `for`, `at`) and its value."""

    word: Ident
    value: Value


@dataclass(frozen=True, slots=True)
class Targets(Node):
    """`on a, b except c`."""

    on: tuple[Value, ...] = ()
    exclude: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition(Node):
    """`tost 1`."""

    value: Value


@dataclass(frozen=True, slots=True)
class RecipeName(Node):
    """`recipe NAME "title"`."""

    name: Ident
    title: Literal | None


@dataclass(frozen=True, slots=True)
class Extends(Node):
    """`extends "base.tost" sha256 "..."`."""

    path: Literal
    checksum: Literal | None


@dataclass(frozen=True, slots=True)
class Without(Node):
    """`without ghost, skip`."""

    names: tuple[Ident, ...]


@dataclass(frozen=True, slots=True)
class Param(Node):
    """`param NAME = value`."""

    name: Ident
    value: Value


@dataclass(frozen=True, slots=True)
class Sweep(Node):
    """`sweep NAME over [a, b]`."""

    name: Ident
    values: Value


@dataclass(frozen=True, slots=True)
class Setting(Node):
    """A statement with one value: `train for`, `seed`, `precision`."""

    word: Ident
    value: Value


@dataclass(frozen=True, slots=True)
class Expect(Node):
    """`expect METRIC OP value`."""

    metric: Ident
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class Slot(Node):
    """`model resnet18(...)`: a word, then a call with window and targets."""

    word: Ident
    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@dataclass(frozen=True, slots=True)
class Stage(Node):
    """`ghost(...) until epoch 40 on conv`."""

    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@dataclass(frozen=True, slots=True)
class Hole(Node):
    """A statement that could not be read; `word` is the name it began with."""

    word: str


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


@dataclass(frozen=True, slots=True)
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
